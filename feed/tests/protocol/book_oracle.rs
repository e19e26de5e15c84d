//! COLD: books rebuilt from recordings against a plain BTreeMap that sees the same judged events.

use std::collections::BTreeMap;

use crate::support;
use spinbook_engine::event::{MarketEvent, MarketKind, MarketReply};
use spinbook_engine::types::{Level, Nanos, Side};
use spinbook_feed::history::player::{Markets, Player};
use spinbook_feed::history::recorded::Recording;
use spinbook_feed::history::recorded_instruments;
use spinbook_feed::scan::ScannerChoice;
use spinbook_feed::session::MarketSink;

/// How often the whole book is compared; best levels are compared after every message.
const WHOLE_EVERY: u64 = 500;

struct Oracle {
    markets: Markets,
    bids: Vec<BTreeMap<i64, i64>>,
    asks: Vec<BTreeMap<i64, i64>>,
    compared: u64,
    whole: u64,
}

impl MarketSink for Oracle {
    fn on_market(&mut self, event: &MarketEvent, bids: &[Level], asks: &[Level], now: Nanos) -> MarketReply {
        let answer = self.markets.on_market(event, bids, asks, now);
        if !matches!(event.kind, MarketKind::Snapshot | MarketKind::Delta) {
            return answer;
        }
        let index = event.instrument.index();
        for (sides, levels) in [(&mut self.bids, bids), (&mut self.asks, asks)] {
            let side = &mut sides[index];
            if event.kind == MarketKind::Snapshot {
                side.clear();
            }
            for level in levels {
                if level.lots.is_zero() {
                    side.remove(&level.tick.0);
                } else {
                    side.insert(level.tick.0, level.lots.0);
                }
            }
        }
        let book = self.markets.market(index).book();
        let best = |level: Option<Level>| level.map(|level| (level.tick.0, level.lots.0));
        assert_eq!(best(book.best_bid()), self.bids[index].last_key_value().map(|(tick, lots)| (*tick, *lots)));
        assert_eq!(best(book.best_ask()), self.asks[index].first_key_value().map(|(tick, lots)| (*tick, *lots)));
        self.compared += 1;
        if self.compared % WHOLE_EVERY == 1 {
            self.whole += 1;
            let levels = |side| book.levels(side).map(|level| (level.tick.0, level.lots.0));
            assert!(levels(Side::Bid).eq(self.bids[index].iter().rev().map(|(tick, lots)| (*tick, *lots))));
            assert!(levels(Side::Ask).eq(self.asks[index].iter().map(|(tick, lots)| (*tick, *lots))));
            book.check().unwrap();
        }
        answer
    }
}

fn compare(names: &[&str], at_least: u64) {
    let Some(files) = support::recorded(names) else { return };
    let (product, instruments) = recorded_instruments(&files, None).unwrap();
    let oracle = Oracle {
        markets: Markets::new(&instruments),
        bids: vec![BTreeMap::new(); instruments.len()],
        asks: vec![BTreeMap::new(); instruments.len()],
        compared: 0,
        whole: 0,
    };
    let mut player = Player::new(product, &instruments, ScannerChoice::Best, oracle);
    player.play_all(&mut Recording::new(&files)).unwrap();
    println!("{} messages compared, {} whole books", player.sink().compared, player.sink().whole);
    assert!(player.sink().compared >= at_least);
}

#[test]
fn usdm_2024() {
    compare(&support::USDM_2024, 9_000);
}

#[test]
fn usdm_2023() {
    compare(&support::USDM_2023, 16_000);
}

#[test]
fn spot_2024() {
    compare(&support::SPOT_2024, 6_400);
}

#[test]
fn usdm_alts() {
    compare(&support::USDM_ALTS, 700);
}
