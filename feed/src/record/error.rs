//! HOT: why a connection ends, and the alert that says so.

/// Why the connection must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The tag did not match: tampered, reordered, replayed or cut.
    #[error("a TLS record failed authentication")]
    BadRecordMac,
    /// A record or its content is longer than TLS allows.
    #[error("a TLS record is longer than TLS allows")]
    Overflow,
    /// A record that is not encrypted came after the handshake.
    #[error("an unprotected TLS record (type {0}) came after the handshake")]
    Plaintext(u8),
    /// A record or message that is not allowed at this point.
    #[error("a TLS message (type {0}) is not allowed here")]
    Unexpected(u8),
    /// A message that cannot be read.
    #[error("a TLS message cannot be read")]
    Decode,
    /// A field holds a value that is not allowed.
    #[error("a TLS message holds a value that is not allowed")]
    IllegalParameter,
    /// Too many empty records or key updates.
    #[error("a flood of TLS records without content")]
    Flood,
    /// The peer ended the connection with this alert.
    #[error("the peer sent the TLS alert {0}")]
    Alert(u8),
    /// The key schedule refused.
    #[error("the TLS key schedule refused an update")]
    KeySchedule,
    /// The record number would wrap, which would use a nonce twice.
    #[error("the TLS record number is exhausted")]
    Exhausted,
    /// The connection was ended before.
    #[error("the TLS connection has ended")]
    Ended,
    /// More to seal than one record holds, or the buffer is too small.
    #[error("a message does not fit into one TLS record")]
    TooLong,
}

impl RecordError {
    /// The alert that tells the peer (RFC 8446, 6.2), if one is due.
    #[must_use]
    pub const fn alert(self) -> Option<u8> {
        match self {
            RecordError::BadRecordMac => Some(20),
            RecordError::Overflow => Some(22),
            RecordError::Plaintext(_) | RecordError::Unexpected(_) | RecordError::Flood => Some(10),
            RecordError::Decode => Some(50),
            RecordError::IllegalParameter => Some(47),
            RecordError::KeySchedule | RecordError::TooLong | RecordError::Exhausted => Some(80),
            RecordError::Alert(_) | RecordError::Ended => None,
        }
    }
}
