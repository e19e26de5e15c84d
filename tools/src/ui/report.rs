//! COLD: what `demo` and `run` report at the end, in the exact keys and shapes that users were promised.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use serde_json::Value;
use spinbook_engine::types::QuoteAtoms;

pub use super::amounts::{Money, Transfers, atoms_text};
pub use super::controls::Controls;

mod text;

pub use text::nanos_text;

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
    /// Of these, frames read byte by byte: their stream's form was new or had changed.
    pub learned: u64,
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
        let expected = "mode venue symbols seconds frames events levels scanned learned fallback books quotes orders fills pauses controls account \
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
}
