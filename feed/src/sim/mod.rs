//! COLD: what all simulated exchanges share: accounts, matching, fees, rate windows, faults, a synthetic market.
//!
//! A venue's `exchange` room speaks the protocol and knows the venue's rules; this room knows neither.

pub mod account;
pub mod faults;
pub mod fees;
pub mod limits;
pub mod market;
pub mod matching;
pub mod queue;
pub mod serve;
pub mod settings;
pub mod world;

pub use settings::{AccountSettings, SimSettings, binance};
