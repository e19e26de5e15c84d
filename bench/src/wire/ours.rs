//! COLD: our side of the wire as it trades: the real hot loop and the real gateway loop, with patient settings.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustls::ClientConfig;
use spinbook_engine::limits::{CANCEL_RING_SLOTS, EXECUTION_RING_SLOTS, ORDER_RING_SLOTS};
use spinbook_engine::ring;
use spinbook_engine::setup::{engine, spread_strategy};
use spinbook_engine::types::{Nanos, QUOTE_ATOMS_PER_UNIT, QuoteAtoms};
use spinbook_feed::gateway::limits::OrderLimits;
use spinbook_feed::gateway::{Gateway, GatewayMode, GatewaySettings};
use spinbook_feed::net::connection::ConnectionLimits;
use spinbook_feed::net::connection::connector::Connector;
use spinbook_feed::net::connection::resolve::Endpoint;
use spinbook_feed::net::host::clock::{Clock, CycleScale};
use spinbook_feed::net::hot::hot_shared::HotShared;
use spinbook_feed::net::hot::market_connections::MarketConnections;
use spinbook_feed::net::hot::reactor::{Reactor, ReactorParts, ReactorSettings};
use spinbook_feed::net::hot::snapshots::SnapshotMailbox;
use spinbook_feed::net::io::gateway_loop::{
    GatewayLane, GatewayLoop, GatewayLoopSettings, GatewayRings, GatewayShared, Idle, Written,
};
use spinbook_feed::session::{MarketSession, SessionSettings};
use spinbook_feed::venue::card::RateWindow;

use super::picked::{Decisions, Picked, QUANTITIES, Quantities};
use super::script::Script;
use super::{Io, Layout};
use crate::send::credentials;
use crate::trader::{order_lots, settings, spread};

/// Longer than any run: nothing times out but the run itself.
const LONG: Nanos = Nanos::from_seconds(600);

/// Connections that put up with pauses of a loaded machine.
pub const PATIENT: ConnectionLimits = ConnectionLimits {
    open_within: LONG,
    close_within: Nanos::from_seconds(1),
    ping_after: LONG,
    silent_max: LONG,
    ..ConnectionLimits::PUBLIC
};

/// Where connections lead.
#[must_use]
pub fn route(address: SocketAddr, tls: &Arc<ClientConfig>) -> Connector {
    let endpoint = Endpoint { host: address.ip().to_string(), port: address.port(), prefix: String::new() };
    Connector { endpoint, address, tls: tls.clone(), limits: PATIENT }
}

/// The quantities of a script's orders.
#[must_use]
pub fn quantities(script: &Script) -> Quantities {
    let instrument = &script.instrument;
    let step = order_lots(instrument).0;
    // From a hundred steps on all have the same number of digits.
    Quantities { base: spinbook_engine::types::Lots(step * 100), step: spinbook_engine::types::Lots(step) }
}

/// Both threads' work, and what they share with others.
pub struct Ours {
    /// The hot thread's.
    pub reactor: Reactor<Picked>,
    /// What it shows.
    pub hot: Arc<HotShared>,
    /// The I/O thread's.
    pub gateway: GatewayTurns,
}

/// The gateway loop, turn by turn.
pub struct GatewayTurns {
    gateway: GatewayLoop,
    shared: Arc<GatewayShared>,
}

impl Io for GatewayTurns {
    #[inline]
    fn turn(&mut self) -> io::Result<()> {
        match self.gateway.turn()? {
            None => Ok(()),
            Some(_) => Err(io::Error::other("the gateway's loop has ended")),
        }
    }

    #[inline]
    fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }

    #[inline]
    fn written(&self) -> Written {
        self.gateway.written()
    }
}

/// What both sides are built with.
pub struct Meeting<'a> {
    /// What is played.
    pub script: &'a Script,
    /// Where the exchange side listens.
    pub address: SocketAddr,
    /// Whom to trust.
    pub tls: Arc<ClientConfig>,
    /// Who runs where.
    pub layout: Layout,
    /// Where decisions are noted.
    pub decisions: Arc<Decisions>,
}

fn no_probe() -> u64 {
    0
}

impl Meeting<'_> {
    /// Our side.
    ///
    /// # Errors
    /// Something cannot be set up.
    pub fn ours(&self, mailbox: SnapshotMailbox) -> Result<Ours, String> {
        let script = self.script;
        let quantities = quantities(script);
        let (order_producer, orders) = ring::channel(ORDER_RING_SLOTS);
        let (cancel_producer, cancels) = ring::channel(CANCEL_RING_SLOTS);
        let (execution_producer, executions) = ring::channel(EXECUTION_RING_SLOTS);
        let strategy = spread_strategy(vec![spread(&script.instrument)]).map_err(|error| error.to_string())?;
        let strategy = Picked::new(strategy, script.picks.clone(), quantities, self.decisions.clone());
        let mut chosen = settings(&script.instrument);
        let entry = &mut chosen.instruments[0];
        entry.risk.order_lots_max = quantities.of(QUANTITIES - 1);
        entry.risk.position_lots_max = spinbook_engine::types::Lots(quantities.base.0 * 100);
        entry.risk.order_notional_max = QuoteAtoms(1_000_000_000 * QUOTE_ATOMS_PER_UNIT);
        entry.risk.book_age_max = LONG;
        entry.quoter.order_deadline = LONG;
        entry.quoter.request_timeout = LONG;
        entry.quoter.requote_wait = Nanos(1);
        let limits = OrderLimits {
            lots_max: entry.risk.order_lots_max,
            notional_max: entry.risk.order_notional_max,
            open_orders_max: entry.risk.open_orders_max,
        };
        let engine = engine(chosen, strategy, order_producer, cancel_producer).map_err(|error| error.to_string())?;
        // One engine, one meeting: nobody has set it before.
        let _ = self.decisions.counters.set(engine.counters().clone());
        let (clock, scale) = (Clock::start(), CycleScale::measure(std::time::Duration::from_millis(20)));
        let hot = Arc::new(HotShared::default());
        let parts = ReactorParts {
            engine,
            markets: vec![self.market_line()?],
            executions,
            snapshots: mailbox,
            clock,
            scale,
            shared: hot.clone(),
        };
        let reactor_settings = ReactorSettings {
            spin: self.layout.spin,
            frames_per_turn_max: 64,
            stall_min: Nanos::from_millis(50),
            warm_frames: 200,
            warm_after: Nanos::from_millis(50),
            allocations: no_probe,
        };
        let reactor = Reactor::new(parts, reactor_settings).map_err(|error| error.to_string())?;
        let rings = GatewayRings { cancels, orders, executions: execution_producer };
        Ok(Ours { reactor, hot, gateway: self.gateway(limits, rings, clock, scale)? })
    }

    fn market_line(&self) -> Result<MarketConnections, String> {
        let script = self.script;
        let mut chosen = SessionSettings::of(script.product);
        chosen.channels.trade = None;
        chosen.symbol_silence_max = LONG;
        chosen.connection_silence_max = LONG;
        chosen.answer_wait_max = LONG;
        let session = MarketSession::new(script.product, &[script.instrument], chosen);
        let session = session.map_err(|error| error.to_string())?;
        Ok(MarketConnections::new(session, route(self.address, &self.tls), 0, |_, error| {
            eprintln!("the market connection ended: {error}");
        }))
    }

    fn gateway(
        &self,
        limits: OrderLimits,
        rings: GatewayRings,
        clock: Clock,
        scale: CycleScale,
    ) -> Result<GatewayTurns, String> {
        let script = self.script;
        let mut chosen = GatewaySettings::new(script.product, GatewayMode::Live, 1, vec![limits]);
        // The documented windows with room for all: the throttle does its work and never holds an order back.
        let roomy = |rate: RateWindow| RateWindow { limit: 1_000_000_000, ..rate };
        chosen.rates = chosen.rates.into_iter().map(roomy).collect();
        chosen.request_timeout = LONG;
        chosen.connect_timeout = LONG;
        chosen.clock_interval = LONG;
        let gateway = Gateway::new(chosen, credentials(), vec![script.instrument]);
        let to = || route(self.address, &self.tls);
        let lane = GatewayLane { gateway, orders: to(), user_data: to() };
        let loop_settings = GatewayLoopSettings {
            idle: if self.layout.spin { Idle::Spin } else { Idle::Sleep(std::time::Duration::from_micros(20)) },
            drain_within: Nanos::from_seconds(1),
            on_connection_end: |_, connection, error| eprintln!("the connection {connection:?} ended: {error}"),
        };
        let shared = Arc::new(GatewayShared::default());
        let gateway = GatewayLoop::new(vec![lane], rings, loop_settings, clock, scale, shared.clone());
        Ok(GatewayTurns { gateway: gateway.map_err(|error| error.to_string())?, shared })
    }
}
