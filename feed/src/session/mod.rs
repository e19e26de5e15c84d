//! COLD: the map of a market connection's life.
//!
//! `flow` turns frames into judged market events; `market` is the session around it, which subscribes, watches,
//! resyncs and reconnects; `path` is one connection's state, `budget` what it may send. What is said to the venue, and
//! what its bytes mean, is the room's: [`MarketSide`](crate::venue::market::MarketSide).

pub mod budget;
pub mod flow;
pub mod market;
mod path;
pub mod sink;

use spinbook_engine::types::{InstrumentId, Nanos};
use thiserror::Error;

pub use budget::MessageBudget;
pub use flow::FrameOutcome;
pub use market::MarketSession;
pub use sink::{EngineSink, MarketSink};

use crate::scan::ScannerChoice;
use crate::sync::SyncSettings;
use crate::venue::ProductLine;
pub use crate::venue::market::Channels;

/// How a session behaves.
#[derive(Clone, Debug)]
pub struct SessionSettings {
    /// What is subscribed.
    pub channels: Channels,
    /// Levels a side to ask of a snapshot.
    pub snapshot_levels: u16,
    /// Share of the venue's request weight that snapshots may use, in percent.
    pub snapshot_weight_percent: u32,
    /// A book whose depth stream was silent for longer is not Live.
    pub symbol_silence_max: Nanos,
    /// A depth connection that was silent for longer is given up; others may be silent for three ping intervals.
    pub connection_silence_max: Nanos,
    /// Longest wait for a connection to open, a subscription to be answered, or a snapshot to come.
    pub answer_wait_max: Nanos,
    /// A connection older than this is replaced while it still works.
    pub planned_life: Nanos,
    /// How long the old and the new connection run side by side then.
    pub overlap: Nanos,
    /// First pause before a new attempt.
    pub pause_first: Nanos,
    /// Longest pause before a new attempt.
    pub pause_longest: Nanos,
    /// Longest pause before another snapshot of a book that is lost again and again, unless its updates were whole
    /// before.
    pub snapshot_pause_longest: Nanos,
    /// Seed of the jitter.
    pub seed: u64,
    /// What a book may buffer while it waits for its snapshot.
    pub sync: SyncSettings,
    /// Which scanner looks at frames.
    pub scanner: ScannerChoice,
}

impl SessionSettings {
    /// The usual settings of a product line.
    #[must_use]
    pub fn of(product: ProductLine) -> SessionSettings {
        SessionSettings {
            channels: Channels::of(product),
            snapshot_levels: product.card().snapshot_levels,
            snapshot_weight_percent: 50,
            symbol_silence_max: Nanos::from_seconds(30),
            connection_silence_max: Nanos::from_seconds(15),
            answer_wait_max: Nanos::from_seconds(10),
            planned_life: Nanos::from_seconds(23 * 3600),
            overlap: Nanos::from_seconds(5),
            pause_first: Nanos::from_millis(500),
            pause_longest: Nanos::from_seconds(6),
            snapshot_pause_longest: Nanos::from_seconds(30),
            seed: 0,
            sync: SyncSettings::default(),
            scanner: ScannerChoice::Best,
        }
    }
}

/// Settings that no session can be made of.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SessionError {
    /// No instrument.
    #[error("no instrument to subscribe")]
    NoInstrument,
    /// More streams than one connection may carry.
    #[error("{streams} streams, but the venue allows {allowed} a connection; use fewer symbols or channels")]
    TooManyStreams {
        /// Streams wanted.
        streams: usize,
        /// Streams allowed.
        allowed: usize,
    },
}

/// Why a connection is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// Nothing came for too long.
    Silent,
    /// It did not open, or a subscription was not answered, in time.
    NoAnswer,
    /// The venue refused a subscription.
    Refused {
        /// The venue's own code.
        code: i32,
    },
    /// Too many frames in a row were not the venue's.
    BadFrames,
    /// The venue announced that it closes the connection.
    Shutdown,
    /// Its planned life is over; another one carries its streams.
    Planned,
}

/// What the session wants done, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionAction {
    /// Open connection `path` to [`MarketSession::target`].
    Open {
        /// Which connection.
        path: u8,
    },
    /// Send [`MarketSession::message`] `message` on connection `path`.
    Send {
        /// Which connection.
        path: u8,
        /// Which message.
        message: u16,
    },
    /// SnapshotFetch a depth snapshot.
    FetchSnapshot {
        /// Whose book.
        instrument: InstrumentId,
        /// Levels a side.
        limit: u16,
    },
    /// Close connection `path`; the session already counts it as closed and wants no `on_close`.
    Close {
        /// Which connection.
        path: u8,
        /// Why.
        reason: CloseReason,
    },
}

/// What happened to a session so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionCounters {
    /// Frames seen, snapshots included.
    pub frames: u64,
    /// Frames decoded by the schema scanner.
    pub scanned: u64,
    /// Of these, frames that were read byte by byte, because their stream's form was new or had changed.
    pub learned: u64,
    /// Frames given to the general decoder.
    pub fallback: u64,
    /// Frames refused.
    pub bad_frames: u64,
    /// Of these, frames of symbols that were not subscribed, or not the stream's.
    pub wrong_symbol: u64,
    /// Times a live book lost its place in the sequence.
    pub gaps: u64,
    /// Times a book became live again.
    pub resyncs: u64,
    /// Updates dropped because they were already contained.
    pub duplicates: u64,
    /// Events given to the sink.
    pub events: u64,
    /// Levels in them.
    pub levels: u64,
    /// Connections opened.
    pub opened: u64,
    /// Connections lost or given up.
    pub closed: u64,
    /// Attempts to connect that were put off, for the address had used what the venue allows.
    pub put_off: u64,
    /// Subscriptions refused by the venue.
    pub refused: u64,
    /// Books given up because their depth stream was silent.
    pub silent_symbols: u64,
    /// Connections given up because nothing came.
    pub silent_connections: u64,
    /// Snapshots asked for.
    pub snapshots_asked: u64,
    /// Snapshots that did not come or could not be used.
    pub snapshots_failed: u64,
    /// Actions that found their queue full and were put off.
    pub actions_put_off: u64,
}
