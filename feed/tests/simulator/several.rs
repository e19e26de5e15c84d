//! COLD: several symbols in one made-up market, and several product lines behind one address.

use crate::lab::{START, settings};
use serde_json::Value;
use spinbook_engine::types::Nanos;
use spinbook_feed::history::verify::verify;
use spinbook_feed::sim::several::{Member, SeveralExchanges};
use spinbook_feed::sim::side::{ConnectionId, ExchangeOutput, ExchangeSide, HttpRequest};
use spinbook_feed::venue::simulator_side::{ChosenSymbol, SimulatorSide, next_frame};
use spinbook_feed::venue::{ProductLine, binance};

fn simulator(product: ProductLine) -> &'static dyn SimulatorSide {
    product.simulator().expect("it has one")
}

fn chosen(symbol: &str, price: Option<&str>) -> ChosenSymbol {
    ChosenSymbol { symbol: symbol.to_owned(), price: price.map(|price| price.parse().expect("a price")) }
}

#[test]
fn a_market_of_several_symbols_is_whole_for_each() {
    let symbols =
        [chosen("BTCUSDT", None), chosen("ETHUSDT", None), chosen("FOOUSDT", Some("1.25")), chosen("XRPUSDT", None)];
    for product in binance::PRODUCT_LINES {
        let mut market = simulator(product).synthetic(product, &symbols, 7, START).expect("a market");
        let mut text = String::new();
        loop {
            let frame = next_frame(market.source.as_mut()).expect("no end").expect("a frame");
            if frame.at - START > Nanos::from_seconds(20) {
                break;
            }
            let frame_text = String::from_utf8(frame.bytes).expect("UTF-8");
            text.push_str(&format!("{} {frame_text}\n", frame.at.0));
        }
        for symbol in &symbols {
            // A recording is of one symbol: its snapshot names none.
            let name = symbol.symbol.to_lowercase();
            let place = symbols.iter().position(|other| other == symbol).expect("listed");
            let mut snapshots = 0;
            let own: Vec<&str> = text
                .lines()
                .filter(|line| {
                    let is_snapshot = !line.contains("{\"stream\"");
                    snapshots += usize::from(is_snapshot);
                    (is_snapshot && snapshots == place + 1) || line.contains(&format!("\"{name}@"))
                })
                .collect();
            let folder = tempfile::tempdir().expect("a folder");
            let file = folder.path().join(format!("{name}_20261120"));
            std::fs::write(&file, own.join("\n") + "\n").expect("a file");
            let outcome = verify(&[file], Some(product), &mut |_| {});
            let report = &outcome.report.symbols[&symbol.symbol];
            assert_eq!((report.state, report.gaps, report.crossed), ("live", 0, 0), "{} {name}", product.name());
            assert_eq!(report.bbo_checked, report.bbo_matched);
        }
    }
}

#[test]
fn a_symbol_without_a_price_or_a_name_is_refused_with_words() {
    let product = binance::SPOT;
    for (symbol, words) in [
        (chosen("FOOUSDT", None), "FOOUSDT needs a price"),
        (chosen("FOOUSDT", Some("0.001")), "no price between"),
        (chosen("FOO", Some("1")), "no pair of assets"),
    ] {
        let why = simulator(product).synthetic(product, &[symbol], 7, START).err().expect("refused");
        assert!(why.contains(words), "{why}");
    }
}

#[test]
fn two_product_lines_share_an_address_and_what_is_asked_in_vain_is_told_once() {
    let symbols = [chosen("BTCUSDT", None), chosen("ETHUSDT", None)];
    let member = |product: ProductLine| -> Member {
        let market = simulator(product).synthetic(product, &symbols, 7, START).expect("a market");
        let mut settings = settings(product);
        settings.listings = market.listings;
        let exchange = simulator(product).exchange(settings, market.source, START).expect("an exchange");
        (Box::new(move |path| simulator(product).owns_path(product, path)), exchange)
    };
    let mut both = SeveralExchanges::new(binance::PRODUCT_LINES.into_iter().map(member).collect());
    let mut get = |target: &str| -> (u16, Value) {
        let request = HttpRequest { method: "GET", target, headers: &[], body: b"" };
        let response = both.on_http(&request, START);
        (response.status, serde_json::from_slice(&response.body).expect("JSON"))
    };
    assert_eq!(get("/api/v3/ping").0, 200);
    assert_eq!(get("/fapi/v1/ping").0, 200);
    for path in ["/api/v3/depth?symbol=ETHUSDT&limit=5", "/fapi/v1/depth?symbol=ETHUSDT&limit=5"] {
        let (status, body) = get(path);
        assert!(status == 200 && body["bids"][0][0].as_str().is_some_and(|price| price.starts_with("3")), "{body}");
    }
    assert_eq!(get("/api/v3/nothing").0, 404);
    assert_eq!(get("/api/v3/nothing").0, 404);
    assert_eq!(both.poll_notice().as_deref(), Some("no request is GET /api/v3/nothing"));
    assert_eq!(both.poll_notice(), None);
    // One client listens to each.
    for (id, target) in [(1, "/ws/ethusdt@depth@100ms"), (2, "/public/ws/ethusdt@depth@100ms")] {
        both.on_websocket_open(ConnectionId(id), target, START).expect("accepted");
    }
    let mut heard = [0; 2];
    let mut now = START;
    while now < START + Nanos::from_seconds(2) {
        now = now + Nanos::from_millis(10);
        both.on_timer(now);
        while let Some(output) = both.poll_output() {
            if let ExchangeOutput::Text { connection, text } = output {
                let message: Value = serde_json::from_slice(&text).expect("JSON");
                assert_eq!(message["s"], "ETHUSDT");
                assert_eq!(message.get("pu").is_some(), connection.0 == 2, "only futures tell the number before");
                heard[connection.0 as usize - 1] += 1;
            }
        }
    }
    assert!(heard.iter().all(|count| *count > 10), "{heard:?}");
    assert_eq!(both.check(), Ok(()));
}
