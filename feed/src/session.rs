//! HOT: session.
