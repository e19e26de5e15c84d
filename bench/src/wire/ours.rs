//! COLD: our side of the wire as it trades: the real hot loop and the real gateway loop, with patient settings.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use spinbook_engine::limits::{CANCEL_RING_SLOTS, EXECUTION_RING_SLOTS, ORDER_RING_SLOTS};
use spinbook_engine::ring;
use spinbook_engine::setup::{EngineSettings, engine, spread_strategy};
use spinbook_engine::types::{Lots, Nanos, QUOTE_ATOMS_PER_UNIT, QuoteAtoms};
use spinbook_feed::gateway::limits::OrderLimits;
use spinbook_feed::gateway::{Gateway, GatewayMode, GatewaySettings};
use spinbook_feed::net::connection::connector::Connector;
use spinbook_feed::net::connection::tls::Trust;
use spinbook_feed::net::host::clock::{Clock, CycleScale};
use spinbook_feed::net::host::threads;
use spinbook_feed::net::hot::hot_shared::HotShared;
use spinbook_feed::net::hot::market_connections::MarketConnections;
use spinbook_feed::net::hot::reactor::{Reactor, ReactorParts, ReactorSettings};
use spinbook_feed::net::hot::snapshots::{self, SnapshotJob, SnapshotMailbox, SnapshotUrls};
use spinbook_feed::net::io::fetch::Fetcher;
use spinbook_feed::net::io::gateway_loop::{
    GatewayLane, GatewayLoop, GatewayLoopSettings, GatewayRings, GatewayShared, Idle, Written,
};
use spinbook_feed::session::{MarketSession, SessionSettings};
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::card::RateWindow;
use spinbook_feed::venue::instrument::Instrument;

use super::client::{IDLE, LONG};
use super::exchange::{Exchange, SNAPSHOT_PATH};
use super::script::QUANTITIES;
use super::selected::Selected;
use super::{EPOCH, Meeting, Peer, STUCK, Sides};
use crate::send::credentials;
use crate::trader::{settings, spread};

/// The gateway loop, turn by turn.
pub struct OurSide {
    gateway: GatewayLoop,
    shared: Arc<GatewayShared>,
    snapshots: SnapshotThread,
}

impl Peer for OurSide {
    const NAME: &'static str = "Spinbook";

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

    fn is_ready(&self, exchange: &Exchange) -> bool {
        exchange.subscribed && exchange.answers.swept
    }

    fn on_book_open(&mut self) {
        self.snapshots.end();
    }
}

struct SnapshotUrl(String);

impl SnapshotUrls for SnapshotUrl {
    fn url(&self, _: SnapshotJob) -> String {
        self.0.clone()
    }
}

/// The thread that fetches the snapshot: it ends once the book is open, so as not to disturb.
pub struct SnapshotThread {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl SnapshotThread {
    /// It asks the exchange side that `connector` leads to.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(connector: &Connector, trust: &Trust) -> io::Result<(SnapshotThread, SnapshotMailbox)> {
        let url = SnapshotUrl(format!("https://{}{SNAPSHOT_PATH}", connector.address));
        let fetcher = Fetcher::new(trust, STUCK);
        let (mailbox, worker) = snapshots::new(4, vec![fetcher], url, |error| eprintln!("the snapshot: {error}"));
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let thread = threads::spawn("wire-fetch", None, |_| {}, move || worker.run(&told))?;
        Ok((SnapshotThread { stop, thread: Some(thread) }, mailbox))
    }

    /// Nothing more is fetched.
    ///
    /// # Panics
    /// If the thread did.
    pub fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it fetches and nothing else");
        }
    }
}

impl Drop for SnapshotThread {
    fn drop(&mut self) {
        self.end();
    }
}

fn no_probe() -> u64 {
    0
}

/// Limits that no order of these measurements meets.
#[must_use]
pub fn order_limits() -> OrderLimits {
    OrderLimits {
        lots_max: Lots(i64::MAX / 4),
        notional_max: QuoteAtoms(1_000_000_000 * QUOTE_ATOMS_PER_UNIT),
        open_orders_max: 32,
        position_lots_max: Lots(i64::MAX / 4),
        position_lots_start: Lots::ZERO,
        price_collar_millionths: None,
    }
}

/// A gateway that nothing times out and no rate holds back: the throttle does its work, its windows have room for all.
#[must_use]
pub fn patient_gateway(product: ProductLine, limits: OrderLimits, instrument: Instrument) -> Gateway {
    let mut chosen = GatewaySettings::new(product, GatewayMode::Live, EPOCH, vec![limits]);
    let roomy = |rate: RateWindow| RateWindow { limit: 1_000_000_000, ..rate };
    chosen.rates = chosen.rates.into_iter().map(roomy).collect();
    chosen.request_timeout = LONG;
    chosen.connect_timeout = LONG;
    chosen.clock_interval = LONG;
    Gateway::new(chosen, credentials(), vec![instrument])
}

/// The traded engine's settings with waits that no pause of a loaded machine meets: what is decided hangs on the frames
/// alone.
#[must_use]
pub fn patient_settings(instrument: &Instrument) -> EngineSettings {
    let mut chosen = settings(instrument);
    let entry = &mut chosen.instruments[0];
    entry.risk.book_age_max = LONG;
    entry.quoter.order_deadline = LONG;
    entry.quoter.request_timeout = LONG;
    entry.quoter.requote_wait = Nanos(1);
    chosen
}

/// A market session's settings, patient likewise, without public trades.
#[must_use]
pub fn patient_session(product: ProductLine) -> SessionSettings {
    let mut chosen = SessionSettings::of(product);
    chosen.channels.trade = None;
    chosen.symbol_silence_max = LONG;
    chosen.connection_silence_max = LONG;
    chosen.answer_wait_max = LONG;
    chosen
}

/// A patient market session of one instrument, and where its connections lead.
///
/// # Errors
/// The session's settings are out of range.
pub fn market(product: ProductLine, instrument: Instrument, to: &Connector) -> Result<MarketConnections, String> {
    let session = MarketSession::new(product, &[instrument], patient_session(product));
    let session = session.map_err(|error| error.to_string())?;
    Ok(MarketConnections::new(session, to.clone(), 0, |_, error| {
        eprintln!("the market connection ended: {error}");
    }))
}

impl Meeting {
    /// Our side.
    ///
    /// # Errors
    /// Something cannot be set up.
    pub fn ours(&self) -> Result<Sides<OurSide>, String> {
        let text = |error: io::Error| error.to_string();
        let (script, quantities) = (&self.script, self.script.quantities());
        let (order_producer, orders) = ring::channel(ORDER_RING_SLOTS);
        let (cancel_producer, cancels) = ring::channel(CANCEL_RING_SLOTS);
        let (execution_producer, executions) = ring::channel(EXECUTION_RING_SLOTS);
        let strategy = spread_strategy(vec![spread(&script.instrument)]).map_err(|error| error.to_string())?;
        let strategy = Selected::new(strategy, script.picks.clone(), quantities, self.decisions.clone());
        let mut chosen = patient_settings(&script.instrument);
        let entry = &mut chosen.instruments[0];
        entry.risk.order_lots_max = quantities.of(QUANTITIES - 1);
        entry.risk.position_lots_max = Lots(quantities.base.0 * 100);
        entry.risk.order_notional_max = QuoteAtoms(1_000_000_000 * QUOTE_ATOMS_PER_UNIT);
        let limits = OrderLimits {
            lots_max: entry.risk.order_lots_max,
            notional_max: entry.risk.order_notional_max,
            open_orders_max: entry.risk.open_orders_max,
            position_lots_max: entry.risk.position_lots_max,
            position_lots_start: Lots::ZERO,
            price_collar_millionths: None,
        };
        let engine = engine(chosen, strategy, order_producer, cancel_producer).map_err(|error| error.to_string())?;
        // One engine, one meeting: it was not set before.
        let _ = self.decisions.counters.set(engine.counters().clone());
        let (clock, scale) = (Clock::start(), CycleScale::measure(Duration::from_millis(20)));
        let (snapshots, mailbox) = SnapshotThread::start(&self.connector, &self.trust).map_err(text)?;
        let hot_shared = Arc::new(HotShared::default());
        let parts = ReactorParts {
            engine,
            markets: vec![market(script.product, script.instrument, &self.connector)?],
            executions,
            snapshots: mailbox,
            clock,
            scale,
            shared: hot_shared.clone(),
            keep_warm: None,
        };
        let reactor_settings = ReactorSettings {
            spin: self.layout.spin,
            frames_per_turn_max: 64,
            stall_min: Nanos::from_millis(50),
            warm_frames: 200,
            warm_after: Nanos::from_millis(50),
            allocations: no_probe,
        };
        let reactor = Reactor::new(parts, reactor_settings).map_err(text)?;
        let rings = GatewayRings { cancels, orders, executions: execution_producer, decisions: None };
        let gateway = patient_gateway(script.product, limits, script.instrument);
        let lane = GatewayLane { gateway, orders: self.connector.clone(), user_data: self.connector.clone() };
        let loop_settings = GatewayLoopSettings {
            idle: if self.layout.spin { Idle::Spin } else { Idle::Sleep(IDLE) },
            drain_within: Nanos::from_seconds(1),
            on_connection_end: |_, connection, error| eprintln!("the connection {connection:?} ended: {error}"),
            rest: None,
        };
        let shared = Arc::new(GatewayShared::default());
        let gateway = GatewayLoop::new(vec![lane], rings, loop_settings, clock, scale, shared.clone()).map_err(text)?;
        Ok(Sides {
            hot: Box::new(move || reactor.run().map(|_| ())),
            peer: OurSide { gateway, shared, snapshots },
            stop: Box::new(move || hot_shared.stop.store(true, Ordering::Release)),
        })
    }
}
