//! HOT: the spinning loop: sockets, executions, snapshots and timers in, decisions out; one thread, never blocking.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mio::{Events, Poll};
use spinbook_engine::engine::Engine;
use spinbook_engine::event::ExecutionEvent;
use spinbook_engine::ring::Consumer;
use spinbook_engine::strategy::Strategy;
use spinbook_engine::types::{InstrumentId, Nanos, Stamp};

use crate::net::host::clock::{Clock, CycleScale, StallDetector, cycles};
use crate::net::hot::hot_shared::{AllocationProbe, HotShared, add};
use crate::net::hot::keep_warm::KeepWarm;
use crate::net::hot::market_connections::{IoContext, MarketConnections, Turn};
use crate::net::hot::snapshots::SnapshotMailbox;
use crate::session::EngineSink;

/// Executions taken in one turn, so that a flood of them cannot starve the market.
const EXECUTIONS_PER_TURN_MAX: usize = 256;
/// Turns between two looks at the snapshots' mailbox, while the loop spins: they are rare, and can wait microseconds.
const TURNS_PER_SNAPSHOT_LOOK: u32 = 64;
/// Open connections that the loop, while it spins, reads from unasked: a read that finds nothing takes a little longer
/// than the poll, but where something has come the poll's call is saved.
const DIRECT_SOCKETS_MAX: usize = 2;
/// Turns between two polls then: the poll still tells of connections that open or may be written to again.
const TURNS_PER_POLL: u32 = 64;
/// Rounds of reading and applying after a stall, at most: a market that is faster than that is decided on as it comes.
const CATCH_UP_ROUNDS_MAX: usize = 1_000;
/// How often slow deadlines are looked at.
const HOUSEKEEPING: Nanos = Nanos::from_millis(1);
/// How often the sessions' figures are shown to others.
const FIGURES: Nanos = Nanos::from_millis(200);

/// How the loop works.
#[derive(Clone, Copy, Debug)]
pub struct ReactorSettings {
    /// Polls without pause; otherwise the poll waits up to a millisecond for a socket.
    pub spin: bool,
    /// Frames taken from one connection before the others get their turn.
    pub frames_per_turn_max: usize,
    /// A gap between two turns that counts as a stall.
    pub stall_min: Nanos,
    /// Frames after which the loop may count as warm, once the first order has left.
    pub warm_frames: u64,
    /// How long after that it does: the first orders' executions have come back by then.
    pub warm_after: Nanos,
    /// Counts this thread's heap allocations.
    pub allocations: AllocationProbe,
}

/// What the loop drives and reports to.
pub struct ReactorParts<S> {
    /// The engine.
    pub engine: Engine<S>,
    /// The market sessions with their connections, of one venue or of several.
    pub markets: Vec<MarketConnections>,
    /// Executions from the I/O thread.
    pub executions: Consumer<ExecutionEvent>,
    /// Snapshots from the fetching thread.
    pub snapshots: SnapshotMailbox,
    /// The run's clock.
    pub clock: Clock,
    /// What a cycle is worth.
    pub scale: CycleScale,
    /// What others see.
    pub shared: Arc<HotShared>,
    /// Keeps the way to an order warm while nothing comes; none: it may cool down. Only where the loop spins.
    pub keep_warm: Option<KeepWarm<S>>,
}

/// The hot loop.
pub struct Reactor<S> {
    engine: Engine<S>,
    markets: Vec<MarketConnections>,
    executions: Consumer<ExecutionEvent>,
    snapshots: SnapshotMailbox,
    clock: Clock,
    shared: Arc<HotShared>,
    settings: ReactorSettings,
    poll: Poll,
    events: Events,
    meter: Meter,
    stalls: StallDetector,
    housekeeping: Nanos,
    figures: Nanos,
    draining: bool,
    /// The version of the stopped instruments that the engine was told of.
    stopped_version: u64,
    turns: u32,
    turns_per_poll: u32,
    keep_warm: Option<KeepWarm<S>>,
}

/// Latency and allocations of decisions.
struct Meter {
    scale: CycleScale,
    allocations: AllocationProbe,
    frames: u64,
    first_order: Option<Nanos>,
    warm: bool,
    allocations_at_warm: u64,
}

impl<S: Strategy> Reactor<S> {
    /// Puts the parts together (set-up).
    ///
    /// # Errors
    /// The system refuses a poll.
    pub fn new(parts: ReactorParts<S>, settings: ReactorSettings) -> io::Result<Reactor<S>> {
        let ReactorParts { engine, markets, executions, snapshots, clock, scale, shared, keep_warm } = parts;
        let now = clock.now();
        Ok(Reactor {
            engine,
            markets,
            executions,
            snapshots,
            clock,
            shared,
            settings,
            poll: Poll::new()?,
            events: Events::with_capacity(64),
            meter: Meter {
                scale,
                allocations: settings.allocations,
                frames: 0,
                first_order: None,
                warm: false,
                allocations_at_warm: 0,
            },
            stalls: StallDetector::new(now, settings.stall_min),
            housekeeping: now,
            figures: now,
            draining: false,
            stopped_version: 0,
            turns: 0,
            turns_per_poll: 1,
            keep_warm: keep_warm.filter(|_| settings.spin),
        })
    }

    /// Works until it is told to stop; gives engine and connections back for the report.
    ///
    /// # Errors
    /// The poll failed.
    pub fn run(mut self) -> io::Result<(Engine<S>, Vec<MarketConnections>)> {
        let now = self.clock.now();
        self.stalls = StallDetector::new(now, self.settings.stall_min);
        for market in &mut self.markets {
            market.start(now);
        }
        while !self.shared.stop.load(Ordering::Acquire) {
            self.turn()?;
        }
        let now = self.clock.now();
        // Whatever the I/O thread told before it ended still counts.
        while let Some(event) = self.executions.pop() {
            self.engine.on_execution(&event, now);
        }
        self.engine.publish_telemetry(now);
        for market in &mut self.markets {
            market.close(self.poll.registry(), now);
        }
        Ok((self.engine, self.markets))
    }

    /// The engine, for whoever drives the loop turn by turn.
    #[must_use]
    pub const fn engine(&self) -> &Engine<S> {
        &self.engine
    }

    /// Keeps warm by other means from now on; gives back what did it before. Only where the loop spins.
    pub fn exchange_keep_warm(&mut self, keep_warm: Option<KeepWarm<S>>) -> Option<KeepWarm<S>> {
        core::mem::replace(&mut self.keep_warm, keep_warm.filter(|_| self.settings.spin))
    }

    /// One turn of the loop: for a driver that shares its thread.
    ///
    /// # Errors
    /// The poll failed.
    #[inline]
    pub fn turn(&mut self) -> io::Result<()> {
        let mut now = self.clock.now();
        if let Some(gap) = self.stalls.turn(now) {
            now = self.catch_up(gap, now)?;
        }
        self.take_executions(now);
        self.turns = self.turns.wrapping_add(1);
        if !self.settings.spin || self.turns.is_multiple_of(TURNS_PER_SNAPSHOT_LOOK) {
            self.take_snapshot(now);
        }
        let polled = self.turns.is_multiple_of(self.turns_per_poll);
        let readable = if polled { self.poll_sockets()? } else { self.read_sockets(now) };
        if !self.settings.spin {
            // The poll may have waited.
            now = self.clock.now();
        }
        if readable {
            self.serve_markets(now);
            now = self.clock.now();
        } else if let Some(keep_warm) = &mut self.keep_warm {
            keep_warm.idle((now, self.stalls.gap()), &self.engine, &self.markets, &self.shared);
        }
        if now >= self.engine.next_deadline() {
            self.engine.on_timer(now);
        }
        if now >= self.housekeeping {
            self.housekeeping = now + HOUSEKEEPING;
            self.keep_house(now);
        }
        add(&self.shared.heartbeat, 1);
        Ok(())
    }

    #[inline]
    fn take_executions(&mut self, now: Nanos) {
        for _ in 0..EXECUTIONS_PER_TURN_MAX {
            let Some(event) = self.executions.pop() else { return };
            self.engine.on_execution(&event, now);
        }
    }

    #[inline]
    fn take_snapshot(&mut self, now: Nanos) {
        let Some(mut result) = self.snapshots.take() else {
            return;
        };
        if let Some(book) = result.book.take() {
            // The fetching thread built it, and frees what is left over.
            result.book = Some(self.engine.exchange_book(result.job.instrument, book));
        }
        let (markets, _, mut turn) = self.split(now);
        if let Some(market) = markets.get_mut(result.job.session) {
            // The buffered updates follow the snapshot in the same call: nothing is decided before the last of them.
            turn.sink.quiet = true;
            market.on_snapshot(&mut result, Stamp { wall: now, tsc: 0 }, &mut turn.sink);
            turn.sink.quiet = false;
            turn.sink.engine.flush(now);
            market.apply_actions(&mut turn);
        }
        self.snapshots.give_back(result);
    }

    /// Whether any connection may be read.
    #[inline]
    fn poll_sockets(&mut self) -> io::Result<bool> {
        let wait = if self.settings.spin { Duration::ZERO } else { Duration::from_millis(1) };
        let pending = self.markets.iter().any(MarketConnections::may_read);
        let wait = if pending { Duration::ZERO } else { wait };
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &self.events {
            if let Some(market) = self.markets.get_mut(MarketConnections::index_of(event.token())) {
                market.on_event(event.token());
            }
        }
        Ok(pending || !self.events.is_empty())
    }

    /// Reads from every open connection; whether anything is to be served.
    #[inline]
    fn read_sockets(&mut self, now: Nanos) -> bool {
        let mut any = false;
        for market in &mut self.markets {
            // What is left of the last turn is there already.
            any |= market.may_read() || market.poll_read(now);
        }
        any
    }

    /// Reads every readable connection, a bounded number of frames each.
    fn serve_markets(&mut self, now: Nanos) {
        // One raw stamp for all frames of this wake-up: the moment the sockets were seen readable.
        let received = Stamp { wall: now, tsc: cycles() };
        let frames_max = self.settings.frames_per_turn_max;
        let (markets, meter, mut turn) = self.split(now);
        for market in markets {
            if !market.wants_service() {
                continue;
            }
            market.process_ready(&mut turn);
            for path in 0..market.path_count() {
                let mut taken = 0;
                while taken < frames_max && market.process_next(path, &mut turn) {
                    // The first frame is decided on at once; behind it only the newest of what is there.
                    turn.sink.quiet = taken > 0 && market.has_next(path);
                    meter.frame(&mut turn, |sink| market.on_frame(path, received, sink));
                    turn.sink.quiet = false;
                    taken += 1;
                }
            }
            turn.sink.engine.flush(now);
            market.apply_actions(&mut turn);
        }
    }

    /// The markets, the meter, and one turn over them at `now`.
    #[inline]
    fn split(&mut self, now: Nanos) -> (&mut [MarketConnections], &mut Meter, Turn<'_, EngineSink<'_, S>>) {
        let context = IoContext { registry: self.poll.registry(), snapshots: &self.snapshots, shared: &self.shared };
        let sink = EngineSink { engine: &mut self.engine, quiet: false };
        (&mut self.markets, &mut self.meter, Turn { context, now, sink })
    }

    /// Slow deadlines, flags from outside, and what is shared with it.
    fn keep_house(&mut self, now: Nanos) {
        #[cfg(debug_assertions)]
        while self.shared.frozen.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        let (markets, _, mut turn) = self.split(now);
        for market in markets {
            market.on_timer(&mut turn);
        }
        if !self.draining && self.shared.drain.load(Ordering::Acquire) {
            self.draining = true;
            self.engine.begin_shutdown(now);
        }
        self.engine.set_paused(self.shared.pause.load(Ordering::Acquire), now);
        let version = self.shared.stopped.version();
        if version != self.stopped_version {
            self.stopped_version = version;
            self.stop_instruments(now);
        }
        let open: usize = self.markets.iter().map(MarketConnections::reported_open_count).sum();
        let direct = self.settings.spin && (1..=DIRECT_SOCKETS_MAX).contains(&open);
        self.turns_per_poll = if direct { TURNS_PER_POLL } else { 1 };
        self.meter.keep(&self.shared, &self.settings, now);
        if now >= self.figures {
            self.figures = now + FIGURES;
            self.show_figures();
        }
    }

    /// An operator stopped some instruments, whose quotes are pulled in this very call, or re-armed some.
    #[cold]
    #[inline(never)]
    fn stop_instruments(&mut self, now: Nanos) {
        for id in (0..self.engine.instrument_count()).map(|id| InstrumentId(id as u16)) {
            self.engine.set_instrument_killed(id, self.shared.stopped.contains(id));
        }
        self.engine.flush(now);
    }

    /// What a screen shows of the sessions.
    fn show_figures(&self) {
        let (mut frames, mut gaps, mut resyncs) = (0, 0, 0);
        for market in &self.markets {
            let counters = market.session().counters();
            frames += counters.frames;
            gaps += counters.gaps;
            resyncs += counters.resyncs;
        }
        self.shared.frames.store(frames, Ordering::Relaxed);
        self.shared.gaps.store(gaps, Ordering::Relaxed);
        self.shared.resyncs.store(resyncs, Ordering::Relaxed);
    }

    /// The thread stood still for `gap`: what waits to be read is old, and how old is not known before all of it is
    /// read. So everything that is there is applied before anything is decided, executions included, which else would
    /// be answered on the books of before the stall. Books that nothing new came for are as old as the stall is long.
    #[cold]
    #[inline(never)]
    fn catch_up(&mut self, gap: Nanos, now: Nanos) -> io::Result<Nanos> {
        self.note_stall(gap);
        let mut now = now;
        for _ in 0..CATCH_UP_ROUNDS_MAX {
            self.poll_sockets()?;
            self.read_sockets(now);
            let frames = self.apply_quietly(now);
            now = self.clock.now();
            if frames == 0 {
                break;
            }
        }
        self.take_executions(now);
        self.engine.flush(now);
        // The time that this took is no stall of its own.
        self.stalls.turn(now);
        Ok(now)
    }

    /// Applies what has been received without deciding anything, but for quotes whose book is lost; how many frames.
    fn apply_quietly(&mut self, now: Nanos) -> usize {
        let received = Stamp { wall: now, tsc: cycles() };
        let frames_max = self.settings.frames_per_turn_max;
        let (markets, meter, mut turn) = self.split(now);
        turn.sink.quiet = true;
        let mut frames = 0;
        for market in markets {
            market.process_ready(&mut turn);
            for path in 0..market.path_count() {
                let mut taken = 0;
                while taken < frames_max && market.process_next(path, &mut turn) {
                    meter.frame(&mut turn, |sink| market.on_frame(path, received, sink));
                    taken += 1;
                }
                frames += taken;
            }
            market.apply_actions(&mut turn);
        }
        frames
    }

    #[cold]
    fn note_stall(&mut self, gap: Nanos) {
        add(&self.shared.stalls, 1);
        let longest = self.shared.stall_ns_max.load(Ordering::Relaxed).max(gap.0.unsigned_abs());
        self.shared.stall_ns_max.store(longest, Ordering::Relaxed);
    }
}

impl Meter {
    /// Measures one frame's way to the ring; the second stamp is read only if an order was pushed.
    #[inline]
    fn frame<S: Strategy>(
        &mut self,
        turn: &mut Turn<'_, EngineSink<'_, S>>,
        handle: impl FnOnce(&mut EngineSink<'_, S>),
    ) {
        self.frames += 1;
        let pushed_before = turn.sink.engine.intents_pushed();
        let allocations_before = (self.allocations)();
        let in_hand = cycles();
        handle(&mut turn.sink);
        if turn.sink.engine.intents_pushed() != pushed_before {
            let on_ring = cycles();
            self.first_order.get_or_insert(turn.now);
            if self.warm {
                turn.context.shared.decode_to_order.record(self.scale.nanos(in_hand, on_ring));
            }
        }
        if self.warm {
            add(&turn.context.shared.allocations_decision, (self.allocations)() - allocations_before);
        }
    }

    /// Notes when the loop has become warm, and from then on what the whole thread allocates.
    fn keep(&mut self, shared: &HotShared, settings: &ReactorSettings, now: Nanos) {
        if self.warm {
            let count = (self.allocations)() - self.allocations_at_warm;
            shared.allocations_thread.store(count, Ordering::Relaxed);
        } else if self.frames >= settings.warm_frames
            && self.first_order.is_some_and(|first| now - first >= settings.warm_after)
        {
            self.warm = true;
            self.allocations_at_warm = (self.allocations)();
            shared.warm.store(true, Ordering::Relaxed);
        }
    }
}
