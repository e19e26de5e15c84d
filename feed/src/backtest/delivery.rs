//! COLD: what happens where a parcel of a backtest arrives.

use super::driver::{Backtest, BacktestObserver, BacktestVenue};
use super::transit::{Client, InFlight, Owner, Parcel, TransitLane};
use super::troubles::{BacktestLink, LinkTrouble, Obstacle, StalledSide};
use crate::gateway::rest::{RestAnswer, RestTicket};
use crate::session::EngineSink;
use crate::sim::side::{
    ClientControl, ConnectionId, ExchangeOutput, ExchangeSide, HttpRequest, HttpResponse, MarketFrame,
};
use crate::venue::account::RestRequest;
use crate::venue::market::{FRAME_PADDING, FrameBytes};
use crate::venue::order_side::OrderConnection;
use spinbook_engine::strategy::Strategy;
use spinbook_engine::types::{InstrumentId, Nanos, Stamp};

/// How long the answer to a snapshot request is waited for.
const FETCH_TIME_MAX: Nanos = Nanos::from_seconds(10);

/// For how long the venue takes no connection, where it said so.
fn retry_after(refusal: &HttpResponse) -> Option<Nanos> {
    let (_, seconds) = refusal.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("retry-after"))?;
    seconds.parse().ok().map(Nanos::from_seconds)
}

/// Who asks about an account: the gateway, at whichever exchange takes its orders.
const fn account_of(venue: usize) -> Owner {
    Owner { venue, client: Client::Gateway(OrderConnection::Orders) }
}

impl<S: Strategy, O: BacktestObserver<S>> Backtest<S, O> {
    /// Begins and ends what is due of links' faults.
    pub(super) fn begin_and_end_faults(&mut self) {
        while let Some((edge, fault)) = self.troubles.take_edge(self.state.now) {
            match (fault.trouble, edge.begins) {
                (LinkTrouble::Down, true) => self.cut(fault.venue, fault.link),
                (LinkTrouble::HalfOpen, true) => self.forget_at_venue(fault.venue, fault.link),
                (LinkTrouble::HalfOpen, false) => self.reset_half_open(fault.venue, fault.link),
                _ => {}
            }
        }
    }

    fn connections_of(&self, venue: usize, link: BacktestLink) -> Vec<(Owner, ConnectionId)> {
        let is_of = |(owner, _): &&(Owner, ConnectionId)| owner.venue == venue && BacktestLink::of(*owner) == link;
        self.current.iter().filter(is_of).copied().collect()
    }

    /// Cuts a link's connections, as both ends notice at once.
    pub(super) fn cut(&mut self, venue: usize, link: BacktestLink) {
        for (owner, connection) in self.connections_of(venue, link) {
            let now = self.state.now;
            self.exchange_at(venue, connection).on_websocket_close(connection, now);
            self.tell_gone(owner, connection);
        }
    }

    fn forget_at_venue(&mut self, venue: usize, link: BacktestLink) {
        for (_, connection) in self.connections_of(venue, link) {
            let now = self.state.now;
            self.exchange_at(venue, connection).on_websocket_close(connection, now);
            self.half_open.insert(connection);
        }
    }

    fn reset_half_open(&mut self, venue: usize, link: BacktestLink) {
        for (owner, connection) in self.connections_of(venue, link) {
            if self.half_open.remove(&connection) {
                self.tell_gone(owner, connection);
            }
        }
    }

    /// A client hears now that its connection is gone, or as soon as its side moves again.
    fn tell_gone(&mut self, owner: Owner, connection: ConnectionId) {
        self.transit.send_past(self.state.now, Parcel::Gone { owner, connection });
    }

    /// The link that a parcel passes, if it passes one.
    fn link_of(&self, parcel: &Parcel) -> Option<(usize, BacktestLink)> {
        let of = |owner: Owner| Some((owner.venue, BacktestLink::of(owner)));
        match parcel {
            Parcel::Open { owner, .. } | Parcel::Opened { owner, .. } | Parcel::Gone { owner, .. } => of(*owner),
            Parcel::Left { connection, .. }
            | Parcel::ToExchange { connection, .. }
            | Parcel::Ping { connection, .. }
            | Parcel::Ponged { connection, .. }
            | Parcel::Pong { connection, .. }
            | Parcel::ToClient { connection, .. } => self.owners.get(connection).copied().and_then(of),
            Parcel::Fetch { venue, .. }
            | Parcel::Fetched { venue, .. }
            | Parcel::Ask { venue, .. }
            | Parcel::Answered { venue, .. } => Some((*venue, BacktestLink::Snapshots)),
            Parcel::Intent(_) | Parcel::Execution(_) => None,
        }
    }

    /// The side of ours that takes a parcel, if one of ours does.
    fn taker_of(&self, parcel: &Parcel) -> Option<StalledSide> {
        let of = |owner: Owner| match owner.client {
            Client::Market(_) => StalledSide::Hot,
            Client::Gateway(_) => StalledSide::Io,
        };
        match parcel {
            Parcel::Opened { owner, .. } | Parcel::Gone { owner, .. } => Some(of(*owner)),
            Parcel::ToClient { connection, .. } | Parcel::Ponged { connection, .. } => {
                self.owners.get(connection).copied().map(of)
            }
            Parcel::Fetched { .. } | Parcel::Execution(_) => Some(StalledSide::Hot),
            Parcel::Intent(_) | Parcel::Answered { .. } => Some(StalledSide::Io),
            _ => None,
        }
    }

    /// A parcel comes to the end of its way, unless something is in it.
    pub(super) fn arrive(&mut self, mut in_flight: InFlight) {
        let now = self.state.now;
        let obstacle = match self.link_of(&in_flight.parcel) {
            Some((venue, link)) if !self.is_beside_us(&in_flight.parcel) => self.troubles.obstacle(venue, link, now),
            _ => Obstacle::None,
        };
        match (obstacle, &in_flight.parcel) {
            (Obstacle::Until(at), _) => return self.transit.postpone(in_flight, at),
            (Obstacle::Down, Parcel::Open { owner, connection, .. }) => {
                let (owner, connection) = (*owner, *connection);
                let at = self.arrival_of(owner);
                return self.transit.send(TransitLane::Down(connection), at, Parcel::Gone { owner, connection });
            }
            (Obstacle::Down, Parcel::Fetch { venue, instrument, .. }) => {
                let (venue, instrument) = (*venue, *instrument);
                return self.fail_fetch(venue, instrument, self.state.now + self.settings.snapshot);
            }
            (Obstacle::Down, Parcel::Ask { venue, ticket, .. }) => {
                let (venue, ticket) = (*venue, *ticket);
                return self.answer(venue, ticket, RestAnswer::default());
            }
            (Obstacle::Down, Parcel::Answered { venue, ticket, .. }) => {
                let (venue, ticket) = (*venue, *ticket);
                in_flight.parcel = Parcel::Answered { venue, ticket, answer: RestAnswer::default() };
            }
            (Obstacle::Down | Obstacle::None, _) => {}
        }
        if let Some(at) = self.taker_of(&in_flight.parcel).and_then(|side| self.troubles.stalled_until(side, now)) {
            return self.transit.postpone(in_flight, at);
        }
        self.deliver(in_flight.parcel);
    }

    fn is_beside_us(&mut self, parcel: &Parcel) -> bool {
        let owner = match parcel {
            Parcel::Open { owner, .. } | Parcel::Opened { owner, .. } | Parcel::Gone { owner, .. } => Some(*owner),
            Parcel::Left { connection, .. }
            | Parcel::ToExchange { connection, .. }
            | Parcel::Ping { connection, .. }
            | Parcel::Ponged { connection, .. }
            | Parcel::Pong { connection, .. }
            | Parcel::ToClient { connection, .. } => self.owners.get(connection).copied(),
            Parcel::Ask { venue, .. } | Parcel::Answered { venue, .. } => Some(account_of(*venue)),
            _ => None,
        };
        owner.is_some_and(|owner| self.state.venues[owner.venue].exchange_of(owner.client).1)
    }

    /// A snapshot is asked for; where the link lets nothing pass for too long, the waiting for it ends.
    pub(super) fn ask_for_snapshot(&mut self, venue: usize, instrument: InstrumentId, limit: u16) {
        let now = self.state.now;
        match self.troubles.obstacle(venue, BacktestLink::Snapshots, now) {
            Obstacle::Until(at) if at - now > FETCH_TIME_MAX => {
                self.fail_fetch(venue, instrument, now + FETCH_TIME_MAX)
            }
            _ => {
                let at = self.arrival() + self.slowness(venue, BacktestLink::Snapshots);
                self.transit.send(TransitLane::SnapshotRequests(venue), at, Parcel::Fetch { venue, instrument, limit });
            }
        }
    }

    /// A gateway's request over REST leaves; where the link lets nothing pass for too long the gateway gives it up.
    pub(super) fn ask(&mut self, venue: usize, ticket: RestTicket, request: Box<RestRequest>) {
        self.note(request.method.as_bytes());
        let at = self.rest_arrival(venue);
        let lane = TransitLane::Questions(venue, ticket.lane.index());
        self.transit.send(lane, at, Parcel::Ask { venue, ticket, request });
    }

    /// One way between a gateway and the venue's REST, from now.
    fn rest_arrival(&mut self, venue: usize) -> Nanos {
        if self.state.venues[venue].exchange_of(account_of(venue).client).1 {
            return self.state.now;
        }
        self.arrival() + self.slowness(venue, BacktestLink::Snapshots)
    }

    fn answer(&mut self, venue: usize, ticket: RestTicket, answer: RestAnswer) {
        let at = self.rest_arrival(venue);
        let lane = TransitLane::Answers(venue, ticket.lane.index());
        self.transit.send(lane, at, Parcel::Answered { venue, ticket, answer });
    }

    /// The venue takes a gateway's request over REST.
    fn serve(&mut self, venue: usize, ticket: RestTicket, request: &RestRequest) {
        let headers: Vec<(&str, &str)> = request.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let asked = HttpRequest { method: request.method, target: &request.target, headers: &headers, body: b"" };
        let (exchange, _) = self.state.venues[venue].exchange_of(account_of(venue).client);
        let reply = exchange.on_http(&asked, self.state.now);
        let retry_after = retry_after(&reply).unwrap_or_default();
        self.answer(venue, ticket, RestAnswer { status: reply.status, body: reply.body, retry_after });
    }

    /// A snapshot's request comes to nothing.
    fn fail_fetch(&mut self, venue: usize, instrument: InstrumentId, at: Nanos) {
        let parcel = Parcel::Fetched { venue, instrument, status: 0, retry_after: Nanos::ZERO, body: Vec::new() };
        self.transit.send(TransitLane::SnapshotReplies(venue), at, parcel);
    }

    fn deliver(&mut self, parcel: Parcel) {
        let now = self.state.now;
        match parcel {
            Parcel::Open { owner, connection, target } => {
                let (exchange, _) = self.state.venues[owner.venue].exchange_of(owner.client);
                let answer = match exchange.on_websocket_open(connection, &target, now) {
                    Ok(()) => Parcel::Opened { owner, connection },
                    Err(refusal) => {
                        if let Some(span) = retry_after(&refusal) {
                            self.refused.insert(connection, span);
                        }
                        Parcel::Gone { owner, connection }
                    }
                };
                let at = self.arrival_of(owner);
                self.transit.send(TransitLane::Down(connection), at, answer);
            }
            Parcel::Opened { owner, connection } if self.is_current(owner, connection) => {
                self.opened.insert(connection);
                self.budget_of(owner.venue).opened();
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
            Parcel::ToExchange { connection, .. }
            | Parcel::ToClient { connection, .. }
            | Parcel::Ping { connection, .. }
            | Parcel::Ponged { connection, .. }
                if self.half_open.contains(&connection) => {}
            Parcel::ToExchange { venue, connection, text } => {
                self.exchange_at(venue, connection).on_websocket_text(connection, &text, now);
            }
            Parcel::Pong { venue, connection } => {
                self.exchange_at(venue, connection).on_websocket_control(connection, ClientControl::Pong, now);
            }
            Parcel::Ping { venue, connection, mark } => self.answer_ping(venue, connection, mark),
            Parcel::Ponged { connection, mark } => self.deliver_pong(connection, mark),
            Parcel::ToClient { connection, message } => self.deliver_message(connection, message),
            Parcel::Fetch { venue, instrument, limit } => self.fetch(venue, instrument, limit),
            Parcel::Fetched { venue, instrument, status, retry_after, body } => {
                self.fetched(venue, instrument, (status, retry_after), body);
            }
            Parcel::Ask { venue, ticket, request } => self.serve(venue, ticket, &request),
            Parcel::Answered { venue, ticket, answer } => {
                self.state.venues[venue].gateway.on_rest(ticket, &answer, now);
            }
            Parcel::Intent(intent) => {
                let venues = &mut self.state.venues;
                let venue = venues.iter_mut().find(|venue| venue.trades(intent.instrument));
                venue.expect("set-up gives every instrument of the engine a venue").gateway.on_intent(&intent, now);
            }
            Parcel::Execution(event) => {
                self.note(&[event.kind as u8]);
                if let Some(event) = self.observer.alter_execution(event) {
                    self.observer.on_execution(&event, &self.state);
                    self.state.engine.on_execution(&event, now);
                }
            }
        }
    }

    /// A client's connection is gone.
    fn lose(&mut self, owner: Owner) {
        self.note_unopened(owner);
        let span = self.connection_of(owner).and_then(|connection| self.refused.remove(&connection));
        self.forget(owner);
        self.reconnects += 1;
        let now = self.state.now;
        let venue = &mut self.state.venues[owner.venue];
        match owner.client {
            Client::Market(path) => {
                let mut sink = EngineSink { engine: &mut self.state.engine, quiet: false };
                venue.session.on_close(path, now, &mut sink);
                if let Some(span) = span {
                    venue.session.on_refused(now + span);
                }
            }
            Client::Gateway(connection) => {
                if let Some(span) = span {
                    venue.gateway.on_refused(span, now);
                }
                venue.gateway.on_close(connection, now);
            }
        }
    }

    /// An exchange counts a ping; whoever carries its connections answers, unless the exchange closes this one for it.
    fn answer_ping(&mut self, venue: usize, connection: ConnectionId, mark: u64) {
        let now = self.state.now;
        self.exchange_at(venue, connection).on_websocket_control(connection, ClientControl::Ping, now);
        while self.carry_exchange(venue) {}
        if let Some(owner) = self.owners.get(&connection).copied() {
            let at = self.arrival_of(owner);
            self.transit.send(TransitLane::Down(connection), at, Parcel::Ponged { connection, mark });
        }
    }

    fn deliver_pong(&mut self, connection: ConnectionId, mark: u64) {
        let owner = self.owners.get(&connection).copied().filter(|owner| self.is_current(*owner, connection));
        if let Some(Owner { venue, client: Client::Gateway(link) }) = owner {
            self.state.venues[venue].gateway.on_pong(link, mark, self.state.now);
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
        let at = self.arrival() + self.settings.snapshot + self.slowness(place, BacktestLink::Snapshots);
        let (status, retry_after) = (reply.status, retry_after(&reply).unwrap_or(Nanos::ZERO));
        let parcel = Parcel::Fetched { venue: place, instrument, status, retry_after, body: reply.body };
        self.transit.send(TransitLane::SnapshotReplies(place), at, parcel);
    }

    fn fetched(
        &mut self,
        place: usize,
        instrument: InstrumentId,
        (status, retry_after): (u16, Nanos),
        mut body: Vec<u8>,
    ) {
        let now = self.state.now;
        let BacktestVenue { session, paper, .. } = &mut self.state.venues[place];
        if status != 200 {
            return session.on_snapshot_failed(instrument, retry_after, now);
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

    pub(super) fn carry_exchange(&mut self, venue: usize) -> bool {
        let state = &mut self.state.venues[venue];
        if let Some(output) = state.paper.as_mut().and_then(ExchangeSide::poll_output) {
            let at = self.state.now;
            self.carry_output(venue, output, at);
            return true;
        }
        let Some(output) = state.exchange.poll_output() else {
            return false;
        };
        let connection = match &output {
            ExchangeOutput::Text { connection, .. }
            | ExchangeOutput::Binary { connection, .. }
            | ExchangeOutput::Ping { connection, .. }
            | ExchangeOutput::Close { connection, .. } => connection,
        };
        let link = self.owners.get(connection).map_or(BacktestLink::Market, |owner| BacktestLink::of(*owner));
        let at = self.arrival() + self.slowness(venue, link);
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
}
