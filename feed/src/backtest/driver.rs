//! COLD: one thread that interleaves the turns of every part of a backtest in virtual time.

use super::settings::BacktestSettings;
use super::transit::{Client, Owner, Parcel, Transit, TransitLane};
use crate::gateway::{Gateway, GatewayAction, GatewayOutput};
use crate::random::Random;
use crate::session::{EngineSink, MarketSession, SessionAction};
use crate::sim::paper::PaperExchange;
use crate::sim::side::{ClientControl, ConnectionId, ExchangeOutput, ExchangeSide, HttpRequest, MarketFrame};
use crate::venue::instrument::Instrument;
use crate::venue::market::{FRAME_PADDING, FrameBytes};
use spinbook_engine::engine::Engine;
use spinbook_engine::event::ExecutionEvent;
use spinbook_engine::intent::{Intent, IntentKind};
use spinbook_engine::ring::Consumer;
use spinbook_engine::strategy::Strategy;
use spinbook_engine::types::{InstrumentId, Nanos, Stamp};
use std::collections::BTreeMap;

/// One venue of a backtest: our side of it and the venue's own.
pub struct BacktestVenue {
    /// Keeps the venue's books.
    pub session: MarketSession,
    /// Carries orders to it.
    pub gateway: Gateway,
    /// The venue itself, simulated.
    pub exchange: Box<dyn ExchangeSide>,
    /// Where orders go instead, as in paper trading: it is beside us, takes every frame that the session takes, and
    /// holds our messages for their round trip itself. None: the venue takes them.
    pub paper: Option<PaperExchange>,
    /// Its instruments, with the ids that the engine knows them by.
    pub instruments: Vec<Instrument>,
}

impl BacktestVenue {
    fn trades(&self, instrument: InstrumentId) -> bool {
        self.instruments.iter().any(|own| own.id == instrument)
    }

    /// Whether every invariant of the venue's parts holds.
    ///
    /// # Panics
    /// One of the session's or of the gateway's does not.
    ///
    /// # Errors
    /// The first that does not, in words.
    pub fn check(&self) -> Result<(), String> {
        self.session.check();
        self.gateway.check();
        self.paper.as_ref().map_or(Ok(()), ExchangeSide::check)?;
        self.exchange.check()
    }

    /// Who serves a client of this venue, and whether that is beside us.
    fn exchange_of(&mut self, client: Client) -> (&mut dyn ExchangeSide, bool) {
        match (&mut self.paper, client) {
            (Some(paper), Client::Gateway(_)) => (paper, true),
            _ => (&mut *self.exchange, false),
        }
    }

    fn next_deadline(&self) -> Nanos {
        let paper = self.paper.as_ref().map_or(Nanos::NEVER, ExchangeSide::next_deadline);
        let own = self.session.next_deadline().min(self.gateway.next_deadline());
        self.exchange.next_deadline().min(own).min(paper)
    }
}

/// All parts of a backtest at one moment.
pub struct BacktestState<S> {
    /// The virtual time.
    pub now: Nanos,
    /// The engine that trades.
    pub engine: Engine<S>,
    /// The venues it trades on.
    pub venues: Vec<BacktestVenue>,
}

/// Sees what happens in a backtest. Every method may be left out.
pub trait BacktestObserver<S> {
    /// The engine asks for an order or a cancel; the gateway has not seen it yet.
    fn on_intent(&mut self, _intent: &Intent, _state: &BacktestState<S>) {}
    /// An execution arrives at the engine, which has not taken it yet.
    fn on_execution(&mut self, _event: &ExecutionEvent, _state: &BacktestState<S>) {}
    /// Everything due at this moment was done.
    fn on_step(&mut self, _state: &BacktestState<S>) {}
}

/// Sees nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl<S> BacktestObserver<S> for Unobserved {}

/// A moment at which connections of a venue are cut.
#[derive(Clone, Copy, Debug)]
struct Cut {
    at: Nanos,
    venue: usize,
    market: bool,
}

/// A backtest on its way through virtual time.
pub struct Backtest<S, O> {
    state: BacktestState<S>,
    observer: O,
    settings: BacktestSettings,
    random: Random,
    orders: Consumer<Intent>,
    cancels: Consumer<Intent>,
    transit: Transit,
    owners: BTreeMap<ConnectionId, Owner>,
    /// The connection that each client holds now.
    current: Vec<(Owner, ConnectionId)>,
    connections: u64,
    cuts: Vec<Cut>,
    reconnects: u64,
    trace: u64,
}

impl<S: Strategy, O: BacktestObserver<S>> Backtest<S, O> {
    /// Joins an engine, the far ends of its rings (placed orders, then cancels) and the venues it trades on.
    #[must_use]
    pub fn new(
        settings: BacktestSettings,
        engine: Engine<S>,
        (orders, cancels): (Consumer<Intent>, Consumer<Intent>),
        venues: Vec<BacktestVenue>,
        observer: O,
    ) -> Backtest<S, O> {
        Backtest {
            state: BacktestState { now: settings.start, engine, venues },
            observer,
            settings,
            random: Random::new(settings.seed),
            orders,
            cancels,
            transit: Transit::default(),
            owners: BTreeMap::new(),
            current: Vec::new(),
            connections: 0,
            cuts: Vec::new(),
            reconnects: 0,
            trace: 0xcbf2_9ce4_8422_2325,
        }
    }

    /// Cuts the market connections of a venue `after` the start.
    pub fn cut_market_at(&mut self, venue: usize, after: Nanos) {
        self.cuts.push(Cut { at: self.settings.start + after, venue, market: true });
    }

    /// Cuts the gateway's connections of a venue `after` the start.
    pub fn cut_orders_at(&mut self, venue: usize, after: Nanos) {
        self.cuts.push(Cut { at: self.settings.start + after, venue, market: false });
    }

    /// Starts sessions and gateways at the present moment.
    pub fn start(&mut self) {
        for venue in &mut self.state.venues {
            venue.session.start(self.state.now);
            venue.gateway.on_timer(self.state.now);
        }
        self.carry_all();
    }

    /// Lets the engine pull its quotes for good.
    pub fn begin_shutdown(&mut self) {
        self.state.engine.begin_shutdown(self.state.now);
        self.carry_all();
    }

    /// Lets every gateway cancel all orders that its venue still has.
    pub fn cancel_all(&mut self) {
        for venue in &mut self.state.venues {
            venue.gateway.cancel_all(self.state.now);
        }
        self.carry_all();
    }

    /// All parts as they are.
    #[must_use]
    pub fn state(&self) -> &BacktestState<S> {
        &self.state
    }

    /// What has been watching.
    #[must_use]
    pub fn observer(&self) -> &O {
        &self.observer
    }

    /// Connections that were lost so far, as the clients saw it.
    #[must_use]
    pub fn reconnects(&self) -> u64 {
        self.reconnects
    }

    /// A digest of every message and decision so far with its moment: equal in two runs that were the same.
    #[must_use]
    pub fn trace(&self) -> u64 {
        self.trace
    }

    /// The parts and the observer, when the run is over.
    #[must_use]
    pub fn into_parts(self) -> (BacktestState<S>, O) {
        (self.state, self.observer)
    }

    /// Goes from deadline to deadline for `span` of virtual time.
    ///
    /// # Panics
    /// An invariant of some part does not hold: that is a bug, and the text names it and the moment.
    pub fn run_for(&mut self, span: Nanos) {
        let end = self.state.now + span;
        loop {
            self.carry_all();
            let next = self.next_deadline().max(self.state.now + Nanos(1));
            if next > end {
                self.state.now = end;
                return;
            }
            self.state.now = next;
            self.step();
        }
    }

    fn next_deadline(&self) -> Nanos {
        let venues = self.state.venues.iter().map(BacktestVenue::next_deadline);
        let cuts = self.cuts.iter().map(|cut| cut.at);
        let own = [self.transit.next_at(), self.state.engine.next_deadline()];
        venues.chain(cuts).chain(own).min().unwrap_or(Nanos::NEVER)
    }

    fn step(&mut self) {
        let now = self.state.now;
        self.cut_due();
        while let Some(parcel) = self.transit.take_due(now) {
            self.deliver(parcel);
            self.carry_all();
        }
        for venue in &mut self.state.venues {
            venue.exchange.on_timer(now);
            if let Some(paper) = &mut venue.paper {
                paper.on_timer(now);
            }
            venue.session.on_timer(now, &mut EngineSink { engine: &mut self.state.engine, quiet: false });
        }
        if self.state.engine.next_deadline() <= now {
            self.state.engine.on_timer(now);
        }
        for venue in &mut self.state.venues {
            if venue.gateway.next_deadline() <= now {
                venue.gateway.on_timer(now);
            }
        }
        let checked = if self.settings.is_checked { self.state.venues.as_slice() } else { &[] };
        for (place, venue) in checked.iter().enumerate() {
            if let Err(broken) = venue.check() {
                let after = (now - self.settings.start).millis();
                panic!("an invariant of venue {place} does not hold after {after} ms: {broken}");
            }
        }
        self.observer.on_step(&self.state);
    }

    fn cut_due(&mut self) {
        let now = self.state.now;
        let due: Vec<Cut> = self.cuts.iter().filter(|cut| cut.at <= now).copied().collect();
        self.cuts.retain(|cut| cut.at > now);
        for cut in due {
            let is_cut =
                |owner: &Owner| owner.venue == cut.venue && matches!(owner.client, Client::Market(_)) == cut.market;
            let gone: Vec<_> = self.current.iter().filter(|(owner, _)| is_cut(owner)).copied().collect();
            for (owner, connection) in gone {
                self.deliver(Parcel::Gone { owner, connection });
                self.deliver(Parcel::Left { venue: cut.venue, connection });
            }
        }
    }

    /// One way over the network, from now.
    fn arrival(&mut self) -> Nanos {
        self.state.now + self.settings.network.draw(&mut self.random)
    }

    /// One way between a client and its exchange, from now: none where that is beside us.
    fn arrival_of(&mut self, owner: Owner) -> Nanos {
        let beside_us = self.state.venues[owner.venue].exchange_of(owner.client).1;
        if beside_us { self.state.now } else { self.arrival() }
    }

    /// The exchange at the other end of a connection.
    fn exchange_at(&mut self, venue: usize, connection: ConnectionId) -> &mut dyn ExchangeSide {
        let client = self.owners.get(&connection).map_or(Client::Market(0), |owner| owner.client);
        self.state.venues[venue].exchange_of(client).0
    }

    /// One way over a ring, from now.
    fn ring_arrival(&mut self) -> Nanos {
        self.state.now + self.settings.rings.draw(&mut self.random)
    }

    fn note(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().chain(&self.state.now.0.to_le_bytes()) {
            self.trace = (self.trace ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn connection_of(&self, owner: Owner) -> Option<ConnectionId> {
        self.current.iter().find(|(known, _)| *known == owner).map(|(_, connection)| *connection)
    }

    fn is_current(&self, owner: Owner, connection: ConnectionId) -> bool {
        self.connection_of(owner) == Some(connection)
    }

    fn forget(&mut self, owner: Owner) {
        self.current.retain(|(known, _)| *known != owner);
    }

    /// Carries away all that any part wants to send.
    fn carry_all(&mut self) {
        loop {
            let mut carried = self.carry_rings();
            for venue in 0..self.state.venues.len() {
                carried |= self.carry_session(venue) | self.carry_gateway(venue) | self.carry_exchange(venue);
            }
            if !carried {
                return;
            }
        }
    }

    fn open(&mut self, owner: Owner, target: String) {
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        self.owners.insert(connection, owner);
        self.forget(owner);
        self.current.push((owner, connection));
        let at = self.arrival_of(owner);
        self.transit.send(TransitLane::Up(connection), at, Parcel::Open { owner, connection, target });
    }

    fn leave(&mut self, owner: Owner) {
        if let Some(connection) = self.connection_of(owner) {
            self.forget(owner);
            let at = self.arrival_of(owner);
            self.transit.send(TransitLane::Up(connection), at, Parcel::Left { venue: owner.venue, connection });
        }
    }

    fn send_text(&mut self, owner: Owner, text: Vec<u8>) {
        self.note(&text);
        if let Some(connection) = self.connection_of(owner) {
            let at = self.arrival_of(owner);
            let parcel = Parcel::ToExchange { venue: owner.venue, connection, text };
            self.transit.send(TransitLane::Up(connection), at, parcel);
        }
    }

    fn carry_session(&mut self, venue: usize) -> bool {
        let session = &mut self.state.venues[venue].session;
        let Some(action) = session.poll_action() else {
            return false;
        };
        let owner = |path| Owner { venue, client: Client::Market(path) };
        match action {
            SessionAction::Open { path } => {
                let target = session.target(path).to_owned();
                self.open(owner(path), target);
            }
            SessionAction::Send { path, message } => {
                let text = session.message(message).as_bytes().to_vec();
                self.send_text(owner(path), text);
            }
            SessionAction::FetchSnapshot { instrument, limit } => {
                let at = self.arrival();
                self.transit.send(TransitLane::SnapshotRequests(venue), at, Parcel::Fetch { venue, instrument, limit });
            }
            SessionAction::Close { path, .. } => self.leave(owner(path)),
        }
        true
    }

    fn carry_gateway(&mut self, venue: usize) -> bool {
        let owner = |connection| Owner { venue, client: Client::Gateway(connection) };
        match self.state.venues[venue].gateway.poll_output() {
            None => return false,
            Some(GatewayOutput::Action(GatewayAction::Connect { connection, target })) => {
                self.open(owner(connection), target)
            }
            Some(GatewayOutput::Action(GatewayAction::Send { connection, bytes, .. })) => {
                let text = bytes.to_vec();
                self.send_text(owner(connection), text);
            }
            Some(GatewayOutput::Action(GatewayAction::Close { connection, .. })) => self.leave(owner(connection)),
            Some(GatewayOutput::Execution(event)) => {
                let at = self.ring_arrival();
                self.transit.send(TransitLane::Executions(venue), at, Parcel::Execution(event));
            }
        }
        true
    }

    fn carry_rings(&mut self) -> bool {
        let Some(intent) = self.cancels.pop().or_else(|| self.orders.pop()) else {
            return false;
        };
        self.note(&intent.order.0.to_le_bytes());
        self.observer.on_intent(&intent, &self.state);
        let lane = if intent.kind == IntentKind::Cancel { TransitLane::Cancels } else { TransitLane::Places };
        let at = self.ring_arrival();
        self.transit.send(lane, at, Parcel::Intent(intent));
        true
    }

    fn carry_exchange(&mut self, venue: usize) -> bool {
        let state = &mut self.state.venues[venue];
        if let Some(output) = state.paper.as_mut().and_then(ExchangeSide::poll_output) {
            let at = self.state.now;
            self.carry_output(venue, output, at);
            return true;
        }
        let Some(output) = state.exchange.poll_output() else {
            return false;
        };
        let at = self.arrival();
        self.carry_output(venue, output, at);
        true
    }

    fn carry_output(&mut self, venue: usize, output: ExchangeOutput, at: Nanos) {
        match output {
            ExchangeOutput::Text { connection, text: message }
            | ExchangeOutput::Binary { connection, bytes: message } => {
                self.transit.send(TransitLane::Down(connection), at, Parcel::ToClient { connection, message });
            }
            ExchangeOutput::Ping { connection, .. } => {
                self.transit.send(TransitLane::Up(connection), at, Parcel::Pong { venue, connection });
            }
            ExchangeOutput::Close { connection, .. } => {
                if let Some(owner) = self.owners.get(&connection).copied() {
                    self.transit.send(TransitLane::Down(connection), at, Parcel::Gone { owner, connection });
                }
            }
        }
    }

    fn deliver(&mut self, parcel: Parcel) {
        let now = self.state.now;
        match parcel {
            Parcel::Open { owner, connection, target } => {
                let (exchange, _) = self.state.venues[owner.venue].exchange_of(owner.client);
                let answer = match exchange.on_websocket_open(connection, &target, now) {
                    Ok(()) => Parcel::Opened { owner, connection },
                    Err(_) => Parcel::Gone { owner, connection },
                };
                let at = self.arrival_of(owner);
                self.transit.send(TransitLane::Down(connection), at, answer);
            }
            Parcel::Opened { owner, connection } if self.is_current(owner, connection) => {
                let venue = &mut self.state.venues[owner.venue];
                match owner.client {
                    Client::Market(path) => venue.session.on_open(path, now),
                    Client::Gateway(connection) => venue.gateway.on_open(connection, now),
                }
            }
            Parcel::Gone { owner, connection } if self.is_current(owner, connection) => self.lose(owner),
            Parcel::Opened { .. } | Parcel::Gone { .. } => {}
            Parcel::Left { venue, connection } => {
                self.exchange_at(venue, connection).on_websocket_close(connection, now);
            }
            Parcel::ToExchange { venue, connection, text } => {
                self.exchange_at(venue, connection).on_websocket_text(connection, &text, now);
            }
            Parcel::Pong { venue, connection } => {
                self.exchange_at(venue, connection).on_websocket_control(connection, ClientControl::Pong, now);
            }
            Parcel::ToClient { connection, message } => self.deliver_message(connection, message),
            Parcel::Fetch { venue, instrument, limit } => self.fetch(venue, instrument, limit),
            Parcel::Fetched { venue, instrument, status, body } => self.fetched(venue, instrument, status, body),
            Parcel::Intent(intent) => {
                let venues = &mut self.state.venues;
                let venue = venues.iter_mut().find(|venue| venue.trades(intent.instrument));
                venue.expect("set-up gives every instrument of the engine a venue").gateway.on_intent(&intent, now);
            }
            Parcel::Execution(event) => {
                self.note(&[event.kind as u8]);
                self.observer.on_execution(&event, &self.state);
                self.state.engine.on_execution(&event, now);
            }
        }
    }

    /// A client's connection is gone.
    fn lose(&mut self, owner: Owner) {
        self.forget(owner);
        self.reconnects += 1;
        let venue = &mut self.state.venues[owner.venue];
        match owner.client {
            Client::Market(path) => {
                let mut sink = EngineSink { engine: &mut self.state.engine, quiet: false };
                venue.session.on_close(path, self.state.now, &mut sink);
            }
            Client::Gateway(connection) => venue.gateway.on_close(connection, self.state.now),
        }
    }

    fn deliver_message(&mut self, connection: ConnectionId, mut message: Vec<u8>) {
        let Some(owner) = self.owners.get(&connection).copied() else {
            return;
        };
        if !self.is_current(owner, connection) {
            return;
        }
        let venue = &mut self.state.venues[owner.venue];
        match owner.client {
            Client::Market(path) => {
                let length = message.len();
                message.resize(length + FRAME_PADDING, 0);
                let received = Stamp { wall: self.state.now, tsc: 0 };
                let frame = venue.paper.is_some().then(|| message[..length].to_vec());
                let mut sink = EngineSink { engine: &mut self.state.engine, quiet: false };
                venue.session.on_frame(path, FrameBytes::text(&mut message, length), received, &mut sink);
                if let (Some(paper), Some(bytes)) = (&mut venue.paper, frame) {
                    paper.on_market_frame(&MarketFrame { at: received.wall, bytes }, received.wall);
                }
            }
            Client::Gateway(connection) => venue.gateway.on_frame(connection, &mut message, self.state.now),
        }
    }

    fn fetch(&mut self, place: usize, instrument: InstrumentId, limit: u16) {
        let venue = &mut self.state.venues[place];
        let path = venue.session.product().card().depth_path;
        let symbol = venue.session.symbol(instrument).expect("a session asks for its own instruments alone");
        let target = format!("{path}?symbol={symbol}&limit={limit}");
        let request = HttpRequest { method: "GET", target: &target, headers: &[], body: b"" };
        let reply = venue.exchange.on_http(&request, self.state.now);
        let at = self.arrival() + self.settings.snapshot;
        let parcel = Parcel::Fetched { venue: place, instrument, status: reply.status, body: reply.body };
        self.transit.send(TransitLane::SnapshotReplies(place), at, parcel);
    }

    fn fetched(&mut self, place: usize, instrument: InstrumentId, status: u16, mut body: Vec<u8>) {
        let now = self.state.now;
        let BacktestVenue { session, paper, .. } = &mut self.state.venues[place];
        if status != 200 {
            return session.on_snapshot_failed(instrument, Nanos::ZERO, now);
        }
        if let Some(paper) = paper {
            paper.on_market_frame(&MarketFrame { at: now, bytes: body.clone() }, now);
        }
        let length = body.len();
        body.resize(length + FRAME_PADDING, 0);
        let received = Stamp { wall: now, tsc: 0 };
        let mut sink = EngineSink { engine: &mut self.state.engine, quiet: true };
        session.on_snapshot(instrument, &mut body, length, received, &mut sink);
        self.state.engine.flush(now);
    }
}
