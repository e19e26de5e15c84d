//! COLD: the book contest with other people's books: each is compared with the truth, level by level, then timed.

use serde::{Deserialize, Serialize};
use spinbook_engine::types::{Level, Side};

use crate::book::{CUT, OurBook, agree};
use crate::contest::{Time, Work, by_turns};
use crate::plain::TreeBook;
use crate::workload::LevelStream;

/// What is said of a book beside its time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PeerSetup {
    /// Whose and which type: what a target names.
    pub peer: String,
    /// Version of the library.
    pub version: String,
    /// How it is set up and called.
    pub setup: String,
    /// Bytes that it holds for its levels, where it can be said.
    pub memory_bytes: Option<usize>,
    /// Changes in the stream that the set-up makes it drop: prices outside its range.
    pub dropped: usize,
}

/// A book of another library beside its stream, whose levels are converted to the library's types beforehand.
pub trait PeerBook: Work {
    /// What is said of it.
    fn about(&self) -> PeerSetup;

    /// Best bid and ask as it gives them, in ticks and lots.
    fn touch(&self) -> [Option<Level>; 2];

    /// All levels of a side as it gives them, best outward, in ticks and lots.
    fn levels(&self, side: Side) -> Vec<Level>;
}

/// How a book differs from the truth.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Messages after which its best bid or ask, price or quantity, was another.
    pub touches: usize,
    /// The first of them.
    pub first: Option<String>,
    /// Levels of the truth that it lacks at the end.
    pub missing: usize,
    /// Levels at the end that the truth does not have.
    pub surplus: usize,
    /// Levels at the end with another quantity.
    pub changed: usize,
}

impl Difference {
    /// Whether there is none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Difference::default()
    }

    /// In words.
    #[must_use]
    pub fn text(&self) -> String {
        if self.is_none() {
            return "none".into();
        }
        let mut parts = Vec::new();
        let mut part = |count: usize, what: &str| {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        };
        part(self.touches, "times another best bid or ask");
        part(self.missing, "levels missing at the end");
        part(self.surplus, "levels too many at the end");
        part(self.changed, "levels of another quantity at the end");
        match &self.first {
            Some(first) => format!("{} (first {first})", parts.join(", ")),
            None => parts.join(", "),
        }
    }
}

/// One book's row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PeerBookRow {
    /// ns a changed level.
    pub time: Time,
    /// What it is.
    pub about: PeerSetup,
    /// Levels that it holds at the end.
    pub levels_end: usize,
    /// How it differs from the truth.
    pub difference: Difference,
}

/// The contest on one recording.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PeerBookTable {
    /// Which recording.
    pub what: String,
    /// Messages after the snapshot.
    pub messages: usize,
    /// Levels in them.
    pub levels: usize,
    /// ns a level of ours, in the same turns.
    pub ours: Time,
    /// Levels that ours and the truth hold at the end.
    pub levels_end: usize,
    /// The peers.
    pub peers: Vec<PeerBookRow>,
}

impl PeerBookTable {
    /// The fastest set-up of a peer.
    #[must_use]
    pub fn best_of(&self, peer: &str) -> Option<&PeerBookRow> {
        let of_peer = self.peers.iter().filter(|row| row.about.peer == peer);
        of_peer.min_by(|one, other| one.time.ns.total_cmp(&other.time.ns))
    }

    /// How many times faster than a row ours is.
    #[must_use]
    pub fn ratio(&self, row: &PeerBookRow) -> f64 {
        row.time.ns / self.ours.ns
    }
}

/// Plays the stream into the peer and into a sorted map, and compares best prices and quantities after every
/// message and all levels at the end. Gives back how many levels the peer holds at the end as well.
pub fn compare(stream: &LevelStream, peer: &mut dyn PeerBook) -> (Difference, usize) {
    let mut truth = TreeBook::new();
    let mut found = Difference::default();
    let first = &stream.messages[0];
    truth.apply(stream.bids(first), stream.asks(first));
    peer.reset();
    for (index, message) in stream.messages[1..].iter().enumerate() {
        truth.apply(stream.bids(message), stream.asks(message));
        peer.run(index..index + 1);
        let (theirs, right) = (peer.touch(), [truth.best_bid(), truth.best_ask()]);
        if theirs != right {
            found.touches += 1;
            found.first.get_or_insert_with(|| format!("after message {}: {theirs:?}, not {right:?}", index + 1));
        }
    }
    let mut held = 0;
    for side in Side::BOTH {
        let theirs = peer.levels(side);
        held += theirs.len();
        let order = |level: &Level| if side == Side::Bid { -level.tick.0 } else { level.tick.0 };
        for level in truth.levels(side) {
            match theirs.binary_search_by_key(&order(&level), order) {
                Ok(place) if theirs[place].lots == level.lots => {}
                Ok(_) => found.changed += 1,
                Err(_) => found.missing += 1,
            }
        }
        let right: Vec<Level> = truth.levels(side).collect();
        let surplus = |level: &&Level| right.binary_search_by_key(&order(level), order).is_err();
        found.surplus += theirs.iter().filter(surplus).count();
    }
    (found, held)
}

/// Compares every peer with the truth, then lets ours and the peers take turns on the stream.
///
/// # Errors
/// Our own book is not exact.
pub fn contest<'a>(
    what: &str,
    stream: &'a LevelStream,
    outer_levels: usize,
    rounds: usize,
    mut peers: Vec<Box<dyn PeerBook + 'a>>,
) -> Result<PeerBookTable, String> {
    agree(stream, outer_levels)?;
    let compared: Vec<(PeerSetup, Difference, usize)> = peers
        .iter_mut()
        .map(|peer| {
            let (difference, held) = compare(stream, peer.as_mut());
            (peer.about(), difference, held)
        })
        .collect();
    let ours: Box<dyn Work + 'a> = Box::new(OurBook::new(stream, outer_levels));
    let mut works: Vec<Box<dyn Work + 'a>> = vec![ours];
    works.extend(peers.into_iter().map(|peer| -> Box<dyn Work + 'a> { peer }));
    let mut times = by_turns(stream.messages.len() - 1, CUT, rounds, &mut works);
    times.iter_mut().for_each(|time| time.ns /= stream.changed_levels() as f64);
    let ours = times.remove(0);
    let row = |(time, (about, difference, levels_end)): (Time, _)| PeerBookRow { time, about, levels_end, difference };
    Ok(PeerBookTable {
        what: what.to_owned(),
        messages: stream.messages.len() - 1,
        levels: stream.changed_levels(),
        ours,
        levels_end: levels_end(stream),
        peers: times.into_iter().zip(compared).map(row).collect(),
    })
}

/// Levels of the true book after the last message.
fn levels_end(stream: &LevelStream) -> usize {
    let mut truth = TreeBook::new();
    stream.messages.iter().for_each(|message| truth.apply(stream.bids(message), stream.asks(message)));
    Side::BOTH.into_iter().map(|side| truth.levels(side).count()).sum()
}

#[cfg(test)]
mod tests {
    use core::ops::Range;

    use spinbook_engine::types::{Level, Lots, Side};

    use super::{Difference, PeerBook, PeerSetup, compare, contest};
    use crate::contest::Work;
    use crate::plain::TreeBook;
    use crate::synthetic::Shape;
    use crate::workload::{LevelStream, Workload};

    /// A right book that can be told to give one lot too many at its best bid and to forget its worst ask.
    struct Faulty<'a> {
        stream: &'a LevelStream,
        book: TreeBook,
        faulty: bool,
    }

    impl Work for Faulty<'_> {
        fn name(&self) -> String {
            "faulty".into()
        }

        fn reset(&mut self) {
            self.book.clear();
            let first = &self.stream.messages[0];
            self.book.apply(self.stream.bids(first), self.stream.asks(first));
        }

        fn run(&mut self, range: Range<usize>) -> u64 {
            for message in &self.stream.messages[1 + range.start..1 + range.end] {
                self.book.apply(self.stream.bids(message), self.stream.asks(message));
            }
            self.book.best_bid().map_or(0, |level| level.tick.0 as u64)
        }
    }

    impl PeerBook for Faulty<'_> {
        fn about(&self) -> PeerSetup {
            PeerSetup { peer: "faulty".into(), ..PeerSetup::default() }
        }

        fn touch(&self) -> [Option<Level>; 2] {
            let more = Lots(i64::from(self.faulty));
            let bid = self.book.best_bid().map(|level| Level { lots: Lots(level.lots.0 + more.0), ..level });
            [bid, self.book.best_ask()]
        }

        fn levels(&self, side: Side) -> Vec<Level> {
            let mut levels: Vec<Level> = self.book.levels(side).collect();
            if self.faulty && side == Side::Ask {
                levels.pop();
            }
            levels
        }
    }

    #[test]
    fn a_difference_is_found_and_counted_and_a_right_book_has_none() {
        let stream = Workload::synthetic(Shape::Usdm, 20, 50, 7).levels().expect("it begins with its snapshot");
        let mut right = Faulty { stream: &stream, book: TreeBook::new(), faulty: false };
        let (difference, held) = compare(&stream, &mut right);
        assert!(difference.is_none() && held > 0 && difference.text() == "none", "{difference:?}");
        let mut wrong = Faulty { stream: &stream, book: TreeBook::new(), faulty: true };
        let (difference, fewer) = compare(&stream, &mut wrong);
        assert_eq!(fewer + 1, held);
        let touches = stream.messages.len() - 1;
        let expected = Difference { touches, missing: 1, first: difference.first.clone(), ..Difference::default() };
        assert_eq!(difference, expected);
        let words = format!("{touches} times another best bid or ask, 1 levels missing");
        assert!(difference.text().starts_with(&words), "{}", difference.text());
    }

    #[test]
    fn the_contest_keeps_what_differs_beside_the_time() {
        let stream = Workload::synthetic(Shape::Usdm, 20, 50, 7).levels().expect("it begins with its snapshot");
        let peer = |faulty| Box::new(Faulty { stream: &stream, book: TreeBook::new(), faulty }) as Box<dyn PeerBook>;
        let table = contest("synthetic", &stream, 1 << 10, 3, vec![peer(false), peer(true)]).expect("ours is exact");
        assert_eq!((table.peers.len(), table.peers[0].levels_end), (2, table.levels_end));
        assert!(table.peers[0].difference.is_none() && !table.peers[1].difference.is_none());
        let best = table.best_of("faulty").expect("there are two");
        assert!(table.peers.iter().all(|row| row.time.ns >= best.time.ns) && table.best_of("other").is_none());
    }
}
