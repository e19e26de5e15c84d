//! COLD: paper matching: a market that goes on elsewhere, with our orders in it after the delay that they would have.
//!
//! The market is known when its frames are received, one way late. An order that a venue takes one way after it was
//! sent therefore meets here, on the clock of the frames, the same frames as there if it is held for both ways
//! together: a round trip. What it leads to is told at once, as the frame that caused it was late already. So the same
//! orders fill as at the venue itself, but for what our own orders would have changed in the market.

use crate::sim::api::SimOrder;
use crate::sim::side::{
    ClientControl, ConnectionId, ExchangeOutput, ExchangeSide, ExchangeStatus, HttpRequest, HttpResponse, MarketFrame,
};
use spinbook_engine::types::Nanos;
use std::collections::VecDeque;

/// How long our messages are on their way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PaperSettings {
    /// From a message's arrival here until it meets the market: a round trip to the venue.
    pub latency: Nanos,
    /// How long after its reception a frame may still arrive here: so long messages wait beyond their latency, and
    /// are then put before the frames that were received later.
    pub frame_delay_max: Nanos,
}

/// What a client did.
enum Deed {
    Text(Vec<u8>),
    Close,
}

/// A client's deed on its way.
struct Held {
    due: Nanos,
    connection: ConnectionId,
    deed: Deed,
}

/// A simulated exchange over a market that goes on elsewhere.
pub struct PaperExchange {
    exchange: Box<dyn ExchangeSide>,
    settings: PaperSettings,
    /// In the order of arrival, which is that of their moments.
    held: VecDeque<Held>,
    /// The latest moment that the exchange was told: it never goes back.
    now: Nanos,
}

impl PaperExchange {
    /// Over an exchange that has no market of its own.
    #[must_use]
    pub fn new(exchange: Box<dyn ExchangeSide>, settings: PaperSettings) -> PaperExchange {
        PaperExchange { exchange, settings, held: VecDeque::new(), now: Nanos::ZERO }
    }

    fn hold(&mut self, connection: ConnectionId, deed: Deed, now: Nanos) {
        let last = self.held.back().map_or(Nanos::ZERO, |held| held.due);
        let due = (now + self.settings.latency).max(last);
        self.held.push_back(Held { due, connection, deed });
    }

    /// The exchange's own time: never before what it was told last.
    fn moment(&mut self, at: Nanos) -> Nanos {
        self.now = self.now.max(at);
        self.now
    }

    /// Lets everything that is due until `until` meet the market, each at its own moment.
    fn release(&mut self, until: Nanos) {
        while let Some(held) = self.held.pop_front_if(|held| held.due <= until) {
            let at = self.moment(held.due);
            match held.deed {
                Deed::Text(text) => self.exchange.on_websocket_text(held.connection, &text, at),
                Deed::Close => self.exchange.on_websocket_close(held.connection, at),
            }
        }
    }
}

impl ExchangeSide for PaperExchange {
    fn on_http(&mut self, request: &HttpRequest<'_>, now: Nanos) -> HttpResponse {
        self.exchange.on_http(request, now)
    }

    fn on_websocket_open(&mut self, connection: ConnectionId, target: &str, now: Nanos) -> Result<(), HttpResponse> {
        self.exchange.on_websocket_open(connection, target, now)
    }

    fn on_websocket_text(&mut self, connection: ConnectionId, text: &[u8], now: Nanos) {
        self.hold(connection, Deed::Text(text.to_vec()), now);
    }

    fn on_websocket_control(&mut self, connection: ConnectionId, control: ClientControl, now: Nanos) {
        self.exchange.on_websocket_control(connection, control, now);
    }

    fn on_websocket_close(&mut self, connection: ConnectionId, now: Nanos) {
        // What was sent before is still on its way.
        self.hold(connection, Deed::Close, now);
    }

    fn on_timer(&mut self, now: Nanos) {
        self.release(now - self.settings.frame_delay_max);
        if now >= self.exchange.next_deadline() {
            let at = self.moment(now);
            self.exchange.on_timer(at);
        }
    }

    fn next_deadline(&self) -> Nanos {
        let held = self.held.front().map_or(Nanos::NEVER, |held| held.due + self.settings.frame_delay_max);
        self.exchange.next_deadline().min(held)
    }

    fn poll_output(&mut self) -> Option<ExchangeOutput> {
        self.exchange.poll_output()
    }

    /// A frame meets what was due before its reception, and nothing that is due later.
    fn on_market_frame(&mut self, frame: &MarketFrame, _now: Nanos) {
        self.release(frame.at);
        let at = self.moment(frame.at);
        self.exchange.on_market_frame(frame, at);
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    /// Writes down what it is told, and when.
    struct Witness(Rc<RefCell<Vec<(i64, String)>>>);

    impl ExchangeSide for Witness {
        fn on_http(&mut self, _: &HttpRequest<'_>, _: Nanos) -> HttpResponse {
            HttpResponse::default()
        }

        fn on_websocket_open(&mut self, _: ConnectionId, _: &str, _: Nanos) -> Result<(), HttpResponse> {
            Ok(())
        }

        fn on_websocket_text(&mut self, _: ConnectionId, text: &[u8], now: Nanos) {
            self.0.borrow_mut().push((now.0, String::from_utf8(text.to_vec()).unwrap()));
        }

        fn on_websocket_control(&mut self, _: ConnectionId, _: ClientControl, _: Nanos) {}

        fn on_websocket_close(&mut self, _: ConnectionId, now: Nanos) {
            self.0.borrow_mut().push((now.0, "close".to_owned()));
        }

        fn on_timer(&mut self, _: Nanos) {}

        fn next_deadline(&self) -> Nanos {
            Nanos::NEVER
        }

        fn poll_output(&mut self) -> Option<ExchangeOutput> {
            None
        }

        fn on_market_frame(&mut self, frame: &MarketFrame, now: Nanos) {
            self.0.borrow_mut().push((now.0, String::from_utf8(frame.bytes.clone()).unwrap()));
        }
    }

    #[test]
    fn an_order_meets_the_frames_of_a_round_trip_later_however_late_they_arrive() {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let settings = PaperSettings { latency: Nanos(100), frame_delay_max: Nanos(30) };
        let mut paper = PaperExchange::new(Box::new(Witness(seen.clone())), settings);
        let client = ConnectionId(1);
        let frame = |paper: &mut PaperExchange, at: i64, now: i64| {
            let bytes = format!("frame {at}").into_bytes();
            paper.on_market_frame(&MarketFrame { at: Nanos(at), bytes }, Nanos(now));
        };
        paper.on_websocket_text(client, b"order", Nanos(10));
        paper.on_websocket_close(client, Nanos(20));
        assert_eq!(paper.next_deadline(), Nanos(140));
        frame(&mut paper, 50, 60);
        paper.on_timer(Nanos(139));
        frame(&mut paper, 109, 139);
        frame(&mut paper, 110, 139);
        paper.on_timer(Nanos(150));
        frame(&mut paper, 125, 151);
        let expected = [
            (50, "frame 50"),
            (109, "frame 109"),
            (110, "order"),
            (110, "frame 110"),
            (120, "close"),
            (125, "frame 125"),
        ];
        assert_eq!(*seen.borrow(), expected.map(|(at, what)| (at, what.to_owned())));
        assert_eq!(paper.next_deadline(), Nanos::NEVER);
    }
}
