//! COLD: `kill -9` at seeded points of a run that starts, quotes, is filled, cancels and stops, and the next start.
//!
//! `SPINBOOK_KILLS=200 cargo test -p spinbook --test faults killed:: -- --nocapture` kills more often than CI does, and holds
//! how soon orders are safe against its bound; `SPINBOOK_SEED` draws other points.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rust_decimal::Decimal;
use serde_json::Value;
use spinbook_feed::journal::reader::JournalReader;
use spinbook_feed::journal::record::JournalRecord;
use spinbook_feed::net::io::journal_files::part_files;
use spinbook_feed::random::Random;
use spinbook_feed::venue::binance::request_ids::CLIENT_IDS;
use spinbook_feed::venue::order_ids::ClientIds;

use crate::desk::Desk;
use crate::rig::{Exchange, HANG, Running, Setup, number, settled};

/// Kills in CI.
const KILLS: usize = 25;
/// Exchanges, each with an engine that is killed again and again.
const CHAINS: usize = 5;
/// Within this of a kill the next start has cancelled what was left: held where the machine does nothing else.
const SAFE_WITHIN: Duration = Duration::from_secs(2);
/// Longest wait for more records of a run.
const QUIET_MAX: Duration = Duration::from_secs(10);
/// So much of a journal is looked at while it grows.
const LOOKED_AT_BYTES: u64 = 64 << 10;

/// Where a run is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    /// So long after its start, whatever it does then.
    Start(Duration),
    /// So long after the journal has as many records.
    Records(usize, Duration),
    /// So long after somebody traded with it.
    Filled(Duration),
    /// So long after it was told to stop, with as many records.
    Stopping(usize, Duration),
}

impl Point {
    fn draw(random: &mut Random) -> Point {
        let micros = |random: &mut Random, max| Duration::from_micros(random.between(0, max).unsigned_abs());
        let records = |random: &mut Random| usize::try_from(random.between(4, 40)).expect("not negative");
        match random.between(0, 9) {
            0 | 1 => Point::Start(micros(random, 1_500_000)),
            2..=5 => Point::Records(records(random), micros(random, 4_000)),
            6 | 7 => Point::Filled(micros(random, 12_000)),
            _ => Point::Stopping(records(random), micros(random, 250_000)),
        }
    }
}

/// One exchange and the engine on it.
struct Chain {
    name: usize,
    exchange: Exchange,
    setup: Setup,
    desk: Desk,
    is_spot: bool,
    /// The last run's number.
    last_run: u64,
    kills: usize,
    /// How long orders of a run that was killed stood on the book.
    safe_after: Vec<Duration>,
    /// Orders and executions at the exchange, and starts whose position was compared.
    seen: [usize; 3],
}

impl Chain {
    fn new(name: usize) -> Chain {
        let is_spot = name == 1;
        // The other account sells through the book again and again: it must not run out of margin.
        let exchange = if is_spot { Exchange::spot("") } else { Exchange::rich() };
        let setup = Setup::on(&exchange);
        let desk = Desk::of_the_engine(&exchange);
        Chain { name, exchange, setup, desk, is_spot, last_run: 0, kills: 0, safe_after: Vec::new(), seen: [0; 3] }
    }

    fn path(&self, spot: &'static str, futures: &'static str) -> &'static str {
        if self.is_spot { spot } else { futures }
    }

    /// Starts it, kills it where the seed says, and looks at everything.
    fn kill_once(&mut self, random: &mut Random, killed: Option<Instant>) -> Instant {
        let point = Point::draw(random);
        let mut run = self.setup.start_live();
        self.reach(point, &mut run, killed);
        run.kill();
        let killed = Instant::now();
        self.kills += 1;
        self.check(&format!("chain {}, kill {}, {point:?}", self.name, self.kills), &run.err());
        killed
    }

    fn reach(&mut self, point: Point, run: &mut Running, killed: Option<Instant>) {
        match point {
            Point::Start(wait) => std::thread::sleep(wait),
            Point::Records(count, wait) => {
                self.until_safe(run, killed);
                self.until_records(run, count);
                std::thread::sleep(wait);
            }
            Point::Filled(wait) => {
                self.until_safe(run, killed);
                self.until_records(run, 8);
                if !self.is_spot {
                    Desk::of_another(&self.exchange).sells_through_the_bids();
                }
                std::thread::sleep(wait);
            }
            Point::Stopping(count, wait) => {
                self.until_safe(run, killed);
                self.until_records(run, count);
                run.interrupt();
                std::thread::sleep(wait);
            }
        }
    }

    /// Waits until no order of an earlier run is open, and notes how long that took since the kill.
    fn until_safe(&mut self, run: &mut Running, killed: Option<Instant>) {
        let Some(killed) = killed else { return };
        let own = self.last_run + 1;
        self.until(run, "earlier orders cancelled", |chain| {
            chain.open_runs().into_iter().all(|open| open >= own).then_some(())
        });
        self.safe_after.push(killed.elapsed());
    }

    /// Waits until this run has a journal with as many records, or with some for a while: a market that stands still
    /// makes no more of them.
    fn until_records(&self, run: &mut Running, count: usize) {
        let quiet = Instant::now() + QUIET_MAX;
        self.until(run, "records", |chain| {
            let (number, records) = newest(&chain.setup.path("state/journal/live"))?;
            (number > chain.last_run && (records >= count || Instant::now() >= quiet)).then_some(())
        });
    }

    fn until(&self, run: &Running, what: &str, met: impl Fn(&Chain) -> Option<()>) {
        let until = Instant::now() + HANG;
        while met(self).is_none() {
            assert!(Instant::now() < until, "chain {}: no {what} in time:\n{}", self.name, run.err());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The runs of the orders that are open.
    fn open_runs(&self) -> Vec<u64> {
        self.desk.open_orders().iter().filter_map(|order| run_of(order["clientOrderId"].as_str()?)).collect()
    }

    /// Everything that holds after a kill.
    fn check(&mut self, place: &str, said: &str) {
        let told = self.told();
        let Some(run) = told.runs.keys().last().copied() else { return };
        let name_of: BTreeMap<u64, String> = self.orders();
        let names: BTreeSet<&String> = name_of.values().collect();
        assert_eq!(names.len(), name_of.len(), "{place}: a name was used twice: {name_of:?}\n{said}");
        let untold: Vec<_> = names.iter().filter(|name| !told.places.contains(**name)).collect();
        assert!(untold.is_empty(), "{place}: orders that no journal tells of: {untold:?}\n{said}");
        let trades = self.trades(&name_of);
        for trade in told.fills.keys() {
            assert!(trades.iter().any(|known| known.id == *trade), "{place}: trade {trade} was never made\n{said}");
        }
        // What a start believes is what the executions came to that journals before it tell of: the others are booked
        // behind the start.
        let told_before = |trade: &Trade, run: u64| told.fills.get(&trade.id).is_some_and(|by| *by < run);
        let first = told.runs.values().find_map(|position| *position).unwrap_or_default();
        for (run, position) in &told.runs {
            let Some(position) = position else { continue };
            let of_earlier = trades.iter().filter(|trade| trade.run < *run && told_before(trade, *run));
            let earlier: Decimal = of_earlier.map(|trade| trade.moved).sum();
            assert_eq!(*position - first, earlier, "{place}: run {run} began with another position\n{said}");
        }
        if told.placed_by.contains(&run) {
            let open = self.open_runs();
            assert!(
                open.iter().all(|open| *open == run),
                "{place}: run {run} trades beside orders of {open:?}\n{said}"
            );
        }
        self.last_run = run;
        self.seen = [name_of.len(), trades.len(), told.runs.values().flatten().count()];
    }

    /// What the journals tell, read by the program; each of them is readable.
    fn told(&self) -> Told {
        let mut told = Told::default();
        if part_files(&self.setup.path("state/journal/live")).expect("a folder").is_empty() {
            return told;
        }
        let read = self.setup.spinbook(&["journal", "state/journal/live", "--json"]);
        let mut run = 0;
        for line in read.says(0, &[]).out.lines() {
            let line: Value = serde_json::from_str(line).expect("JSON");
            match line["event"].as_str() {
                Some("run_started") => {
                    run = number(&line, "/run");
                    told.runs.entry(run).or_insert(None);
                }
                Some("position") if line["at"] == "start" => {
                    told.runs.insert(run, Some(decimal(&line["quantity"])));
                }
                Some("place") => {
                    let name = line["client_id"].as_str().expect("a name").to_owned();
                    assert!(told.places.insert(name), "a name is told twice: {line}");
                    told.placed_by.insert(run);
                }
                Some("fill") => {
                    let trade = line["trade"].as_str().and_then(|trade| trade.parse().ok()).expect("a number");
                    assert_eq!(told.fills.insert(trade, run), None, "a fill is told twice: {line}");
                }
                _ => {}
            }
        }
        told
    }

    /// The names of all orders that the exchange ever had of the engine, by its own number.
    fn orders(&self) -> BTreeMap<u64, String> {
        let path = self.path("/api/v3/allOrders", "/fapi/v1/allOrders");
        let rows = self.listed(path, "orderId", "/orderId");
        let name = |row: &Value| row["clientOrderId"].as_str().expect("a name").to_owned();
        rows.iter().map(|row| (number(row, "/orderId"), name(row))).collect()
    }

    /// All executions at the exchange.
    fn trades(&self, name_of: &BTreeMap<u64, String>) -> Vec<Trade> {
        let path = self.path("/api/v3/myTrades", "/fapi/v1/userTrades");
        let rows = self.listed(path, "fromId", "/id");
        let trade = |row: &Value| {
            let buys = row[self.path("isBuyer", "buyer")].as_bool().expect("a side");
            let quantity = decimal(&row["qty"]);
            let fee = if row["commissionAsset"] == "BTC" { decimal(&row["commission"]) } else { Decimal::ZERO };
            let name = name_of.get(&number(row, "/orderId")).expect("it lists the orders of its executions");
            Trade {
                id: u128::from(number(row, "/id")),
                run: run_of(name).expect("nobody else trades on this account"),
                moved: (if buys { quantity } else { -quantity }) - fee,
            }
        };
        rows.iter().map(trade).collect()
    }

    /// Every row that the exchange lists, a thousand at a time, each page from the number behind the last one.
    fn listed(&self, path: &str, from: &str, number_of: &str) -> Vec<Value> {
        let mut rows: Vec<Value> = Vec::new();
        loop {
            let next = rows.last().map_or(0, |row| number(row, number_of) + 1).to_string();
            let page = self.desk.ask("GET", path, &[("symbol", "BTCUSDT"), ("limit", "1000"), (from, &next)]);
            let page = page.as_array().expect("a list");
            rows.extend(page.iter().cloned());
            if page.len() < 1_000 {
                return rows;
            }
        }
    }

    /// One more start, which finds everything in order and ends so.
    fn finish(&mut self) {
        let mut run = self.setup.start_live();
        run.until_quotes();
        let report = settled(&run.interrupted());
        assert!(self.desk.open_orders().is_empty(), "{report}");
        self.check(&format!("chain {}, at the end", self.name), "");
    }
}

/// What the journals of a chain tell.
#[derive(Default)]
struct Told {
    /// The position at the start of each run, where it came so far.
    runs: BTreeMap<u64, Option<Decimal>>,
    /// Names of orders that were written down.
    places: BTreeSet<String>,
    /// Runs that placed something.
    placed_by: BTreeSet<u64>,
    /// Executions, with the run whose journal tells of each.
    fills: BTreeMap<u128, u64>,
}

/// An execution as the exchange lists it.
struct Trade {
    id: u128,
    run: u64,
    moved: Decimal,
}

fn decimal(value: &Value) -> Decimal {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{value} is no number"))
}

/// The number of the run that made this name; none if no run did.
fn run_of(name: &str) -> Option<u64> {
    ClientIds::of_any(CLIENT_IDS).read(name).map(|order| u64::from(order.epoch()))
}

/// The newest journal's run and how many records its first part has; none where there is none yet.
fn newest(folder: &Path) -> Option<(u64, usize)> {
    let is_first = |path: &PathBuf| path.to_str().is_some_and(|path| path.ends_with("-00000.journal"));
    let path = part_files(folder).ok()?.into_iter().rfind(is_first)?;
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(LOOKED_AT_BYTES).read_to_end(&mut bytes).ok()?;
    let mut reader = JournalReader::new(&bytes).ok()?;
    let (run, mut records) = (u64::from(reader.header().run), 0);
    while let Ok(Some(entry)) = reader.next_entry() {
        records += usize::from(!matches!(entry.record, JournalRecord::RunStarted { .. }));
    }
    Some((run, records))
}

#[test]
fn a_run_killed_at_any_point_loses_no_fill_doubles_no_order_and_leaves_none_behind() {
    let wanted = |name: &str| std::env::var(name).ok().map(|text| text.parse::<usize>().expect("a number"));
    let (kills, seed) = (wanted("SPINBOOK_KILLS"), wanted("SPINBOOK_SEED").unwrap_or(20_261_122));
    println!("seed {seed}");
    let of_chain = |chain: usize| {
        let all = kills.unwrap_or(KILLS);
        (0..all).filter(|kill| kill % CHAINS == chain).count()
    };
    let chains: Vec<Chain> = std::thread::scope(|scope| {
        let run = |name: usize| {
            let mut random = Random::new((seed as u64) ^ (name as u64) << 32);
            let mut chain = Chain::new(name);
            let mut killed = None;
            for _ in 0..of_chain(name) {
                killed = Some(chain.kill_once(&mut random, killed));
            }
            chain.finish();
            chain
        };
        let running: Vec<_> = (0..CHAINS).map(|name| scope.spawn(move || run(name))).collect();
        running.into_iter().map(|chain| chain.join().expect("its own assertions hold")).collect()
    });
    let mut safe: Vec<Duration> = chains.iter().flat_map(|chain| chain.safe_after.clone()).collect();
    safe.sort_unstable();
    let sum = |place: usize| chains.iter().map(|chain| chain.seen[place]).sum::<usize>();
    let (all, orders, trades, starts) = (chains.iter().map(|chain| chain.kills).sum::<usize>(), sum(0), sum(1), sum(2));
    println!("{all} kills: {orders} orders, {trades} executions, {starts} starts with the right position");
    let slowest = safe.last().copied().unwrap_or_default();
    println!("safe after: median {:?}, most {slowest:?}, of {}", safe.get(safe.len() / 2), safe.len());
    assert_eq!(all, kills.unwrap_or(KILLS));
    assert!(orders > 2 * all / 3 && trades > 0 && starts > all / 3, "too little happened to be killed in");
    assert!(kills.is_none() || slowest < SAFE_WITHIN, "{safe:?}");
}
