//! COLD: which agent runs on which thread, on which core, and which ring joins it to which: one function.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use spinbook_engine::engine::Engine;
use spinbook_engine::event::ExecutionEvent;
use spinbook_engine::intent::Intent;
use spinbook_engine::limits::{CANCEL_RING_SLOTS, EXECUTION_RING_SLOTS, ORDER_RING_SLOTS};
use spinbook_engine::ring::{self, Consumer, Producer};
use spinbook_engine::strategy::Strategy;
use spinbook_engine::types::{InstrumentId, Nanos};
use spinbook_feed::gateway::Gateway;
use spinbook_feed::gateway::rest::RestLane;
use spinbook_feed::net::connection::look_up::{HostAddresses, look_up_wanted};
use spinbook_feed::net::host::clock::{Clock, CycleScale};
use spinbook_feed::net::host::memory;
use spinbook_feed::net::host::threads;
use spinbook_feed::net::hot::hot_shared::HotShared;
use spinbook_feed::net::hot::keep_warm::KeepWarm;
use spinbook_feed::net::hot::market_connections::MarketConnections;
use spinbook_feed::net::hot::reactor::{Reactor, ReactorParts, ReactorSettings};
use spinbook_feed::net::hot::snapshots::{SnapshotMailbox, SnapshotUrls, SnapshotWorker};
use spinbook_feed::net::io::gateway_loop::{
    GatewayEnd, GatewayLane, GatewayLoop, GatewayLoopSettings, GatewayRings, GatewayShared, Idle,
};
use spinbook_feed::net::io::rest_calls::RestWorker;
use spinbook_feed::session::MarketSession;
use spinbook_feed::supervision::heartbeats::HangBounds;

use super::news::{self, Weight};
use super::panics;
#[cfg(debug_assertions)]
use super::panics::provoked::allocations as thread_allocations;
#[cfg(not(debug_assertions))]
use crate::alloc::thread_allocations;
use crate::config::tables::EngineConfig;

/// A gap between two turns of the hot loop that is worth counting.
const STALL_MIN: Nanos = Nanos::from_millis(50);
/// How long the I/O thread sleeps when it has nothing to do and shares its core with all but the hot thread.
const IO_SLEEP: Duration = Duration::from_micros(20);
/// The same where the hot thread owns no core either and itself waits for up to a millisecond: there every look around
/// takes a core from it.
const IO_SLEEP_UNPINNED: Duration = Duration::from_micros(200);
/// Frames of one connection before the others get their turn.
const FRAMES_PER_TURN_MAX: usize = 64;
/// Frames before the hot loop counts as warm.
const WARM_FRAMES: u64 = 200;
/// How long after the first order it does.
const WARM_AFTER: Nanos = Nanos::from_millis(1_000);

/// How long the hot thread may stand still on a core of its own.
const HANG_HOT: Duration = Duration::from_millis(250);
/// How long the I/O thread may stand still on a core of its own.
const HANG_IO: Duration = Duration::from_millis(500);
/// How long a thread may stand still whose core is shared.
const HANG_SHARED: Duration = Duration::from_secs(2);

/// Who runs where. `None`: wherever the system puts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cores {
    /// The hot thread's own core.
    pub hot: Option<usize>,
    /// The I/O thread's.
    pub io: Option<usize>,
    /// Everything else's, the exchange of a demo included.
    pub rest: Option<usize>,
    /// Whether the I/O thread has its core to itself and may spin.
    pub io_spins: bool,
}

impl Cores {
    /// Shares out `mask` (ascending), the cores this process has anyway: the hot thread gets the wanted one, the I/O
    /// thread the wanted one or else the next where there are at least three in all, everything else the first that
    /// is left. A wanted core may lie outside the mask, as isolated ones do, if `can_pin` says so.
    #[must_use]
    pub fn share(mask: &[usize], hot: Option<usize>, io: Option<usize>, can_pin: impl Fn(usize) -> bool) -> Cores {
        let usable = |core: &usize| mask.contains(core) || can_pin(*core);
        let Some(hot) = hot.filter(usable) else {
            return Cores { hot: None, io: None, rest: None, io_spins: false };
        };
        let others: Vec<usize> = mask.iter().copied().filter(|core| *core != hot).collect();
        let io = io.filter(|core| *core != hot).filter(usable).or(match others[..] {
            [] => None,
            [only] => Some(only),
            [_, second, ..] => Some(second),
        });
        // Where nothing else is left the rest runs beside the I/O thread, which then sleeps between turns.
        let rest = others.iter().copied().find(|core| Some(*core) != io).or(io);
        Cores { hot: Some(hot), io, rest, io_spins: io.is_some() && io != rest }
    }

    /// What the I/O thread does when it has nothing to do.
    fn io_idle(self) -> Idle {
        match (self.io_spins, self.hot) {
            (true, _) => Idle::Spin,
            (false, Some(_)) => Idle::Sleep(IO_SLEEP),
            (false, None) => Idle::Sleep(IO_SLEEP_UNPINNED),
        }
    }

    /// The core the hot thread gets when nobody named one: the last, if there are two at least.
    #[must_use]
    pub fn default_hot(available: &[usize]) -> Option<usize> {
        available.get(1..).and_then(<[usize]>::last).copied()
    }
}

/// The rings between hot and I/O thread.
pub struct Rings {
    /// New orders, to the I/O thread.
    pub orders: (Producer<Intent>, Consumer<Intent>),
    /// Cancels, to the I/O thread, on a ring that nothing else can fill.
    pub cancels: (Producer<Intent>, Consumer<Intent>),
    /// Executions, to the hot thread.
    pub executions: (Producer<ExecutionEvent>, Consumer<ExecutionEvent>),
}

impl Rings {
    /// Rings of the engine's sizes.
    #[must_use]
    pub fn new() -> Rings {
        Rings {
            orders: ring::channel(ORDER_RING_SLOTS),
            cancels: ring::channel(CANCEL_RING_SLOTS),
            executions: ring::channel(EXECUTION_RING_SLOTS),
        }
    }
}

/// Everything that is to run.
pub struct Agents<S, U> {
    /// Decides.
    pub engine: Engine<S>,
    /// Keeps the way to an order warm while nothing comes.
    pub keep_warm: Option<KeepWarm<S>>,
    /// Market connections, one entry a venue.
    pub markets: Vec<MarketConnections>,
    /// The hot thread's ends.
    pub hot_executions: Consumer<ExecutionEvent>,
    /// Snapshots for the hot thread.
    pub mailbox: SnapshotMailbox,
    /// Fetches them.
    pub snapshots: SnapshotWorker<U>,
    /// Each venue's gateway and the way to its connections.
    pub gateways: Vec<GatewayLane>,
    /// The I/O thread's ends.
    pub io_rings: GatewayRings,
    /// Its connections; the idle strategy is set here.
    pub io_settings: GatewayLoopSettings,
    /// Carry the gateways' requests over REST, a thread each.
    pub rest_workers: Vec<RestWorker>,
    /// What an operator killed before, and nobody has re-armed.
    pub killed: Vec<InstrumentId>,
    /// The run's clock.
    pub clock: Clock,
    /// What a cycle is worth.
    pub scale: CycleScale,
}

/// What is left of the hot thread: the engine, and the session of each venue.
pub type HotEnd<S> = (Engine<S>, Vec<MarketSession>);

/// The running threads and what they share.
pub struct Running<S> {
    hot: JoinHandle<io::Result<(Engine<S>, Vec<MarketConnections>)>>,
    io: JoinHandle<io::Result<(Vec<Gateway>, GatewayEnd)>>,
    fetchers: Vec<JoinHandle<()>>,
    /// What the hot thread shows.
    pub hot_shared: Arc<HotShared>,
    /// What the I/O thread shows.
    pub io_shared: Arc<GatewayShared>,
    fetch_stop: Arc<AtomicBool>,
}

/// Starts every thread.
///
/// # Errors
/// The system refuses a thread or a poll.
pub fn start<S, U>(agents: Agents<S, U>, cores: Cores) -> io::Result<Running<S>>
where
    S: Strategy + Send + 'static,
    U: SnapshotUrls + 'static,
{
    let hot_shared = Arc::new(HotShared::default());
    let io_shared = Arc::new(GatewayShared::default());
    let fetch_stop = Arc::new(AtomicBool::new(false));
    for stopped in [&hot_shared.stopped, &io_shared.stopped] {
        stopped.add(&agents.killed);
    }
    #[cfg(debug_assertions)]
    panics::provoked::arm(&hot_shared, &io_shared)?;

    let settings = ReactorSettings {
        spin: cores.hot.is_some(),
        frames_per_turn_max: FRAMES_PER_TURN_MAX,
        stall_min: STALL_MIN,
        warm_frames: WARM_FRAMES,
        warm_after: WARM_AFTER,
        allocations: thread_allocations,
    };
    let parts = ReactorParts {
        engine: agents.engine,
        markets: agents.markets,
        executions: agents.hot_executions,
        snapshots: agents.mailbox,
        clock: agents.clock,
        scale: agents.scale,
        shared: hot_shared.clone(),
        keep_warm: agents.keep_warm,
    };
    let mut io_settings = agents.io_settings;
    io_settings.idle = cores.io_idle();
    let (gateways, io_rings) = (agents.gateways, agents.io_rings);
    let (clock, scale, shared) = (agents.clock, agents.scale, io_shared.clone());
    let (snapshots, stop) = (agents.snapshots, fetch_stop.clone());

    let hosts = hosts_of(&parts.markets, &gateways);
    let reactor = Reactor::new(parts, settings)?;
    let io_loop = GatewayLoop::new(gateways, io_rings, io_settings, clock, scale, shared)?;
    let mut fetchers = vec![threads::spawn("spinbook-fetch", cores.rest, warn_unpinned, move || snapshots.run(&stop))?];
    let stop = fetch_stop.clone();
    let look_up = move || look_up_wanted(&hosts, &stop);
    fetchers.push(threads::spawn("spinbook-names", cores.rest, warn_unpinned, look_up)?);
    for worker in agents.rest_workers {
        let stop = fetch_stop.clone();
        let name = match worker.lane() {
            RestLane::Questions => "spinbook-ask",
            RestLane::Cancels => "spinbook-cancel",
        };
        fetchers.push(threads::spawn(name, cores.rest, warn_unpinned, move || worker.run(&stop))?);
    }
    let io = threads::spawn(panics::IO_THREAD, cores.io, warn_unpinned, move || {
        threads::sleep_precisely();
        memory::touch_stack();
        io_loop.run()
    })?;
    let hot = threads::spawn("spinbook-hot", cores.hot, warn_unpinned, move || {
        memory::touch_stack();
        reactor.run()
    })?;
    Ok(Running { hot, io, fetchers, hot_shared, io_shared, fetch_stop })
}

/// Every host that is connected to: the market's as well, whose thread must not wait for a name server.
fn hosts_of(markets: &[MarketConnections], gateways: &[GatewayLane]) -> Vec<Arc<HostAddresses>> {
    let of_lane = |lane: &GatewayLane| [lane.orders.host(), lane.user_data.host()];
    let of_orders = gateways.iter().flat_map(of_lane).flatten();
    markets.iter().filter_map(MarketConnections::host).chain(of_orders).collect()
}

fn warn_unpinned(core: usize) {
    let text = "the system refused to pin a thread to this core: latency will vary; see `spinbook doctor`";
    news::tell(Weight::Warning, format!("{text} core={core}"));
}

/// When a thread hangs: as configured, else soon where it has a core that the system's scheduler leaves alone, and late
/// where others may take its core for a while.
#[must_use]
pub fn hang_bounds(engine: &EngineConfig, cores: Cores) -> HangBounds {
    let isolated = threads::isolated_cores();
    let owns = |core: Option<usize>| core.is_some_and(|core| isolated.contains(&core));
    let bound = |configured: Option<u32>, core, owned| {
        let own = if owns(core) { owned } else { HANG_SHARED };
        configured.map_or(own, |milliseconds| Duration::from_millis(milliseconds.into()))
    };
    HangBounds {
        hot: bound(engine.hot_hang_ms, cores.hot, HANG_HOT),
        io: bound(engine.io_hang_ms, cores.io.filter(|_| cores.io_spins), HANG_IO),
    }
}

/// What came back of the threads.
pub struct Ended<S> {
    /// The engine and its sessions.
    pub hot: HotEnd<S>,
    /// The gateways, in the order in which they were given.
    pub gateways: Vec<Gateway>,
    /// How it ended.
    pub gateway_end: GatewayEnd,
    /// What the hot thread showed.
    pub hot_shared: Arc<HotShared>,
    /// What the I/O thread showed.
    pub io_shared: Arc<GatewayShared>,
}

impl<S> Running<S> {
    /// Whether a thread has ended that nobody asked to.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.hot.is_finished() || self.io.is_finished()
    }

    /// Begins the end: no quote any more, every order cancelled and confirmed.
    pub fn drain(&self) {
        self.hot_shared.drain.store(true, Ordering::Release);
        self.io_shared.begin_drain();
    }

    /// Whether everything is cancelled and confirmed, or the time for it is over. Where the I/O thread failed, the one
    /// that rescues has the word: whether the venues confirmed it over REST, once that is over.
    #[must_use]
    pub fn is_drained(&self, rescued: Option<bool>) -> bool {
        let io = &self.io_shared;
        if !io.ended.load(Ordering::Acquire) {
            return false;
        }
        if io.failed.load(Ordering::Acquire) && rescued == Some(true) {
            io.open_orders.store(0, Ordering::Relaxed);
            io.confirmed.store(true, Ordering::Release);
        }
        !io.failed.load(Ordering::Acquire) || rescued.is_some()
    }

    /// Whether every venue has confirmed that nothing is open, and what the gateways believe to be open.
    #[must_use]
    pub fn ending(&self) -> (bool, usize) {
        let confirmed =
            self.io_shared.ended.load(Ordering::Acquire) && self.io_shared.confirmed.load(Ordering::Acquire);
        (confirmed, usize::try_from(self.io_shared.open_orders.load(Ordering::Relaxed)).unwrap_or(usize::MAX))
    }

    /// Stops the threads and collects what they held. Call it when drained, or to leave at once.
    ///
    /// # Errors
    /// A poll failed while a thread ran.
    ///
    /// # Panics
    /// If a thread panicked, which in a release build ends the process before.
    pub fn stop(self) -> io::Result<Ended<S>> {
        self.io_shared.abandon.store(true, Ordering::Release);
        let (gateways, gateway_end) = self.io.join().expect("a panic of the I/O thread ends the process")?;
        // Only now: every execution that the I/O thread told is on the ring and will be taken.
        self.hot_shared.stop.store(true, Ordering::Release);
        self.fetch_stop.store(true, Ordering::Release);
        let (engine, markets) = self.hot.join().expect("a panic of the hot thread ends the process")?;
        let hot = (engine, markets.into_iter().map(MarketConnections::into_session).collect());
        // What is still under way is no longer wanted: its thread ends by itself.
        for fetcher in self.fetchers.into_iter().filter(JoinHandle::is_finished) {
            fetcher.join().expect("a panic of a fetching thread ends the process");
        }
        Ok(Ended { hot, gateways, gateway_end, hot_shared: self.hot_shared, io_shared: self.io_shared })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_shared_out() {
        let share = |mask: &[usize], hot, io| Cores::share(mask, hot, io, |core| core == 8 || core == 9);
        let two = share(&[0, 1], Some(1), None);
        assert_eq!(two, Cores { hot: Some(1), io: Some(0), rest: Some(0), io_spins: false });
        let four = share(&[0, 1, 2, 3], Some(3), None);
        assert_eq!(four, Cores { hot: Some(3), io: Some(1), rest: Some(0), io_spins: true });
        assert_eq!(share(&[0, 1, 2, 3], Some(3), Some(2)), Cores { io: Some(2), ..four });
        assert_eq!(share(&[0, 1, 2, 3], Some(3), Some(0)), Cores { io: Some(0), rest: Some(1), ..four });
        assert_eq!(share(&[0, 1, 2, 3], Some(3), Some(3)), four, "the hot core is nobody else's");
        // Isolated cores are not in the mask.
        let isolated = Cores { hot: Some(9), io: Some(8), rest: Some(0), io_spins: true };
        assert_eq!(share(&[0, 1], Some(9), Some(8)), isolated);
        assert_eq!(share(&[0], Some(9), None), Cores { hot: Some(9), io: Some(0), rest: Some(0), io_spins: false });
        assert_eq!(share(&[0], Some(0), None).rest, None);
        assert_eq!(share(&[0, 1], Some(7), None).hot, None);
        assert_eq!(share(&[0, 1], None, None).hot, None);
        assert_eq!((four.io_idle(), two.io_idle()), (Idle::Spin, Idle::Sleep(IO_SLEEP)));
        assert_eq!(share(&[0, 1], None, None).io_idle(), Idle::Sleep(IO_SLEEP_UNPINNED));
        assert_eq!(Cores::default_hot(&[0, 1]), Some(1));
        assert_eq!(Cores::default_hot(&[0]), None);
    }
}
