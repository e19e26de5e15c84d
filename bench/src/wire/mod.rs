//! COLD: wire to wire: a market frame leaves the exchange side, its order arrives there; and the floor beside it.
//!
//! `script` says what is sent when, `exchange` and `line` are the exchange side, `round` plays a script against any
//! [`Peer`], of which there are two, `ours` and `floor`, and `table` makes figures of the rounds. `handover` measures the
//! last part of the way by itself: from a decision to bytes in the kernel, in one thread. `word` measures how soon an
//! operator's kill is on the wire.
//!
//! Cores: the hot thread has one for itself, the last. On the other one thread takes the turns of the exchange side
//! and of the gateway loop one after the other: three threads that spin do not fit two cores, and with a third
//! thread the scheduler's slices would be measured. So no turn of the one waits for a slice of the other, both
//! stamps are of the same core, and what the exchange side does (one write a due batch, one read an order) is the
//! same for our side and for the floor.

pub mod client;
pub mod disturbance;
pub mod exchange;
pub mod figures;
pub mod floor;
pub mod handover;
pub mod line;
pub mod ours;
pub mod round;
pub mod script;
pub mod selected;
pub mod table;
pub mod word;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use spinbook_feed::net::connection::connector::Connector;
use spinbook_feed::net::connection::tls::Trust;
use spinbook_feed::net::io::gateway_loop::Written;

pub use figures::WireFigures;

use exchange::Exchange;
use script::Script;
use selected::Decisions;

/// How long nothing may happen before a round is given up.
pub const STUCK: Duration = Duration::from_secs(60);
/// The start that all order ids are of.
pub const EPOCH: u32 = 1;

/// Who runs where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoreLayout {
    /// The hot thread's core.
    pub hot: Option<usize>,
    /// The core of the exchange side and the gateway.
    pub io: Option<usize>,
    /// Whether they spin; otherwise they sleep between turns, as tests must.
    pub spin: bool,
}

impl CoreLayout {
    /// Hot thread on the last core, the rest on the first; none with fewer than two.
    #[must_use]
    pub fn of_two_cores() -> Option<CoreLayout> {
        match crate::threads::cores() {
            [first, .., last] => Some(CoreLayout { hot: Some(*last), io: Some(*first), spin: true }),
            _ => None,
        }
    }

    /// Wherever the system puts them, sleeping: correct anywhere, quick nowhere.
    pub const LOOSE: CoreLayout = CoreLayout { hot: None, io: None, spin: false };
}

/// A side that is measured, as its I/O thread takes its turns.
pub trait Peer: Send + 'static {
    /// As printed in tables.
    const NAME: &'static str;

    /// One turn.
    ///
    /// # Errors
    /// It cannot go on.
    fn turn(&mut self) -> io::Result<()>;

    /// Messages handed to the kernel so far.
    fn sent(&self) -> u64;

    /// When the newest was.
    fn written(&self) -> Written;

    /// Whether the exchange side has seen all that this side does before it trades.
    fn is_ready(&self, exchange: &Exchange) -> bool;

    /// The book is open: what served only that ends.
    fn on_book_open(&mut self);
}

/// Both threads' work of a side.
pub struct Sides<P> {
    /// The hot thread's, until it is told to stop.
    pub hot: Box<dyn FnOnce() -> io::Result<()> + Send>,
    /// The I/O thread's.
    pub peer: P,
    /// Tells the hot thread to stop.
    pub stop: Box<dyn FnOnce() + Send>,
}

/// What a side is built with.
pub struct Meeting {
    /// What is played.
    pub script: Arc<Script>,
    /// Where the exchange side listens.
    pub connector: Connector,
    /// Whom to trust.
    pub trust: Trust,
    /// Who runs where.
    pub layout: CoreLayout,
    /// Where decisions are noted.
    pub decisions: Arc<Decisions>,
}
