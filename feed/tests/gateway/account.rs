//! COLD: the account over REST, and its result recomputed from what the venue says.

use crate::scripted_venue::{KEY_ID, START, hmac, instrument};
use spinbook_engine::types::{InstrumentId, Lots, QUOTE_ATOMS_PER_UNIT, QuoteAtoms, Side, Tick, TradeId, VenueCode};
use spinbook_feed::venue::account::{AccountError, AccountPoint, Mids, MovedBeside, TradesSince, venue_account};
use spinbook_feed::venue::binance;
use spinbook_feed::venue::binance::account::{
    AccountRest, check_mode, parse_account_id, parse_balances, parse_open_orders, parse_positions, parse_refusal,
    parse_time, parse_trades,
};
use spinbook_feed::venue::binance::rate_limits::parse_windows;
use spinbook_feed::venue::orders::{Fee, OrderDecodeError};

const UNIT: i128 = QUOTE_ATOMS_PER_UNIT;

#[test]
fn requests_are_signed_over_exactly_what_is_sent() {
    let credentials = hmac();
    let rest = AccountRest::new(binance::SPOT, &credentials, 5_000);
    let instrument = instrument(binance::SPOT);
    let request = rest.trades(&instrument, TradesSince::Id(TradeId(77)), START);
    let (target, signature) = request.target.rsplit_once("&signature=").unwrap();
    assert_eq!(target, "/api/v3/myTrades?symbol=BTCUSDT&fromId=77&limit=1000&recvWindow=5000&timestamp=1760000000000");
    let mut expected = String::new();
    credentials.sign_onto(target.split_once('?').unwrap().1.as_bytes(), &mut expected);
    assert_eq!(signature, expected);
    assert_eq!(request.headers, [("X-MBX-APIKEY", KEY_ID.to_owned())]);
    let shown = format!("{request:?}");
    assert_eq!(shown, "GET /api/v3/myTrades", "no key and no signature in a log");
    assert!(rest.balances(START).target.starts_with("/api/v3/account?omitZeroBalances=true&recvWindow=5000&"));
    assert!(rest.positions(START).is_none() && rest.start_user_data().is_none());
    assert_eq!(rest.time().target, "/api/v3/time");
    let futures = AccountRest::new(binance::USDM, &credentials, 5_000);
    assert!(futures.positions(START).unwrap().target.starts_with("/fapi/v3/positionRisk?recvWindow=5000&timestamp="));
    assert!(futures.balances(START).target.starts_with("/fapi/v3/balance?"));
    let since = futures.trades(&instrument, TradesSince::Time(START), START);
    assert!(since.target.starts_with("/fapi/v1/userTrades?symbol=BTCUSDT&startTime=1760000000000&limit=1000&"));
    let key = futures.start_user_data().unwrap();
    assert_eq!((key.method, key.target.as_str(), key.headers.len()), ("POST", "/fapi/v1/listenKey", 1));
    let cancel = futures.cancel_all(&instrument, START);
    assert_eq!(cancel.method, "DELETE");
    assert!(cancel.target.starts_with("/fapi/v1/allOpenOrders?symbol=BTCUSDT&"));
}

#[test]
fn replies_are_read_exactly() {
    let spot = [instrument(binance::SPOT)];
    assert_eq!(parse_time(br#"{"serverTime":1499827319559}"#).unwrap().millis(), 1_499_827_319_559);
    assert!(parse_time(b"{}").is_err() && parse_time(b"<html>").is_err());
    let body = br#"{"uid":354937868,"balances":[{"asset":"BTC","free":"4723846.89208129","locked":"0.10000000"},
        {"asset":"USDT","free":"-1.5","locked":"0"}]}"#;
    let balances = parse_balances(binance::SPOT, body).unwrap();
    assert_eq!(balances[0].free, 472_384_689_208_129 * 10i128.pow(10));
    assert_eq!((balances[0].locked, balances[1].free), (UNIT / 10, -3 * UNIT / 2));
    assert_eq!(parse_account_id(binance::SPOT, body).as_deref(), Some("354937868"));
    let body = br#"[{"accountAlias":"SgsR","asset":"USDT","balance":"122607.35137903"}]"#;
    assert_eq!(parse_balances(binance::USDM, body).unwrap()[0].free, 12_260_735_137_903 * 10i128.pow(10));
    assert_eq!(parse_account_id(binance::USDM, body).as_deref(), Some("SgsR"));
    let body = br#"[{"symbol":"BTCUSDT","positionSide":"BOTH","positionAmt":"-0.025"},
        {"symbol":"ETHUSDT","positionSide":"BOTH","positionAmt":"7"}]"#;
    let positions = parse_positions(&[instrument(binance::USDM)], body).unwrap();
    assert_eq!(positions, [(InstrumentId(0), Lots(-25))]);
    let body = br#"[{"symbol":"BTCUSDT","id":28457,"orderId":100234,"price":"4.00","qty":"12.00000000",
        "commission":"10.10000000","commissionAsset":"BNB","time":1499865549590,"isBuyer":true,"isMaker":false}]"#;
    let trades = parse_trades(&spot, body).unwrap();
    assert_eq!((trades[0].trade, trades[0].side, trades[0].tick), (TradeId(28_457), Side::Bid, Tick(400)));
    assert!(matches!(trades[0].fee, Fee::Other(asset, amount) if asset.as_str() == "BNB" && amount == 101 * UNIT / 10));
    let body = br#"[{"symbol":"BTCUSDT","orderId":1,"clientOrderId":"sb10-42","side":"BUY","status":"NEW",
        "origQty":"1.0","executedQty":"0.0"}]"#;
    assert_eq!(parse_open_orders(&spot, &[], body).unwrap().len(), 1);
    let body = br#"{"rateLimits":[{"rateLimitType":"ORDERS","interval":"DAY","intervalNum":1,"limit":160000}]}"#;
    assert_eq!(parse_windows(body).unwrap()[0].limit, 160_000);
    let refusal = parse_refusal(401, br#"{"code":-2015,"msg":"Invalid API-key."}"#);
    assert_eq!((refusal.status, refusal.code), (401, VenueCode::from_number(-2015)));
    assert_eq!(parse_refusal(502, b"<html>bad gateway</html>").status, 502);
}

#[test]
fn an_account_in_hedge_mode_or_with_rows_twice_is_refused() {
    let instruments = [instrument(binance::USDM)];
    let row =
        |symbol: &str, side: &str| format!(r#"{{"symbol":"{symbol}","positionSide":"{side}","positionAmt":"0.025"}}"#);
    let read = |rows: &[String]| parse_positions(&instruments, format!("[{}]", rows.join(",")).as_bytes());
    assert_eq!(read(&[row("BTCUSDT", "BOTH"), row("ETHUSDT", "BOTH")]), Ok(vec![(InstrumentId(0), Lots(25))]));
    // The mode is the whole account's: another symbol's row shows it as well.
    for rows in [[row("BTCUSDT", "LONG"), row("BTCUSDT", "SHORT")], [row("BTCUSDT", "BOTH"), row("ETHUSDT", "SHORT")]] {
        let refused = read(&rows).unwrap_err();
        assert!(refused.to_string().contains("hedge mode"), "{refused}");
        let OrderDecodeError::HedgeMode { advice, .. } = refused else { panic!("{refused}") };
        assert!(advice.contains("one-way mode") && advice.contains("dualSidePosition=false"), "{advice}");
    }
    // Without a position the setting alone shows it.
    assert_eq!(check_mode(br#"{"dualSidePosition":false}"#), Ok(()));
    let refused = check_mode(br#"{"dualSidePosition":true}"#).unwrap_err();
    assert!(refused.to_string().contains("hedge mode"), "{refused}");
    let OrderDecodeError::HedgeModeSet { advice, .. } = refused else { panic!("{refused}") };
    assert!(advice.contains("one-way mode") && advice.contains("dualSidePosition=false"), "{advice}");
    for unclear in [&br#"{"dualSidePosition":"no"}"#[..], b"{}", b"[]", b""] {
        assert!(check_mode(unclear).is_err(), "{unclear:?}");
    }
    let twice = read(&[row("BTCUSDT", "BOTH"), row("BTCUSDT", "BOTH")]).unwrap_err();
    assert_eq!(twice.to_string(), "positions of BTCUSDT are listed twice; which holds cannot be known");
    let balances = br#"{"balances":[{"asset":"BTC","free":"1","locked":"0"},{"asset":"BTC","free":"2","locked":"0"}]}"#;
    let twice = parse_balances(binance::SPOT, balances).unwrap_err();
    assert_eq!(twice.to_string(), "balances of BTC are listed twice; which holds cannot be known");
}

fn point(btc: &str, usdt: &str) -> AccountPoint {
    let body = format!(
        r#"{{"balances":[{{"asset":"BTC","free":"{btc}","locked":"0"}},{{"asset":"USDT","free":"{usdt}","locked":"0"}}]}}"#
    );
    AccountPoint { balances: parse_balances(binance::SPOT, body.as_bytes()).unwrap(), positions: Vec::new() }
}

fn spot_trades() -> Vec<spinbook_feed::venue::account::TradeRecord> {
    let body = br#"[
        {"symbol":"BTCUSDT","id":1,"orderId":10,"price":"100.00","qty":"2.00000000","commission":"0.00200000",
         "commissionAsset":"BTC","time":1,"isBuyer":true,"isMaker":true},
        {"symbol":"BTCUSDT","id":2,"orderId":11,"price":"110.00","qty":"1.00000000","commission":"0.11000000",
         "commissionAsset":"USDT","time":2,"isBuyer":false,"isMaker":false},
        {"symbol":"BTCUSDT","id":2,"orderId":11,"price":"110.00","qty":"1.00000000","commission":"0.11000000",
         "commissionAsset":"USDT","time":2,"isBuyer":false,"isMaker":false}]"#;
    parse_trades(&[instrument(binance::SPOT)], body).unwrap()
}

#[test]
fn a_spot_result_counts_the_start_at_the_first_mid() {
    let instruments = [instrument(binance::SPOT)];
    // Bought 2 at 100 (fee 0.002 BTC), sold 1 at 110 (fee 0.11 USDT), with 5 BTC and 1000 USDT at the start.
    let (start, end) = (point("5.00000000", "1000"), point("5.99800000", "909.89"));
    let mids = [Some(Mids { first_doubled: 20_001, last_doubled: 22_000, transfers_doubled: 0 })];
    let result =
        venue_account(binance::SPOT, &instruments, &start, &end, &spot_trades(), &MovedBeside::default(), &mids)
            .unwrap();
    assert_eq!(result.positions, [(InstrumentId(0), Lots(599_800_000))]);
    assert_eq!(result.fees_quote, QuoteAtoms(UNIT / 5 + 11 * UNIT / 100), "0.002 BTC at 100 and 0.11");
    // -90.11 cash, 5.998 x 110.00 now, 5 x 100.005 at the start.
    let expected = -9_011 * UNIT / 100 + 659_780 * UNIT / 1_000 - 500_025 * UNIT / 1_000;
    assert_eq!(result.pnl_quote, QuoteAtoms(expected));
    assert_eq!((result.trades, result.fees_other), (2, 0), "the repeated trade counts once");
}

#[test]
fn a_result_that_does_not_add_up_is_an_error() {
    let instruments = [instrument(binance::SPOT)];
    let mids = [Some(Mids { first_doubled: 20_000, last_doubled: 22_000, transfers_doubled: 0 })];
    let run = |start: &AccountPoint, end: &AccountPoint, mids: &[Option<Mids>]| {
        venue_account(binance::SPOT, &instruments, start, end, &spot_trades(), &MovedBeside::default(), mids)
    };
    let start = point("5.00000000", "1000");
    let moved = run(&start, &point("6.99800000", "909.89"), &mids);
    assert!(matches!(moved, Err(AccountError::Drift { held: 199_800_000, traded: 99_800_000, .. })), "{moved:?}");
    let no_mid = run(&start, &point("5.99800000", "909.89"), &[None]);
    assert!(matches!(no_mid, Err(AccountError::NoMid(_))));
    let fraction = run(&start, &point("5.9980000001", "909.89"), &mids);
    assert!(matches!(fraction, Err(AccountError::Fraction(_))));
}

#[test]
fn a_futures_result_is_cash_and_position_at_the_last_mid() {
    let instruments = [instrument(binance::USDM)];
    let body = br#"[
        {"symbol":"BTCUSDT","id":1,"orderId":10,"price":"50000.00","qty":"0.010","commission":"0.10000000",
         "commissionAsset":"USDT","time":1,"buyer":false,"maker":true},
        {"symbol":"BTCUSDT","id":2,"orderId":11,"price":"49000.00","qty":"0.004","commission":"-0.02000000",
         "commissionAsset":"USDT","time":2,"buyer":true,"maker":true}]"#;
    let trades = parse_trades(&instruments, body).unwrap();
    let end = AccountPoint { balances: Vec::new(), positions: vec![(InstrumentId(0), Lots(-6))] };
    let mids = [Some(Mids { first_doubled: 1_000_000, last_doubled: 970_001, transfers_doubled: 0 })];
    let result = venue_account(
        binance::USDM,
        &instruments,
        &AccountPoint::default(),
        &end,
        &trades,
        &MovedBeside::default(),
        &mids,
    )
    .unwrap();
    assert_eq!(result.fees_quote, QuoteAtoms(8 * UNIT / 100));
    // 500 - 196 in cash, 0.08 fees, short 0.006 at 48500.05.
    let expected = 304 * UNIT - 8 * UNIT / 100 - 2_910_003 * UNIT / 10_000;
    assert_eq!(result.pnl_quote, QuoteAtoms(expected));
}
