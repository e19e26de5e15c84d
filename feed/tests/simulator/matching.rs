//! COLD: matching, queues and money: rules one by one, then properties under seeded random flow.

use crate::lab::{Lab, code, settings, still_market};
use serde_json::{Value, json};
use spinbook_engine::types::{Level, Lots, Nanos, Side, Tick};
use spinbook_feed::random::Random;
use spinbook_feed::sim::api::{AccountId, SelfTrade};
use spinbook_feed::sim::fault_plan::FaultPlan;
use spinbook_feed::sim::matching::{Incoming, MatchStep, Matching};
use spinbook_feed::sim::side::{ExchangeSide, MarketFrame};
use spinbook_feed::venue::{ProductLine, binance};

const SPOT: ProductLine = binance::SPOT;
const USDM: ProductLine = binance::USDM;
const OURS: AccountId = AccountId(0);
const OTHER: AccountId = AccountId(1);

fn level(tick: i64, lots: i64) -> Level {
    Level { tick: Tick(tick), lots: Lots(lots) }
}

/// Bids 100 down to 96, asks 101 up to 105, ten lots each.
fn market() -> Matching {
    let mut market = Matching::default();
    let bids: Vec<Level> = (0..5).map(|step| level(100 - step, 10)).collect();
    let asks: Vec<Level> = (0..5).map(|step| level(101 + step, 10)).collect();
    market.seed(1, &bids, &asks, Nanos(0), &mut Vec::new());
    market
}

fn incoming(side: Side, limit: i64, lots: i64, self_trade: SelfTrade) -> Incoming {
    Incoming { account: OURS, side, limit: Some(Tick(limit)), lots: Lots(lots), self_trade }
}

fn maker_lots(steps: &[MatchStep], order: u64) -> i64 {
    steps
        .iter()
        .map(
            |step| {
                if let MatchStep::Maker { order: id, lots } = step { if *id == order { lots.0 } else { 0 } } else { 0 }
            },
        )
        .sum()
}

#[test]
fn an_order_waits_behind_what_is_displayed() {
    let mut market = market();
    market.rest(1, OURS, Side::Bid, Tick(100), Lots(5));
    let mut steps = Vec::new();
    market.trade(Side::Ask, Tick(100), Lots(6), &mut steps);
    assert!(steps.is_empty(), "six of the ten before it traded");
    assert_eq!(market.resting(Side::Bid)[0].ahead, Lots(4));
    market.trade(Side::Ask, Tick(100), Lots(7), &mut steps);
    assert_eq!(steps, [MatchStep::Maker { order: 1, lots: Lots(3) }], "four before it, three for it");
    market.trade(Side::Ask, Tick(100), Lots(100), &mut steps);
    assert_eq!(maker_lots(&steps, 1), 5);
    assert!(market.resting(Side::Bid).is_empty());
}

#[test]
fn the_queue_shrinks_when_less_is_displayed_and_never_grows() {
    let mut market = market();
    market.rest(1, OURS, Side::Bid, Tick(100), Lots(5));
    market.depth(2, &[level(100, 3)], &[], &mut Vec::new());
    assert_eq!(market.resting(Side::Bid)[0].ahead, Lots(3));
    market.depth(3, &[level(100, 50)], &[], &mut Vec::new());
    assert_eq!(market.resting(Side::Bid)[0].ahead, Lots(3), "those who come later stand behind");
    market.depth(4, &[level(100, 0)], &[], &mut Vec::new());
    assert_eq!(market.resting(Side::Bid)[0].ahead, Lots(0));
}

#[test]
fn trades_on_the_other_side_or_short_of_the_price_do_nothing() {
    let mut market = market();
    market.rest(1, OURS, Side::Bid, Tick(99), Lots(5));
    let mut steps = Vec::new();
    market.trade(Side::Bid, Tick(99), Lots(50), &mut steps);
    market.trade(Side::Ask, Tick(100), Lots(50), &mut steps);
    assert!(steps.is_empty());
    market.trade(Side::Ask, Tick(98), Lots(2), &mut steps);
    assert_eq!(
        steps,
        [MatchStep::Maker { order: 1, lots: Lots(2) }],
        "a trade through the price fills first, as far as it goes"
    );
}

#[test]
fn a_crossing_book_fills_once_what_it_displays() {
    let mut market = market();
    market.rest(1, OURS, Side::Bid, Tick(100), Lots(25));
    let mut steps = Vec::new();
    market.depth(2, &[level(100, 0), level(99, 0)], &[level(99, 4), level(100, 6)], &mut steps);
    assert_eq!(maker_lots(&steps, 1), 10);
    market.depth(3, &[], &[level(100, 6)], &mut steps);
    assert_eq!(maker_lots(&steps, 1), 10, "the same quantity does not fill twice");
    market.depth(4, &[], &[level(100, 9)], &mut steps);
    assert_eq!(maker_lots(&steps, 1), 13, "what is new does");
}

#[test]
fn a_taker_eats_levels_and_cannot_eat_them_twice() {
    let mut market = market();
    let mut steps = Vec::new();
    let left = market.take(&incoming(Side::Bid, 102, 25, SelfTrade::ExpireMaker), &mut steps);
    assert_eq!(left, Lots(5));
    let expected =
        [MatchStep::Taker { tick: Tick(101), lots: Lots(10) }, MatchStep::Taker { tick: Tick(102), lots: Lots(10) }];
    assert_eq!(steps, expected);
    steps.clear();
    assert_eq!(market.take(&incoming(Side::Bid, 102, 5, SelfTrade::ExpireMaker), &mut steps), Lots(5));
    market.depth(2, &[], &[level(101, 12)], &mut steps);
    assert_eq!(market.take(&incoming(Side::Bid, 102, 5, SelfTrade::ExpireMaker), &mut steps), Lots(3));
}

#[test]
fn accounts_meet_each_other_behind_the_displayed_queue() {
    let mut market = market();
    market.rest(9, OTHER, Side::Ask, Tick(101), Lots(5));
    let mut steps = Vec::new();
    let left = market.take(&incoming(Side::Bid, 101, 12, SelfTrade::ExpireMaker), &mut steps);
    assert_eq!(left, Lots(0));
    let expected = [
        MatchStep::Taker { tick: Tick(101), lots: Lots(10) },
        MatchStep::Taker { tick: Tick(101), lots: Lots(2) },
        MatchStep::Maker { order: 9, lots: Lots(2) },
    ];
    assert_eq!(steps, expected);
}

#[test]
fn self_trades_are_prevented_as_the_taker_says() {
    let maker = MatchStep::ExpireMaker { order: 9, lots: Lots(2) };
    let taker = MatchStep::ExpireTaker { maker: 9, tick: Tick(101), lots: Lots(2) };
    for (rule, maker_left, taker_left, expires) in [
        (SelfTrade::ExpireMaker, 0, 2, vec![maker]),
        (SelfTrade::ExpireTaker, 1, 2, vec![taker]),
        (SelfTrade::ExpireBoth, 0, 2, vec![maker, taker]),
        (SelfTrade::Allow, 1, 0, vec![]),
    ] {
        let mut market = market();
        market.rest(9, OURS, Side::Ask, Tick(101), Lots(5));
        let mut steps = Vec::new();
        let left = market.take(&incoming(Side::Bid, 101, 12, rule), &mut steps);
        let expired: Vec<MatchStep> = steps
            .iter()
            .copied()
            .filter(|step| matches!(step, MatchStep::ExpireMaker { .. } | MatchStep::ExpireTaker { .. }))
            .collect();
        assert_eq!((expired, left.0, market.resting(Side::Ask).len()), (expires, taker_left, maker_left), "{rule:?}");
    }
}

/// Random flow against a plain account of what was there to be had.
#[test]
fn nothing_fills_more_than_was_traded_or_displayed() {
    for seed in 1..=60u64 {
        let mut random = Random::new(seed);
        let mut market = market();
        let (mut next, mut asked) = (1u64, std::collections::BTreeMap::new());
        let mut filled: std::collections::BTreeMap<u64, i64> = std::collections::BTreeMap::new();
        let mut steps = Vec::new();
        for turn in 0..400u64 {
            steps.clear();
            let tick = random.between(95, 106);
            let lots = random.between(1, 20);
            let side = if random.chance(500_000) { Side::Bid } else { Side::Ask };
            let mut bound = i64::MAX;
            match random.below(5) {
                0 | 1 => {
                    let account = if random.chance(300_000) { OTHER } else { OURS };
                    let order = Incoming { account, ..incoming(side, tick, lots, SelfTrade::ExpireMaker) };
                    let could = market.fillable(&order);
                    let left = market.take(&order, &mut steps);
                    let took: i64 = steps
                        .iter()
                        .map(|step| if let MatchStep::Taker { lots, .. } = step { lots.0 } else { 0 })
                        .sum();
                    assert_eq!(took + left.0, lots, "seed {seed} turn {turn}");
                    assert!(took <= could.0, "seed {seed} turn {turn}: took {took} of {could:?}");
                    if left.0 > 0 {
                        market.rest(next, account, side, Tick(tick), left);
                        asked.insert(next, left.0);
                    }
                    next += 1;
                }
                2 => {
                    market.trade(side, Tick(tick), Lots(lots), &mut steps);
                    bound = lots;
                }
                3 => {
                    let quantity = if random.chance(300_000) { 0 } else { lots };
                    let (bids, asks) = match side {
                        Side::Bid => (vec![level(tick.min(100), quantity)], vec![]),
                        Side::Ask => (vec![], vec![level(tick.max(101), quantity)]),
                    };
                    market.depth(turn + 2, &bids, &asks, &mut steps);
                }
                _ => {
                    if let Some(first) = market.resting(side).first() {
                        let order = first.order;
                        market.remove(side, order);
                    }
                }
            }
            let made: i64 =
                steps.iter().map(|step| if let MatchStep::Maker { lots, .. } = step { lots.0 } else { 0 }).sum();
            assert!(made <= bound, "seed {seed} turn {turn}: {made} of a trade of {bound}");
            for step in &steps {
                if let MatchStep::Maker { order, lots } = step {
                    *filled.entry(*order).or_insert(0) += lots.0;
                }
            }
            for (order, lots) in &filled {
                assert!(*lots <= asked[order], "seed {seed} turn {turn}: order {order} filled {lots}");
            }
            for side in Side::BOTH {
                let ticks: Vec<i64> =
                    market.resting(side).iter().map(|resting| resting.tick.0 * -side.sign()).collect();
                assert!(ticks.is_sorted(), "seed {seed} turn {turn}: {side:?} is not in price order");
            }
        }
    }
}

/// Amounts of a JSON list by asset: units of 10^-8.
fn units(text: &Value) -> i128 {
    let text = text.as_str().expect("text");
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |text| (-1, text));
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    sign * format!("{whole}{decimals:0<8}").parse::<i128>().expect("digits")
}

/// Random orders against a synthetic market; in the end balances equal the trades, to the last unit.
#[test]
fn spot_balances_conserve_to_the_last_unit() {
    for seed in 1..=6u64 {
        let mut lab = Lab::synthetic(SPOT, seed, FaultPlan::default());
        trade_at_random(&mut lab, seed, 400);
        let (_, account) = lab.rest("GET", "/api/v3/account", &[]);
        let (_, open) = lab.rest("GET", "/api/v3/openOrders", &[]);
        let trades = all_trades(&mut lab, "/api/v3/myTrades");
        let (mut base, mut quote) = (10 * 100_000_000i128, 1_000_000 * 100_000_000i128);
        let (mut makers, mut takers) = (0, 0);
        for trade in &trades {
            let sign = if trade["isBuyer"] == true { 1 } else { -1 };
            base += sign * units(&trade["qty"]);
            quote -= sign * units(&trade["quoteQty"]);
            if trade["commissionAsset"] == "BTC" {
                base -= units(&trade["commission"])
            } else {
                quote -= units(&trade["commission"])
            }
            if trade["isMaker"] == true { makers += 1 } else { takers += 1 }
        }
        let (mut locked_base, mut locked_quote) = (0, 0);
        for order in open.as_array().expect("orders") {
            let left = units(&order["origQty"]) - units(&order["executedQty"]);
            if order["side"] == "SELL" {
                locked_base += left
            } else {
                locked_quote += left * units(&order["price"]) / 100_000_000
            }
        }
        let balance = |asset: &str| {
            let found =
                account["balances"].as_array().expect("balances").iter().find(|balance| balance["asset"] == asset);
            let found = found.expect("an asset");
            (units(&found["free"]), units(&found["locked"]))
        };
        println!("seed {seed}: {makers} maker and {takers} taker fills");
        assert!(makers > 0 && takers > 0, "seed {seed}");
        assert_eq!(balance("BTC"), (base - locked_base, locked_base), "seed {seed}");
        assert_eq!(balance("USDT"), (quote - locked_quote, locked_quote), "seed {seed}");
        let ids: Vec<u64> = trades.iter().map(|trade| trade["id"].as_u64().expect("an id")).collect();
        assert!(ids.is_sorted_by(|a, b| a < b), "seed {seed}: trade ids grow");
    }
}

#[test]
fn futures_wallets_equal_their_trades() {
    for seed in 1..=6u64 {
        let mut lab = Lab::synthetic(USDM, seed, FaultPlan::default());
        trade_at_random(&mut lab, seed, 400);
        let trades = all_trades(&mut lab, "/fapi/v1/userTrades");
        let (mut position, mut cash, mut wallet) = (0i128, 0i128, 100_000 * 100_000_000i128);
        for trade in &trades {
            let sign = if trade["buyer"] == true { 1 } else { -1 };
            position += sign * units(&trade["qty"]);
            cash -= sign * units(&trade["quoteQty"]);
            wallet += units(&trade["realizedPnl"]) - units(&trade["commission"]);
        }
        let (_, balance) = lab.rest("GET", "/fapi/v3/balance", &[]);
        let (_, risk) = lab.rest("GET", "/fapi/v3/positionRisk", &[("symbol", "BTCUSDT")]);
        println!("seed {seed}: {} fills, position {}", trades.len(), risk[0]["positionAmt"]);
        assert!(trades.len() > 20, "seed {seed}");
        assert_eq!(units(&risk[0]["positionAmt"]), position, "seed {seed}");
        assert_eq!(units(&balance[0]["balance"]), wallet, "seed {seed}");
        let realised: i128 = trades.iter().map(|trade| units(&trade["realizedPnl"])).sum();
        let value = units(&risk[0]["notional"]);
        let unrealised = units(&risk[0]["unRealizedProfit"]);
        assert_eq!(cash + value, realised + unrealised, "seed {seed}");
    }
}

fn all_trades(lab: &mut Lab, path: &str) -> Vec<Value> {
    let mut trades: Vec<Value> = Vec::new();
    loop {
        let from = trades.last().map_or(0, |trade| trade["id"].as_u64().expect("an id") + 1).to_string();
        let (status, page) = lab.rest("GET", path, &[("symbol", "BTCUSDT"), ("fromId", &from), ("limit", "1000")]);
        assert_eq!(status, 200, "{page}");
        let page = page.as_array().expect("trades").clone();
        if page.is_empty() {
            return trades;
        }
        trades.extend(page);
    }
}

/// Places, cancels and waits, as the seed says.
fn trade_at_random(lab: &mut Lab, seed: u64, turns: u64) {
    let mut random = Random::new(seed);
    let stream = if lab.product == SPOT { "/ws/btcusdt@trade" } else { "/public/ws/btcusdt@trade" };
    let id = lab.open(stream);
    let path = lab.path("order");
    for turn in 0..turns {
        lab.run(Nanos::from_millis(random.between(150, 900)));
        lab.received.remove(&id);
        let ticker = lab.path("ticker/bookTicker?symbol=BTCUSDT");
        let (_, best) = lab.get(&ticker);
        let (side, near) = if random.chance(500_000) { ("BUY", "bidPrice") } else { ("SELL", "askPrice") };
        let cents = units(&best[near]) / 1_000_000;
        let away = i128::from(random.between(-400, 4000));
        let cents = (if side == "BUY" { cents - away } else { cents + away }) / 10 * 10;
        let price = format!("{}.{:02}", cents / 100, cents % 100);
        let quantity = format!("0.{:03}", random.between(1, 40));
        let kind = ["GTC", "IOC", "FOK", if lab.product == SPOT { "LIMIT_MAKER" } else { "GTX" }]
            [usize::try_from(random.below(4)).expect("small")];
        lab.limit(side, &quantity, &price, kind, &format!("r{turn}"));
        if random.chance(300_000) {
            let old = format!("r{}", random.below(turn + 1));
            lab.rest("DELETE", &path, &[("symbol", "BTCUSDT"), ("origClientOrderId", &old)]);
        }
    }
}

#[test]
fn a_maker_five_basis_points_away_fills_within_seconds() {
    for product in binance::PRODUCT_LINES {
        let mut filled = 0;
        for seed in 1..=10u64 {
            let mut lab = Lab::synthetic(product, seed, FaultPlan::default());
            let stream = if product == SPOT { "/ws/btcusdt@trade" } else { "/public/ws/btcusdt@trade" };
            lab.open(stream);
            lab.run(Nanos::from_millis(500));
            for second in 0..20 {
                let ticker = lab.path("ticker/bookTicker?symbol=BTCUSDT");
                let (_, best) = lab.get(&ticker);
                let mid = (units(&best["bidPrice"]) + units(&best["askPrice"])) / 2 / 1_000_000;
                for (side, factor) in [("BUY", 9995), ("SELL", 10_005)] {
                    let cents = mid * factor / 10_000 / 10 * 10;
                    lab.limit(
                        side,
                        "0.002",
                        &format!("{}.{:02}", cents / 100, cents % 100),
                        "GTC",
                        &format!("{side}{second}"),
                    );
                }
                lab.run(Nanos::from_millis(500));
                for side in ["BUY", "SELL"] {
                    let path = lab.path("order");
                    lab.rest(
                        "DELETE",
                        &path,
                        &[("symbol", "BTCUSDT"), ("origClientOrderId", &format!("{side}{second}"))],
                    );
                }
            }
            let path = if product == SPOT { "/api/v3/myTrades" } else { "/fapi/v1/userTrades" };
            filled += u64::from(!all_trades(&mut lab, path).is_empty());
        }
        println!("{}: fills within 10 s in {filled} of 10 seeds", product.name());
        assert!(filled >= 9);
    }
}

#[test]
fn a_recorded_trade_fills_a_resting_order_through_the_protocol() {
    let trade = |at: i64, price: &str, quantity: &str, seller: bool| MarketFrame {
        at: Nanos::from_millis(at),
        bytes: format!(
            "{{\"stream\":\"btcusdt@trade\",\"data\":{{\"e\":\"trade\",\"E\":1,\"T\":1,\"s\":\"BTCUSDT\",\"t\":{at},\
             \"p\":\"{price}\",\"q\":\"{quantity}\",\"X\":\"MARKET\",\"m\":{seller}}}}}"
        )
        .into_bytes(),
    };
    let frames = vec![
        trade(10, "63999.90", "0.900", true),
        trade(20, "63999.90", "0.150", true),
        trade(30, "63999.80", "0.020", true),
    ];
    let mut lab = Lab::new(settings(USDM), still_market(USDM, frames));
    let id = lab.open("/market/ws/btcusdt@aggTrade");
    assert_eq!(lab.limit("BUY", "0.100", "63999.90", "GTX", "m").0, 200);
    lab.run(Nanos::from_millis(0));
    let path = lab.path("order");
    let filled = |lab: &mut Lab| {
        lab.rest("GET", &path, &[("symbol", "BTCUSDT"), ("origClientOrderId", "m")]).1["executedQty"].clone()
    };
    assert_eq!(filled(&mut lab), "0.000");
    lab.run(Nanos::from_millis(10));
    assert_eq!(filled(&mut lab), "0.050", "0.9 and 0.1 before it, then 0.05 for it");
    lab.run(Nanos::from_millis(10));
    assert_eq!(filled(&mut lab), "0.070", "what trades below its price is its");
    let heard = lab.heard(id);
    // What of them was ours is printed as ours, each with its own number, and nothing is printed twice.
    let quantities: Vec<&str> = heard.iter().filter_map(|print| print["q"].as_str()).collect();
    assert_eq!(quantities, ["0.900", "0.050", "0.100", "0.020"], "aggregated trades are made from trades");
    assert_eq!((&heard[0]["e"], &heard[0]["q"], &heard[0]["m"]), (&json!("aggTrade"), &json!("0.900"), &json!(true)));
    assert_eq!(code(&lab.limit("SELL", "0.100", "63999.90", "GTX", "n").1), -5022, "our own bid is there");
    assert!(lab.exchange.next_deadline() > lab.now);
}
