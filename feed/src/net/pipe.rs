//! COLD: TLS as an in-memory stream for the WebSocket code: no socket inside, so nothing can block.

use std::io::{self, Read, Write};

use rustls::Connection as TlsConnection;

/// First byte of a final pong frame.
const PONG_FIRST_BYTE: u8 = 0x8a;
/// A masked control frame: two bytes of header, four of mask, at most 125 of payload.
const CONTROL_FRAME_BYTES_MAX: usize = 131;

/// Plaintext in and out of a TLS session; the owner moves the ciphertext between it and a socket.
///
/// A client's pongs stop here: only the newest is kept, until the owner lets it go ([`Pipe::release_pong`]),
/// because the venues count pongs against the message limit.
#[derive(Debug)]
pub(crate) struct Pipe {
    /// The TLS session.
    pub(crate) tls: TlsConnection,
    hold_pongs: bool,
    pong: [u8; CONTROL_FRAME_BYTES_MAX],
    pong_length: usize,
}

impl Pipe {
    /// A pipe over a TLS session; `hold_pongs` on the client side.
    pub(crate) fn new(tls: impl Into<TlsConnection>, hold_pongs: bool) -> Pipe {
        Pipe { tls: tls.into(), hold_pongs, pong: [0; CONTROL_FRAME_BYTES_MAX], pong_length: 0 }
    }

    /// Whether a pong waits.
    pub(crate) const fn holds_pong(&self) -> bool {
        self.pong_length > 0
    }

    /// Lets the waiting pong go.
    pub(crate) fn release_pong(&mut self) -> io::Result<()> {
        let length = std::mem::take(&mut self.pong_length);
        self.tls.writer().write_all(&self.pong[..length])
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tls.reader().read(buffer)
    }
}

impl Write for Pipe {
    fn write(&mut self, frame: &[u8]) -> io::Result<usize> {
        // The WebSocket code hands over whole frames, one a call, because this never blocks.
        if self.hold_pongs && frame.first() == Some(&PONG_FIRST_BYTE) && frame.len() <= CONTROL_FRAME_BYTES_MAX {
            self.pong[..frame.len()].copy_from_slice(frame);
            self.pong_length = frame.len();
            return Ok(frame.len());
        }
        self.tls.writer().write(frame)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
