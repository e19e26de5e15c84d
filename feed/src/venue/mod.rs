//! COLD: what a venue is to the rest of Spinbook; the only file that names every venue.
//!
//! `card` holds the facts of every product line, `market` what every market-data side provides, `orders` what
//! every order side provides; the traits of the venue's other side, for the simulated exchange, are in `sim`.

pub mod account;
pub mod card;
pub mod contract;
pub mod instrument;
pub mod market;
pub mod order_ids;
pub mod order_side;
pub mod orders;
pub mod rehearsed;
pub(crate) mod request_template;
pub mod simulator_side;
pub mod source;

pub use card::{Card, ProductLine};
pub use simulator_side::SimulatorSide;

use spinbook_engine::types::VenueId;

/// Hands the list of venues to a macro: a room and the name of its variants. A new venue is one more line.
macro_rules! for_each_venue {
    ($generate:ident) => {
        $generate! {
            Binance: binance,
        }
    };
}

macro_rules! rooms {
    ($($variant:ident: $room:ident,)*) => {
        /// The product lines of every venue.
        const PRODUCT_LINES: &[&[ProductLine]] = &[$(&$room::PRODUCT_LINES,)*];

        /// The simulators, in the same order; `None`: the venue has none.
        const SIMULATORS: &[Option<&dyn SimulatorSide>] = &[$($room::SIMULATOR,)*];
    };
}

for_each_venue!(rooms);

// Said outside the list, because rustfmt does not follow modules that a macro declares.
pub mod binance;

pub mod any_account;
pub mod any_market;
pub mod any_orders;
#[cfg(feature = "storage")]
pub mod recordings;

/// Names that users may come to name, of venues that are not built yet; `all` is every venue together.
pub const RESERVED_NAMES: [&str; 8] =
    ["okx", "bybit-spot", "bybit-linear", "htx", "htx-swap", "htx-coin-swap", "relay", "all"];

impl ProductLine {
    /// Every product line of every venue.
    pub fn all() -> impl Iterator<Item = ProductLine> {
        PRODUCT_LINES.iter().copied().flatten().copied()
    }

    /// The product line of a name (`binance-usdm`).
    #[must_use]
    pub fn from_name(name: &str) -> Option<ProductLine> {
        ProductLine::all().find(|line| line.name() == name)
    }

    /// The venue's simulator; `None`: the venue has none.
    #[must_use]
    pub fn simulator(self) -> Option<&'static dyn SimulatorSide> {
        let venue = PRODUCT_LINES.iter().position(|lines| lines.contains(&self))?;
        SIMULATORS[venue]
    }

    /// The product line of a number.
    #[must_use]
    pub fn from_venue_id(venue: VenueId) -> Option<ProductLine> {
        ProductLine::all().find(|line| line.venue_id() == venue)
    }
}
