//! COLD: what a venue is to the rest of Spinbook; the only file that names every venue.
//!
//! `market` holds what every market-data side provides, `orders` what every order side provides, and
//! `exchange_side` the traits of the venue's other side, for the simulated exchange.

pub mod exchange_side;
pub mod exchange_world;
pub mod instrument;
pub mod market;
pub mod orders;
pub(crate) mod request_template;

pub mod binance;
