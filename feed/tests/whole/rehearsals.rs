//! COLD: rehearsals keep warm what the real engine executes, and leave no trace in it.

use crate::setup;
use crate::world::instrument_at;
use spinbook_engine::counters::Counter;
use spinbook_engine::engine::Engine;
use spinbook_engine::event::{ExecutionEvent, ExecutionKind};
use spinbook_engine::intent::{Intent, IntentKind};
use spinbook_engine::ring::Consumer;
use spinbook_engine::strategy::Spread;
use spinbook_engine::types::{EPOCH_REHEARSAL, InstrumentId, Lots, Nanos, Stamp, Tick};
use spinbook_feed::net::hot::rehearsal::Rehearsal;
use spinbook_feed::random::Random;
use spinbook_feed::scan::ScannerChoice;
use spinbook_feed::session::EngineSink;
use spinbook_feed::session::flow::MarketFlow;
use spinbook_feed::sync::SyncSettings;
use spinbook_feed::venue::binance::simulator::market::Synthetic;
use spinbook_feed::venue::instrument::Instrument;
use spinbook_feed::venue::market::FrameBytes;
use spinbook_feed::venue::source::{MarketSource, RecordKind};
use spinbook_feed::venue::{ProductLine, binance};

const PRODUCTS: [ProductLine; 2] = [binance::SPOT, binance::USDM];

fn instrument(product: ProductLine) -> Instrument {
    instrument_at(product, 0, &mut setup::paper_exchange(product))
}

fn best_bid(instrument: &Instrument) -> Tick {
    Tick(instrument.price.parse(b"60000.00").unwrap())
}

fn rehearsal(product: ProductLine, amends: bool) -> Rehearsal<Spread> {
    let instrument = instrument(product);
    setup::rehearsal(product, &instrument, best_bid(&instrument), amends).expect("these settings quote")
}

/// A real engine on a made-up market, whose venue takes everything.
struct Trader {
    engine: Engine<Spread>,
    orders: Consumer<Intent>,
    cancels: Consumer<Intent>,
    flow: MarketFlow,
    market: Synthetic,
    product: ProductLine,
    sent: Vec<Intent>,
}

impl Trader {
    fn new(product: ProductLine, seed: u64) -> Trader {
        let instrument = instrument(product);
        let (mut engine, orders, cancels) = setup::engine(setup::EPOCH, &[(product, &instrument, Lots::ZERO)], false);
        let venue = product.venue_id();
        let ready = ExecutionEvent { kind: ExecutionKind::GatewayReady, venue, ..ExecutionEvent::default() };
        engine.on_execution(&ready, setup::START);
        let flow = MarketFlow::new(product, &[instrument], SyncSettings::default(), ScannerChoice::Best);
        let market = Synthetic::bitcoin(product, seed, setup::START).unwrap();
        Trader { engine, orders, cancels, flow, market, product, sent: Vec::new() }
    }

    /// One record of the market, and the venue's answers to what follows.
    fn step(&mut self) {
        let record = self.market.next().unwrap().expect("it has no end");
        let (received, length) = (Stamp { wall: record.stamp.wall, tsc: 7 }, record.length);
        let mut sink = EngineSink { engine: &mut self.engine, quiet: false };
        match record.kind {
            RecordKind::Stream => {
                self.flow.on_frame(FrameBytes::text(record.buffer, length), received, (0, true), &mut sink);
            }
            _ => {
                let _ = self.flow.on_snapshot(0, record.buffer, length, received, 0, &mut sink);
            }
        }
        while let Some(intent) = self.cancels.pop().or_else(|| self.orders.pop()) {
            self.sent.push(intent);
            let kind = if intent.kind == IntentKind::Place { ExecutionKind::Accepted } else { ExecutionKind::Canceled };
            let answer = ExecutionEvent {
                kind,
                order: intent.order,
                slot: intent.slot,
                side: intent.side,
                time: received.wall,
                venue: self.product.venue_id(),
                ..ExecutionEvent::default()
            };
            self.engine.on_execution(&answer, received.wall);
        }
        // A turn's timer: whether a book may be quoted on is looked at there.
        self.engine.on_timer(received.wall);
    }
}

fn counters(engine: &Engine<Spread>) -> Vec<(Counter, u64)> {
    engine.counters().iter().collect()
}

#[test]
fn every_rehearsal_takes_the_whole_way_of_cancels_and_places() {
    for product in PRODUCTS {
        for amends in [false, true] {
            let mut rehearsal = rehearsal(product, amends);
            for wanted in rehearsal.wanted() {
                let enough = if amends { wanted.changes >= 2 } else { wanted.cancels >= 2 && wanted.places >= 2 };
                assert!(enough, "{wanted:?}");
            }
            for turn in 0..50_000 {
                let now = setup::START + Nanos(turn * 50_000);
                assert!(rehearsal.rehearse(now), "{}: rehearsal {turn} went another way", product.name());
            }
        }
    }
}

#[test]
fn a_market_that_nothing_is_quoted_in_is_not_rehearsed() {
    let instrument = instrument(binance::USDM);
    let tiny = Tick(1);
    assert!(setup::rehearsal(binance::USDM, &instrument, tiny, false).is_none(), "prices below zero");
}

#[test]
fn a_million_rehearsals_leave_the_real_engine_as_it_was() {
    let mut trader = Trader::new(binance::USDM, 5);
    for _ in 0..10_000 {
        trader.step();
    }
    assert!(trader.sent.len() >= 40, "{} requests", trader.sent.len());
    let mut rehearsal = rehearsal(binance::USDM, false);
    let before = (format!("{:?}", trader.engine), counters(&trader.engine));
    for turn in 0..1_000_000 {
        rehearsal.rehearse(setup::START + Nanos(turn * 20_000));
        trader.engine.warm(InstrumentId(0));
        trader.flow.warm(0);
    }
    assert!(trader.orders.is_empty() && trader.cancels.is_empty());
    assert!((format!("{:?}", trader.engine), counters(&trader.engine)) == before, "something moved");
    assert!(trader.sent.iter().all(|intent| intent.order.epoch() == setup::EPOCH));
}

#[test]
fn rehearsals_at_random_turns_change_no_bit_of_what_is_sent() {
    for product in PRODUCTS {
        for seed in 1..=3 {
            let (mut plain, mut warm) = (Trader::new(product, seed), Trader::new(product, seed));
            let (mut rehearsal, mut random) = (rehearsal(product, false), Random::new(seed));
            for _ in 0..4_000 {
                plain.step();
                for turn in 0..random.below(3) {
                    rehearsal.rehearse(setup::START + Nanos(turn as i64));
                    warm.engine.warm(InstrumentId(0));
                    warm.flow.warm(0);
                }
                warm.step();
            }
            assert!(plain.sent.len() > 20, "{}: {} requests", product.name(), plain.sent.len());
            assert!(plain.sent == warm.sent, "{}, seed {seed}: rehearsals changed what is sent", product.name());
        }
    }
}

#[test]
fn an_understudy_is_known_by_its_epoch() {
    let instrument = instrument(binance::SPOT);
    let markets = [(binance::SPOT, &instrument, Lots::ZERO)];
    let settings = setup::engine_settings(setup::EPOCH, &markets, false);
    let mut understudy = spinbook_engine::setup::understudy(&settings, 0, setup::spread(&markets)).unwrap();
    assert!(understudy.engine().is_understudy() && understudy.engine().epoch() == EPOCH_REHEARSAL);
    let (engine, ..) = setup::engine(setup::EPOCH, &markets, false);
    assert!(!engine.is_understudy());
}
