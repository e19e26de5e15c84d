//! COLD: the report of a run as people read it: a few small tables.

use std::collections::BTreeMap;

use super::{Account, Money, Orders, Percentiles, RunReport};

impl RunReport {
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
                ("learned", self.learned),
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
            text.push_str(&crate::ui::meanings::meanings());
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
    use serde_json::Value;
    use spinbook_engine::types::{QUOTE_ATOMS_PER_UNIT, QuoteAtoms};

    use super::*;
    use crate::ui::report::{Controls, NotQuoting, Transfers, atoms_text};

    fn money(text: &str) -> Money {
        let value: rust_decimal::Decimal = text.parse().expect("a decimal");
        let mut money = Money::default();
        money.add("USDT", QuoteAtoms(value.mantissa() * 10_i128.pow(18 - value.scale())));
        money
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
