//! COLD: what every venue signs with: keys as they are read, HMAC from kept states, Ed25519.

pub mod credentials;
pub mod hmac;
