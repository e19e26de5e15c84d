//! COLD: the message reader against tungstenite on a server's bytes, whatever they are and however they are cut.

use std::io::{self, Read, Write};

use spinbook_feed::record::PlaintextBuffer;
use spinbook_feed::websocket::{MessageReader, WebSocketError, WebSocketMessage};
use tungstenite::WebSocket;
use tungstenite::error::{CapacityError, ProtocolError};
use tungstenite::protocol::{Role, WebSocketConfig};

use super::Script;

/// Largest message, for both.
const MESSAGE_MAX: usize = 70_000;

/// One message as either sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, Vec<u8>)>),
}

/// The server's bytes, and then nothing until more come.
struct Wire<'a>(&'a [u8]);

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.0.read(buffer)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn theirs(bytes: &[u8]) -> (Vec<Seen>, Option<tungstenite::Error>) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_MAX))
        .max_frame_size(Some(MESSAGE_MAX))
        .read_buffer_size(4096);
    let mut socket = WebSocket::from_raw_socket(Wire(bytes), Role::Client, Some(config));
    let mut seen = Vec::new();
    loop {
        match socket.read() {
            Ok(tungstenite::Message::Text(text)) => seen.push(Seen::Text(text.as_bytes().to_vec())),
            Ok(tungstenite::Message::Binary(bytes)) => seen.push(Seen::Binary(bytes.to_vec())),
            Ok(tungstenite::Message::Ping(bytes)) => seen.push(Seen::Ping(bytes.to_vec())),
            Ok(tungstenite::Message::Pong(bytes)) => seen.push(Seen::Pong(bytes.to_vec())),
            Ok(tungstenite::Message::Close(frame)) => {
                seen.push(Seen::Close(frame.map(|frame| (frame.code.into(), frame.reason.as_bytes().to_vec()))));
                return (seen, None);
            }
            Ok(tungstenite::Message::Frame(_)) => unreachable!("raw frames are not asked for"),
            Err(tungstenite::Error::Io(why)) if why.kind() == io::ErrorKind::WouldBlock => return (seen, None),
            Err(error) => return (seen, Some(error)),
        }
    }
}

fn ours(bytes: &[u8], piece: usize) -> (Vec<Seen>, Option<WebSocketError>) {
    let mut reader = MessageReader::new(MESSAGE_MAX);
    let mut input = PlaintextBuffer::new(MESSAGE_MAX);
    let mut seen = Vec::new();
    for part in bytes.chunks(piece) {
        assert_eq!(input.append(part), part.len(), "there is room for any one message");
        loop {
            match reader.next(&mut input) {
                Ok(None) => break,
                Ok(Some(WebSocketMessage::Text { padded, length })) => seen.push(Seen::Text(padded[..length].to_vec())),
                Ok(Some(WebSocketMessage::Binary { padded, length })) => {
                    seen.push(Seen::Binary(padded[..length].to_vec()))
                }
                Ok(Some(WebSocketMessage::Ping(payload))) => seen.push(Seen::Ping(payload.to_vec())),
                Ok(Some(WebSocketMessage::Pong(payload))) => seen.push(Seen::Pong(payload.to_vec())),
                Ok(Some(WebSocketMessage::Close { code, reason })) => {
                    seen.push(Seen::Close(code.map(|code| (code, reason.to_vec()))));
                    return (seen, None);
                }
                Err(error) => return (seen, Some(error)),
            }
            reader.check();
            input.check();
            again(&mut reader, &mut input, seen.last());
        }
        assert_ne!(reader.is_next_whole(&input), Some(true), "whole messages were all handed out");
    }
    (seen, None)
}

/// What was handed out can be had a second time.
fn again(reader: &mut MessageReader, input: &mut PlaintextBuffer, last: Option<&Seen>) {
    let (padded, length, binary) = reader.current(input);
    match last {
        Some(Seen::Text(text)) => assert!(!binary && padded[..length] == text[..]),
        Some(Seen::Binary(bytes)) => assert!(binary && padded[..length] == bytes[..]),
        _ => assert_eq!(length, 0),
    }
}

/// The first two bytes say how reads cut the rest.
pub fn check(data: &[u8]) {
    let mut script = Script(data);
    let piece = 1 + script.number() % 3_000;
    let bytes = script.0;
    let (our_messages, our_error) = ours(bytes, piece);
    let (whole_messages, whole_error) = ours(bytes, 60_000);
    assert_eq!((&our_messages, our_error), (&whole_messages, whole_error), "cuts change nothing");
    let (their_messages, their_error) = theirs(bytes);
    match our_error {
        None => {
            assert_eq!(our_messages, their_messages, "{their_error:?}");
            assert!(their_error.is_none() || is_stricter(&their_error), "they refuse: {their_error:?}");
        }
        // tungstenite takes lengths that are written longer than need be (of control frames, too), judges text when its frame is whole, and answers
        // a malformed close frame instead of refusing it.
        Some(WebSocketError::Length | WebSocketError::Control) => assert!(their_messages.starts_with(&our_messages)),
        Some(WebSocketError::Close | WebSocketError::Utf8) if matches!(their_messages.last(), Some(Seen::Close(_))) => {
            assert_eq!(our_messages[..], their_messages[..their_messages.len() - 1]);
        }
        Some(_) => assert_eq!(our_messages, their_messages, "we refuse {our_error:?}, they {their_error:?}"),
    }
}

/// What tungstenite says where we do not refuse yet or at all.
fn is_stricter(error: &Option<tungstenite::Error>) -> bool {
    matches!(
        error,
        Some(
            tungstenite::Error::Capacity(CapacityError::MessageTooLong { .. })
                | tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
        )
    )
}
