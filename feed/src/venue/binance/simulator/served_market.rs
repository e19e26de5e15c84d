//! COLD: the market as clients get it: its times are ours, and our orders and trades are part of it.

use super::BinanceExchange;
use super::edit::{Edits, Fields};
use super::frames::{self, PlayedDepth, PlayedMessage, PlayedTouch, PlayedTrade};
use super::market_feed::{Applied, MarketFeed, Passing};
use crate::sim::api::{ListingIndex, TradePrint};
use crate::sim::queue::is_better;
use crate::sync::UpdateIds;
use crate::venue::simulator_side::PlaySpeed;
use spinbook_engine::types::{Level, Lots, Nanos, Side};
use std::collections::BTreeSet;

/// A value above this is a time in microseconds.
const MILLIS_MAX: i64 = 100_000_000_000_000;

impl MarketFeed {
    /// The market's time as ours: moved by a constant and at its speed, never in the future.
    fn moved_time(&mut self, original: i64, now: Nanos) -> i64 {
        let (millis, micros) =
            if original > MILLIS_MAX { (original / 1000, Some(original % 1000)) } else { (original, None) };
        let (theirs, ours) = *self.first_event.get_or_insert((millis, now.millis()));
        let moved = match self.speed {
            PlaySpeed::Max => now.millis(),
            PlaySpeed::Thousandths(speed) => {
                let span = i128::from(millis - theirs) * 1000 / i128::from(speed.max(1));
                ours.saturating_add(i64::try_from(span).unwrap_or(0)).min(now.millis())
            }
        };
        micros.map_or(moved, |micros| moved * 1000 + micros)
    }
}

impl BinanceExchange {
    /// Sends one message of the market, as it is then; a trade that was all ours has been printed as such.
    pub(super) fn serve(&mut self, passing: &Passing<'_>, now: Nanos) {
        let (symbol, channel, bytes) = (passing.symbol, passing.channel, passing.bytes);
        let fields = Fields::of(bytes, &passing.parts.data);
        let mut edits = Edits::default();
        let server_time = self.server_time(now);
        let mut times = [0; 2];
        for (time, key) in times.iter_mut().zip(["E", "T"]) {
            let place = fields.find(bytes, key);
            if let Some(original) = fields.number(bytes, key).and_then(|value| i64::try_from(value).ok()) {
                *time = self.feed.moved_time(original, server_time);
                edits.put(place, time.to_string());
            }
        }
        match (passing.message, passing.listing) {
            (PlayedMessage::Depth(depth), Some(index)) => self.edit_depth(passing, index, depth, &fields, &mut edits),
            (PlayedMessage::Touch(touch), Some(index)) => self.edit_touch(bytes, index, touch, &fields, &mut edits),
            (PlayedMessage::Trade(trade), Some(index)) => {
                let Some(served) = self.edit_trade(passing, index, trade, &fields, &mut edits, now) else { return };
                if channel == "trade" && !self.feed.sees_aggregated && trade.ordinary {
                    let served = PlayedTrade { event_time: times[0], trade_time: times[1], ..served };
                    self.publish_aggregated(symbol, &served);
                }
            }
            _ => {}
        }
        if self.has_listener(symbol, channel) {
            let (parts, edited) = edits.apply(bytes, passing.parts);
            self.relay_with_faults(symbol, channel, parts, &edited, now);
        }
        if let (PlayedMessage::Depth(_), Some(index)) = (passing.message, passing.listing) {
            self.publish_partial(symbol, index, now);
        }
    }

    fn edit_depth(
        &mut self,
        passing: &Passing<'_>,
        index: ListingIndex,
        depth: &PlayedDepth,
        fields: &Fields,
        edits: &mut Edits,
    ) {
        let bytes = passing.bytes;
        let previous = fields.number(bytes, "pu").unwrap_or(0);
        let original = UpdateIds { first: depth.first, last: depth.last, previous };
        let mut served = self.world.served(index).market_depth(original);
        let changed = if passing.applied.taken { self.world.take_differences(index) } else { Default::default() };
        if changed.iter().any(|levels| !levels.is_empty()) {
            // What the market's own best bid/ask of this number told was before our orders met this depth.
            served.last = self.world.served(index).own_depth().last;
        }
        for (key, id) in [("U", served.first), ("u", served.last), ("pu", served.previous)] {
            edits.put(fields.find(bytes, key), id.to_string());
        }
        if !passing.applied.taken {
            return;
        }
        for ((side, key), changed) in Side::BOTH.into_iter().zip(["b", "a"]).zip(changed) {
            let recorded = if side == Side::Bid { &depth.bids } else { &depth.asks };
            let mut levels: Vec<Level> =
                recorded.iter().map(|level| self.world.shown_at(index, side, *level)).collect();
            if changed.is_empty() && levels == *recorded {
                continue;
            }
            let known: BTreeSet<i64> = recorded.iter().map(|level| level.tick.0).collect();
            levels.extend(changed.into_iter().filter(|level| !known.contains(&level.tick.0)));
            let text = self.printers[index].levels_text(&levels);
            edits.put(fields.find(bytes, key), format!("[{text}]"));
        }
    }

    fn edit_touch(
        &mut self,
        bytes: &[u8],
        index: ListingIndex,
        touch: &PlayedTouch,
        fields: &Fields,
        edits: &mut Edits,
    ) {
        let touched = self.world.is_touched(index);
        let mut best = [touch.bid, touch.ask];
        // Neither what tells of an earlier moment than the depth nor what lies behind a level that we took whole, where
        // only an older depth knows more, is what a depth update of the same number will tell.
        let mut is_ours = touched && self.world.depth_sequence(index) > touch.sequence;
        if touched {
            let (bid, ask) = self.world.best(index);
            for (side, (shown, told)) in Side::BOTH.into_iter().zip([bid, ask].into_iter().zip(best)) {
                let worse = |(shown, told): (Level, Level)| is_better(side, told.tick, shown.tick);
                is_ours |= shown.zip(told).is_none_or(worse);
            }
            for (level, [price, quantity]) in [bid, ask].into_iter().zip([["b", "B"], ["a", "A"]]) {
                let (price_text, quantity_text) = self.printers[index].level_texts(level.unwrap_or_default());
                edits.put(fields.find(bytes, price), price_text);
                edits.put(fields.find(bytes, quantity), quantity_text);
            }
            best = [bid, ask];
        }
        let served = self.world.served(index);
        served.touch_changes(best);
        let id = if is_ours { served.own_touch() } else { served.market_touch(touch.sequence) };
        edits.put(fields.find(bytes, "u"), id.to_string());
    }

    /// The trade as it is served, without what of it was ours; `None` if all of it was.
    fn edit_trade(
        &mut self,
        passing: &Passing<'_>,
        index: ListingIndex,
        trade: &PlayedTrade,
        fields: &Fields,
        edits: &mut Edits,
        now: Nanos,
    ) -> Option<PlayedTrade> {
        // Ours stood before whatever else traded.
        self.print_own(now);
        let Applied { drives, ours, trade_id, .. } = passing.applied;
        let left = Lots(trade.lots.0 - ours.0);
        let id = match (drives, passing.channel) {
            (true, _) => trade_id?,
            (false, "aggTrade") => self.feed.aggregate_ids[index].market(trade.id),
            (false, _) => self.world.trade_ids(index).market(trade.id),
        };
        let key = if passing.channel == "aggTrade" { "a" } else { "t" };
        edits.put(fields.find(passing.bytes, key), id.to_string());
        let mut quantity = trade.quantity.clone();
        if !ours.is_zero() {
            quantity = self.printers[index].level_texts(Level { tick: trade.tick, lots: left }).1;
            edits.put(fields.find(passing.bytes, "q"), quantity.clone());
        }
        Some(PlayedTrade { id, lots: left, quantity, ..trade.clone() })
    }

    /// Tells of everything of ours that changed since the last message: trades, best bid and ask, depth.
    pub(super) fn publish_own(&mut self, now: Nanos) {
        if !self.world.shows_own() {
            while self.world.poll_print().is_some() {}
            return;
        }
        self.print_own(now);
        for index in 0..self.printers.len() {
            let [bids, asks] = self.world.take_differences(index);
            let changes = !bids.is_empty() || !asks.is_empty();
            // A newer best bid/ask may hold what the depth does not know yet, and ours can be taken from there.
            if changes || self.world.is_touched(index) {
                self.publish_best(index, now);
            }
            if !changes {
                continue;
            }
            let ids = self.world.served(index).own_depth();
            let at = self.server_time(now);
            let bytes = self.printers[index].depth_frame([ids.first, ids.last, ids.previous], &bids, &asks, at);
            self.send_own(index, "depth", &bytes, now);
            let symbol = self.world.listings()[index].symbol.clone();
            self.publish_partial(&symbol, index, now);
        }
    }

    /// Tells of the best bid and ask with our orders, if others than these were told last.
    fn publish_best(&mut self, index: ListingIndex, now: Nanos) {
        let (bid, ask) = self.world.best(index);
        let served = self.world.served(index);
        if !served.touch_changes([bid, ask]) {
            return;
        }
        let id = served.own_touch();
        let at = self.server_time(now);
        let bytes = self.printers[index].touch(id, bid.unwrap_or_default(), ask.unwrap_or_default(), at);
        self.send_own(index, "bookTicker", &bytes, now);
    }

    /// Prints the trades of our orders.
    fn print_own(&mut self, now: Nanos) {
        while let Some(print) = self.world.poll_print() {
            let TradePrint { listing, trade_id, aggressor, level } = print;
            let at = self.server_time(now);
            let bytes = self.printers[listing].trade(trade_id, aggressor, level, at);
            self.send_own(listing, "trade", &bytes, now);
            let apart = self.feed.sees_aggregated && self.feed.sees_trades;
            let id = if apart { self.feed.aggregate_ids[listing].own() } else { trade_id };
            let (price, quantity) = self.printers[listing].level_texts(level);
            let (tick, lots, millis) = (level.tick, level.lots, at.millis());
            let trade = PlayedTrade {
                id,
                event_time: millis,
                trade_time: millis,
                tick,
                price,
                lots,
                quantity,
                aggressor,
                ordinary: true,
            };
            let symbol = self.world.listings()[listing].symbol.clone();
            self.publish_aggregated(&symbol, &trade);
        }
    }

    fn send_own(&mut self, index: ListingIndex, channel: &str, bytes: &[u8], now: Nanos) {
        let symbol = self.world.listings()[index].symbol.to_lowercase();
        if let Some(parts) = frames::split(bytes).filter(|_| self.has_listener(&symbol, channel)) {
            self.relay_with_faults(&symbol, channel, parts, bytes, now);
        }
    }
}
