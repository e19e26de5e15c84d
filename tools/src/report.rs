//! COLD: what `demo` and `run` report at the end, in the exact keys and shapes that users were promised.

use std::collections::BTreeMap;
use std::fmt::Write;

use hdrhistogram::Histogram;
use serde::Serialize;
use serde_json::Value;

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
    /// Position by symbol, base asset.
    pub position: BTreeMap<String, String>,
    /// Cash and position at the last mid, less the start, fees included.
    pub pnl_quote: String,
    /// Fees paid; negative for rebates.
    pub fees_quote: String,
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

    /// For people.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let mut line = |label: &str, value: String| {
            let _ = writeln!(text, "{label:<18}{value}");
        };
        line("run", format!("{} on {}, {} for {:.1} s", self.mode, self.venue, self.symbols.join(" "), self.seconds));
        line(
            "market",
            format!(
                "{} frames ({} scanned, {} fallback), {} events, {} levels",
                self.frames, self.scanned, self.fallback, self.events, self.levels
            ),
        );
        let books = self.books;
        line(
            "books",
            format!("{} live, {} stale, {} gaps, {} resyncs", books.live, books.stale, books.gaps, books.resyncs),
        );
        let orders = self.orders;
        line(
            "orders",
            format!(
                "{} sent, {} acked, {} filled, {} canceled, {} rejected, {} unknown, {} open at exit",
                orders.sent,
                orders.acked,
                orders.filled,
                orders.canceled,
                orders.rejected,
                orders.unknown,
                orders.open_at_exit
            ),
        );
        line("quotes, fills", format!("{} target changes, {} executions", self.quotes, self.fills));
        line("account", account_text(&self.account));
        line(
            "venue says",
            match &self.venue_account {
                None => "not asked".to_owned(),
                Some(account) if *account == self.account => "the same, to the last digit".to_owned(),
                Some(account) => format!("DIFFERENT: {}", account_text(account)),
            },
        );
        line("decode to order", percentiles_text(&self.decode_to_order_ns));
        line("wire to wire", percentiles_text(&self.wire_to_wire_ns));
        let hot = self.hot_allocations;
        line("hot allocations", format!("{} in decisions, {} on the thread", hot.decision, hot.thread));
        if let Some(seed) = self.seed {
            line("seed", seed.to_string());
        }
        text
    }
}

fn account_text(account: &Account) -> String {
    let positions: Vec<String> =
        account.position.iter().map(|(symbol, quantity)| format!("{symbol} {quantity}")).collect();
    format!("{}; profit {} quote, fees {} quote", positions.join(", "), account.pnl_quote, account.fees_quote)
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

/// One line of a latency distribution.
#[must_use]
pub fn percentiles_text(percentiles: &Percentiles) -> String {
    if percentiles.count == 0 {
        return "nothing measured".to_owned();
    }
    let Percentiles { p50, p99, p999, max, count } = *percentiles;
    format!("p50 {p50} ns, p99 {p99} ns, p99.9 {p999} ns, max {max} ns, {count} measured")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(value: &Value) -> Vec<&str> {
        value.as_object().expect("an object").keys().map(String::as_str).collect()
    }

    #[test]
    fn the_report_has_exactly_the_promised_keys() {
        let mut histogram = Histogram::<u64>::new(3).expect("3 digits are possible");
        (1..=1000).for_each(|value| histogram.record(value).expect("in range"));
        let account = Account {
            position: [("BTCUSDT".to_owned(), "0.010".to_owned())].into(),
            pnl_quote: "-0.12".to_owned(),
            fees_quote: "0.03".to_owned(),
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
                        venue_account decode_to_order_ns wire_to_wire_ns hot_allocations seed";
        assert_eq!(keys(&json), expected.split_whitespace().collect::<Vec<_>>());
        assert_eq!(keys(&json["books"]), ["live", "stale", "gaps", "resyncs"]);
        let orders = "sent acked filled canceled rejected unknown open_at_exit";
        assert_eq!(keys(&json["orders"]), orders.split_whitespace().collect::<Vec<_>>());
        assert_eq!(keys(&json["account"]), ["position", "pnl_quote", "fees_quote"]);
        assert_eq!(json["account"]["position"]["BTCUSDT"], "0.010");
        assert_eq!(keys(&json["decode_to_order_ns"]), ["p50", "p99", "p999", "max", "count"]);
        assert_eq!(json["decode_to_order_ns"]["p50"], 500);
        assert_eq!(keys(&json["hot_allocations"]), ["decision", "thread"]);
        assert!(report.to_text().contains("the same, to the last digit"), "{}", report.to_text());
    }
}
