//! HOT: quoter.
