//! COLD: measures everything once and keeps the figures: the source of every table and of every target.

use serde::{Deserialize, Serialize};
use spinbook_engine::setup::{BookSettings, book as make_book};
use spinbook_feed::net::host::memory::use_huge_pages;
use spinbook_feed::scan::ScannerChoice;
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::instrument::Instrument;

use crate::alloc;
use crate::book;
use crate::contest::{Contest, Time};
use crate::decode;
use crate::frames::Frames;
use crate::inputs::SampleCount;
use crate::markets::{product, synthetic};
use crate::paced::PacedFigures;
use crate::peer_book::PeerBookTable;
use crate::percentiles::{Class, Row, row};
use crate::pipeline::{self, Make, OurPipeline, Outcome, Pipeline, Plain};
use crate::plain::{PlainDecoder, SerdeJsonTyped, SimdJsonTape, SimdJsonTyped};
use crate::ring::{self, RingTable};
use crate::risk_chain::RiskTable;
use crate::synthetic::{Shape, depth_frames, touch_frames};
use crate::trader::OUTER_LEVELS;
use crate::wire::WireFigures;
use crate::workload::{LineKind, Workload};

/// Further decoders for a contest, made for an instrument.
pub type MoreDecoders<'a> = &'a dyn Fn(&Instrument) -> Vec<Box<dyn PlainDecoder>>;

/// One decode contest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DecodeTable {
    /// Which frames.
    pub what: String,
    /// How many.
    pub frames: usize,
    /// Their mean size.
    pub bytes_mean: usize,
    /// Ours first (best scanner, portable, general decoder alone), then the peers.
    pub times: Vec<Time>,
}

impl DecodeTable {
    /// The fastest peer.
    #[must_use]
    pub fn best_peer(&self) -> Option<&Time> {
        self.times.iter().skip(decode::OURS.len()).min_by(|one, other| one.ns.total_cmp(&other.ns))
    }

    /// How many times faster than the fastest peer ours is: `scanner` 0 is the best, 1 the portable one.
    #[must_use]
    pub fn ratio(&self, scanner: usize) -> Option<f64> {
        Some(self.best_peer()?.ns / self.times.get(scanner)?.ns)
    }
}

/// One book contest.
#[derive(Clone, Debug, Serialize)]
pub struct BookTable {
    /// Which recording.
    pub what: String,
    /// Messages after the snapshot.
    pub messages: usize,
    /// Levels in them.
    pub levels: usize,
    /// Memory of our book, in bytes.
    pub memory_bytes: usize,
    /// ns a level: ours, `BTreeMap`, bare store.
    pub times: Vec<Time>,
}

/// Frame to order over one recording.
#[derive(Clone, Debug, Serialize)]
pub struct PathTable {
    /// Which recording.
    pub what: String,
    /// By class of frames.
    pub classes: Vec<PathClass>,
    /// Calls to the allocator by our path over the whole recording once warm; none if this process does not count.
    pub allocations: Option<u64>,
}

/// Frame to order over one class of frames.
#[derive(Clone, Debug, Serialize)]
pub struct PathClass {
    /// Which.
    pub what: &'static str,
    /// How many.
    pub frames: usize,
    /// OurPipeline first, then the plain pipelines, the named one first.
    pub rows: Vec<Row>,
}

/// What the peers' workspace measures in its own build, as its program prints it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PeerFigures {
    /// Decode contests with further peers.
    pub decode: Vec<DecodeTable>,
    /// Book contests with other people's books.
    pub book: Vec<PeerBookTable>,
    /// The rings with further peers.
    pub ring: Option<RingTable>,
}

/// All figures of one run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Figures {
    /// Decode contests: synthetic sizes, then recorded frames.
    pub decode: Vec<DecodeTable>,
    /// The same contests in a build for this machine with the peers' compile-time vector code, if it was made.
    pub decode_native: Vec<DecodeTable>,
    /// Book contests.
    pub book: Vec<BookTable>,
    /// Book contests with other people's books, in the peers' build.
    pub book_native: Vec<PeerBookTable>,
    /// Frame to order.
    pub path: Vec<PathTable>,
    /// The chain of risk controls.
    pub risk: Vec<RiskTable>,
    /// The rings.
    pub ring: Option<RingTable>,
    /// The rings in the peers' build, with rtrb.
    pub ring_native: Option<RingTable>,
    /// Receiving over TLS and WebSocket, one table a layout.
    pub receive: Vec<Contest>,
    /// The steps of sending an order.
    pub send: Vec<Contest>,
    /// Frame to order at a market's pace.
    pub paced: PacedFigures,
    /// Wire to wire, and a decision's way into the kernel.
    pub wire: WireFigures,
    /// Why `bench/peers` was not measured, if it was not.
    pub peers_missing: Option<String>,
    /// What was skipped and why.
    pub skipped: Vec<String>,
}

/// One contest over one kind of frames, with what further decoders `more` gives.
///
/// # Errors
/// As [`decode::contest`].
pub fn decode_table(
    what: String,
    frames: &Frames,
    of: (ProductLine, &Instrument),
    rounds: usize,
    more: MoreDecoders<'_>,
) -> Result<DecodeTable, String> {
    let times =
        decode::contest(frames, of.0, of.1, rounds, || more(of.1)).map_err(|error| format!("{what}: {error}"))?;
    Ok(DecodeTable { what, frames: frames.len(), bytes_mean: frames.byte_count() / frames.len().max(1), times })
}

/// Decode contests on synthetic frames of both products.
///
/// # Errors
/// As [`decode::contest`].
pub fn decode_synthetic(samples: SampleCount, more: MoreDecoders<'_>) -> Result<Vec<DecodeTable>, String> {
    let mut tables = Vec::new();
    for shape in Shape::ALL {
        let instrument = synthetic(shape);
        for levels in [2, 20, 200] {
            let what = format!("{} depth, {levels} levels", shape.name());
            let frames = depth_frames(shape, levels, 400, 1);
            tables.push(decode_table(what, &frames, (product(shape), &instrument), samples.rounds, more)?);
        }
        let what = format!("{} best bid/ask", shape.name());
        let frames = touch_frames(shape, 400, 1);
        tables.push(decode_table(what, &frames, (product(shape), &instrument), samples.rounds, more)?);
    }
    Ok(tables)
}

/// Decode contests on the depth and best bid/ask frames of a recording.
///
/// # Errors
/// As [`decode::contest`].
pub fn decode_recorded(
    recording: &Workload,
    samples: SampleCount,
    more: MoreDecoders<'_>,
) -> Result<Vec<DecodeTable>, String> {
    let mut tables = Vec::new();
    for (what, kind) in [("depth", LineKind::Depth), ("best bid/ask", LineKind::Touch)] {
        let frames = recording.of_kind(kind);
        if frames.is_empty() {
            continue;
        }
        let what = format!("{}, recorded {what}", recording.name);
        tables.push(decode_table(what, &frames, (recording.product, &recording.instrument), samples.replays, more)?);
    }
    Ok(tables)
}

/// The book contest on a recording.
///
/// # Errors
/// As [`book::contest`], or the recording has no snapshot.
pub fn book_table(recording: &Workload, samples: SampleCount) -> Result<BookTable, String> {
    let stream = recording.levels()?;
    let times = book::contest(&stream, OUTER_LEVELS, samples.replays)?;
    Ok(BookTable {
        what: recording.name.clone(),
        messages: stream.messages.len() - 1,
        levels: stream.changed_levels(),
        memory_bytes: make_book(&BookSettings { outer_levels: OUTER_LEVELS }).memory_bytes(),
        times,
    })
}

/// A pipeline whose books lie on huge pages where the system allows it, as the program's do: all alike.
fn on_huge_pages(mut pipeline: impl Pipeline + 'static) -> Box<dyn Pipeline> {
    let ranges: Vec<_> = pipeline.trader().engine().address_ranges().collect();
    let _ = use_huge_pages(&ranges);
    Box::new(pipeline)
}

/// Plays the pipelines over a recording: ours, ours with the portable scanner, and the plain ones.
///
/// # Errors
/// As [`Workload::check`] and [`pipeline::contest`].
pub fn path_outcome(recording: &Workload, samples: SampleCount) -> Result<Outcome, String> {
    recording.check()?;
    let increments = recording.increments();
    let makers: Vec<Make<'_>> = vec![
        Box::new(|| on_huge_pages(OurPipeline::new(recording, ScannerChoice::Best))),
        Box::new(|| on_huge_pages(Plain::new(recording, SimdJsonTyped::new(increments)))),
        Box::new(|| on_huge_pages(Plain::new(recording, SimdJsonTape::new(increments)))),
        Box::new(|| on_huge_pages(Plain::new(recording, SerdeJsonTyped::new(increments)))),
        Box::new(|| on_huge_pages(OurPipeline::new(recording, ScannerChoice::Portable))),
    ];
    pipeline::contest(recording, samples.replays, &makers)
}

/// The tables of an outcome.
#[must_use]
pub fn path_table(recording: &Workload, outcome: &Outcome) -> PathTable {
    let class = |class: Class| PathClass {
        what: class.name(),
        frames: class.frames(outcome).len(),
        rows: outcome.times.iter().map(|times| row(outcome, times, class)).collect(),
    };
    PathTable {
        what: recording.name.clone(),
        classes: Class::ALL.into_iter().map(class).filter(|class| class.frames > 0).collect(),
        allocations: alloc::is_installed().then(|| path_allocations(recording)),
    }
}

/// Calls to the allocator while our path works through a recording's frames, from the first book on.
#[must_use]
pub fn path_allocations(recording: &Workload) -> u64 {
    let mut ours = OurPipeline::new(recording, ScannerChoice::Best);
    let mut buffer = recording.frames.buffer();
    let (mut calls, mut live) = (0u64, false);
    for line in 0..recording.frames.len() {
        let length = recording.frames.copy_to(line, &mut buffer);
        let now = recording.received[line];
        let stamp = spinbook_engine::types::Stamp { wall: now, tsc: 0 };
        match recording.kinds[line] {
            LineKind::Snapshot => {
                ours.snapshot(&mut buffer, length, stamp);
                live = true;
            }
            LineKind::Other => {}
            _ if !live => ours.frame(&mut buffer, length, stamp),
            _ => calls += alloc::count(|| ours.frame(&mut buffer, length, stamp)).1,
        }
        ours.trader().answer(now, |_| {});
    }
    calls
}

/// The ring contest with the given kinds.
#[must_use]
pub fn ring_table(kinds: &[ring::RingKind], samples: SampleCount) -> RingTable {
    ring::contest(kinds, samples.ring_rounds, 200, 100)
}
