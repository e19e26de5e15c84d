//! COLD: the record of orders: every place, cancel, answer and fill of a run as a JSON line, written by a thread apart.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use spinbook_engine::event::{ExecutionEvent, ExecutionKind, FeeAsset, LocalReject};
use spinbook_engine::intent::{Intent, IntentKind, Reason, TimeInForce};
use spinbook_engine::ring::Consumer;
use spinbook_engine::types::{InstrumentId, Lots, Nanos, OrderId, Side, Tick};
use spinbook_feed::net::host::threads;
use spinbook_feed::net::io::order_facts::{OrderFact, OrderFacts};
use spinbook_feed::venue::instrument::Instrument;

use super::plan::{Plan, RunMode};
use crate::error::Failure;
use crate::ui::report::{OrderRecord, atoms_text};
use crate::ui::time::utc_text;

/// How long the writer rests when nothing waits.
const REST: Duration = Duration::from_millis(20);
/// How long the end of a run waits for the last lines.
const END_WITHIN: Duration = Duration::from_secs(5);

/// Turns facts into lines.
struct Lines {
    /// Instruments with their names, by id.
    instruments: Vec<(Instrument, String)>,
    /// Whether orders leave: in shadow mode none does.
    sends: bool,
    /// What was ordered, of orders whose end was not told yet.
    ordered: HashMap<OrderId, Lots>,
}

const fn reason_name(reason: Reason) -> &'static str {
    match reason {
        Reason::New => "new",
        Reason::Requote => "requote",
        Reason::Unwanted => "unwanted",
        Reason::BookNotLive => "book_not_live",
        Reason::TradingState => "trading_state",
        Reason::Risk => "risk",
        Reason::Shutdown => "shutdown",
    }
}

const fn local_name(local: LocalReject) -> &'static str {
    match local {
        LocalReject::None => "none",
        LocalReject::Late => "late",
        LocalReject::Throttled => "throttled",
        LocalReject::NotConnected => "not_connected",
        LocalReject::Limit => "limit",
        LocalReject::TableFull => "table_full",
        LocalReject::Journal => "journal",
    }
}

const fn side_name(side: Side) -> &'static str {
    match side {
        Side::Bid => "buy",
        Side::Ask => "sell",
    }
}

const fn time_in_force_name(time_in_force: TimeInForce) -> &'static str {
    match time_in_force {
        TimeInForce::PostOnly => "post-only",
        TimeInForce::ImmediateOrCancel => "ioc",
        TimeInForce::GoodTilCancel => "gtc",
    }
}

/// An order's number in this program: run and count.
fn id_text(order: OrderId) -> String {
    format!("{}-{}", order.epoch(), order.counter())
}

impl Lines {
    fn instrument(&self, id: InstrumentId) -> Option<&(Instrument, String)> {
        self.instruments.get(id.index())
    }

    fn price(&self, id: InstrumentId, tick: Tick) -> Value {
        self.instrument(id).map_or(Value::Null, |(found, _)| json!(found.price.decimal(tick.0).normalize().to_string()))
    }

    fn quantity(&self, id: InstrumentId, lots: Lots) -> Value {
        self.instrument(id)
            .map_or(Value::Null, |(found, _)| json!(found.quantity.decimal(lots.0).normalize().to_string()))
    }

    fn head(
        &self,
        time: Nanos,
        event: &str,
        order: OrderId,
        instrument: InstrumentId,
        side: Side,
    ) -> Map<String, Value> {
        let mut line = Map::new();
        line.insert("time".to_owned(), json!(utc_text(time)));
        line.insert("time_ns".to_owned(), json!(time.0));
        line.insert("event".to_owned(), json!(event));
        line.insert("id".to_owned(), json!(id_text(order)));
        line.insert("symbol".to_owned(), json!(self.instrument(instrument).map(|(_, name)| name)));
        line.insert("side".to_owned(), json!(side_name(side)));
        line
    }

    /// A fact as a line; none of what is not about an order.
    fn line(&mut self, fact: &OrderFact) -> Option<Value> {
        let line = match fact {
            OrderFact::Intent { intent, client_id, taken } => self.intent(intent, client_id.as_str(), *taken),
            OrderFact::Execution(event) => self.execution(event)?,
        };
        Some(Value::Object(line))
    }

    fn intent(&mut self, intent: &Intent, client_id: &str, taken: Nanos) -> Map<String, Value> {
        let event = if intent.kind == IntentKind::Place { "place" } else { "cancel" };
        let mut line = self.head(taken, event, intent.order, intent.instrument, intent.side);
        let mut add = |key: &str, value: Value| line.insert(key.to_owned(), value);
        add("price", self.price(intent.instrument, intent.tick));
        add("quantity", self.quantity(intent.instrument, intent.lots));
        add("reason", json!(reason_name(intent.reason)));
        if intent.kind == IntentKind::Place {
            add("time_in_force", json!(time_in_force_name(intent.time_in_force)));
            self.ordered.insert(intent.order, intent.lots);
        }
        add("client_id", json!(client_id));
        add("sent", json!(self.sends));
        line
    }

    fn execution(&mut self, event: &ExecutionEvent) -> Option<Map<String, Value>> {
        let (name, is_end) = match event.kind {
            ExecutionKind::Accepted => ("accepted", false),
            ExecutionKind::Rejected => ("rejected", true),
            ExecutionKind::Filled => ("fill", false),
            ExecutionKind::Canceled => ("canceled", true),
            ExecutionKind::CancelRejected => ("cancel_rejected", false),
            ExecutionKind::Expired => ("expired", true),
            ExecutionKind::Unknown => ("unknown", false),
            ExecutionKind::GatewayReady | ExecutionKind::GatewayDown | ExecutionKind::Pause | ExecutionKind::Halt => {
                return None;
            }
        };
        let id = event.instrument;
        let mut line = self.head(event.time, name, event.order, id, event.side);
        let mut add = |key: &str, value: Value| line.insert(key.to_owned(), value);
        if event.kind == ExecutionKind::Filled {
            add("price", self.price(id, event.tick));
            add("quantity", self.quantity(id, event.lots));
            add("fee_quote", json!(atoms_text(event.fee)));
            if event.fee_asset == FeeAsset::Base {
                add("fee_base", self.quantity(id, event.fee_lots));
            }
            add("maker", json!(event.maker));
            add("trade", json!(event.trade.0.to_string()));
        }
        add("filled", self.quantity(id, event.lots_cumulative));
        if event.local != LocalReject::None {
            add("refused_here", json!(local_name(event.local)));
        }
        if !event.venue_code.is_none() {
            add("venue_code", json!(event.venue_code.as_str()));
        }
        let is_whole = self.ordered.get(&event.order).is_some_and(|ordered| event.lots_cumulative >= *ordered);
        let outcome = match event.kind {
            ExecutionKind::Filled if is_whole => Some("filled"),
            _ if is_end => Some(name),
            _ => None,
        };
        if let Some(outcome) = outcome {
            add("outcome", json!(outcome));
            self.ordered.remove(&event.order);
        }
        Some(line)
    }
}

/// What the writer has done.
#[derive(Debug, Default)]
struct Written {
    lines: u64,
    failure: Option<String>,
}

/// Writes until it is told to stop and nothing waits any more.
fn write_lines(mut file: impl Write, mut lines: Lines, mut facts: Consumer<OrderFact>, stop: &AtomicBool) -> Written {
    let mut written = Written::default();
    loop {
        // Asked first: what is told before the stop is on the queue by now.
        let stopping = stop.load(Ordering::Acquire);
        let mut any = false;
        while let Some(fact) = facts.pop() {
            any = true;
            let Some(line) = lines.line(&fact).filter(|_| written.failure.is_none()) else { continue };
            match writeln!(file, "{line}") {
                Ok(()) => written.lines += 1,
                Err(error) => fail(&mut written, &error),
            }
        }
        if any && written.failure.is_none() {
            file.flush().unwrap_or_else(|error| fail(&mut written, &error));
        }
        if stopping {
            return written;
        }
        std::thread::sleep(REST);
    }
}

fn fail(written: &mut Written, error: &io::Error) {
    tracing::error!("the record of orders cannot be written any more: {error}");
    written.failure = Some(error.to_string());
}

/// The record of one run.
pub struct OrderLog {
    path: PathBuf,
    writer: JoinHandle<Written>,
    stop: Arc<AtomicBool>,
    lost: Arc<AtomicU64>,
}

impl OrderLog {
    /// Begins a file of its own in the state directory, if the plan wants one; the I/O thread tells its facts at the
    /// other end.
    ///
    /// # Errors
    /// The file or the thread cannot be made.
    pub fn start(
        plan: &Plan,
        instruments: &[Instrument],
        started: Nanos,
    ) -> Result<Option<(OrderLog, OrderFacts)>, Failure> {
        if !plan.log_orders {
            return Ok(None);
        }
        let second: String = utc_text(started).chars().take(19).filter(|sign| !"-:".contains(*sign)).collect();
        let path = plan.config.engine.state_dir.join(format!("orders-{second}Z-{}.jsonl", plan.mode.name()));
        let failed = |error: io::Error| {
            Failure::failed("cannot begin the record of orders")
                .at(path.display())
                .because(error)
                .next("make room or name another engine.state_dir; or go without it: --log-orders off")
        };
        let file: File = OpenOptions::new().append(true).create(true).open(&path).map_err(failed)?;
        let (facts, queue, lost) = OrderFacts::channel();
        let lines = Lines {
            instruments: instruments.iter().map(|instrument| (*instrument, plan.label(instrument))).collect(),
            sends: plan.mode != RunMode::Shadow,
            ordered: HashMap::new(),
        };
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let write = move || write_lines(BufWriter::new(file), lines, queue, &told);
        let writer = threads::spawn("spinbook-record", None, |_| {}, write).map_err(failed)?;
        Ok(Some((OrderLog { path, writer, stop, lost }, facts)))
    }

    /// After the I/O thread has ended: waits a moment for the last lines.
    #[must_use]
    pub fn finish(self) -> OrderRecord {
        self.stop.store(true, Ordering::Release);
        let until = Instant::now() + END_WITHIN;
        while !self.writer.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        let written = match self.writer.is_finished() {
            true => self.writer.join().unwrap_or_default(),
            false => Written { lines: 0, failure: Some("it was still being written at the end".to_owned()) },
        };
        OrderRecord {
            path: self.path.display().to_string(),
            lines: written.lines,
            lost: self.lost.load(Ordering::Relaxed),
            failure: written.failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use spinbook_engine::types::{QuoteAtoms, TradeId};
    use spinbook_feed::testkit;
    use spinbook_feed::venue::binance;

    use super::*;

    fn lines() -> Lines {
        let instrument = testkit::instrument(binance::USDM, 0, "BTCUSDT", "0.1", "0.001");
        Lines { instruments: vec![(instrument, "BTCUSDT".to_owned())], sends: true, ordered: HashMap::new() }
    }

    fn event(kind: ExecutionKind, cumulative: i64) -> ExecutionEvent {
        ExecutionEvent {
            kind,
            order: OrderId::new(7, 1),
            time: Nanos(1_795_282_957_123_000_000),
            tick: Tick(640_001),
            lots: Lots(2),
            lots_cumulative: Lots(cumulative),
            trade: TradeId(99),
            fee: QuoteAtoms(25_600_040_000_000_000),
            side: Side::Ask,
            ..ExecutionEvent::default()
        }
    }

    #[test]
    fn an_order_is_told_from_its_reason_to_its_fills_and_its_outcome() {
        let mut lines = lines();
        let intent = Intent {
            order: OrderId::new(7, 1),
            side: Side::Ask,
            tick: Tick(640_001),
            lots: Lots(4),
            reason: Reason::Requote,
            ..Intent::default()
        };
        let placed = Value::Object(lines.intent(&intent, "sp-1", Nanos(1_795_282_957_000_000_000)));
        let expected = json!({
            "time": "2026-11-21T17:42:37.000Z", "time_ns": 1_795_282_957_000_000_000_i64, "event": "place",
            "id": "7-1", "symbol": "BTCUSDT", "side": "sell", "price": "64000.1", "quantity": "0.004",
            "reason": "requote", "time_in_force": "post-only", "client_id": "sp-1", "sent": true,
        });
        assert_eq!(placed, expected);
        let mut told = |event| lines.line(&OrderFact::Execution(event)).expect("about an order");
        let first = told(event(ExecutionKind::Filled, 2));
        assert_eq!(
            (&first["price"], &first["quantity"], &first["fee_quote"]),
            (&json!("64000.1"), &json!("0.002"), &json!("0.02560004"))
        );
        assert_eq!(
            (&first["outcome"], &first["filled"], &first["trade"]),
            (&Value::Null, &json!("0.002"), &json!("99"))
        );
        assert_eq!(told(event(ExecutionKind::Filled, 4))["outcome"], "filled");
        let refused = ExecutionEvent { local: LocalReject::Late, ..event(ExecutionKind::Rejected, 0) };
        let refused = told(refused);
        assert_eq!((&refused["outcome"], &refused["refused_here"]), (&json!("rejected"), &json!("late")));
        assert!(lines.line(&OrderFact::Execution(event(ExecutionKind::GatewayDown, 0))).is_none());
        assert!(lines.ordered.is_empty(), "nothing is kept of orders that are over");
    }

    #[test]
    fn everything_told_before_the_stop_is_written_and_a_full_disk_is_said() {
        let run = |file: &mut dyn Write, count| {
            let (mut facts, queue, _) = OrderFacts::channel();
            (0..count).for_each(|_| facts.tell(OrderFact::Execution(event(ExecutionKind::Accepted, 0))));
            write_lines(file, lines(), queue, &AtomicBool::new(true))
        };
        let mut text = Vec::new();
        let written = run(&mut text, 100);
        assert_eq!((written.lines, written.failure), (100, None));
        let text = String::from_utf8(text).expect("JSON");
        assert!(
            text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok_and(|line| line["event"] == "accepted"))
        );
        let mut full = OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
        let written = run(&mut full, 3);
        assert!(written.lines == 0 && written.failure.is_some());
    }
}
