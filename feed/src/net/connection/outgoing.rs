//! HOT: sealed bytes that the socket has not taken yet.

use std::io::{self, Write};

use crate::net::host::clock::cycles;

/// Room that is there from the start: what an undisturbed connection ever needs.
const BYTES: usize = 32 * 1024;

/// Bytes in the order they must leave. Its owner bounds it before it appends.
pub(super) struct Outgoing {
    bytes: Vec<u8>,
    start: usize,
    sent: u64,
    /// Cycle counter just before the newest record was offered to the socket.
    written_tsc: u64,
}

impl Outgoing {
    pub(super) fn new() -> Outgoing {
        Outgoing { bytes: Vec::with_capacity(BYTES), start: 0, sent: 0, written_tsc: 0 }
    }

    /// Bytes that wait.
    #[inline]
    pub(super) fn waiting(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Bytes that the socket took so far.
    #[inline]
    pub(super) const fn sent(&self) -> u64 {
        self.sent
    }

    /// Cycle counter just before the newest record was offered to the socket: for measurement only.
    pub(super) const fn written_tsc(&self) -> u64 {
        self.written_tsc
    }

    /// Puts bytes behind those that wait.
    #[inline]
    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes); // bounded: by the connection's backlog
    }

    /// Lets `write` put up to `bytes_max` bytes behind those that wait; it gives back how many it wrote.
    // cold: handshakes, and connections whose records rustls seals
    pub(super) fn write_with<E>(
        &mut self,
        bytes_max: usize,
        write: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<(), E> {
        let end = self.bytes.len();
        self.bytes.resize(end + bytes_max, 0);
        let written = write(&mut self.bytes[end..]);
        self.bytes.truncate(end + written.as_ref().map_or(0, |written| *written));
        written.map(|_| ())
    }

    /// Sends `record`: at once if nothing waits, behind what waits otherwise.
    #[inline]
    pub(super) fn send(&mut self, record: &[u8], socket: &mut impl Write) -> io::Result<bool> {
        if self.waiting() > 0 {
            self.append(record);
            return self.flush(socket);
        }
        self.written_tsc = cycles();
        let taken = write_some(record, socket)?;
        self.sent += taken as u64;
        if taken < record.len() {
            self.append(&record[taken..]);
        }
        Ok(taken == record.len())
    }

    /// Hands the socket what it takes. True when nothing is left.
    #[inline]
    pub(super) fn flush(&mut self, socket: &mut impl Write) -> io::Result<bool> {
        while self.waiting() > 0 {
            let taken = write_some(&self.bytes[self.start..], socket)?;
            if taken == 0 {
                return Ok(false);
            }
            self.sent += taken as u64;
            self.start += taken;
        }
        self.bytes.clear();
        self.start = 0;
        Ok(true)
    }
}

/// One write; zero when the socket takes nothing now.
#[inline]
fn write_some(bytes: &[u8], socket: &mut impl Write) -> io::Result<usize> {
    loop {
        match socket.write(bytes) {
            Ok(0) if !bytes.is_empty() => return Err(io::ErrorKind::WriteZero.into()),
            Ok(taken) => return Ok(taken),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
