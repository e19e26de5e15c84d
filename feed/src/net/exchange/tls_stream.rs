//! COLD: the server's TLS session as a plain byte stream, for the WebSocket code.

use std::io::{self, Read, Write};

use rustls::Connection as TlsConnection;

/// Plaintext in and out of a TLS session; the owner moves the ciphertext between it and a socket.
#[derive(Debug)]
pub(crate) struct TlsStream {
    /// The TLS session.
    pub(crate) tls: TlsConnection,
}

impl TlsStream {
    /// A pipe over a TLS session.
    pub(crate) fn new(tls: impl Into<TlsConnection>) -> TlsStream {
        TlsStream { tls: tls.into() }
    }
}

impl Read for TlsStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tls.reader().read(buffer)
    }
}

impl Write for TlsStream {
    fn write(&mut self, frame: &[u8]) -> io::Result<usize> {
        self.tls.writer().write(frame)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
