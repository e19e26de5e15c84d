//! COLD: one market session against a venue in miniature, on virtual time.

use crate::support;
use spinbook_engine::event::{LostReason, MarketEvent, MarketKind, MarketReply};
use spinbook_engine::types::{InstrumentId, Level, Nanos, Stamp};
use spinbook_feed::session::{
    CloseReason, FrameOutcome, MarketSession, MarketSink, SessionAction, SessionError, SessionSettings,
};
use spinbook_feed::venue::binance::decode::FRAME_BYTES_MAX;
use spinbook_feed::venue::market::{FRAME_PADDING, FrameBytes};
use spinbook_feed::venue::{ProductLine, binance};

/// What the session told its books.
#[derive(Default)]
struct Told {
    events: Vec<(u16, MarketKind, u64, LostReason)>,
    /// Answers to give to the next events, newest last.
    answer: Option<MarketReply>,
}

impl MarketSink for Told {
    fn on_market(&mut self, event: &MarketEvent, _bids: &[Level], _asks: &[Level], _now: Nanos) -> MarketReply {
        self.events.push((event.instrument.0, event.kind, event.sequence, event.lost));
        self.answer.take().unwrap_or(MarketReply::Ok)
    }
}

struct Rig {
    session: MarketSession,
    told: Told,
    now: Nanos,
    product: ProductLine,
}

impl Rig {
    fn new(product: ProductLine, change: impl FnOnce(&mut SessionSettings)) -> Rig {
        let mut settings = SessionSettings::of(product);
        change(&mut settings);
        let instruments = [
            support::instrument(product, 4, "BTCUSDT", "0.10", "0.001"),
            support::instrument(product, 7, "ETHUSDT", "0.01", "0.001"),
        ];
        let session = MarketSession::new(product, &instruments, settings).unwrap();
        Rig { session, told: Told::default(), now: Nanos::from_seconds(1_000), product }
    }

    /// A session whose first connections are open and subscribed.
    fn subscribed(product: ProductLine, change: impl FnOnce(&mut SessionSettings)) -> Rig {
        let mut rig = Rig::new(product, change);
        rig.session.start(rig.now);
        let opens = rig.actions();
        assert!(opens.iter().all(|action| matches!(action, SessionAction::Open { .. })));
        for action in opens {
            let SessionAction::Open { path } = action else { unreachable!() };
            rig.connect(path);
        }
        rig
    }

    fn connect(&mut self, path: u8) {
        self.session.on_open(path, self.now);
        for action in self.actions() {
            let SessionAction::Send { path, message } = action else { panic!("{action:?}") };
            let text = self.session.message(message).to_owned();
            assert!(text.starts_with("{\"method\":\"SUBSCRIBE\",\"params\":[\""), "{text}");
            let id: u64 = text.rsplit("\"id\":").next().unwrap().trim_end_matches('}').parse().unwrap();
            self.frame(path, &format!("{{\"result\":null,\"id\":{id}}}"));
        }
    }

    fn actions(&mut self) -> Vec<SessionAction> {
        std::iter::from_fn(|| self.session.poll_action()).collect()
    }

    fn frame(&mut self, path: u8, text: &str) -> FrameOutcome {
        let mut buffer = text.as_bytes().to_vec();
        buffer.resize(text.len() + FRAME_PADDING, 0);
        let received = Stamp { wall: self.now, tsc: 0 };
        let frame = FrameBytes::text(&mut buffer, text.len());
        let outcome = self.session.on_frame(path, frame, received, &mut self.told);
        self.session.check();
        outcome
    }

    fn depth(&mut self, path: u8, symbol: &str, first: u64, last: u64) -> FrameOutcome {
        let previous = if self.product == binance::SPOT { String::new() } else { format!("\"pu\":{},", first - 1) };
        let stream = symbol.to_lowercase();
        self.frame(
            path,
            &format!(
                "{{\"stream\":\"{stream}@depth@100ms\",\"data\":{{\"e\":\"depthUpdate\",\"E\":1626992741037,\"s\":\"{symbol}\",\
                 \"U\":{first},\"u\":{last},{previous}\"b\":[[\"7.60\",\"1.000\"]],\"a\":[]}}}}"
            ),
        )
    }

    fn snapshot(&mut self, instrument: u16, last: u64) {
        let text = format!("{{\"lastUpdateId\":{last},\"bids\":[[\"7.50\",\"1\"]],\"asks\":[[\"7.70\",\"1\"]]}}");
        let mut buffer = text.as_bytes().to_vec();
        buffer.resize(text.len() + FRAME_PADDING, 0);
        let received = Stamp { wall: self.now, tsc: 0 };
        self.session.on_snapshot(InstrumentId(instrument), &mut buffer, text.len(), received, &mut self.told);
        self.session.check();
    }

    /// Lets time pass in the session's own steps and collects what it wants.
    fn pass(&mut self, span: Nanos) -> Vec<(Nanos, SessionAction)> {
        let end = self.now + span;
        let mut wanted = Vec::new();
        while self.session.next_deadline() <= end {
            self.now = self.now.max(self.session.next_deadline());
            self.session.on_timer(self.now, &mut self.told);
            self.session.check();
            let now = self.now;
            wanted.extend(self.actions().into_iter().map(|action| (now, action)));
        }
        self.now = end;
        wanted
    }

    /// Both books live at update 105.
    fn live(product: ProductLine, change: impl FnOnce(&mut SessionSettings)) -> Rig {
        let mut rig = Rig::subscribed(product, change);
        for (symbol, instrument) in [("BTCUSDT", 4), ("ETHUSDT", 7)] {
            rig.depth(0, symbol, 101, 105);
            let limit = rig.product.card().snapshot_levels;
            let wanted = SessionAction::FetchSnapshot { instrument: InstrumentId(instrument), limit };
            assert_eq!(rig.actions(), [wanted]);
            rig.snapshot(instrument, 100);
        }
        assert_eq!(rig.session.live_count(), 2);
        rig.told.events.clear();
        rig
    }

    fn lost(&self) -> Vec<(u16, LostReason)> {
        self.told
            .events
            .iter()
            .filter(|(_, kind, ..)| *kind == MarketKind::Lost)
            .map(|(instrument, _, _, reason)| (*instrument, *reason))
            .collect()
    }
}

const BOTH: [ProductLine; 2] = binance::PRODUCT_LINES;

#[test]
fn routes_and_subscriptions() {
    let mut spot = Rig::new(binance::SPOT, |_| {});
    spot.session.start(spot.now);
    assert_eq!(spot.actions(), [SessionAction::Open { path: 0 }]);
    assert_eq!((spot.session.path_count(), spot.session.target(0)), (2, "/stream"));
    spot.session.on_open(0, spot.now);
    assert_eq!(spot.actions(), [SessionAction::Send { path: 0, message: 0 }], "one message for everything");
    assert_eq!(
        spot.session.message(0),
        "{\"method\":\"SUBSCRIBE\",\"params\":[\"btcusdt@depth@100ms\",\"btcusdt@bookTicker\",\"btcusdt@trade\",\
         \"ethusdt@depth@100ms\",\"ethusdt@bookTicker\",\"ethusdt@trade\"],\"id\":1}"
    );
    let mut usdm = Rig::new(binance::USDM, |_| {});
    usdm.session.start(usdm.now);
    assert_eq!(usdm.actions(), [SessionAction::Open { path: 0 }, SessionAction::Open { path: 2 }]);
    assert_eq!((usdm.session.target(0), usdm.session.target(2)), ("/public/stream", "/market/stream"));
    usdm.session.on_open(2, usdm.now);
    let [SessionAction::Send { path: 2, message }] = usdm.actions()[..] else { panic!() };
    assert!(usdm.session.message(message).contains("[\"btcusdt@aggTrade\",\"ethusdt@aggTrade\"]"));
}

#[test]
fn books_go_live_by_buffer_snapshot_and_replay() {
    for product in BOTH {
        let mut rig = Rig::subscribed(product, |_| {});
        rig.depth(0, "BTCUSDT", 101, 105);
        rig.depth(0, "BTCUSDT", 106, 108);
        assert_eq!(rig.actions().len(), 1, "one snapshot, not one an update");
        assert!(rig.told.events.is_empty(), "nothing is told before the snapshot");
        rig.snapshot(4, 103);
        let sequences: Vec<(MarketKind, u64)> = rig.told.events.iter().map(|event| (event.1, event.2)).collect();
        let expected = [(MarketKind::Snapshot, 103), (MarketKind::Delta, 105), (MarketKind::Delta, 108)];
        assert_eq!(sequences, expected);
        assert!(rig.session.is_live(InstrumentId(4)) && !rig.session.is_live(InstrumentId(7)));
        rig.snapshot(4, 120);
        assert_eq!(rig.told.events.len(), 3, "a snapshot nobody asked for changes nothing");
    }
}

#[test]
fn a_gap_darkens_one_symbol_and_a_snapshot_brings_it_back() {
    for product in BOTH {
        let mut rig = Rig::live(product, |_| {});
        rig.depth(0, "BTCUSDT", 107, 110);
        assert_eq!(rig.lost(), [(4, LostReason::Gap)], "told in the same call");
        assert!(matches!(rig.actions()[..], [SessionAction::FetchSnapshot { instrument: InstrumentId(4), .. }]));
        rig.depth(0, "ETHUSDT", 106, 107);
        assert_eq!(rig.told.events.last().unwrap().0, 7, "the other symbol goes on");
        rig.depth(0, "BTCUSDT", 111, 112);
        // A stale one is refused, asked for again after a pause, and then joined.
        rig.snapshot(4, 105);
        assert!(!rig.session.is_live(InstrumentId(4)) && rig.actions().is_empty());
        let again = rig.pass(Nanos::from_seconds(1));
        assert!(matches!(again[..], [(_, SessionAction::FetchSnapshot { .. })]), "{again:?}");
        rig.snapshot(4, 110);
        assert_eq!(rig.session.live_count(), 2);
        let counters = rig.session.counters();
        assert_eq!((counters.gaps, counters.resyncs, counters.snapshots_failed), (1, 1, 1));
    }
}

#[test]
fn duplicates_are_dropped_and_wrong_symbols_counted() {
    for product in BOTH {
        let mut rig = Rig::live(product, |_| {});
        rig.depth(0, "BTCUSDT", 101, 105);
        assert!(rig.told.events.is_empty() && rig.actions().is_empty());
        assert!(matches!(rig.depth(0, "DOGEUSDT", 106, 107), FrameOutcome::Bad { .. }));
        let mixed = rig.frame(
            0,
            "{\"stream\":\"ethusdt@bookTicker\",\"data\":{\"u\":9,\"s\":\"BTCUSDT\",\"b\":\"1.00\",\"B\":\"1\",\"a\":\"2.00\",\"A\":\"1\"}}",
        );
        assert!(matches!(mixed, FrameOutcome::Bad { .. }));
        let counters = rig.session.counters();
        assert_eq!((counters.duplicates, counters.wrong_symbol, rig.session.live_count()), (1, 2, 2));
    }
}

#[test]
fn a_bad_depth_frame_darkens_its_book_at_once() {
    let mut rig = Rig::live(binance::USDM, |_| {});
    let bad = "{\"stream\":\"btcusdt@depth@100ms\",\"data\":{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"BTCUSDT\",\"U\":106,\
               \"u\":106,\"pu\":105,\"b\":[[\"-7.60\",\"1\"]],\"a\":[]}}";
    assert!(matches!(rig.frame(0, bad), FrameOutcome::Bad { .. }));
    assert_eq!(rig.lost(), [(4, LostReason::BadFrame)]);
    rig.depth(0, "BTCUSDT", 107, 108);
    assert!(matches!(rig.actions()[..], [SessionAction::FetchSnapshot { .. }]));
    rig.snapshot(4, 107);
    assert_eq!(rig.session.live_count(), 2);
}

#[test]
fn oversized_messages_are_refused_whole() {
    let mut rig = Rig::live(binance::USDM, |_| {});
    let levels = vec!["[\"7.60\",\"1.000\"]"; 5_001].join(",");
    let large = format!(
        "{{\"stream\":\"btcusdt@depth@100ms\",\"data\":{{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"BTCUSDT\",\"U\":106,\"u\":106,\
         \"pu\":105,\"b\":[{levels}],\"a\":[]}}}}"
    );
    assert!(matches!(rig.frame(0, &large), FrameOutcome::Bad { .. }));
    assert_eq!(rig.lost(), [(4, LostReason::BadFrame)]);
    assert_eq!(rig.told.events.len(), 1, "no level of it is told");
    assert!(matches!(rig.frame(0, &" ".repeat(FRAME_BYTES_MAX + 1)), FrameOutcome::Bad { .. }));
}

#[test]
fn a_silent_symbol_is_given_up_and_subscribed_again_alone() {
    let mut rig = Rig::live(binance::USDM, |_| {});
    let mut sent = Vec::new();
    for step in 0..400 {
        rig.depth(0, "ETHUSDT", 106 + step, 106 + step);
        if step % 10 == 0 {
            assert!(rig.session.on_ping(2, rig.now));
        }
        sent.extend(rig.pass(Nanos::from_millis(100)));
    }
    assert_eq!(rig.lost(), [(4, LostReason::Silent)]);
    let [(_, SessionAction::Send { path: 0, message })] = sent[..] else { panic!("{sent:?}") };
    assert!(rig.session.message(message).contains("[\"btcusdt@depth@100ms\",\"btcusdt@bookTicker\"]"));
    assert_eq!((rig.session.live_count(), rig.session.counters().silent_symbols), (1, 1));
    rig.depth(0, "BTCUSDT", 300, 301);
    assert!(matches!(rig.actions()[..], [SessionAction::FetchSnapshot { .. }]));
    rig.snapshot(4, 300);
    assert_eq!(rig.session.live_count(), 2);
    // The venue may refuse that one subscription: nobody else suffers.
    let id = message + 1;
    rig.frame(0, &format!("{{\"code\":2,\"msg\":\"Invalid request\",\"id\":{id}}}"));
    assert_eq!((rig.session.live_count(), rig.session.counters().refused, rig.actions().len()), (2, 1, 0));
}

#[test]
fn a_silent_connection_is_given_up_and_opened_again() {
    for product in BOTH {
        let mut rig = Rig::live(product, |_| {});
        let wanted = rig.pass(Nanos::from_seconds(17));
        assert_eq!(wanted[0].1, SessionAction::Close { path: 0, reason: CloseReason::Silent });
        assert!(wanted.iter().any(|(_, action)| *action == SessionAction::Open { path: 0 }), "{wanted:?}");
        let mut lost = rig.lost();
        lost.sort_unstable_by_key(|(instrument, _)| *instrument);
        assert_eq!(lost, [(4, LostReason::Disconnected), (7, LostReason::Disconnected)]);
        // An old snapshot that arrives now joins nothing; the new connection starts over.
        rig.snapshot(4, 105);
        assert_eq!(rig.session.live_count(), 0);
        rig.connect(0);
        rig.depth(0, "BTCUSDT", 200, 201);
        assert!(matches!(rig.actions()[..], [SessionAction::FetchSnapshot { .. }]));
        rig.snapshot(4, 200);
        assert_eq!(rig.session.live_count(), 1);
    }
}

#[test]
fn reconnects_back_off_and_repeat_by_seed() {
    let run = |seed| {
        let mut rig = Rig::new(binance::SPOT, |settings| settings.seed = seed);
        rig.session.start(rig.now);
        assert_eq!(rig.actions(), [SessionAction::Open { path: 0 }]);
        let mut pauses = Vec::new();
        for _ in 0..10 {
            rig.session.on_close(0, rig.now, &mut rig.told);
            let failed = rig.now;
            let mut opened = None;
            while opened.is_none() {
                opened = rig.pass(Nanos::from_millis(100)).first().map(|(at, action)| {
                    assert_eq!(*action, SessionAction::Open { path: 0 });
                    *at
                });
            }
            pauses.push((opened.unwrap() - failed).0 / 1_000_000);
        }
        pauses
    };
    let pauses = run(3);
    println!("seed 3: pauses {pauses:?} ms");
    assert_eq!(pauses, run(3));
    assert_ne!(pauses, run(4));
    assert!(pauses[0] <= 600 && pauses.iter().all(|pause| *pause <= 6_100));
    // The venue allows 300 attempts in five minutes: a third of them at most are this connection's.
    assert!(pauses[4..].iter().all(|pause| *pause >= 3_000));
}

#[test]
fn a_refused_subscription_is_not_silence() {
    for product in BOTH {
        let mut rig = Rig::new(product, |_| {});
        rig.session.start(rig.now);
        rig.actions();
        rig.session.on_open(0, rig.now);
        assert_eq!(rig.actions().len(), 1);
        rig.frame(0, "{\"code\":2,\"msg\":\"Invalid request: unknown stream\",\"id\":1}");
        assert_eq!(rig.actions(), [SessionAction::Close { path: 0, reason: CloseReason::Refused { code: 2 } }]);
        assert_eq!(rig.session.counters().refused, 1);
    }
}

#[test]
fn an_unanswered_subscription_or_connect_is_given_up() {
    let mut rig = Rig::new(binance::SPOT, |_| {});
    rig.session.start(rig.now);
    rig.actions();
    let wanted = rig.pass(Nanos::from_seconds(11));
    assert_eq!(wanted[0].1, SessionAction::Close { path: 0, reason: CloseReason::NoAnswer });
    assert_eq!(wanted[1].1, SessionAction::Open { path: 0 });
    rig.session.on_open(0, rig.now);
    rig.actions();
    let wanted = rig.pass(Nanos::from_seconds(11));
    assert_eq!(wanted[0].1, SessionAction::Close { path: 0, reason: CloseReason::NoAnswer });
}

#[test]
fn many_bad_frames_end_the_connection() {
    let mut rig = Rig::live(binance::SPOT, |_| {});
    for _ in 0..16 {
        rig.frame(0, "<html>maintenance</html>");
    }
    assert_eq!(rig.actions(), [SessionAction::Close { path: 0, reason: CloseReason::BadFrames }]);
    assert_eq!(rig.session.live_count(), 0);
}

#[test]
fn a_planned_reconnect_overlaps_and_loses_nothing() {
    for product in BOTH {
        let mut rig = Rig::live(product, |settings| {
            settings.planned_life = Nanos::from_seconds(3_600);
            settings.channels.trade = None;
        });
        let mut id = 105;
        let mut second = None;
        let mut closed = None;
        for _ in 0..36_500 {
            id += 1;
            for symbol in ["BTCUSDT", "ETHUSDT"] {
                rig.depth(0, symbol, id, id);
                if second.is_some() {
                    rig.depth(1, symbol, id, id);
                }
            }
            for (at, action) in rig.pass(Nanos::from_millis(100)) {
                match action {
                    SessionAction::Open { path: 1 } => {
                        second = Some(at);
                        rig.connect(1);
                    }
                    SessionAction::Close { path: 0, reason: CloseReason::Planned } => closed = Some(at),
                    action => panic!("{action:?}"),
                }
            }
            if closed.is_some() {
                break;
            }
        }
        let (second, closed) = (second.unwrap(), closed.unwrap());
        assert!(second - Nanos::from_seconds(1_000) < Nanos::from_seconds(3_601), "before its life is over");
        assert!(closed - second >= Nanos::from_seconds(5), "they overlap");
        rig.depth(1, "BTCUSDT", id + 1, id + 1);
        assert!(rig.lost().is_empty(), "no book was lost");
        let counters = rig.session.counters();
        assert_eq!((rig.session.live_count(), counters.gaps, counters.resyncs), (2, 0, 0));
        assert!(counters.duplicates > 50, "the overlap was deduplicated");
        let mut btc: Vec<u64> = Vec::new();
        btc.extend(rig.told.events.iter().filter(|event| event.0 == 4).map(|event| event.2));
        assert!(btc.windows(2).all(|pair| pair[1] == pair[0] + 1), "each update once, in order");
    }
}

#[test]
fn an_announced_shutdown_reconnects_at_once() {
    let mut rig = Rig::live(binance::SPOT, |_| {});
    rig.frame(0, "{\"stream\":\"!serverShutdown\",\"data\":{\"e\":\"serverShutdown\",\"E\":1770123456789}}");
    assert_eq!(rig.actions(), [SessionAction::Open { path: 1 }], "the second connection, while the first still works");
    rig.connect(1);
    rig.depth(0, "BTCUSDT", 106, 106);
    let wanted = rig.pass(Nanos::from_millis(200));
    assert_eq!(wanted[0].1, SessionAction::Close { path: 0, reason: CloseReason::Shutdown });
    rig.depth(1, "BTCUSDT", 106, 106);
    rig.depth(1, "BTCUSDT", 107, 107);
    assert_eq!((rig.session.live_count(), rig.lost().len()), (2, 0));
}

#[test]
fn the_old_connection_may_die_before_the_new_one_works() {
    let mut rig = Rig::live(binance::SPOT, |_| {});
    rig.frame(0, "{\"e\":\"serverShutdown\",\"E\":1770123456789}");
    assert_eq!(rig.actions(), [SessionAction::Open { path: 1 }]);
    rig.session.on_close(0, rig.now, &mut rig.told);
    assert_eq!(rig.lost().len(), 2);
    rig.connect(1);
    rig.depth(1, "BTCUSDT", 200, 201);
    rig.snapshot(4, 200);
    assert_eq!(rig.session.live_count(), 1);
    assert!(rig.pass(Nanos::from_seconds(5)).iter().all(|(_, action)| !matches!(action, SessionAction::Open { .. })));
}

#[test]
fn the_engine_may_ask_for_a_resync() {
    let mut rig = Rig::live(binance::USDM, |_| {});
    rig.told.answer = Some(MarketReply::Resync(LostReason::Crossed));
    rig.depth(0, "BTCUSDT", 106, 107);
    assert!(!rig.session.is_live(InstrumentId(4)) && rig.session.is_live(InstrumentId(7)));
    rig.depth(0, "BTCUSDT", 108, 109);
    assert!(matches!(rig.actions()[..], [SessionAction::FetchSnapshot { .. }]));
    rig.snapshot(4, 108);
    assert!(rig.session.is_live(InstrumentId(4)));
}

#[test]
fn a_book_that_is_lost_with_every_snapshot_is_asked_for_ever_more_rarely() {
    let mut rig = Rig::subscribed(binance::USDM, |_| {});
    let (mut asked, mut id) = (0, 100);
    for _ in 0..600 {
        id += 1;
        rig.depth(0, "BTCUSDT", id, id);
        let wanted: Vec<_> = rig
            .actions()
            .into_iter()
            .chain(rig.pass(Nanos::from_millis(100)).into_iter().map(|(_, action)| action))
            .collect();
        if wanted
            .iter()
            .any(|action| matches!(action, SessionAction::FetchSnapshot { instrument: InstrumentId(4), .. }))
        {
            asked += 1;
            rig.told.answer = Some(MarketReply::Resync(LostReason::Crossed));
            rig.snapshot(4, id);
        }
        rig.depth(0, "ETHUSDT", 106, 106);
    }
    println!("{asked} snapshots in 60 s");
    // Every 5 s in the end, for its updates are whole: a book must be back soon after whatever kept it away is gone.
    assert!((4..=11).contains(&asked), "{asked}");
}

#[test]
fn snapshots_keep_within_the_weight_and_the_venue_may_ask_to_wait() {
    let mut rig = Rig::live(binance::SPOT, |_| {});
    // A book that never joins: every snapshot is stale.
    rig.depth(0, "BTCUSDT", 200, 201);
    let mut asked = rig.actions().len();
    for _ in 0..600 {
        rig.depth(0, "ETHUSDT", 106, 106);
        rig.snapshot(4, 150);
        asked += rig
            .pass(Nanos::from_millis(100))
            .iter()
            .filter(|(_, action)| matches!(action, SessionAction::FetchSnapshot { .. }))
            .count();
    }
    println!("{asked} snapshots in 60 s");
    assert!((3..=12).contains(&asked), "{asked}");
    let mut rig = Rig::live(binance::SPOT, |_| {});
    rig.depth(0, "BTCUSDT", 200, 201);
    rig.actions();
    rig.session.on_snapshot_failed(InstrumentId(4), Nanos::from_seconds(8), rig.now);
    let failed = rig.now;
    let wanted = rig.pass(Nanos::from_seconds(12));
    let (at, _) = wanted.iter().find(|(_, action)| matches!(action, SessionAction::FetchSnapshot { .. })).unwrap();
    assert!(*at - failed >= Nanos::from_seconds(8));
}

#[test]
fn a_ping_flood_is_answered_only_within_the_budget() {
    for product in BOTH {
        let mut rig = Rig::live(product, |_| {});
        let mut answered = 0;
        for _ in 0..10_000 {
            answered += u32::from(rig.session.on_ping(0, rig.now));
            rig.now = rig.now + Nanos::from_millis(1);
        }
        assert!(answered <= 11 * rig.product.card().messages_per_second, "{answered}");
    }
}

#[test]
fn settings_that_no_session_can_be_made_of() {
    let settings = || SessionSettings::of(binance::USDM);
    assert_eq!(MarketSession::new(binance::USDM, &[], settings()).unwrap_err(), SessionError::NoInstrument);
    let many: Vec<_> =
        (0..101).map(|id| support::instrument(binance::USDM, id, &format!("A{id}USDT"), "0.10", "1")).collect();
    let error = MarketSession::new(binance::USDM, &many, settings()).unwrap_err();
    assert_eq!(error, SessionError::TooManyStreams { streams: 202, allowed: 200 });
}
