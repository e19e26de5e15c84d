//! COLD: one connection as the exchange side sees it: TCP, TLS and WebSocket, never blocking.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection};
use tungstenite::handshake::derive_accept_key;

use crate::receive::server_frame;

/// What ends a request's header.
const HEADER_END: &[u8] = b"\r\n\r\n";

/// A client's connection.
pub struct ServedConnection {
    tcp: TcpStream,
    tls: ServerConnection,
    /// Decrypted and not looked at yet.
    bytes: Vec<u8>,
    /// The path of the request.
    target: Option<String>,
}

fn wrong(what: impl Into<String>) -> io::Error {
    io::Error::other(what.into())
}

impl ServedConnection {
    /// A connection that was just accepted.
    ///
    /// # Errors
    /// The system or the TLS library refuses.
    pub fn new(tcp: TcpStream, config: &Arc<ServerConfig>) -> io::Result<ServedConnection> {
        tcp.set_nonblocking(true)?;
        tcp.set_nodelay(true)?;
        let mut tls = ServerConnection::new(config.clone()).map_err(|error| wrong(error.to_string()))?;
        tls.set_buffer_limit(None);
        Ok(ServedConnection { tcp, tls, bytes: Vec::new(), target: None })
    }

    /// The path that was asked for; none before.
    #[must_use]
    pub fn target(&self) -> Option<&str> {
        self.target.as_deref()
    }

    /// One read from the socket. False if there is nothing.
    ///
    /// # Errors
    /// The client is gone.
    #[inline]
    pub fn receive(&mut self) -> io::Result<bool> {
        match self.tls.read_tls(&mut self.tcp) {
            Ok(0) => Err(wrong("the client is gone")),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Decrypts what was received; completes the handshakes.
    ///
    /// # Errors
    /// The client breaks a protocol.
    pub fn open(&mut self) -> io::Result<()> {
        let state = self.tls.process_new_packets().map_err(|error| wrong(error.to_string()))?;
        let (begin, count) = (self.bytes.len(), state.plaintext_bytes_to_read());
        self.bytes.resize(begin + count, 0);
        self.tls.reader().read_exact(&mut self.bytes[begin..])?;
        if self.target.is_none()
            && let Some(end) = self.bytes.windows(HEADER_END.len()).position(|part| part == HEADER_END)
        {
            self.take_request(end + HEADER_END.len())?;
        }
        self.flush()
    }

    /// Takes the request, and switches to WebSocket if it asks for that.
    fn take_request(&mut self, header_bytes: usize) -> io::Result<()> {
        let header = String::from_utf8_lossy(&self.bytes[..header_bytes]).into_owned();
        self.bytes.drain(..header_bytes);
        let target = header.split(' ').nth(1).ok_or_else(|| wrong("no request line"))?;
        self.target = Some(target.to_owned());
        let key = header.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim())
        });
        // Without a key it is a plain request: its answer is the exchange's affair.
        let Some(key) = key else { return Ok(()) };
        let accept = derive_accept_key(key.as_bytes());
        let reply = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        self.tls.writer().write_all(reply.as_bytes())
    }

    /// The next whole text of the client.
    ///
    /// # Errors
    /// It sends something else: these clients have no reason to.
    pub fn next_text(&mut self) -> io::Result<Option<Vec<u8>>> {
        let bytes = &self.bytes;
        if self.target.is_none() || bytes.len() < 2 {
            return Ok(None);
        }
        if bytes[0] != 0x81 || bytes[1] & 0x80 == 0 {
            return Err(wrong(format!("a frame that begins with {:02x} {:02x}", bytes[0], bytes[1])));
        }
        let (length, mask_at) = match bytes[1] & 0x7f {
            126 if bytes.len() >= 4 => (usize::from(u16::from_be_bytes([bytes[2], bytes[3]])), 4),
            126 => return Ok(None),
            127 => return Err(wrong("a request of more than 64 KiB")),
            length => (usize::from(length), 2),
        };
        let text_at = mask_at + 4;
        if bytes.len() < text_at + length {
            return Ok(None);
        }
        let mask = &bytes[mask_at..text_at];
        let text = bytes[text_at..text_at + length].iter().zip(mask.iter().cycle());
        let text = text.map(|(byte, mask)| byte ^ mask).collect();
        self.bytes.drain(..text_at + length);
        Ok(Some(text))
    }

    /// Reads and decrypts what there is, and gives back every whole text in it.
    ///
    /// # Errors
    /// The client is gone or breaks a protocol.
    pub fn texts(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let mut texts = Vec::new();
        if self.receive()? {
            self.open()?;
        }
        while let Some(text) = self.next_text()? {
            texts.push(text);
        }
        Ok(texts)
    }

    /// Answers a plain request with this body.
    ///
    /// # Errors
    /// The client is gone.
    pub fn send_body(&mut self, body: &[u8]) -> io::Result<()> {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        self.tls.writer().write_all(&[head.as_bytes(), body].concat())?;
        self.flush()
    }

    /// Sends a text.
    ///
    /// # Errors
    /// The client is gone.
    pub fn send_text(&mut self, text: &[u8]) -> io::Result<()> {
        self.frame(text)?;
        self.flush()
    }

    fn frame(&mut self, text: &[u8]) -> io::Result<()> {
        // In one piece, so that it becomes one record.
        self.tls.writer().write_all(&server_frame(text))
    }

    /// Hands the socket what waits.
    ///
    /// # Errors
    /// The client is gone.
    pub fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.tcp) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Seals a text as the next to leave, ahead of its time: its records go behind `out`.
    ///
    /// # Errors
    /// Something still waits to leave before it.
    pub fn seal(&mut self, text: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        if out.is_empty() && self.tls.wants_write() {
            return Err(wrong("the socket has not taken everything yet"));
        }
        self.frame(text)?;
        while self.tls.wants_write() {
            self.tls.write_tls(out)?;
        }
        Ok(())
    }

    /// Writes sealed bytes; how many the socket took.
    ///
    /// # Errors
    /// The client is gone.
    #[inline]
    pub fn write_sealed(&mut self, sealed: &[u8]) -> io::Result<usize> {
        match self.tcp.write(sealed) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            taken => taken,
        }
    }
}
