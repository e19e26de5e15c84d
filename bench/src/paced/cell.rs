//! COLD: the cells that are measured, a pause and what keeps the loop warm through it, and what became of a frame.

use serde::Serialize;

/// What lies between the end of one frame's work and the next frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pause {
    /// Nothing: the next frame has arrived before the loop turns again.
    None,
    /// So many ns, a quarter more or less.
    Nanos(u32),
    /// What lay before it in the recording.
    Recorded,
}

impl Pause {
    /// All, in the order of the tables; the first is what the others are compared with.
    pub const ALL: [Pause; 5] =
        [Pause::None, Pause::Nanos(100_000), Pause::Nanos(1_000_000), Pause::Nanos(10_000_000), Pause::Recorded];

    /// As printed in tables.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Pause::None => "none".to_owned(),
            Pause::Nanos(ns) if ns >= 1_000_000 => format!("{} ms", ns / 1_000_000),
            Pause::Nanos(ns) => format!("{} µs", ns / 1_000),
            Pause::Recorded => "recorded".to_owned(),
        }
    }
}

/// What keeps the loop warm: the values of `engine.keep_warm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Warmth {
    /// Nothing.
    Off,
    /// Rehearsals.
    Path,
    /// Rehearsals, and pings through the kernel.
    All,
}

impl Warmth {
    /// All, in the order of the tables.
    pub const ALL: [Warmth; 3] = [Warmth::Off, Warmth::Path, Warmth::All];

    /// As in a configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Warmth::Off => "off",
            Warmth::Path => "path",
            Warmth::All => "all",
        }
    }
}

/// A pause, and what keeps the loop warm through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PacedCell {
    /// The pause.
    pub pause: Pause,
    /// What keeps the loop warm.
    pub warmth: Warmth,
}

impl PacedCell {
    /// All, in the order of the tables. Without a pause there is no time to keep anything warm.
    #[must_use]
    pub fn all() -> Vec<PacedCell> {
        let of = |pause: Pause| {
            let warmths: &[Warmth] = if pause == Pause::None { &[Warmth::Off] } else { &Warmth::ALL };
            warmths.iter().map(move |&warmth| PacedCell { pause, warmth })
        };
        Pause::ALL.into_iter().flat_map(of).collect()
    }
}

/// Cycle counters along the way of a frame.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Handled {
    /// Its turn began: the read that found it is ahead.
    pub(super) begun: u64,
    /// It was read, decrypted and whole.
    pub(super) in_hand: u64,
    /// It was decided on, its intents on the ring.
    pub(super) done: u64,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Passed {
    /// Its way.
    pub(super) handled: Handled,
    /// It caused an order or a cancel.
    pub(super) ordered: bool,
    /// The longest time between two turns in the pause before it, in ticks.
    pub(super) gap_ticks_max: u64,
    /// The thread stood still so long that the loop caught up.
    pub(super) stalled: bool,
}
