//! HOT: instrument.
