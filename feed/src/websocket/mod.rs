//! HOT: WebSocket frames as a client sees them (RFC 6455): parsed where they lie, masked where they are sealed.
//!
//! Strict: whatever the RFC forbids ends the connection with the close code it names. A whole message is handed out
//! as the bytes that were decrypted, without a copy; only fragmented messages are put together in a buffer apart.

mod text;
mod write;

use crate::record::{PADDING_BYTES, PlaintextBuffer};
use text::valid_prefix;

pub use text::is_text;
pub use write::{CLIENT_HEADER_BYTES_MAX, apply_mask, client_header_bytes, write_frame, write_header};

/// Fragments one message may come in.
pub const FRAGMENTS_MAX: u32 = 65_536;
/// The most payload of a control frame (RFC 6455, 5.5).
pub const CONTROL_BYTES_MAX: usize = 125;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;
/// First byte of a whole text message.
const TEXT_WHOLE: u8 = FIN | Opcode::Text as u8;
/// First byte of a whole binary message.
const BINARY_WHOLE: u8 = FIN | Opcode::Binary as u8;

// What `MessageReader::pending_frame` holds about the message that was handed out last: one of three kinds, or the length of
// the header in front of a message that lies whole in the buffer; and whether the message is binary.

/// The bits that hold the length of the header.
const PENDING_HEADER: u8 = 0x0f;
/// No message was handed out.
const PENDING_NOTHING: u8 = 0;
/// A control frame was handed out.
const PENDING_CONTROL: u8 = 0x20;
/// A message that was put together from fragments was handed out.
const PENDING_ASSEMBLED: u8 = 0x40;
/// Set if the message is binary.
const PENDING_BINARY: u8 = 0x80;

const _: () = {
    assert!(PENDING_HEADER & (PENDING_CONTROL | PENDING_ASSEMBLED | PENDING_BINARY) == 0, "no mark lies in the length");
    assert!(CLIENT_HEADER_BYTES_MAX <= PENDING_HEADER as usize, "every header's length fits");
};

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// A further fragment.
    Continuation = 0,
    /// Text, UTF-8.
    Text = 1,
    /// Bytes.
    Binary = 2,
    /// The peer closes.
    Close = 8,
    /// The peer asks for a pong.
    Ping = 9,
    /// The peer answers a ping.
    Pong = 10,
}

impl Opcode {
    const fn from_byte(byte: u8) -> Option<Opcode> {
        match byte & 0x0f {
            0 => Some(Opcode::Continuation),
            1 => Some(Opcode::Text),
            2 => Some(Opcode::Binary),
            8 => Some(Opcode::Close),
            9 => Some(Opcode::Ping),
            10 => Some(Opcode::Pong),
            _ => None,
        }
    }

    const fn is_control(self) -> bool {
        self as u8 >= 8
    }
}

/// Why the connection must be failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebSocketError {
    /// A reserved bit was set without an extension.
    #[error("a WebSocket frame sets a reserved bit")]
    ReservedBit,
    /// An opcode that does not exist.
    #[error("a WebSocket frame has the unknown opcode {0}")]
    Opcode(u8),
    /// A server masked its frame.
    #[error("the server masked a WebSocket frame")]
    Masked,
    /// A control frame that is fragmented or longer than 125 bytes.
    #[error("a WebSocket control frame is fragmented or too long")]
    Control,
    /// A length that is not written in its shortest form, or with its top bit set.
    #[error("a WebSocket frame's length is malformed")]
    Length,
    /// A continuation without a start, or a start within a message.
    #[error("a WebSocket fragment is out of order")]
    Fragment,
    /// Text that is not UTF-8.
    #[error("a WebSocket text message is not UTF-8")]
    Utf8,
    /// A close frame with one byte, or a code that may not be sent.
    #[error("a WebSocket close frame is malformed")]
    Close,
    /// A message longer than the cap, or in too many fragments.
    #[error("a WebSocket message is larger than allowed")]
    TooBig,
}

impl WebSocketError {
    /// The close code that tells the server (RFC 6455, 7.4.1).
    #[must_use]
    pub const fn close_code(self) -> u16 {
        match self {
            WebSocketError::Utf8 => 1007,
            WebSocketError::TooBig => 1009,
            _ => 1002,
        }
    }
}

/// A frame's header, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    fin: bool,
    opcode: Opcode,
    header_bytes: usize,
    payload_bytes: usize,
}

/// One complete message. Payloads that are handed out padded have [`PADDING_BYTES`] readable bytes behind them.
#[derive(Debug)]
pub enum WebSocketMessage<'a> {
    /// A text message; `padded[..length]` is it, and is valid UTF-8.
    Text {
        /// The payload and its padding; only the payload may be changed.
        padded: &'a mut [u8],
        /// Bytes of payload.
        length: usize,
    },
    /// A binary message.
    Binary {
        /// The payload and its padding; only the payload may be changed.
        padded: &'a mut [u8],
        /// Bytes of payload.
        length: usize,
    },
    /// A ping: its payload must be answered in a pong.
    Ping(&'a [u8]),
    /// A pong.
    Pong(&'a [u8]),
    /// The server closes: code (`None` if it gave none) and reason.
    Close {
        /// RFC 6455, 7.4.
        code: Option<u16>,
        /// UTF-8 text.
        reason: &'a [u8],
    },
}

/// Where a message that the reader found lies.
enum Found {
    Frame(Header),
    Assembled { text: bool },
}

/// Turns a stream of plaintext into messages.
pub struct MessageReader {
    message_bytes_max: usize,
    /// The message being put together from fragments, with padding.
    assembly: Box<[u8]>,
    assembly_bytes: usize,
    fragments: u32,
    fragment_kind: Option<Opcode>,
    /// Bytes of `assembly` known to be whole UTF-8 characters.
    assembly_valid: usize,
    /// Bytes of an unfinished frame's payload that were already found to be valid.
    partial_valid: usize,
    /// Length of an unfinished frame with its header; zero when there is none, or its header is unfinished.
    wanted_bytes: usize,
    /// A whole frame whose payload is shorter is handed out without further questions: zero while something of its
    /// message was seen before (fragments, or the beginning of a frame).
    whole_bytes_below: usize,
    /// Bytes of the input that the last call handed out and the next one drops; of no meaning when that was put
    /// together from fragments.
    pending_bytes: usize,
    /// What they are: the length of the frame's header, and the flags below.
    pending_frame: u8,
}

impl MessageReader {
    /// A reader for messages of up to `message_bytes_max`.
    #[must_use]
    pub fn new(message_bytes_max: usize) -> MessageReader {
        MessageReader {
            message_bytes_max,
            assembly: vec![0; message_bytes_max + PADDING_BYTES].into_boxed_slice(),
            assembly_bytes: 0,
            fragments: 0,
            fragment_kind: None,
            assembly_valid: 0,
            partial_valid: 0,
            wanted_bytes: 0,
            whole_bytes_below: message_bytes_max + 1,
            pending_bytes: 0,
            pending_frame: PENDING_NOTHING,
        }
    }

    /// What holds between any two calls; simulations call it after every step.
    ///
    /// # Panics
    /// Something does not hold: a bug of this reader.
    pub fn check(&self) {
        assert!(self.assembly.len() == self.message_bytes_max + PADDING_BYTES, "the assembly never grows");
        assert!(self.assembly_valid <= self.assembly_bytes && self.assembly_bytes <= self.message_bytes_max);
        assert!(self.fragments <= FRAGMENTS_MAX + 1 && (self.assembly_bytes == 0 || self.fragments > 0));
        assert!(self.whole_bytes_below == 0 || self.whole_bytes_below == self.message_bytes_max + 1);
    }

    /// The next complete message in `input`, or `None` when more must be received.
    ///
    /// The message's bytes are valid until the next call.
    ///
    /// # Errors
    /// What the RFC forbids; the connection must be failed with [`WebSocketError::close_code`].
    #[inline]
    pub fn next<'a>(
        &'a mut self,
        input: &'a mut PlaintextBuffer,
    ) -> Result<Option<WebSocketMessage<'a>>, WebSocketError> {
        if self.pending_frame != PENDING_NOTHING {
            self.release(input);
        }
        if input.unread_bytes() == 0 {
            return Ok(None);
        }
        let Some((header_bytes, length, binary)) = self.whole_message(input.unread())? else {
            return self.next_unusual(input);
        };
        self.pending_bytes = header_bytes + length;
        self.pending_frame = header_bytes as u8 | if binary { PENDING_BINARY } else { 0 };
        let padded = input.padded_mut(header_bytes, length);
        Ok(Some(if binary {
            WebSocketMessage::Binary { padded, length }
        } else {
            WebSocketMessage::Text { padded, length }
        }))
    }

    /// How many bytes must be unread before [`MessageReader::next`] can say more about a frame that is not whole;
    /// zero when that is not known. What is opened up to there need not be shown to it piece by piece.
    #[inline]
    #[must_use]
    pub const fn wanted_bytes(&self) -> usize {
        self.wanted_bytes
    }

    /// Header and payload of what nearly every frame is, and whether it is binary: a whole, unfragmented, valid text
    /// or binary message with a short length field, nothing of which was seen before. `None` for anything else,
    /// which is told apart without haste.
    #[inline]
    fn whole_message(&self, bytes: &[u8]) -> Result<Option<(usize, usize, bool)>, WebSocketError> {
        let Some(&[first, short, high, low]) = bytes.first_chunk() else {
            return Ok(None);
        };
        let binary = match first {
            TEXT_WHOLE => false,
            BINARY_WHOLE => true,
            _ => return Ok(None),
        };
        let (mut header_bytes, mut length) = (2, usize::from(short));
        if short > 125 {
            (header_bytes, length) = (4, usize::from(u16::from_be_bytes([high, low])));
            if short > 126 || length < 126 {
                return Ok(None);
            }
        }
        if length >= self.whole_bytes_below {
            return Ok(None);
        }
        match bytes[header_bytes..].get(..length) {
            None => Ok(None),
            Some(text) if !binary && !is_text(text) => Err(WebSocketError::Utf8),
            Some(_) => Ok(Some((header_bytes, length, binary))),
        }
    }

    /// Control frames, fragments, long and incomplete frames, and everything that is refused.
    #[inline(never)]
    fn next_unusual<'a>(
        &'a mut self,
        input: &'a mut PlaintextBuffer,
    ) -> Result<Option<WebSocketMessage<'a>>, WebSocketError> {
        let found = self.find_unusual(input)?;
        let midway = self.fragment_kind.is_some() || self.wanted_bytes > 0;
        self.whole_bytes_below = if midway { 0 } else { self.message_bytes_max + 1 };
        found.map(|found| self.hand_out(input, found)).transpose()
    }

    fn find_unusual(&mut self, input: &mut PlaintextBuffer) -> Result<Option<Found>, WebSocketError> {
        loop {
            self.wanted_bytes = 0;
            let Some(header) = self.header(input.unread())? else {
                return Ok(None);
            };
            let frame_bytes = header.header_bytes + header.payload_bytes;
            if input.unread().len() < frame_bytes {
                self.check_partial(input, header)?;
                self.wanted_bytes = frame_bytes;
                return Ok(None);
            }
            let ordinary = header.fin && !header.opcode.is_control() && self.fragment_kind.is_none();
            if ordinary {
                self.check_whole(input, header)?;
                let binary = header.opcode == Opcode::Binary;
                self.pending_bytes = frame_bytes;
                self.pending_frame = header.header_bytes as u8 | if binary { PENDING_BINARY } else { 0 };
                return Ok(Some(Found::Frame(header)));
            }
            if header.opcode.is_control() {
                self.pending_bytes = frame_bytes;
                self.pending_frame = PENDING_CONTROL;
                return Ok(Some(Found::Frame(header)));
            }
            if let Some(found) = self.add_fragment(input, header)? {
                return Ok(Some(found));
            }
        }
    }

    /// What the last call of [`MessageReader::next`] handed out as text or binary message, again: the payload with
    /// its padding, the payload's length, whether it is binary. Nothing, of length zero, if it was anything else.
    #[inline]
    pub fn current<'a>(&'a mut self, input: &'a mut PlaintextBuffer) -> (&'a mut [u8], usize, bool) {
        let binary = self.pending_frame & PENDING_BINARY != 0;
        if self.pending_frame & PENDING_ASSEMBLED != 0 {
            let length = self.assembly_bytes;
            return (&mut self.assembly[..length + PADDING_BYTES], length, binary);
        }
        let header_bytes = usize::from(self.pending_frame & PENDING_HEADER);
        if header_bytes == 0 {
            return (input.padded_mut(0, 0), 0, false);
        }
        let length = self.pending_bytes - header_bytes;
        (input.padded_mut(header_bytes, length), length, binary)
    }

    /// Bytes of the input that the next call drops.
    #[inline]
    const fn held_bytes(&self) -> usize {
        if matches!(self.pending_frame & !PENDING_BINARY, PENDING_NOTHING | PENDING_ASSEMBLED) {
            0
        } else {
            self.pending_bytes
        }
    }

    /// Whether a whole, unfragmented data message lies behind what was handed out. `None`: it needs more bytes;
    /// false: something else lies there, which [`MessageReader::next`] must judge first.
    #[inline]
    #[must_use]
    pub fn is_next_whole(&self, input: &PlaintextBuffer) -> Option<bool> {
        let behind = input.unread().get(self.held_bytes()..)?;
        let first = *behind.first()?;
        if (first != TEXT_WHOLE && first != BINARY_WHOLE) || self.fragment_kind.is_some() {
            return Some(false);
        }
        match self.header(behind) {
            Ok(Some(header)) if behind.len() >= header.header_bytes + header.payload_bytes => Some(true),
            Ok(_) => None,
            Err(_) => Some(false),
        }
    }

    /// The length that the next frame's header announces, for the words of a refusal.
    #[cold]
    #[must_use]
    pub fn announced_bytes(&self, input: &PlaintextBuffer) -> usize {
        let behind = input.unread().get(self.held_bytes()..).unwrap_or_default();
        match behind {
            [_, 127, long @ ..] => long
                .first_chunk::<8>()
                .map_or(0, |long| usize::try_from(u64::from_be_bytes(*long)).unwrap_or(usize::MAX)),
            [_, 126, high, low, ..] => usize::from(u16::from_be_bytes([*high, *low])),
            [_, short, ..] => usize::from(*short),
            _ => 0,
        }
    }

    /// Drops what the last call handed out.
    #[inline]
    fn release(&mut self, input: &mut PlaintextBuffer) {
        if self.pending_frame & PENDING_ASSEMBLED != 0 {
            self.release_assembly();
        } else {
            input.consume(self.pending_bytes);
        }
        self.pending_frame = PENDING_NOTHING;
    }

    #[cold]
    fn release_assembly(&mut self) {
        self.assembly_bytes = 0;
        self.assembly_valid = 0;
        self.fragments = 0;
    }

    #[inline]
    fn hand_out<'a>(
        &'a mut self,
        input: &'a mut PlaintextBuffer,
        found: Found,
    ) -> Result<WebSocketMessage<'a>, WebSocketError> {
        match found {
            Found::Assembled { text } => {
                let length = self.assembly_bytes;
                let padded = &mut self.assembly[..length + PADDING_BYTES];
                Ok(if text {
                    WebSocketMessage::Text { padded, length }
                } else {
                    WebSocketMessage::Binary { padded, length }
                })
            }
            Found::Frame(header) => {
                let (at, length) = (header.header_bytes, header.payload_bytes);
                match header.opcode {
                    Opcode::Text => Ok(WebSocketMessage::Text { padded: input.padded_mut(at, length), length }),
                    Opcode::Binary | Opcode::Continuation => {
                        Ok(WebSocketMessage::Binary { padded: input.padded_mut(at, length), length })
                    }
                    Opcode::Ping => Ok(WebSocketMessage::Ping(&input.unread()[at..at + length])),
                    Opcode::Pong => Ok(WebSocketMessage::Pong(&input.unread()[at..at + length])),
                    Opcode::Close => close_message(&input.unread()[at..at + length]),
                }
            }
        }
    }

    /// Reads a header, `None` while it is incomplete. What is already wrong in its first bytes fails at once.
    #[inline]
    fn header(&self, bytes: &[u8]) -> Result<Option<Header>, WebSocketError> {
        let [first, rest @ ..] = bytes else { return Ok(None) };
        if first & RESERVED != 0 {
            return Err(WebSocketError::ReservedBit);
        }
        let Some(opcode) = Opcode::from_byte(*first) else {
            return Err(WebSocketError::Opcode(first & 0x0f));
        };
        let fin = first & FIN != 0;
        let Some(second) = rest.first() else { return Ok(None) };
        if second & MASKED != 0 {
            return Err(WebSocketError::Masked);
        }
        let short = usize::from(*second);
        if opcode.is_control() && (!fin || short > CONTROL_BYTES_MAX) {
            return Err(WebSocketError::Control);
        }
        let (header_bytes, payload_bytes) = match short {
            0..=125 => (2, short),
            126 => {
                let Some(long) = rest[1..].first_chunk::<2>() else {
                    return Ok(None);
                };
                (4, usize::from(u16::from_be_bytes(*long)))
            }
            _ => {
                let Some(long) = rest[1..].first_chunk::<8>() else {
                    return Ok(None);
                };
                let long = u64::from_be_bytes(*long);
                if long >> 63 != 0 {
                    return Err(WebSocketError::Length);
                }
                (10, usize::try_from(long).map_err(|_| WebSocketError::TooBig)?)
            }
        };
        // RFC 6455, 5.2: "the minimal number of bytes MUST be used to encode the length".
        if (header_bytes == 4 && payload_bytes < 126) || (header_bytes == 10 && payload_bytes < 65_536) {
            return Err(WebSocketError::Length);
        }
        if payload_bytes > self.message_bytes_max {
            return Err(WebSocketError::TooBig);
        }
        if !opcode.is_control() && (opcode == Opcode::Continuation) != self.fragment_kind.is_some() {
            return Err(WebSocketError::Fragment);
        }
        Ok(Some(Header { fin, opcode, header_bytes, payload_bytes }))
    }

    /// A whole message's text must be UTF-8, including what an earlier call has seen of it.
    #[inline]
    fn check_whole(&mut self, input: &PlaintextBuffer, header: Header) -> Result<(), WebSocketError> {
        let valid = core::mem::take(&mut self.partial_valid);
        if header.opcode != Opcode::Text {
            return Ok(());
        }
        let text = &input.unread()[header.header_bytes + valid..header.header_bytes + header.payload_bytes];
        if is_text(text) { Ok(()) } else { Err(WebSocketError::Utf8) }
    }

    /// Fails as soon as the part of a frame that is here cannot become valid text.
    #[cold]
    #[inline(never)]
    fn check_partial(&mut self, input: &PlaintextBuffer, header: Header) -> Result<(), WebSocketError> {
        let Some(payload) = input.unread().get(header.header_bytes..) else {
            return Ok(());
        };
        match (header.opcode, self.fragment_kind) {
            (Opcode::Text, _) => {
                self.partial_valid += valid_prefix(&payload[self.partial_valid..])?;
                Ok(())
            }
            (Opcode::Continuation, Some(Opcode::Text)) => {
                // The last character may have begun in an earlier fragment: judge both together.
                let open = self.assembly_bytes - self.assembly_valid;
                let mut joined = [0u8; 8];
                let head = payload.len().min(4);
                joined[..open].copy_from_slice(&self.assembly[self.assembly_valid..self.assembly_bytes]);
                joined[open..open + head].copy_from_slice(&payload[..head]);
                let valid = valid_prefix(&joined[..open + head])?;
                if valid >= open && payload.len() > valid - open {
                    valid_prefix(&payload[valid - open..])?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Puts one fragment behind the others; `Some` when the message is complete.
    #[cold]
    #[inline(never)]
    fn add_fragment(&mut self, input: &mut PlaintextBuffer, header: Header) -> Result<Option<Found>, WebSocketError> {
        let kind = *self.fragment_kind.get_or_insert(header.opcode);
        self.partial_valid = 0;
        self.fragments += 1;
        let end = self.assembly_bytes + header.payload_bytes;
        if end > self.message_bytes_max || self.fragments > FRAGMENTS_MAX {
            return Err(WebSocketError::TooBig);
        }
        let payload = &input.unread()[header.header_bytes..header.header_bytes + header.payload_bytes];
        self.assembly[self.assembly_bytes..end].copy_from_slice(payload);
        self.assembly_bytes = end;
        input.consume(header.header_bytes + header.payload_bytes);
        if kind == Opcode::Text {
            self.assembly_valid += valid_prefix(&self.assembly[self.assembly_valid..end])?;
            if header.fin && self.assembly_valid != end {
                return Err(WebSocketError::Utf8);
            }
        }
        if !header.fin {
            return Ok(None);
        }
        self.fragment_kind = None;
        let binary = kind == Opcode::Binary;
        self.pending_frame = PENDING_ASSEMBLED | if binary { PENDING_BINARY } else { 0 };
        Ok(Some(Found::Assembled { text: kind == Opcode::Text }))
    }
}

/// Reads a close frame's payload (RFC 6455, 5.5.1 and 7.4).
fn close_message(payload: &[u8]) -> Result<WebSocketMessage<'_>, WebSocketError> {
    match payload {
        [] => Ok(WebSocketMessage::Close { code: None, reason: &[] }),
        [_] => Err(WebSocketError::Close),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                return Err(WebSocketError::Close);
            }
            if core::str::from_utf8(reason).is_err() {
                return Err(WebSocketError::Utf8);
            }
            Ok(WebSocketMessage::Close { code: Some(code), reason })
        }
    }
}
