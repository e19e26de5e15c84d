//! COLD: what huge pages under the books are worth: the same work on both kinds of pages, in turns of one run.

use core::mem::ManuallyDrop;
use core::ops::Range;

use spinbook_engine::book::Book;
use spinbook_engine::setup::{BookSettings, book};
use spinbook_engine::types::{Level, Stamp, Tick};
use spinbook_feed::net::host::memory::{HUGE_PAGE_BYTES, HugePages, use_huge_pages};
use spinbook_feed::scan::ScannerChoice;

use crate::contest::{Cut, Time, Work, by_turns};
use crate::pipeline::{self, Make, OurPipeline, Outcome, Pipeline};
use crate::trader::{OUTER_LEVELS, Trader};
use crate::workload::{LevelStream, Workload};

/// Ten parts of twenty messages a turn.
const CUT: Cut = Cut { part: 20, parts_a_turn: 10 };

/// Keeps what comes next out of the huge pages of what came before.
fn leave_a_gap() {
    core::mem::forget(core::hint::black_box(Vec::<u8>::with_capacity(HUGE_PAGE_BYTES)));
}

/// How far the prices of one book lie from those of the next: as different symbols' do. At equal prices all books would
/// use the same slots, which lie in the same cache sets on huge pages and not on small ones.
const SHIFT_TICKS: i64 = 4_099;

/// Many books fed in turns: what a desk with many symbols does to the address translation.
struct Books<'a> {
    name: String,
    stream: &'a LevelStream,
    books: Vec<Book>,
    bids: Vec<Level>,
    asks: Vec<Level>,
}

/// A message's levels for one of the books, in a buffer that is used again.
#[inline]
fn shifted<'b>(levels: &[Level], ticks: i64, buffer: &'b mut Vec<Level>) -> &'b [Level] {
    buffer.clear();
    buffer.extend(levels.iter().map(|level| Level { tick: Tick(level.tick.0 + ticks), lots: level.lots }));
    buffer
}

impl<'a> Books<'a> {
    fn new(stream: &'a LevelStream, count: usize, huge: bool) -> (Books<'a>, HugePages) {
        leave_a_gap();
        let books: Vec<Book> = (0..count).map(|_| book(&BookSettings { outer_levels: OUTER_LEVELS })).collect();
        let ranges: Vec<Range<usize>> = books.iter().flat_map(Book::address_ranges).collect();
        let pages = if huge { use_huge_pages(&ranges) } else { HugePages::default() };
        leave_a_gap();
        let name = format!("{count} books, {} pages", if huge { "huge" } else { "small" });
        (Books { name, stream, books, bids: Vec::new(), asks: Vec::new() }, pages)
    }
}

impl Work for Books<'_> {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn reset(&mut self) {
        let first = &self.stream.messages[0];
        for (place, book) in self.books.iter_mut().enumerate() {
            let ticks = place as i64 * SHIFT_TICKS;
            let bids = shifted(self.stream.bids(first), ticks, &mut self.bids);
            let replaced = book.replace(first.sequence, bids, shifted(self.stream.asks(first), ticks, &mut self.asks));
            assert_eq!(replaced, Ok(()), "the recorded snapshot fits the book");
        }
    }

    fn run(&mut self, range: Range<usize>) -> u64 {
        let mut sum = 0_u64;
        for message in &self.stream.messages[1 + range.start..1 + range.end] {
            for (place, book) in self.books.iter_mut().enumerate() {
                let ticks = place as i64 * SHIFT_TICKS;
                let bids = shifted(self.stream.bids(message), ticks, &mut self.bids);
                let asks = shifted(self.stream.asks(message), ticks, &mut self.asks);
                let applied = book.apply(message.sequence, bids, asks);
                let best = book.best_bid().map_or(0, |level| level.tick.0 as u64);
                sum = sum.wrapping_add(best ^ u64::from(applied.is_err()) << 63);
            }
        }
        sum
    }
}

/// ns a changed level of `count` books on small and on huge pages, and what became of the wish for huge ones.
#[must_use]
pub fn books(stream: &LevelStream, count: usize, rounds: usize) -> (Vec<Time>, HugePages) {
    let (small, _) = Books::new(stream, count, false);
    let (huge, pages) = Books::new(stream, count, true);
    let mut works: Vec<Box<dyn Work + '_>> = vec![Box::new(small), Box::new(huge)];
    let mut times = by_turns(stream.messages.len() - 1, CUT, rounds, &mut works);
    let levels = (stream.changed_levels() * count) as f64;
    times.iter_mut().for_each(|time| time.ns /= levels);
    (times, pages)
}

/// Our path from frame to order; its memory is never given back, so that the next one starts on fresh pages.
struct Path {
    ours: ManuallyDrop<OurPipeline>,
    huge: bool,
}

impl Path {
    fn new(recording: &Workload, huge: bool) -> Path {
        leave_a_gap();
        let mut ours = OurPipeline::new(recording, ScannerChoice::Best);
        if huge {
            let ranges: Vec<Range<usize>> = ours.trader().engine().address_ranges().collect();
            let _ = use_huge_pages(&ranges);
        }
        leave_a_gap();
        Path { ours: ManuallyDrop::new(ours), huge }
    }
}

impl Pipeline for Path {
    fn name(&self) -> String {
        format!("{}, {} pages", self.ours.name(), if self.huge { "huge" } else { "small" })
    }

    #[inline]
    fn frame(&mut self, padded: &mut [u8], length: usize, received: Stamp) {
        self.ours.frame(padded, length, received);
    }

    fn snapshot(&mut self, padded: &mut [u8], length: usize, received: Stamp) {
        self.ours.snapshot(padded, length, received);
    }

    fn trader(&mut self) -> &mut Trader {
        self.ours.trader()
    }
}

/// Frame to order, on small and on huge pages.
///
/// # Errors
/// As [`pipeline::contest`].
pub fn path(recording: &Workload, rounds: usize) -> Result<Outcome, String> {
    let makers: Vec<Make<'_>> =
        vec![Box::new(|| Box::new(Path::new(recording, false))), Box::new(|| Box::new(Path::new(recording, true)))];
    pipeline::contest(recording, rounds, &makers)
}
