//! HOT: the engine's integers with names: prices, quantities, times and identities.

mod identity;
mod instrument;
mod level;
mod money;
mod number;
mod time;
mod venue_code;

pub use identity::{AssetGroupId, EPOCH_REHEARSAL, InstrumentId, OrderId, Side, SlotId, TradeId, VenueId};
pub use instrument::InstrumentSettings;
pub use level::Level;
pub use money::{QUOTE_ATOMS_PER_UNIT, QuoteAtoms};
pub use number::{Lots, Tick};
pub use time::{Nanos, Stamp};
pub use venue_code::{VENUE_CODE_BYTES_MAX, VenueCode};
