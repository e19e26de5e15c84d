//! COLD: mod.
