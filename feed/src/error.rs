//! COLD: error.
