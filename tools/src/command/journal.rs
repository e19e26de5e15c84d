//! COLD: `spinbook journal`: what was decided, what was sent and what came of it, as a table or as JSON lines.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use spinbook_engine::engine::AdoptedOrder;
use spinbook_engine::event::{ExecutionEvent, ExecutionKind, FeeAsset, LocalReject};
use spinbook_engine::intent::{Intent, IntentKind, Reason, TimeInForce};
use spinbook_engine::risk::TradingState;
use spinbook_engine::trace::{QuoteRule, TraceKind, TraceRecord};
use spinbook_engine::types::{InstrumentId, Lots, Nanos, OrderId, Side, Tick};
use spinbook_engine::unquoted::Unquoted;
use spinbook_feed::journal::end::{EndProof, OrderEnd, ProvedEnd};
use spinbook_feed::journal::frame::{Entry, JournalHeader};
use spinbook_feed::journal::reader::JournalTail;
use spinbook_feed::journal::record::{JournalInstrument, JournalRecord, PositionMoment};
use spinbook_feed::net::io::journal_files::part_files;
use spinbook_feed::venue::instrument::Symbol;
use spinbook_feed::venue::order_side::OrderConnection;

use crate::cli::JournalArgs;
use crate::error::Failure;
use crate::outcome::{Context, Done};
use crate::output::OUT;
use crate::run::journals::{ReadPart, read_parts};
use crate::ui::report::atoms_text;
use crate::ui::time::utc_text;

mod list;

/// Printed at once.
const CHUNK_BYTES: usize = 64 << 10;

/// Prints a journal.
///
/// # Errors
/// A file cannot be read, is damaged, or there is none.
pub fn run(arguments: &JournalArgs, context: Context) -> Result<Done, Failure> {
    let paths = files(&arguments.path)?;
    if arguments.list {
        return list::list(&paths);
    }
    let mut lines = Lines::default();
    let mut printer = Printer { json: context.json, waiting: String::new(), closed: false };
    let (mut shown, mut run) = (0u64, None);
    let read = read_parts(&paths, |header, entry| {
        if run != Some((header.run, header.venue)) {
            run = Some((header.run, header.venue));
            lines.begin(header);
        }
        let line = lines.line(entry);
        if arguments.matches(&line) {
            shown += 1;
            printer.print(&line);
        }
        Ok(())
    });
    printer.flush();
    let read = read?;
    let torn: Vec<String> = read.iter().filter_map(torn).collect();
    let records: u64 = read.iter().map(|part| part.records).sum();
    let mut text = String::new();
    let _ = writeln!(text, "{records} records in {} files, {shown} shown", read.len());
    for line in &torn {
        let _ = writeln!(text, "{line}");
    }
    let object = json!({
        "files": read.iter().map(|part| part.path.display().to_string()).collect::<Vec<_>>(),
        "records": records, "shown": shown, "torn": torn,
        "ended": read.iter().rev().find(|part| part.records > 0).is_some_and(|part| part.ended_clean),
    });
    Ok(Done::new(text, object))
}

/// The file, or every journal in the folder and in those below it.
fn files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let cannot = |error: std::io::Error| Failure::failed("cannot look for journals").at(path.display()).because(error);
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = part_files(path).map_err(cannot)?;
    let mut folders: Vec<PathBuf> = std::fs::read_dir(path)
        .map_err(cannot)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.is_dir())
        .collect();
    folders.sort_unstable();
    for folder in folders {
        found.extend(part_files(&folder).map_err(cannot)?);
    }
    if found.is_empty() {
        return Err(Failure::failed("there is no journal")
            .at(path.display())
            .because("no file there ends with .journal")
            .next("name a file, or the folder: STATE_DIR/journal/live"));
    }
    // The parts of one run and venue follow each other.
    found.sort_by_cached_key(|path| {
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        let (run, part) = name.rsplit_once('-').unwrap_or((name, ""));
        (path.parent().map(Path::to_owned), run.to_owned(), part.to_owned())
    });
    Ok(found)
}

fn torn(part: &ReadPart) -> Option<String> {
    match part.tail {
        JournalTail::Whole => None,
        JournalTail::Torn { sequence, offset } => Some(format!(
            "{}: record {sequence} at byte {offset} was not written to its end: the program died there",
            part.path.display()
        )),
    }
}

impl JournalArgs {
    fn matches(&self, line: &Map<String, Value>) -> bool {
        let is = |key: &str, wanted: &str| line.get(key).and_then(Value::as_str) == Some(wanted);
        let order = self.order.as_ref().is_none_or(|id| is("id", id) || is("client_id", id));
        let symbol = self.symbol.as_ref().is_none_or(|symbol| is("symbol", symbol));
        let kind = self.kind.is_empty() || self.kind.iter().any(|kind| is("event", kind));
        let time = line.get("time").and_then(Value::as_str).unwrap_or_default();
        let since = self.since.as_ref().is_none_or(|since| time >= since.as_str());
        order && symbol && kind && since
    }
}

/// Prints lines as they come; a reader that has gone has had enough.
struct Printer {
    json: bool,
    waiting: String,
    closed: bool,
}

impl Printer {
    fn print(&mut self, line: &Map<String, Value>) {
        if self.json {
            let _ = writeln!(self.waiting, "{}", Value::Object(line.clone()));
        } else {
            self.waiting.push_str(&table_line(line));
        }
        if self.waiting.len() >= CHUNK_BYTES {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if !self.closed && !self.waiting.is_empty() {
            self.closed = OUT.write_now(self.waiting.as_bytes()).is_err();
        }
        self.waiting.clear();
    }
}

/// Time, event, order, then whatever the record has, named.
fn table_line(line: &Map<String, Value>) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let of = |key: &str| line.get(key).map(text).unwrap_or_default();
    let mut out = format!("{}  {:<15} {:<16} {:<10}", of("time"), of("event"), of("id"), of("symbol"));
    const COLUMNS: [&str; 6] = ["time", "time_ns", "sequence", "event", "id", "symbol"];
    for (key, value) in line.iter().filter(|(key, value)| !COLUMNS.contains(&key.as_str()) && !value.is_null()) {
        let _ = write!(out, " {key} {}", text(value));
    }
    let mut out = out.trim_end().to_owned();
    out.push('\n');
    out
}

/// Turns records into lines.
#[derive(Default)]
struct Lines {
    instruments: HashMap<InstrumentId, JournalInstrument>,
    /// Names of the orders that were placed, and what was ordered.
    ordered: HashMap<OrderId, (String, Lots)>,
    /// Whether orders leave: in shadow mode none does.
    sends: bool,
    /// The run's number and its venue.
    run: Option<(u32, Symbol)>,
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
        Reason::Pause => "pause",
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
        LocalReject::Collar => "collar",
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

const fn decision_name(kind: TraceKind) -> &'static str {
    match kind {
        TraceKind::Intent => "decision",
        TraceKind::Denied => "denied",
        TraceKind::Execution => "heard",
        TraceKind::State => "trading_state",
        TraceKind::Book => "book_lost",
    }
}

const fn rule_name(rule: QuoteRule) -> &'static str {
    match rule {
        QuoteRule::Unsaid => "unsaid",
        QuoteRule::Distance => "distance",
        QuoteRule::Widened => "widened",
        QuoteRule::EdgeMin => "edge_min",
        QuoteRule::OppositeTouch => "opposite_touch",
    }
}

/// The name of a trading state's number.
fn state_name(number: u8) -> &'static str {
    let states = [TradingState::Active, TradingState::ReduceOnly, TradingState::CancelOnly, TradingState::Halted];
    states.into_iter().find(|state| *state as u8 == number).map_or("unknown", TradingState::name)
}

const fn connection_name(connection: OrderConnection) -> &'static str {
    match connection {
        OrderConnection::Orders => "orders",
        OrderConnection::UserData => "user_data",
        OrderConnection::Spare => "spare",
    }
}

const fn end_name(end: OrderEnd) -> &'static str {
    match end {
        OrderEnd::Filled => "filled",
        OrderEnd::Canceled => "canceled",
        OrderEnd::Expired => "expired",
        OrderEnd::Rejected => "rejected",
    }
}

const fn proof_name(proof: EndProof) -> &'static str {
    match proof {
        EndProof::PlaceReply => "place_reply",
        EndProof::CancelReply => "cancel_reply",
        EndProof::UserData => "user_data",
        EndProof::Question => "question",
        EndProof::List => "list",
        EndProof::CancelAllReply => "cancel_all_reply",
        EndProof::Executions => "executions",
        EndProof::NotKnown => "not_known",
        EndProof::NextStart => "next_start",
    }
}

const fn to_kernel_name(kind: IntentKind) -> &'static str {
    match kind {
        IntentKind::Place => "place_to_kernel",
        IntentKind::Cancel => "cancel_to_kernel",
        IntentKind::Replace => "replace_to_kernel",
        IntentKind::Amend => "amend_to_kernel",
    }
}

/// What happened, whether it ends the order, and whether it is about one.
const fn event_name(kind: ExecutionKind) -> (&'static str, bool, bool) {
    match kind {
        ExecutionKind::Accepted => ("accepted", false, true),
        ExecutionKind::Rejected => ("rejected", true, true),
        ExecutionKind::Filled => ("fill", false, true),
        ExecutionKind::Canceled => ("canceled", true, true),
        ExecutionKind::CancelRejected => ("cancel_rejected", false, true),
        ExecutionKind::Expired => ("expired", true, true),
        ExecutionKind::Unknown => ("unknown", false, true),
        ExecutionKind::GatewayReady => ("gateway_ready", false, false),
        ExecutionKind::GatewayDown => ("gateway_down", false, false),
        ExecutionKind::Pause => ("pause", false, false),
        ExecutionKind::Halt => ("halt", false, false),
        ExecutionKind::Amended => ("amended", false, true),
        ExecutionKind::AmendRejected => ("amend_rejected", false, true),
        ExecutionKind::Income => ("income", false, false),
        ExecutionKind::Transfer => ("transfer", false, false),
        ExecutionKind::Liquidated => ("liquidated", false, false),
        ExecutionKind::Slow => ("slow", false, false),
    }
}

/// An order's number in this program: run and count.
fn id_text(order: OrderId) -> String {
    format!("{}-{}", order.epoch(), order.counter())
}

impl Lines {
    /// Another run's numbers mean other things.
    fn begin(&mut self, header: &JournalHeader) {
        *self = Lines { sends: true, run: Some((header.run, header.venue)), ..Lines::default() };
    }

    fn price(&self, id: InstrumentId, tick: Tick) -> Value {
        self.instruments
            .get(&id)
            .map_or(Value::Null, |found| json!(found.price.decimal(tick.0).normalize().to_string()))
    }

    fn quantity(&self, id: InstrumentId, lots: Lots) -> Value {
        self.instruments
            .get(&id)
            .map_or(Value::Null, |found| json!(found.quantity.decimal(lots.0).normalize().to_string()))
    }

    fn symbol(&self, id: InstrumentId) -> Value {
        json!(self.instruments.get(&id).map(|found| found.symbol.as_str()))
    }

    fn line(&mut self, entry: &Entry) -> Map<String, Value> {
        let mut line = Map::new();
        let mut head = |time: Nanos, event: &str| {
            line.insert("time".to_owned(), json!(utc_text(time)));
            line.insert("time_ns".to_owned(), json!(time.0));
            line.insert("sequence".to_owned(), json!(entry.sequence));
            line.insert("event".to_owned(), json!(event));
        };
        let rest = match &entry.record {
            JournalRecord::RunStarted { version, mode, configuration } => {
                head(entry.time, "run_started");
                self.sends = mode != "shadow";
                let (run, venue) = self.run.map_or((0, None), |(run, venue)| (run, Some(venue.to_string())));
                json!({ "run": run, "venue": venue, "version": version, "mode": mode, "configuration": configuration })
            }
            JournalRecord::Instrument(instrument) => {
                head(entry.time, "instrument");
                self.instruments.insert(instrument.id, *instrument);
                json!({ "symbol": instrument.symbol.as_str() })
            }
            JournalRecord::Position { instrument, lots, moment } => {
                head(entry.time, "position");
                let moment = if *moment == PositionMoment::Start { "start" } else { "end" };
                let quantity = self.quantity(*instrument, *lots);
                json!({ "symbol": self.symbol(*instrument), "quantity": quantity, "at": moment })
            }
            JournalRecord::Place { intent, client_id } | JournalRecord::Replace { intent, client_id } => {
                head(entry.time, if intent.replaces == OrderId::NONE { "place" } else { "replace" });
                self.ordered.insert(intent.order, (client_id.as_str().to_owned(), intent.lots));
                self.intent(intent)
            }
            JournalRecord::Adopted { order, client_id } => {
                head(entry.time, "adopted");
                self.ordered.insert(order.order, (client_id.as_str().to_owned(), order.lots));
                self.adopted(order)
            }
            JournalRecord::Amend(intent) | JournalRecord::CancelWanted(intent) => {
                head(entry.time, if intent.kind == IntentKind::Amend { "amend" } else { "cancel" });
                self.intent(intent)
            }
            JournalRecord::CancelSent { order, instrument, attempt } => {
                head(entry.time, "cancel_sent");
                json!({ "id": id_text(*order), "symbol": self.symbol(*instrument), "client_id": self.name(*order),
                        "attempt": attempt })
            }
            JournalRecord::Fact(event) => {
                head(entry.time, event_name(event.kind).0);
                self.fact(event)
            }
            JournalRecord::Halted { message } => {
                head(entry.time, "halted");
                json!({ "message": message })
            }
            JournalRecord::Operator { word, scope, reason } => {
                head(entry.time, "operator");
                let scope = if scope.is_empty() { "all" } else { scope };
                json!({ "word": word, "scope": scope, "reason": reason })
            }
            JournalRecord::Sent { order, kind, connection } => {
                head(entry.time, to_kernel_name(*kind));
                json!({ "id": id_text(*order), "client_id": self.name(*order), "over": connection_name(*connection) })
            }
            JournalRecord::Decision(decision) => {
                head(entry.time, decision_name(decision.kind));
                self.decision(decision)
            }
            JournalRecord::Ended(ended) => {
                head(entry.time, "ended");
                self.ended(ended)
            }
            JournalRecord::RunEnded { confirmed, open_orders, why } => {
                head(entry.time, "run_ended");
                json!({ "why": why, "confirmed": confirmed, "open_orders": open_orders })
            }
        };
        if let Value::Object(rest) = rest {
            line.extend(rest);
        }
        line
    }

    /// What was decided, and on what.
    fn decision(&self, decision: &TraceRecord) -> Value {
        let id = decision.instrument;
        let mut line = json!({ "symbol": self.symbol(id) });
        match decision.kind {
            TraceKind::State => line["state"] = json!(state_name(decision.detail)),
            TraceKind::Book => line["book_sequence"] = json!(decision.book_sequence),
            TraceKind::Intent | TraceKind::Denied | TraceKind::Execution => {
                let is_order = decision.order != OrderId::NONE;
                let side = if decision.side == Side::Ask as u8 { Side::Ask } else { Side::Bid };
                line["id"] = json!(is_order.then(|| id_text(decision.order)));
                line["side"] = json!(side_name(side));
                line["price"] = self.price(id, decision.tick);
                line["quantity"] = self.quantity(id, decision.lots);
                line["best_bid"] = self.price(id, decision.best_bid);
                line["best_ask"] = self.price(id, decision.best_ask);
                line["exposure"] = self.quantity(id, decision.exposure);
                line["imbalance"] = json!(f64::from(decision.imbalance_millionths) / 1e6);
                line["book_age_us"] = json!(decision.book_age_us);
                line["book_sequence"] = json!(decision.book_sequence);
                line["rule"] = json!(rule_name(decision.rule));
                line["limit"] = json!((decision.limit != Unquoted::No).then(|| decision.limit.name()));
                line["slot"] = json!(decision.slot);
                line["client_id"] = json!(self.name(decision.order));
            }
        }
        line
    }

    fn ended(&self, ended: &ProvedEnd) -> Value {
        let ProvedEnd { order, instrument, end, proof, lots_filled } = *ended;
        json!({
            "id": id_text(order), "symbol": self.symbol(instrument), "end": end_name(end), "proof": proof_name(proof),
            "filled": self.quantity(instrument, lots_filled), "client_id": self.name(order),
        })
    }

    fn name(&self, order: OrderId) -> Option<&str> {
        self.ordered.get(&order).map(|(name, _)| name.as_str())
    }

    fn intent(&self, intent: &Intent) -> Value {
        let places = matches!(intent.kind, IntentKind::Place | IntentKind::Replace);
        let is_place = self.name(intent.order).is_some() && places;
        let mut line = json!({
            "id": id_text(intent.order), "symbol": self.symbol(intent.instrument), "side": side_name(intent.side),
            "price": self.price(intent.instrument, intent.tick),
            "quantity": self.quantity(intent.instrument, intent.lots),
            "reason": reason_name(intent.reason),
        });
        if intent.replaces != OrderId::NONE {
            line["replaces"] = json!(id_text(intent.replaces));
        }
        if is_place {
            line["time_in_force"] = json!(time_in_force_name(intent.time_in_force));
        }
        line["client_id"] = json!(self.name(intent.order));
        line["sent"] = json!(self.sends);
        line["decided_ns"] = json!(intent.decided.0);
        line["book_sequence"] = json!(intent.book_sequence);
        line["slot"] = json!(intent.slot.0);
        line["strategy"] = json!(intent.strategy);
        line
    }

    /// An order of an earlier run that was taken over.
    fn adopted(&self, adopted: &AdoptedOrder) -> Value {
        let id = adopted.instrument;
        json!({
            "id": id_text(adopted.order), "of_run": adopted.order.epoch(), "client_id": self.name(adopted.order),
            "symbol": self.symbol(id), "side": side_name(adopted.side), "price": self.price(id, adopted.tick),
            "quantity": self.quantity(id, adopted.lots), "filled": self.quantity(id, adopted.filled),
            "time_in_force": time_in_force_name(adopted.time_in_force), "slot": adopted.slot.0,
        })
    }

    /// What moved money or inventory beside our orders.
    fn account_fact(&self, event: &ExecutionEvent, line: &mut Value) {
        let id = event.instrument;
        match event.kind {
            ExecutionKind::Income => line["amount_quote"] = json!(atoms_text(-event.fee)),
            ExecutionKind::Transfer => line["quantity"] = self.quantity(id, event.lots),
            ExecutionKind::Liquidated => {
                line["side"] = json!(side_name(event.side));
                line["price"] = self.price(id, event.tick);
                line["quantity"] = self.quantity(id, event.lots);
                line["fee_quote"] = json!(atoms_text(event.fee));
                line["trade"] = json!(event.trade.0.to_string());
            }
            _ => return,
        }
        line["symbol"] = self.symbol(id);
    }

    fn fact(&mut self, event: &ExecutionEvent) -> Value {
        let (name, is_end, about_order) = event_name(event.kind);
        if !about_order {
            let mut line = json!({});
            if event.kind == ExecutionKind::Pause {
                line["until"] = json!(utc_text(event.time));
            }
            self.account_fact(event, &mut line);
            if !event.venue_code.is_none() {
                line["venue_code"] = json!(event.venue_code.as_str());
            }
            return line;
        }
        let id = event.instrument;
        let mut line = json!({
            "id": id_text(event.order), "symbol": self.symbol(id), "side": side_name(event.side),
        });
        if event.kind == ExecutionKind::Filled {
            line["price"] = self.price(id, event.tick);
            line["quantity"] = self.quantity(id, event.lots);
            line["fee_quote"] = json!(atoms_text(event.fee));
            if event.fee_asset == FeeAsset::Base {
                line["fee_base"] = self.quantity(id, event.fee_lots);
            }
            line["maker"] = json!(event.maker);
            line["trade"] = json!(event.trade.0.to_string());
        }
        if matches!(event.kind, ExecutionKind::Amended | ExecutionKind::AmendRejected) {
            // What is in force from here on.
            line["price"] = self.price(id, event.tick);
            line["quantity"] = self.quantity(id, event.lots);
            if let Some((_, ordered)) = self.ordered.get_mut(&event.order) {
                *ordered = event.lots;
            }
        }
        line["filled"] = self.quantity(id, event.lots_cumulative);
        if event.local != LocalReject::None {
            // It never was written down as placed: what it would have been stands here.
            line["price"] = self.price(id, event.tick);
            line["quantity"] = self.quantity(id, event.lots);
            line["refused_here"] = json!(local_name(event.local));
        }
        if !event.venue_code.is_none() {
            line["venue_code"] = json!(event.venue_code.as_str());
        }
        let is_whole = self.ordered.get(&event.order).is_some_and(|(_, ordered)| event.lots_cumulative >= *ordered);
        let outcome = match event.kind {
            ExecutionKind::Filled if is_whole => Some("filled"),
            _ if is_end => Some(name),
            _ => None,
        };
        line["client_id"] = json!(self.name(event.order));
        if let Some(outcome) = outcome {
            line["outcome"] = json!(outcome);
            self.ordered.remove(&event.order);
        }
        line
    }
}
