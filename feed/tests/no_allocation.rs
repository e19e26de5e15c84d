//! COLD: frames, sequences and the session allocate nothing once warm: a counting allocator says so.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

#[path = "protocol/support.rs"]
mod support;

#[path = "whole/setup.rs"]
#[allow(dead_code, reason = "only the market maker is needed of it")]
mod setup;

#[path = "protocol/fuzzed/checks/gateway/venue.rs"]
#[allow(dead_code, reason = "no order is filled here")]
mod venue;

use serde_json::{Value, json};
use spinbook_engine::intent::{Intent, IntentKind, MidSent, TimeInForce};
use spinbook_engine::types::{InstrumentId, Lots, Nanos, OrderId, QuoteAtoms, SlotId, Stamp, Tick};
use spinbook_feed::gateway::limits::OrderLimits;
use spinbook_feed::gateway::rest::RestAnswer;
use spinbook_feed::gateway::{Gateway, GatewayAction, GatewayMode, GatewayOutput, GatewaySettings};
use spinbook_feed::history::player::Markets;
use spinbook_feed::history::recorded_instruments;
use spinbook_feed::net::host::allocations::{CountingAllocator, thread_allocations, thread_frees};
use spinbook_feed::net::hot::kernel_ping::KernelPing;
use spinbook_feed::session::{MarketSession, SessionSettings};
use spinbook_feed::testkit::instrument;
use spinbook_feed::venue::market::{FRAME_PADDING, FrameBytes};
use spinbook_feed::venue::order_side::OrderConnection;
use spinbook_feed::venue::source::RecordKind;
use spinbook_feed::venue::{ProductLine, binance};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

#[test]
fn a_warm_session_allocates_and_frees_nothing() {
    for names in [support::USDM_2024, support::SPOT_2024] {
        let Some(files) = support::recorded(&names) else { return };
        let (product, instruments) = recorded_instruments(&files, None).unwrap();
        let mut session = MarketSession::new(product, &instruments, SessionSettings::of(product)).unwrap();
        let mut markets = Markets::new(&instruments);
        let records = support::records(&files, 20_000);
        let mut buffer = vec![0u8; 1 << 20];
        let mut stamp = Stamp::default();
        session.start(stamp.wall);
        session.on_open(0, stamp.wall);
        let answer = b"{\"result\":null,\"id\":1}";
        buffer[..answer.len()].copy_from_slice(answer);
        session.on_frame(0, FrameBytes::text(&mut buffer, answer.len()), stamp, &mut markets);
        let mut counted = 0;
        for (index, (kind, bytes)) in records.iter().enumerate() {
            // Now and then one with a space that no template knows, for the general decoder.
            let spaces = usize::from(*kind == RecordKind::Stream && index % 50 == 0);
            let length = bytes.len() + spaces;
            buffer[..=spaces].fill(b' ');
            buffer[0] = bytes[0];
            buffer[1 + spaces..length].copy_from_slice(&bytes[1..]);
            stamp.wall.0 += 1_000_000;
            let frame = &mut buffer[..length + FRAME_PADDING];
            let before = thread_allocations() + thread_frees();
            if *kind == RecordKind::Stream {
                session.on_frame(0, FrameBytes::text(frame, length), stamp, &mut markets);
            } else {
                session.on_snapshot(instruments[0].id, frame, length, stamp, &mut markets);
            }
            session.on_timer(stamp.wall, &mut markets);
            while session.poll_action().is_some() {}
            if index >= 2_000 {
                counted += (thread_allocations() + thread_frees()) - before;
            }
        }
        assert_eq!(counted, 0, "{names:?}");
        assert_eq!(session.live_count(), 1);
        assert!(session.counters().frames > 10_000 && session.counters().fallback > 100);
    }
}

#[test]
fn a_rehearsal_and_a_pass_over_the_real_memory_allocate_nothing() {
    for product in [binance::SPOT, binance::USDM] {
        let instrument = instrument(product, 0, "BTCUSDT", "0.10", "0.001");
        let bid = Tick(instrument.price.parse(b"60000.00").unwrap());
        let mut rehearsal = setup::rehearsal(product, &instrument, bid, false).unwrap();
        let (engine, ..) = setup::engine(setup::EPOCH, &[(product, &instrument, Lots::ZERO)], false);
        let session = MarketSession::new(product, &[instrument], SessionSettings::of(product)).unwrap();
        let mut ping = KernelPing::new().unwrap();
        let before = thread_allocations() + thread_frees();
        for turn in 0..10_000 {
            assert!(rehearsal.rehearse(setup::START + Nanos(turn * 50_000)));
            engine.warm(instrument.id);
            session.warm(0);
            assert!(ping.turn());
        }
        assert_eq!(thread_allocations() + thread_frees() - before, 0, "{}", product.name());
    }
}

/// A gateway in front of a venue that tells the truth. What the gateway allocates from an intent to the bytes is counted, what
/// the venue does and what its answers cost is not.
struct Desk {
    product: ProductLine,
    gateway: Gateway,
    venue: venue::Venue,
    now: Nanos,
    counted: u64,
}

impl Desk {
    fn new(product: ProductLine) -> Desk {
        let limits = OrderLimits {
            lots_max: Lots(1_000_000),
            notional_max: QuoteAtoms(1_000_000 * 10_i128.pow(18)),
            open_orders_max: 200,
            position_lots_max: Lots(i64::MAX / 4),
            position_lots_start: Lots(venue::held_at_start(product)),
            price_collar_millionths: Some(50_000),
        };
        let settings = GatewaySettings {
            spare_connection: false,
            held_at_start: vec![(InstrumentId(0), Lots(venue::held_at_start(product)))],
            ..GatewaySettings::new(product, GatewayMode::Live, setup::EPOCH, vec![limits])
        };
        let gateway = Gateway::new(settings, setup::credentials(), vec![venue::symbol(product)]);
        let mut desk = Desk { product, gateway, venue: venue::Venue::new(product), now: setup::START, counted: 0 };
        desk.gateway.on_timer(desk.now);
        desk.carry();
        assert!(desk.gateway.is_ready(), "{:?}", desk.gateway.halt_message());
        desk
    }

    fn carry(&mut self) {
        let user_data = if venue::is_spot(self.product) { OrderConnection::Orders } else { OrderConnection::UserData };
        loop {
            let before = thread_allocations() + thread_frees();
            let output = self.gateway.poll_output();
            self.counted += thread_allocations() + thread_frees() - before;
            match output {
                None => {
                    let events = std::mem::take(&mut self.venue.events);
                    if events.is_empty() {
                        return;
                    }
                    for event in events {
                        let mut bytes = serde_json::to_vec(&event).unwrap();
                        self.gateway.on_frame(user_data, &mut bytes, self.now);
                    }
                }
                Some(GatewayOutput::Execution(_) | GatewayOutput::Action(GatewayAction::Close { .. })) => {}
                Some(GatewayOutput::Action(GatewayAction::Connect { connection, .. })) => {
                    self.gateway.on_open(connection, self.now);
                }
                Some(GatewayOutput::Action(GatewayAction::Ping { connection, mark })) => {
                    self.gateway.on_pong(connection, mark, self.now);
                }
                Some(GatewayOutput::Action(GatewayAction::Ask { ticket, request })) => {
                    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
                    let (status, body) = self.venue.ask(request.method, path, query, self.now);
                    let body = serde_json::to_vec(&body).unwrap();
                    self.gateway.on_rest(ticket, &RestAnswer { status, body, retry_after: Nanos::ZERO }, self.now);
                }
                Some(GatewayOutput::Action(GatewayAction::Send { connection, bytes, .. })) => {
                    let request: Value = serde_json::from_slice(&bytes).unwrap();
                    let method = request["method"].as_str().unwrap();
                    let answer = match self.venue.execute(method, &request["params"], self.now) {
                        Ok(result) => json!({"id": request["id"], "status": 200, "result": result}),
                        Err((code, text)) => {
                            json!({"id": request["id"], "status": 400, "error": {"code": code, "msg": text}})
                        }
                    };
                    let mut bytes = serde_json::to_vec(&answer).unwrap();
                    self.gateway.on_frame(connection, &mut bytes, self.now);
                }
            }
        }
    }

    /// Lets time pass; nothing of that is counted.
    fn pass(&mut self, span: Nanos) {
        let counted = self.counted;
        let end = self.now + span;
        while self.now < end {
            self.now = self.gateway.next_deadline().clamp(self.now + Nanos(1), end);
            self.gateway.on_timer(self.now);
            self.carry();
        }
        self.counted = counted;
    }

    fn hand_over(&mut self, intent: &Intent) {
        let intent = Intent { decided: self.now, deadline: self.now + Nanos::from_millis(50), ..*intent };
        let before = thread_allocations() + thread_frees();
        self.gateway.on_intent(&intent, self.now);
        self.counted += thread_allocations() + thread_frees() - before;
        self.carry();
    }
}

#[test]
fn a_gateway_that_is_warm_allocates_nothing_for_an_order_of_another_price() {
    for product in [binance::SPOT, binance::USDM] {
        let (tick, lots) = if venue::is_spot(product) { (5_000_000, 8_000) } else { (500_000, 8) };
        let mut desk = Desk::new(product);
        let mut intent = Intent {
            order: OrderId::new(setup::EPOCH, 1),
            tick: Tick(tick),
            lots: Lots(lots),
            slot: SlotId(3),
            time_in_force: TimeInForce::PostOnly,
            mid: MidSent::of(2 * tick),
            ..Intent::default()
        };
        desk.hand_over(&intent);
        let changes = 400;
        for change in 0..changes {
            desk.pass(Nanos::from_millis(500));
            if change == changes / 4 {
                desk.counted = 0;
            }
            intent.tick.0 = tick - 10 - i64::from(change % 2);
            intent.kind = IntentKind::Amend;
            if venue::is_spot(product) {
                (intent.kind, intent.replaces) = (IntentKind::Replace, intent.order);
                intent.order = OrderId::new(setup::EPOCH, change + 2);
            }
            desk.hand_over(&intent);
        }
        let counters = desk.gateway.counters();
        assert_eq!(counters.amends_sent + counters.orders_replaced, u64::from(changes), "{}", product.name());
        assert_eq!((desk.venue.open(), counters.unknown, counters.amends_refused), (1, 0, 0), "{}", product.name());
        assert_eq!(desk.counted, 0, "{}", product.name());
    }
}
