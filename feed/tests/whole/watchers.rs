//! COLD: who watches over a run, in virtual time: the judgements of control thread and guard as the program has them, each at
//! the program's own pace.

use std::time::Duration;

use spinbook_engine::types::Nanos;
use spinbook_feed::backtest::StalledSide;
use spinbook_feed::supervision::beat::{Beat, Heard};
use spinbook_feed::supervision::heartbeats::{HangBounds, TradingThread};
use spinbook_feed::supervision::supervisor::{LOOK_EVERY, Sight, Supervisor};
use spinbook_feed::supervision::vigil::{Alarm, Sign, VIGIL_EVERY, Vigil};

use crate::world::World;

/// A hang, where cores are shared.
const BOUNDS: HangBounds = HangBounds { hot: Duration::from_secs(2), io: Duration::from_secs(2) };
/// Between two rounds of cancels over REST, the longest.
const REST_EVERY: Nanos = Nanos::from_seconds(1);
/// A venue that lists nothing has confirmed it once this has passed: its receive window, and a margin.
const CONFIRMED_AFTER: Nanos = Nanos::from_millis(1_500);

/// Somebody who cancels over REST until the venue has confirmed that nothing is open.
#[derive(Clone, Copy, Debug, Default)]
struct Rest {
    next: Option<Nanos>,
    empty_since: Option<Nanos>,
    is_confirmed: bool,
}

impl Rest {
    fn call(&mut self, now: Nanos) {
        self.next.get_or_insert(now);
    }

    fn look(&mut self, world: &mut World, now: Nanos) {
        if self.is_confirmed || self.next.is_none_or(|next| now < next) {
            return;
        }
        world.cancel_over_rest(0);
        self.next = Some(now + REST_EVERY);
        self.empty_since = (world.open_at_venue() == 0).then(|| self.empty_since.unwrap_or(now));
        self.is_confirmed = self.empty_since.is_some_and(|since| now - since >= CONFIRMED_AFTER);
    }
}

/// Control thread, guard, and what they did.
pub struct Watchers {
    supervisor: Supervisor,
    vigil: Vigil,
    guard_looked: Duration,
    /// Turns of the hot and the I/O thread.
    beats: [u64; 2],
    /// What the two threads have not heard yet of the wish to drain.
    told: [bool; 2],
    rescue: Rest,
    guard: Rest,
    /// The process as a whole stands still, its control thread with it.
    pub is_frozen: bool,
    /// The process is gone.
    pub is_gone: bool,
    /// The thread that the control thread found hanging, and when since the start.
    pub hung: Option<(TradingThread, Nanos)>,
    /// Why the guard acted, and when.
    pub alarm: Option<(Alarm, Nanos)>,
    /// When an order was last on the book.
    pub last_open: Nanos,
}

impl Watchers {
    pub fn new() -> Watchers {
        Watchers {
            supervisor: Supervisor::new(BOUNDS),
            vigil: Vigil::default(),
            guard_looked: Duration::ZERO,
            beats: [0; 2],
            told: [false; 2],
            rescue: Rest::default(),
            guard: Rest::default(),
            is_frozen: false,
            is_gone: false,
            hung: None,
            alarm: None,
            last_open: Nanos::ZERO,
        }
    }

    /// Lets `span` pass with both of them looking.
    pub fn run(&mut self, world: &mut World, span: Nanos) {
        let end = world.since_start() + span;
        let step = Nanos(i64::try_from(LOOK_EVERY.as_nanos()).unwrap());
        while world.since_start() < end {
            world.backtest.run_for(step);
            for (beats, side) in self.beats.iter_mut().zip([StalledSide::Hot, StalledSide::Io]) {
                *beats += u64::from(!world.backtest.stands(side));
            }
            if !self.is_frozen && !self.is_gone {
                self.control(world);
            }
            self.watch(world);
            if world.open_at_venue() > 0 {
                self.last_open = world.since_start();
            }
        }
    }

    fn control(&mut self, world: &mut World) {
        let now = world.since_start();
        let sight = Sight {
            draining: self.told.contains(&true) || self.hung.is_some(),
            hot_beats: self.beats[0],
            io_beats: self.beats[1],
            rescued: self.rescue.is_confirmed.then_some(true),
            ..Sight::default()
        };
        let deeds = self.supervisor.look(&sight, duration(now));
        if let Some((thread, _)) = deeds.hung {
            self.hung.get_or_insert((thread, now));
        }
        if deeds.drain {
            self.told = [true; 2];
        }
        if deeds.rescue {
            self.rescue.call(now);
        }
        self.rescue.look(world, now);
        // Each thread hears of it in its next turn: one that hangs has none.
        if self.told[0] && !world.backtest.stands(StalledSide::Hot) {
            self.told[0] = false;
            world.backtest.begin_shutdown();
        }
        if self.told[1] && !world.backtest.stands(StalledSide::Io) {
            self.told[1] = false;
            world.backtest.cancel_all();
        }
    }

    fn watch(&mut self, world: &mut World) {
        let now = world.since_start();
        if duration(now) < self.guard_looked + VIGIL_EVERY {
            return;
        }
        self.guard_looked = duration(now);
        let [hot, io] = self.beats;
        let heard = match (self.is_gone, self.is_frozen) {
            (true, _) => Heard::Gone,
            (_, true) => Heard::Nothing,
            _ => Heard::Beat(Beat::Alive { hot, io, open_orders: 0 }),
        };
        let sign = Sign { trading: true, held: !self.is_gone, heard };
        if let Some(alarm) = self.vigil.look(&sign, duration(now)) {
            self.alarm.get_or_insert((alarm, now));
            self.guard.call(now);
        }
        self.guard.look(world, now);
    }
}

fn duration(at: Nanos) -> Duration {
    Duration::from_nanos(u64::try_from(at.0).unwrap())
}
