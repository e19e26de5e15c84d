//! COLD: streams that speak by the clock: candles, tickers, mark price, slower depth.

use super::connection::SimulatorEndpoint;
use super::frames::Parts;
use super::market_data::{self, DAY_MS, DayTicker};
use super::stream_names::{ClockedStream, Subscription};
use super::streams::{delivers, wrap};
use super::{BinanceExchange, format, micros};
use crate::sim::api::{Listing, ListingIndex};
use crate::sim::side::ConnectionId;
use crate::sim::tape::{Bar, BarInterval};
use crate::venue::binance::Product;
use serde::Deserialize;
use serde_json::{Value, json};
use spinbook_engine::types::Nanos;
use std::collections::BTreeMap;

const HOUR_MS: i64 = 3_600_000;

/// The depth changed on one listing since a slower stream spoke last.
#[derive(Debug, Default)]
pub struct SlowDepth {
    first: Option<u64>,
    last: u64,
    previous: u64,
    sides: [BTreeMap<i64, (String, String)>; 2],
}

#[derive(Deserialize)]
struct RawDepth<'a> {
    #[serde(rename = "U")]
    first: u64,
    #[serde(rename = "u")]
    last: u64,
    #[serde(rename = "pu")]
    previous: Option<u64>,
    #[serde(rename = "b", borrow)]
    bids: Vec<(&'a str, &'a str)>,
    #[serde(rename = "a", borrow)]
    asks: Vec<(&'a str, &'a str)>,
}

impl SlowDepth {
    fn add(&mut self, raw: &RawDepth<'_>, listing: &Listing) {
        if raw.last <= self.last {
            // A frame that a fault held back was noted when it was due.
            return;
        }
        if self.first.is_none() {
            self.first = Some(raw.first);
            if self.last == 0 {
                self.previous = raw.previous.unwrap_or(0);
            }
        }
        self.last = raw.last;
        for (levels, side) in [&raw.bids, &raw.asks].into_iter().zip(&mut self.sides) {
            for (price, quantity) in levels {
                if let Ok(tick) = listing.price.parse(price.as_bytes()) {
                    side.insert(tick, ((*price).to_owned(), (*quantity).to_owned()));
                }
            }
        }
    }

    /// The message of what changed, if anything did.
    fn take(&mut self, product: Product, symbol: &str, at_ms: i64) -> Option<Value> {
        let first = self.first.take()?;
        let [bids, asks] = std::mem::take(&mut self.sides);
        let bids: Vec<_> = bids.into_values().rev().collect();
        let asks: Vec<_> = asks.into_values().collect();
        let (last, previous) = (self.last, self.previous);
        self.previous = last;
        let message = json!({"e": "depthUpdate", "E": at_ms, "s": symbol, "U": first, "u": last, "b": bids, "a": asks});
        Some(match product {
            Product::BinanceSpot => message,
            Product::BinanceUsdm => format::merged(message, json!({"T": at_ms, "pu": previous, "ps": symbol, "st": 1})),
        })
    }
}

/// Slower depth by listing and span in ms, while somebody listens.
pub type SlowDepths = BTreeMap<(ListingIndex, i64), SlowDepth>;

fn slow_depth_of(subscription: &Subscription) -> Option<i64> {
    (subscription.clocked == Some(ClockedStream::Depth)).then_some(subscription.every_ms)
}

impl BinanceExchange {
    fn stream_subscriptions(&self) -> impl Iterator<Item = &Subscription> {
        self.connections.values().flat_map(|connection| match &connection.endpoint {
            SimulatorEndpoint::Stream(endpoint) => endpoint.subscriptions.as_slice(),
            SimulatorEndpoint::Api(_) => &[],
        })
    }

    /// When the next of these streams speaks.
    pub(super) fn clocked_deadline(&self) -> Nanos {
        self.stream_subscriptions().map(|subscription| subscription.due).min().unwrap_or(Nanos::NEVER)
    }

    /// Keeps a depth message for the slower streams that somebody listens to.
    pub(super) fn note_depth(&mut self, symbol: &str, inner: &[u8]) {
        let hears = |subscription: &&Subscription| subscription.symbol.eq_ignore_ascii_case(symbol);
        let spans: Vec<i64> = self.stream_subscriptions().filter(hears).filter_map(slow_depth_of).collect();
        if spans.is_empty() {
            self.slow_depths.retain(|(index, _), _| !self.world.listings()[*index].symbol.eq_ignore_ascii_case(symbol));
            return;
        }
        let mut listings = self.world.listings().iter().enumerate();
        let Some((index, listing)) = listings.find(|(_, listing)| listing.symbol.eq_ignore_ascii_case(symbol)) else {
            return;
        };
        let Ok(raw) = serde_json::from_slice::<RawDepth<'_>>(inner) else { return };
        self.slow_depths.retain(|(other, span), _| *other != index || spans.contains(span));
        let mut seen = Vec::new();
        for span in spans {
            if !seen.contains(&span) {
                seen.push(span);
                self.slow_depths.entry((index, span)).or_default().add(&raw, listing);
            }
        }
    }

    /// Lets the streams speak whose time has come.
    pub(super) fn speak_by_the_clock(&mut self, now: Nanos) {
        let ids: Vec<ConnectionId> = self.connections.keys().copied().collect();
        let mut depths: BTreeMap<(ListingIndex, i64), Option<Value>> = BTreeMap::new();
        for id in ids {
            let Some(connection) = self.connections.get(&id) else { continue };
            let SimulatorEndpoint::Stream(endpoint) = &connection.endpoint else { continue };
            let (combined, route, in_micros) = (endpoint.combined, endpoint.route, endpoint.micros);
            let due: Vec<usize> =
                (0..endpoint.subscriptions.len()).filter(|place| endpoint.subscriptions[*place].due <= now).collect();
            for place in due {
                let Some(mut subscription) = self.subscription(id, place).cloned() else { continue };
                let messages = self.clocked_messages(&mut subscription, &mut depths, now);
                subscription.schedule(now);
                if delivers(route, &subscription.channel) {
                    for mut message in messages {
                        if in_micros {
                            micros::tell(&mut message);
                        }
                        let inner = message.to_string().into_bytes();
                        let parts = Parts { stream: String::new(), data: 0..inner.len() };
                        self.outbox.text(id, wrap(combined, &subscription.name, &parts, &inner));
                    }
                }
                if let Some(kept) = self.subscription(id, place) {
                    *kept = subscription;
                }
            }
        }
    }

    fn subscription(&mut self, id: ConnectionId, place: usize) -> Option<&mut Subscription> {
        match &mut self.connections.get_mut(&id)?.endpoint {
            SimulatorEndpoint::Stream(endpoint) => endpoint.subscriptions.get_mut(place),
            SimulatorEndpoint::Api(_) => None,
        }
    }

    fn clocked_messages(
        &mut self,
        subscription: &mut Subscription,
        depths: &mut BTreeMap<(ListingIndex, i64), Option<Value>>,
        now: Nanos,
    ) -> Vec<Value> {
        let Some(stream) = subscription.clocked.clone() else { return Vec::new() };
        let named = |listing: &Listing| subscription.symbol.eq_ignore_ascii_case(&listing.symbol);
        if subscription.symbol.is_empty() {
            let indices = 0..self.world.listings().len();
            let all: Vec<Value> = indices.filter_map(|index| self.clocked_message(index, &stream, now)).collect();
            // Best bids and asks of all symbols come one by one, everything else as a list.
            return if stream == ClockedStream::BookTicker { all } else { vec![Value::Array(all)] };
        }
        let Some(index) = self.world.listings().iter().position(named) else { return Vec::new() };
        match stream {
            ClockedStream::Candle { interval, name, of_contract } => {
                self.candle_messages(index, (interval, &name, of_contract), subscription, now)
            }
            ClockedStream::Depth => {
                let (product, at_ms) = (self.product, self.server_time(now).millis());
                let key = (index, subscription.every_ms);
                let symbol = &self.world.listings()[index].symbol;
                let slow = &mut self.slow_depths;
                // All who listen at one speed get the same message.
                let message = depths
                    .entry(key)
                    .or_insert_with(|| slow.get_mut(&key).and_then(|slow| slow.take(product, symbol, at_ms)));
                message.iter().cloned().collect()
            }
            stream => self.clocked_message(index, &stream, now).into_iter().collect(),
        }
    }

    /// The candle as it stands; behind the last word on the one before it, if that has ended.
    fn candle_messages(
        &self,
        index: ListingIndex,
        kind: (BarInterval, &str, bool),
        subscription: &mut Subscription,
        now: Nanos,
    ) -> Vec<Value> {
        let at_ms = self.server_time(now).millis();
        let bars = self.world.tape(index).bars(kind.0, at_ms);
        let Some(current) = bars.last() else { return Vec::new() };
        let mut messages = Vec::new();
        if subscription.candle_ms != 0 && subscription.candle_ms < current.start_ms {
            let ended =
                bars.iter().filter(|bar| bar.start_ms >= subscription.candle_ms && bar.start_ms < current.start_ms);
            messages.extend(ended.map(|bar| self.candle(index, bar, kind, at_ms, true)));
        }
        subscription.candle_ms = current.start_ms;
        messages.push(self.candle(index, current, kind, at_ms, false));
        messages
    }

    fn candle(
        &self,
        index: ListingIndex,
        bar: &Bar,
        (interval, name, of_contract): (BarInterval, &str, bool),
        at_ms: i64,
        ended: bool,
    ) -> Value {
        let listing = &self.world.listings()[index];
        let price = |tick| format::price(listing, tick);
        let id = |id: u64| if bar.trades == 0 { json!(-1) } else { json!(id) };
        let mut candle = json!({
            "t": bar.start_ms, "T": interval.next_ms(bar.start_ms) - 1, "s": listing.symbol, "i": name,
            "f": id(bar.first_id), "L": id(bar.last_id), "o": price(bar.open), "c": price(bar.close),
            "h": price(bar.high), "l": price(bar.low), "v": format::quantity(listing, bar.lots), "n": bar.trades,
            "x": ended, "q": format::amount(bar.value.0, 8), "V": format::quantity(listing, bar.bought_lots),
            "Q": format::amount(bar.bought_value.0, 8), "B": "0",
        });
        if of_contract {
            if let Value::Object(fields) = &mut candle {
                fields.shift_remove("s");
            }
            return json!({
                "e": "continuous_kline", "E": at_ms, "ps": listing.symbol, "ct": "PERPETUAL", "st": 1, "k": candle,
            });
        }
        self.headed("kline", index, at_ms, json!({ "k": candle }))
    }

    /// Type, time and symbol, with what follows them.
    fn headed(&self, kind: &str, index: ListingIndex, at_ms: i64, more: Value) -> Value {
        let symbol = &self.world.listings()[index].symbol;
        let mut head = json!({"e": kind, "E": at_ms, "s": symbol});
        if self.product == Product::BinanceUsdm {
            head = format::merged(head, json!({"ps": symbol, "st": 1}));
        }
        format::merged(head, more)
    }

    fn clocked_message(&self, index: ListingIndex, stream: &ClockedStream, now: Nanos) -> Option<Value> {
        let at_ms = self.server_time(now).millis();
        let listing = &self.world.listings()[index];
        Some(match stream {
            ClockedStream::DayTicker { short: true } => self.short_ticker(index, at_ms),
            ClockedStream::DayTicker { short: false } => self.ticker(index, at_ms, DAY_MS, "24hrTicker"),
            ClockedStream::WindowTicker(24) => self.ticker(index, at_ms, DAY_MS, "1dTicker"),
            ClockedStream::WindowTicker(hours) => {
                self.ticker(index, at_ms, hours * HOUR_MS, &format!("{hours}hTicker"))
            }
            ClockedStream::AveragePrice => {
                let last = self.world.tape(index).last().map_or(at_ms, |trade| trade.at.millis());
                let price = market_data::average_price(&self.world, index, at_ms);
                self.headed("avgPrice", index, at_ms, json!({"i": "5m", "w": price, "T": last}))
            }
            ClockedStream::MarkPrice => {
                let mark = market_data::mark_price(&self.world, index);
                let funding = market_data::next_funding_ms(&self.world, at_ms);
                let rate = market_data::funding_rate(&self.world);
                let more = json!({"p": mark, "ap": mark, "i": mark, "P": mark, "r": rate, "T": funding});
                self.headed("markPriceUpdate", index, at_ms, more)
            }
            ClockedStream::BookTicker => {
                let (bid, ask) = self.world.best(index);
                let (bid, ask) = (bid.unwrap_or_default(), ask.unwrap_or_default());
                let more = json!({
                    "u": self.world.book(index, 0)?.sequence, "b": format::price(listing, bid.tick),
                    "B": format::quantity(listing, bid.lots), "a": format::price(listing, ask.tick),
                    "A": format::quantity(listing, ask.lots), "T": at_ms,
                });
                self.headed("bookTicker", index, at_ms, more)
            }
            ClockedStream::PartialDepth(levels) => self.partial_depth(index, *levels, at_ms)?,
            ClockedStream::Candle { .. } | ClockedStream::Depth => return None,
        })
    }

    fn short_ticker(&self, index: ListingIndex, at_ms: i64) -> Value {
        let sums = self.sums(index, &DayTicker::of(&self.world, index, at_ms, DAY_MS));
        self.headed("24hrMiniTicker", index, at_ms, sums)
    }

    /// Prices and quantities of a ticker.
    fn sums(&self, index: ListingIndex, ticker: &DayTicker) -> Value {
        let (listing, day) = (&self.world.listings()[index], &ticker.day);
        let price = |tick| format::price(listing, tick);
        json!({
            "c": price(day.close), "o": price(day.open), "h": price(day.high), "l": price(day.low),
            "v": format::quantity(listing, day.lots), "q": format::amount(day.value.0, 8),
        })
    }

    fn ticker(&self, index: ListingIndex, at_ms: i64, span_ms: i64, kind: &str) -> Value {
        let listing = &self.world.listings()[index];
        let ticker = DayTicker::of(&self.world, index, at_ms, span_ms);
        let day = &ticker.day;
        let price = |tick| format::price(listing, tick);
        let id = |id: u64| if day.trades == 0 { json!(-1) } else { json!(id) };
        let whole = json!({
            "p": ticker.change(listing), "P": ticker.change_percent(), "w": ticker.weighted(listing),
            "Q": format::quantity(listing, ticker.last_lots), "O": at_ms - span_ms, "C": at_ms,
            "F": id(day.first_id), "L": id(day.last_id), "n": day.trades,
        });
        let mut more = format::merged(self.sums(index, &ticker), whole);
        if kind == "24hrTicker" && self.product == Product::BinanceSpot {
            let touch = json!({
                "x": price(ticker.before), "b": price(ticker.bid.tick),
                "B": format::quantity(listing, ticker.bid.lots), "a": price(ticker.ask.tick),
                "A": format::quantity(listing, ticker.ask.lots),
            });
            more = format::merged(more, touch);
        }
        self.headed(kind, index, at_ms, more)
    }
}
