//! COLD: the stages that the gate counts, each on a fixed input and warm before it is counted.

use core::hint::black_box;
use std::io::Write;

use spinbook_engine::event::{MarketEvent, MarketKind};
use spinbook_engine::intent::{Intent, TimeInForce};
use spinbook_engine::limits::ORDER_RING_SLOTS;
use spinbook_engine::market::Best;
use spinbook_engine::ring;
use spinbook_engine::risk::{Draft, RiskView, TradingState};
use spinbook_engine::types::{Level, Lots, Nanos, OrderId, Side, SlotId, Stamp, Tick};
use spinbook_engine::working::{Working, WorkingOrder};
use spinbook_feed::record::{Opened, PlaintextBuffer};
use spinbook_feed::scan::ScannerChoice;
use spinbook_feed::session::MarketSink;
use spinbook_feed::websocket::MessageReader;

use crate::book;
use crate::contest::Work;
use crate::decode;
use crate::frames::Frames;
use crate::inputs::chain_until;
use crate::journal;
use crate::markets::{PERP, SPOT};
use crate::markets::{product, synthetic};
use crate::pipeline::{OurPipeline, Pipeline};
use crate::receive::{MESSAGE_BYTES_MAX, payload, server_frame};
use crate::send::{self, Step};
use crate::synthetic::{Shape, depth_frames, touch_frames, trade_frames};
use crate::tls::{Endpoints, take};
use crate::trader::{self, OUTER_LEVELS, Trader};
use crate::whole_path::WholePath;
use crate::workload::{LevelStream, LineKind, Workload, snapshot};

/// One stage, ready: its work and how many units one run of it has.
pub struct Stage {
    /// Units of one run.
    pub units: u64,
    /// What is a unit.
    pub unit: &'static str,
    /// Whether a run switches counting on by itself, around its inner part: then every run is counted.
    pub counts_inner: bool,
    /// One run.
    pub run: Box<dyn FnMut() -> u64>,
}

/// The names of all stages. Those that begin with `recorded` need recorded data.
pub const STAGES: [&str; 32] = [
    "decode-perp-2",
    "decode-perp-20",
    "decode-perp-200",
    "decode-perp-touch",
    "decode-perp-trade",
    "decode-spot-2",
    "decode-spot-20",
    "decode-spot-200",
    "decode-spot-touch",
    "decode-spot-trade",
    "decode-portable-20",
    "decode-portable-spot-20",
    "decode-portable-touch",
    "decode-portable-trade",
    "book-apply",
    "engine-turn",
    "frame-to-order",
    "risk-chain",
    "ring",
    "record-open-200",
    "record-open-8000",
    "websocket-read-200",
    "order-encode-sign",
    "sign-200",
    "frame-seal-300",
    "order-to-record",
    "place-journaled",
    "recorded-book",
    "recorded-frame-to-order",
    "recorded-frame-to-order-spot",
    "recorded-minute-perp",
    "recorded-minute-spot",
];

/// How much of a recording the recorded stages take.
const RECORDED_SPAN: Nanos = Nanos::from_seconds(60);

/// The processor that this program was compiled for, as far as the gate must know.
#[must_use]
pub fn built_for() -> &'static str {
    let third_level = cfg!(all(
        target_arch = "x86_64",
        target_feature = "avx2",
        target_feature = "bmi2",
        target_feature = "fma",
        target_feature = "lzcnt",
        target_feature = "movbe",
        not(target_feature = "avx512f")
    ));
    if third_level { "x86-64-v3" } else { std::env::consts::ARCH }
}

/// Whether a stage is left out where there is no recorded data.
#[must_use]
pub fn needs_recording(name: &str) -> bool {
    name.starts_with("recorded")
}

/// The only part that callgrind counts: it switches on this function's name.
#[inline(never)]
pub fn counted_by_the_gate(run: &mut dyn FnMut() -> u64) -> u64 {
    black_box(run())
}

/// Makes a stage ready; `None` if its recording is missing.
///
/// # Errors
/// There is no such stage, or its recording cannot be read.
pub fn stage(name: &str) -> Result<Option<Stage>, String> {
    let recorded = |place: usize| chain_until(place, RECORDED_SPAN);
    let of = |make: fn(Workload) -> Stage, recording: Option<Workload>| recording.map(make);
    Ok(match name {
        "recorded-book" => match recorded(PERP)? {
            Some(recording) => Some(book_stage(recording.levels()?)),
            None => None,
        },
        "recorded-frame-to-order" => of(path_stage, recorded(PERP)?),
        "recorded-frame-to-order-spot" => of(path_stage, recorded(SPOT)?),
        "recorded-minute-perp" => of(minute_stage, recorded(PERP)?),
        "recorded-minute-spot" => of(minute_stage, recorded(SPOT)?),
        _ => Some(synthetic_stage(name)?),
    })
}

fn synthetic_stage(name: &str) -> Result<Stage, String> {
    Ok(match name {
        "decode-perp-2" => decode_stage(Shape::Usdm, 2, ScannerChoice::Best),
        "decode-perp-20" => decode_stage(Shape::Usdm, 20, ScannerChoice::Best),
        "decode-perp-200" => decode_stage(Shape::Usdm, 200, ScannerChoice::Best),
        "decode-perp-touch" => touch_stage(Shape::Usdm, ScannerChoice::Best),
        "decode-perp-trade" => trade_stage(Shape::Usdm, ScannerChoice::Best),
        "decode-spot-2" => decode_stage(Shape::Spot, 2, ScannerChoice::Best),
        "decode-spot-20" => decode_stage(Shape::Spot, 20, ScannerChoice::Best),
        "decode-spot-200" => decode_stage(Shape::Spot, 200, ScannerChoice::Best),
        "decode-spot-touch" => touch_stage(Shape::Spot, ScannerChoice::Best),
        "decode-spot-trade" => trade_stage(Shape::Spot, ScannerChoice::Best),
        "decode-portable-20" => decode_stage(Shape::Usdm, 20, ScannerChoice::Portable),
        "decode-portable-spot-20" => decode_stage(Shape::Spot, 20, ScannerChoice::Portable),
        "decode-portable-touch" => touch_stage(Shape::Usdm, ScannerChoice::Portable),
        "decode-portable-trade" => trade_stage(Shape::Usdm, ScannerChoice::Portable),
        "book-apply" => book_stage(Workload::synthetic(Shape::Usdm, 40, 500, 9).levels()?),
        "engine-turn" => turn_stage(&Workload::synthetic(Shape::Usdm, 2, 1, 9))?,
        "frame-to-order" => path_stage(Workload::synthetic(Shape::Usdm, 40, 500, 9)),
        "risk-chain" => risk_stage(),
        "ring" => ring_stage(),
        "record-open-200" => record_stage(200),
        "record-open-8000" => record_stage(8_000),
        "websocket-read-200" => websocket_stage(200),
        "order-encode-sign" => step_stage(send::encoding().swap_remove(1)),
        "sign-200" => step_stage(send::signing().swap_remove(1)),
        "frame-seal-300" => step_stage(send::sealing().swap_remove(1)),
        "order-to-record" => step_stage(send::whole()),
        "place-journaled" => journal_stage(),
        _ => return Err(format!("there is no stage {name:?}; there are {}", STAGES.join(", "))),
    })
}

fn decode_frames(mut frames: Frames, shape: Shape, scanner: ScannerChoice, unit: &'static str) -> Stage {
    let mut ours = decode::OurDecoder::new(product(shape), &synthetic(shape), scanner);
    let run = move || {
        (0..frames.len()).fold(0u64, |sum, index| {
            let (padded, length) = frames.padded(index);
            sum.wrapping_add(ours.decode_sum(padded, length))
        })
    };
    Stage { units: 200, unit, counts_inner: false, run: Box::new(run) }
}

fn decode_stage(shape: Shape, levels: usize, scanner: ScannerChoice) -> Stage {
    decode_frames(depth_frames(shape, levels, 200, 5), shape, scanner, "frame")
}

fn touch_stage(shape: Shape, scanner: ScannerChoice) -> Stage {
    decode_frames(touch_frames(shape, 200, 5), shape, scanner, "frame")
}

fn trade_stage(shape: Shape, scanner: ScannerChoice) -> Stage {
    decode_frames(trade_frames(shape, 200, 5), shape, scanner, "frame")
}

fn book_stage(stream: LevelStream) -> Stage {
    let units = stream.changed_levels() as u64;
    let run = move || {
        let mut work = book::OurBook::new(&stream, OUTER_LEVELS);
        work.reset();
        // Building and filling the book is not the stage: what callgrind counts is the inner run.
        counted_by_the_gate(&mut || work.run(0..stream.messages.len() - 1))
    };
    Stage { units, unit: "level", counts_inner: true, run: Box::new(run) }
}

/// Frames of a recording that cause work.
fn frame_count(recording: &Workload) -> u64 {
    let counted = |kind: &&LineKind| matches!(kind, LineKind::Depth | LineKind::Touch);
    recording.kinds.iter().filter(counted).count() as u64
}

/// Strategy, quoter, risk chain and the push, without decoding or a book's change: the best bid and ask move by a tick
/// at every turn, so that at every turn both quotes move.
fn turn_stage(recording: &Workload) -> Result<Stage, String> {
    const TURNS: u64 = 1_000;
    let (last, bids, asks) = snapshot(recording.frames.frame(0), recording.increments())?;
    let (instrument, base) = (recording.instrument, recording.received[0]);
    let best = |levels: &[Level]| *levels.first().expect("a synthetic snapshot has levels");
    let (best_bid, best_ask) = (best(&bids), best(&asks));
    let event = move |kind, number: u64| MarketEvent {
        received: Stamp { wall: base + Nanos::from_millis(number as i64), tsc: 0 },
        sequence: last + number,
        venue: instrument.venue,
        kind,
        ..MarketEvent::default()
    };
    let run = move || {
        let mut trader = Trader::new(&instrument);
        let first = event(MarketKind::Snapshot, 0);
        let _ = trader.on_market(&first, &bids, &asks, first.received.wall);
        trader.answer(first.received.wall, |_| {});
        for turn in 1..=TURNS {
            let moved = |level: Level| Level { tick: Tick(level.tick.0 - 1 - (turn % 2) as i64), ..level };
            let event = event(MarketKind::Touch, turn);
            counted_by_the_gate(&mut || {
                let _ = trader.on_market(&event, &[moved(best_bid)], &[moved(best_ask)], event.received.wall);
                0
            });
            trader.answer(event.received.wall, |_| {});
        }
        trader.intents_pushed()
    };
    Ok(Stage { units: TURNS, unit: "turn", counts_inner: true, run: Box::new(run) })
}

fn path_stage(recording: Workload) -> Stage {
    let units = frame_count(&recording);
    let mut buffer = recording.frames.buffer();
    let run = move || {
        let mut ours = OurPipeline::new(&recording, ScannerChoice::Best);
        for line in 0..recording.frames.len() {
            let length = recording.frames.copy_to(line, &mut buffer);
            let received = Stamp { wall: recording.received[line], tsc: 0 };
            match recording.kinds[line] {
                LineKind::Snapshot => ours.snapshot(&mut buffer, length, received),
                LineKind::Other => {}
                LineKind::Depth | LineKind::Touch => {
                    counted_by_the_gate(&mut || {
                        ours.frame(&mut buffer, length, received);
                        0
                    });
                }
            }
            ours.trader().answer(received.wall, |_| {});
        }
        ours.trader().intents_pushed()
    };
    Stage { units, unit: "frame", counts_inner: true, run: Box::new(run) }
}

/// The whole chain of controls for one order after another that passes them all, with quotes open on both sides.
fn risk_stage() -> Stage {
    const ORDERS: i64 = 1_000;
    let instrument = synthetic(Shape::Usdm);
    let settings = trader::settings(&instrument);
    let (entry, lots) = (settings.instruments[0], trader::order_lots(&instrument));
    let mut working = Working::default();
    for (slot, side, tick) in [(0, Side::Bid, 990_000), (8, Side::Ask, 1_010_000)] {
        let open = WorkingOrder { order: OrderId::new(1, 1), slot: SlotId(slot), side, ..WorkingOrder::EMPTY };
        working.on_placed(WorkingOrder { tick: Tick(tick), lots, ..open });
    }
    let (bid, ask) = (Tick(999_999), Tick(1_000_001));
    let run = move || {
        let view = RiskView {
            instrument: &entry.instrument,
            working: &working,
            exposure: Lots::ZERO,
            state: TradingState::Active,
            open_for_orders: true,
            book_live: true,
            best: Some(Best { bid, ask, bid_book: bid, ask_book: ask }),
            book_age: Nanos::from_millis(1),
            place_room: 1,
            too_many_unknown: false,
            duplicate_after: Nanos::ZERO,
        };
        let draft = |tick| Draft { side: Side::Bid, tick: Tick(tick), lots, time_in_force: TimeInForce::PostOnly };
        let passed = |number: &i64| entry.risk.check(&black_box(draft(999_000 - number)), black_box(&view)).is_ok();
        (0..ORDERS).filter(passed).count() as u64
    };
    Stage { units: ORDERS as u64, unit: "order", counts_inner: false, run: Box::new(run) }
}

fn ring_stage() -> Stage {
    const MESSAGES: u64 = 4 * ORDER_RING_SLOTS as u64;
    let (mut producer, mut consumer) = ring::channel::<Intent>(ORDER_RING_SLOTS);
    let run = move || {
        (0..MESSAGES).fold(0u64, |sum, message| {
            let pushed = producer.push(Intent { book_sequence: message, ..Intent::default() });
            let popped = consumer.pop().map_or(0, |intent| intent.book_sequence);
            sum.wrapping_add(popped).wrapping_add(u64::from(pushed.is_err()))
        })
    };
    Stage { units: MESSAGES, unit: "message", counts_inner: false, run: Box::new(run) }
}

/// The record layer alone; the handshake and the server's sealing are not counted.
fn record_stage(bytes: usize) -> Stage {
    const RECORDS: u64 = 200;
    let (mut layer, mut server) = Endpoints::new().ours();
    let (mut plaintext, mut wire) = (PlaintextBuffer::new(MESSAGE_BYTES_MAX), Vec::new());
    let frame = server_frame(&payload(bytes));
    let run = move || {
        (0..RECORDS).fold(0u64, |sum, _| {
            wire.clear();
            server.writer().write_all(&frame).expect("memory takes all");
            take(&mut server, &mut wire);
            let opened = counted_by_the_gate(&mut || {
                layer.receive_space()[..wire.len()].copy_from_slice(&wire);
                layer.received(wire.len());
                while layer.open_next(&mut plaintext).expect("the server's record") != Opened::NeedMore {}
                let unread = plaintext.unread();
                let (length, last) = (unread.len(), unread.last().map_or(0, |&byte| u64::from(byte)));
                plaintext.consume(length);
                length as u64 + last
            });
            sum.wrapping_add(opened)
        })
    };
    Stage { units: RECORDS, unit: "record", counts_inner: true, run: Box::new(run) }
}

/// The message reader alone, on bytes that lie where the record layer puts them.
fn websocket_stage(bytes: usize) -> Stage {
    const MESSAGES: u64 = 200;
    let (mut plaintext, mut reader) = (PlaintextBuffer::new(MESSAGE_BYTES_MAX), MessageReader::new(MESSAGE_BYTES_MAX));
    let frame = server_frame(&payload(bytes));
    let run = move || {
        (0..MESSAGES).fold(0u64, |sum, _| {
            assert_eq!(plaintext.append(&frame), frame.len(), "there is room for one");
            let read = counted_by_the_gate(&mut || match reader.next(&mut plaintext) {
                Ok(Some(spinbook_feed::websocket::WebSocketMessage::Text { padded, length })) => {
                    length as u64 + u64::from(padded[length - 1])
                }
                _ => 0,
            });
            // What was handed out is done with when the next message is asked for.
            let nothing = reader.next(&mut plaintext);
            assert!(matches!(nothing, Ok(None)), "one message was appended");
            sum.wrapping_add(read)
        })
    };
    Stage { units: MESSAGES, unit: "message", counts_inner: true, run: Box::new(run) }
}

/// A step of the send path.
fn step_stage(mut step: Step) -> Stage {
    const TIMES: u64 = 200;
    let run = move || (0..TIMES).fold(0u64, |sum, _| sum.wrapping_add((step.run)()));
    Stage { units: TIMES, unit: "order", counts_inner: false, run: Box::new(run) }
}

/// What it takes to write an order down before it leaves.
fn journal_stage() -> Stage {
    const ORDERS: u32 = 1_000;
    let run = || journal::stage(ORDERS, |write| counted_by_the_gate(write));
    Stage { units: u64::from(ORDERS), unit: "order", counts_inner: true, run: Box::new(run) }
}

/// Everything: sealed market frames in, sealed orders out.
fn minute_stage(recording: Workload) -> Stage {
    let units = frame_count(&recording);
    let mut buffer = recording.frames.buffer();
    let run = move || {
        let endpoints = Endpoints::new();
        let ((market, mut server), (orders, _)) = (endpoints.ours(), endpoints.ours());
        let mut path = WholePath::new(&recording, market, orders);
        let mut wire = Vec::new();
        for (line, kind) in recording.kinds.iter().enumerate() {
            let stamp = Stamp { wall: recording.received[line], tsc: 0 };
            match kind {
                LineKind::Snapshot => {
                    let length = recording.frames.copy_to(line, &mut buffer);
                    path.snapshot(&mut buffer, length, stamp);
                }
                LineKind::Other => {}
                LineKind::Depth | LineKind::Touch => {
                    wire.clear();
                    server.writer().write_all(&server_frame(recording.frames.frame(line))).expect("memory takes all");
                    take(&mut server, &mut wire);
                    counted_by_the_gate(&mut || {
                        path.read(&wire, stamp);
                        0
                    });
                }
            }
        }
        path.sent()
    };
    Stage { units, unit: "frame", counts_inner: true, run: Box::new(run) }
}

#[cfg(test)]
mod tests {
    use super::{STAGES, needs_recording, stage};

    #[test]
    fn every_stage_runs_twice_with_the_same_result_unless_it_goes_on() {
        for name in STAGES {
            match stage(name).unwrap_or_else(|why| panic!("{name}: {why}")) {
                Some(mut stage) => {
                    assert!(stage.units > 0, "{name}");
                    let first = (stage.run)();
                    assert!(first > 0, "{name}");
                    let second = (stage.run)();
                    // Orders are numbered on, and so is the text that is signed.
                    let goes_on = name.starts_with("order-") || name.starts_with("sign-");
                    assert!(first == second || goes_on, "{name}: {first}, then {second}");
                }
                None => {
                    assert!(needs_recording(name), "{name}");
                    println!("skipped: no recorded data");
                }
            }
        }
        assert!(stage("nothing").is_err());
    }

    #[test]
    fn frames_and_turns_of_the_gate_cause_orders() {
        for (name, orders_min) in
            [("frame-to-order", 10), ("engine-turn", 1_000), ("risk-chain", 1_000), ("place-journaled", 1_000)]
        {
            let mut stage = stage(name).expect("a stage").expect("it needs no data");
            let orders = (stage.run)();
            assert!(orders >= orders_min, "{name}: {orders}");
        }
    }
}
