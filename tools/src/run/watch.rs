//! COLD: what is shown of a run while it works: reads counters and screen cells, never the threads themselves.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rust_decimal::Decimal;
use spinbook_engine::book::BookState;
use spinbook_engine::counters::{Counter, Counters};
use spinbook_engine::engine::Engine;
use spinbook_engine::event::LostReason;
use spinbook_engine::latency::LatencyBuckets;
use spinbook_engine::risk::{StopCause, TradingState};
use spinbook_engine::strategy::Strategy;
use spinbook_engine::telemetry::{TelemetryCell, TelemetryOrder, TelemetrySnapshot};
use spinbook_engine::types::{Level, Lots, Nanos, QuoteAtoms, Side, Tick};
use spinbook_engine::unquoted::Unquoted;
use spinbook_engine::working::WorkingStatus;
use spinbook_feed::net::hot::hot_shared::HotShared;
use spinbook_feed::net::io::gateway_loop::GatewayShared;
use spinbook_feed::number::Scale;
use spinbook_feed::venue::instrument::Instrument;

use crate::run::plan::Plan;
use crate::run::topology::Running;
use crate::ui::meanings::{DECODE_TO_ORDER, WIRE_TO_WIRE};
use crate::ui::report::{Percentiles, atoms_text};
use crate::ui::{LadderRow, LastTrade, LatencyState, MarketState, OrderRow, ScreenSource, ScreenState};

/// Over how long rates are taken.
const RATE_SPAN: Duration = Duration::from_secs(1);
/// Decimals of profit and fees on the screen; the report has all of them.
const MONEY_DECIMALS: u32 = 4;
/// Seconds of latencies that are kept: more than any screen is wide.
const LATENCY_SECONDS_MAX: usize = 600;

/// A latency second by second.
#[derive(Default)]
struct LatencyPast {
    /// Everything up to the end of the last second that was looked at.
    before: Option<Histogram<u64>>,
    /// That second, counted from the start.
    second: u64,
    /// Median and 99th percentile of each, oldest first; none where nothing was measured.
    seconds: VecDeque<Option<[u64; 2]>>,
}

impl LatencyPast {
    /// Takes what was measured up to now, `second` seconds after the start: when one is over its figures are kept.
    fn look(&mut self, whole: &Histogram<u64>, second: u64) {
        if second <= self.second {
            return;
        }
        let mut fresh = whole.clone();
        // Buckets only grow, so what was there before can be taken away; of the largest, which may move, nothing is.
        if let Some(before) = &self.before
            && fresh.subtract(before).is_err()
        {
            fresh.reset();
        }
        // Seconds in which nobody looked have no figures of their own.
        let missed = usize::try_from(second - self.second - 1).unwrap_or(usize::MAX).min(LATENCY_SECONDS_MAX);
        self.seconds.extend(std::iter::repeat_n(None, missed));
        let figures = [fresh.value_at_quantile(0.50), fresh.value_at_quantile(0.99)];
        self.seconds.push_back((!fresh.is_empty()).then_some(figures));
        let old = self.seconds.len().saturating_sub(LATENCY_SECONDS_MAX);
        self.seconds.drain(..old);
        self.before = Some(whole.clone());
        self.second = second;
    }
}

/// Everything that can be seen of a run from outside.
pub struct Watch {
    mode: &'static str,
    venue: String,
    planned: Option<Duration>,
    instruments: Vec<Instrument>,
    /// The instruments as they are named.
    labels: Vec<String>,
    screens: Vec<Arc<TelemetryCell>>,
    /// What each account held at the start that counts as flat.
    neutral: Vec<Lots>,
    counters: Arc<Counters>,
    shared: Option<(Arc<HotShared>, Arc<GatewayShared>)>,
    begun: Instant,
    /// The last picture of each instrument.
    last: Vec<TelemetrySnapshot>,
    /// Of each instrument: fills, book, trading state and a feed that is behind, as they were reported last.
    told: Vec<(u64, BookState, bool)>,
    /// The two latencies second by second.
    pasts: [LatencyPast; 2],
    /// When the frame rate was taken last, the frames then, and the rate.
    rate: (Instant, u64, u64),
}

impl Watch {
    /// Takes what can be read from any thread, before the engine moves to its own.
    #[must_use]
    pub fn new<S: Strategy>(plan: &Plan, instruments: &[Instrument], engine: &Engine<S>) -> Watch {
        Watch {
            mode: plan.mode.name(),
            venue: plan.venue_name().to_owned(),
            planned: plan.seconds,
            instruments: instruments.to_vec(),
            labels: instruments.iter().map(|instrument| plan.label(instrument)).collect(),
            screens: instruments.iter().map(|instrument| engine.telemetry(instrument.id).clone()).collect(),
            neutral: instruments.iter().map(|instrument| neutral(engine, instrument)).collect(),
            counters: engine.counters().clone(),
            shared: None,
            begun: Instant::now(),
            last: vec![TelemetrySnapshot::default(); instruments.len()],
            told: vec![(0, BookState::Empty, false); instruments.len()],
            pasts: Default::default(),
            rate: (Instant::now(), 0, 0),
        }
    }

    /// The threads run: from here on their latencies are shown too.
    pub fn follow<S>(&mut self, running: &Running<S>) {
        self.shared = Some((running.hot_shared.clone(), running.io_shared.clone()));
        self.begun = Instant::now();
        self.rate = (self.begun, 0, 0);
    }

    /// What may still be open, for a run that is left at once.
    #[must_use]
    pub fn open_orders_text(&self) -> String {
        (self.open_orders_teller())()
    }

    /// Says the same from any thread, whatever became of this one.
    #[must_use]
    pub fn open_orders_teller(&self) -> Box<dyn Fn() -> String + Send + Sync> {
        let (screens, instruments) = (self.screens.clone(), self.instruments.clone());
        let (labels, venue) = (self.labels.clone(), self.venue.clone());
        let io = self.shared.as_ref().map(|(_, io)| io.clone());
        Box::new(move || {
            let open = io.as_ref().map_or(0, |io| io.open_orders.load(Ordering::Relaxed));
            let mut listed = String::new();
            for (place, (cell, instrument)) in screens.iter().zip(&instruments).enumerate() {
                let Some(snapshot) = cell.read() else { continue };
                for side in Side::BOTH {
                    for order in snapshot.orders(side).iter().filter(|order| order.level.lots.0 > 0) {
                        let price = price_text(instrument, order.level.tick);
                        let quantity = quantity_text(instrument, Lots(order.level.lots.0 - order.filled.0));
                        listed.push_str(&format!("; {} {} {quantity} at {price}", labels[place], side_name(side)));
                    }
                }
            }
            open_orders_text(open, &venue, &listed)
        })
    }

    fn take_snapshots(&mut self) {
        for (last, cell) in self.last.iter_mut().zip(&self.screens) {
            // A write that is under way is over at once; the last picture serves until then.
            if let Some(snapshot) = cell.read() {
                *last = snapshot;
            }
        }
    }

    /// What happened to an instrument since the last picture.
    fn news(&mut self, place: usize) -> Vec<String> {
        let (instrument, snapshot) = (&self.instruments[place], &self.last[place]);
        let mut news = Vec::new();
        let (fills, book_state, was_behind) = self.told[place];
        // Which of several instruments is meant is said; of the only one it is clear.
        let of = if self.labels.len() > 1 { format!("{}: ", self.labels[place]) } else { String::new() };
        let is_behind = snapshot.unquoted.contains(&Unquoted::FeedBehind);
        if is_behind != was_behind {
            let is = if is_behind { "is behind the venue's time: not quoted on" } else { "has caught up" };
            news.push(format!("{of}the feed {is}"));
        }
        if snapshot.book_state != book_state {
            let state =
                if snapshot.book_state == BookState::Live { "live".to_owned() } else { book_state_text(snapshot) };
            news.push(format!("the book of {} is {state}", self.labels[place]));
        }
        if snapshot.fills > fills {
            let verb = if snapshot.fill.side == Side::Bid { "bought" } else { "sold" };
            let quantity = quantity_text(instrument, snapshot.fill.level.lots);
            let price = price_text(instrument, snapshot.fill.level.tick);
            let more = match snapshot.fills - fills {
                1 => String::new(),
                count => format!(", the last of {count} fills"),
            };
            news.push(format!("{of}{verb} {quantity} at {price}{more}"));
        }
        self.told[place] = (snapshot.fills, snapshot.book_state, is_behind);
        news
    }

    /// One instrument, all of it from its last picture.
    fn market(&self, place: usize) -> MarketState {
        let (instrument, snapshot) = (&self.instruments[place], &self.last[place]);
        let orders = Side::BOTH.iter().flat_map(|side| {
            let there = snapshot.orders(*side).iter().filter(|order| order.level.lots.0 > 0);
            there.map(|order| order_row(instrument, *side, order))
        });
        let trade = snapshot.trade;
        let last_trade = (trade.level.lots.0 > 0).then(|| LastTrade {
            verb: if trade.side == Side::Bid { "buy" } else { "sell" },
            price: price_text(instrument, trade.level.tick),
            quantity: quantity_text(instrument, trade.level.lots),
        });
        MarketState {
            name: self.labels[place].clone(),
            base_asset: instrument.base_asset.to_string(),
            quote_asset: instrument.quote_asset.to_string(),
            book_state: book_state_text(snapshot),
            trading_state: trading_text(snapshot, self.is_paused()),
            not_quoting: not_quoting_text(snapshot),
            bids: ladder(instrument, snapshot, Side::Bid),
            asks: ladder(instrument, snapshot, Side::Ask),
            last_trade,
            orders: orders.collect(),
            position: position_text(instrument, snapshot.exposure, self.neutral[place]),
            pnl_quote: money_text(snapshot.pnl),
            fees_quote: money_text(snapshot.fees),
            fills: snapshot.fills,
        }
    }

    /// Whether an operator has paused trading.
    fn is_paused(&self) -> bool {
        self.shared.as_ref().is_some_and(|(hot, _)| hot.pause.load(Ordering::Relaxed))
    }

    fn frames_per_second(&mut self, frames: u64) -> u64 {
        let (at, before, _) = self.rate;
        let span = at.elapsed();
        if span >= RATE_SPAN {
            let milliseconds = span.as_millis().max(1);
            let rate = u128::from(frames.saturating_sub(before)) * 1000 / milliseconds;
            self.rate = (Instant::now(), frames, u64::try_from(rate).unwrap_or(u64::MAX));
        }
        self.rate.2
    }

    fn counters(&mut self) -> Vec<(&'static str, u64)> {
        let hot = self.shared.as_ref().map(|(hot, _)| hot.clone());
        let seen = |pick: fn(&HotShared) -> &std::sync::atomic::AtomicU64| {
            hot.as_ref().map_or(0, |hot| pick(hot).load(Ordering::Relaxed))
        };
        let frames = seen(|hot| &hot.frames);
        let per_second = self.frames_per_second(frames);
        let count = |counter| self.counters.value(counter);
        vec![
            ("frames", frames),
            ("frames/s", per_second),
            ("gaps", seen(|hot| &hot.gaps)),
            ("resyncs", seen(|hot| &hot.resyncs)),
            ("quotes", count(Counter::Quotes)),
            ("stalls", seen(|hot| &hot.stalls)),
            ("hot allocs", seen(|hot| &hot.allocations_decision)),
        ]
    }

    fn latency(&mut self) -> Vec<LatencyState> {
        let Some((hot, io)) = &self.shared else { return Vec::new() };
        let second = self.begun.elapsed().as_secs();
        let measured = [(DECODE_TO_ORDER, &hot.decode_to_order), (WIRE_TO_WIRE, &io.wire_to_wire)];
        let pasts = self.pasts.iter_mut();
        let state = |(((name, meaning), buckets), past): ((_, &LatencyBuckets), &mut LatencyPast)| {
            let whole = buckets.to_histogram();
            past.look(&whole, second);
            let history = past.seconds.iter().copied().collect();
            LatencyState { name, meaning, whole: Percentiles::of(&whole), history }
        };
        measured.into_iter().zip(pasts).map(state).collect()
    }
}

/// What may be open: how many orders the gateway counts, and those that the engine's last pictures list.
fn open_orders_text(open: u64, venue: &str, listed: &str) -> String {
    match (open, listed) {
        (0, "") => format!("no order is known to be open on {venue}, which has not confirmed it"),
        (0, listed) => format!("orders may still be open on {venue}{listed}"),
        (1, listed) => format!("1 order may still be open on {venue}{listed}"),
        (open, listed) => format!("{open} orders may still be open on {venue}{listed}"),
    }
}

/// As many decimals as the venue's own step has, and more only where a digit would be lost.
fn units_text(scale: &Scale, units: i64, step: i64) -> String {
    let decimals = scale.decimal(step.max(1)).normalize().scale();
    let mut value = scale.decimal(units).normalize();
    if value.scale() < decimals {
        value.rescale(decimals);
    }
    value.to_string()
}

fn price_text(instrument: &Instrument, tick: Tick) -> String {
    units_text(&instrument.price, tick.0, instrument.tick_order_step)
}

fn quantity_text(instrument: &Instrument, lots: Lots) -> String {
    units_text(&instrument.quantity, lots.0, instrument.lots_order_step)
}

/// What is held of an instrument that counts as flat.
fn neutral<S: Strategy>(engine: &Engine<S>, instrument: &Instrument) -> Lots {
    let position = engine.position(instrument.id);
    Lots(position.lots().0.saturating_sub(position.exposure().0))
}

/// What is held, as the report counts it, and of it what came since the start where an inventory counts as flat.
fn position_text(instrument: &Instrument, exposure: Lots, neutral: Lots) -> String {
    let held = quantity_text(instrument, Lots(exposure.0.saturating_add(neutral.0)));
    match (neutral, exposure) {
        (Lots::ZERO, _) => held,
        (_, Lots(0..)) => format!("{held} (+{})", quantity_text(instrument, exposure)),
        _ => format!("{held} ({})", quantity_text(instrument, exposure)),
    }
}

fn money_text(atoms: QuoteAtoms) -> String {
    Decimal::try_from_i128_with_scale(atoms.0, 18)
        .map_or_else(|_| atoms_text(atoms), |value| value.round_dp(MONEY_DECIMALS).to_string())
}

const fn side_name(side: Side) -> &'static str {
    match side {
        Side::Bid => "bid",
        Side::Ask => "ask",
    }
}

const fn status_text(status: WorkingStatus) -> &'static str {
    match status {
        WorkingStatus::Empty | WorkingStatus::Done => "gone",
        WorkingStatus::PendingPlace => "placing",
        WorkingStatus::Live => "open",
        WorkingStatus::PendingAmend => "amending",
        WorkingStatus::PendingCancel => "canceling",
        WorkingStatus::Unknown => "unknown",
    }
}

const fn trading_state_text(state: TradingState) -> &'static str {
    match state {
        TradingState::Active => "active",
        TradingState::ReduceOnly => "reduce-only",
        TradingState::CancelOnly => "cancel-only",
        TradingState::Halted => "halted",
    }
}

/// What may be sent, and why it is no more.
fn trading_text(snapshot: &TelemetrySnapshot, paused: bool) -> String {
    let state = trading_state_text(snapshot.trading_state);
    match (snapshot.stop_cause, paused) {
        (StopCause::None, false) => state.to_owned(),
        (StopCause::None, true) => "paused".to_owned(),
        (cause, false) => format!("{state}: {}", cause.sentence()),
        (cause, true) => format!("paused, {state}: {}", cause.sentence()),
    }
}

/// Why sides are not quoted; empty where both are, or nothing is known yet.
fn not_quoting_text(snapshot: &TelemetrySnapshot) -> String {
    // A pause is said by the trading state.
    let told = |reason: Unquoted| !matches!(reason, Unquoted::No | Unquoted::Shutdown | Unquoted::OperatorPause);
    match snapshot.unquoted {
        [bid, ask] if bid == ask && told(bid) => bid.sentence().to_owned(),
        [bid, ask] => {
            let sides = [("bids", bid), ("asks", ask)].into_iter().filter(|(_, reason)| told(*reason));
            sides.map(|(side, reason)| format!("{side}: {}", reason.sentence())).collect::<Vec<_>>().join("; ")
        }
    }
}

const fn lost_text(reason: LostReason) -> &'static str {
    match reason {
        LostReason::None => "lost",
        LostReason::Gap => "lost: a gap",
        LostReason::Disconnected => "lost: disconnected",
        LostReason::Silent => "lost: silence",
        LostReason::BadFrame => "lost: a bad frame",
        LostReason::Crossed => "lost: crossed",
        LostReason::TouchMismatch => "lost: best bid/ask differ",
        LostReason::OuterFull => "lost: no room",
        LostReason::Instrument => "lost: not trading",
    }
}

fn book_state_text(snapshot: &TelemetrySnapshot) -> String {
    match snapshot.book_state {
        BookState::Empty => "waiting for its snapshot".to_owned(),
        BookState::Lost(_) if snapshot.unquoted.contains(&Unquoted::BookOverfull) => {
            "given up: more levels than market.book_levels_max".to_owned()
        }
        BookState::Lost(reason) => lost_text(reason).to_owned(),
        BookState::Live if snapshot.quotable => "live".to_owned(),
        BookState::Live if snapshot.unquoted.contains(&Unquoted::FeedBehind) => "behind the venue's time".to_owned(),
        BookState::Live => {
            let age = snapshot.now - snapshot.depth_received;
            match age > Nanos::from_seconds(1) {
                true => format!("stale: no update for {} s", age.millis() / 1000),
                false => "live, not quotable".to_owned(),
            }
        }
    }
}

/// The book's best levels of a side with our own quotes among them, best first.
fn ladder(instrument: &Instrument, snapshot: &TelemetrySnapshot, side: Side) -> Vec<LadderRow> {
    let largest =
        Side::BOTH.iter().flat_map(|side| snapshot.levels(*side)).map(|level| level.lots.0).max().unwrap_or(0);
    let there = |level: &&Level| level.lots.0 > 0;
    let mut ticks: Vec<Tick> = snapshot.levels(side).iter().filter(there).map(|level| level.tick).collect();
    let ours = || snapshot.orders(side).iter().filter(|order| order.level.lots.0 > 0);
    ticks.extend(ours().map(|order| order.level.tick));
    ticks.sort_unstable_by_key(|tick| if side == Side::Bid { -tick.0 } else { tick.0 });
    ticks.dedup();
    let row = |tick: Tick| {
        let book = snapshot.levels(side).iter().filter(there).find(|level| level.tick == tick);
        let own: i64 =
            ours().filter(|order| order.level.tick == tick).map(|order| order.level.lots.0 - order.filled.0).sum();
        let lots = book.map_or(0, |level| level.lots.0);
        LadderRow {
            price: price_text(instrument, tick),
            quantity: book.map(|level| quantity_text(instrument, level.lots)).unwrap_or_default(),
            share_permille: u16::try_from(i128::from(lots) * 1000 / i128::from(largest.max(1))).unwrap_or(1000),
            own: (own > 0).then(|| quantity_text(instrument, Lots(own))),
        }
    };
    ticks.into_iter().map(row).collect()
}

fn order_row(instrument: &Instrument, side: Side, order: &TelemetryOrder) -> OrderRow {
    OrderRow {
        side: side_name(side),
        price: price_text(instrument, order.level.tick),
        quantity: quantity_text(instrument, order.level.lots),
        filled: quantity_text(instrument, order.filled),
        state: status_text(order.status),
    }
}

impl ScreenSource for Watch {
    fn screen(&mut self) -> ScreenState {
        self.take_snapshots();
        let places = 0..self.instruments.len();
        let news = places.clone().flat_map(|place| self.news(place)).collect();
        ScreenState {
            mode: self.mode.to_owned(),
            venue: self.venue.clone(),
            markets: places.map(|place| self.market(place)).collect(),
            elapsed_seconds: self.begun.elapsed().as_secs_f64(),
            planned: self.planned,
            orders: self.last.first().map(|snapshot| snapshot.orders_of_all).unwrap_or_default(),
            latency: self.latency(),
            counters: self.counters(),
            news,
        }
    }
}

#[cfg(test)]
mod tests {
    use spinbook_feed::testkit;
    use spinbook_feed::venue::binance;

    use super::*;

    fn instrument() -> Instrument {
        Instrument {
            lots_order_step: 1_000,
            lots_order_min: Lots(1_000),
            ..testkit::instrument(binance::SPOT, 0, "BTCUSDT", "0.01", "0.00000001")
        }
    }

    fn level(tick: i64, lots: i64) -> Level {
        Level { tick: Tick(tick), lots: Lots(lots) }
    }

    #[test]
    fn numbers_have_the_decimals_of_the_step_and_lose_none() {
        let instrument = instrument();
        assert_eq!(quantity_text(&instrument, Lots(100_000_000)), "1.00000");
        assert_eq!(quantity_text(&instrument, Lots(100_000_001)), "1.00000001");
        assert_eq!(price_text(&instrument, Tick(6_400_010)), "64000.10");
        assert_eq!(money_text(QuoteAtoms(-123_456_789_000_000_000)), "-0.1235");
    }

    #[test]
    fn an_inventory_that_counts_as_flat_is_shown_with_what_came_since() {
        let instrument = instrument();
        let shown = |exposure, neutral| position_text(&instrument, Lots(exposure), Lots(neutral));
        assert_eq!(shown(3_000, 0), "0.00003");
        assert_eq!(shown(0, 50_000_000), "0.50000 (+0.00000)");
        assert_eq!(shown(157_763, 50_000_000), "0.50157763 (+0.00157763)");
        assert_eq!(shown(-3_000, 50_000_000), "0.49997 (-0.00003)");
    }

    #[test]
    fn our_orders_stand_in_the_ladder_between_its_levels() {
        let mut snapshot = TelemetrySnapshot::default();
        snapshot.bids[..2].copy_from_slice(&[level(100, 50_000), level(98, 100_000)]);
        let own = |tick, filled| TelemetryOrder {
            level: level(tick, 3_000),
            filled: Lots(filled),
            status: WorkingStatus::Live,
        };
        snapshot.orders[0] = own(99, 1_000);
        snapshot.orders[1] = own(98, 0);
        let rows = ladder(&instrument(), &snapshot, Side::Bid);
        let seen: Vec<_> =
            rows.iter().map(|row| (row.price.as_str(), row.quantity.as_str(), row.own.as_deref())).collect();
        assert_eq!(
            seen,
            [("1.00", "0.00050", None), ("0.99", "", Some("0.00002")), ("0.98", "0.00100", Some("0.00003"))]
        );
        assert_eq!(rows.iter().map(|row| row.share_permille).collect::<Vec<_>>(), [500, 0, 1000]);
        assert!(ladder(&instrument(), &snapshot, Side::Ask).is_empty());
    }

    #[test]
    fn why_trading_and_quoting_stand_still_is_said() {
        let mut snapshot = TelemetrySnapshot::default();
        assert_eq!((trading_text(&snapshot, false).as_str(), not_quoting_text(&snapshot).as_str()), ("active", ""));
        (snapshot.trading_state, snapshot.stop_cause) = (TradingState::CancelOnly, StopCause::LossPerDay);
        assert_eq!(trading_text(&snapshot, false), "cancel-only: the daily loss limit was reached");
        assert_eq!(trading_text(&snapshot, true), "paused, cancel-only: the daily loss limit was reached");
        assert_eq!(trading_text(&TelemetrySnapshot::default(), true), "paused");
        snapshot.unquoted = [Unquoted::No, Unquoted::Budget];
        assert!(not_quoting_text(&snapshot).starts_with("asks: the venue's windows"));
        snapshot.unquoted = [Unquoted::Paused; 2];
        assert_eq!(not_quoting_text(&snapshot), "the venue asked to wait");
    }

    #[test]
    fn what_may_be_open_is_never_nothing() {
        assert_eq!(open_orders_text(2, "x", "; a; b"), "2 orders may still be open on x; a; b");
        assert_eq!(open_orders_text(1, "x", ""), "1 order may still be open on x");
        assert_eq!(open_orders_text(0, "x", "; a"), "orders may still be open on x; a");
        assert_eq!(open_orders_text(0, "x", ""), "no order is known to be open on x, which has not confirmed it");
    }

    #[test]
    fn a_latency_has_its_figures_second_by_second() {
        let buckets = LatencyBuckets::default();
        let mut past = LatencyPast::default();
        let mut look = |figures: &[u64], second| {
            figures.iter().for_each(|figure| buckets.record(*figure));
            past.look(&buckets.to_histogram(), second);
            past.seconds.iter().copied().collect::<Vec<_>>()
        };
        assert_eq!(look(&[10, 20, 30], 0), [], "the first second is not over");
        assert_eq!(look(&[40], 1), [Some([20, 40])]);
        assert_eq!(look(&[], 1), [Some([20, 40])]);
        assert_eq!(look(&[50], 2), [Some([20, 40]), Some([50, 50])], "what was before does not count again");
        assert_eq!(look(&[], 4)[2..], [None, None], "nothing was measured");
        assert_eq!(look(&[7], 2_000).len(), LATENCY_SECONDS_MAX);
    }

    #[test]
    fn book_states_are_words() {
        let mut snapshot =
            TelemetrySnapshot { book_state: BookState::Live, quotable: true, ..TelemetrySnapshot::default() };
        assert_eq!(book_state_text(&snapshot), "live");
        snapshot.quotable = false;
        assert_eq!(book_state_text(&snapshot), "live, not quotable");
        snapshot.now = Nanos::from_millis(3_400);
        assert_eq!(book_state_text(&snapshot), "stale: no update for 3 s");
        snapshot.unquoted = [Unquoted::FeedBehind; 2];
        assert_eq!(book_state_text(&snapshot), "behind the venue's time");
        snapshot.book_state = BookState::Lost(LostReason::Gap);
        assert_eq!(book_state_text(&snapshot), "lost: a gap");
        snapshot.book_state = BookState::Lost(LostReason::OuterFull);
        assert_eq!(book_state_text(&snapshot), "lost: no room");
        snapshot.unquoted = [Unquoted::BookOverfull; 2];
        assert_eq!(book_state_text(&snapshot), "given up: more levels than market.book_levels_max");
    }
}
