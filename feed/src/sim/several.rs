//! COLD: several simulated exchanges behind one address: each request goes to the one whose path it names.

use crate::sim::api::SimOrder;
use crate::sim::side::{
    ClientControl, ConnectionId, ExchangeOutput, ExchangeSide, ExchangeStatus, HttpRequest, HttpResponse, MarketFrame,
};
use spinbook_engine::types::Nanos;
use std::collections::BTreeMap;

/// One of them: whether a path is its own, and the exchange.
pub type Member = (Box<dyn Fn(&str) -> bool>, Box<dyn ExchangeSide>);

/// Several exchanges as one. A path that is nobody's goes to the first.
pub struct SeveralExchanges {
    members: Vec<Member>,
    connections: BTreeMap<ConnectionId, usize>,
}

impl SeveralExchanges {
    /// These, at least one.
    #[must_use]
    pub fn new(members: Vec<Member>) -> SeveralExchanges {
        assert!(!members.is_empty(), "somebody answers");
        SeveralExchanges { members, connections: BTreeMap::new() }
    }

    fn place(&self, target: &str) -> usize {
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        self.members.iter().position(|(is_own, _)| is_own(path)).unwrap_or(0)
    }

    fn of(&mut self, connection: ConnectionId) -> Option<&mut Box<dyn ExchangeSide>> {
        let place = *self.connections.get(&connection)?;
        Some(&mut self.members[place].1)
    }
}

impl ExchangeSide for SeveralExchanges {
    fn on_http(&mut self, request: &HttpRequest<'_>, now: Nanos) -> HttpResponse {
        let place = self.place(request.target);
        self.members[place].1.on_http(request, now)
    }

    fn on_websocket_open(&mut self, connection: ConnectionId, target: &str, now: Nanos) -> Result<(), HttpResponse> {
        let place = self.place(target);
        self.members[place].1.on_websocket_open(connection, target, now)?;
        self.connections.insert(connection, place);
        Ok(())
    }

    fn on_websocket_text(&mut self, connection: ConnectionId, text: &[u8], now: Nanos) {
        if let Some(exchange) = self.of(connection) {
            exchange.on_websocket_text(connection, text, now);
        }
    }

    fn on_websocket_control(&mut self, connection: ConnectionId, control: ClientControl, now: Nanos) {
        if let Some(exchange) = self.of(connection) {
            exchange.on_websocket_control(connection, control, now);
        }
    }

    fn on_websocket_close(&mut self, connection: ConnectionId, now: Nanos) {
        if let Some(exchange) = self.of(connection) {
            exchange.on_websocket_close(connection, now);
        }
        self.connections.remove(&connection);
    }

    fn on_timer(&mut self, now: Nanos) {
        for (_, exchange) in &mut self.members {
            exchange.on_timer(now);
        }
    }

    fn next_deadline(&self) -> Nanos {
        self.members.iter().map(|(_, exchange)| exchange.next_deadline()).min().unwrap_or(Nanos::NEVER)
    }

    fn poll_output(&mut self) -> Option<ExchangeOutput> {
        self.members.iter_mut().find_map(|(_, exchange)| exchange.poll_output())
    }

    fn on_market_frame(&mut self, frame: &MarketFrame, now: Nanos) {
        self.members[0].1.on_market_frame(frame, now);
    }

    fn poll_notice(&mut self) -> Option<String> {
        self.members.iter_mut().find_map(|(_, exchange)| exchange.poll_notice())
    }

    fn status(&self) -> ExchangeStatus {
        let mut whole = ExchangeStatus { market_over: true, ..ExchangeStatus::default() };
        for (_, exchange) in &self.members {
            let status = exchange.status();
            whole.frames_played += status.frames_played;
            whole.frames_relayed += status.frames_relayed;
            whole.frames_unread += status.frames_unread;
            whole.http_requests += status.http_requests;
            whole.messages += status.messages;
            whole.closed += status.closed;
            whole.rate_refusals += status.rate_refusals;
            whole.market_over &= status.market_over;
            whole.market_error = whole.market_error.or(status.market_error);
        }
        whole
    }

    fn open_orders(&self) -> Vec<SimOrder> {
        self.members.iter().flat_map(|(_, exchange)| exchange.open_orders()).collect()
    }

    fn open_order_count(&self) -> usize {
        self.members.iter().map(|(_, exchange)| exchange.open_order_count()).sum()
    }

    fn check(&self) -> Result<(), String> {
        self.members.iter().try_for_each(|(_, exchange)| exchange.check())
    }
}
