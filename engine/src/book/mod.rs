//! HOT: mod.
