//! COLD: one of the venue's hosts is gone while the other stands, or all of it: what can be cancelled is, an end is an end,
//! and what was filled meanwhile is known before anything is quoted again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::desk::Desk;
use crate::proxy::Proxy;
use crate::rig::{Exchange, Running, Setup, number, settled};

/// A live run that reaches the URL of this key by way of a line of its own.
fn run_behind(exchange: &Exchange, key: &str) -> (Setup, Proxy, Running) {
    let url = exchange.text(key);
    let proxy = Proxy::before(url);
    let line = |url: &str| format!("{key} = \"{url}\"");
    let setup = Setup::on(exchange).replace("run.toml", &line(url), &line(&proxy.url(url)));
    let mut run = setup.start_live();
    run.until_quotes();
    (setup, proxy, run)
}

#[test]
fn where_the_stream_host_is_gone_every_quote_is_pulled_over_the_order_host() {
    let exchange = Exchange::start("");
    let (_setup, proxy, run) = run_behind(&exchange, "stream_url");
    proxy.cut();
    // Market and user data are gone with it; nobody has asked for an end.
    Desk::of_the_engine(&exchange).until("end of every quote", |desk| desk.open_orders().is_empty());
    // A report without a live book is no good one, but it is confirmed that nothing is open.
    let ended = run.interrupted();
    let report = ended.says(1, &["no book was live at the end"]).object();
    assert_eq!(number(&report, "/orders/unknown") + number(&report, "/orders/open_at_exit"), 0, "{report}");
    assert_eq!(report["account"], report["venue_account"], "{report}");
    assert!(Desk::of_the_engine(&exchange).open_orders().is_empty());
}

#[test]
fn where_the_order_host_comes_back_an_end_finds_the_way_at_once() {
    let exchange = Exchange::start("");
    let (_setup, proxy, mut run) = run_behind(&exchange, "ws_api_url");
    proxy.cut();
    run.wait("attempts in vain", |err| err.matches("order connection Orders").count() >= 3);
    std::thread::sleep(Duration::from_secs(2));
    run.interrupt();
    run.wait_for("cancelling everything and waiting for the venue's confirmation");
    proxy.mend();
    let ended = run.end();
    settled(&ended);
    assert!(Desk::of_the_engine(&exchange).open_orders().is_empty());
}

/// What happens to the whole of a venue while somebody there fills our quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outage {
    /// Its process is stopped for 15 s, with our fills said and not heard.
    Stopped,
    /// Every byte is lost for 25 s, and nobody is told.
    BlackHole,
    /// Every connection is cut every 2 s for 20 s.
    Cut,
}

/// A venue behind a line of ours, and the engine that trades there.
struct Behind {
    outage: Outage,
    exchange: Exchange,
    proxy: Proxy,
    setup: Setup,
    run: Running,
    engine: Desk,
    other: Desk,
}

fn millis() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    u64::try_from(now.as_millis()).expect("this century")
}

impl Behind {
    fn start(outage: Outage) -> Behind {
        let exchange = Exchange::rich();
        let url = exchange.text("rest_url");
        let proxy = Proxy::before(url);
        let mut setup = Setup::on(&exchange);
        for key in ["rest_url", "stream_url", "ws_api_url"] {
            let line = |url: &str| format!("{key} = \"{url}\"");
            setup = setup.replace("run.toml", &line(exchange.text(key)), &line(&proxy.url(exchange.text(key))));
        }
        let mut run = setup.start_live();
        run.until_quotes();
        let (engine, other) = (Desk::of_the_engine(&exchange), Desk::of_another(&exchange));
        Behind { outage, exchange, proxy, setup, run, engine, other }
    }

    fn trades(&self) -> Vec<Value> {
        let rows = self.engine.ask("GET", "/fapi/v1/userTrades", &[("symbol", "BTCUSDT"), ("limit", "1000")]);
        rows.as_array().expect("a list").clone()
    }

    /// Breaks the line while a bid of ours stands, and has it filled.
    fn filled_behind(&self, break_line: impl Fn(&Proxy)) {
        for _ in 0..40 {
            break_line(&self.proxy);
            // What was on its way has come.
            std::thread::sleep(Duration::from_millis(100));
            let known = self.trades().len();
            if self.engine.open_orders().iter().any(|order| order["side"] == "BUY") {
                self.other.sells_through_the_bids();
                if self.trades().len() > known {
                    return;
                }
            }
            self.proxy.mend();
            std::thread::sleep(Duration::from_millis(500));
        }
        panic!("{:?}: no bid of ours was ever there to be filled", self.outage);
    }

    /// The outage; when it began and ended.
    fn suffer(&self) -> (u64, u64) {
        let begun = millis();
        match self.outage {
            Outage::Stopped => {
                self.filled_behind(Proxy::hold);
                self.exchange.freeze();
                std::thread::sleep(Duration::from_secs(15));
                self.exchange.thaw();
            }
            Outage::BlackHole => {
                self.filled_behind(Proxy::swallow);
                std::thread::sleep(Duration::from_secs(25));
            }
            Outage::Cut => {
                for round in 0..10 {
                    match round {
                        0 => self.filled_behind(Proxy::cut),
                        _ => self.proxy.cut(),
                    }
                    std::thread::sleep(Duration::from_millis(300));
                    // What stands there now was placed between two cuts.
                    if self.engine.open_orders().iter().any(|order| order["side"] == "BUY") {
                        self.other.sells_through_the_bids();
                    }
                    self.proxy.mend();
                    std::thread::sleep(Duration::from_millis(1_700));
                }
            }
        }
        let ended = millis();
        self.proxy.mend();
        (begun, ended)
    }

    /// It quotes again, and its journal tells of every fill in the outage before it tells of a new order.
    fn judge(mut self, (begun, ended): (u64, u64)) -> usize {
        let outage = self.outage;
        let placed_since = |line: &Value| line["event"] == "place" && number(line, "/time_ns") / 1_000_000 > ended;
        let lines = |setup: &Setup| -> Vec<Value> {
            let read = setup.spinbook(&["journal", "state/journal/live", "--json"]);
            read.says(0, &[]).out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
        };
        let until = std::time::Instant::now() + crate::rig::HANG;
        while !lines(&self.setup).iter().any(placed_since) {
            assert!(std::time::Instant::now() < until, "{outage:?}: it never quotes again:\n{}", self.run.err());
            std::thread::sleep(Duration::from_millis(500));
        }
        self.run.until_quotes();
        let inside: Vec<String> = self
            .trades()
            .iter()
            .filter(|trade| (begun..=ended).contains(&number(trade, "/time")))
            .map(|trade| trade["id"].to_string())
            .collect();
        assert!(!inside.is_empty(), "{outage:?}: nothing was filled in it");
        let ended_run = self.run.interrupted();
        let lines = lines(&self.setup);
        let first = lines.iter().position(placed_since).expect("seen before");
        for trade in &inside {
            let told = lines.iter().position(|line| line["event"] == "fill" && line["trade"] == *trade);
            assert!(
                told.is_some_and(|told| told < first),
                "{outage:?}: trade {trade} is told at {told:?}, and an order was placed at {first}:\n{}",
                ended_run.err
            );
        }
        settled(&ended_run);
        assert!(self.engine.open_orders().is_empty());
        inside.len()
    }
}

#[test]
fn what_was_filled_inside_an_outage_is_known_before_the_first_quote_after_it() {
    let outages = [Outage::Stopped, Outage::BlackHole, Outage::Cut];
    let fills: Vec<usize> = std::thread::scope(|scope| {
        let one = |outage: Outage| {
            let behind = Behind::start(outage);
            let span = behind.suffer();
            behind.judge(span)
        };
        let running: Vec<_> = outages.into_iter().map(|outage| scope.spawn(move || one(outage))).collect();
        running.into_iter().map(|run| run.join().expect("its own assertions hold")).collect()
    });
    println!("filled inside: {:?}", outages.iter().zip(fills).collect::<Vec<_>>());
}

#[test]
fn where_the_order_host_swallows_everything_an_end_is_the_venues_word_over_rest() {
    let exchange = Exchange::start("");
    let (_setup, proxy, run) = run_behind(&exchange, "ws_api_url");
    // Both order connections: none is hung up on, none is ever answered, and it does not come back.
    proxy.swallow();
    settled(&run.interrupted());
    assert!(Desk::of_the_engine(&exchange).open_orders().is_empty());
}
