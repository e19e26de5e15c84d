//! HOT: decode.
