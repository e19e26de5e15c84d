//! HOT: json.
