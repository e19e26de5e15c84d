//! COLD: the production gateway against the simulated exchange, both without a socket, in virtual time.

use crate::lab::{ED_KEY, HMAC_KEY, Lab, credentials, ed_credentials};
use spinbook_engine::event::{ExecutionEvent, ExecutionKind};
use spinbook_engine::intent::{Intent, IntentKind, TimeInForce};
use spinbook_engine::types::{InstrumentId, Lots, Nanos, OrderId, QuoteAtoms, Side, Tick};
use spinbook_feed::gateway::limits::OrderLimits;
use spinbook_feed::gateway::{Gateway, GatewayAction, GatewayMode, GatewayOutput, GatewaySettings};
use spinbook_feed::random::Random;
use spinbook_feed::sim::fault_plan::FaultPlan;
use spinbook_feed::sim::side::{ConnectionId, ExchangeSide};
use spinbook_feed::venue::binance;
use spinbook_feed::venue::binance::instruments::parse_instruments;
use spinbook_feed::venue::instrument::Instrument;
use spinbook_feed::venue::order_side::OrderConnection;
use std::collections::{BTreeMap, HashMap};

struct Trader {
    gateway: Gateway,
    instrument: Instrument,
    connections: BTreeMap<ConnectionId, OrderConnection>,
    open: HashMap<OrderConnection, ConnectionId>,
    executions: Vec<ExecutionEvent>,
}

impl Trader {
    fn new(lab: &mut Lab, ed25519: bool) -> Trader {
        let path = lab.path("exchangeInfo");
        let list = lab.http("GET", &path, None).body;
        let instruments = parse_instruments(lab.product, &list).expect("the exchange's list reads");
        let instrument = instruments[0];
        let limits = OrderLimits {
            lots_max: Lots(i64::MAX / 4),
            notional_max: QuoteAtoms(i128::MAX / 4),
            open_orders_max: 64,
            position_lots_max: Lots(i64::MAX / 4),
            position_lots_start: Lots::ZERO,
            price_collar_millionths: None,
        };
        let settings = GatewaySettings::new(lab.product, GatewayMode::Live, 7, vec![limits]);
        let credentials = if ed25519 { ed_credentials() } else { credentials() };
        Trader {
            gateway: Gateway::new(settings, credentials, instruments),
            instrument,
            connections: BTreeMap::new(),
            open: HashMap::new(),
            executions: Vec::new(),
        }
    }

    /// Carries everything both ways until both are still.
    fn carry(&mut self, lab: &mut Lab) {
        loop {
            self.gateway.check();
            let mut moved = false;
            let mut opened = Vec::new();
            let mut sends = Vec::new();
            let mut pings = Vec::new();
            while let Some(output) = self.gateway.poll_output() {
                moved = true;
                match output {
                    GatewayOutput::Action(GatewayAction::Connect { connection, target }) => {
                        opened.push((connection, target))
                    }
                    GatewayOutput::Action(GatewayAction::Send { connection, bytes, .. }) => {
                        sends.push((connection, bytes.to_vec()))
                    }
                    GatewayOutput::Execution(event) => self.executions.push(event),
                    GatewayOutput::Action(GatewayAction::Ping { connection, mark }) => pings.push((connection, mark)),
                    GatewayOutput::Action(GatewayAction::Ask { request, .. }) => {
                        panic!("user data was never away, and the gateway asks {request:?}")
                    }
                    GatewayOutput::Action(GatewayAction::Close { connection, reason }) => {
                        panic!("the gateway closes {connection:?}: {reason:?}")
                    }
                }
            }
            for (connection, bytes) in sends {
                let id = self.open[&connection];
                lab.exchange.on_websocket_text(id, &bytes, lab.now);
            }
            for (connection, target) in opened {
                let id = lab.open(&target);
                self.connections.insert(id, connection);
                self.open.insert(connection, id);
                self.gateway.on_open(connection, lab.now);
            }
            lab.collect();
            pings.into_iter().for_each(|(connection, mark)| self.gateway.on_pong(connection, mark, lab.now));
            for (id, connection) in &self.connections {
                for text in lab.received.remove(id).unwrap_or_default() {
                    moved = true;
                    let mut frame = text.into_bytes();
                    let length = frame.len();
                    frame.resize(length + 64, 0);
                    self.gateway.on_frame(*connection, &mut frame[..length], lab.now);
                }
            }
            if !moved {
                return;
            }
        }
    }

    fn run(&mut self, lab: &mut Lab, span: Nanos) {
        let end = lab.now + span;
        while lab.now < end {
            lab.run(Nanos::from_millis(5));
            self.gateway.on_timer(lab.now);
            self.carry(lab);
        }
    }

    fn count(&self, kind: ExecutionKind) -> usize {
        self.executions.iter().filter(|event| event.kind == kind).count()
    }

    fn place(&mut self, lab: &Lab, counter: u32, side: Side, tick: i64, lots: i64, time_in_force: TimeInForce) {
        let intent = Intent {
            order: OrderId::new(7, counter),
            tick: Tick(tick),
            lots: Lots(lots),
            decided: lab.now,
            deadline: lab.now + Nanos::from_millis(500),
            instrument: InstrumentId(0),
            side,
            time_in_force,
            ..Intent::default()
        };
        self.gateway.on_intent(&intent, lab.now);
    }

    fn cancel(&mut self, lab: &Lab, counter: u32) {
        let intent =
            Intent { order: OrderId::new(7, counter), kind: IntentKind::Cancel, decided: lab.now, ..Intent::default() };
        self.gateway.on_intent(&intent, lab.now);
    }
}

#[test]
fn the_gateway_trades_on_the_exchange() {
    for product in binance::PRODUCT_LINES {
        for ed25519 in [false, true] {
            for seed in 1..=3u64 {
                let mut lab = Lab::synthetic(product, seed, FaultPlan::default());
                let stream = if product == binance::SPOT { "/ws/btcusdt@trade" } else { "/public/ws/btcusdt@trade" };
                let market = lab.open(stream);
                let mut trader = Trader::new(&mut lab, ed25519);
                trader.run(&mut lab, Nanos::from_seconds(2));
                assert!(trader.gateway.is_ready(), "{:?}", trader.gateway.last_refusal());
                let mut random = Random::new(seed);
                for counter in 1..=30u32 {
                    let (bid, ask) = lab.exchange.world().best(0);
                    let doubled = bid.expect("a bid").tick.0 + ask.expect("an ask").tick.0;
                    let side = if random.chance(500_000) { Side::Bid } else { Side::Ask };
                    let tick = doubled / 2 - side.sign() * doubled / 4000;
                    let kind = if counter % 6 == 0 { TimeInForce::ImmediateOrCancel } else { TimeInForce::PostOnly };
                    let tick =
                        if kind == TimeInForce::ImmediateOrCancel { doubled / 2 + side.sign() * 1000 } else { tick };
                    let lots = 3 * trader.instrument.lots_order_step * if product == binance::SPOT { 100 } else { 1 };
                    trader.place(&lab, counter, side, tick, lots, kind);
                    trader.run(&mut lab, Nanos::from_millis(400));
                    if counter > 3 {
                        trader.cancel(&lab, counter - 3);
                    }
                    lab.received.remove(&market);
                }
                trader.gateway.cancel_all(lab.now);
                trader.run(&mut lab, Nanos::from_seconds(3));
                let counters = trader.gateway.counters();
                println!(
                    "{} {} seed {seed}: sent {}, accepted {}, fills {}, canceled {}, unknown {}",
                    product.name(),
                    if ed25519 { ED_KEY } else { &HMAC_KEY[..8] },
                    counters.orders_sent,
                    counters.orders_accepted,
                    trader.count(ExecutionKind::Filled),
                    trader.count(ExecutionKind::Canceled),
                    trader.count(ExecutionKind::Unknown)
                );
                assert_eq!((trader.gateway.open_orders(), trader.gateway.unknown_orders()), (0, 0));
                assert_eq!(trader.count(ExecutionKind::Unknown) + trader.count(ExecutionKind::Halt), 0);
                assert_eq!((counters.orders_sent, trader.count(ExecutionKind::Filled) > 3), (30, true));
                // The engine's view of what was filled is the exchange's, to the last lot.
                let world = lab.exchange.world();
                let account = world.account_of(if ed25519 { ED_KEY } else { HMAC_KEY }).expect("an account");
                let theirs: i64 = world.fills(account, 0).iter().map(|fill| fill.side.sign() * fill.lots.0).sum();
                let fills = trader.executions.iter().filter(|event| event.kind == ExecutionKind::Filled);
                let ours: i64 = fills.map(|event| event.side.sign() * event.lots.0).sum();
                assert_eq!(ours, theirs);
                assert!(world.open_orders(account, None).is_empty());
            }
        }
    }
}
