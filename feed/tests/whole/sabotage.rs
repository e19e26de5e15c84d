//! COLD: what is broken on purpose, to see that it is noticed.

use spinbook_engine::event::{ExecutionEvent, ExecutionKind};
use spinbook_engine::intent::{Intent, IntentKind};
use spinbook_engine::types::{Nanos, OrderId};
use spinbook_feed::sim::side::{ConnectionId, ExchangeOutput, ExchangeSide, HttpRequest, HttpResponse};
use spinbook_feed::sim::wrapped::ExchangeWrap;
use std::collections::{BTreeMap, VecDeque};

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// Every tenth order has the id of the one before.
    ReuseId,
    /// An order of unknown outcome is told to be refused.
    DropUnknown,
    /// An order that was cancelled is told to be accepted again.
    ResurrectDead,
    /// Every fifth fill is not told.
    LoseFill,
    /// Every fifth fill is told twice.
    TellFillTwice,
    /// No cancel reaches the gateway.
    NeverCancel,
    /// The venue says that nothing is open, so that nothing an earlier run left is cancelled.
    NeverSweep,
    /// Orders leave without having been written down.
    SkipJournal,
}

impl Sabotage {
    pub const ALL: [Sabotage; 8] = [
        Sabotage::ReuseId,
        Sabotage::DropUnknown,
        Sabotage::ResurrectDead,
        Sabotage::LoseFill,
        Sabotage::TellFillTwice,
        Sabotage::NeverCancel,
        Sabotage::NeverSweep,
        Sabotage::SkipJournal,
    ];
}

/// What sabotage remembers.
#[derive(Clone, Debug, Default)]
pub struct Sabotaged {
    places: u64,
    fills: u64,
    last_order: Option<OrderId>,
    twice: Option<ExecutionEvent>,
}

impl Sabotage {
    pub fn alter_intent(self, intent: Intent, memory: &mut Sabotaged) -> Option<Intent> {
        if intent.kind == IntentKind::Cancel {
            return (self != Sabotage::NeverCancel).then_some(intent);
        }
        memory.places += 1;
        let before = memory.last_order.replace(intent.order);
        match before {
            Some(order) if self == Sabotage::ReuseId && memory.places.is_multiple_of(10) => {
                Some(Intent { order, ..intent })
            }
            _ => Some(intent),
        }
    }

    pub fn alter_execution(self, event: ExecutionEvent, memory: &mut Sabotaged) -> Option<ExecutionEvent> {
        let altered = |kind| Some(ExecutionEvent { kind, ..event });
        match (self, event.kind) {
            (Sabotage::DropUnknown, ExecutionKind::Unknown) => altered(ExecutionKind::Rejected),
            (Sabotage::ResurrectDead, ExecutionKind::Canceled) => altered(ExecutionKind::Accepted),
            (Sabotage::LoseFill, ExecutionKind::Filled) => {
                memory.fills += 1;
                (!memory.fills.is_multiple_of(2)).then_some(event)
            }
            // What comes after a fill is told as that fill once more.
            (Sabotage::TellFillTwice, ExecutionKind::Filled) => {
                memory.twice = Some(event);
                Some(event)
            }
            (Sabotage::TellFillTwice, _) => Some(memory.twice.take().unwrap_or(event)),
            _ => Some(event),
        }
    }
}

/// Says for an exchange that nothing is open, and has nothing cancelled when all is to be cancelled.
#[derive(Default)]
pub struct Unswept {
    answers: VecDeque<ExchangeOutput>,
}

impl ExchangeWrap for Unswept {
    fn on_http(&mut self, exchange: &mut dyn ExchangeSide, request: &HttpRequest<'_>, now: Nanos) -> HttpResponse {
        if request.method == "DELETE" {
            let body = serde_json::json!({"code": -2011, "msg": "Unknown order sent."}).to_string().into_bytes();
            return HttpResponse { status: 400, body, ..HttpResponse::default() };
        }
        exchange.on_http(request, now)
    }

    fn on_text(&mut self, exchange: &mut dyn ExchangeSide, connection: ConnectionId, text: &[u8], now: Nanos) {
        let asked: BTreeMap<String, serde_json::Value> = serde_json::from_slice(text).unwrap_or_default();
        let answer = match asked.get("method").and_then(serde_json::Value::as_str) {
            Some("openOrders.status") => serde_json::json!({"id": asked["id"], "status": 200, "result": []}),
            Some("openOrders.cancelAll") => {
                let error = serde_json::json!({"code": -2011, "msg": "Unknown order sent."});
                serde_json::json!({"id": asked["id"], "status": 400, "error": error})
            }
            _ => return exchange.on_websocket_text(connection, text, now),
        };
        self.answers.push_back(ExchangeOutput::Text { connection, text: answer.to_string().into_bytes() });
    }

    fn poll_output(&mut self, exchange: &mut dyn ExchangeSide) -> Option<ExchangeOutput> {
        self.answers.pop_front().or_else(|| exchange.poll_output())
    }
}
