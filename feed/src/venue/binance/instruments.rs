//! COLD: instruments.
