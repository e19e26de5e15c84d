//! COLD: the hot loop itself, on real sockets: how often it reads a clock for an order, and what it does after a stall.

use std::cell::{Cell, RefCell};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use spinbook_engine::counters::{Counter, Counters};
use spinbook_engine::event::{ExecutionEvent, ExecutionKind};
use spinbook_engine::intent::{Intent, IntentKind};
use spinbook_engine::ring::{self, Consumer, Producer};
use spinbook_engine::strategy::Spread;
use spinbook_engine::types::{Lots, Nanos};
use spinbook_feed::net::connection::connector::Connector;
use spinbook_feed::net::connection::resolve::Endpoint;
use spinbook_feed::net::connection::tls::{LoopbackIdentity, Trust};
use spinbook_feed::net::connection::{ConnectionError, ConnectionLimits};
use spinbook_feed::net::exchange::server::{Server, ServerSettings};
use spinbook_feed::net::host::clock::{self, Clock, CycleScale};
use spinbook_feed::net::hot::hot_shared::HotShared;
use spinbook_feed::net::hot::market_connections::MarketConnections;
use spinbook_feed::net::hot::reactor::{Reactor, ReactorParts, ReactorSettings};
use spinbook_feed::net::hot::snapshots::{self, SnapshotJob, SnapshotMailbox, SnapshotUrls};
use spinbook_feed::net::io::fetch::Fetcher;
use spinbook_feed::session::{MarketSession, SessionSettings};
use spinbook_feed::sim::fault_plan::FaultPlan;
use spinbook_feed::sim::side::{ExchangeSide, HttpRequest};
use spinbook_feed::venue::binance::instruments::find_instruments;
use spinbook_feed::venue::instrument::Instrument;
use spinbook_feed::venue::{ProductLine, binance};

use crate::setup;

const PRODUCT: ProductLine = binance::USDM;
/// Nothing here is given up because the machine is busy with something else.
const PATIENCE: Nanos = Nanos::from_seconds(120);
/// Turns with one frame that caused orders.
const TURNS: usize = 8;

thread_local! {
    /// Frames of this turn, and the clock reads of this thread when the last of them was in hand.
    static IN_HAND: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// The loop asks for its allocations right before a frame is in hand.
fn frame_is_in_hand() -> u64 {
    IN_HAND.set((IN_HAND.get().0 + 1, clock::reads()));
    0
}

struct Urls(String);

impl SnapshotUrls for Urls {
    fn url(&self, job: SnapshotJob) -> String {
        format!("{}/fapi/v1/depth?symbol=BTCUSDT&limit={}", self.0, job.levels)
    }
}

fn instrument(now: Nanos) -> Instrument {
    let request = HttpRequest { method: "GET", target: "/fapi/v1/exchangeInfo", headers: &[], body: b"" };
    let reply = setup::exchange_at(PRODUCT, 7, FaultPlan::default(), now).on_http(&request, now);
    find_instruments(PRODUCT, &reply.body, &["BTCUSDT"]).unwrap().remove(0)
}

fn route(address: SocketAddr, trust: &Trust) -> Connector {
    let endpoint = Endpoint { host: "localhost".to_owned(), port: address.port(), prefix: String::new() };
    let limits = ConnectionLimits {
        open_within: PATIENCE,
        ping_after: PATIENCE,
        silent_max: PATIENCE,
        ..ConnectionLimits::PUBLIC
    };
    let mut known = Connector::new(endpoint, trust.client_config().unwrap(), limits).unwrap();
    known.address = address;
    known
}

fn market(
    route: Connector,
    instrument: Instrument,
    now: Nanos,
    on_connection_end: fn(u8, &ConnectionError),
) -> MarketConnections {
    let settings = SessionSettings {
        symbol_silence_max: PATIENCE,
        connection_silence_max: PATIENCE,
        answer_wait_max: PATIENCE,
        ..SessionSettings::of(PRODUCT)
    };
    let session = MarketSession::new(PRODUCT, &[instrument], settings).unwrap();
    let mut line = MarketConnections::new(session, route, 0, on_connection_end);
    line.start(now);
    line
}

/// The venue's answer to an intent, at once.
fn answer(intent: &Intent, now: Nanos) -> ExecutionEvent {
    ExecutionEvent {
        order: intent.order,
        time: now,
        tick: intent.tick,
        instrument: intent.instrument,
        venue: PRODUCT.venue_id(),
        slot: intent.slot,
        side: intent.side,
        kind: match intent.kind {
            IntentKind::Cancel => ExecutionKind::Canceled,
            _ => ExecutionKind::Accepted,
        },
        ..ExecutionEvent::default()
    }
}

/// A hot loop with the far ends of its rings.
struct Loop {
    reactor: Reactor<Spread>,
    orders: Consumer<Intent>,
    cancels: Consumer<Intent>,
    told: Producer<ExecutionEvent>,
    counters: Arc<Counters>,
    clock: Clock,
}

impl Loop {
    /// Answers what was decided; how much it was.
    fn answer(&mut self) -> usize {
        let now = self.clock.now();
        let mut intents = 0;
        while let Some(intent) = self.cancels.pop().or_else(|| self.orders.pop()) {
            intents += 1;
            self.told.push(answer(&intent, now)).unwrap();
        }
        intents
    }
}

fn hot_loop(
    route: Connector,
    on_connection_end: fn(u8, &ConnectionError),
    mailbox: SnapshotMailbox,
    stall_min: Nanos,
    allocations: fn() -> u64,
) -> Loop {
    let clock = Clock::start();
    let instrument = instrument(clock.now());
    let (engine, orders, cancels) = setup::engine(setup::EPOCH, &[(PRODUCT, &instrument, Lots::ZERO)], false);
    let (mut told, executions) = ring::channel::<ExecutionEvent>(1024);
    let counters = engine.counters().clone();
    told.push(ready()).unwrap();
    let parts = ReactorParts {
        engine,
        markets: vec![market(route, instrument, clock.now(), on_connection_end)],
        executions,
        snapshots: mailbox,
        clock,
        scale: CycleScale::from_span(1, 1),
        shared: Arc::new(HotShared::default()),
        keep_warm: None,
    };
    let settings = ReactorSettings {
        spin: false,
        frames_per_turn_max: 64,
        stall_min,
        // Never warm: the probe is called once a frame and nowhere else.
        warm_frames: u64::MAX,
        warm_after: Nanos::ZERO,
        allocations,
    };
    Loop { reactor: Reactor::new(parts, settings).unwrap(), orders, cancels, told, counters, clock }
}

/// No connection ends where nothing goes wrong.
fn no_end(_: u8, error: &ConnectionError) {
    panic!("{error}");
}

fn drive(address: SocketAddr, trust: &Trust, mailbox: SnapshotMailbox) {
    let mut hot = hot_loop(route(address, trust), no_end, mailbox, PATIENCE, frame_is_in_hand);
    let (began, mut seen, mut trades) = (Instant::now(), 0, false);
    while seen < TURNS {
        assert!(began.elapsed() < Duration::from_secs(180), "{seen} frames alone in their turn caused orders");
        IN_HAND.set((0, 0));
        let before = clock::reads();
        hot.reactor.turn().unwrap();
        let after = clock::reads();
        let intents = hot.answer();
        // Before the first order connections open and subscribe, and each message that is sent is stamped, too.
        if !trades {
            trades = intents > 0;
            continue;
        }
        let (frames, in_hand) = IN_HAND.get();
        // A turn reads at its start and its end; one with readable sockets twice more, for all of their frames.
        assert!(after - before <= 4 + 2 * frames, "{} reads for {frames} frames", after - before);
        if frames == 1 {
            // Frame in hand, order on the ring, and the turn's end.
            let behind = after - in_hand;
            assert!(behind <= 3, "{behind} reads behind the frame");
            seen += usize::from(intents > 0);
        }
    }
    println!("{seen} turns in which one frame caused orders, each with at most two reads between them");
}

thread_local! {
    /// Decisions of the engine when each frame of this turn was in hand.
    static DECIDED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
    /// Where they are counted.
    static COUNTED: RefCell<Option<Arc<Counters>>> = const { RefCell::new(None) };
}

/// Right before a frame is in hand: how much has been decided.
fn note_decisions() -> u64 {
    let decided = COUNTED.with_borrow(|counters| counters.as_ref().map_or(0, |all| all.value(Counter::Decisions)));
    DECIDED.with_borrow_mut(|noted| noted.push(decided));
    0
}

/// The thread stands still while the market goes on; its next turn finds all of that at once.
fn stand_still(address: SocketAddr, trust: &Trust, mailbox: SnapshotMailbox) {
    let mut hot = hot_loop(route(address, trust), no_end, mailbox, Nanos::from_millis(1_000), note_decisions);
    COUNTED.set(Some(hot.counters.clone()));
    let (began, mut quoting) = (Instant::now(), false);
    loop {
        assert!(began.elapsed() < Duration::from_secs(180), "no stall with several frames behind it");
        hot.reactor.turn().unwrap();
        quoting |= hot.answer() > 0;
        if !quoting {
            continue;
        }
        std::thread::sleep(Duration::from_millis(1_500));
        DECIDED.take();
        // What was answered before the stall waits as well: it must not be decided on with the old books.
        hot.told.push(ready()).unwrap();
        let before = hot.counters.value(Counter::Decisions);
        hot.reactor.turn().unwrap();
        let decided = DECIDED.take();
        assert!(decided.iter().all(|count| *count == before), "decided between frames: {before}, then {decided:?}");
        if decided.len() >= 3 {
            assert!(hot.counters.value(Counter::Decisions) > before, "and then on the newest");
            println!("{} frames waited behind the stall and were applied before the decision", decided.len());
            return;
        }
        hot.answer();
    }
}

/// The address that is connected to takes no connection any more; the host has another one.
fn find_another_address(address: SocketAddr, trust: &Trust, mailbox: SnapshotMailbox) {
    let retired = SocketAddr::new(Ipv4Addr::new(127, 0, 0, 9).into(), address.port());
    let mut hot = hot_loop(route(retired, trust), |_, _| {}, mailbox, PATIENCE, || 0);
    let began = Instant::now();
    let mut quoting = false;
    while !quoting {
        assert!(began.elapsed() < Duration::from_secs(30), "no market from the host's other address");
        hot.reactor.turn().unwrap();
        quoting = hot.answer() > 0;
    }
}

fn ready() -> ExecutionEvent {
    ExecutionEvent { kind: ExecutionKind::GatewayReady, venue: PRODUCT.venue_id(), ..ExecutionEvent::default() }
}

#[test]
fn after_a_stall_all_that_waits_is_applied_before_anything_is_decided() {
    with_exchange(stand_still);
}

#[test]
fn a_market_whose_address_takes_no_connection_is_read_from_another_one_of_its_host() {
    with_exchange(find_another_address);
}

#[test]
fn from_a_frame_in_hand_to_its_order_a_clock_is_read_twice() {
    if clock::reads() == 0 {
        let _ = clock::cycles();
        assert_eq!(clock::reads(), 1, "reads are counted in this build");
    }
    with_exchange(drive);
}

/// An exchange on a thread of its own, and a hot loop on this one.
fn with_exchange(drive: fn(SocketAddr, &Trust, SnapshotMailbox)) {
    let identity = LoopbackIdentity::generate().unwrap();
    let trust = Trust::from_pem(identity.ca_pem.as_bytes()).unwrap();
    let (stop, (tell, told)) = (AtomicBool::new(false), mpsc::channel());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let clock = Clock::start();
            let exchange = setup::exchange_at(PRODUCT, 7, FaultPlan::default(), clock.now());
            let settings = ServerSettings::on((Ipv4Addr::LOCALHOST, 0).into());
            let mut server = Server::bind(settings, identity.server_config.clone(), exchange).unwrap();
            tell.send(server.address()).unwrap();
            server.run(&clock, &stop).unwrap();
        });
        let address = told.recv().unwrap();
        let fetcher = Fetcher::new(&trust, Duration::from_secs(120));
        let urls = Urls(format!("https://localhost:{}", address.port()));
        let (mailbox, worker) = snapshots::new(4, vec![fetcher], urls, |error| panic!("{error}"));
        let stop = &stop;
        scope.spawn(move || worker.run(stop));
        // A failure must end the other threads, or the scope would wait for them for ever.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drive(address, &trust, mailbox)));
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
}
