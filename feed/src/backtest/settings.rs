//! COLD: when a backtest starts and how long everything is on its way.

use crate::random::Random;
use spinbook_engine::types::Nanos;

/// How long something is on its way: drawn anew each time, each duration between the two as likely as any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    /// The shortest way.
    pub shortest: Nanos,
    /// The longest way.
    pub longest: Nanos,
}

impl Delay {
    pub(super) fn draw(self, random: &mut Random) -> Nanos {
        Nanos(random.between(self.shortest.0, self.longest.0.max(self.shortest.0)))
    }
}

/// What a backtest is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BacktestSettings {
    /// The virtual moment at which it begins.
    pub start: Nanos,
    /// Seed of all delays.
    pub seed: u64,
    /// One way over the network, for every message of a connection and every request.
    pub network: Delay,
    /// From the engine to a gateway or back, over a ring.
    pub rings: Delay,
    /// What a venue needs to answer a snapshot request, the network not included.
    pub snapshot: Nanos,
    /// How long after the last time every part is asked for its invariants again; zero: after each step, which takes
    /// longer than the step; `NEVER`: not at all.
    pub check_interval: Nanos,
}

impl BacktestSettings {
    /// A network of 0.2 to 3 ms, rings of 5 to 55 µs, snapshots after 30 ms, every step checked.
    #[must_use]
    pub const fn new(start: Nanos, seed: u64) -> BacktestSettings {
        BacktestSettings {
            start,
            seed,
            network: Delay { shortest: Nanos(200_000), longest: Nanos(3_000_000) },
            rings: Delay { shortest: Nanos(5_000), longest: Nanos(55_000) },
            snapshot: Nanos::from_millis(30),
            check_interval: Nanos::ZERO,
        }
    }

    /// Every way of the network takes `network`, every ring `ring`; snapshots after 30 ms; unchecked.
    #[must_use]
    pub const fn steady(start: Nanos, seed: u64, network: Nanos, ring: Nanos) -> BacktestSettings {
        BacktestSettings {
            network: Delay { shortest: network, longest: network },
            rings: Delay { shortest: ring, longest: ring },
            check_interval: Nanos::NEVER,
            ..BacktestSettings::new(start, seed)
        }
    }
}
