//! COLD: the exchange's markets through the production decoders and books.

use crate::lab::{SPOT_FILES, START, USDM_FILES};
use spinbook_engine::types::Nanos;
use spinbook_feed::history::recorded::Recording;
use spinbook_feed::history::recorded_instruments;
use spinbook_feed::history::verify::verify;
use spinbook_feed::sim::side::{ConnectionId, ExchangeOutput, ExchangeSide};
use spinbook_feed::testkit::recorded;
use spinbook_feed::venue::binance::simulator::binance;
use spinbook_feed::venue::binance::simulator::market::Synthetic;
use spinbook_feed::venue::binance::simulator::settings::for_instruments;
use spinbook_feed::venue::simulator_side::{PlaySpeed, next_frame};
use spinbook_feed::venue::{ProductLine, binance};

/// A synthetic market written down as a recording.
fn written(product: ProductLine, seed: u64, seconds: i64) -> Vec<u8> {
    let mut market = Synthetic::bitcoin(product, seed, START).expect("a market");
    let mut text = Vec::new();
    loop {
        let frame = next_frame(&mut market).expect("no end").expect("a frame");
        if frame.at - START > Nanos::from_seconds(seconds) {
            return text;
        }
        text.extend_from_slice(format!("{} ", frame.at.0).as_bytes());
        text.extend_from_slice(&frame.bytes);
        text.push(b'\n');
    }
}

#[test]
fn a_synthetic_market_verifies_as_a_recording_does() {
    for product in binance::PRODUCT_LINES {
        for seed in 1..=4u64 {
            let text = written(product, seed, 120);
            let folder = tempfile::tempdir().expect("a folder");
            let file = folder.path().join("synthetic");
            std::fs::write(&file, &text).expect("a file");
            let outcome = verify(&[file], Some(product), &mut |_| {});
            let report = &outcome.report;
            let symbol = &report.symbols["BTCUSDT"];
            println!(
                "{} seed {seed}: {} lines, {} depth, {} levels, bbo {}/{}, fallback {}",
                product.name(),
                report.lines,
                symbol.depth,
                symbol.levels,
                symbol.bbo_matched,
                symbol.bbo_checked,
                report.fallback
            );
            assert_eq!(outcome.problem, None, "seed {seed}");
            assert_eq!(
                (symbol.state, symbol.gaps, symbol.crossed, report.bad_frames),
                ("live", 0, 0, 0),
                "seed {seed}"
            );
            assert!(symbol.bbo_checked > 30, "seed {seed}: {}", symbol.bbo_checked);
            assert_eq!(symbol.bbo_checked, symbol.bbo_matched, "seed {seed}");
            assert!(report.scanned >= symbol.depth, "seed {seed}: the schema scanner knows every depth frame");
        }
    }
}

#[test]
fn whole_recordings_play_through_the_exchange() {
    for (product, files) in [(binance::SPOT, SPOT_FILES), (binance::USDM, USDM_FILES)] {
        let Some(files) = recorded(&files) else { return };
        let (found, instruments) = recorded_instruments(&files, None).expect("a product line");
        assert_eq!(found, product);
        let mut settings = for_instruments(product, &instruments);
        settings.play.speed = PlaySpeed::Max;
        let mut exchange = binance(settings, Box::new(Recording::new(&files)), START).expect("an exchange");
        let id = ConnectionId(1);
        exchange.on_websocket_open(id, "/stream?streams=btcusdt@depth/btcusdt@bookTicker", START).expect("accepted");
        let (mut bytes, mut turns) = (0, 0);
        while !exchange.status().market_over {
            turns += 1;
            exchange.on_timer(START + Nanos(turns));
            while let Some(output) = exchange.poll_output() {
                if let ExchangeOutput::Text { text, .. } = output {
                    bytes += text.len();
                }
            }
        }
        let status = exchange.status();
        println!("{}: {} frames played, {bytes} bytes relayed", product.name(), status.frames_played);
        assert_eq!((status.frames_unread, status.market_error), (0, None));
        assert!(status.frames_played > 70_000);
    }
}
