//! COLD: what a venue's room offers of its simulated exchange: the usual settings, listings, a market, and making it.
//!
//! The list of venues leads a product line to it ([`ProductLine::simulator`]), so that no other file names a room.

use crate::sim::api::{AccountKey, ListingSettings};
use crate::sim::fault_plan::FaultPlan;
use crate::sim::fees::FeeRates;
use crate::sim::limits::RateLimits;
use crate::sim::saved::SavedWorld;
use crate::sim::side::{ExchangeSide, MarketFrame};
use crate::venue::ProductLine;
use crate::venue::instrument::Instrument;
use crate::venue::source::{MarketSource, RecordKind, SourceError};
use rust_decimal::Decimal;
use spinbook_engine::types::Nanos;

/// How fast a market is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaySpeed {
    /// Its own rhythm times this many thousandths.
    Thousandths(u64),
    /// As fast as clients take it.
    Max,
}

/// When a market begins to be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarketStart {
    /// At once, whoever listens.
    AtOnce,
    /// When the first client asks for one of its streams.
    FirstStream,
}

/// What clients get of a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarketForm {
    /// Its event times are those of now, and our orders and trades are part of it.
    Present,
    /// It is served byte for byte as it was recorded, without anything of ours.
    Original,
}

/// How a market is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Play {
    /// How fast.
    pub speed: PlaySpeed,
    /// From when on.
    pub starts: MarketStart,
    /// In what form.
    pub form: MarketForm,
}

/// An account to open.
#[derive(Clone, Debug)]
pub struct AccountSettings {
    /// API key.
    pub api_key: String,
    /// How it proves who it is.
    pub key: AccountKey,
    /// Asset and amount it starts with.
    pub balances: Vec<(String, Decimal)>,
}

/// What a simulated exchange is made of.
#[derive(Clone, Debug)]
pub struct SimSettings {
    /// The product line.
    pub product: ProductLine,
    /// What is listed.
    pub listings: Vec<ListingSettings>,
    /// Who trades.
    pub accounts: Vec<AccountSettings>,
    /// API keys that may withdraw as well.
    pub withdrawing: Vec<String>,
    /// Fee rates.
    pub fees: FeeRates,
    /// Rate windows.
    pub limits: RateLimits,
    /// How the market is played.
    pub play: Play,
    /// Notional a unit of margin carries, for futures.
    pub leverage: i64,
    /// The seed of a past that is made up, for candles of the time before it began; none: they begin with it.
    pub past_seed: Option<u64>,
    /// What goes wrong.
    pub faults: FaultPlan,
    /// What outlives the process, if anything does.
    pub kept: KeptState,
}

/// What of an exchange outlives its process.
#[derive(Clone, Debug, Default)]
pub enum KeptState {
    /// Nothing.
    #[default]
    Nothing,
    /// Its accounts and orders are kept from now on.
    Fresh,
    /// It goes on where an earlier process ended.
    Restored(Box<SavedWorld>),
}

/// A symbol of a made-up market.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenSymbol {
    /// The symbol, upper case.
    pub symbol: String,
    /// Its price at the start; none: the usual, where the venue's room knows one.
    pub price: Option<Decimal>,
}

/// A market that is made up, without end, and what it lists.
pub struct SyntheticMarket {
    /// What it lists.
    pub listings: Vec<ListingSettings>,
    /// Its frames, in the venue's own form.
    pub source: Box<dyn MarketSource>,
}

/// The next frame that a simulated exchange plays of a market, verbatim; `None` when the market is over. A snapshot is a
/// frame of its own; headers, instrument lists and lines that are no records are left out.
///
/// # Errors
/// What is wrong with the source, and where.
pub fn next_frame(source: &mut dyn MarketSource) -> Result<Option<MarketFrame>, SourceError> {
    while let Some(record) = source.next()? {
        if matches!(record.kind, RecordKind::Stream | RecordKind::Snapshot { .. }) {
            return Ok(Some(MarketFrame { at: record.stamp.wall, bytes: record.buffer[..record.length].to_vec() }));
        }
    }
    Ok(None)
}

/// A venue's simulator, as shared rooms and the program see it.
pub trait SimulatorSide: Sync {
    /// A product line with its usual fees and windows, no accounts, the market in its own rhythm.
    fn settings(&self, product: ProductLine, listings: Vec<ListingSettings>) -> SimSettings;

    /// The listing of a symbol whose increments the room knows.
    fn known_listing(&self, product: ProductLine, symbol: &str) -> Option<ListingSettings>;

    /// A listing whose prices and quantities are no finer than its orders; the price increment and the order step
    /// with the decimals the venue prints.
    fn listing(&self, product: ProductLine, symbol: &str, tick_size: &str, order_step: &str) -> ListingSettings;

    /// A listing whose feed may be finer than its orders, as a recording or the venue's own list has it.
    fn listing_for(&self, product: ProductLine, instrument: &Instrument) -> ListingSettings;

    /// A market that is made up from `seed`, its event times from `start` on; without symbols of the usual one.
    ///
    /// # Errors
    /// Which symbol or price cannot be used.
    fn synthetic(
        &self,
        product: ProductLine,
        symbols: &[ChosenSymbol],
        seed: u64,
        start: Nanos,
    ) -> Result<SyntheticMarket, String>;

    /// Whether a path is one of this product line's, where several of the venue share an address.
    fn owns_path(&self, product: ProductLine, path: &str) -> bool;

    /// The id that the exchange answers for the account at a place of its list: what `--account` names.
    fn account_id(&self, product: ProductLine, place: usize) -> String;

    /// Makes the exchange.
    ///
    /// # Errors
    /// Which setting is wrong, and how.
    fn exchange(
        &self,
        settings: SimSettings,
        source: Box<dyn MarketSource>,
        now: Nanos,
    ) -> Result<Box<dyn ExchangeSide>, String>;
}
