//! COLD: exchange.
