//! COLD: wire to wire: a market frame leaves the exchange side, its order arrives there; and the floor beside it.
//!
//! `script` says what is sent when, `exchange` and `line` are the exchange side, `ours` and `floor` the two sides
//! that are measured, `round` plays a script against one of them, `table` makes figures of the rounds. `handover`
//! measures the last part of the way by itself: from a decision to bytes in the kernel, in one thread.
//!
//! Cores: the hot thread has one for itself, the last. On the other one thread takes the turns of the exchange side
//! and of the gateway loop one after the other: three threads that spin do not fit two cores, and with a third
//! thread the scheduler's slices would be measured. So no turn of the one waits for a slice of the other, both
//! stamps are of the same core, and what the exchange side does (one write a due batch, one read an order) is the
//! same for our side and for the floor.

pub mod disturbance;
pub mod exchange;
pub mod figures;
pub mod floor;
pub mod handover;
pub mod line;
pub mod ours;
pub mod picked;
pub mod round;
pub mod script;
pub mod table;

pub use figures::WireFigures;

use std::io;

use spinbook_feed::net::io::gateway_loop::Written;

/// Who runs where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The hot thread's core.
    pub hot: Option<usize>,
    /// The core of the exchange side and the gateway.
    pub io: Option<usize>,
    /// Whether they spin; otherwise they sleep between turns, as tests must.
    pub spin: bool,
}

impl Layout {
    /// Hot thread on the last core, the rest on the first; none with fewer than two.
    #[must_use]
    pub fn of_two_cores() -> Option<Layout> {
        match crate::threads::cores() {
            [first, .., last] => Some(Layout { hot: Some(*last), io: Some(*first), spin: true }),
            _ => None,
        }
    }

    /// Wherever the system puts them, sleeping: correct anywhere, quick nowhere.
    pub const LOOSE: Layout = Layout { hot: None, io: None, spin: false };
}

/// Which side is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The real one.
    Ours,
    /// The floor.
    Floor,
}

/// The I/O thread's work of either side, turn by turn.
pub trait Io {
    /// One turn.
    ///
    /// # Errors
    /// It cannot go on.
    fn turn(&mut self) -> io::Result<()>;

    /// Messages handed to the kernel so far.
    fn sent(&self) -> u64;

    /// When the newest was.
    fn written(&self) -> Written;
}
