//! COLD: orders.
