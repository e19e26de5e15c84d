//! COLD: the names of streams: which there are on each product, and how often each speaks.

use super::market_data;
use crate::sim::tape::BarInterval;
use crate::venue::binance::Product;
use spinbook_engine::types::Nanos;

/// A stream that speaks by the clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClockedStream {
    /// The candle of an interval, by the venue's name.
    Candle {
        /// How long it is.
        interval: BarInterval,
        /// The interval's name.
        name: String,
        /// Whether it is told as that of a pair and its contract.
        of_contract: bool,
    },
    /// The day's ticker; short without averages and touch.
    DayTicker {
        /// Whether it is the short form.
        short: bool,
    },
    /// The ticker of a window of this many hours.
    WindowTicker(i64),
    /// Average price.
    AveragePrice,
    /// Mark price and funding.
    MarkPrice,
    /// Best bid and ask.
    BookTicker,
    /// The depth changed since it spoke last.
    Depth,
    /// The best levels a side.
    PartialDepth(usize),
}

/// One stream a client subscribed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Its name, as the client wrote it.
    pub name: String,
    /// Symbol in lower case; empty for all symbols, a listen key for user data.
    pub symbol: String,
    /// The channel without speed: `depth`, `bookTicker`, `trade`; empty for user data and names that mean nothing.
    pub channel: String,
    /// What it says by the clock; `None` if it speaks whenever something happens.
    pub clocked: Option<ClockedStream>,
    /// How often, in ms; 0 whenever something happens.
    pub every_ms: i64,
    /// When it speaks next.
    pub due: Nanos,
    /// Start of the candle that it told last, ms since the epoch; 0 before the first.
    pub candle_ms: i64,
}

/// Channel, what is told by the clock, and how often in ms.
type Meaning = (String, Option<ClockedStream>, i64);

impl Subscription {
    /// From a stream name; a name that means nothing is silent, as on the venue.
    #[must_use]
    pub(crate) fn parse(product: Product, name: &str, now: Nanos) -> Subscription {
        let (mut symbol, rest) = name.split_once('@').unwrap_or((name, ""));
        let all = name.starts_with('!');
        let meaning = match all {
            true => meaning_for_all(product, name),
            false if symbol.bytes().any(|byte| byte.is_ascii_uppercase()) => None,
            false => match (product, symbol.strip_suffix("_perpetual"), rest.strip_prefix("continuousKline_")) {
                (Product::BinanceUsdm, Some(pair), Some(interval)) => {
                    symbol = pair;
                    contract_candle(interval)
                }
                _ => meaning(product, rest),
            },
        };
        let (channel, clocked, every_ms) = meaning.unwrap_or_default();
        let mut subscription = Subscription {
            name: name.to_owned(),
            symbol: if all { String::new() } else { symbol.to_owned() },
            channel,
            clocked,
            every_ms,
            due: Nanos::NEVER,
            candle_ms: 0,
        };
        subscription.schedule(now);
        subscription
    }

    /// Sets when it speaks next: at whole multiples of its span, as everybody's does.
    pub fn schedule(&mut self, now: Nanos) {
        if self.every_ms > 0 {
            self.due = Nanos::from_millis((now.millis().div_euclid(self.every_ms) + 1) * self.every_ms);
        }
    }

    /// Whether it is told what happens on a channel of a symbol, as it happens.
    #[must_use]
    pub fn hears(&self, symbol: &str, channel: &str) -> bool {
        self.clocked.is_none() && self.channel == channel && self.symbol.eq_ignore_ascii_case(symbol)
    }
}

/// What follows a symbol.
fn meaning(product: Product, text: &str) -> Option<Meaning> {
    let spot = product == Product::BinanceSpot;
    let (channel, speed) = text.split_once('@').map_or((text, None), |(channel, speed)| (channel, Some(speed)));
    let clocked = |stream, every_ms| Some((channel.to_owned(), Some(stream), every_ms));
    if let Some(levels) = channel.strip_prefix("depth") {
        return depth(product, channel, levels, speed);
    }
    if let Some(name) = channel.strip_prefix("kline_") {
        let utc = speed.is_none() || (spot && speed == Some("+00:00"));
        let interval = market_data::interval(product, name).filter(|_| utc)?;
        let every_ms = match (spot, name) {
            (true, "1s") => 1_000,
            (true, _) => 2_000,
            (false, _) => 250,
        };
        return clocked(ClockedStream::Candle { interval, name: name.to_owned(), of_contract: false }, every_ms);
    }
    match (channel, speed) {
        ("markPrice", None) if !spot => clocked(ClockedStream::MarkPrice, 3_000),
        ("markPrice", Some("1s")) if !spot => clocked(ClockedStream::MarkPrice, 1_000),
        (_, Some(_)) => None,
        ("trade" | "aggTrade" | "bookTicker", None) => Some((channel.to_owned(), None, 0)),
        ("ticker", None) => clocked(ClockedStream::DayTicker { short: false }, if spot { 1_000 } else { 2_000 }),
        ("miniTicker", None) => clocked(ClockedStream::DayTicker { short: true }, if spot { 1_000 } else { 2_000 }),
        ("ticker_1h", None) if spot => clocked(ClockedStream::WindowTicker(1), 1_000),
        ("ticker_4h", None) if spot => clocked(ClockedStream::WindowTicker(4), 1_000),
        ("ticker_1d", None) if spot => clocked(ClockedStream::WindowTicker(24), 1_000),
        ("avgPrice", None) if spot => clocked(ClockedStream::AveragePrice, 1_000),
        _ => None,
    }
}

/// The candle of a pair's perpetual contract.
fn contract_candle(name: &str) -> Option<Meaning> {
    let interval = market_data::interval(Product::BinanceUsdm, name)?;
    let stream = ClockedStream::Candle { interval, name: name.to_owned(), of_contract: true };
    Some((format!("continuousKline_{name}"), Some(stream), 250))
}

/// Depth: whole or the best levels, at one of the product's speeds. The fastest is told as the market has it.
fn depth(product: Product, channel: &str, levels: &str, speed: Option<&str>) -> Option<Meaning> {
    let every_ms = match (product, speed) {
        (Product::BinanceSpot, None | Some("1000ms")) => 1_000,
        (Product::BinanceUsdm, None | Some("250ms")) => 250,
        (Product::BinanceUsdm, Some("500ms")) => 500,
        (_, Some("100ms")) => 0,
        // Not documented, and used by many who record.
        (Product::BinanceUsdm, Some("0ms")) if levels.is_empty() => 0,
        _ => return None,
    };
    let stream = match levels {
        "" => ClockedStream::Depth,
        "5" | "10" | "20" => ClockedStream::PartialDepth(levels.parse().ok()?),
        _ => return None,
    };
    Some((channel.to_owned(), (every_ms > 0).then_some(stream), every_ms))
}

/// Streams of all symbols.
fn meaning_for_all(product: Product, name: &str) -> Option<Meaning> {
    let spot = product == Product::BinanceSpot;
    let clocked = |channel: &str, stream, every_ms| Some((channel.to_owned(), Some(stream), every_ms));
    match name {
        "!miniTicker@arr" => clocked("miniTicker", ClockedStream::DayTicker { short: true }, 1_000),
        "!ticker@arr" if !spot => clocked("ticker", ClockedStream::DayTicker { short: false }, 1_000),
        "!ticker_1h@arr" if spot => clocked("ticker_1h", ClockedStream::WindowTicker(1), 1_000),
        "!ticker_4h@arr" if spot => clocked("ticker_4h", ClockedStream::WindowTicker(4), 1_000),
        "!ticker_1d@arr" if spot => clocked("ticker_1d", ClockedStream::WindowTicker(24), 1_000),
        "!bookTicker" if !spot => clocked("bookTicker", ClockedStream::BookTicker, 5_000),
        "!markPrice@arr" if !spot => clocked("markPrice", ClockedStream::MarkPrice, 3_000),
        "!markPrice@arr@1s" if !spot => clocked("markPrice", ClockedStream::MarkPrice, 1_000),
        _ => None,
    }
}
