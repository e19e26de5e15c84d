//! COLD: frame to order: our whole path beside the plain one, frame by frame, on recorded traffic.
//!
//! Both end in the same engine: strategy, quoter, risk chain and order rings. What differs is what turns a frame
//! into a judged market event. The plain pipeline pushes on our ring as well, which is cheaper for it than its own
//! `ArrayQueue` would be (see the ring's table).

use spinbook_engine::event::{LostReason, MarketEvent, MarketKind};
use spinbook_engine::intent::Intent;
use spinbook_engine::types::{InstrumentId, Nanos, Stamp};
use spinbook_feed::scan::ScannerChoice;
use spinbook_feed::session::MarketSink;
use spinbook_feed::session::flow::MarketFlow;
use spinbook_feed::sync::SyncSettings;
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::market::FrameBytes;

use crate::clock::{CycleClock, start, stop};
use crate::markets::is_spot;
use crate::plain::{MessageKind, PlainDecoder, PlainMessage};
use crate::trader::Trader;
use crate::workload::{LineKind, Workload, snapshot};

/// Lines a turn: many, as a trading thread has its core's caches to itself, and after the others' turns a pipeline finds
/// them cold. A turn still takes a few milliseconds only, so that noise meets all alike.
const CHUNK: usize = 20_000;

/// Everything from a frame in a padded buffer to intents on a ring.
pub trait Pipeline {
    /// As printed in tables.
    fn name(&self) -> String;

    /// Takes one stream frame.
    fn frame(&mut self, padded: &mut [u8], length: usize, received: Stamp);

    /// Takes a REST snapshot; not timed.
    fn snapshot(&mut self, padded: &mut [u8], length: usize, received: Stamp);

    /// The engine at its end.
    fn trader(&mut self) -> &mut Trader;
}

/// OurPipeline: scanner, sequence rule, engine.
pub struct OurPipeline {
    flow: MarketFlow,
    trader: Trader,
}

impl OurPipeline {
    /// Before the first frame.
    #[must_use]
    pub fn new(recording: &Workload, scanner: ScannerChoice) -> OurPipeline {
        let instruments = [recording.instrument];
        OurPipeline {
            flow: MarketFlow::new(recording.product, &instruments, SyncSettings::default(), scanner),
            trader: Trader::new(&recording.instrument),
        }
    }
}

impl Pipeline for OurPipeline {
    fn name(&self) -> String {
        format!("Spinbook ({})", self.flow.scanner_name())
    }

    #[inline]
    fn frame(&mut self, padded: &mut [u8], length: usize, received: Stamp) {
        self.flow.on_frame(FrameBytes::text(padded, length), received, (0, true), &mut self.trader);
    }

    fn snapshot(&mut self, padded: &mut [u8], length: usize, received: Stamp) {
        let taken = self.flow.on_snapshot(0, padded, length, received, 0, &mut self.trader);
        assert!(taken.is_ok(), "the recorded snapshot is taken: {taken:?}");
    }

    fn trader(&mut self) -> &mut Trader {
        &mut self.trader
    }
}

/// The plain one: a general JSON decoder, the sequence check, the same engine.
pub struct Plain<D> {
    decoder: D,
    message: PlainMessage,
    product: ProductLine,
    recording: Workload,
    /// Depth messages before the snapshot; none once the book is live.
    early: Option<Vec<PlainMessage>>,
    last: u64,
    /// Whether a depth message has been applied: the first one after a snapshot overlaps it.
    bridged: bool,
    trader: Trader,
}

impl<D: PlainDecoder> Plain<D> {
    /// Before the first frame.
    #[must_use]
    pub fn new(recording: &Workload, decoder: D) -> Plain<D> {
        let facts =
            Workload { frames: Default::default(), kinds: Vec::new(), received: Vec::new(), ..recording.clone() };
        Plain {
            decoder,
            message: PlainMessage::default(),
            product: recording.product,
            recording: facts,
            early: Some(Vec::new()),
            last: 0,
            bridged: false,
            trader: Trader::new(&recording.instrument),
        }
    }

    #[inline]
    fn event(&self, kind: MarketKind, sequence: u64, event_time_ms: u64, received: Stamp) -> MarketEvent {
        MarketEvent {
            received,
            event_time: Nanos(event_time_ms as i64 * 1_000_000),
            sequence,
            instrument: InstrumentId(0),
            venue: self.product.venue_id(),
            path: 0,
            kind,
            lost: LostReason::None,
        }
    }

    /// A message is missing: the book is given up until the next snapshot.
    #[cold]
    fn lose(&mut self, received: Stamp) {
        let event = MarketEvent { lost: LostReason::Gap, ..self.event(MarketKind::Lost, 0, 0, received) };
        let _ = self.trader.on_market(&event, &[], &[], received.wall);
        self.early = Some(vec![self.message.clone()]);
        self.bridged = false;
    }

    /// The venue's rule for the next depth message, as most people write it.
    #[inline]
    fn follows(&self) -> bool {
        if !self.bridged {
            return self.message.first <= self.last + 1;
        }
        if is_spot(self.product) { self.message.first == self.last + 1 } else { self.message.previous == self.last }
    }
}

impl<D: PlainDecoder> Pipeline for Plain<D> {
    fn name(&self) -> String {
        format!("plain: {}", self.decoder.name())
    }

    #[inline]
    fn frame(&mut self, padded: &mut [u8], length: usize, received: Stamp) {
        let decoded = self.decoder.decode(padded, length, &mut self.message);
        assert!(decoded.is_ok(), "a frame of the contest does not decode: {decoded:?}");
        let message = &self.message;
        match message.kind {
            MessageKind::Depth => {
                if let Some(early) = &mut self.early {
                    early.push(message.clone());
                    return;
                }
                if message.last <= self.last {
                    return;
                }
                if !self.follows() {
                    self.lose(received);
                    return;
                }
                self.last = message.last;
                self.bridged = true;
                let event = self.event(MarketKind::Delta, message.last, message.event_time_ms, received);
                let _ = self.trader.on_market(&event, &self.message.bids, &self.message.asks, received.wall);
            }
            MessageKind::Touch => {
                let event = self.event(MarketKind::Touch, message.last, message.event_time_ms, received);
                let _ = self.trader.on_market(&event, &self.message.bids, &self.message.asks, received.wall);
            }
            MessageKind::Other => {}
        }
    }

    fn snapshot(&mut self, padded: &mut [u8], length: usize, received: Stamp) {
        let Some(early) = self.early.take() else { return };
        let read = snapshot(&padded[..length], self.recording.increments());
        let (last, bids, asks) = read.expect("the recorded snapshot is one");
        self.last = last;
        let event = self.event(MarketKind::Snapshot, last, 0, received);
        let _ = self.trader.on_market(&event, &bids, &asks, received.wall);
        for message in early.into_iter().filter(|message| message.last > last) {
            self.last = message.last;
            self.bridged = true;
            let event = self.event(MarketKind::Delta, message.last, message.event_time_ms, received);
            let _ = self.trader.on_market(&event, &message.bids, &message.asks, received.wall);
        }
    }

    fn trader(&mut self) -> &mut Trader {
        &mut self.trader
    }
}

/// What makes a pipeline anew for each round.
pub type Make<'a> = Box<dyn Fn() -> Box<dyn Pipeline> + 'a>;

/// Times of one pipeline: one value a timed frame and round.
#[derive(Clone, Debug)]
pub struct FrameTimes {
    /// Whose.
    pub name: String,
    /// ns by round, then by timed frame; stamps included.
    pub rounds: Vec<Vec<f32>>,
}

/// What was timed: the depth and best bid/ask frames after the book is live.
#[derive(Clone, Debug, Default)]
pub struct Timed {
    /// Line of each timed frame.
    pub lines: Vec<usize>,
    /// Its kind.
    pub kinds: Vec<LineKind>,
    /// Its levels.
    pub levels: Vec<u32>,
    /// Whether it put intents on a ring.
    pub ordered: Vec<bool>,
}

/// The contest's outcome.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was timed.
    pub timed: Timed,
    /// Whose times.
    pub times: Vec<FrameTimes>,
}

/// One pipeline's place in a recording.
struct Run {
    pipeline: Box<dyn Pipeline>,
    ns: Vec<f32>,
    intents: Vec<(usize, Intent)>,
    /// Whether a snapshot has come: frames before it are only kept, which is not what is measured.
    has_book: bool,
}

impl Run {
    /// Plays the lines of `range`; `levels` collects what was timed if it is given.
    fn play(
        &mut self,
        recording: &Workload,
        range: core::ops::Range<usize>,
        buffer: &mut [u8],
        mut timed: Option<&mut Timed>,
    ) {
        let clock = CycleClock::calibrated();
        for line in range {
            let now = recording.received[line];
            let length = recording.frames.copy_to(line, buffer);
            match recording.kinds[line] {
                LineKind::Snapshot => {
                    self.pipeline.snapshot(buffer, length, Stamp { wall: now, tsc: 0 });
                    self.has_book = true;
                }
                LineKind::Other => continue,
                _ if !self.has_book => self.pipeline.frame(buffer, length, Stamp { wall: now, tsc: 0 }),
                kind => {
                    let before = self.pipeline.trader().intents_pushed();
                    let begun = start();
                    self.pipeline.frame(buffer, length, Stamp { wall: now, tsc: begun });
                    self.ns.push(clock.ns(stop() - begun) as f32);
                    if let Some(timed) = timed.as_deref_mut() {
                        timed.lines.push(line);
                        timed.kinds.push(kind);
                        timed.levels.push(level_count(recording.frames.frame(line), kind));
                        timed.ordered.push(self.pipeline.trader().intents_pushed() > before);
                    }
                }
            }
            let intents = &mut self.intents;
            self.pipeline.trader().answer(now, |intent| intents.push((line, Intent { origin_tsc: 0, ..*intent })));
        }
    }
}

/// Levels of a frame, from its text: a price and a quantity are four quotes.
fn level_count(frame: &[u8], kind: LineKind) -> u32 {
    match kind {
        LineKind::Depth => {
            let opened = frame.windows(2).filter(|pair| pair == b"[\"").count();
            u32::try_from(opened).unwrap_or(u32::MAX)
        }
        _ => 2,
    }
}

/// Plays the recording `rounds` times through all pipelines, in turns of many lines, each round afresh.
///
/// # Errors
/// Two pipelines decided differently: which, and on which line.
pub fn contest(recording: &Workload, rounds: usize, makers: &[Make<'_>]) -> Result<Outcome, String> {
    let mut times: Vec<FrameTimes> =
        makers.iter().map(|make| FrameTimes { name: make().name(), rounds: Vec::new() }).collect();
    let mut timed = Timed::default();
    let mut buffer = recording.frames.buffer();
    for round in 0..rounds {
        let mut runs: Vec<Run> = makers
            .iter()
            .map(|make| Run {
                pipeline: make(),
                ns: Vec::with_capacity(recording.frames.len()),
                intents: Vec::new(),
                has_book: false,
            })
            .collect();
        for (turn_base, begin) in (0..recording.frames.len()).step_by(CHUNK).enumerate() {
            let range = begin..(begin + CHUNK).min(recording.frames.len());
            for turn in 0..runs.len() {
                let who = (turn + turn_base + round) % runs.len();
                let collect = (round == 0 && who == 0).then_some(&mut timed);
                runs[who].play(recording, range.clone(), &mut buffer, collect);
            }
        }
        for (who, run) in runs.iter().enumerate().skip(1) {
            if run.intents != runs[0].intents {
                let differing = run.intents.iter().zip(&runs[0].intents).find(|(one, other)| one != other);
                let line = differing.map_or(0, |(one, _)| one.0 + 1);
                return Err(format!("{} and {} decide differently, line {line}", times[who].name, times[0].name));
            }
        }
        for (who, run) in runs.into_iter().enumerate() {
            times[who].rounds.push(run.ns);
        }
    }
    Ok(Outcome { timed, times })
}
