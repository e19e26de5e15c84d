//! COLD: Binance's instrument lists, as documented and as broken.

use spinbook_engine::types::{Lots, QUOTE_ATOMS_PER_UNIT, QuoteAtoms, Tick};
use spinbook_feed::error::{ContractError, InstrumentError, RateLimitError};
use spinbook_feed::number::Scale;
use spinbook_feed::venue::binance;
use spinbook_feed::venue::binance::instruments::{find_instruments, parse_instruments};
use spinbook_feed::venue::binance::rate_limits::parse_windows;
use spinbook_feed::venue::contract::{Contract, ContractKind, QuantityUnit};
use spinbook_feed::venue::instrument::InstrumentStatus;
use spinbook_feed::venue::orders::WindowKind;

const SPOT: &[u8] = include_bytes!("../fixtures/binance/exchange_info_spot.json");
const USDM: &[u8] = include_bytes!("../fixtures/binance/exchange_info_usdm.json");

#[test]
fn spot_counts_in_balance_units_and_orders_in_steps() {
    let [btc, pepe] = find_instruments(binance::SPOT, SPOT, &["BTCUSDT", "PEPEUSDT"]).unwrap()[..] else { panic!() };
    assert_eq!((btc.id.0, pepe.id.0), (0, 1));
    assert_eq!(btc.price, Scale::new(8, 1_000_000).unwrap());
    assert_eq!(btc.quantity, Scale::new(8, 1).unwrap());
    assert_eq!((btc.tick_order_step, btc.lots_order_step), (1, 1_000));
    assert_eq!((btc.lots_order_min, btc.lots_order_max), (Lots(1_000), Lots(900_000_000_000)));
    assert_eq!((btc.tick_order_min, btc.tick_order_max), (Tick(1), Tick(100_000_000)));
    assert_eq!(btc.notional_min, QuoteAtoms(5 * QUOTE_ATOMS_PER_UNIT));
    // 0.01 x 0.00000001 = 10^-10 of the quote asset.
    assert_eq!(btc.atoms_per_tick_lot, 100_000_000);
    assert_eq!((btc.base_asset.as_str(), btc.quote_asset.as_str()), ("BTC", "USDT"));
    assert_eq!(btc.status, InstrumentStatus::Trading);
    // MIN_NOTIONAL instead of NOTIONAL, zero minimum price (off), large notional, cancel-only.
    assert_eq!(pepe.price, Scale::new(8, 1).unwrap());
    assert_eq!(pepe.lots_order_step, 100_000_000);
    assert_eq!(pepe.tick_order_min, Tick(0));
    assert_eq!(pepe.notional_min, QuoteAtoms(10 * QUOTE_ATOMS_PER_UNIT + QUOTE_ATOMS_PER_UNIT / 2));
    assert_eq!(pepe.status, InstrumentStatus::CancelOnly);
}

#[test]
fn usdm_takes_its_increments_from_the_filters() {
    let btc = find_instruments(binance::USDM, USDM, &["BTCUSDT"]).unwrap()[0];
    assert_eq!(btc.price, Scale::new(2, 10).unwrap(), "0.10 a tick, two decimals printed");
    assert_eq!(btc.quantity, Scale::new(3, 1).unwrap());
    assert_eq!(btc.lots_order_step, 1);
    assert_eq!(btc.notional_min, QuoteAtoms(100 * QUOTE_ATOMS_PER_UNIT));
    assert_eq!(btc.price.parse(b"63947.40"), Ok(639_474));
    // Bounds that lie between two ticks are narrowed to whole ones.
    assert_eq!(btc.tick_order_min, Tick(5_568));
}

#[test]
fn spot_and_linear_contracts_of_size_one_reach_an_engine() {
    let spot = find_instruments(binance::SPOT, SPOT, &["BTCUSDT"]).unwrap()[0];
    let usdm = find_instruments(binance::USDM, USDM, &["BTCUSDT"]).unwrap()[0];
    for (instrument, kind) in [(spot, ContractKind::Spot), (usdm, ContractKind::Linear)] {
        assert_eq!(instrument.contract.kind, kind);
        assert_eq!(instrument.contract.size_atoms, QUOTE_ATOMS_PER_UNIT);
        assert_eq!(instrument.contract.quantity_unit, QuantityUnit::BaseAsset);
        assert_eq!(instrument.contract.balance_unit, QuantityUnit::BaseAsset);
        let settings = instrument.engine_settings(-10, 500, 64).unwrap();
        assert_eq!(settings.atoms_per_tick_lot, instrument.atoms_per_tick_lot);
        assert_eq!((settings.maker_fee_millionths, settings.taker_fee_millionths), (-10, 500));
        assert_eq!((settings.lots_order_step.0, settings.outer_levels), (instrument.lots_order_step, 64));
    }
}

#[test]
fn a_contract_that_would_be_valued_wrongly_never_reaches_an_engine() {
    let mut instrument = find_instruments(binance::USDM, USDM, &["BTCUSDT"]).unwrap()[0];
    let mut refused = |contract| {
        instrument.contract = contract;
        instrument.engine_settings(0, 0, 64).unwrap_err()
    };
    assert_eq!(refused(Contract { kind: ContractKind::Inverse, ..Contract::LINEAR }), ContractError::Inverse);
    for size_atoms in [QUOTE_ATOMS_PER_UNIT / 100, QUOTE_ATOMS_PER_UNIT * 10, 0] {
        let sized = Contract { size_atoms, ..Contract::LINEAR };
        assert_eq!(refused(sized), ContractError::Size { size_atoms });
    }
    let mixed = Contract { quantity_unit: QuantityUnit::Contracts, ..Contract::LINEAR };
    assert_eq!(refused(mixed), ContractError::Units);
    let mixed = Contract { balance_unit: QuantityUnit::Contracts, ..Contract::LINEAR };
    assert_eq!(refused(mixed), ContractError::Units);
}

#[test]
fn rate_limits_are_read() {
    let limits = parse_windows(USDM).unwrap();
    let shown: Vec<_> = limits.iter().map(|limit| (limit.kind, limit.span.0 / 1_000_000_000, limit.limit)).collect();
    let (weight, orders) = (WindowKind::Weight, WindowKind::Orders);
    assert_eq!(shown, [(weight, 60, 2400), (orders, 60, 1200), (orders, 10, 300)]);
    assert!(limits.iter().all(|limit| limit.used == 0), "a list counts nothing");
}

/// A list of limits with this one changed from an ordinary one.
fn limits_with(field: &str, value: &str) -> Result<usize, RateLimitError> {
    let mut row: serde_json::Value =
        serde_json::from_str(r#"{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":300}"#).unwrap();
    row[field] = serde_json::from_str(value).unwrap();
    let other = r#"{"rateLimitType":"RAW_REQUESTS","interval":"FORTNIGHT","intervalNum":-1,"limit":0}"#;
    parse_windows(format!(r#"{{"rateLimits":[{other},{row}]}}"#).as_bytes()).map(|limits| limits.len())
}

#[test]
fn a_rate_limit_that_cannot_be_kept_is_refused_with_its_field_and_value() {
    assert_eq!(limits_with("limit", "300"), Ok(1), "kinds that are not ours are skipped, whatever they say");
    for (field, value, words) in [
        ("limit", "0", "limit is 0: nothing could ever be sent"),
        ("limit", "9223372036854775807", "limit is 9223372036854775807: not a whole number below 2^32"),
        ("limit", "-1", "not a whole number"),
        ("limit", "1e99", "not a whole number"),
        ("intervalNum", "0", "intervalNum is 0: not a whole number above zero"),
        ("intervalNum", "10000000000", "intervalNum is 10000000000: longer than a month"),
        ("intervalNum", "9223372036854775807", "longer than a month"),
        ("intervalNum", "18446744073709551615", "not a whole number above zero"),
        ("intervalNum", "null", "intervalNum is null"),
        ("interval", "\"WEEK\"", "interval is \"WEEK\": no unit of time that is known"),
    ] {
        let refused = limits_with(field, value).unwrap_err().to_string();
        assert!(refused.starts_with("rate limit ORDERS: ") && refused.contains(words), "{refused}");
    }
    let long = limits_with("interval", &format!("\"{}\"", "W".repeat(1_000_000))).unwrap_err().to_string();
    assert!(long.len() < 200, "{long}");
    assert_eq!(parse_windows(b"{}"), Err(RateLimitError::List));
    assert_eq!(parse_windows(b"<html>"), Err(RateLimitError::List));
    assert_eq!(parse_windows(br#"{"rateLimits":[]}"#), Ok(Vec::new()), "none stated: the documented ones hold");
}

#[test]
fn a_symbol_that_is_listed_twice_is_traded_by_nobody() {
    let twice = String::from_utf8(USDM.to_vec()).unwrap().replace("NOTICKUSDT", "BTCUSDT");
    let refused = find_instruments(binance::USDM, twice.as_bytes(), &["BTCUSDT"]).unwrap_err();
    assert_eq!(refused, InstrumentError::Repeated { symbol: "BTCUSDT".to_owned(), count: 2 });
    assert!(parse_instruments(binance::USDM, twice.as_bytes()).unwrap().is_empty(), "neither row is taken");
}

#[test]
fn price_rules_at_the_edge_of_every_number_are_refused() {
    let refused = |field: &str, from: &str, to: &str| {
        let list = String::from_utf8(USDM.to_vec()).unwrap().replacen(from, to, 1);
        let error = find_instruments(binance::USDM, list.as_bytes(), &["BTCUSDT"]).unwrap_err();
        assert!(matches!(&error, InstrumentError::Field { field: named, .. } if *named == field), "{error}");
    };
    // Divided by the tick these leave every decimal type.
    refused("maxPrice", r#""maxPrice":"4529764""#, r#""maxPrice":"79228162514264337593543950335""#);
    refused("minPrice", r#""minPrice":"556.80""#, r#""minPrice":"79228162514264337593543950335""#);
    refused("minPrice", r#""minPrice":"556.80""#, r#""minPrice":"-0.10""#);
    refused("tickSize", r#""tickSize":"0.10""#, r#""tickSize":"100000000000000""#);
}

#[test]
fn unusable_rules_are_named() {
    let unknown = find_instruments(binance::SPOT, SPOT, &["BTCUSDX"]).unwrap_err();
    assert_eq!(unknown.to_string(), "symbol BTCUSDX is not listed; did you mean BTCUSDT?");
    let lower = find_instruments(binance::SPOT, SPOT, &["btcusdt"]).unwrap_err();
    assert_eq!(lower.to_string(), "symbol btcusdt is not listed; did you mean BTCUSDT?");
    let error = find_instruments(binance::USDM, USDM, &["NOTICKUSDT"]).unwrap_err();
    assert!(matches!(error, InstrumentError::Field { field: "tickSize", .. }), "{error}");
    let error = find_instruments(binance::USDM, USDM, &["BADSTEPUSDT"]).unwrap_err();
    assert!(matches!(error, InstrumentError::Field { field: "stepSize", .. }), "{error}");
    assert!(matches!(find_instruments(binance::SPOT, b"<html>", &["X"]), Err(InstrumentError::List(_))));
    // The rest of the list is usable all the same.
    assert_eq!(parse_instruments(binance::USDM, USDM).unwrap().len(), 1);
}

#[test]
fn a_finer_price_than_the_increment_refines_the_instrument() {
    let btc = find_instruments(binance::USDM, USDM, &["BTCUSDT"]).unwrap()[0];
    let finer = btc.refined(-3, -4).unwrap();
    assert_eq!((finer.price, finer.quantity), (Scale::new(3, 1).unwrap(), Scale::new(4, 1).unwrap()));
    assert_eq!((finer.tick_order_step, finer.lots_order_step), (100, 10));
    assert_eq!(finer.price.decimal(finer.tick_order_step), btc.price.decimal(btc.tick_order_step));
    assert_eq!(finer.lots_order_min, Lots(10 * btc.lots_order_min.0));
    assert_eq!(btc.refined(0, 0), Some(btc), "coarser numbers change nothing");
}
