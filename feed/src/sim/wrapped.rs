//! COLD: a simulated exchange with something between it and its clients, which names only what it does differently.

use spinbook_engine::types::Nanos;

use crate::sim::api::SimOrder;
use crate::sim::side::{
    ClientControl, ConnectionId, ExchangeOutput, ExchangeSide, ExchangeStatus, HttpRequest, HttpResponse, MarketFrame,
};

/// What stands between an exchange and its clients. Every method may be left out.
pub trait ExchangeWrap {
    /// A client's HTTP request.
    fn on_http(&mut self, exchange: &mut dyn ExchangeSide, request: &HttpRequest<'_>, now: Nanos) -> HttpResponse {
        exchange.on_http(request, now)
    }

    /// A client's text message.
    fn on_text(&mut self, exchange: &mut dyn ExchangeSide, connection: ConnectionId, text: &[u8], now: Nanos) {
        exchange.on_websocket_text(connection, text, now);
    }

    /// The exchange took something in that may have changed what it keeps.
    fn on_acted(&mut self, _exchange: &mut dyn ExchangeSide, _now: Nanos) {}

    /// The next thing to carry away.
    fn poll_output(&mut self, exchange: &mut dyn ExchangeSide) -> Option<ExchangeOutput> {
        exchange.poll_output()
    }
}

/// An exchange with a [`ExchangeWrap`] around it; everything else is the exchange's own.
pub struct WrappedExchange<W> {
    exchange: Box<dyn ExchangeSide>,
    wrap: W,
}

impl<W: ExchangeWrap> WrappedExchange<W> {
    /// Puts `wrap` around `exchange`.
    #[must_use]
    pub fn new(exchange: Box<dyn ExchangeSide>, wrap: W) -> WrappedExchange<W> {
        WrappedExchange { exchange, wrap }
    }
}

impl<W: ExchangeWrap> ExchangeSide for WrappedExchange<W> {
    fn on_http(&mut self, request: &HttpRequest<'_>, now: Nanos) -> HttpResponse {
        let response = self.wrap.on_http(&mut *self.exchange, request, now);
        self.wrap.on_acted(&mut *self.exchange, now);
        response
    }

    fn on_websocket_open(&mut self, connection: ConnectionId, target: &str, now: Nanos) -> Result<(), HttpResponse> {
        self.exchange.on_websocket_open(connection, target, now)
    }

    fn on_websocket_text(&mut self, connection: ConnectionId, text: &[u8], now: Nanos) {
        self.wrap.on_text(&mut *self.exchange, connection, text, now);
        self.wrap.on_acted(&mut *self.exchange, now);
    }

    fn on_websocket_control(&mut self, connection: ConnectionId, control: ClientControl, now: Nanos) {
        self.exchange.on_websocket_control(connection, control, now);
    }

    fn on_websocket_close(&mut self, connection: ConnectionId, now: Nanos) {
        self.exchange.on_websocket_close(connection, now);
    }

    fn on_timer(&mut self, now: Nanos) {
        self.exchange.on_timer(now);
        self.wrap.on_acted(&mut *self.exchange, now);
    }

    fn next_deadline(&self) -> Nanos {
        self.exchange.next_deadline()
    }

    fn poll_output(&mut self) -> Option<ExchangeOutput> {
        self.wrap.poll_output(&mut *self.exchange)
    }

    fn on_market_frame(&mut self, frame: &MarketFrame, now: Nanos) {
        self.exchange.on_market_frame(frame, now);
        self.wrap.on_acted(&mut *self.exchange, now);
    }

    fn take_changes(&mut self, now: Nanos) -> Option<Vec<u8>> {
        self.exchange.take_changes(now)
    }

    fn whole_state(&self, now: Nanos) -> Vec<u8> {
        self.exchange.whole_state(now)
    }

    fn poll_notice(&mut self) -> Option<String> {
        self.exchange.poll_notice()
    }

    fn status(&self) -> ExchangeStatus {
        self.exchange.status()
    }

    fn open_orders(&self) -> Vec<SimOrder> {
        self.exchange.open_orders()
    }

    fn open_order_count(&self) -> usize {
        self.exchange.open_order_count()
    }

    fn check(&self) -> Result<(), String> {
        self.exchange.check()
    }
}
