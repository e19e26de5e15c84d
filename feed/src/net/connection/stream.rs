//! HOT: plaintext in, frames out: our record layer where TLS 1.3 with AES-GCM was agreed on, rustls otherwise.

use std::io::{self, Read, Write};

use super::ConnectionError;
use super::masks::Masks;
use super::outgoing::Outgoing;
use super::rustls_session::RustlsSession;
use crate::frame_buffer::{FrameBuffer, PAYLOAD_BYTES_MAX, PlacedPayload};
use crate::net::connection::handover::RustlsKeySchedule;
use crate::record::{HEADER_BYTES, Opened, PLAINTEXT_BYTES_MAX, PlaintextBuffer, RecordLayer, TAG_BYTES};
use crate::websocket::{CLIENT_HEADER_BYTES_MAX, Opcode, write_frame};

/// Who opens and seals records.
enum TlsPath {
    /// rustls: the handshake, or a whole connection with another cipher.
    Rustls(Box<RustlsSession>),
    /// Ours.
    Direct(Box<RecordLayer<RustlsKeySchedule>>),
    /// Between the two; never seen from outside.
    Switching,
}

/// One connection's bytes between the socket and its messages.
pub(super) struct Stream {
    path: TlsPath,
    /// Decrypted and not yet consumed.
    pub(super) plaintext: PlaintextBuffer,
    frame: FrameBuffer,
    outgoing: Outgoing,
    masks: Masks,
}

impl Stream {
    pub(super) fn new(session: RustlsSession, message_bytes_max: usize) -> Result<Stream, ConnectionError> {
        Ok(Stream {
            path: TlsPath::Rustls(Box::new(session)),
            plaintext: PlaintextBuffer::new(message_bytes_max),
            frame: FrameBuffer::new(),
            outgoing: Outgoing::new(),
            masks: Masks::new()?,
        })
    }

    /// Asks for the keys, and for where the next record and its plaintext go.
    pub(super) fn warm(&self) {
        if let TlsPath::Direct(layer) = &self.path {
            layer.warm();
        }
        self.plaintext.warm();
    }

    /// Whether our own record layer is at work.
    pub(super) const fn is_direct(&self) -> bool {
        matches!(self.path, TlsPath::Direct(_))
    }

    /// Bytes that the socket took.
    pub(super) const fn sent(&self) -> u64 {
        self.outgoing.sent()
    }

    /// Cycle counter just before the newest record was offered to the socket.
    pub(super) const fn written_tsc(&self) -> u64 {
        self.outgoing.written_tsc()
    }

    /// Bytes that the socket has not taken yet.
    #[inline]
    pub(super) fn waiting(&self) -> usize {
        self.outgoing.waiting()
    }

    /// Reads once from the socket.
    #[inline]
    pub(super) fn receive(&mut self, socket: &mut impl Read) -> io::Result<usize> {
        match &mut self.path {
            TlsPath::Direct(layer) => {
                let received = socket.read(layer.receive_space())?;
                layer.received(received);
                Ok(received)
            }
            TlsPath::Rustls(session) => {
                let received = socket.read(session.receive_space())?;
                session.received(received);
                Ok(received)
            }
            TlsPath::Switching => Ok(0),
        }
    }

    /// Opens what was received until there is data; `bytes` of it, where it is known that fewer are of no use.
    #[inline]
    pub(super) fn open(&mut self, bytes: usize) -> Result<Opened, ConnectionError> {
        match &mut self.path {
            TlsPath::Direct(layer) => loop {
                match layer.open_until(&mut self.plaintext, bytes) {
                    Ok(Opened::Control) => move_control(layer, &mut self.outgoing),
                    Ok(opened) => return Ok(opened),
                    Err(error) => {
                        move_control(layer, &mut self.outgoing);
                        return Err(ConnectionError::Record(error));
                    }
                }
            },
            TlsPath::Rustls(session) => session.process(&mut self.plaintext, &mut self.outgoing),
            TlsPath::Switching => Err(ConnectionError::Ended),
        }
    }

    /// Sends one frame; what the socket does not take now waits.
    #[inline]
    pub(super) fn send(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        socket: &mut impl Write,
    ) -> Result<bool, ConnectionError> {
        let mask = self.masks.next()?;
        if let TlsPath::Direct(layer) = &mut self.path
            && payload.len() <= PAYLOAD_BYTES_MAX
        {
            self.frame.payload()[..payload.len()].copy_from_slice(payload);
            let record = self.frame.seal(layer, opcode, payload.len(), mask).map_err(ConnectionError::Record)?;
            // Sealed before this record, and to leave before it: a key update, an alert.
            move_control(layer, &mut self.outgoing);
            return self.outgoing.send(record, socket).map_err(ConnectionError::from_socket);
        }
        self.send_in_parts(opcode, payload, mask, socket)
    }

    /// The same for a payload that is masked and sealed where it lies.
    #[inline]
    pub(super) fn send_placed(
        &mut self,
        opcode: Opcode,
        payload: PlacedPayload<'_>,
        socket: &mut impl Write,
    ) -> Result<bool, ConnectionError> {
        let mask = self.masks.next()?;
        if let TlsPath::Direct(layer) = &mut self.path
            && payload.len() <= PAYLOAD_BYTES_MAX
        {
            let record = payload.seal(layer, opcode, mask).map_err(ConnectionError::Record)?;
            move_control(layer, &mut self.outgoing);
            return self.outgoing.send(record, socket).map_err(ConnectionError::from_socket);
        }
        self.send_in_parts(opcode, &payload, mask, socket)
    }

    /// A frame that needs several records, or whose records rustls seals.
    #[cold]
    fn send_in_parts(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        mask: [u8; 4],
        socket: &mut impl Write,
    ) -> Result<bool, ConnectionError> {
        let mut frame = vec![0; CLIENT_HEADER_BYTES_MAX + payload.len()]; // cold: large, or not our record layer
        let length = write_frame(&mut frame, opcode, payload, mask).unwrap_or(0);
        self.append_plain(&frame[..length])?;
        self.flush(socket)
    }

    /// Seals bytes as they are, to leave with the next flush.
    // cold: the upgrade request, and large frames
    pub(super) fn append_plain(&mut self, bytes: &[u8]) -> Result<(), ConnectionError> {
        match &mut self.path {
            TlsPath::Direct(layer) => {
                let mut record = vec![0; HEADER_BYTES + bytes.len().min(PLAINTEXT_BYTES_MAX) + 1 + TAG_BYTES];
                for part in bytes.chunks(PLAINTEXT_BYTES_MAX) {
                    record[HEADER_BYTES..HEADER_BYTES + part.len()].copy_from_slice(part);
                    let total = layer.seal_data(&mut record, part.len()).map_err(ConnectionError::Record)?;
                    move_control(layer, &mut self.outgoing);
                    self.outgoing.append(&record[..total]);
                }
                Ok(())
            }
            TlsPath::Rustls(session) => session.send(bytes, &mut self.plaintext, &mut self.outgoing),
            TlsPath::Switching => Err(ConnectionError::Ended),
        }
    }

    /// Hands the socket what waits. True when nothing is left.
    #[inline]
    pub(super) fn flush(&mut self, socket: &mut impl Write) -> Result<bool, ConnectionError> {
        if let TlsPath::Direct(layer) = &mut self.path {
            move_control(layer, &mut self.outgoing);
        }
        self.outgoing.flush(socket).map_err(ConnectionError::from_socket)
    }

    /// Says close_notify as far as the socket takes it.
    #[cold]
    pub(super) fn close(&mut self, socket: &mut impl Write) {
        match &mut self.path {
            TlsPath::Direct(layer) => {
                // Without room for it the connection just ends.
                let _ = layer.close();
                move_control(layer, &mut self.outgoing);
            }
            TlsPath::Rustls(session) => session.close(&mut self.plaintext, &mut self.outgoing),
            TlsPath::Switching => {}
        }
        let _ = self.outgoing.flush(socket);
    }

    /// Whether the handshake is complete; from then on, if the cipher suits it, our record layer is at work.
    // cold: once a connection
    pub(super) fn is_secured(&mut self) -> Result<bool, ConnectionError> {
        match std::mem::replace(&mut self.path, TlsPath::Switching) {
            TlsPath::Rustls(session) if !session.is_handshaking() && session.suits_record_layer() => {
                self.path = TlsPath::Direct(Box::new(session.into_record_layer()?));
                Ok(true)
            }
            TlsPath::Rustls(session) => {
                let secured = !session.is_handshaking();
                self.path = TlsPath::Rustls(session);
                Ok(secured)
            }
            path => {
                self.path = path;
                Ok(true)
            }
        }
    }
}

/// Takes the record layer's own messages over, behind what was sealed before them.
#[inline]
fn move_control(layer: &mut RecordLayer<RustlsKeySchedule>, outgoing: &mut Outgoing) {
    let control = layer.control_output();
    if !control.is_empty() {
        outgoing.append(control);
        let taken = control.len();
        layer.control_taken(taken);
    }
}
