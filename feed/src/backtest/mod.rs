//! COLD: whole trading days in virtual time: engine, sessions, gateways and simulated exchanges in one thread.
//!
//! Nothing is replaced. Bytes of each venue's own protocol travel between the market session, the engine, the gateway
//! and the simulated exchange, over links with delays, which fail ([`LinkFault`]) as a side of ours stands still ([`Stall`])
//! when they are told to, while either process may end and start again. One engine may trade on several venues at once:
//! each brings its own [`BacktestVenue`], and an instrument's id says which venue it is traded on.
//!
//! No clock is read and no socket opened: [`Backtest`] goes from one deadline to the next, so a day takes as long as
//! its events, and one seed gives one run, bit for bit ([`Backtest::trace`]). A [`BacktestObserver`] sees every intent
//! and every execution, and judges the state after each step; after each step the driver itself asks every part
//! that can for a check of its invariants, and stops with the text of the first that does not hold.
//!
//! ```
//! use spinbook_engine::types::Nanos;
//! use spinbook_feed::backtest::BacktestSettings;
//!
//! let settings = BacktestSettings::new(Nanos::from_seconds(1_795_132_800), 7);
//! assert!(settings.network.shortest <= settings.network.longest);
//! ```

mod delivery;
mod driver;
mod settings;
mod transit;
mod troubles;

pub use driver::{Backtest, BacktestObserver, BacktestState, BacktestVenue, Unobserved};
pub use settings::{BacktestSettings, Delay};
pub use troubles::{BacktestLink, LinkFault, LinkTrouble, Stall, StalledSide};
