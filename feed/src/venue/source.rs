//! COLD: where a market's frames come from: one trait for recordings, made-up markets and what a test lists.

use spinbook_engine::types::{Nanos, Stamp, VenueId};
use thiserror::Error;

use super::instrument::Symbol;
use super::market::FRAME_PADDING;

/// What one record of a market is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// A stream frame as it came.
    Stream,
    /// The body of a REST depth snapshot; of which symbol, where the source says it.
    Snapshot {
        /// Whose book.
        symbol: Option<Symbol>,
    },
    /// The body of an instrument list.
    Instruments,
    /// Nothing of the market: a header, a connect, what was sent.
    Other,
    /// A line that is not of the recording's own format.
    Malformed,
}

/// Where a record stands in its source; zero of what is not read from files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordPlace {
    /// Which file, in the order in which they are read, from zero.
    pub file: usize,
    /// Line in that file, from one.
    pub line: u64,
}

/// One record. The frame is `buffer[..length]`, with at least 64 bytes of padding behind it.
#[derive(Debug)]
pub struct Record<'a> {
    /// When it was received, or is due in a market that is made up.
    pub stamp: Stamp,
    /// Where it stands in its source.
    pub place: RecordPlace,
    /// The product line, where the source says it.
    pub venue: Option<VenueId>,
    /// What it is.
    pub kind: RecordKind,
    /// Frame and padding; a decoder may change it.
    pub buffer: &'a mut [u8],
    /// Bytes of the frame.
    pub length: usize,
}

impl<'a> Record<'a> {
    /// The record of a frame that no recording holds: `buffer` becomes the frame and its padding.
    #[must_use]
    pub fn of_frame(at: Nanos, kind: RecordKind, frame: &[u8], buffer: &'a mut Vec<u8>) -> Record<'a> {
        buffer.clear();
        buffer.extend_from_slice(frame);
        buffer.resize(frame.len() + FRAME_PADDING, 0);
        let (stamp, place) = (Stamp { wall: at, tsc: 0 }, RecordPlace::default());
        Record { stamp, place, venue: None, kind, buffer, length: frame.len() }
    }
}

/// A recording that cannot be read on: what, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SourceError {
    /// The file cannot be opened.
    #[error("{file}: cannot be opened: {reason}")]
    Open {
        /// Which file.
        file: String,
        /// What the system said.
        reason: String,
    },
    /// The compressed data end too early: the file was cut.
    #[error("{file}: cut short after line {line}: {reason}; fetch the file again")]
    CutShort {
        /// Which file.
        file: String,
        /// Lines read before.
        line: u64,
        /// What the decompressor said.
        reason: String,
    },
    /// The compressed data are damaged.
    #[error("{file}: damaged after line {line}: {reason}; fetch the file again")]
    Damaged {
        /// Which file.
        file: String,
        /// Lines read before.
        line: u64,
        /// What the decompressor said.
        reason: String,
    },
    /// None of the accepted forms.
    #[error("{file}: not a recording in a form that is known here ({reason})")]
    UnknownForm {
        /// Which file.
        file: String,
        /// What was found instead.
        reason: String,
    },
}

/// A market, record by record: a recording, or one that is made up. Readers of history and simulated exchanges both
/// take it from here.
pub trait MarketSource: Send {
    /// The next record; `None` when the market is over.
    ///
    /// # Errors
    /// [`SourceError`]; everything before was given.
    fn next(&mut self) -> Result<Option<Record<'_>>, SourceError>;

    /// Lines read so far; zero of a market that is not read from lines.
    fn lines(&self) -> u64 {
        0
    }
}
