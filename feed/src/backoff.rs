//! COLD: backoff.
