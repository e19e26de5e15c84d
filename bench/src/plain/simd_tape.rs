//! COLD: simd-json's tape, kept between frames and walked by hand: the fastest way to use that crate.

use simd_json::{Buffers, Node, StaticNode, Tape, fill_tape_padded};
use spinbook_engine::types::Level;

use super::PlainDecoder;
use super::message::{Increments, MessageKind, PlainError, PlainMessage, kind_of};

/// simd-json without serde: padded input, kept buffers, kept tape, nodes read in order.
pub struct SimdJsonTape {
    increments: Increments,
    buffers: Buffers,
    tape: Option<Tape<'static>>,
}

impl SimdJsonTape {
    /// With empty buffers that grow to the largest frame.
    #[must_use]
    pub fn new(increments: Increments) -> SimdJsonTape {
        SimdJsonTape { increments, buffers: Buffers::default(), tape: None }
    }
}

/// The nodes of one JSON value, itself included.
#[inline]
fn span(node: &Node<'_>) -> usize {
    match node {
        Node::Object { count, .. } | Node::Array { count, .. } => count + 1,
        Node::String(_) | Node::Static(_) => 1,
    }
}

#[inline]
fn integer(node: &Node<'_>) -> Result<u64, PlainError> {
    match node {
        Node::Static(StaticNode::U64(value)) => Ok(*value),
        Node::Static(StaticNode::I64(value)) => u64::try_from(*value).map_err(|_| PlainError::Json),
        _ => Err(PlainError::Json),
    }
}

#[inline]
fn text<'a>(node: &Node<'a>) -> Result<&'a str, PlainError> {
    match node {
        Node::String(text) => Ok(text),
        _ => Err(PlainError::Json),
    }
}

/// The fields of the envelope's `data` object: the nodes behind its opening and how many keys there are.
#[inline]
fn data_of<'t, 'a>(nodes: &'t [Node<'a>]) -> Result<(&'t [Node<'a>], usize), PlainError> {
    let Some(Node::Object { len, .. }) = nodes.first() else {
        return Err(PlainError::Json);
    };
    let mut rest = &nodes[1..];
    for _ in 0..*len {
        let [key, value, ..] = rest else {
            return Err(PlainError::Json);
        };
        if text(key)? == "data" {
            let Node::Object { len, .. } = value else {
                return Err(PlainError::Json);
            };
            return Ok((&rest[2..], *len));
        }
        rest = rest.get(1 + span(value)..).ok_or(PlainError::Json)?;
    }
    Err(PlainError::Json)
}

/// The levels of one side. An array of two strings is three nodes, so every level has its place.
#[inline]
fn levels(increments: Increments, nodes: &[Node<'_>], out: &mut Vec<Level>) -> Result<(), PlainError> {
    let Some(Node::Array { len, count }) = nodes.first() else {
        return Err(PlainError::Json);
    };
    out.clear();
    out.reserve(*len);
    let entries = nodes.get(1..count + 1).ok_or(PlainError::Json)?;
    if entries.len() != 3 * len {
        return Err(PlainError::Json);
    }
    for entry in entries.chunks_exact(3) {
        let [Node::Array { len: 2, .. }, Node::String(price), Node::String(quantity)] = entry else {
            return Err(PlainError::Json);
        };
        out.push(increments.level(price, quantity)?);
    }
    Ok(())
}

fn depth(increments: Increments, nodes: &[Node<'_>], message: &mut PlainMessage) -> Result<(), PlainError> {
    let (mut rest, keys) = data_of(nodes)?;
    message.kind = MessageKind::Depth;
    message.previous = 0;
    let mut seen = 0u32;
    for _ in 0..keys {
        let [key, value, ..] = rest else {
            return Err(PlainError::Json);
        };
        match text(key)? {
            "E" => message.event_time_ms = integer(value)?,
            "U" => message.first = integer(value)?,
            "u" => message.last = integer(value)?,
            "pu" => message.previous = integer(value)?,
            "b" => levels(increments, &rest[1..], &mut message.bids)?,
            "a" => levels(increments, &rest[1..], &mut message.asks)?,
            _ => seen = seen.wrapping_sub(1),
        }
        seen = seen.wrapping_add(1);
        rest = rest.get(1 + span(value)..).ok_or(PlainError::Json)?;
    }
    if seen >= 5 { Ok(()) } else { Err(PlainError::Json) }
}

fn touch(increments: Increments, nodes: &[Node<'_>], message: &mut PlainMessage) -> Result<(), PlainError> {
    let (mut rest, keys) = data_of(nodes)?;
    message.start_touch(0, 0);
    let (mut bid, mut ask) = (("", ""), ("", ""));
    for _ in 0..keys {
        let [key, value, ..] = rest else {
            return Err(PlainError::Json);
        };
        match text(key)? {
            "u" => message.last = integer(value)?,
            "E" => message.event_time_ms = integer(value)?,
            "b" => bid.0 = text(value)?,
            "B" => bid.1 = text(value)?,
            "a" => ask.0 = text(value)?,
            "A" => ask.1 = text(value)?,
            _ => {}
        }
        rest = rest.get(1 + span(value)..).ok_or(PlainError::Json)?;
    }
    message.bids.push(increments.level(bid.0, bid.1)?);
    message.asks.push(increments.level(ask.0, ask.1)?);
    Ok(())
}

impl PlainDecoder for SimdJsonTape {
    fn name(&self) -> &'static str {
        "simd-json tape, kept"
    }

    fn decode(&mut self, padded: &mut [u8], length: usize, message: &mut PlainMessage) -> Result<(), PlainError> {
        let kind = kind_of(&padded[..length]);
        if kind == MessageKind::Other {
            message.start_other();
            return Ok(());
        }
        let mut tape = self.tape.take().unwrap_or_else(|| Tape(Vec::new())).reset();
        let filled = fill_tape_padded(padded, length, &mut self.buffers, &mut tape).map_err(|_| PlainError::Json);
        let written = filled.and_then(|()| match kind {
            MessageKind::Depth => depth(self.increments, &tape.0, message),
            _ => touch(self.increments, &tape.0, message),
        });
        self.tape = Some(tape.reset());
        written
    }
}
