//! COLD: mod.

pub mod kernel;
