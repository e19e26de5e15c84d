//! COLD: what `demo` and `run` report at the end, in the exact keys and shapes that users were promised.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use serde_json::Value;
use spinbook_engine::types::QuoteAtoms;

pub use super::amounts::{Money, Transfers, atoms_text};
pub use super::controls::Controls;

/// The report of one run. Prices and quantities are decimal strings; every number names its unit.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RunReport {
    /// `demo`, `paper`, `shadow` or `live`.
    pub mode: String,
    /// The venue's name.
    pub venue: String,
    /// Symbols traded.
    pub symbols: Vec<String>,
    /// From the first connection to the last.
    pub seconds: f64,
    /// WebSocket frames received.
    pub frames: u64,
    /// Market events that reached the engine.
    pub events: u64,
    /// Price levels in them.
    pub levels: u64,
    /// Frames decoded by the schema scanner.
    pub scanned: u64,
    /// Frames decoded by simd-json.
    pub fallback: u64,
    /// The books at the end.
    pub books: Books,
    /// Target changes decided.
    pub quotes: u64,
    /// Orders.
    pub orders: Orders,
    /// Executions.
    pub fills: u64,
    /// Times an operator paused trading.
    pub pauses: u64,
    /// How often controls of speed and price struck.
    pub controls: Controls,
    /// The account as the engine reckons it.
    pub account: Account,
    /// The same three figures recomputed from what the venue answered; none if it was not asked.
    pub venue_account: Option<Account>,
    /// What was transferred to the accounts, negative from them, by asset: neither profit nor loss.
    pub transfers: Transfers,
    /// Where the profit came from.
    pub pnl_split: PnlSplit,
    /// Frame in hand to order on the ring; none where no clock was read.
    pub decode_to_order_ns: Option<Percentiles>,
    /// Socket readable to order bytes handed to the kernel; none where no clock was read.
    pub wire_to_wire_ns: Option<Percentiles>,
    /// An operator's word that something is to be cancelled to the bytes of its first cancel handed to the kernel; none
    /// where no clock was read.
    pub kill_to_wire_ns: Option<Percentiles>,
    /// Heap allocations of the hot thread after warm-up; none where there is no such thread.
    pub hot_allocations: Option<HotAllocations>,
    /// What kept the way to an order warm while nothing came; none where there is no such thread.
    pub rehearsals: Option<Rehearsals>,
    /// Seed of the synthetic market; none for recorded or live data.
    pub seed: Option<u64>,
    /// Why it ended: `finished`, `interrupted`, `killed`, `halted:REASON` or `risk:CONTROL`.
    pub ended: String,
    /// The controls that had stopped trading by the end.
    pub stopped_by: Vec<StoppedBy>,
    /// When trading began, UTC; none in virtual time.
    pub started: Option<String>,
    /// When the last thread had ended, UTC; none in virtual time.
    pub stopped: Option<String>,
    /// Position at the start by symbol, base asset.
    pub start_position: BTreeMap<String, String>,
    /// The mid at which the position is valued in the end, by symbol; none where no book was ever live.
    pub mark_price: BTreeMap<String, Option<String>>,
    /// Why sides were not quoted, by symbol and side.
    pub not_quoting: BTreeMap<String, NotQuoting>,
    /// The record of orders; none if none was wanted.
    pub order_log: Option<OrderRecord>,
    /// Whether the same command gives the same report again: in virtual time it does.
    pub repeats: bool,
    /// Each venue's own part, by name; said of one venue by the figures above.
    #[serde(skip_serializing_if = "is_one")]
    pub venues: BTreeMap<String, VenueReport>,
    /// Why the account, or a part of it, could not be held against the venue's word; empty: it was.
    pub not_compared: Vec<String>,
}

fn is_one(venues: &BTreeMap<String, VenueReport>) -> bool {
    venues.len() <= 1
}

/// One venue's part of a run of several.
#[derive(Clone, Debug, Default, Serialize)]
pub struct VenueReport {
    /// Its orders.
    pub orders: Orders,
    /// Its account as the engine reckons it.
    pub account: Account,
    /// The same from what the venue answered; none if it was not asked or did not answer.
    pub venue_account: Option<Account>,
}

/// A risk control that stopped trading.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StoppedBy {
    /// Which: of a limit, its key without the table.
    pub control: &'static str,
    /// The symbol it stopped; none for a limit of a whole asset.
    pub symbol: Option<String>,
    /// The quote asset, of a loss limit.
    pub asset: Option<String>,
    /// The day of the loss, UTC.
    pub day: Option<String>,
    /// What was earned on that day, earlier runs included: a loss is negative.
    pub earned_quote: Option<String>,
    /// The limit.
    pub limit_quote: Option<String>,
}

impl StoppedBy {
    /// In a sentence.
    #[must_use]
    pub fn to_text(&self) -> String {
        let of = |text: &Option<String>| text.clone().unwrap_or_default();
        match &self.earned_quote {
            Some(earned) => format!(
                "{} = {}: {earned} {} earned on {} (UTC)",
                self.control,
                of(&self.limit_quote),
                of(&self.asset),
                of(&self.day)
            ),
            None => format!("{} of {}", self.control, of(&self.symbol)),
        }
    }
}

/// For how long the sides of a symbol were not quoted, in milliseconds, by reason; a side that always was has none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NotQuoting {
    /// Of the bids.
    pub bid_ms: BTreeMap<&'static str, u64>,
    /// Of the asks.
    pub ask_ms: BTreeMap<&'static str, u64>,
}

/// The record of a run's orders: its journal, which `spinbook journal` reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OrderRecord {
    /// Its first file; with several venues the folder of all.
    pub path: String,
    /// Records written.
    pub records: u64,
    /// Records about anything but new orders that found no room and are not in it.
    pub lost: u64,
    /// Why it could not be written to its end, if it could not.
    pub failure: Option<String>,
}

/// How the books fared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Books {
    /// Live at the end.
    pub live: u64,
    /// Not live at the end.
    pub stale: u64,
    /// Breaks of a venue's sequence.
    pub gaps: u64,
    /// Snapshots that replaced a lost book.
    pub resyncs: u64,
}

/// How the orders fared, as the gateways' tables prove it. Each order that was sent is counted in exactly one of
/// `filled_fully`, `canceled`, `rejected`, `expired`, `unknown` and `open_at_exit`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Orders {
    /// Handed to the venue, or found open there at the start to be taken over.
    pub sent: u64,
    /// Accepted by the venue.
    pub acked: u64,
    /// That got at least one fill, however they ended.
    pub filled: u64,
    /// Filled whole.
    pub filled_fully: u64,
    /// Ended by a cancel, partly filled or not.
    pub canceled: u64,
    /// Refused by the venue.
    pub rejected: u64,
    /// Ended by the venue itself: the rest of an IOC order, for example.
    pub expired: u64,
    /// Whose outcome is not known.
    pub unknown: u64,
    /// Still open when the run ended.
    pub open_at_exit: u64,
    /// Open in the end by the venue's own list; none if it was not asked or did not answer.
    pub open_at_venue: Option<u64>,
    /// Cancels that the venue refused.
    pub cancels_refused: u64,
    /// Refused by our own checks before they were sent.
    pub refused_here: u64,
    /// Built, checked and not sent: shadow mode.
    pub not_sent: u64,
    /// Times that one request gave a quote another price. An order that is amended stays the one order that was sent; one
    /// that is replaced counts as canceled, and the one in its place as sent.
    pub amended: u64,
    /// Of those that were sent: taken over from an earlier run, which sent them.
    pub adopted: u64,
}

impl Orders {
    /// Several venues' orders together.
    #[must_use]
    pub fn sum<'a>(orders: impl Iterator<Item = &'a Orders>) -> Orders {
        orders.fold(Orders::default(), |sum, orders| Orders {
            sent: sum.sent + orders.sent,
            adopted: sum.adopted + orders.adopted,
            acked: sum.acked + orders.acked,
            filled: sum.filled + orders.filled,
            filled_fully: sum.filled_fully + orders.filled_fully,
            canceled: sum.canceled + orders.canceled,
            rejected: sum.rejected + orders.rejected,
            expired: sum.expired + orders.expired,
            unknown: sum.unknown + orders.unknown,
            open_at_exit: sum.open_at_exit + orders.open_at_exit,
            open_at_venue: match (sum.open_at_venue, orders.open_at_venue) {
                (Some(one), Some(other)) => Some(one + other),
                (one, other) => one.or(other),
            },
            cancels_refused: sum.cancels_refused + orders.cancels_refused,
            refused_here: sum.refused_here + orders.refused_here,
            not_sent: sum.not_sent + orders.not_sent,
            amended: sum.amended + orders.amended,
        })
    }

    /// Whether an order may be alive at the venue.
    #[must_use]
    pub fn may_be_open(&self) -> bool {
        self.unknown > 0 || self.open_at_exit > 0 || self.open_at_venue.is_some_and(|open| open > 0)
    }
}

/// Position, profit and fees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Account {
    /// Position by symbol (`venue:symbol` where there are several venues), base asset.
    pub position: BTreeMap<String, String>,
    /// Cash and position at the last mid, less the start, fees included.
    pub pnl_quote: Money,
    /// Fees paid; negative for rebates.
    pub fees_quote: Money,
    /// What came beside executions, negative if it was paid: funding, and charges of the venue. The profit has it.
    pub funding_quote: Money,
}

/// The profit by where it came from: the four add up to it exactly.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PnlSplit {
    /// What the fills gained against the mid that they met: the sum of (mid - price) x signed quantity.
    pub spread_quote: Money,
    /// What was held, the start inventory of a spot account included, times what the mid then did.
    pub inventory_quote: Money,
    /// What the fees took: negative, or positive for rebates.
    pub fees_quote: Money,
    /// What came beside executions.
    pub funding_quote: Money,
}

impl PnlSplit {
    /// Adds the result in one quote asset: of `pnl`, the fills gained `spread`, `fees` were paid, and `funding` came.
    pub fn add(&mut self, asset: &str, pnl: QuoteAtoms, spread: QuoteAtoms, fees: QuoteAtoms, funding: QuoteAtoms) {
        let inventory = pnl - spread + fees - funding;
        assert!(spread + inventory - fees + funding == pnl, "the parts of a profit are all of it");
        self.funding_quote.add(asset, funding);
        self.spread_quote.add(asset, spread);
        self.inventory_quote.add(asset, inventory);
        self.fees_quote.add(asset, -fees);
    }
}

impl Account {
    /// Several accounts as one.
    #[must_use]
    pub fn sum<'a>(accounts: impl Iterator<Item = &'a Account>) -> Account {
        accounts.fold(Account::default(), |mut sum, account| {
            sum.position.extend(account.position.clone());
            account.pnl_quote.0.iter().for_each(|(asset, atoms)| sum.pnl_quote.add(asset, *atoms));
            account.fees_quote.0.iter().for_each(|(asset, atoms)| sum.fees_quote.add(asset, *atoms));
            account.funding_quote.0.iter().for_each(|(asset, atoms)| sum.funding_quote.add(asset, *atoms));
            sum
        })
    }
}

/// A latency distribution, nanoseconds. Of nothing it has no figures: zeros inside, nulls in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Percentiles {
    /// Half are at most this.
    pub p50: u64,
    /// 99 % are at most this.
    pub p99: u64,
    /// 99.9 % are at most this.
    pub p999: u64,
    /// The largest.
    pub max: u64,
    /// How many were measured.
    pub count: u64,
}

impl Percentiles {
    /// Reads them off a histogram of nanoseconds.
    #[must_use]
    pub fn of(histogram: &Histogram<u64>) -> Percentiles {
        Percentiles {
            p50: histogram.value_at_quantile(0.50),
            p99: histogram.value_at_quantile(0.99),
            p999: histogram.value_at_quantile(0.999),
            max: histogram.max(),
            count: histogram.len(),
        }
    }

    /// The figures in order, where enough was measured for one to mean anything: of fewer than a hundred the 99th
    /// percentile is the largest, and so is the 99.9th of fewer than a thousand.
    #[must_use]
    pub fn figures(&self) -> [Option<u64>; 4] {
        let enough = |figure: u64, least: u64| (self.count >= least).then_some(figure);
        [enough(self.p50, 1), enough(self.p99, 100), enough(self.p999, 1_000), enough(self.max, 1)]
    }

    /// The same as text.
    #[must_use]
    pub fn texts(&self) -> [String; 4] {
        self.figures().map(|figure| figure.map_or("-".to_owned(), nanos_text))
    }
}

impl Serialize for Percentiles {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let figure = |value: u64| (self.count > 0).then_some(value);
        let mut object = serializer.serialize_struct("Percentiles", 5)?;
        object.serialize_field("p50", &figure(self.p50))?;
        object.serialize_field("p99", &figure(self.p99))?;
        object.serialize_field("p999", &figure(self.p999))?;
        object.serialize_field("max", &figure(self.max))?;
        object.serialize_field("count", &self.count)?;
        object.end()
    }
}

/// Heap allocations of the hot thread after warm-up; 0 and 0 is the promise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HotAllocations {
    /// Between frame in hand and order on the ring.
    pub decision: u64,
    /// All of them.
    pub thread: u64,
}

/// Rehearsals of the hot thread; all zero where `engine.keep_warm` is off, or the thread does not spin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rehearsals {
    /// How many there were.
    pub count: u64,
    /// Of these, the ones that led to other orders than they should, and so kept another way warm.
    pub void: u64,
    /// The longest one, in nanoseconds.
    pub ns_max: u64,
}

impl RunReport {
    /// The one object that `--json` prints.
    #[must_use]
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).expect("a report holds only strings, numbers and maps with string keys")
    }

    /// For people: a few small tables. `end` says why the run ended, where that is worth a word.
    #[must_use]
    pub fn to_text(&self, end: Option<&str>) -> String {
        let seed = self.seed.map(|seed| format!(", seed {seed}")).unwrap_or_default();
        let time = if self.repeats { " of virtual time" } else { "" };
        let symbols = self.symbols.join(" ");
        let mut text = format!("{} on {}: {symbols}, {:.1} s{time}{seed}\n", self.mode, self.venue, self.seconds);
        if let (Some(started), Some(stopped)) = (&self.started, &self.stopped) {
            text.push_str(&format!("{started} to {stopped}\n"));
        }
        if let Some(end) = end {
            text.push_str(&format!("{end}\n"));
        }
        if self.seed.is_some() && !self.repeats {
            text.push_str("in real time: its market repeats, the run does not; `--virtual` does\n");
        }
        let (books, orders) = (self.books, self.orders);
        text.push_str(&counts(
            "market",
            &[
                ("frames", self.frames),
                ("scanned", self.scanned),
                ("fallback", self.fallback),
                ("events", self.events),
                ("levels", self.levels),
            ],
        ));
        text.push_str(&counts(
            "books",
            &[("live", books.live), ("stale", books.stale), ("gaps", books.gaps), ("resyncs", books.resyncs)],
        ));
        text.push_str(&order_tables(&orders));
        let trading = [("quotes", self.quotes), ("fills", self.fills), ("pauses", self.pauses)];
        text.push_str(&counts("trading", if self.pauses > 0 { &trading } else { &trading[..2] }));
        let struck = self.controls.struck();
        if !struck.is_empty() {
            text.push_str(&counts("controls", &struck));
        }
        text.push_str(&self.not_quoting_table());
        text.push_str(&table(&self.account_rows()));
        let split = &self.pnl_split;
        let parts = [&split.spread_quote, &split.inventory_quote, &split.fees_quote, &split.funding_quote];
        let parts = parts.map(Money::to_string);
        text.push_str(&table(&[
            ["profit from", "spread captured", "inventory", "fees", "funding"].map(str::to_owned).to_vec(),
            std::iter::once(String::new()).chain(parts).collect(),
        ]));
        let measured = [
            ("  decode to order", &self.decode_to_order_ns),
            ("  wire to wire", &self.wire_to_wire_ns),
            ("  kill to wire", &self.kill_to_wire_ns),
        ];
        let rows: Vec<_> =
            measured.iter().filter_map(|(name, found)| found.as_ref().map(|found| latency_row(name, found))).collect();
        if !rows.is_empty() {
            let head = ["latency", "p50", "p99", "p99.9", "max", "measured"].map(str::to_owned).to_vec();
            text.push_str(&table(&[vec![head], rows].concat()));
            text.push_str(&super::meanings::meanings());
        }
        if let Some(hot) = self.hot_allocations {
            text.push_str(&counts("hot allocations", &[("in decisions", hot.decision), ("on the thread", hot.thread)]));
        }
        if let Some(kept) = self.rehearsals.filter(|kept| kept.count > 0) {
            let figures = [("held", kept.count), ("void", kept.void), ("longest, ns", kept.ns_max)];
            text.push_str(&counts("rehearsals", &figures));
        }
        text
    }

    /// Symbols, sides and reasons, the longest first; nothing where every side was quoted but for moments.
    fn not_quoting_table(&self) -> String {
        let mut rows = Vec::new();
        for (symbol, times) in &self.not_quoting {
            for (side, times) in [("bid", &times.bid_ms), ("ask", &times.ask_ms)] {
                let long = times.iter().filter(|(_, millis)| **millis >= NOT_QUOTING_MS_MIN);
                rows.extend(long.map(|(reason, millis)| (*millis, symbol, side, *reason)));
            }
        }
        if rows.is_empty() {
            return String::new();
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.0));
        let head = ["not quoting", "side", "reason", "seconds"].map(str::to_owned).to_vec();
        let line = |(millis, symbol, side, reason): &(u64, &String, &str, &str)| {
            vec![
                format!("  {symbol}"),
                (*side).to_owned(),
                (*reason).to_owned(),
                format!("{}.{}", millis / 1000, millis % 1000 / 100),
            ]
        };
        table(&std::iter::once(head).chain(rows.iter().map(line)).collect::<Vec<_>>())
    }

    /// Ours and the venue's figures, one below the other; equal ones are said to be so.
    fn account_rows(&self) -> Vec<Vec<String>> {
        let row = |name: &str, account: &Account| {
            vec![
                name.to_owned(),
                listed(&account.position),
                account.pnl_quote.to_string(),
                account.fees_quote.to_string(),
            ]
        };
        let mut rows = vec![
            ["account", "position", "profit (quote)", "fees (quote)"].map(str::to_owned).to_vec(),
            vec!["  at the start".to_owned(), listed(&self.start_position)],
            row("  ours", &self.account),
        ];
        match &self.venue_account {
            None if self.not_compared.is_empty() => rows.push(vec!["  venue".to_owned(), "not asked".to_owned()]),
            None => rows.push(vec!["  venue".to_owned(), "NOT COMPARED: see above".to_owned()]),
            Some(account) => rows.push(row("  venue", account)),
        }
        match &self.venue_account {
            Some(account) if *account == self.account => rows.push(vec!["  equal to the last digit".to_owned()]),
            Some(_) => rows.push(vec!["  THEY DIFFER".to_owned()]),
            None => {}
        }
        let mids = self.mark_price.iter().map(|(symbol, mid)| (symbol.clone(), mid.clone().unwrap_or("-".to_owned())));
        rows.push(vec!["  valued at".to_owned(), listed(&mids.collect())]);
        if !self.transfers.is_empty() {
            let moved = self.transfers.texts().map(|(asset, amount)| (asset.clone(), amount));
            rows.push(vec!["  transferred".to_owned(), listed(&moved.collect())]);
        }
        rows
    }
}

/// What is shorter than this is not worth a line to people.
const NOT_QUOTING_MS_MIN: u64 = 500;

/// `SYMBOL FIGURE` for each.
fn listed(figures: &BTreeMap<String, String>) -> String {
    figures.iter().map(|(symbol, figure)| format!("{symbol} {figure}")).collect::<Vec<_>>().join(", ")
}

/// Every order that was sent by its state, and below what else happened.
fn order_tables(orders: &Orders) -> String {
    let mut text = counts(
        "orders",
        &[
            ("sent", orders.sent),
            ("in full", orders.filled_fully),
            ("canceled", orders.canceled),
            ("expired", orders.expired),
            ("rejected", orders.rejected),
            ("unknown", orders.unknown),
            ("open", orders.open_at_exit),
        ],
    );
    let mut also =
        vec![("acked", orders.acked), ("with a fill", orders.filled), ("cancels refused", orders.cancels_refused)];
    also.push(("refused here", orders.refused_here));
    if orders.amended > 0 {
        also.push(("amended", orders.amended));
    }
    if orders.adopted > 0 {
        also.push(("adopted", orders.adopted));
    }
    if orders.not_sent > 0 {
        also.push(("not sent", orders.not_sent));
    }
    text.push_str(counts("", &also).trim_start_matches('\n'));
    text
}

/// Names above their counts.
fn counts(title: &str, counts: &[(&str, u64)]) -> String {
    let names = std::iter::once(title).chain(counts.iter().map(|(name, _)| *name)).map(str::to_owned);
    let values = std::iter::once(String::new()).chain(counts.iter().map(|(_, count)| count.to_string()));
    table(&[names.collect(), values.collect()])
}

/// An empty line, then the rows: the first column to the left and of one width in all tables, the others to the
/// right and as wide as their widest cell.
fn table(rows: &[Vec<String>]) -> String {
    const FIRST_WIDTH: usize = 17;
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = "\n".to_owned();
    for row in rows {
        let mut line = format!("{:<FIRST_WIDTH$}", row.first().map_or("", String::as_str));
        for (cell, width) in row.iter().zip(&widths).skip(1) {
            line.push_str(&format!("  {cell:>width$}"));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn latency_row(name: &str, percentiles: &Percentiles) -> Vec<String> {
    std::iter::once(name.to_owned()).chain(percentiles.texts()).chain([percentiles.count.to_string()]).collect()
}

/// A latency with the unit that suits it; `us` are microseconds.
#[must_use]
pub fn nanos_text(ns: u64) -> String {
    let tenths = |unit: u64, name: &str| format!("{}.{} {name}", ns / unit, ns % unit / (unit / 10));
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => tenths(1_000, "us"),
        1_000_000..1_000_000_000 => tenths(1_000_000, "ms"),
        _ => tenths(1_000_000_000, "s"),
    }
}

#[cfg(test)]
mod tests {
    use spinbook_engine::types::QUOTE_ATOMS_PER_UNIT;

    use super::*;

    fn money(text: &str) -> Money {
        let value: rust_decimal::Decimal = text.parse().expect("a decimal");
        let mut money = Money::default();
        money.add("USDT", QuoteAtoms(value.mantissa() * 10_i128.pow(18 - value.scale())));
        money
    }

    #[test]
    fn money_of_one_asset_is_a_decimal_and_of_several_an_object() {
        let mut sum = money("-0.5");
        assert_eq!(serde_json::to_value(&sum).expect("JSON"), "-0.5");
        sum.add("USDT", QuoteAtoms(1));
        assert_eq!(sum.to_string(), "-0.499999999999999999");
        sum.add("BTC", QuoteAtoms(2 * QUOTE_ATOMS_PER_UNIT));
        let json = serde_json::to_value(&sum).expect("JSON");
        assert_eq!(json, serde_json::json!({ "BTC": "2", "USDT": "-0.499999999999999999" }));
        assert_eq!(sum.to_string(), "2 BTC, -0.499999999999999999 USDT");
    }

    #[test]
    fn several_venues_are_listed_and_one_is_not() {
        let mut report = RunReport::default();
        report.venues.insert("a".to_owned(), VenueReport::default());
        assert!(report.to_json().get("venues").is_none());
        report.venues.insert("b".to_owned(), VenueReport::default());
        assert_eq!(keys(&report.to_json()["venues"]), ["a", "b"]);
        assert_eq!(keys(&report.to_json()["venues"]["a"]), ["orders", "account", "venue_account"]);
    }

    fn keys(value: &Value) -> Vec<&str> {
        value.as_object().expect("an object").keys().map(String::as_str).collect()
    }

    #[test]
    fn the_report_has_exactly_the_promised_keys() {
        let mut histogram = Histogram::<u64>::new(3).expect("3 digits are possible");
        (1..=1000).for_each(|value| histogram.record(value).expect("in range"));
        let account = Account {
            position: [("BTCUSDT".to_owned(), "0.010".to_owned())].into(),
            pnl_quote: money("-0.12"),
            fees_quote: money("0.03"),
            funding_quote: money("-0.01"),
        };
        let report = RunReport {
            account: account.clone(),
            venue_account: Some(account),
            decode_to_order_ns: Some(Percentiles::of(&histogram)),
            wire_to_wire_ns: Some(Percentiles::default()),
            kill_to_wire_ns: Some(Percentiles::default()),
            hot_allocations: Some(HotAllocations::default()),
            seed: Some(7),
            ..RunReport::default()
        };
        let json = report.to_json();
        let expected = "mode venue symbols seconds frames events levels scanned fallback books quotes orders fills pauses controls account \
                        venue_account transfers pnl_split decode_to_order_ns wire_to_wire_ns kill_to_wire_ns hot_allocations rehearsals seed ended stopped_by started \
                        stopped start_position mark_price not_quoting order_log repeats not_compared";
        assert_eq!(keys(&json), expected.split_whitespace().collect::<Vec<_>>());
        assert_eq!(keys(&json["books"]), ["live", "stale", "gaps", "resyncs"]);
        let orders = "sent acked filled filled_fully canceled rejected expired unknown open_at_exit open_at_venue \
                      cancels_refused refused_here not_sent amended adopted";
        assert_eq!(keys(&json["orders"]), orders.split_whitespace().collect::<Vec<_>>());
        assert_eq!(keys(&json["account"]), ["position", "pnl_quote", "fees_quote", "funding_quote"]);
        assert_eq!(json["account"]["position"]["BTCUSDT"], "0.010");
        assert_eq!(keys(&json["decode_to_order_ns"]), ["p50", "p99", "p999", "max", "count"]);
        assert_eq!(json["decode_to_order_ns"]["p50"], 500);
        let nothing = &json["wire_to_wire_ns"];
        assert!(["p50", "p99", "p999", "max"].iter().all(|key| nothing[key].is_null()), "{nothing}");
        assert_eq!(nothing["count"], 0);
        assert_eq!(keys(&json["hot_allocations"]), ["decision", "thread"]);
    }

    fn transferred() -> Transfers {
        let mut transfers = Transfers::default();
        transfers.add("USDT", -3 * QUOTE_ATOMS_PER_UNIT / 2);
        transfers
    }

    #[test]
    fn people_get_tables_that_say_what_differs() {
        let account = |pnl: &str| Account {
            position: [("BTCUSDT".to_owned(), "0.010".to_owned())].into(),
            pnl_quote: money(pnl),
            fees_quote: money("0.03"),
            funding_quote: money("-0.01"),
        };
        let mut report = RunReport {
            mode: "demo".to_owned(),
            venue: "binance-usdm".to_owned(),
            symbols: vec!["BTCUSDT".to_owned()],
            seconds: 10.02,
            orders: Orders {
                sent: 120,
                acked: 119,
                filled: 7,
                filled_fully: 5,
                canceled: 114,
                rejected: 1,
                ..Orders::default()
            },
            not_quoting: [(
                "BTCUSDT".to_owned(),
                NotQuoting { bid_ms: [("book_waiting", 200)].into(), ask_ms: [("order_notional_max", 9_850)].into() },
            )]
            .into(),
            started: Some("2026-11-21T17:00:00.000Z".to_owned()),
            stopped: Some("2026-11-21T17:00:10.020Z".to_owned()),
            start_position: [("BTCUSDT".to_owned(), "0.004".to_owned())].into(),
            mark_price: [("BTCUSDT".to_owned(), Some("64000.15".to_owned()))].into(),
            controls: Controls { slippages: 1, venues_slow: 2, ..Controls::default() },
            account: account("-0.12"),
            transfers: transferred(),
            venue_account: Some(account("-0.12")),
            decode_to_order_ns: Some(Percentiles { p50: 420, p99: 4_050, p999: 9_000, max: 2_000_000, count: 77 }),
            wire_to_wire_ns: Some(Percentiles::default()),
            kill_to_wire_ns: Some(Percentiles::default()),
            seed: Some(7),
            ..RunReport::default()
        };
        let text = report.to_text(Some("the market was over"));
        println!("{text}");
        let squeezed = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        for line in [
            "demo on binance-usdm: BTCUSDT, 10.0 s, seed 7",
            "the market was over",
            "2026-11-21T17:00:00.000Z to 2026-11-21T17:00:10.020Z",
            "orders sent in full canceled expired rejected unknown open",
            "120 5 114 0 1 0 0",
            "acked with a fill cancels refused refused here",
            "119 7 0 0",
            "controls slippages pulled for it",
            "1 2",
            "at the start BTCUSDT 0.004",
            "not quoting side reason seconds",
            "BTCUSDT ask order_notional_max 9.8",
            "valued at BTCUSDT 64000.15",
            "transferred USDT -1.5",
            "ours BTCUSDT 0.010 -0.12 0.03",
            "equal to the last digit",
            "decode to order 420 ns - - 2.0 ms 77",
            "wire to wire - - - - 0",
            "kill to wire - - - - 0",
            "decode to order: a market frame decrypted and in hand to its order on the",
        ] {
            assert!(text.lines().any(|found| squeezed(found) == line), "no `{line}` in\n{text}");
        }
        let place = |word: &str| text.lines().find_map(|line| line.find(word).map(|at| at + word.len()));
        assert_eq!(place("acked"), place(" 119"), "a figure ends below the end of its name\n{text}");
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        report.venue_account = Some(account("-0.13"));
        assert!(report.to_text(None).contains("THEY DIFFER"));
    }

    #[test]
    fn a_run_in_virtual_time_has_measured_nothing_and_says_so() {
        let mut report = RunReport { seed: Some(7), repeats: true, ..RunReport::default() };
        report.pnl_split.add("USDT", QuoteAtoms(-7), QuoteAtoms(20), QuoteAtoms(15), QuoteAtoms(-2));
        let json = report.to_json();
        for clocked in ["decode_to_order_ns", "wire_to_wire_ns", "kill_to_wire_ns", "hot_allocations", "rehearsals"] {
            assert_eq!(json[clocked], Value::Null, "{clocked}");
        }
        let text = report.to_text(None);
        assert!(text.contains("s of virtual time, seed 7") && !text.contains("latency"), "{text}");
        assert!(!text.contains("in real time"), "{text}");
        let split = report.pnl_split.clone();
        for (part, atoms) in
            [(split.spread_quote, 20), (split.inventory_quote, -10), (split.fees_quote, -15), (split.funding_quote, -2)]
        {
            assert_eq!(part.to_string(), atoms_text(QuoteAtoms(atoms)));
        }
        report.repeats = false;
        assert!(report.to_text(None).contains("the run does not; `--virtual` does"));
    }

    #[test]
    fn latencies_have_the_unit_that_suits_them() {
        let texts = [999, 1_000, 52_340, 1_999_999, 3_000_000_000].map(nanos_text);
        assert_eq!(texts, ["999 ns", "1.0 us", "52.3 us", "1.9 ms", "3.0 s"]);
    }
}
