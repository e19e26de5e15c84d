//! COLD: what `demo` and `run` report at the end, in the exact keys and shapes that users were promised.

use std::collections::BTreeMap;
use std::fmt;

use hdrhistogram::Histogram;
use serde::{Serialize, Serializer};
use serde_json::Value;
use spinbook_engine::types::{QUOTE_ATOMS_PER_UNIT, QuoteAtoms};

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
    /// The account as the engine reckons it.
    pub account: Account,
    /// The same three figures recomputed from what the venue answered; none if it was not asked.
    pub venue_account: Option<Account>,
    /// Frame in hand to order on the ring.
    pub decode_to_order_ns: Percentiles,
    /// Socket readable to order bytes handed to the kernel.
    pub wire_to_wire_ns: Percentiles,
    /// Heap allocations of the hot thread after warm-up.
    pub hot_allocations: HotAllocations,
    /// Seed of the synthetic market; none for recorded or live data.
    pub seed: Option<u64>,
    /// Why it ended: `finished`, `interrupted`, `killed` or `halted:REASON`.
    pub ended: String,
    /// Each venue's own part, by name; said of one venue by the figures above.
    #[serde(skip_serializing_if = "is_one")]
    pub venues: BTreeMap<String, VenueReport>,
}

fn is_one(venues: &BTreeMap<String, VenueReport>) -> bool {
    venues.len() <= 1
}

/// One venue's part of a run of several.
#[derive(Clone, Debug, Default, Serialize)]
pub struct VenueReport {
    /// Its orders.
    pub orders: VenueOrders,
    /// Its account as the engine reckons it.
    pub account: Account,
    /// The same from what the venue answered; none if it was not asked or did not answer.
    pub venue_account: Option<Account>,
}

/// How one venue's orders fared, as its gateway counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VenueOrders {
    /// Handed to the venue.
    pub sent: u64,
    /// Accepted by the venue.
    pub acked: u64,
    /// Refused, by the venue or by ourselves.
    pub rejected: u64,
    /// Whose outcome is not known.
    pub unknown: u64,
    /// Still open when the run ended.
    pub open_at_exit: u64,
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

/// How the orders fared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Orders {
    /// Handed to the venue.
    pub sent: u64,
    /// Accepted by the venue.
    pub acked: u64,
    /// That got at least one fill.
    pub filled: u64,
    /// Cancelled.
    pub canceled: u64,
    /// Refused, by the venue or by ourselves.
    pub rejected: u64,
    /// Whose outcome is not known.
    pub unknown: u64,
    /// Still open when the run ended.
    pub open_at_exit: u64,
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
}

impl Account {
    /// Several accounts as one.
    #[must_use]
    pub fn sum<'a>(accounts: impl Iterator<Item = &'a Account>) -> Account {
        accounts.fold(Account::default(), |mut sum, account| {
            sum.position.extend(account.position.clone());
            account.pnl_quote.0.iter().for_each(|(asset, atoms)| sum.pnl_quote.add(asset, *atoms));
            account.fees_quote.0.iter().for_each(|(asset, atoms)| sum.fees_quote.add(asset, *atoms));
            sum
        })
    }
}

/// Amounts by quote asset: what is paid in different assets is not added up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Money(BTreeMap<String, QuoteAtoms>);

impl Money {
    /// Adds an amount in an asset.
    pub fn add(&mut self, asset: &str, atoms: QuoteAtoms) {
        *self.0.entry(asset.to_owned()).or_insert(QuoteAtoms::ZERO) += atoms;
    }

    /// Whether there is no amount in any asset.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A decimal, or one with its asset's name for each of several.
impl fmt::Display for Money {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() <= 1 {
            return out.write_str(&atoms_text(self.0.values().next().copied().unwrap_or(QuoteAtoms::ZERO)));
        }
        let texts: Vec<String> =
            self.0.iter().map(|(asset, atoms)| format!("{} {asset}", atoms_text(*atoms))).collect();
        out.write_str(&texts.join(", "))
    }
}

/// A decimal string, or an object with one for each of several assets.
impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.len() <= 1 {
            return serializer.collect_str(self);
        }
        serializer.collect_map(self.0.iter().map(|(asset, atoms)| (asset, atoms_text(*atoms))))
    }
}

/// Quote atoms as decimal text without trailing zeros.
#[must_use]
pub fn atoms_text(atoms: QuoteAtoms) -> String {
    let (sign, magnitude) = if atoms.0 < 0 { ("-", atoms.0.unsigned_abs()) } else { ("", atoms.0.unsigned_abs()) };
    let unit = QUOTE_ATOMS_PER_UNIT.unsigned_abs();
    let fraction = format!("{:018}", magnitude % unit);
    let fraction = fraction.trim_end_matches('0');
    match fraction.is_empty() {
        true => format!("{sign}{}", magnitude / unit),
        false => format!("{sign}{}.{fraction}", magnitude / unit),
    }
}

/// A latency distribution, nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
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
}

/// Heap allocations of the hot thread after warm-up; 0 and 0 is the promise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HotAllocations {
    /// Between frame in hand and order on the ring.
    pub decision: u64,
    /// All of them.
    pub thread: u64,
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
        let mut text =
            format!("{} on {}: {}, {:.1} s{seed}\n", self.mode, self.venue, self.symbols.join(" "), self.seconds);
        if let Some(end) = end {
            text.push_str(&format!("{end}\n"));
        }
        let (books, orders, hot) = (self.books, self.orders, self.hot_allocations);
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
        text.push_str(&counts(
            "orders",
            &[
                ("sent", orders.sent),
                ("acked", orders.acked),
                ("filled", orders.filled),
                ("canceled", orders.canceled),
                ("rejected", orders.rejected),
                ("unknown", orders.unknown),
                ("open at end", orders.open_at_exit),
            ],
        ));
        text.push_str(&counts("trading", &[("quotes", self.quotes), ("fills", self.fills)]));
        text.push_str(&table(&self.account_rows()));
        let latency = [
            ["latency", "p50", "p99", "p99.9", "max", "measured"].map(str::to_owned).to_vec(),
            latency_row("  decode to order", &self.decode_to_order_ns),
            latency_row("  wire to wire", &self.wire_to_wire_ns),
        ];
        text.push_str(&table(&latency));
        text.push_str(&counts("hot allocations", &[("in decisions", hot.decision), ("on the thread", hot.thread)]));
        text
    }

    /// Ours and the venue's figures, one below the other; equal ones are said to be so.
    fn account_rows(&self) -> Vec<Vec<String>> {
        let row = |name: &str, account: &Account| {
            let positions: Vec<String> =
                account.position.iter().map(|(symbol, quantity)| format!("{symbol} {quantity}")).collect();
            vec![name.to_owned(), positions.join(", "), account.pnl_quote.to_string(), account.fees_quote.to_string()]
        };
        let mut rows = vec![
            ["account", "position", "profit (quote)", "fees (quote)"].map(str::to_owned).to_vec(),
            row("  ours", &self.account),
        ];
        match &self.venue_account {
            None => rows.push(vec!["  venue".to_owned(), "not asked".to_owned()]),
            Some(account) => rows.push(row("  venue", account)),
        }
        match &self.venue_account {
            Some(account) if *account == self.account => rows.push(vec!["  equal to the last digit".to_owned()]),
            Some(_) => rows.push(vec!["  THEY DIFFER".to_owned()]),
            None => {}
        }
        rows
    }
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
    let Percentiles { p50, p99, p999, max, count } = *percentiles;
    let figures = [p50, p99, p999, max].map(|ns| if count == 0 { "-".to_owned() } else { nanos_text(ns) });
    std::iter::once(name.to_owned()).chain(figures).chain([count.to_string()]).collect()
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
        };
        let report = RunReport {
            account: account.clone(),
            venue_account: Some(account),
            decode_to_order_ns: Percentiles::of(&histogram),
            seed: Some(7),
            ..RunReport::default()
        };
        let json = report.to_json();
        let expected = "mode venue symbols seconds frames events levels scanned fallback books quotes orders fills account \
                        venue_account decode_to_order_ns wire_to_wire_ns hot_allocations seed ended";
        assert_eq!(keys(&json), expected.split_whitespace().collect::<Vec<_>>());
        assert_eq!(keys(&json["books"]), ["live", "stale", "gaps", "resyncs"]);
        let orders = "sent acked filled canceled rejected unknown open_at_exit";
        assert_eq!(keys(&json["orders"]), orders.split_whitespace().collect::<Vec<_>>());
        assert_eq!(keys(&json["account"]), ["position", "pnl_quote", "fees_quote"]);
        assert_eq!(json["account"]["position"]["BTCUSDT"], "0.010");
        assert_eq!(keys(&json["decode_to_order_ns"]), ["p50", "p99", "p999", "max", "count"]);
        assert_eq!(json["decode_to_order_ns"]["p50"], 500);
        assert_eq!(keys(&json["hot_allocations"]), ["decision", "thread"]);
    }

    #[test]
    fn people_get_tables_that_say_what_differs() {
        let account = |pnl: &str| Account {
            position: [("BTCUSDT".to_owned(), "0.010".to_owned())].into(),
            pnl_quote: money(pnl),
            fees_quote: money("0.03"),
        };
        let mut report = RunReport {
            mode: "demo".to_owned(),
            venue: "binance-usdm".to_owned(),
            symbols: vec!["BTCUSDT".to_owned()],
            seconds: 10.02,
            orders: Orders { sent: 120, acked: 119, ..Orders::default() },
            account: account("-0.12"),
            venue_account: Some(account("-0.12")),
            decode_to_order_ns: Percentiles { p50: 420, p99: 4_050, p999: 9_000, max: 2_000_000, count: 77 },
            seed: Some(7),
            ..RunReport::default()
        };
        let text = report.to_text(Some("the market was over"));
        println!("{text}");
        let squeezed = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        for line in [
            "demo on binance-usdm: BTCUSDT, 10.0 s, seed 7",
            "the market was over",
            "orders sent acked filled canceled rejected unknown open at end",
            "120 119 0 0 0 0 0",
            "ours BTCUSDT 0.010 -0.12 0.03",
            "equal to the last digit",
            "decode to order 420 ns 4.0 us 9.0 us 2.0 ms 77",
            "wire to wire - - - - 0",
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
    fn latencies_have_the_unit_that_suits_them() {
        let texts = [999, 1_000, 52_340, 1_999_999, 3_000_000_000].map(nanos_text);
        assert_eq!(texts, ["999 ns", "1.0 us", "52.3 us", "1.9 ms", "3.0 s"]);
    }
}
