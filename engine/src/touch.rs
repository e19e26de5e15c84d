//! HOT: touch.
