//! COLD: the judgement of the control thread: which thread hangs, who then cancels, and when the process is left behind.
//!
//! A function of what was seen and when: the program's control thread calls it, and a simulated day does.

use std::time::Duration;

use super::heartbeats::{HangBounds, Heartbeats, TradingThread};

/// How often heartbeats are looked at; a signal is heard at once.
pub const LOOK_EVERY: Duration = Duration::from_millis(10);
/// A signal that comes sooner behind the first one belongs to it: a terminal and a supervisor both pass one on.
const SAME_WISH: Duration = Duration::from_millis(200);
/// How long whoever was told to leave at once may take to say what is open.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

/// What can be seen of a run at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sight {
    /// A signal or the kill file asked for the end since the last look.
    pub asked: bool,
    /// It was a signal that hurries an end which has begun.
    pub hurried: bool,
    /// The end has begun.
    pub draining: bool,
    /// Heartbeats of the hot thread.
    pub hot_beats: u64,
    /// The hot thread was told to end its loop.
    pub hot_stops: bool,
    /// Heartbeats of the I/O thread.
    pub io_beats: u64,
    /// The I/O thread has ended.
    pub io_ended: bool,
    /// It did because the system refused it something, and whatever is open is nobody's.
    pub io_failed: bool,
    /// A thread has panicked: the hook sees to the end.
    pub panicking: bool,
    /// What came of cancelling over REST, once it is over.
    pub rescued: Option<bool>,
}

/// Why the process is left without the main thread's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaveCause {
    /// Asked for twice, and the main thread did not leave.
    Hurried,
    /// A thread hangs and will not end; everything else is done.
    Hung(TradingThread),
}

/// What is to be done about what was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deeds {
    /// Begin the end: no new quote, every order cancelled.
    pub drain: bool,
    /// This thread was found hanging, for so long by now.
    pub hung: Option<(TradingThread, Duration)>,
    /// Cancel over REST: the thread that owns the orders does not.
    pub rescue: bool,
    /// End the process.
    pub leave: Option<LeaveCause>,
}

/// What was found of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finding {
    /// It never stood still for too long.
    Works,
    /// It stands still.
    Hangs,
    /// It did, and has gone on: it ends in order with the others.
    Recovered,
}

/// Judges what the control thread sees.
#[derive(Clone, Debug)]
pub struct Supervisor {
    beats: Heartbeats,
    draining_since: Option<Duration>,
    found: [Finding; 2],
    io_failed: bool,
    leave: Option<(LeaveCause, Duration)>,
}

impl Supervisor {
    /// Nothing was seen yet.
    #[must_use]
    pub fn new(bounds: HangBounds) -> Supervisor {
        Supervisor {
            beats: Heartbeats::new(bounds),
            draining_since: None,
            found: [Finding::Works; 2],
            io_failed: false,
            leave: None,
        }
    }

    /// What is to be done at `now`, on a clock that never steps back.
    pub fn look(&mut self, sight: &Sight, now: Duration) -> Deeds {
        self.beats.look(sight.hot_beats, sight.io_beats, now);
        let mut deeds = Deeds::default();
        for thread in [TradingThread::Hot, TradingThread::Io] {
            if let (Some(still), Finding::Works) = (self.hung(thread, sight), self.found[thread as usize]) {
                self.found[thread as usize] = Finding::Hangs;
                deeds.hung = Some((thread, still));
                deeds.drain = true;
                deeds.rescue |= thread == TradingThread::Io;
            }
        }
        if sight.asked && self.draining_since.is_none() {
            deeds.drain = true;
        }
        if sight.io_failed && !std::mem::replace(&mut self.io_failed, true) {
            (deeds.drain, deeds.rescue) = (true, true);
        }
        let settled = self.draining_since.is_some_and(|since| now.saturating_sub(since) >= SAME_WISH);
        if sight.hurried && settled {
            self.leave.get_or_insert((LeaveCause::Hurried, now + LEAVE_WITHIN));
        }
        if deeds.drain || sight.draining {
            self.draining_since.get_or_insert(now);
        }
        self.leave_hung(sight, now);
        deeds.leave = self.leave.filter(|(_, by)| now >= *by).map(|(cause, _)| cause);
        deeds
    }

    fn hung(&self, thread: TradingThread, sight: &Sight) -> Option<Duration> {
        let is_over = match thread {
            TradingThread::Hot => sight.hot_stops,
            TradingThread::Io => sight.io_ended,
        };
        self.beats.hung(thread).filter(|_| !is_over && !sight.panicking)
    }

    /// A thread that hangs cannot be waited for: once nothing is left to be done the process ends without it. One that
    /// goes on meanwhile ends in order with the others.
    fn leave_hung(&mut self, sight: &Sight, now: Duration) {
        let hangs = [TradingThread::Hot, TradingThread::Io].map(|thread| {
            // Told to stop meanwhile, a thread that hangs does not hear it.
            let still = self.beats.hung(thread).is_some() && !(thread == TradingThread::Io && sight.io_ended);
            let state = &mut self.found[thread as usize];
            if *state == Finding::Hangs && !still {
                *state = Finding::Recovered;
            }
            *state == Finding::Hangs
        });
        let done = match (hangs[0], hangs[1]) {
            (_, true) if sight.rescued.is_some() => Some(LeaveCause::Hung(TradingThread::Io)),
            (true, false) if sight.io_failed && sight.rescued.is_none() => None,
            (true, false) if sight.io_ended => Some(LeaveCause::Hung(TradingThread::Hot)),
            _ => None,
        };
        match (done, self.leave) {
            (Some(cause), None) => self.leave = Some((cause, now + LOOK_EVERY)),
            (None, Some((LeaveCause::Hung(_), _))) => self.leave = None,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: HangBounds = HangBounds { hot: Duration::from_millis(250), io: Duration::from_millis(500) };

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    /// Looks every 10 ms from `from` to `to`, with both threads working unless `change` says otherwise; what was done,
    /// and when.
    fn play(
        supervisor: &mut Supervisor,
        span: std::ops::Range<u64>,
        change: impl Fn(u64, &mut Sight),
    ) -> Vec<(u64, Deeds)> {
        let mut done = Vec::new();
        for at in span.step_by(10) {
            let mut sight = Sight { hot_beats: at + 1, io_beats: at + 1, ..Sight::default() };
            change(at, &mut sight);
            let deeds = supervisor.look(&sight, ms(at));
            if deeds != Deeds::default() {
                done.push((at, deeds));
            }
        }
        done
    }

    #[test]
    fn a_healthy_run_is_left_alone_and_one_word_drains_it() {
        let mut supervisor = Supervisor::new(BOUNDS);
        assert_eq!(play(&mut supervisor, 0..10_000, |_, _| {}), []);
        let asked = play(&mut supervisor, 10_000..60_000, |now, sight| {
            sight.asked = now == 10_000 || now == 20_000;
            // A terminal and a supervisor say it both, 50 ms apart.
            sight.hurried = now == 10_000 || now == 10_050;
        });
        assert_eq!(asked, [(10_000, Deeds { drain: true, ..Deeds::default() })]);
    }

    #[test]
    fn whoever_asks_twice_is_obeyed_within_two_seconds_though_nobody_else_moves() {
        let mut supervisor = Supervisor::new(BOUNDS);
        let done = play(&mut supervisor, 0..10_000, |now, sight| {
            sight.draining = true;
            (sight.io_ended, sight.hot_stops) = (true, true);
            sight.hurried = now == 5_000;
        });
        assert_eq!(done[0], (7_000, Deeds { leave: Some(LeaveCause::Hurried), ..Deeds::default() }));
    }

    #[test]
    fn a_hot_thread_that_hangs_is_drained_by_the_other_one_and_then_left_behind() {
        let mut supervisor = Supervisor::new(BOUNDS);
        let done = play(&mut supervisor, 0..3_000, |now, sight| {
            sight.hot_beats = sight.hot_beats.min(1_001);
            // The main thread waits for both from then on.
            (sight.io_ended, sight.hot_stops) = (now >= 2_000, now >= 2_000);
        });
        let hung = Some((TradingThread::Hot, ms(250)));
        assert_eq!(done[0], (1_250, Deeds { drain: true, hung, ..Deeds::default() }));
        let leave = Some(LeaveCause::Hung(TradingThread::Hot));
        assert_eq!(done[1], (2_010, Deeds { leave, ..Deeds::default() }));
    }

    #[test]
    fn an_io_thread_that_hangs_is_rescued_over_rest_and_left_behind_when_the_venue_has_answered() {
        let mut supervisor = Supervisor::new(BOUNDS);
        let done = play(&mut supervisor, 0..6_000, |now, sight| {
            sight.io_beats = sight.io_beats.min(1_001);
            // With it the hot thread stands still later: one rescue is enough.
            sight.hot_beats = sight.hot_beats.min(2_001);
            sight.rescued = (now >= 5_000).then_some(true);
        });
        let hung = Some((TradingThread::Io, ms(500)));
        assert_eq!(done[0], (1_500, Deeds { drain: true, hung, rescue: true, leave: None }));
        assert!(!done[1].1.rescue && done[1].1.hung.is_some(), "{done:?}");
        let leave = Some(LeaveCause::Hung(TradingThread::Io));
        assert_eq!(done[2], (5_010, Deeds { leave, ..Deeds::default() }));
    }

    #[test]
    fn a_thread_that_goes_on_meanwhile_ends_in_order() {
        let mut supervisor = Supervisor::new(BOUNDS);
        let done = play(&mut supervisor, 0..6_000, |now, sight| {
            if (1_000..3_000).contains(&now) {
                sight.io_beats = 1_001;
            }
            sight.rescued = (now >= 4_000).then_some(true);
        });
        assert_eq!(done.len(), 1, "found hanging once, and nobody leaves: {done:?}");
    }

    #[test]
    fn an_io_thread_that_fails_is_followed_by_the_other_way_before_anybody_is_left_behind() {
        let mut supervisor = Supervisor::new(BOUNDS);
        let done = play(&mut supervisor, 0..6_000, |now, sight| {
            (sight.io_ended, sight.io_failed) = (now >= 1_000, now >= 1_000);
            // The hot thread hangs meanwhile: without it the process ends only once somebody has cancelled.
            sight.hot_beats = sight.hot_beats.min(2_001);
            sight.rescued = (now >= 4_000).then_some(true);
        });
        assert_eq!(done[0], (1_000, Deeds { drain: true, rescue: true, ..Deeds::default() }));
        assert_eq!((done[1].0, done[1].1.rescue), (2_250, false), "{done:?}");
        assert_eq!(done[2], (4_010, Deeds { leave: Some(LeaveCause::Hung(TradingThread::Hot)), ..Deeds::default() }));
    }

    #[test]
    fn a_panic_is_the_hooks_and_threads_that_ended_do_not_hang() {
        let mut supervisor = Supervisor::new(BOUNDS);
        let panicking = |_, sight: &mut Sight| (sight.panicking, sight.hot_beats, sight.io_beats) = (true, 7, 7);
        assert_eq!(play(&mut supervisor, 0..5_000, panicking), []);
        let mut supervisor = Supervisor::new(BOUNDS);
        let over = |_, sight: &mut Sight| {
            (sight.hot_stops, sight.io_ended, sight.hot_beats, sight.io_beats) = (true, true, 7, 7);
        };
        assert_eq!(play(&mut supervisor, 0..5_000, over), []);
    }
}
