//! COLD: account.
