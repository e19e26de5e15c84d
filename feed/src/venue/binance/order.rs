//! COLD: order.
