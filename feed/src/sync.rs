//! HOT: sync.
