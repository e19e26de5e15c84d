//! COLD: recorded markets: where frames come from, and the player that drives decoders and books with them.

pub mod infer;
pub mod market_source;
pub mod player;
pub mod recorded;
pub mod verify;

use spinbook_engine::types::{Stamp, VenueId};
use thiserror::Error;

use crate::venue::instrument::Symbol;

pub use market_source::{RecordedMarket, recorded_instruments};
pub use verify::{ProblemKind, SymbolReport, VerifyOutcome, VerifyProblem, VerifyReport, verify};

/// What one record of a recording is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// A stream frame as it came.
    Stream,
    /// The body of a REST depth snapshot; of which symbol, where the recording says it.
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

/// One record. The frame is `buffer[..length]`, with at least 64 bytes of padding behind it.
#[derive(Debug)]
pub struct Record<'a> {
    /// When it was received.
    pub stamp: Stamp,
    /// The product line, where the recording says it.
    pub venue: Option<VenueId>,
    /// What it is.
    pub kind: RecordKind,
    /// Frame and padding; a decoder may change it.
    pub buffer: &'a mut [u8],
    /// Bytes of the frame.
    pub length: usize,
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

/// A recording, record by record.
pub trait Source {
    /// The next record; `None` at the end.
    ///
    /// # Errors
    /// [`SourceError`]; everything before was given.
    fn next(&mut self) -> Result<Option<Record<'_>>, SourceError>;
    /// Lines read so far.
    fn lines(&self) -> u64;
}
