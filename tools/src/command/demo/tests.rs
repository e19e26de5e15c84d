//! COLD: the demo's sizes, and its runs in virtual time: they repeat, and they neither win nor lose by construction.

use std::ops::RangeInclusive;
use std::thread;
use std::time::Duration;

use spinbook_engine::counters::Counter;
use spinbook_engine::strategy::Spread;
use spinbook_engine::types::{AssetGroupId, QUOTE_ATOMS_PER_UNIT, QuoteAtoms};
use spinbook_feed::venue::binance;
use spinbook_feed::venue::binance::instruments::find_instruments;

use super::*;
use crate::config::strategies::StrategyConfig;
use crate::config::value::KeepWarmChoice;
use crate::run::plan::Finished;
use crate::run::report::report;

fn decimal(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

#[test]
fn orders_fit_any_instrument_and_price() {
    let list = |symbol: &str, tick: &str, step: &str, notional: &str| {
        format!(
            r#"{{"symbols":[{{"symbol":"{symbol}","status":"TRADING","baseAsset":"X","quoteAsset":"USDT",
            "pricePrecision":8,"quantityPrecision":8,"filters":[
            {{"filterType":"PRICE_FILTER","minPrice":"{tick}","maxPrice":"1000000","tickSize":"{tick}"}},
            {{"filterType":"LOT_SIZE","minQty":"{step}","maxQty":"100000000","stepSize":"{step}"}},
            {{"filterType":"MIN_NOTIONAL","notional":"{notional}"}}]}}]}}"#
        )
    };
    for (symbol, tick, step, notional, price, order) in [
        ("BTCUSDT", "0.10", "0.001", "50", "64000.1", "0.001"),
        ("BTCUSDT", "0.10", "0.001", "50", "27000.1", "0.003"),
        ("SUSHIUSDT", "0.0010", "1", "5", "7.7910", "7"),
        ("AKROUSDT", "0.00001", "1", "5", "0.01234", "4052"),
    ] {
        let list = list(symbol, tick, step, notional);
        let found = find_instruments(binance::USDM, list.as_bytes(), &[symbol]).expect("a listing");
        let sizes = sizes(&found[0], (decimal(price), decimal(price))).expect("a size");
        assert_eq!(sizes.order, decimal(order), "{symbol} at {price}");
        assert_eq!(sizes.position_max, sizes.order * decimal("20"));
        assert!(
            sizes.order * decimal(price) >= decimal(notional) && sizes.notional_max >= sizes.order_max * decimal(price)
        );
    }
    let list = list("X", "0.1", "0.001", "5");
    let found = find_instruments(binance::USDM, list.as_bytes(), &["X"]).expect("a listing");
    assert_eq!(sizes(&found[0], (Decimal::ZERO, Decimal::ZERO)), None);
}

#[test]
fn overrides_are_checked_before_anything_starts_and_what_the_demo_chooses_is_refused() {
    let check = |sets: &[&str]| {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        check_sets(&sets).map_err(|failure| format!("{failure:?}"))
    };
    assert_eq!(check(&["engine.keep_warm=all", "strategy.levels=2", "risk.open_orders_max=4"]), Ok(()));
    for (wrong, word) in [
        ("engine.keep_wram=all", "keep_warm"),
        ("engine.keep_warm=hot", "keep_warm"),
        ("engine.keep_warm", "KEY=VALUE"),
        ("market.0.symbols=[\"ETHUSDT\"]", "is the demo's own"),
        ("engine.hot_core=0", "is the demo's own"),
    ] {
        let why = check(&[wrong]).expect_err(wrong);
        assert!(why.contains(word), "{wrong}: {why}");
    }
}

#[test]
fn an_override_is_in_the_configuration_that_is_traded_with() {
    let keep_warm = |sets: &[&str]| {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        let served = [Served { venue: "binance-usdm", ready: None }];
        let sizes = Sizes {
            order: decimal("0.001"),
            order_max: decimal("0.01"),
            notional_max: decimal("2000"),
            position_max: decimal("0.02"),
        };
        let traded = [Traded { symbol: "BTCUSDT".to_owned(), sizes }];
        let config = demo_config(&served, &traded, (Path::new("state"), None), &sets).expect("it is valid");
        config.engine.keep_warm
    };
    let other = if keep_warm(&[]) == KeepWarmChoice::Path { "all" } else { "path" };
    assert_ne!(keep_warm(&[&format!("engine.keep_warm={other}")]), keep_warm(&[]));
}

/// The demo of one venue in virtual time, as far as its report is made from.
fn virtual_run(venue: &str, seed: u64, seconds: u64) -> Finished<Spread> {
    let seconds = Duration::from_secs(seconds);
    let arguments = DemoArgs {
        seconds,
        data: Vec::new(),
        venue: venue.to_owned(),
        speed: Speed::Times(1.0),
        seed: Some(seed),
        set: Vec::new(),
        is_virtual: true,
        unpinned: false,
    };
    let venues = venues_of(&arguments).expect("a venue");
    let (plan, markets) = virtual_plan(&arguments, &venues).expect("a plan");
    let StrategyConfig::Spread(spread) = plan.config.strategy.clone();
    virtual_time::trade(plan, &spread, markets).expect("a run")
}

#[test]
fn gateways_in_virtual_time_fetch_executions_and_compare_holdings_as_in_any_run() {
    for venue in ["binance-spot", "binance-usdm"] {
        let finished = virtual_run(venue, 7, 5);
        let gateway = &finished.ended.gateways[0];
        assert!(gateway.counters().back_fills > 0, "{venue}: {:?}", gateway.counters());
        let instrument = gateway.instruments()[0].id;
        let held = finished.ended.hot.0.position(instrument).lots();
        assert_eq!(gateway.venue_position(instrument), Some(held), "{venue}");
        assert_eq!(gateway.halt_message(), None, "{venue}");
    }
}

#[test]
fn the_same_seed_is_the_same_report_to_the_byte_and_another_is_not() {
    for venue in ["binance-usdm", "binance-spot", "all"] {
        let report = |seed| {
            let done = report(&virtual_run(venue, seed, 10)).expect("a report");
            assert_eq!(done.exit, Exit::Done, "{venue}: {}", done.text);
            assert_eq!(done.json["account"], done.json["venue_account"], "{venue}: {}", done.text);
            (done.text, done.json.to_string())
        };
        let first = report(7);
        assert_eq!(first, report(7), "{venue}");
        assert_ne!(first, report(8), "{venue}");
        assert!(first.0.contains("10.0 s of virtual time, seed 7"), "{}", first.0);
    }
}

/// What trading brought and paid, in millionths of the quote asset, one entry a seed.
fn results(venue: &'static str, seeds: RangeInclusive<u64>) -> Vec<(i64, i64, u64)> {
    let one = move |seed: u64| {
        let finished = virtual_run(venue, seed, 60);
        let engine = &finished.ended.hot.0;
        let millionths =
            |atoms: QuoteAtoms| i64::try_from(atoms.0 / (QUOTE_ATOMS_PER_UNIT / 1_000_000)).expect("small");
        let (pnl, fees) = (engine.trading_pnl(AssetGroupId(0)), engine.fees(AssetGroupId(0)));
        (millionths(pnl), millionths(fees), engine.counters().value(Counter::Fills))
    };
    let seeds: Vec<u64> = seeds.collect();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let results = thread::scope(|scope| {
        let share = |place: usize| seeds.iter().copied().skip(place).step_by(threads).collect::<Vec<_>>();
        let workers: Vec<_> = (0..threads)
            .map(|place| {
                let seeds = share(place);
                scope.spawn(move || seeds.into_iter().map(one).collect::<Vec<_>>())
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a run")).collect::<Vec<_>>()
    });
    assert_eq!(results.len(), seeds.len());
    results
}

/// Over many minutes a maker who pays the venue's fees comes out even: what it earns is chance, what it pays is not.
fn comes_out_even(venue: &'static str) {
    let results = results(venue, 1..=200);
    let count = results.len() as f64;
    let mean = results.iter().map(|(pnl, ..)| *pnl as f64).sum::<f64>() / count;
    let variance = results.iter().map(|(pnl, ..)| (*pnl as f64 - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let error = (variance / count).sqrt();
    let gains = results.iter().filter(|(pnl, ..)| *pnl > 0).count();
    let fills: u64 = results.iter().map(|(.., fills)| fills).sum();
    let fees = results.iter().map(|(_, fees, _)| *fees as f64).sum::<f64>() / count;
    println!(
        "{venue}: mean {:.5} +- {:.5} of 200 runs, {gains} gained, fees {:.5}, {:.1} fills a run",
        mean / 1e6,
        error / 1e6,
        fees / 1e6,
        fills as f64 / count
    );
    assert!(mean.abs() <= 2.0 * error, "{venue}: {mean} is beyond two standard errors of {error}");
    assert!((40..=160).contains(&gains), "{venue}: {gains} of 200 runs gained");
    assert!(fees > 4.0 * error, "{venue}: fees of {fees} are paid, and not lost in chance: {error}");
    assert!(fills >= 600, "{venue}: {fills} fills in 200 minutes");
}

#[test]
fn two_hundred_minutes_on_futures_neither_win_nor_lose() {
    comes_out_even("binance-usdm");
}

#[test]
fn two_hundred_minutes_on_spot_neither_win_nor_lose() {
    comes_out_even("binance-spot");
}
