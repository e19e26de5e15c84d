//! COLD: several venues' gateways on one I/O thread and one pair of rings.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use spinbook_engine::event::{ExecutionEvent, ExecutionKind, LocalReject};
use spinbook_engine::intent::{Intent, IntentKind, TimeInForce};
use spinbook_engine::ring::{self, Consumer, Producer};
use spinbook_engine::types::{InstrumentId, Lots, Nanos, OrderId, QuoteAtoms, Side, Tick, VenueId};
use spinbook_feed::crypto::credentials::{Credentials, Secret};
use spinbook_feed::gateway::limits::OrderLimits;
use spinbook_feed::gateway::{Gateway, GatewayMode, GatewaySettings};
use spinbook_feed::net::connection::ConnectionLimits;
use spinbook_feed::net::connection::connector::Connector;
use spinbook_feed::net::connection::resolve::Endpoint;
use spinbook_feed::net::connection::tls::Trust;
use spinbook_feed::net::host::clock::{Clock, CycleScale};
use spinbook_feed::net::io::gateway_loop::{
    GatewayLane, GatewayLoop, GatewayLoopSettings, GatewayRings, GatewayShared, Idle,
};
use spinbook_feed::testkit::instrument;
use spinbook_feed::venue::{ProductLine, binance};

const EPOCH: u32 = 7;
const ROOM: usize = 4;

/// A loop over both product lines in shadow mode: orders are built and checked, and no socket is opened.
struct Rig {
    io: GatewayLoop,
    orders: Producer<Intent>,
    cancels: Producer<Intent>,
    executions: Consumer<ExecutionEvent>,
    shared: Arc<GatewayShared>,
    clock: Clock,
}

fn lane(product: ProductLine, id: u16) -> GatewayLane {
    let limits = OrderLimits {
        lots_max: Lots(1 << 40),
        notional_max: QuoteAtoms(1_000_000 * 10i128.pow(18)),
        open_orders_max: 10,
        position_lots_max: Lots(i64::MAX / 4),
        position_lots_start: Lots::ZERO,
        price_collar_millionths: None,
    };
    let limits = vec![limits; usize::from(id) + 1];
    let secret = Secret::new("r8Kd0pW3sQz6Lm1Xy9".to_owned());
    let credentials = Credentials::hmac("vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zv", &secret).unwrap();
    let settings = GatewaySettings::new(product, GatewayMode::Shadow, EPOCH, limits);
    let gateway = Gateway::new(settings, credentials, vec![instrument(product, id, "BTCUSDT", "0.01", "0.001")]);
    let to = || {
        let endpoint = Endpoint::parse("wss://127.0.0.1:1").unwrap();
        Connector::new(endpoint, Trust::public().client_config().unwrap(), ConnectionLimits::PRIVATE).unwrap()
    };
    GatewayLane { gateway, orders: to(), user_data: to() }
}

impl Rig {
    fn new(execution_slots: usize) -> Rig {
        let (orders, orders_out) = ring::channel(64);
        let (cancels, cancels_out) = ring::channel(64);
        let (executions_in, executions) = ring::channel(execution_slots);
        let rings =
            GatewayRings { cancels: cancels_out, orders: orders_out, executions: executions_in, decisions: None };
        let (clock, scale) = (Clock::start(), CycleScale::measure(Duration::from_millis(1)));
        let shared = Arc::new(GatewayShared::default());
        let settings = GatewayLoopSettings {
            idle: Idle::Sleep(Duration::ZERO),
            drain_within: Nanos::from_seconds(10),
            on_connection_end: |_, _, error| panic!("no connection is opened: {error}"),
            rest: None,
        };
        let lanes = vec![lane(binance::SPOT, 0), lane(binance::USDM, 1)];
        let io = GatewayLoop::new(lanes, rings, settings, clock, scale, shared.clone()).unwrap();
        Rig { io, orders, cancels, executions, shared, clock }
    }

    fn turn(&mut self) -> Vec<ExecutionEvent> {
        assert!(self.io.turn().unwrap().is_none());
        self.taken()
    }

    fn taken(&mut self) -> Vec<ExecutionEvent> {
        std::iter::from_fn(|| self.executions.pop()).collect()
    }

    fn place(&mut self, counter: u32, instrument: u16) {
        let intent = self.intent(IntentKind::Place, counter, instrument);
        self.orders.push(intent).unwrap();
    }

    fn intent(&self, kind: IntentKind, counter: u32, instrument: u16) -> Intent {
        Intent {
            kind,
            order: OrderId::new(EPOCH, counter),
            instrument: InstrumentId(instrument),
            side: Side::Bid,
            tick: Tick(5_000_000),
            lots: Lots(1_000),
            time_in_force: TimeInForce::PostOnly,
            deadline: self.clock.now() + Nanos::from_seconds(5),
            ..Intent::default()
        }
    }
}

#[test]
fn an_intent_goes_to_the_gateway_of_its_instrument_and_the_answer_names_the_venue() {
    let venues = [binance::SPOT.venue_id(), binance::USDM.venue_id()];
    let mut rig = Rig::new(64);
    let ready = rig.turn();
    assert!(ready.iter().all(|event| event.kind == ExecutionKind::GatewayReady));
    assert_eq!(ready.iter().map(|event| event.venue).collect::<Vec<VenueId>>(), venues, "each says so for itself");
    for (counter, instrument) in [(1, 0u16), (2, 1)] {
        rig.place(counter, instrument);
        let events = rig.turn();
        let [event] = events.as_slice() else { panic!("one answer, not {events:?}") };
        assert_eq!((event.kind, event.order), (ExecutionKind::Accepted, OrderId::new(EPOCH, counter)));
        assert_eq!((event.venue, event.instrument.0), (venues[usize::from(instrument)], instrument));
    }
    assert_eq!(rig.shared.open_orders.load(Ordering::Relaxed), 2, "of all venues together");
    let cancel = rig.intent(IntentKind::Cancel, 2, 1);
    rig.cancels.push(cancel).unwrap();
    let events = rig.turn();
    assert!(events.iter().any(|event| event.kind == ExecutionKind::Canceled && event.venue == venues[1]));
    assert_eq!(rig.shared.open_orders.load(Ordering::Relaxed), 1);
    rig.place(3, 9);
    let events = rig.turn();
    assert_eq!(events[0].local, LocalReject::Limit, "no gateway trades this instrument");
}

#[test]
fn draining_ends_when_every_gateway_is_quiet_and_gives_all_of_them_back() {
    let mut rig = Rig::new(64);
    rig.turn();
    rig.place(1, 0);
    rig.place(2, 1);
    rig.turn();
    rig.shared.begin_drain();
    let (gateways, end) = rig.io.run().unwrap();
    assert!(end.confirmed && end.open_orders == 0);
    let counts: Vec<u64> = gateways.iter().map(|gateway| gateway.counters().cancels_sent).collect();
    assert_eq!(counts, [1, 1]);
    assert!(gateways.iter().all(Gateway::is_quiet));
}

#[test]
fn an_operators_word_about_one_instrument_is_carried_out_in_the_turn_that_hears_it() {
    let mut rig = Rig::new(64);
    rig.turn();
    rig.place(1, 0);
    rig.place(2, 1);
    rig.turn();
    // One more was decided before the engine could hear of it.
    rig.place(3, 0);
    rig.shared.stop_instruments(&[InstrumentId(0)]);
    let events = rig.turn();
    let canceled: Vec<u32> = events
        .iter()
        .filter(|event| event.kind == ExecutionKind::Canceled)
        .map(|event| event.order.counter())
        .collect();
    assert_eq!(canceled, [1, 3], "{events:?}");
    assert_eq!(rig.shared.open_orders.load(Ordering::Relaxed), 1, "the other venue's order stands");
    assert!(rig.shared.stopped_confirmed.contains(InstrumentId(0)));
    assert!(!rig.shared.stopped_confirmed.contains(InstrumentId(1)));
    rig.place(4, 0);
    rig.place(5, 1);
    let events = rig.turn();
    assert_eq!((events[0].order.counter(), events[0].local), (4, LocalReject::Limit), "none is taken");
    assert_eq!((events[1].order.counter(), events[1].kind), (5, ExecutionKind::Accepted), "others trade on");
}

#[test]
fn an_instrument_that_is_allowed_again_is_traded_and_said_to_be() {
    let mut rig = Rig::new(64);
    rig.turn();
    rig.shared.stop_instruments(&[InstrumentId(0), InstrumentId(1)]);
    rig.turn();
    assert!(rig.shared.stopped_confirmed.contains(InstrumentId(0)));
    rig.shared.allow_instruments(&[InstrumentId(0)]);
    rig.turn();
    assert!(!rig.shared.stopped_confirmed.contains(InstrumentId(0)), "its orders are taken");
    assert!(rig.shared.stopped_confirmed.contains(InstrumentId(1)), "the other one stays");
    rig.place(1, 0);
    rig.place(2, 1);
    let kinds: Vec<ExecutionKind> = rig.turn().iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [ExecutionKind::Accepted, ExecutionKind::Rejected]);
}

#[test]
fn executions_wait_in_their_gateway_while_the_ring_is_full_and_keep_their_order() {
    let mut rig = Rig::new(ROOM);
    let mut seen = rig.turn();
    (1..=6).for_each(|counter| rig.place(counter, u16::from(counter > 3)));
    assert!(rig.io.turn().unwrap().is_none());
    while seen.len() < 8 {
        let more = rig.taken();
        assert!(!more.is_empty() && more.len() <= ROOM, "nothing is dropped, nothing overflows");
        seen.extend(more);
        assert!(rig.io.turn().unwrap().is_none());
    }
    for venue in [binance::SPOT.venue_id(), binance::USDM.venue_id()] {
        let orders: Vec<u32> = seen
            .iter()
            .filter(|event| event.venue == venue && event.kind == ExecutionKind::Accepted)
            .map(|event| event.order.counter())
            .collect();
        assert_eq!(orders.len(), 3);
        assert!(orders.is_sorted(), "{orders:?}");
    }
}

#[cfg(debug_assertions)]
#[test]
fn a_poll_that_fails_is_made_anew_and_only_one_that_always_fails_ends_the_thread() {
    let mut rig = Rig::new(64);
    rig.turn();
    rig.shared.polls_to_fail.store(5, Ordering::Relaxed);
    for counter in 1..=6 {
        rig.place(counter, 0);
        assert!(rig.turn().iter().any(|event| event.kind == ExecutionKind::Accepted), "{counter}");
    }
    assert_eq!(rig.shared.poll_failures.load(Ordering::Relaxed), 5);
    rig.shared.polls_to_fail.store(u64::MAX, Ordering::Relaxed);
    assert!(rig.io.run().is_err(), "there is no way on");
}
