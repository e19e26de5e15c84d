//! COLD: Binance's card: product lines, hosts, limits and stream names, as data.

pub mod account;
pub mod decode;
mod frame_text;
pub mod instruments;
mod market;
pub mod order;
pub mod order_decode;
pub mod parameters;
mod prepared;
pub mod rate_limits;
#[cfg(feature = "storage")]
mod recorded;
pub mod request_ids;
pub mod sequence;
pub mod simulator;
mod subscribe;

pub use account::BinanceAccount as Account;
pub use order::BinanceOrders as Orders;

pub use market::BinanceMarket as Market;
#[cfg(feature = "storage")]
pub use recorded::RECORDED;

use spinbook_engine::quoter::Requote;
use spinbook_engine::rate::WindowSettings;
use spinbook_engine::types::{Nanos, VenueId};

use crate::venue::SimulatorSide;
use crate::venue::card::{
    CancelTimer, Card, Environment, Fees, Holding, KeyKind, OrderCard, ProductLine, RateWindow, SnapshotOrigin,
    SymbolForm, TestnetUrls,
};
use crate::venue::contract::Contract;
use crate::venue::orders::WindowKind;

/// Spot.
pub const SPOT: ProductLine = ProductLine::of(&SPOT_CARD);

/// USD-M futures.
pub const USDM: ProductLine = ProductLine::of(&USDM_CARD);

/// The venue's other side.
pub(crate) const SIMULATOR: Option<&dyn SimulatorSide> = Some(&simulator::BinanceSimulator);

/// The venue's product lines.
pub const PRODUCT_LINES: [ProductLine; 2] = [SPOT, USDM];

/// The product lines, to match on inside this room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Product {
    /// Spot.
    BinanceSpot,
    /// USD-M futures.
    BinanceUsdm,
}

impl Product {
    /// Which of this venue's product lines it is.
    pub(crate) fn of(line: ProductLine) -> Product {
        if line == SPOT {
            return Product::BinanceSpot;
        }
        assert!(line == USDM, "{line:?} is of another venue: the list leads each product line to its own room");
        Product::BinanceUsdm
    }

    /// As everybody outside knows it.
    pub(crate) const fn line(self) -> ProductLine {
        match self {
            Product::BinanceSpot => SPOT,
            Product::BinanceUsdm => USDM,
        }
    }

    /// Its card.
    pub(crate) const fn card(self) -> &'static Card {
        self.line().card()
    }
}

/// Both product lines write them alike; an underscore stands before a delivery date.
const SYMBOLS: SymbolForm = SymbolForm { upper_case: true, separators: &['_'], example: "BTCUSDT" };

/// Said of the streams and of the WebSocket API of spot, and taken to hold for futures too.
const CONNECTS: WindowSettings = WindowSettings { count_max: 300, span: Nanos::from_seconds(300) };

/// The venue's own hosts, demo mode being a place for tests.
const HOSTS: &[(&str, Environment)] = &[
    ("binance.com", Environment::Production),
    ("binance.us", Environment::Production),
    ("binance.vision", Environment::Production),
    ("testnet.binance.vision", Environment::Testnet),
    ("binancefuture.com", Environment::Testnet),
    ("demo-api.binance.com", Environment::Testnet),
    ("demo-stream.binance.com", Environment::Testnet),
    ("demo-ws-api.binance.com", Environment::Testnet),
    ("demo-fapi.binance.com", Environment::Testnet),
    ("demo-fstream.binance.com", Environment::Testnet),
];

/// The spot host answers for every product line's keys; the places for tests do not say.
const KEY_RIGHTS_URL: Option<&str> = Some("https://api.binance.com");

const fn window(kind: WindowKind, seconds: i64, limit: u32) -> RateWindow {
    RateWindow { kind, span: Nanos::from_seconds(seconds), limit }
}

// Figures: the venue's documentation, 2026.
const SPOT_CARD: Card = Card {
    venue_id: VenueId(1),
    name: "binance-spot",
    title: "Binance",
    rest_url: "https://api.binance.com",
    stream_url: "wss://stream.binance.com:9443",
    testnet: Some(TestnetUrls {
        rest_url: "https://testnet.binance.vision",
        stream_url: "wss://stream.testnet.binance.vision",
        orders_url: "wss://ws-api.testnet.binance.vision/ws-api/v3",
    }),
    hosts: HOSTS,
    depth_path: "/api/v3/depth",
    instruments_path: "/api/v3/exchangeInfo",
    time_path: "/api/v3/time",
    messages_per_second: 5,
    streams_per_connection: 1024,
    weight_per_minute: 6000,
    snapshots: SnapshotOrigin::Rest,
    snapshot_levels: 5000,
    snapshot_levels_allowed: &[],
    snapshot_weight: 250,
    connects: CONNECTS,
    connection_life: Nanos::from_seconds(24 * 3600),
    ping_interval: Nanos::from_seconds(20),
    heartbeat: None,
    depth_channel: "depth@100ms",
    depth_channels: &["depth", "depth@100ms"],
    touch_channel: "bookTicker",
    trade_channel: "trade",
    symbols: SYMBOLS,
    holding: Holding::Inventory,
    contract: Contract::SPOT,
    balance_decimals: 8,
    fees: Fees { maker_millionths: 1_000, taker_millionths: 1_000 },
    orders: Some(OrderCard {
        url: "wss://ws-api.binance.com:443/ws-api/v3",
        path: "/ws-api/v3",
        key: KeyKind::Ed25519,
        account_field: "uid",
        rates: &[
            window(WindowKind::Weight, 60, 6000),
            window(WindowKind::Orders, 10, 50),
            window(WindowKind::Orders, 86_400, 160_000),
        ],
        cancel_timer: None,
        requote: Requote::Replace,
        key_rights_url: KEY_RIGHTS_URL,
    }),
};

const USDM_CARD: Card = Card {
    venue_id: VenueId(2),
    name: "binance-usdm",
    title: "Binance",
    rest_url: "https://fapi.binance.com",
    stream_url: "wss://fstream.binance.com",
    testnet: Some(TestnetUrls {
        rest_url: "https://testnet.binancefuture.com",
        stream_url: "wss://fstream.binancefuture.com",
        orders_url: "wss://testnet.binancefuture.com/ws-fapi/v1",
    }),
    hosts: HOSTS,
    depth_path: "/fapi/v1/depth",
    instruments_path: "/fapi/v1/exchangeInfo",
    time_path: "/fapi/v1/time",
    messages_per_second: 10,
    streams_per_connection: 200,
    weight_per_minute: 2400,
    snapshots: SnapshotOrigin::Rest,
    snapshot_levels: 1000,
    snapshot_levels_allowed: &[5, 10, 20, 50, 100, 500, 1000],
    snapshot_weight: 20,
    connects: CONNECTS,
    connection_life: Nanos::from_seconds(24 * 3600),
    ping_interval: Nanos::from_seconds(180),
    heartbeat: None,
    depth_channel: "depth@100ms",
    // The last one is undocumented; recordings show it.
    depth_channels: &["depth", "depth@100ms", "depth@500ms", "depth@0ms"],
    touch_channel: "bookTicker",
    trade_channel: "aggTrade",
    symbols: SYMBOLS,
    holding: Holding::Position,
    contract: Contract::LINEAR,
    balance_decimals: 0,
    fees: Fees { maker_millionths: 200, taker_millionths: 500 },
    orders: Some(OrderCard {
        url: "wss://ws-fapi.binance.com/ws-fapi/v1",
        path: "/ws-fapi/v1",
        key: KeyKind::Hmac,
        account_field: "accountAlias",
        rates: &[
            window(WindowKind::Weight, 60, 2400),
            window(WindowKind::Orders, 10, 300),
            window(WindowKind::Orders, 60, 1_200),
        ],
        cancel_timer: Some(CancelTimer { weight: 10 }),
        requote: Requote::Amend,
        key_rights_url: KEY_RIGHTS_URL,
    }),
};
