//! COLD: what every venue's market data must do, as numbered cards; each card is run for each venue of a list. The
//! cards of its orders and of its account are in `order_cards`.
//!
//! The list is the real one and one venue more, which only this test has (`tide`): a room and one line here make a
//! venue, and nothing else knows that it is there. A new venue adds its fixture to [`fixtures`].
#![allow(clippy::unwrap_used, reason = "a test may fail")]

#[path = "venue_contract/order_cards.rs"]
mod order_cards;
#[path = "venue_contract/order_fixtures.rs"]
mod order_fixtures;
#[path = "gateway/order_sides.rs"]
mod order_sides;
#[path = "venue_contract/tide.rs"]
mod tide;

use spinbook_engine::event::{LostReason, MarketEvent, MarketKind, MarketReply};
use spinbook_engine::types::{InstrumentId, Level, Nanos, Stamp, VenueId};
use spinbook_feed::error::DecodeError;
use spinbook_feed::scan::ScannerChoice;
use spinbook_feed::session::{
    Channels, CloseReason, FrameOutcome, MarketSession, MarketSink, SessionAction, SessionSettings,
};
use spinbook_feed::sync::SequenceRule;
use spinbook_feed::testkit::instrument;
use spinbook_feed::venue::card::SnapshotOrigin;
use spinbook_feed::venue::instrument::Instrument;
use spinbook_feed::venue::market::{FRAME_PADDING, FrameBytes, MarketSide, Message};
use spinbook_feed::venue::recordings::forms_of;
use spinbook_feed::venue::{ProductLine, binance};

spinbook_feed::market_sides! {
    ListedMarket, ListedSequence;
    Binance: binance::Market, binance::PRODUCT_LINES;
    Tide: tide::TideMarket, tide::PRODUCT_LINES;
}

/// Writes an update of a symbol, on a stream named after another, from behind an update to the last.
type OnStream = fn(symbol: &str, stream: &str, previous: u64, last: u64) -> String;

/// What a card needs to know of a venue: how it writes, never how it is understood.
struct Fixture {
    line: ProductLine,
    /// Frames with what becomes of them.
    frames: &'static str,
    /// Symbol, tick and lot of the instruments in those frames.
    instruments: &'static [(&'static str, &'static str, &'static str)],
    /// Two symbols to trade, with the same increments.
    symbols: [(&'static str, &'static str, &'static str); 2],
    /// The venue's instrument list with a symbol that it lists.
    list: Option<(&'static [u8], &'static str)>,
    /// A depth update of a symbol that changes one bid, from behind `previous` to `last`.
    depth: fn(symbol: &str, previous: u64, last: u64) -> String,
    /// The same on a stream that is named after another symbol, where streams have names.
    on_wrong_stream: Option<OnStream>,
    /// A snapshot that contains everything up to `last`.
    snapshot: fn(symbol: &str, last: u64) -> String,
    /// The answer that a request was carried out.
    done: fn(request: &str) -> String,
    /// The id in a request.
    id: fn(request: &str) -> u64,
}

fn binance_stream(stream: &str, symbol: &str, previous: u64, last: u64, usdm: bool) -> String {
    let before = if usdm { format!("\"pu\":{previous},") } else { String::new() };
    format!(
        "{{\"stream\":\"{}@depth@100ms\",\"data\":{{\"e\":\"depthUpdate\",\"E\":1626992741037,\"s\":\"{symbol}\",\
         \"U\":{},\"u\":{last},{before}\"b\":[[\"7.60\",\"1.000\"]],\"a\":[]}}}}",
        stream.to_lowercase(),
        previous + 1
    )
}

fn binance_snapshot(_symbol: &str, last: u64) -> String {
    format!("{{\"lastUpdateId\":{last},\"bids\":[[\"7.50\",\"1\"]],\"asks\":[[\"7.70\",\"1\"]]}}")
}

fn binance_id(request: &str) -> u64 {
    request.rsplit("\"id\":").next().unwrap().trim_end_matches('}').parse().unwrap()
}

/// One for each product line.
fn fixtures() -> Vec<Fixture> {
    const PAIR: [(&str, &str, &str); 2] = [("BTCUSDT", "0.10", "0.001"), ("ETHUSDT", "0.10", "0.001")];
    vec![
        Fixture {
            line: binance::SPOT,
            frames: include_str!("fixtures/binance/spot.txt"),
            instruments: &[("BNBBTC", "0.00010000", "0.00000001"), ("１２３４５６", "0.01000000", "0.00000001")],
            symbols: PAIR,
            list: Some((include_bytes!("fixtures/binance/exchange_info_spot.json"), "BTCUSDT")),
            depth: |symbol, previous, last| binance_stream(symbol, symbol, previous, last, false),
            on_wrong_stream: Some(|symbol, stream, previous, last| {
                binance_stream(stream, symbol, previous, last, false)
            }),
            snapshot: binance_snapshot,
            done: |request| format!("{{\"result\":null,\"id\":{}}}", binance_id(request)),
            id: binance_id,
        },
        Fixture {
            line: binance::USDM,
            frames: include_str!("fixtures/binance/usdm.txt"),
            instruments: &[("SUSHIUSDT", "0.0010", "1")],
            symbols: PAIR,
            list: Some((include_bytes!("fixtures/binance/exchange_info_usdm.json"), "BTCUSDT")),
            depth: |symbol, previous, last| binance_stream(symbol, symbol, previous, last, true),
            on_wrong_stream: Some(|symbol, stream, previous, last| {
                binance_stream(stream, symbol, previous, last, true)
            }),
            snapshot: binance_snapshot,
            done: |request| format!("{{\"result\":null,\"id\":{}}}", binance_id(request)),
            id: binance_id,
        },
        Fixture {
            line: tide::TIDE,
            frames: include_str!("fixtures/tide/tide.txt"),
            instruments: &[("BTC-USD", "1", "1")],
            symbols: [("BTC-USD", "1", "1"), ("ETH-USD", "1", "1")],
            list: None,
            depth: |symbol, previous, last| format!("diff {symbol} {previous} {last} 100@1 | ;."),
            on_wrong_stream: None,
            snapshot: |symbol, last| format!("book {symbol} {last} 99@2 | 101@3;."),
            done: |request| format!("done {};.", tide_id(request)),
            id: tide_id,
        },
    ]
}

fn tide_id(request: &str) -> u64 {
    request.split(' ').nth(1).unwrap().parse().unwrap()
}

/// What the books were told.
#[derive(Default)]
struct Told {
    events: Vec<(u16, MarketKind, u64, LostReason)>,
}

impl MarketSink for Told {
    fn on_market(&mut self, event: &MarketEvent, _bids: &[Level], _asks: &[Level], _now: Nanos) -> MarketReply {
        self.events.push((event.instrument.0, event.kind, event.sequence, event.lost));
        MarketReply::Ok
    }
}

fn instruments(line: ProductLine, of: &[(&str, &str, &str)]) -> Vec<Instrument> {
    of.iter().enumerate().map(|(id, (symbol, tick, lot))| instrument(line, id as u16, symbol, tick, lot)).collect()
}

fn padded(text: &[u8]) -> Vec<u8> {
    let mut buffer = text.to_vec();
    buffer.resize(text.len() + FRAME_PADDING, 0);
    buffer
}

impl Fixture {
    fn side(&self, of: &[(&str, &str, &str)]) -> ListedMarket {
        let channels = Channels::of(self.line);
        ListedMarket::new(self.line, &instruments(self.line, of), &channels, ScannerChoice::Best)
    }

    /// The lines of the fixture: what becomes of a frame, and the frame.
    fn lines(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.frames.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' '))
    }
}

fn decode(side: &mut ListedMarket, text: &[u8]) -> Result<Message, DecodeError> {
    side.decode(FrameBytes::text(&mut padded(text), text.len()))
}

/// A session of a venue in miniature, on virtual time.
struct Rig {
    fixture: Fixture,
    session: MarketSession<ListedMarket>,
    told: Told,
    now: Nanos,
}

impl Rig {
    fn new(fixture: Fixture) -> Rig {
        let settings = SessionSettings::of(fixture.line);
        let all = instruments(fixture.line, &fixture.symbols);
        let session = MarketSession::over(fixture.side(&fixture.symbols), &all, settings).unwrap();
        Rig { fixture, session, told: Told::default(), now: Nanos::from_seconds(1_000) }
    }

    /// Opens and subscribes everything; the texts that were sent.
    fn subscribe(&mut self) -> Vec<String> {
        self.session.start(self.now);
        let mut sent = Vec::new();
        for action in self.actions() {
            let SessionAction::Open { path } = action else { panic!("{action:?}") };
            self.session.on_open(path, self.now);
            for text in self.sent() {
                self.frame(path, &(self.fixture.done)(&text));
                sent.push(text);
            }
        }
        sent
    }

    fn actions(&mut self) -> Vec<SessionAction> {
        std::iter::from_fn(|| self.session.poll_action()).collect()
    }

    /// The texts of what is to be sent; nothing else may be wanted.
    fn sent(&mut self) -> Vec<String> {
        let mut texts = Vec::new();
        while let Some(action) = self.session.poll_action() {
            let SessionAction::Send { message, .. } = action else { panic!("{action:?}") };
            texts.push(self.session.message(message).to_owned());
        }
        texts
    }

    fn frame(&mut self, path: u8, text: &str) -> FrameOutcome {
        let received = Stamp { wall: self.now, tsc: 0 };
        let mut buffer = padded(text.as_bytes());
        let frame = FrameBytes::text(&mut buffer, text.len());
        let outcome = self.session.on_frame(path, frame, received, &mut self.told);
        self.session.check();
        outcome
    }

    fn depth(&mut self, symbol: usize, previous: u64, last: u64) -> FrameOutcome {
        let text = (self.fixture.depth)(self.fixture.symbols[symbol].0, previous, last);
        self.frame(0, &text)
    }

    fn snapshot(&mut self, symbol: usize, last: u64) {
        let text = (self.fixture.snapshot)(self.fixture.symbols[symbol].0, last);
        if self.fixture.line.card().snapshots != SnapshotOrigin::Rest {
            self.frame(0, &text);
            return;
        }
        let (id, received) = (InstrumentId(symbol as u16), Stamp { wall: self.now, tsc: 0 });
        self.session.on_snapshot(id, &mut padded(text.as_bytes()), text.len(), received, &mut self.told);
        self.session.check();
    }

    /// Both books live at update 105.
    fn live(fixture: Fixture) -> Rig {
        let mut rig = Rig::new(fixture);
        rig.subscribe();
        for symbol in 0..2 {
            if rig.fixture.line.card().snapshots == SnapshotOrigin::Rest {
                rig.depth(symbol, 100, 105);
                rig.snapshot(symbol, 100);
            } else {
                rig.snapshot(symbol, 100);
                rig.depth(symbol, 100, 105);
            }
        }
        rig.actions();
        assert_eq!(rig.session.live_count(), 2, "{:?}", rig.fixture.line);
        rig.told.events.clear();
        rig
    }

    fn is_live(&self, symbol: u16) -> bool {
        self.session.is_live(InstrumentId(symbol))
    }

    fn pass(&mut self, span: Nanos) {
        let end = self.now + span;
        while self.session.next_deadline() <= end {
            self.now = self.now.max(self.session.next_deadline());
            self.session.on_timer(self.now, &mut self.told);
            self.session.check();
        }
        self.now = end;
    }
}

#[test]
fn card_01_names_and_numbers_lead_to_one_product_line_each() {
    let listed: Vec<ProductLine> = ProductLine::all().collect();
    for line in &listed {
        assert_eq!(ProductLine::from_name(line.name()), Some(*line));
        assert_eq!(ProductLine::from_venue_id(line.venue_id()), Some(*line));
        assert_eq!(listed.iter().filter(|other| other.name() == line.name()).count(), 1);
        assert_eq!(listed.iter().filter(|other| *other == line).count(), 1);
        assert!(fixtures().iter().any(|fixture| fixture.line == *line), "{line:?} has no fixture here");
    }
    assert_eq!(ProductLine::from_name("tide"), None, "the venue of this test is nowhere else");
    assert_eq!(ProductLine::from_venue_id(VenueId(200)), None);
}

#[test]
fn card_02_cards_state_what_a_connection_needs() {
    for line in fixtures().iter().map(|fixture| fixture.line) {
        let card = line.card();
        assert!(card.rest_url.starts_with("https://") && card.stream_url.starts_with("wss://"), "{line:?}");
        assert!(card.messages_per_second > 0 && card.streams_per_connection > 0 && card.snapshot_weight > 0);
        assert!(card.connection_life > Nanos::ZERO && card.ping_interval > Nanos::ZERO);
        assert_eq!(card.depth_path.is_empty(), card.snapshots != SnapshotOrigin::Rest, "{line:?}");
        let form = card.symbols;
        let fits = |letter: char| letter.is_ascii_digit() || letter.is_ascii_uppercase() == form.upper_case;
        assert!(form.example.chars().all(|letter| form.separators.contains(&letter) || fits(letter)), "{line:?}");
        if let Some(orders) = card.orders {
            assert!(orders.url.ends_with(orders.path) && orders.path.starts_with('/'), "{line:?}");
            assert!(!orders.rates.is_empty() && orders.rates.iter().all(|rate| rate.limit > 0), "{line:?}");
        }
    }
}

#[test]
fn card_03_fixture_frames_become_what_stands_before_them() {
    for fixture in fixtures() {
        let mut side = fixture.side(fixture.instruments);
        let mut seen = 0;
        for (expected, frame) in fixture.lines() {
            let found = match decode(&mut side, frame.as_bytes()) {
                Ok(Message::Acknowledged { id }) => format!("ack:{}", id.map_or(-1, |id| id as i64)),
                Ok(Message::Refused { code, .. }) => format!("refused:{code}"),
                Ok(Message::Shutdown) => "shutdown".to_owned(),
                Ok(Message::ReplyWanted) => "reply".to_owned(),
                Ok(Message::Ignored) => "ignored".to_owned(),
                Ok(_) => "market".to_owned(),
                Err(error) => format!("{error:?}").split(['(', ' ']).next().unwrap().to_owned(),
            };
            let expected = if matches!(expected, "scanned" | "general") { "market" } else { expected };
            assert_eq!(found, expected, "{:?}: {frame}", fixture.line);
            seen += 1;
        }
        assert!(seen > 10, "{:?}", fixture.line);
    }
}

#[test]
fn card_04_a_frame_cut_at_any_byte_is_refused_and_leaves_nothing() {
    for fixture in fixtures() {
        let mut side = fixture.side(fixture.instruments);
        for (_, frame) in fixture.lines().filter(|(what, _)| matches!(*what, "scanned" | "general" | "market")) {
            for cut in 1..frame.len() {
                let result = decode(&mut side, &frame.as_bytes()[..cut]);
                assert!(
                    result.is_err(),
                    "{:?}: {result:?} of {}",
                    fixture.line,
                    &frame[..frame.floor_char_boundary(cut)]
                );
                assert_eq!(side.next_message(), None, "{:?}: a refused frame has no other message", fixture.line);
            }
        }
    }
}

#[test]
fn card_05_an_unknown_symbol_is_refused() {
    for fixture in fixtures() {
        let mut side = fixture.side(&fixture.symbols[..1]);
        let known = (fixture.depth)(fixture.symbols[0].0, 100, 105);
        assert!(matches!(decode(&mut side, known.as_bytes()), Ok(Message::Depth { symbol: 0, .. })));
        let other = (fixture.depth)(fixture.symbols[1].0, 100, 105);
        assert_eq!(decode(&mut side, other.as_bytes()), Err(DecodeError::WrongSymbol), "{:?}", fixture.line);
    }
}

#[test]
fn card_06_a_frame_on_another_symbols_stream_is_refused() {
    for fixture in fixtures() {
        let Some(write) = fixture.on_wrong_stream else { continue };
        let mut side = fixture.side(&fixture.symbols);
        let text = write(fixture.symbols[0].0, fixture.symbols[1].0, 100, 105);
        assert_eq!(decode(&mut side, text.as_bytes()), Err(DecodeError::WrongSymbol), "{:?}", fixture.line);
    }
}

#[test]
fn card_07_updates_follow_repeat_and_gap_as_the_rule_says() {
    for fixture in fixtures() {
        let mut rig = Rig::live(fixture);
        rig.depth(0, 105, 108);
        assert_eq!(rig.told.events, [(0, MarketKind::Delta, 108, LostReason::None)], "{:?}", rig.fixture.line);
        rig.depth(0, 105, 108);
        assert_eq!(rig.told.events.len(), 1, "a repeated update is dropped");
        assert!(rig.is_live(0));
        rig.depth(0, 110, 112);
        assert_eq!(rig.told.events.last(), Some(&(0, MarketKind::Lost, 0, LostReason::Gap)), "{:?}", rig.fixture.line);
        assert!(!rig.is_live(0) && rig.is_live(1), "the other book goes on");
        rig.depth(0, 108, 110);
        assert!(!rig.is_live(0), "what came too late does not mend a gap");
    }
}

#[test]
fn card_08_the_sequence_rule_judges_alone() {
    for fixture in fixtures() {
        use spinbook_feed::sync::{UpdateIds, Verdict};
        let rule = fixture.side(&fixture.symbols).rule();
        let ids = |previous, last| UpdateIds { first: previous + 1, last, previous };
        assert_eq!(rule.follow(105, ids(105, 106)), Verdict::Accept, "{:?}", fixture.line);
        assert_eq!(rule.follow(105, ids(100, 105)), Verdict::Old, "{:?}", fixture.line);
        assert_eq!(rule.follow(105, ids(106, 107)), Verdict::Gap, "{:?}", fixture.line);
        assert_eq!(rule.join(105, ids(105, 106)), Verdict::Accept, "{:?}", fixture.line);
        assert_eq!(rule.join(105, ids(107, 108)), Verdict::Gap, "{:?}", fixture.line);
    }
}

#[test]
fn card_09_a_lost_book_asks_for_its_snapshot_the_venues_way() {
    for fixture in fixtures() {
        let mut rig = Rig::live(fixture);
        let card = rig.fixture.line.card();
        rig.depth(0, 110, 112);
        match card.snapshots {
            SnapshotOrigin::Rest => {
                let wanted = SessionAction::FetchSnapshot { instrument: InstrumentId(0), limit: card.snapshot_levels };
                assert_eq!(rig.actions(), [wanted]);
            }
            SnapshotOrigin::InStream | SnapshotOrigin::OnRequest => {
                let sent = rig.sent();
                assert_eq!(sent.len(), 1, "one request brings the book back: {sent:?}");
                assert!(sent[0].contains(rig.fixture.symbols[0].0) && !sent[0].contains(rig.fixture.symbols[1].0));
            }
        }
        rig.snapshot(0, 112);
        assert!(rig.is_live(0), "{:?}", rig.fixture.line);
        rig.depth(0, 112, 115);
        assert_eq!(rig.told.events.last(), Some(&(0, MarketKind::Delta, 115, LostReason::None)));
    }
}

#[test]
fn card_10_a_snapshot_in_the_stream_replaces_a_live_book_at_once() {
    for fixture in fixtures() {
        let in_stream = fixture.line.card().snapshots == SnapshotOrigin::InStream;
        let mut rig = Rig::live(fixture);
        rig.snapshot(0, 50);
        if in_stream {
            assert_eq!(rig.told.events, [(0, MarketKind::Snapshot, 50, LostReason::None)], "ids may start over");
            rig.depth(0, 50, 51);
            assert_eq!(rig.told.events.last(), Some(&(0, MarketKind::Delta, 51, LostReason::None)));
        } else {
            assert_eq!(rig.told.events, [], "nobody asked for one");
        }
        assert!(rig.is_live(0) && rig.actions().is_empty());
    }
}

#[test]
fn card_11_everything_is_subscribed_and_answers_name_their_request() {
    for fixture in fixtures() {
        let symbols = fixture.symbols;
        let id = fixture.id;
        let mut rig = Rig::new(fixture);
        let sent = rig.subscribe();
        assert!(!sent.is_empty());
        for text in &sent {
            let named = |symbol: &str| text.to_lowercase().contains(&symbol.to_lowercase());
            assert!(symbols.iter().all(|(symbol, ..)| named(symbol)), "{text}");
        }
        let mut ids: Vec<u64> = sent.iter().map(|text| id(text)).collect();
        ids.dedup();
        assert_eq!(ids.len(), sent.len(), "each request has an id of its own");
        // All answered: nobody waits, and nothing is sent again.
        rig.pass(Nanos::from_millis(1_500));
        assert_eq!(rig.sent(), Vec::<String>::new(), "{:?}", rig.fixture.line);
    }
}

#[test]
fn card_12_a_silent_symbol_is_subscribed_again_alone() {
    for fixture in fixtures() {
        let mut rig = Rig::live(fixture);
        let mut sent = Vec::new();
        for last in 105..145 {
            rig.depth(1, last, last + 1);
            rig.pass(Nanos::from_seconds(1));
            for action in rig.actions() {
                if let SessionAction::Send { message, .. } = action {
                    sent.push(rig.session.message(message).to_lowercase());
                }
            }
        }
        let symbols = rig.fixture.symbols.map(|(symbol, ..)| symbol.to_lowercase());
        assert!(sent.iter().any(|text| text.contains(&symbols[0]) && !text.contains(&symbols[1])), "{sent:?}");
        assert!(!rig.is_live(0) && rig.is_live(1), "{:?}", rig.fixture.line);
    }
}

#[test]
fn card_13_a_quiet_connection_gets_a_heartbeat_and_is_given_up_without_an_answer() {
    for fixture in fixtures() {
        let Some(heartbeat) = fixture.line.card().heartbeat else { continue };
        let mut rig = Rig::live(fixture);
        rig.pass(heartbeat.after + Nanos::from_millis(300));
        assert_eq!(rig.sent().len(), 1, "one is sent: {:?}", rig.fixture.line);
        rig.depth(0, 105, 106);
        rig.pass(heartbeat.answer_within);
        assert_eq!(rig.actions(), [], "any frame is an answer");
        rig.pass(heartbeat.after + heartbeat.answer_within + Nanos::from_millis(600));
        let silent = SessionAction::Close { path: 0, reason: CloseReason::Silent };
        assert!(rig.actions().contains(&silent), "{:?}", rig.fixture.line);
        assert_eq!(rig.session.live_count(), 0);
    }
}

#[test]
fn card_14_a_ping_of_the_venues_own_is_answered_with_its_number() {
    let mut rig = Rig::live(fixtures().pop().unwrap());
    rig.frame(0, "ping 887;.");
    assert_eq!(rig.sent(), ["pong 887"]);
}

#[test]
fn card_15_every_message_of_a_batch_is_judged_and_a_bad_one_refuses_them_all() {
    let mut rig = Rig::live(fixtures().pop().unwrap());
    rig.frame(0, "diff BTC-USD 105 106 100@2 | ;deal BTC-USD buy 101@1;diff ETH-USD 105 107 | 102@1;.");
    let kinds: Vec<(u16, MarketKind, u64)> = rig.told.events.iter().map(|event| (event.0, event.1, event.2)).collect();
    assert_eq!(kinds, [(0, MarketKind::Delta, 106), (0, MarketKind::Trade, 0), (1, MarketKind::Delta, 107)]);
    rig.told.events.clear();
    let outcome = rig.frame(0, "diff BTC-USD 106 108 100@2 | ;diff ETH-USD 107 108 | 102.5@1;.");
    assert!(matches!(outcome, FrameOutcome::Bad { symbol: Some(0), .. }), "{outcome:?}");
    assert_eq!(rig.told.events, [(0, MarketKind::Lost, 0, LostReason::BadFrame)], "nothing of it was applied");
}

#[test]
fn card_16_a_binary_frame_is_undone_in_the_rooms_own_scratch() {
    let mut rig = Rig::live(fixtures().pop().unwrap());
    let text = b"diff BTC-USD 105 106 100@2 | ;.";
    let scrambled: Vec<u8> = text.iter().map(|byte| byte ^ tide::SCRAMBLE).collect();
    let received = Stamp { wall: rig.now, tsc: 0 };
    let frame = FrameBytes { padded: &mut padded(&scrambled), length: scrambled.len(), binary: true };
    rig.session.on_frame(0, frame, received, &mut rig.told);
    assert_eq!(rig.told.events, [(0, MarketKind::Delta, 106, LostReason::None)]);
}

#[test]
fn card_17_an_instrument_list_is_read_and_another_text_is_refused() {
    for fixture in fixtures() {
        let Some((list, symbol)) = fixture.list else { continue };
        let form = forms_of(Some(fixture.line)).next().unwrap();
        let found = (form.instruments)(fixture.line, list).unwrap();
        let listed = found.iter().find(|found| found.symbol.as_str() == symbol).unwrap();
        assert_eq!(listed.venue, fixture.line.venue_id());
        assert!(listed.tick_order_step > 0 && listed.lots_order_step > 0 && listed.atoms_per_tick_lot > 0);
        for text in ["<html>", "", "[1"] {
            let result = (form.instruments)(fixture.line, text.as_bytes());
            assert!(result.is_err(), "{:?}: {text:?} became {result:?}", fixture.line);
        }
        assert_eq!((form.instruments)(fixture.line, b"{}").unwrap_or_default(), [], "nothing is listed in nothing");
    }
}

#[test]
fn card_18_a_lost_connection_loses_every_book_and_the_next_one_brings_them_back() {
    for fixture in fixtures() {
        let mut rig = Rig::live(fixture);
        rig.session.on_close(0, rig.now, &mut rig.told);
        let lost = |event: &&(u16, MarketKind, u64, LostReason)| event.3 == LostReason::Disconnected;
        assert_eq!(rig.told.events.iter().filter(lost).count(), 2, "{:?}", rig.fixture.line);
        rig.pass(Nanos::from_seconds(2));
        assert!(rig.actions().contains(&SessionAction::Open { path: 0 }));
        rig.session.on_open(0, rig.now);
        for text in rig.sent() {
            let answer = (rig.fixture.done)(&text);
            rig.frame(0, &answer);
        }
        if rig.fixture.line.card().snapshots == SnapshotOrigin::Rest {
            rig.depth(0, 205, 206);
            rig.actions();
        }
        rig.snapshot(0, 205);
        assert!(rig.is_live(0), "{:?}", rig.fixture.line);
    }
}
