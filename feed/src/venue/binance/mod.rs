//! COLD: Binance's card: product lines, hosts, limits and stream names, as data.

pub mod account;
pub mod decode;
pub mod instruments;
pub mod order;
pub mod order_decode;
pub mod parameters;
mod prepared;
pub mod sequence;
pub mod simulator;

use spinbook_engine::types::{Nanos, VenueId};

/// A product line: its own hosts, symbols, limits and sequence rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Product {
    /// Binance spot.
    BinanceSpot,
    /// Binance USD-M futures.
    BinanceUsdm,
}

/// What a product line allows and how it is reached (figures: the venue's documentation, 2026).
#[derive(Clone, Copy, Debug)]
pub struct ProductCard {
    /// Name in configuration and reports.
    pub name: &'static str,
    /// REST base URL.
    pub rest_url: &'static str,
    /// Market stream base URL; [`StreamRoute::path`] follows it.
    pub stream_url: &'static str,
    /// WebSocket API URL, for orders.
    pub order_url: &'static str,
    /// Messages (subscriptions, pings and pongs together) a connection may send per second.
    pub messages_per_second: u32,
    /// Streams a connection may carry.
    pub streams_per_connection: usize,
    /// Request weight per minute and address.
    pub weight_per_minute: u32,
    /// Levels a side to ask of a depth snapshot.
    pub snapshot_levels: u16,
    /// Request weight of such a snapshot.
    pub snapshot_weight: u32,
    /// Path of the depth snapshot.
    pub depth_path: &'static str,
    /// Path of the instrument list.
    pub instruments_path: &'static str,
    /// Path that tells the venue's time.
    pub time_path: &'static str,
    /// The venue closes a connection after this.
    pub connection_life: Nanos,
    /// The venue pings this often; silence of several times this is a dead connection.
    pub ping_interval: Nanos,
    /// Default stream suffix of depth updates.
    pub depth_channel: &'static str,
    /// Default stream suffix of the best bid and ask.
    pub touch_channel: &'static str,
    /// Default stream suffix of trades.
    pub trade_channel: &'static str,
}

/// Which part of the venue's stream host a stream is served from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StreamRoute {
    /// Spot: the one route.
    Only,
    /// USD-M depth and best bid/ask.
    Public,
    /// USD-M trades and everything else of the market.
    Market,
}

impl StreamRoute {
    /// Path for a combined connection without streams; they are subscribed by message.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            StreamRoute::Only => "/stream",
            StreamRoute::Public => "/public/stream",
            StreamRoute::Market => "/market/stream",
        }
    }
}

const SPOT: ProductCard = ProductCard {
    name: "binance-spot",
    rest_url: "https://api.binance.com",
    stream_url: "wss://stream.binance.com:9443",
    order_url: "wss://ws-api.binance.com:443/ws-api/v3",
    messages_per_second: 5,
    streams_per_connection: 1024,
    weight_per_minute: 6000,
    snapshot_levels: 5000,
    snapshot_weight: 250,
    depth_path: "/api/v3/depth",
    instruments_path: "/api/v3/exchangeInfo",
    time_path: "/api/v3/time",
    connection_life: Nanos::from_seconds(24 * 3600),
    ping_interval: Nanos::from_seconds(20),
    depth_channel: "depth@100ms",
    touch_channel: "bookTicker",
    trade_channel: "trade",
};

const USDM: ProductCard = ProductCard {
    name: "binance-usdm",
    rest_url: "https://fapi.binance.com",
    stream_url: "wss://fstream.binance.com",
    order_url: "wss://ws-fapi.binance.com/ws-fapi/v1",
    messages_per_second: 10,
    streams_per_connection: 200,
    weight_per_minute: 2400,
    snapshot_levels: 1000,
    snapshot_weight: 20,
    depth_path: "/fapi/v1/depth",
    instruments_path: "/fapi/v1/exchangeInfo",
    time_path: "/fapi/v1/time",
    connection_life: Nanos::from_seconds(24 * 3600),
    ping_interval: Nanos::from_seconds(180),
    depth_channel: "depth@100ms",
    touch_channel: "bookTicker",
    trade_channel: "aggTrade",
};

impl Product {
    /// Every product line.
    pub const ALL: [Product; 2] = [Product::BinanceSpot, Product::BinanceUsdm];

    /// Its number in events.
    #[must_use]
    pub const fn venue_id(self) -> VenueId {
        match self {
            Product::BinanceSpot => VenueId(1),
            Product::BinanceUsdm => VenueId(2),
        }
    }

    /// The product line of a number.
    #[must_use]
    pub fn from_venue_id(venue: VenueId) -> Option<Product> {
        Product::ALL.into_iter().find(|product| product.venue_id() == venue)
    }

    /// Name in configuration and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.card().name
    }

    /// The product line of a name (`binance-usdm`).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Product> {
        Product::ALL.into_iter().find(|product| product.name() == name)
    }

    /// Its card.
    #[must_use]
    pub const fn card(self) -> &'static ProductCard {
        match self {
            Product::BinanceSpot => &SPOT,
            Product::BinanceUsdm => &USDM,
        }
    }

    /// From which route a stream suffix is served.
    #[must_use]
    pub fn route(self, channel: &str) -> StreamRoute {
        match self {
            Product::BinanceSpot => StreamRoute::Only,
            Product::BinanceUsdm if channel.starts_with("depth") || channel == "bookTicker" => StreamRoute::Public,
            Product::BinanceUsdm => StreamRoute::Market,
        }
    }
}
