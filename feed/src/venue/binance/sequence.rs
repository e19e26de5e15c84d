//! HOT: sequence.
