//! COLD: when a run needs the guard: a function of what was seen of it, and of time in which the guard itself ran.

use std::time::Duration;

use super::beat::{Beat, Heard};

/// How long a run that trades may be silent.
const SILENT_MAX: Duration = Duration::from_secs(2);
/// How long one of its threads may stand still, although it is told: the run itself has dealt with that long before.
const STILL_MAX: Duration = Duration::from_secs(6);
/// How often the guard looks.
pub const VIGIL_EVERY: Duration = Duration::from_millis(50);
/// A gap between two looks counts as this much at most: what is longer, the guard did not run either.
const GAP_MAX: Duration = Duration::from_millis(200);
/// Looks in a row that find orders and no run: it may be between the two on its way out.
const VANISHED_LOOKS: u32 = 3;

/// What can be seen of a run at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sign {
    /// Orders of it may be open.
    pub trading: bool,
    /// It holds its state directory.
    pub held: bool,
    /// What it told since the last look.
    pub heard: Heard,
}

/// Why the guard acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// No engine runs, and none has said that nothing is open.
    Vanished,
    /// It has told nothing for so long.
    Silent(Duration),
    /// One of its threads stands still.
    Still(Duration),
}

impl std::fmt::Display for Alarm {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Alarm::Vanished => out.write_str("the engine is gone, and orders of it may be open"),
            Alarm::Silent(span) => write!(out, "the engine has not moved for {} ms", span.as_millis()),
            Alarm::Still(span) => write!(out, "a thread of the engine stands still for {} ms", span.as_millis()),
        }
    }
}

/// Watches over a run.
#[derive(Clone, Debug, Default)]
pub struct Vigil {
    looked: Option<Duration>,
    silent: Duration,
    /// Turns of both threads as told last, and for how long each stands still.
    turns: [(u64, Duration); 2],
    vanished: u32,
}

impl Vigil {
    /// Whether to act, at `now` on a clock that never steps back.
    pub fn look(&mut self, sign: &Sign, now: Duration) -> Option<Alarm> {
        let gap = now.saturating_sub(self.looked.unwrap_or(now)).min(GAP_MAX);
        self.looked = Some(now);
        if !sign.trading {
            *self = Vigil { looked: self.looked, ..Vigil::default() };
            return None;
        }
        if !sign.held {
            self.vanished += 1;
            return (self.vanished >= VANISHED_LOOKS).then_some(Alarm::Vanished);
        }
        self.vanished = 0;
        self.silent += gap;
        self.turns.iter_mut().for_each(|(_, still)| *still += gap);
        match sign.heard {
            Heard::Beat(Beat::Alive { hot, io, .. }) => {
                self.silent = Duration::ZERO;
                for ((told, still), turns) in self.turns.iter_mut().zip([hot, io]) {
                    if turns != *told || turns == 0 {
                        (*told, *still) = (turns, Duration::ZERO);
                    }
                }
            }
            // It says so itself, and lets its directory go at once.
            Heard::Beat(Beat::Ended { .. }) => *self = Vigil { looked: self.looked, ..Vigil::default() },
            Heard::Nothing | Heard::Gone => {}
        }
        let still = self.turns.iter().map(|(_, still)| *still).max().unwrap_or_default();
        if self.silent >= SILENT_MAX {
            Some(Alarm::Silent(self.silent))
        } else {
            (still >= STILL_MAX).then_some(Alarm::Still(still))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks every 50 ms for `seconds`; the first alarm and when it was.
    fn play(seconds: u64, sign: impl Fn(u64) -> Sign) -> Option<(u64, Alarm)> {
        let mut vigil = Vigil::default();
        (0..seconds * 20).map(|look| look * 50).find_map(|ms| {
            let alarm = vigil.look(&sign(ms), Duration::from_millis(ms));
            alarm.map(|alarm| (ms, alarm))
        })
    }

    fn alive(ms: u64) -> Sign {
        let heard = Heard::Beat(Beat::Alive { hot: ms + 1, io: ms + 1, open_orders: 2 });
        Sign { trading: true, held: true, heard }
    }

    #[test]
    fn a_run_that_works_or_has_ended_needs_nobody() {
        assert_eq!(play(60, alive), None);
        let ended = |ms| match ms {
            0..1_000 => alive(ms),
            1_000 => Sign { heard: Heard::Beat(Beat::Ended { confirmed: true }), ..alive(ms) },
            _ => Sign { trading: false, held: false, heard: Heard::Gone },
        };
        assert_eq!(play(60, ended), None);
        // Between the last sign of orders and the lock there is a moment.
        let between = |ms| Sign { trading: ms <= 1_050, held: ms < 1_000, ..alive(ms) };
        assert_eq!(play(60, between), None);
    }

    #[test]
    fn a_run_that_freezes_is_silent_for_two_seconds() {
        let frozen = |ms| if ms <= 1_000 { alive(ms) } else { Sign { heard: Heard::Nothing, ..alive(ms) } };
        assert_eq!(play(60, frozen), Some((3_000, Alarm::Silent(Duration::from_secs(2)))));
        // Also where it cannot be connected to at all.
        let deaf = |ms| Sign { heard: Heard::Gone, ..alive(ms) };
        assert_eq!(play(60, deaf), Some((2_000, Alarm::Silent(Duration::from_secs(2)))));
    }

    #[test]
    fn a_run_that_vanishes_is_noticed_at_once() {
        let gone = |ms| if ms < 1_000 { alive(ms) } else { Sign { held: false, heard: Heard::Gone, ..alive(ms) } };
        assert_eq!(play(60, gone), Some((1_100, Alarm::Vanished)));
    }

    #[test]
    fn a_thread_that_stands_still_is_noticed_though_the_run_goes_on_telling() {
        let still = |ms| Sign { heard: Heard::Beat(Beat::Alive { hot: ms + 1, io: 9, open_orders: 2 }), ..alive(ms) };
        assert_eq!(play(60, still), Some((6_000, Alarm::Still(Duration::from_secs(6)))));
    }

    #[test]
    fn a_guard_that_was_stopped_itself_does_not_count_that_time() {
        let mut vigil = Vigil::default();
        let silent = Sign { heard: Heard::Nothing, ..alive(0) };
        for hour in 0..9 {
            assert_eq!(vigil.look(&silent, Duration::from_secs(hour * 3600)), None);
        }
    }
}
