//! HOT: engine.
