//! COLD: sign.
