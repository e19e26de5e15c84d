//! COLD: the shape of a market's traffic: frame sizes, level distances, rates; to set two side by side.

use crate::sim::api::Listing;
use crate::venue::ProductLine;
use crate::venue::binance::simulator::frames::{self, FrameReader, PlayedMessage};
use crate::venue::simulator_side::next_frame;
use crate::venue::source::MarketSource;
use spinbook_engine::types::{Level, Nanos, Side};

/// What was measured.
#[derive(Clone, Debug, Default)]
pub struct MeasuredStatistics {
    /// Levels of each depth message, sorted.
    pub levels: Vec<i64>,
    /// Distance of each level from the mid, in thousandths of a basis point, sorted.
    pub distances: Vec<i64>,
    /// Depth messages.
    pub depths: u64,
    /// Best bid/ask messages.
    pub touches: u64,
    /// Trades.
    pub trades: u64,
    /// Share of levels that delete, in millionths.
    pub deletes_millionths: i64,
    /// Bytes of all frames.
    pub bytes: u64,
    /// From the first frame to the last.
    pub span: Nanos,
}

impl MeasuredStatistics {
    /// Measures one listing's frames of a source, up to a span of the source's own time.
    ///
    /// # Errors
    /// What the source says is wrong with it.
    pub fn measure(
        product: ProductLine,
        source: &mut dyn MarketSource,
        listing: &Listing,
        span_max: Nanos,
    ) -> Result<MeasuredStatistics, String> {
        let mut measure = MeasuredStatistics::default();
        let mut reader = FrameReader::new(product, std::slice::from_ref(listing))?;
        let (mut first, mut deletes, mut doubled_mid) = (None, 0i64, None);
        while let Some(frame) = next_frame(source).map_err(|error| error.to_string())? {
            let start = *first.get_or_insert(frame.at);
            measure.span = frame.at - start;
            if measure.span > span_max {
                break;
            }
            let Some(parts) = frames::split(&frame.bytes) else {
                continue;
            };
            let Some((symbol, rest)) = parts.stream.split_once('@') else {
                continue;
            };
            if !symbol.eq_ignore_ascii_case(&listing.symbol) {
                continue;
            }
            measure.bytes += u64::try_from(frame.bytes.len()).unwrap_or(0);
            let channel = rest.split('@').next().unwrap_or("");
            match reader.read(channel, &frame.bytes, &parts, (0, listing)) {
                Ok(PlayedMessage::Depth(depth)) => {
                    measure.depths += 1;
                    measure.levels.push(i64::try_from(depth.bids.len() + depth.asks.len()).unwrap_or(0));
                    for (side, level) in sides(&depth.bids, &depth.asks) {
                        deletes += i64::from(level.lots.is_zero());
                        if let Some(doubled) = doubled_mid {
                            measure.distances.push(distance(side, level, doubled));
                        }
                    }
                }
                Ok(PlayedMessage::Touch(touch)) => {
                    measure.touches += 1;
                    if let (Some(bid), Some(ask)) = (touch.bid, touch.ask) {
                        doubled_mid = Some(bid.tick.0 + ask.tick.0);
                    }
                }
                Ok(PlayedMessage::Trade(_)) => measure.trades += 1,
                _ => {}
            }
        }
        let all = measure.levels.iter().sum::<i64>().max(1);
        measure.deletes_millionths = deletes * 1_000_000 / all;
        measure.levels.sort_unstable();
        measure.distances.sort_unstable();
        Ok(measure)
    }

    /// Messages a second, in hundredths.
    #[must_use]
    pub fn rate_hundredths(&self, count: u64) -> u64 {
        let ms = u64::try_from(self.span.millis()).unwrap_or(0).max(1);
        count * 100_000 / ms
    }
}

fn sides<'a>(bids: &'a [Level], asks: &'a [Level]) -> impl Iterator<Item = (Side, Level)> + 'a {
    let bids = bids.iter().map(|level| (Side::Bid, *level));
    bids.chain(asks.iter().map(|level| (Side::Ask, *level)))
}

fn distance(side: Side, level: Level, doubled_mid: i64) -> i64 {
    let away = (doubled_mid - 2 * level.tick.0) * side.sign();
    i64::try_from(i128::from(away) * 10_000_000 / i128::from(doubled_mid.max(1))).unwrap_or(i64::MAX)
}

/// The value at this many thousandths of a sorted list's length.
#[must_use]
pub fn quantile(sorted: &[i64], thousandths: usize) -> i64 {
    let place = (sorted.len() * thousandths / 1000).min(sorted.len().saturating_sub(1));
    sorted.get(place).copied().unwrap_or(0)
}

fn decimals(value: i64, scale: i64) -> String {
    let width = if scale == 100 { 2 } else { 3 };
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{}.{:0width$}", value.abs() / scale, value.abs() % scale)
}

/// A table of several shapes, one column each.
#[must_use]
pub fn side_by_side(shapes: &[(&str, &MeasuredStatistics)]) -> String {
    type Row = (&'static str, fn(&MeasuredStatistics) -> String);
    let rows: [Row; 11] = [
        ("levels per depth frame p50", |measure| quantile(&measure.levels, 500).to_string()),
        ("levels per depth frame p90", |measure| quantile(&measure.levels, 900).to_string()),
        ("levels per depth frame p99", |measure| quantile(&measure.levels, 990).to_string()),
        ("distance from mid p50, bps", |measure| decimals(quantile(&measure.distances, 500), 1000)),
        ("distance from mid p90, bps", |measure| decimals(quantile(&measure.distances, 900), 1000)),
        ("distance from mid p99, bps", |measure| decimals(quantile(&measure.distances, 990), 1000)),
        ("levels deleted, %", |measure| decimals(measure.deletes_millionths / 100, 100)),
        ("depth frames a second", |measure| per_second(measure, measure.depths)),
        ("best bid/ask frames a second", |measure| per_second(measure, measure.touches)),
        ("trade frames a second", |measure| per_second(measure, measure.trades)),
        ("bytes a second", |measure| (measure.rate_hundredths(measure.bytes) / 100).to_string()),
    ];
    let mut table = format!("{:<32}", "");
    for (name, _) in shapes {
        table.push_str(&format!("{name:>16}"));
    }
    for (name, cell) in rows {
        table.push_str(&format!("\n{name:<32}"));
        for (_, measure) in shapes {
            table.push_str(&format!("{:>16}", cell(measure)));
        }
    }
    table.push('\n');
    table
}

fn per_second(measure: &MeasuredStatistics, count: u64) -> String {
    decimals(i64::try_from(measure.rate_hundredths(count)).unwrap_or(0), 100)
}
