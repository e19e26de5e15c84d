//! COLD: bodies of REST answers: snapshot, instruments, limits, account; understood exactly or refused.

use serde_json::Value;
use spinbook_engine::types::Nanos;
use spinbook_feed::scan::ScannerChoice;
use spinbook_feed::venue::binance::account;
use spinbook_feed::venue::binance::decode::Decoder;
use spinbook_feed::venue::binance::instruments::parse_instruments;
use spinbook_feed::venue::binance::rate_limits::parse_windows;
use spinbook_feed::venue::market::{FRAME_PADDING, Message};

use super::{instruments, market, product};

/// The first byte chooses the product, the rest is the body.
pub fn check(data: &[u8]) {
    let (product, body) = product(data);
    let known = instruments(product);
    if let Ok(list) = parse_instruments(product, body) {
        let symbols: std::collections::BTreeSet<_> = list.iter().map(|instrument| instrument.symbol).collect();
        assert_eq!(symbols.len(), list.len(), "every symbol once");
        for instrument in &list {
            assert!(instrument.tick_order_step > 0 && instrument.lots_order_step > 0, "{instrument:?}");
            assert!(instrument.lots_order_min.0 >= 0 && instrument.atoms_per_tick_lot > 0, "{instrument:?}");
        }
    }
    let _ = account::parse_time(body);
    if let Ok(windows) = parse_windows(body) {
        assert!(windows.iter().all(|window| window.span > Nanos::ZERO), "{windows:?}");
    }
    let _ = account::parse_balances(product, body);
    let _ = account::parse_account_id(product, body);
    let _ = account::parse_positions(&known, body);
    let _ = account::parse_open_orders(&known, &[], body);
    if let Ok(trades) = account::parse_trades(&known, body) {
        assert!(trades.iter().all(|trade| trade.lots.0 >= 0 && trade.tick.0 >= 0));
    }
    let mut decoder = Decoder::with_scanner(product, &known, ScannerChoice::Best);
    let mut buffer = body.to_vec();
    buffer.resize(body.len() + FRAME_PADDING, b'7');
    if let Ok(Message::Snapshot { last, .. }) = decoder.decode_snapshot(0, &mut buffer, body.len()) {
        let value: Value = serde_json::from_slice(body).unwrap();
        assert_eq!(value["lastUpdateId"].as_u64(), Some(last), "{value}");
        market::levels(&known[0], &value["bids"], decoder.levels().bids());
        market::levels(&known[0], &value["asks"], decoder.levels().asks());
    }
}
