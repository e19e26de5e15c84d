//! COLD: market messages and snapshots as Binance prints them.

use crate::number::{Scale, TEXT_MAX};
use spinbook_engine::types::{Level, Lots, Nanos, Side, Tick};

use super::Product;

/// Prints one symbol's market.
pub(super) struct FramePrinter {
    product: Product,
    symbol: String,
    stream: String,
    price: Scale,
    quantity: Scale,
}

impl FramePrinter {
    pub(super) fn new(product: Product, symbol: &str, price: Scale, quantity: Scale) -> FramePrinter {
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
    pub(super) fn level_texts(&self, level: Level) -> (String, String) {
        (self.price_text(level.tick), self.quantity_text(level.lots))
    }

    /// Levels as they stand between the brackets of a list.
    pub(super) fn levels_text(&self, levels: &[Level]) -> String {
        let text =
            |level: &Level| format!("[\"{}\",\"{}\"]", self.price_text(level.tick), self.quantity_text(level.lots));
        levels.iter().map(text).collect::<Vec<_>>().join(",")
    }

    /// A depth message with its first, last and previous id.
    pub(super) fn depth_frame(&self, ids: [u64; 3], bids: &[Level], asks: &[Level], at: Nanos) -> Vec<u8> {
        let ([first, last, previous], bids, asks) = (ids, self.levels_text(bids), self.levels_text(asks));
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
    pub(super) fn touch(&self, id: u64, bid: Level, ask: Level, at: Nanos) -> Vec<u8> {
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
    pub(super) fn trade(&self, id: u64, aggressor: Side, level: Level, at: Nanos) -> Vec<u8> {
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
    pub(super) fn snapshot_body(&self, last: u64, bids: &[Level], asks: &[Level], at: Nanos) -> Vec<u8> {
        let times = match self.product {
            Product::BinanceSpot => String::new(),
            Product::BinanceUsdm => format!("\"E\":{0},\"T\":{0},", at.millis()),
        };
        let (bids, asks) = (self.levels_text(bids), self.levels_text(asks));
        format!("{{\"lastUpdateId\":{last},{times}\"bids\":[{bids}],\"asks\":[{asks}]}}").into_bytes()
    }
}
