//! COLD: what a venue's product lines are, as data: a card of facts for each, and the id that leads to it.
//!
//! Shared rooms, the program and the benchmarks read facts here instead of asking which venue it is.

use std::fmt;
use std::hash::{Hash, Hasher};

use spinbook_engine::quoter::Requote;
use spinbook_engine::rate::WindowSettings;
use spinbook_engine::types::{Nanos, VenueId};

use crate::venue::contract::Contract;
use crate::venue::orders::WindowKind;

/// One of the venue's limits on requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateWindow {
    /// What is counted.
    pub kind: WindowKind,
    /// Length.
    pub span: Nanos,
    /// Allowed per window.
    pub limit: u32,
}

/// Where a book's snapshots come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotOrigin {
    /// Asked for by REST while updates are buffered.
    Rest,
    /// In the stream of updates: the venue sends one by itself after a subscription, and whenever it wants.
    InStream,
    /// Asked for over the connection that carries the updates, and answered on it.
    OnRequest,
}

/// How we keep a market connection alive by messages of our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// One is sent when nothing came for this long.
    pub after: Nanos,
    /// Nothing came for this long behind it: the connection is given up.
    pub answer_within: Nanos,
}

/// What an account holds of an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    /// The base asset itself: what the account owned before the run is inventory too.
    Inventory,
    /// A position, which may be short.
    Position,
}

/// How requests are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// A shared secret.
    Hmac,
    /// A private key of our own.
    Ed25519,
}

/// Fees of an ordinary account, in millionths of the traded value; negative is a rebate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fees {
    /// For a resting order.
    pub maker_millionths: i64,
    /// For an incoming order.
    pub taker_millionths: i64,
}

/// How the venue writes its symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SymbolForm {
    /// Whether letters are upper case; lower case otherwise.
    pub upper_case: bool,
    /// What stands between letters and digits, such as `-` in `BTC-USDT`.
    pub separators: &'static [char],
    /// A symbol that is listed.
    pub example: &'static str,
}

/// A timer at the venue that cancels every open order of an instrument unless it is put off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CancelTimer {
    /// Request weight of setting it.
    pub weight: u32,
}

/// One of the worlds that a venue's protocol is spoken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// The venue itself, with money.
    Production,
    /// The venue's own place for tests, without.
    Testnet,
    /// An exchange of somebody's own.
    Simulated,
}

impl Environment {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Environment::Production => "production",
            Environment::Testnet => "testnet",
            Environment::Simulated => "simulated",
        }
    }
}

/// Where a product line is in the venue's place for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TestnetUrls {
    /// REST base URL.
    pub rest_url: &'static str,
    /// Market stream base URL.
    pub stream_url: &'static str,
    /// URL of the connection for orders.
    pub orders_url: &'static str,
}

/// What the order side of a product line is reached by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderCard {
    /// URL of the connection for orders.
    pub url: &'static str,
    /// Path of that connection, where only a host is configured.
    pub path: &'static str,
    /// The kind of key with the shortest way of an order.
    pub key: KeyKind,
    /// The field that names the account in the venue's answers.
    pub account_field: &'static str,
    /// The windows that the venue documents; the live ones come with the instrument list.
    pub rates: &'static [RateWindow],
    /// Its timer that cancels everything; `None`: it has none.
    pub cancel_timer: Option<CancelTimer>,
    /// The one request that gives an order another price; [`Requote::CancelPlace`]: it has none.
    pub requote: Requote,
    /// REST base URL where the venue itself says what a key may do; `None`: it does not say.
    pub key_rights_url: Option<&'static str>,
}

/// What a product line allows and how it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Card {
    /// Its number in events.
    pub venue_id: VenueId,
    /// Name in configuration and reports.
    pub name: &'static str,
    /// The venue's name in sentences.
    pub title: &'static str,
    /// REST base URL.
    pub rest_url: &'static str,
    /// Market stream base URL; the path of a connection follows it.
    pub stream_url: &'static str,
    /// The same in the venue's place for tests; `None`: it has none.
    pub testnet: Option<TestnetUrls>,
    /// Which hosts are the venue's: each name with all below it, of several that fit the longest.
    pub hosts: &'static [(&'static str, Environment)],
    /// Path of the depth snapshot.
    pub depth_path: &'static str,
    /// Path of the instrument list.
    pub instruments_path: &'static str,
    /// Path that tells the venue's time.
    pub time_path: &'static str,
    /// Messages (subscriptions, pings and pongs together) a market connection may send per second.
    pub messages_per_second: u32,
    /// Streams a market connection may carry.
    pub streams_per_connection: usize,
    /// Request weight per minute and address.
    pub weight_per_minute: u32,
    /// Where snapshots come from.
    pub snapshots: SnapshotOrigin,
    /// Levels a side to ask of a depth snapshot.
    pub snapshot_levels: u16,
    /// The only numbers of levels that it accepts; empty: any.
    pub snapshot_levels_allowed: &'static [u16],
    /// Request weight of such a snapshot.
    pub snapshot_weight: u32,
    /// Connections that one address may attempt, at all product lines with the same title together.
    pub connects: WindowSettings,
    /// The venue closes a connection after this.
    pub connection_life: Nanos,
    /// The venue pings this often; silence of several times this is a dead connection.
    pub ping_interval: Nanos,
    /// Messages of our own that keep a connection alive; `None`: the venue pings.
    pub heartbeat: Option<Heartbeat>,
    /// Default channel of depth updates.
    pub depth_channel: &'static str,
    /// Every channel of depth updates that it serves, the default among them.
    pub depth_channels: &'static [&'static str],
    /// Default channel of the best bid and ask; empty: there is none.
    pub touch_channel: &'static str,
    /// Default channel of trades; empty: there is none.
    pub trade_channel: &'static str,
    /// How symbols are written.
    pub symbols: SymbolForm,
    /// What an account holds.
    pub holding: Holding,
    /// What quantities of its instruments stand for, where no list says it of each.
    pub contract: Contract,
    /// The fewest decimals in which it keeps quantities, where these are finer than the step of orders.
    pub balance_decimals: u8,
    /// Fees of an ordinary account.
    pub fees: Fees,
    /// The order side; `None`: market data alone.
    pub orders: Option<OrderCard>,
}

impl Card {
    /// The world that a host belongs to; [`Environment::Simulated`] where it is none of the venue's.
    #[must_use]
    pub fn environment_of(&self, host: &str) -> Environment {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let is_of = |name: &str| host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        let found = self.hosts.iter().filter(|(name, _)| is_of(name)).max_by_key(|(name, _)| name.len());
        found.map_or(Environment::Simulated, |(_, environment)| *environment)
    }
}

/// A product line: its own hosts, symbols, limits and sequence rule. Two are the same when their numbers are.
#[derive(Clone, Copy)]
pub struct ProductLine(&'static Card);

impl ProductLine {
    /// The product line of a card.
    #[must_use]
    pub const fn of(card: &'static Card) -> ProductLine {
        ProductLine(card)
    }

    /// Its number in events.
    #[must_use]
    pub const fn venue_id(self) -> VenueId {
        self.0.venue_id
    }

    /// Name in configuration and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// Its card.
    #[must_use]
    pub const fn card(self) -> &'static Card {
        self.0
    }

    /// Path of its connection for orders, where only a host is configured; empty without an order side.
    #[must_use]
    pub fn order_path(self) -> &'static str {
        self.0.orders.map_or("", |orders| orders.path)
    }

    /// Whether its orders have the shortest way with keys of this kind.
    #[must_use]
    pub fn signs_with(self, key: KeyKind) -> bool {
        self.0.orders.is_some_and(|orders| orders.key == key)
    }

    /// Whether an account holds the base asset itself.
    #[must_use]
    pub fn holds_inventory(self) -> bool {
        self.0.holding == Holding::Inventory
    }
}

impl PartialEq for ProductLine {
    fn eq(&self, other: &ProductLine) -> bool {
        self.venue_id() == other.venue_id()
    }
}

impl Eq for ProductLine {}

impl Hash for ProductLine {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.venue_id().hash(state);
    }
}

impl fmt::Debug for ProductLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
