//! COLD: the book contest: a recorded stream of levels through our book, a `BTreeMap` and a bare store.

use core::ops::Range;

use spinbook_engine::book::Book;
use spinbook_engine::limits::WINDOW_TICKS;
use spinbook_engine::setup::{BookSettings, book};
use spinbook_engine::types::{Level, Side};

use crate::contest::{Cut, Time, Work, by_turns};
use crate::plain::TreeBook;
use crate::workload::LevelStream;

/// How a stream of messages is cut in every contest of books.
pub const CUT: Cut = Cut { part: 50, parts_a_turn: 100 };

/// What a strategy asks after every message.
#[inline]
fn touch(bid: Option<Level>, ask: Option<Level>) -> u64 {
    let of = |level: Option<Level>| level.map_or(0, |level| level.tick.0 as u64 ^ level.lots.0 as u64);
    of(bid) ^ of(ask).rotate_left(1)
}

/// Our book on a stream: snapshot replaced, changes applied, best prices read after each message.
pub struct OurBook<'a> {
    stream: &'a LevelStream,
    book: Book,
}

impl<'a> OurBook<'a> {
    /// An empty book beside its stream.
    #[must_use]
    pub fn new(stream: &'a LevelStream, outer_levels: usize) -> OurBook<'a> {
        OurBook { stream, book: book(&BookSettings { outer_levels }) }
    }
}

impl Work for OurBook<'_> {
    fn name(&self) -> String {
        "Spinbook Book".into()
    }

    fn reset(&mut self) {
        let first = &self.stream.messages[0];
        let replaced = self.book.replace(first.sequence, self.stream.bids(first), self.stream.asks(first));
        assert_eq!(replaced, Ok(()), "the recorded snapshot fits the book");
    }

    fn run(&mut self, range: Range<usize>) -> u64 {
        let mut sum = 0u64;
        for message in &self.stream.messages[1 + range.start..1 + range.end] {
            let applied = self.book.apply(message.sequence, self.stream.bids(message), self.stream.asks(message));
            sum = sum.wrapping_add(u64::from(applied.is_err()) << 63);
            sum = sum.wrapping_add(touch(self.book.best_bid(), self.book.best_ask()));
        }
        sum
    }
}

struct Tree<'a> {
    stream: &'a LevelStream,
    book: TreeBook,
}

impl Work for Tree<'_> {
    fn name(&self) -> String {
        "BTreeMap a side".into()
    }

    fn reset(&mut self) {
        let first = &self.stream.messages[0];
        self.book.clear();
        self.book.apply(self.stream.bids(first), self.stream.asks(first));
    }

    fn run(&mut self, range: Range<usize>) -> u64 {
        let mut sum = 0u64;
        for message in &self.stream.messages[1 + range.start..1 + range.end] {
            self.book.apply(self.stream.bids(message), self.stream.asks(message));
            sum = sum.wrapping_add(touch(self.book.best_bid(), self.book.best_ask()));
        }
        sum
    }
}

/// The least that any array book must do: store each quantity at its place, modulo the same window.
struct BareStore<'a> {
    stream: &'a LevelStream,
    lots: [Box<[i64; WINDOW_TICKS]>; 2],
}

impl Work for BareStore<'_> {
    fn name(&self) -> String {
        "bare store of the quantity".into()
    }

    fn reset(&mut self) {
        self.lots.iter_mut().for_each(|side| side.fill(0));
    }

    fn run(&mut self, range: Range<usize>) -> u64 {
        for message in &self.stream.messages[1 + range.start..1 + range.end] {
            for level in self.stream.bids(message) {
                self.lots[0][level.tick.0 as usize % WINDOW_TICKS] = level.lots.0;
            }
            for level in self.stream.asks(message) {
                self.lots[1][level.tick.0 as usize % WINDOW_TICKS] = level.lots.0;
            }
        }
        core::hint::black_box(self.lots[0][1] ^ self.lots[1][1]) as u64
    }
}

fn window() -> Box<[i64; WINDOW_TICKS]> {
    vec![1; WINDOW_TICKS].into_boxed_slice().try_into().expect("as many as the window has")
}

/// Applies the stream to our book and to the maps and compares every level of both sides at the end, and the best
/// prices after every message.
///
/// # Errors
/// Where they differ.
pub fn agree(stream: &LevelStream, outer_levels: usize) -> Result<(), String> {
    let mut ours = OurBook::new(stream, outer_levels);
    let mut tree = Tree { stream, book: TreeBook::new() };
    ours.reset();
    tree.reset();
    for index in 0..stream.messages.len() - 1 {
        if ours.run(index..index + 1) != tree.run(index..index + 1) {
            return Err(format!("best prices differ after message {index}"));
        }
    }
    for side in Side::BOTH {
        if !ours.book.levels(side).eq(tree.book.levels(side)) {
            return Err(format!("the {side:?} levels differ at the end"));
        }
    }
    Ok(())
}

/// OurBook, `BTreeMap` and the bare store, each beside its stream.
#[must_use]
pub fn works(stream: &LevelStream, outer_levels: usize) -> Vec<Box<dyn Work + '_>> {
    vec![
        Box::new(OurBook::new(stream, outer_levels)),
        Box::new(Tree { stream, book: TreeBook::new() }),
        Box::new(BareStore { stream, lots: [window(), window()] }),
    ]
}

/// The contest: ns a changed level, in the order ours, `BTreeMap`, bare store.
///
/// # Errors
/// As [`agree`].
pub fn contest(stream: &LevelStream, outer_levels: usize, rounds: usize) -> Result<Vec<Time>, String> {
    agree(stream, outer_levels)?;
    let mut works = works(stream, outer_levels);
    let mut times = by_turns(stream.messages.len() - 1, CUT, rounds, &mut works);
    times.iter_mut().for_each(|time| time.ns /= stream.changed_levels() as f64);
    Ok(times)
}
