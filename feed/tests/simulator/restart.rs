//! COLD: an exchange that goes on where an earlier process of it was killed.

use crate::lab::{Lab, START, settings, still_market};
use crate::own_market::{Follower, trade_at_random};
use serde_json::Value;
use spinbook_engine::types::Nanos;
use spinbook_feed::sim::saved::SavedWorld;
use spinbook_feed::sim::side::ExchangeSide;
use spinbook_feed::venue::binance::simulator::market::Synthetic;
use spinbook_feed::venue::simulator_side::KeptState;
use spinbook_feed::venue::{ProductLine, binance};

fn follower(product: ProductLine, seed: u64, kept: KeptState) -> Follower {
    let mut settings = settings(product);
    settings.kept = kept;
    let market = Synthetic::bitcoin(product, seed, START).expect("a market");
    Follower::with(settings, Box::new(market))
}

/// Account, open orders and executions, as a client sees them; what moves with the market and the clock left out.
fn seen(follower: &mut Follower, product: ProductLine) -> Vec<Value> {
    let symbol = [("symbol", "BTCUSDT")];
    let lab = &mut follower.lab;
    let spot = product == binance::SPOT;
    let (account, trades) = if spot { ("/api/v3/account", "myTrades") } else { ("/fapi/v2/balance", "userTrades") };
    let (_, body) = lab.rest("GET", account, &[]);
    let mut seen: Vec<Value> = if spot {
        vec![body["balances"].clone()]
    } else {
        body.as_array().expect("balances").iter().map(|asset| asset["balance"].clone()).collect()
    };
    for (name, params) in [("openOrders", &symbol[..]), (trades, &[("symbol", "BTCUSDT"), ("limit", "1000")][..])] {
        let path = lab.path(name);
        let (status, body) = lab.rest("GET", &path, params);
        assert_eq!(status, 200, "{body}");
        seen.push(body);
    }
    seen
}

#[test]
fn a_killed_exchange_goes_on_with_its_accounts_orders_and_numbers() {
    for product in binance::PRODUCT_LINES {
        let mut before = follower(product, 1, KeptState::Fresh);
        let mut file = before.lab.exchange.whole_state(START);
        // What a driver keeps step by step; nothing is asked of the exchange once it is killed.
        for round in 0..30 {
            trade_at_random(&mut before, round, 8);
            file.extend(before.lab.exchange.take_changes(before.lab.now).unwrap_or_default());
        }
        let told = seen(&mut before, product);
        assert!(told.last().and_then(Value::as_array).is_some_and(|fills| fills.len() > 20), "{told:?}");
        let last = before.book.last;

        let text = String::from_utf8(file).expect("UTF-8");
        let saved = SavedWorld::from_lines(&text).expect("a state").expect("not empty");
        let mut after = follower(product, 1, KeptState::Restored(Box::new(saved)));
        after.lab.now = before.lab.now + Nanos::from_seconds(1);
        assert_eq!(after.lab.exchange.check(), Ok(()));
        assert_eq!(seen(&mut after, product), told, "{}", product.name());
        // It trades on under numbers that it never used before, and a client's book is again the venue's.
        trade_at_random(&mut after, 77, 40);
        assert!(after.book.last > last, "{} after {last}", after.book.last);
        let ids = |seen: &[Value]| -> Vec<u64> {
            let fills = seen.last().and_then(Value::as_array).expect("executions");
            fills.iter().filter_map(|fill| fill["id"].as_u64()).collect()
        };
        let (old, new) = (ids(&told), ids(&seen(&mut after, product)));
        assert!(new.len() > old.len() && new[..old.len()] == old[..] && new.is_sorted(), "{old:?} {new:?}");
    }
}

#[test]
fn a_state_of_other_symbols_or_accounts_is_refused() {
    let product = binance::USDM;
    let market = || Box::new(Synthetic::bitcoin(product, 1, START).expect("a market"));
    let make = |kept: KeptState, keys: &str| {
        let mut settings = settings(product);
        settings.accounts[0].api_key.push_str(keys);
        settings.kept = kept;
        spinbook_feed::venue::binance::simulator::binance(settings, market(), START)
    };
    let line = make(KeptState::Fresh, "").expect("an exchange").whole_state(START);
    let saved = SavedWorld::from_lines(&String::from_utf8(line).expect("UTF-8")).expect("a state").expect("not empty");
    let restored = |change: fn(&mut SavedWorld), keys: &str| {
        let mut saved = saved.clone();
        change(&mut saved);
        make(KeptState::Restored(Box::new(saved)), keys).map(|_| ()).map_err(|why| why.contains("does not fit"))
    };
    assert_eq!(restored(|_| {}, ""), Ok(()));
    assert_eq!(restored(|_| {}, "x"), Err(true));
    assert_eq!(restored(|saved| saved.symbols = vec!["ETHUSDT".to_owned()], ""), Err(true));
}

/// A still market, and what its exchange kept.
struct Kept {
    lab: Lab,
    file: Vec<u8>,
}

impl Kept {
    fn start(product: ProductLine) -> Kept {
        let lab = Kept::lab(product, KeptState::Fresh);
        let file = lab.exchange.whole_state(START);
        Kept { lab, file }
    }

    fn lab(product: ProductLine, kept: KeptState) -> Lab {
        let mut settings = settings(product);
        settings.kept = kept;
        Lab::new(settings, still_market(product, Vec::new()))
    }

    /// A request whose change must be kept before it is answered for.
    fn changes(&mut self, method: &str, path: &str, parameters: &[(&str, &str)]) {
        let (status, body) = self.lab.rest(method, path, parameters);
        assert_eq!(status, 200, "{body}");
        let line = self.lab.exchange.take_changes(self.lab.now);
        self.file.extend(line.unwrap_or_else(|| panic!("{method} {path} changes nothing")));
        assert_eq!(self.lab.exchange.take_changes(self.lab.now), None, "told once");
    }

    /// The next process, at the same moment.
    fn next(self) -> Lab {
        let text = String::from_utf8(self.file).expect("UTF-8");
        let saved = SavedWorld::from_lines(&text).expect("a state").expect("not empty");
        Kept::lab(self.lab.product, KeptState::Restored(Box::new(saved)))
    }
}

#[test]
fn leverages_countdowns_and_conditional_orders_are_kept_although_no_order_changes() {
    let mut before = Kept::start(binance::USDM);
    let symbol = ("symbol", "BTCUSDT");
    before.changes("POST", "/fapi/v1/leverage", &[symbol, ("leverage", "7")]);
    let stop = [
        symbol,
        ("algoType", "CONDITIONAL"),
        ("side", "SELL"),
        ("type", "STOP_MARKET"),
        ("quantity", "0.010"),
        ("triggerPrice", "60000.00"),
        ("workingType", "MARK_PRICE"),
        ("clientAlgoId", "stop"),
    ];
    before.changes("POST", "/fapi/v1/algoOrder", &stop);
    let other = stop.map(|(name, value)| (name, if value == "stop" { "gone" } else { value }));
    before.changes("POST", "/fapi/v1/algoOrder", &other);
    before.changes("DELETE", "/fapi/v1/algoOrder", &[("clientAlgoId", "gone")]);
    let order = [
        symbol,
        ("side", "BUY"),
        ("type", "LIMIT"),
        ("timeInForce", "GTC"),
        ("quantity", "0.010"),
        ("price", "63000.00"),
    ];
    before.changes("POST", "/fapi/v1/order", &order);
    before.changes("POST", "/fapi/v1/countdownCancelAll", &[symbol, ("countdownTime", "1000")]);
    let told = before.lab.rest("GET", "/fapi/v1/allAlgoOrders", &[symbol]).1;

    let mut after = before.next();
    assert_eq!(after.rest("GET", "/fapi/v3/positionRisk", &[symbol]).1[0]["leverage"], "7");
    assert_eq!(after.rest("GET", "/fapi/v1/allAlgoOrders", &[symbol]).1, told);
    let waiting = after.rest("GET", "/fapi/v1/openAlgoOrders", &[]).1;
    assert_eq!((waiting.as_array().map(Vec::len), &waiting[0]["clientAlgoId"]), (Some(1), &Value::from("stop")));
    let (status, next) = after.rest("POST", "/fapi/v1/algoOrder", &other);
    assert_eq!(status, 200, "{next}");
    let numbers: Vec<u64> =
        told.as_array().expect("a list").iter().filter_map(|algo| algo["algoId"].as_u64()).collect();
    assert!(numbers.len() == 2 && numbers.iter().all(|number| next["algoId"].as_u64() > Some(*number)), "{next}");
    let open = |lab: &mut Lab| lab.rest("GET", "/fapi/v1/openOrders", &[]).1.as_array().map(Vec::len);
    assert_eq!(open(&mut after), Some(1));
    after.run(Nanos::from_millis(900));
    assert_eq!(open(&mut after), Some(1), "its second is not over");
    after.run(Nanos::from_millis(200));
    assert_eq!(open(&mut after), Some(0), "nobody prolonged it");
}

#[test]
fn prevented_self_trades_are_kept() {
    let mut before = Kept::start(binance::SPOT);
    let order = |side: &'static str, lifetime: &'static str, id: &'static str| {
        [
            ("symbol", "BTCUSDT"),
            ("side", side),
            ("type", "LIMIT"),
            ("timeInForce", lifetime),
            ("quantity", "0.004"),
            ("price", "63999.95"),
            ("selfTradePreventionMode", "EXPIRE_MAKER"),
            ("newClientOrderId", id),
        ]
    };
    before.changes("POST", "/api/v3/order", &order("BUY", "GTC", "maker"));
    before.changes("POST", "/api/v3/order", &order("SELL", "IOC", "taker"));
    let prevented = |lab: &mut Lab, id: &str| {
        lab.rest("GET", "/api/v3/myPreventedMatches", &[("symbol", "BTCUSDT"), ("preventedMatchId", id)]).1
    };
    let told = prevented(&mut before.lab, "1");
    assert_eq!(told.as_array().map(Vec::len), Some(1), "{told}");
    let mut after = before.next();
    assert_eq!(prevented(&mut after, "1"), told);
    // The next one has the next number.
    after.rest("POST", "/api/v3/order", &order("BUY", "GTC", "maker2"));
    after.rest("POST", "/api/v3/order", &order("SELL", "IOC", "taker2"));
    assert_eq!(prevented(&mut after, "2").as_array().map(Vec::len), Some(1));
}
