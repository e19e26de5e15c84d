//! COLD: the journal of one gateway: what was wanted, sent and answered, written before an order leaves.
//!
//! `bytes` are the integers and texts of a record, `record` what a record says, `end` how an order ended, `frame` a record with its length,
//! checksum and number behind the header of a file, `reader` the way
//! back with everything that may be wrong on it, `writer` the
//! end that a gateway holds, over a `store` of parts. `recover` says what a run that ended left open.
//!
//! A journal is a chain of files, the parts of one run: `RUN-VENUE-PART.journal`. A part is never written again by a
//! later run. Everything is little-endian; a record lies at a multiple of eight bytes.

pub mod end;
pub mod frame;
pub mod reader;
pub mod record;
pub mod recover;
pub mod store;
pub mod writer;

mod bytes;
mod enums;

use sha2::{Digest, Sha256};

#[cfg(test)]
mod tests;

/// SHA-256 of some bytes, in hexadecimal: what a journal says of the configuration in effect.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
