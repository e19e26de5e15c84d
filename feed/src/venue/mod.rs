//! COLD: what a venue is to the rest of Spinbook; the only file that names every venue.
//!
//! `market` holds what every market-data side provides, `orders` what every order side provides; the traits of the
//! venue's other side, for the simulated exchange, are in `sim`.

pub mod instrument;
pub mod market;
pub mod order_ids;
pub mod orders;
pub(crate) mod request_template;

pub mod binance;
