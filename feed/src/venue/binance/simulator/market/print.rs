//! COLD: events of a synthetic market as Binance prints them.

use crate::number::{Scale, TEXT_MAX};
use crate::sim::api::BookSnapshot;
use crate::sim::flow::FlowEvent;
use crate::venue::binance::Product;
use spinbook_engine::types::{Level, Lots, Nanos, Side, Tick};

/// Prints one symbol's events.
pub(in crate::venue::binance::simulator) struct FramePrinter {
    product: Product,
    symbol: String,
    stream: String,
    price: Scale,
    quantity: Scale,
}

impl FramePrinter {
    pub(in crate::venue::binance::simulator) fn new(
        product: Product,
        symbol: &str,
        price: Scale,
        quantity: Scale,
    ) -> FramePrinter {
        FramePrinter { product, symbol: symbol.to_owned(), stream: symbol.to_lowercase(), price, quantity }
    }

    fn price_text(&self, tick: Tick) -> String {
        let mut buffer = [0u8; TEXT_MAX];
        self.price.format(tick.0, &mut buffer).to_owned()
    }

    fn quantity_text(&self, lots: Lots) -> String {
        let mut buffer = [0u8; TEXT_MAX];
        self.quantity.format(lots.0, &mut buffer).to_owned()
    }

    /// Price and quantity of a level.
    pub(in crate::venue::binance::simulator) fn level_texts(&self, level: Level) -> (String, String) {
        (self.price_text(level.tick), self.quantity_text(level.lots))
    }

    /// Levels as they stand between the brackets of a list.
    pub(in crate::venue::binance::simulator) fn levels_text(&self, levels: &[Level]) -> String {
        let text =
            |level: &Level| format!("[\"{}\",\"{}\"]", self.price_text(level.tick), self.quantity_text(level.lots));
        levels.iter().map(text).collect::<Vec<_>>().join(",")
    }

    /// The stream message of an event.
    pub(in crate::venue::binance::simulator) fn frame(&self, event: &FlowEvent, at: Nanos) -> Vec<u8> {
        match event {
            FlowEvent::Depth { first, last, previous, bids, asks } => {
                self.depth([*first, *last, *previous], &self.levels_text(bids), &self.levels_text(asks), at)
            }
            FlowEvent::Touch { id, bid, ask } => self.touch(*id, *bid, *ask, at),
            FlowEvent::Trade { id, aggressor, level } => self.trade(*id, *aggressor, *level, at),
        }
    }

    /// A depth message with its first, last and previous id.
    pub(in crate::venue::binance::simulator) fn depth_frame(
        &self,
        ids: [u64; 3],
        bids: &[Level],
        asks: &[Level],
        at: Nanos,
    ) -> Vec<u8> {
        self.depth(ids, &self.levels_text(bids), &self.levels_text(asks), at)
    }

    fn depth(&self, [first, last, previous]: [u64; 3], bids: &str, asks: &str, at: Nanos) -> Vec<u8> {
        let (stream, symbol, ms) = (&self.stream, &self.symbol, at.millis());
        let text = match self.product {
            Product::BinanceSpot => format!(
                "{{\"stream\":\"{stream}@depth@100ms\",\"data\":{{\"e\":\"depthUpdate\",\"E\":{ms},\"s\":\"{symbol}\",\
                 \"U\":{first},\"u\":{last},\"b\":[{bids}],\"a\":[{asks}]}}}}"
            ),
            Product::BinanceUsdm => format!(
                "{{\"stream\":\"{stream}@depth@100ms\",\"data\":{{\"e\":\"depthUpdate\",\"E\":{ms},\"T\":{ms},\
                 \"s\":\"{symbol}\",\"U\":{first},\"u\":{last},\"pu\":{previous},\"b\":[{bids}],\"a\":[{asks}]}}}}"
            ),
        };
        text.into_bytes()
    }

    /// A best bid/ask message.
    pub(in crate::venue::binance::simulator) fn touch(&self, id: u64, bid: Level, ask: Level, at: Nanos) -> Vec<u8> {
        let best = format!(
            "\"s\":\"{}\",\"b\":\"{}\",\"B\":\"{}\",\"a\":\"{}\",\"A\":\"{}\"",
            self.symbol,
            self.price_text(bid.tick),
            self.quantity_text(bid.lots),
            self.price_text(ask.tick),
            self.quantity_text(ask.lots),
        );
        let (stream, ms) = (&self.stream, at.millis());
        let text = match self.product {
            Product::BinanceSpot => {
                format!("{{\"stream\":\"{stream}@bookTicker\",\"data\":{{\"u\":{id},{best}}}}}")
            }
            Product::BinanceUsdm => format!(
                "{{\"stream\":\"{stream}@bookTicker\",\"data\":{{\"e\":\"bookTicker\",\"u\":{id},{best},\"T\":{ms},\"E\":{ms}}}}}"
            ),
        };
        text.into_bytes()
    }

    /// A trade message.
    pub(in crate::venue::binance::simulator) fn trade(
        &self,
        id: u64,
        aggressor: Side,
        level: Level,
        at: Nanos,
    ) -> Vec<u8> {
        let (price, quantity) = (self.price_text(level.tick), self.quantity_text(level.lots));
        let (stream, symbol, ms) = (&self.stream, &self.symbol, at.millis());
        let buyer_is_maker = aggressor == Side::Ask;
        let text = match self.product {
            Product::BinanceSpot => format!(
                "{{\"stream\":\"{stream}@trade\",\"data\":{{\"e\":\"trade\",\"E\":{ms},\"s\":\"{symbol}\",\"t\":{id},\
                 \"p\":\"{price}\",\"q\":\"{quantity}\",\"T\":{ms},\"m\":{buyer_is_maker},\"M\":true}}}}"
            ),
            Product::BinanceUsdm => format!(
                "{{\"stream\":\"{stream}@trade\",\"data\":{{\"e\":\"trade\",\"E\":{ms},\"T\":{ms},\"s\":\"{symbol}\",\
                 \"t\":{id},\"p\":\"{price}\",\"q\":\"{quantity}\",\"X\":\"MARKET\",\"m\":{buyer_is_maker}}}}}"
            ),
        };
        text.into_bytes()
    }

    /// A whole book as a REST snapshot.
    pub(in crate::venue::binance::simulator) fn snapshot(&self, book: &BookSnapshot, at: Nanos) -> Vec<u8> {
        let times = match self.product {
            Product::BinanceSpot => String::new(),
            Product::BinanceUsdm => format!("\"E\":{0},\"T\":{0},", at.millis()),
        };
        let (bids, asks) = (self.levels_text(&book.bids), self.levels_text(&book.asks));
        let text = format!("{{\"lastUpdateId\":{},{times}\"bids\":[{bids}],\"asks\":[{asks}]}}", book.sequence);
        text.into_bytes()
    }
}
