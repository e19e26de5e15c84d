//! COLD: the hot loop as it ships, turned by hand, with a venue that answers at once, and the stamps along a frame's way.
//!
//! The loop itself is not touched for the stamps: it asks its allocation probe just before a frame's work and just
//! behind it, and here the probe reads the cycle counter.

use std::cell::Cell;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use spinbook_engine::book::BookState;
use spinbook_engine::event::{ExecutionEvent, ExecutionKind};
use spinbook_engine::intent::Intent;
use spinbook_engine::limits::{CANCEL_RING_SLOTS, EXECUTION_RING_SLOTS, ORDER_RING_SLOTS};
use spinbook_engine::ring::{self, Consumer, Producer};
use spinbook_engine::setup::{EngineSettings, engine, spread_strategy, understudy};
use spinbook_engine::strategy::Spread;
use spinbook_engine::trace::TraceRecord;
use spinbook_engine::types::{InstrumentId, Nanos, VenueId};
use spinbook_feed::net::host::clock::{Clock, CycleScale, cycles};
use spinbook_feed::net::host::memory::{HugePages, touch_stack, use_huge_pages};
use spinbook_feed::net::hot::hot_shared::HotShared;
use spinbook_feed::net::hot::keep_warm::KeepWarm;
use spinbook_feed::net::hot::kernel_ping::KernelPing;
use spinbook_feed::net::hot::reactor::{Reactor, ReactorParts, ReactorSettings};
use spinbook_feed::net::hot::rehearsal_setup::{RehearsedMarket, rehearsal};

use super::cell::{Handled, Passed, Warmth};
use super::sender::Sender;
use super::table::PacedTotals;
use crate::clock::{CycleClock, start};
use crate::markets::increments;
use crate::trader::{execution, spread};
use crate::wire::ours::{SnapshotThread, market, patient_session, patient_settings};
use crate::wire::script::Script;
use crate::wire::{CoreLayout, STUCK};
use crate::workload::snapshot;

/// How far the rehearsed market moves, in millionths of the price: what the program takes where quotes follow at once.
const MOVE_MILLIONTHS: i64 = 200;
/// Slots of the ring that the engine's decisions leave by.
const DECISION_RING_SLOTS: usize = 1_024;
/// Turns between two looks at whether anything comes at all.
const TURNS_PER_LOOK: u32 = 1 << 16;
/// Time without a frame after which the opening counts as over.
const OPENING_QUIET: Duration = Duration::from_millis(2);
/// A gap between two turns from which on something else had the core.
const GAP_NS_MIN: f64 = 5_000.0;
/// A stall is a gap of this length: what the program takes.
const STALL_MIN: Nanos = Nanos::from_millis(50);

thread_local! {
    /// How often the probe was asked in this turn, and the first two stamps.
    static STAMPS: Cell<(u32, u64, u64)> = const { Cell::new((0, 0, 0)) };
}

/// The loop's allocation probe: counts nothing, and notes when it was asked.
fn note_stamp() -> u64 {
    let now = start();
    let (asked, first, second) = STAMPS.get();
    STAMPS.set(match asked {
        0 => (1, now, second),
        1 => (2, first, now),
        asked => (asked + 1, first, second),
    });
    0
}

/// Gaps between turns while nothing kept the loop warm: what else had the core.
#[derive(Clone, Copy, Debug, Default)]
struct Gaps {
    ticks: u64,
    long: u64,
}

/// The loop, its rings' other ends, and what keeps it warm when it is not in use.
pub(super) struct HotSide {
    reactor: Reactor<Spread>,
    shared: Arc<HotShared>,
    orders: Consumer<Intent>,
    cancels: Consumer<Intent>,
    decisions: Consumer<TraceRecord>,
    executions: Producer<ExecutionEvent>,
    venue: VenueId,
    clock: Clock,
    sender: Sender,
    released: usize,
    warmth: Warmth,
    /// Rehearsals alone, and with pings.
    kept: [Option<KeepWarm<Spread>>; 2],
    gap_ticks_min: u64,
    gaps: Gaps,
    pages: HugePages,
    /// The system runs this thread before all ordinary ones.
    before_others: bool,
    spin: bool,
}

impl HotSide {
    /// Connects, and opens the book: the frames up to the script's first pick are sent, and further ones until one has
    /// caused an order.
    pub(super) fn open(script: &Arc<Script>, layout: CoreLayout) -> Result<HotSide, String> {
        let text = |error: io::Error| error.to_string();
        let sender = Sender::start(script, layout)?;
        let (mut snapshots, mailbox) = SnapshotThread::start(&sender.to, &sender.trust).map_err(text)?;
        let settings = patient_settings(&script.instrument);
        let (order_producer, orders) = ring::channel(ORDER_RING_SLOTS);
        let (cancel_producer, cancels) = ring::channel(CANCEL_RING_SLOTS);
        let (execution_producer, executions) = ring::channel(EXECUTION_RING_SLOTS);
        let (told, decisions) = ring::channel(DECISION_RING_SLOTS);
        let strategy = spread_strategy(vec![spread(&script.instrument)]).map_err(|error| error.to_string())?;
        let made = engine(settings.clone(), strategy, order_producer, cancel_producer);
        let mut engine = made.map_err(|error| error.to_string())?;
        engine.set_trace(told);
        let pages = use_huge_pages(&engine.address_ranges().collect::<Vec<_>>());
        let (clock, scale) = (Clock::start(), CycleScale::measure(Duration::from_millis(20)));
        let shared = Arc::new(HotShared::default());
        let mut markets = market(script.product, script.instrument, &sender.to)?;
        markets.start(clock.now());
        let parts = ReactorParts {
            engine,
            markets: vec![markets],
            executions,
            snapshots: mailbox,
            clock,
            scale,
            shared: shared.clone(),
            keep_warm: None,
        };
        let reactor_settings = ReactorSettings {
            spin: true,
            frames_per_turn_max: 64,
            stall_min: STALL_MIN,
            warm_frames: 0,
            warm_after: Nanos::ZERO,
            allocations: note_stamp,
        };
        let kept = [None, KernelPing::new().ok()].map(|ping| keep_warm(script, &settings, ping, (clock, scale)));
        let mut hot = HotSide {
            reactor: Reactor::new(parts, reactor_settings).map_err(text)?,
            shared,
            orders,
            cancels,
            decisions,
            executions: execution_producer,
            venue: script.instrument.venue,
            clock,
            sender,
            released: 0,
            warmth: Warmth::Off,
            kept,
            gap_ticks_min: (GAP_NS_MIN * CycleClock::calibrated().ticks_per_ns) as u64,
            gaps: Gaps::default(),
            pages,
            before_others: false,
            spin: layout.spin,
        };
        if hot.kept.iter().any(Option::is_none) {
            return Err("nothing of this market can be rehearsed".to_owned());
        }
        touch_stack();
        hot.open_book(script.picks[0].frame + 1).map_err(text)?;
        snapshots.end();
        // Only now: what was started before would have inherited it.
        hot.before_others = layout.hot.is_some() && before_others(true);
        Ok(hot)
    }

    fn open_book(&mut self, frames: usize) -> io::Result<()> {
        let ready =
            ExecutionEvent { kind: ExecutionKind::GatewayReady, venue: self.venue, ..ExecutionEvent::default() };
        self.executions.push(ready).map_err(|_| io::Error::other("the ring is full"))?;
        let begun = Instant::now();
        let mut quiet_since = Instant::now();
        loop {
            let is_live = self.reactor.engine().market(InstrumentId(0)).state() == BookState::Live;
            let is_quiet = quiet_since.elapsed() >= OPENING_QUIET;
            // The loop asks its probe behind a frame only once it is warm: once a frame has caused an order.
            let is_warm = self.shared.warm.load(Ordering::Relaxed);
            if is_live && is_quiet && is_warm {
                break;
            }
            let more = match self.released {
                0 if self.sender.release.sealed.load(Ordering::Acquire) => frames,
                released if released > 0 && is_live && is_quiet => released + 1,
                released => released,
            };
            if more != self.released {
                self.released = more;
                self.sender.release.frames.store(more, Ordering::Release);
                quiet_since = Instant::now();
            }
            STAMPS.set((0, 0, 0));
            self.reactor.turn()?;
            self.answer()?;
            if STAMPS.get().0 > 0 {
                quiet_since = Instant::now();
            }
            if begun.elapsed() > STUCK {
                return Err(io::Error::other("the book does not open, or nothing is quoted on it"));
            }
            if let Some(error) = self.sender.failure() {
                return Err(error);
            }
        }
        self.sender.release.open.store(true, Ordering::Release);
        Ok(())
    }

    /// The place of the next frame.
    pub(super) const fn next_frame(&self) -> usize {
        self.released
    }

    /// From now on this keeps the loop warm.
    pub(super) fn keep(&mut self, warmth: Warmth) {
        let place = |warmth: Warmth| match warmth {
            Warmth::Off => None,
            Warmth::Path => Some(0),
            Warmth::All => Some(1),
        };
        let taken = place(warmth).and_then(|place| self.kept[place].take());
        let back = self.reactor.exchange_keep_warm(taken);
        if let Some(place) = place(self.warmth) {
            self.kept[place] = back;
        }
        self.warmth = warmth;
    }

    /// The next frame, after so many ns, through which the loop turns; none: it has arrived before the loop turns again.
    pub(super) fn frame(&mut self, pause_ns: Option<u64>) -> io::Result<Passed> {
        let begun = cycles();
        let ticks = pause_ns.map_or(0.0, |ns| ns as f64 * CycleClock::calibrated().ticks_per_ns) as u64;
        self.released += 1;
        self.sender.release.due.store(begun + ticks, Ordering::Relaxed);
        self.sender.release.frames.store(self.released, Ordering::Release);
        let mut watch = Watch { turns: 0, since: Instant::now() };
        if pause_ns.is_none() {
            while self.sender.release.written.load(Ordering::Acquire) < self.released {
                core::hint::spin_loop();
                watch.look(&mut self.sender)?;
            }
        }
        let stalls = self.shared.stalls.load(Ordering::Relaxed);
        let (mut last, mut gap_ticks_max) = (cycles(), 0);
        let handled = loop {
            let (begun, handled) = self.turn()?;
            let gap = begun.saturating_sub(last);
            gap_ticks_max = gap_ticks_max.max(gap);
            if self.warmth == Warmth::Off {
                self.gaps.ticks += gap;
                self.gaps.long += u64::from(gap >= self.gap_ticks_min);
            }
            last = begun;
            if let Some(handled) = handled {
                break handled;
            }
            if !self.spin {
                std::thread::yield_now();
            }
            watch.look(&mut self.sender)?;
        };
        let stalled = self.shared.stalls.load(Ordering::Relaxed) != stalls;
        let ordered = self.answer()?;
        // What the venue answered is taken in a turn of its own.
        self.turn()?;
        Ok(Passed { handled, ordered, gap_ticks_max, stalled })
    }

    /// One turn of the loop: when it began, and the frame's way if there was one.
    #[inline]
    fn turn(&mut self) -> io::Result<(u64, Option<Handled>)> {
        STAMPS.set((0, 0, 0));
        let begun = start();
        self.reactor.turn()?;
        let (asked, in_hand, done) = STAMPS.get();
        // Before a frame and behind it; where the loop only keeps house, once.
        Ok((begun, (asked >= 2).then_some(Handled { begun, in_hand, done })))
    }

    /// Plays the venue, which takes everything at once; whether there was anything.
    fn answer(&mut self) -> io::Result<bool> {
        let now = self.clock.now();
        let mut any = false;
        while let Some(intent) = self.cancels.pop().or_else(|| self.orders.pop()) {
            any = true;
            let told = self.executions.push(execution(&intent, self.venue, now));
            told.map_err(|_| io::Error::other("the ring is full"))?;
        }
        while self.decisions.pop().is_some() {}
        Ok(any)
    }

    /// The pass is over: adds what it counted.
    pub(super) fn close(mut self, totals: &mut PacedTotals) {
        self.keep(Warmth::Off);
        let count = |counter: &core::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        totals.rehearsals += count(&self.shared.rehearsals);
        totals.rehearsals_void += count(&self.shared.rehearsals_void);
        totals.rehearsal_ns_max = totals.rehearsal_ns_max.max(count(&self.shared.rehearsal_ns_max));
        totals.quiet_seconds += CycleClock::calibrated().ns(self.gaps.ticks) / 1e9;
        totals.gaps += self.gaps.long;
        totals.before_others = self.before_others;
        (totals.huge_bytes, totals.book_bytes) = (self.pages.huge_bytes, self.pages.wanted_bytes);
    }
}

impl Drop for HotSide {
    fn drop(&mut self) {
        if self.before_others {
            before_others(false);
        }
    }
}

/// Whether anything comes at all.
struct Watch {
    turns: u32,
    since: Instant,
}

impl Watch {
    #[inline]
    fn look(&mut self, sender: &mut Sender) -> io::Result<()> {
        self.turns = self.turns.wrapping_add(1);
        if !self.turns.is_multiple_of(TURNS_PER_LOOK) {
            return Ok(());
        }
        match sender.failure() {
            Some(error) => Err(error),
            None if self.since.elapsed() > STUCK => Err(io::Error::other("a frame does not come")),
            None => Ok(()),
        }
    }
}

/// What the program keeps the loop warm with, in a market around the recorded one's first price.
fn keep_warm(
    script: &Script,
    settings: &EngineSettings,
    ping: Option<KernelPing>,
    (clock, scale): (Clock, CycleScale),
) -> Option<KeepWarm<Spread>> {
    let (_, bids, _) = snapshot(&script.snapshot, increments(&script.instrument)).ok()?;
    let bid = bids.iter().map(|level| level.tick).max()?;
    let strategy = spread_strategy(vec![spread(&script.instrument)]).ok()?;
    let understudy = understudy(settings, 0, strategy).ok()?;
    let session = patient_session(script.product);
    let market = RehearsedMarket {
        product: script.product,
        instrument: &script.instrument,
        session: &session,
        bid,
        move_millionths: MOVE_MILLIONTHS,
    };
    Some(KeepWarm::new(rehearsal(understudy, &market, clock.now())?, ping, scale))
}

/// Has the system run the calling thread before all ordinary ones, or as an ordinary one again; false where it may not.
fn before_others(wanted: bool) -> bool {
    let thread = std::fs::read_link("/proc/thread-self").ok();
    let Some(id) = thread.as_deref().and_then(Path::file_name) else { return false };
    let policy = if wanted { ["--fifo", "--pid", "1"] } else { ["--other", "--pid", "0"] };
    let mut command = Command::new("chrt");
    command.args(policy).arg(id).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
