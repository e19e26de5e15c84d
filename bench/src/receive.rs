//! COLD: bytes of the socket to messages in hand: our record layer, the bare cipher, tungstenite on rustls.
//!
//! All of it in memory. Every contender copies each read out of the wire's bytes into its own buffer first, as the
//! kernel would, and has a server of its own, since keys and record numbers belong to a connection.

use std::io::{self, Write};

use aws_lc_rs::aead::Aad;
use rustls::{ClientConnection, ServerConnection};
use spinbook_feed::net::connection::handover::RustlsKeySchedule;
use spinbook_feed::record::{Opened, PlaintextBuffer, RecordLayer};
use spinbook_feed::websocket::{MessageReader, WebSocketMessage};
use tungstenite::WebSocket;
use tungstenite::protocol::{Role, WebSocketConfig};

use crate::clock::{CycleClock, start, stop};
use crate::contest::{Contest, in_turns};
use crate::tls::{BareKey, Endpoints, Stream, take};

/// Largest message taken, for every contender.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Read buffer sizes that tungstenite is measured with; its best one counts. The last is its default.
pub const PEER_BUFFERS: [usize; 5] = [2 * 1024, 4 * 1024, 16 * 1024, 64 * 1024, 128 * 1024];

/// How frames lie in records, and records in reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordLayout {
    /// As printed.
    pub name: &'static str,
    /// Payload of a frame, in bytes.
    pub frame_bytes: usize,
    /// Frames in a round.
    pub frames: usize,
    /// The most plaintext in a record: longer frames span several.
    pub record_bytes_max: usize,
    /// Records in a read.
    pub records_per_read: usize,
}

const fn layout(name: &'static str, frame_bytes: usize, frames: usize, record: usize, records: usize) -> RecordLayout {
    RecordLayout { name, frame_bytes, frames, record_bytes_max: record, records_per_read: records }
}

/// What is measured.
pub const LAYOUTS: [RecordLayout; 6] = [
    layout("200 B", 200, 256, 16_384, 1),
    layout("1 KB", 1_000, 128, 16_384, 1),
    layout("8 KB", 8_000, 32, 16_384, 1),
    layout("200 B, 8 records a read", 200, 256, 16_384, 8),
    layout("8 KB over 1400 B records", 8_000, 32, 1_400, 6),
    layout("40 KB over 16 KiB records", 40_000, 8, 16_384, 3),
];

/// What arrived, so that no work is optimised away and every contender is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages.
    pub messages: usize,
    /// Bytes of payload.
    pub bytes: usize,
    sum: u64,
}

impl Tally {
    #[inline]
    fn message(&mut self, payload: &[u8]) {
        self.messages += 1;
        self.bytes += payload.len();
        let ends = payload.first().zip(payload.last());
        self.sum = self.sum.wrapping_add(ends.map_or(0, |(first, last)| u64::from(*first) + u64::from(*last)));
    }
}

/// One way to receive.
pub trait Receiver {
    /// Takes what one read of the socket gave, whole records, and counts its messages.
    fn read(&mut self, bytes: &[u8], tally: &mut Tally);

    /// Takes the reads `wire[..ends[0]]`, `wire[ends[0]..ends[1]]` and so on.
    #[inline]
    fn receive(&mut self, wire: &[u8], ends: &[usize]) -> Tally {
        let (mut tally, mut from) = (Tally::default(), 0);
        for &end in ends {
            self.read(&wire[from..end], &mut tally);
            from = end;
        }
        tally
    }
}

/// The cipher alone, the yardstick: every contender must do this much. Looks at no frame.
pub struct Bare {
    key: BareKey,
    buffer: Box<[u8]>,
}

impl Receiver for Bare {
    #[inline]
    fn read(&mut self, bytes: &[u8], tally: &mut Tally) {
        self.buffer[..bytes.len()].copy_from_slice(bytes);
        let mut rest = &mut self.buffer[..bytes.len()];
        while rest.len() > 5 {
            let bytes = usize::from(u16::from_be_bytes([rest[3], rest[4]]));
            let (record, behind) = rest.split_at_mut(5 + bytes);
            let (header, body) = record.split_at_mut(5);
            let (text, tag) = body.split_at_mut(bytes - 16);
            let nonce = self.key.nonce();
            let opened = self.key.key.open_in_place_separate_tag(nonce, Aad::from(&*header), tag, text);
            tally.message(opened.expect("the server's record"));
            rest = behind;
        }
    }
}

/// Our record layer and message reader.
pub struct OurReceiver {
    layer: RecordLayer<RustlsKeySchedule>,
    plaintext: PlaintextBuffer,
    reader: MessageReader,
}

impl OurReceiver {
    /// Over a layer whose handshake is complete.
    #[must_use]
    pub fn new(layer: RecordLayer<RustlsKeySchedule>) -> OurReceiver {
        OurReceiver {
            layer,
            plaintext: PlaintextBuffer::new(MESSAGE_BYTES_MAX),
            reader: MessageReader::new(MESSAGE_BYTES_MAX),
        }
    }
}

impl Receiver for OurReceiver {
    #[inline]
    fn read(&mut self, bytes: &[u8], tally: &mut Tally) {
        self.layer.receive_space()[..bytes.len()].copy_from_slice(bytes);
        self.layer.received(bytes.len());
        let (layer, plaintext) = (&mut self.layer, &mut self.plaintext);
        while layer.open_until(plaintext, self.reader.wanted_bytes()).expect("the server's record") != Opened::NeedMore
        {
            while let Some(message) = self.reader.next(plaintext).expect("a sound frame") {
                if let WebSocketMessage::Text { padded, length } = message {
                    tally.message(&padded[..length]);
                }
            }
        }
    }
}

/// Our record layer alone: what the message reader adds is seen beside it. Looks at no frame.
struct OurRecords {
    layer: RecordLayer<RustlsKeySchedule>,
    plaintext: PlaintextBuffer,
}

impl Receiver for OurRecords {
    #[inline]
    fn read(&mut self, bytes: &[u8], tally: &mut Tally) {
        self.layer.receive_space()[..bytes.len()].copy_from_slice(bytes);
        self.layer.received(bytes.len());
        while self.layer.open_next(&mut self.plaintext).expect("the server's record") != Opened::NeedMore {
            tally.message(self.plaintext.unread());
            let unread = self.plaintext.unread().len();
            self.plaintext.consume(unread);
        }
    }
}

/// tungstenite over rustls.
pub struct PeerReceiver {
    websocket: WebSocket<Stream>,
}

impl PeerReceiver {
    fn new(client: ClientConnection, read_buffer_bytes: usize) -> PeerReceiver {
        let config = WebSocketConfig::default()
            .read_buffer_size(read_buffer_bytes)
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        PeerReceiver { websocket: WebSocket::from_raw_socket(Stream(client), Role::Client, Some(config)) }
    }

    #[inline]
    fn take_messages(&mut self, tally: &mut Tally) {
        loop {
            match self.websocket.read() {
                Ok(tungstenite::Message::Text(text)) => tally.message(text.as_bytes()),
                Ok(_) => {}
                Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

impl Receiver for PeerReceiver {
    #[inline]
    fn read(&mut self, mut bytes: &[u8], tally: &mut Tally) {
        while !bytes.is_empty() {
            let tls = &mut self.websocket.get_mut().0;
            tls.read_tls(&mut bytes).expect("memory gives all");
            tls.process_new_packets().expect("the server's record");
            // rustls takes a few records at a time and no more until they were read.
            self.take_messages(tally);
        }
    }
}

/// A receiver with its server.
pub struct ReceiveLine {
    /// As printed in tables.
    pub name: String,
    receiver: Box<dyn Receiver>,
    server: ServerConnection,
    wire: Vec<u8>,
    ends: Vec<usize>,
}

impl ReceiveLine {
    fn new(name: impl Into<String>, receiver: impl Receiver + 'static, server: ServerConnection) -> ReceiveLine {
        ReceiveLine { name: name.into(), receiver: Box::new(receiver), server, wire: Vec::new(), ends: Vec::new() }
    }

    /// Has the server seal a round's frames; not timed.
    ///
    /// # Panics
    /// If the TLS library refuses to seal.
    pub fn seal(&mut self, layout: RecordLayout) {
        self.wire.clear();
        self.ends.clear();
        let frame = server_frame(&payload(layout.frame_bytes));
        let mut records = 0;
        for _ in 0..layout.frames {
            for part in frame.chunks(layout.record_bytes_max) {
                self.server.writer().write_all(part).expect("memory takes all");
                take(&mut self.server, &mut self.wire);
                records += 1;
                if records % layout.records_per_read == 0 {
                    self.ends.push(self.wire.len());
                }
            }
        }
        if self.ends.last() != Some(&self.wire.len()) {
            self.ends.push(self.wire.len());
        }
    }

    /// Receives what was sealed; to be timed.
    #[inline]
    pub fn receive(&mut self) -> Tally {
        self.receiver.receive(&self.wire, &self.ends)
    }
}

/// A server's text frame.
#[must_use]
pub fn server_frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x81];
    match payload.len() {
        bytes @ 0..=125 => frame.push(bytes as u8),
        bytes @ 126..=65_535 => {
            frame.push(126);
            frame.extend((bytes as u16).to_be_bytes());
        }
        bytes => {
            frame.push(127);
            frame.extend((bytes as u64).to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}

/// Text as feeds have it: quotes, digits and brackets.
#[must_use]
pub fn payload(bytes: usize) -> Vec<u8> {
    br#"["61234.50","0.012"],"#.iter().copied().cycle().take(bytes).collect()
}

/// The bare cipher, ours, our record layer alone, and tungstenite on rustls with each of its buffer sizes, in this order.
#[must_use]
pub fn lines() -> Vec<ReceiveLine> {
    let endpoints = Endpoints::new();
    let (key, _, server) = endpoints.bare();
    let buffer = vec![0; 1 << 16].into_boxed_slice();
    let mut lines = vec![ReceiveLine::new("bare AES-128-GCM", Bare { key, buffer }, server)];
    let (layer, server) = endpoints.ours();
    lines.push(ReceiveLine::new("Spinbook record layer + reader", OurReceiver::new(layer), server));
    let (layer, server) = endpoints.ours();
    let plaintext = PlaintextBuffer::new(MESSAGE_BYTES_MAX);
    lines.push(ReceiveLine::new("Spinbook record layer alone", OurRecords { layer, plaintext }, server));
    for bytes in PEER_BUFFERS {
        let (client, server) = endpoints.buffered();
        let name = format!("tungstenite + rustls, {} KiB", bytes / 1024);
        lines.push(ReceiveLine::new(name, PeerReceiver::new(client, bytes), server));
    }
    lines
}

/// Lets all lines receive `rounds` rounds in turns: ns a message of the bare cipher, ours, our record layer alone, and
/// the peers.
///
/// # Panics
/// If a contender loses a message.
#[must_use]
pub fn measure(layout: RecordLayout, rounds: usize) -> Contest {
    let mut lines = lines();
    let clock = CycleClock::calibrated();
    // The first rounds warm caches, branch predictors and the contenders' buffers.
    let values = in_turns(lines.len(), 3, rounds, |who| {
        let line = &mut lines[who];
        line.seal(layout);
        let begun = start();
        let tally = line.receive();
        let ticks = stop() - begun;
        // The cipher and the record layer alone look at no frame.
        if who != 0 && who != 2 {
            assert_eq!(tally.messages, layout.frames, "{}", line.name);
            assert_eq!(tally.bytes, layout.frames * layout.frame_bytes, "{}", line.name);
        }
        core::hint::black_box(tally);
        (clock.ns(ticks) - clock.pair_ns) / layout.frames as f64
    });
    Contest::of(layout.name, lines.into_iter().map(|line| line.name).collect(), values, 3)
}
