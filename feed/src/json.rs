//! HOT: simd-json's scratch, kept between frames, and a walk over its tape that never allocates once warm.
//!
//! simd-json changes its input (it unescapes strings in place), so a scanner or a recorder that wants the bytes looks first.

use simd_json::{Buffers, Node, StaticNode, Tape};

use crate::error::DecodeError;

/// Deepest nesting that a venue's message may have.
pub const DEPTH_MAX: usize = 32;
/// Bytes that simd-json wants behind the document.
pub const PADDING: usize = simd_json::INPUT_PADDING;

/// Buffers of the general decoder, reused for every frame.
pub struct JsonScratch {
    buffers: Buffers,
    tape: Option<Tape<'static>>,
}

impl core::fmt::Debug for JsonScratch {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.write_str("JsonScratch")
    }
}

impl JsonScratch {
    /// Buffers for documents of about `bytes`; a longer one makes them grow once.
    #[must_use]
    pub fn new(bytes: usize) -> JsonScratch {
        let nodes = bytes / 4;
        JsonScratch { buffers: Buffers::with_max_depth(bytes, DEPTH_MAX), tape: Some(Tape(Vec::with_capacity(nodes))) }
    }

    /// Parses `buffer[..length]` and hands the document to `read`.
    ///
    /// # Errors
    /// [`DecodeError::Json`] if it is no single JSON document or the padding is missing; else what `read` says.
    pub fn parse<T>(
        &mut self,
        buffer: &mut [u8],
        length: usize,
        read: impl FnOnce(Value<'_, '_>) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let mut tape = self.tape.take().map_or_else(|| Tape(Vec::new()), Tape::reset);
        let parsed = simd_json::fill_tape_padded(buffer, length, &mut self.buffers, &mut tape);
        let result = match parsed {
            Ok(()) => read(Value { nodes: &tape.0 }),
            Err(_) => Err(DecodeError::Json),
        };
        self.tape = Some(tape.reset());
        result
    }
}

/// A JSON value: the part of the tape from its own node on.
#[derive(Clone, Copy, Debug)]
pub struct Value<'tape, 'input> {
    nodes: &'tape [Node<'input>],
}

impl<'tape, 'input> Value<'tape, 'input> {
    /// Nodes this value takes on the tape.
    #[inline]
    fn span(&self) -> usize {
        match self.nodes.first() {
            Some(Node::Object { count, .. } | Node::Array { count, .. }) => count + 1,
            Some(_) => 1,
            None => 0,
        }
    }

    /// The string, if it is one.
    #[inline]
    #[must_use]
    pub fn string(&self) -> Option<&'input str> {
        match self.nodes.first() {
            Some(Node::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The non-negative whole number, if it is one.
    #[inline]
    #[must_use]
    pub fn unsigned(&self) -> Option<u64> {
        match self.nodes.first() {
            Some(Node::Static(StaticNode::U64(value))) => Some(*value),
            Some(Node::Static(StaticNode::I64(value))) => u64::try_from(*value).ok(),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    #[must_use]
    pub fn signed(&self) -> Option<i64> {
        match self.nodes.first() {
            Some(Node::Static(StaticNode::U64(value))) => i64::try_from(*value).ok(),
            Some(Node::Static(StaticNode::I64(value))) => Some(*value),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    #[must_use]
    pub fn boolean(&self) -> Option<bool> {
        match self.nodes.first() {
            Some(Node::Static(StaticNode::Bool(value))) => Some(*value),
            _ => None,
        }
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.nodes.first(), Some(Node::Static(StaticNode::Null)))
    }

    /// Its members in order, if it is an object.
    #[inline]
    #[must_use]
    pub fn members(&self) -> Option<Members<'tape, 'input>> {
        match self.nodes.first() {
            Some(Node::Object { len, .. }) => Some(Members { nodes: &self.nodes[1..], left: *len }),
            _ => None,
        }
    }

    /// Its elements in order, if it is an array.
    #[inline]
    #[must_use]
    pub fn elements(&self) -> Option<Elements<'tape, 'input>> {
        match self.nodes.first() {
            Some(Node::Array { len, .. }) => Some(Elements { nodes: &self.nodes[1..], left: *len }),
            _ => None,
        }
    }
}

/// Members of an object: name and value, in the order of the text.
#[derive(Clone, Debug)]
pub struct Members<'tape, 'input> {
    nodes: &'tape [Node<'input>],
    left: usize,
}

impl<'tape, 'input> Iterator for Members<'tape, 'input> {
    type Item = (&'input str, Value<'tape, 'input>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let (Node::String(name), rest) = self.nodes.split_first()? else {
            return None;
        };
        let value = Value { nodes: rest };
        self.nodes = rest.get(value.span()..)?;
        Some((name, value))
    }
}

/// Elements of an array.
#[derive(Clone, Debug)]
pub struct Elements<'tape, 'input> {
    nodes: &'tape [Node<'input>],
    left: usize,
}

impl<'tape, 'input> Iterator for Elements<'tape, 'input> {
    type Item = Value<'tape, 'input>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let value = Value { nodes: self.nodes };
        self.nodes = self.nodes.get(value.span()..)?;
        Some(value)
    }
}
