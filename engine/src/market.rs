//! HOT: one instrument as the venue shows it: its book, its best bid and ask, its last trade, and the checks between them.

use crate::book::{Book, BookFault, BookState};
use crate::event::{LostReason, MarketEvent, MarketKind, MarketReply};
use crate::limits::{OUTER_LEVELS_MAX, TOUCH_AHEAD_IDS_MAX};
use crate::prefetch::prefetch;
use crate::touch::{Compared, Touch, TouchHistory};
use crate::types::{Level, Nanos, Side, Tick};

/// What happened on one instrument since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MarketCounters {
    /// Snapshots that made the book Live.
    pub snapshots: u64,
    /// Depth messages applied.
    pub depth_messages: u64,
    /// Levels applied, of snapshots and depth messages.
    pub levels: u64,
    /// Best bid/ask messages remembered.
    pub touches: u64,
    /// Public trades noted.
    pub trades: u64,
    /// Times a Live book was given up, of all reasons together.
    pub lost: u64,
    /// Depth messages ignored because the book was not Live, and trades without a level.
    pub ignored: u64,
    /// Pairs of best bid/ask and depth message with one update id that were compared.
    pub bbo_checked: u64,
    /// Of these, the ones that agreed in price and quantity on both sides.
    pub bbo_matched: u64,
    /// Times a Live book was crossed.
    pub crossed: u64,
    /// Messages refused for a price or quantity that no book can hold.
    pub bad_levels: u64,
    /// Times the store of outer levels was full.
    pub outer_full: u64,
}

/// The last public trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Price and quantity.
    pub level: Level,
    /// Who took: `Bid` if the aggressor bought.
    pub aggressor: Side,
    /// The venue's event time; zero if the message has none.
    pub event_time: Nanos,
    /// When it was in hand.
    pub received: Nanos,
}

/// Best bid and ask of a market that may be quoted on: both there, bid below ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Best {
    /// The best bid.
    pub bid: Tick,
    /// The best ask.
    pub ask: Tick,
    /// The best bid of the book itself: what positions are valued at and prices are held against.
    pub bid_book: Tick,
    /// The best ask of the book itself, likewise.
    pub ask_book: Tick,
}

impl Best {
    /// Bid plus ask: twice the mid, exact.
    #[inline]
    #[must_use]
    pub fn mid_doubled(&self) -> i128 {
        i128::from(self.bid.0) + i128::from(self.ask.0)
    }

    /// The same of the book alone.
    #[inline]
    #[must_use]
    pub fn book_mid_doubled(&self) -> i128 {
        i128::from(self.bid_book.0) + i128::from(self.ask_book.0)
    }

    /// The highest bid either source shows: a post-only ask stays above it.
    #[inline]
    #[must_use]
    pub fn bid_outer(&self) -> Tick {
        self.bid.max(self.bid_book)
    }

    /// The lowest ask either source shows: a post-only bid stays below it.
    #[inline]
    #[must_use]
    pub fn ask_outer(&self) -> Tick {
        self.ask.min(self.ask_book)
    }
}

/// How long depth messages may go on coming while they stay behind a best bid/ask that was there before them.
const TOUCH_AHEAD_MAX: Nanos = Nanos::from_millis(1_000);

/// What a look at a best bid/ask that is ahead of the book found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TouchVerdict {
    /// It is not ahead, or not for long.
    Near,
    /// Its update id was so far ahead that it was never believed: forgotten.
    Forgotten,
    /// The depth did not reach it in time, so one of the two is wrong: the book is not Live any more.
    BookLost,
}

/// One instrument's market data, all of it.
#[derive(Debug)]
pub struct Market {
    book: Book,
    touches: TouchHistory,
    last_trade: Option<Trade>,
    /// What quotes are decided on, as of the last message; none if nothing may be quoted.
    best: Option<Best>,
    /// The outer store was full, and the book is still the one that was too small.
    far_was_full: bool,
    /// How many outer levels a side a book may have in all.
    outer_levels_max: usize,
    /// The venue sent more than that: there is no book of this market any more.
    overfull: bool,
    /// That is news: nobody has taken it yet.
    overfull_news: bool,
    /// Whether the book's sequence is that of a depth message, not of a snapshot.
    at_depth_message: bool,
    received_last: Nanos,
    depth_received_last: Nanos,
    /// The venue's time of the last depth message or snapshot; zero if it had none.
    depth_event_time: Nanos,
    /// Update id of a best bid/ask that was ahead of the book at a look, and what had come of the depth then.
    ahead: (u64, Nanos),
    /// The book was given up between two messages: the next one is to ask for a resync.
    resync_owed: bool,
    counters: MarketCounters,
}

impl Market {
    /// A market around an empty book.
    #[must_use]
    pub fn new(book: Book) -> Market {
        Market {
            book,
            touches: TouchHistory::new(),
            last_trade: None,
            best: None,
            far_was_full: false,
            outer_levels_max: OUTER_LEVELS_MAX,
            overfull: false,
            overfull_news: false,
            at_depth_message: false,
            received_last: Nanos::ZERO,
            depth_received_last: Nanos::ZERO,
            depth_event_time: Nanos::ZERO,
            ahead: (0, Nanos::ZERO),
            resync_owed: false,
            counters: MarketCounters::default(),
        }
    }

    /// Asks for the lines that the next message most likely needs ([`crate::prefetch`]).
    pub(crate) fn warm(&self) {
        prefetch(&self.book);
        self.book.warm();
        self.touches.warm();
        prefetch(&self.best);
        prefetch(&self.received_last);
        prefetch(&self.counters);
    }

    /// Takes one judged market message. Levels are meant as [`MarketKind`] says.
    ///
    /// The answer asks for a resync when this very message ended the book's being Live, or when a snapshot
    /// could not make it so.
    #[inline]
    pub fn on_event(&mut self, event: &MarketEvent, bids: &[Level], asks: &[Level]) -> MarketReply {
        self.received_last = event.received.wall;
        let answer = match event.kind {
            MarketKind::Delta => self.on_delta(event, bids, asks),
            MarketKind::Touch => self.on_touch(event, bids, asks),
            MarketKind::Trade => return self.on_trade(event, bids, asks),
            MarketKind::Snapshot => self.on_snapshot(event, bids, asks),
            MarketKind::Lost => self.on_lost(event.lost),
        };
        self.best = self.find_best();
        answer
    }

    #[inline]
    fn find_best(&self) -> Option<Best> {
        if !self.book.is_live() {
            return None;
        }
        let (book_bid, book_ask) = (self.book.best_bid()?.tick, self.book.best_ask()?.tick);
        let (bid, ask) = match self.touches.newest() {
            Some(touch) if touch.is_just_ahead_of(self.book.sequence()) => (touch.bid?.tick, touch.ask?.tick),
            _ => (book_bid, book_ask),
        };
        (bid < ask && book_bid < book_ask && bid.0 > 0).then_some(Best {
            bid,
            ask,
            bid_book: book_bid,
            ask_book: book_ask,
        })
    }

    /// Looks whether the depth follows the venue's own best bid/ask: some times a second, never for a frame. A best
    /// bid/ask with a wrong update id would else be the newest for ever, and every decision would rest on it.
    #[cold]
    pub(crate) fn judge_touch(&mut self) -> TouchVerdict {
        let sequence = self.book.sequence();
        let newest = self.touches.newest().map_or(0, |touch| touch.sequence);
        if !self.book.is_live() || newest <= sequence {
            self.ahead = (0, Nanos::ZERO);
            return TouchVerdict::Near;
        }
        if newest - sequence > TOUCH_AHEAD_IDS_MAX {
            self.touches.clear();
            self.ahead = (0, Nanos::ZERO);
            self.best = self.find_best();
            return TouchVerdict::Forgotten;
        }
        let (ahead, depth_received) = self.ahead;
        if ahead <= sequence {
            self.ahead = (newest, self.depth_received_last);
            return TouchVerdict::Near;
        }
        if self.depth_received_last - depth_received < TOUCH_AHEAD_MAX {
            return TouchVerdict::Near;
        }
        self.touches.clear();
        self.ahead = (0, Nanos::ZERO);
        self.give_up(LostReason::TouchMismatch);
        self.best = None;
        self.resync_owed = true;
        TouchVerdict::BookLost
    }

    fn on_snapshot(&mut self, event: &MarketEvent, bids: &[Level], asks: &[Level]) -> MarketReply {
        if self.overfull {
            return MarketReply::Resync(LostReason::OuterFull);
        }
        if let Err(fault) = self.book.replace(event.sequence, bids, asks) {
            return self.refuse(fault);
        }
        self.resync_owed = false;
        self.counters.snapshots += 1;
        self.counters.levels += (bids.len() + asks.len()) as u64;
        self.depth_received_last = event.received.wall;
        self.depth_event_time = event.event_time;
        self.at_depth_message = false;
        self.judge_crossed()
    }

    #[inline]
    fn on_delta(&mut self, event: &MarketEvent, bids: &[Level], asks: &[Level]) -> MarketReply {
        match self.book.apply(event.sequence, bids, asks) {
            Ok(()) => {}
            Err(BookFault::NotLive) => {
                self.counters.ignored += 1;
                return self.take_owed_resync();
            }
            Err(fault) => return self.refuse(fault),
        }
        self.counters.depth_messages += 1;
        self.counters.levels += (bids.len() + asks.len()) as u64;
        self.depth_received_last = event.received.wall;
        self.depth_event_time = event.event_time;
        self.at_depth_message = true;
        let compared = self.touches.compare(event.sequence, self.book.best_bid(), self.book.best_ask());
        let answer = self.judge_touches(compared);
        if answer != MarketReply::Ok {
            return answer;
        }
        self.judge_crossed()
    }

    #[inline]
    fn on_touch(&mut self, event: &MarketEvent, bids: &[Level], asks: &[Level]) -> MarketReply {
        let touch = Touch {
            bid: bids.first().copied(),
            ask: asks.first().copied(),
            sequence: event.sequence,
            event_time: event.event_time,
        };
        self.touches.remember(touch);
        self.counters.touches += 1;
        let pair = self.at_depth_message && self.book.is_live() && touch.sequence == self.book.sequence();
        if !pair || touch.sequence == 0 {
            return MarketReply::Ok;
        }
        let matched = touch.agrees_with(self.book.best_bid(), self.book.best_ask());
        self.judge_touches(Compared { checked: 1, matched: u64::from(matched) })
    }

    #[inline]
    fn on_trade(&mut self, event: &MarketEvent, bids: &[Level], asks: &[Level]) -> MarketReply {
        let (level, aggressor) = match (bids.first(), asks.first()) {
            (_, Some(&level)) => (level, Side::Bid),
            (Some(&level), None) => (level, Side::Ask),
            (None, None) => {
                self.counters.ignored += 1;
                return MarketReply::Ok;
            }
        };
        self.last_trade = Some(Trade { level, aggressor, event_time: event.event_time, received: event.received.wall });
        self.counters.trades += 1;
        MarketReply::Ok
    }

    fn on_lost(&mut self, reason: LostReason) -> MarketReply {
        if matches!(reason, LostReason::Disconnected | LostReason::Instrument) {
            // What the lost connection said last is old by now, and update ids may start over.
            self.touches.clear();
        }
        self.resync_owed = false;
        self.give_up(reason);
        MarketReply::Ok
    }

    /// A best bid/ask with the book's own update id must be the book's.
    #[inline]
    fn judge_touches(&mut self, compared: Compared) -> MarketReply {
        self.counters.bbo_checked += compared.checked;
        self.counters.bbo_matched += compared.matched;
        if compared.checked == compared.matched {
            return MarketReply::Ok;
        }
        self.give_up(LostReason::TouchMismatch);
        MarketReply::Resync(LostReason::TouchMismatch)
    }

    #[cold]
    fn take_owed_resync(&mut self) -> MarketReply {
        match core::mem::take(&mut self.resync_owed) {
            true => MarketReply::Resync(LostReason::TouchMismatch),
            false => MarketReply::Ok,
        }
    }

    #[inline]
    fn judge_crossed(&mut self) -> MarketReply {
        if !self.book.is_crossed() {
            return MarketReply::Ok;
        }
        self.counters.crossed += 1;
        self.give_up(LostReason::Crossed);
        MarketReply::Resync(LostReason::Crossed)
    }

    #[cold]
    fn refuse(&mut self, fault: BookFault) -> MarketReply {
        match fault {
            BookFault::OuterFull => {
                self.counters.outer_full += 1;
                self.far_was_full = true;
                self.overfull = self.book.outer_level_capacity() >= self.outer_levels_max;
                self.overfull_news = self.overfull;
            }
            _ => self.counters.bad_levels += 1,
        }
        self.counters.lost += 1;
        MarketReply::Resync(fault.lost_reason())
    }

    fn give_up(&mut self, reason: LostReason) {
        self.counters.lost += u64::from(self.book.is_live());
        self.book.set_lost(reason);
    }

    /// Puts another, empty book in the place of this one and hands the old one back, to be freed on a cold
    /// thread: the way out of a full outer store. The market is not Live until the next snapshot.
    pub fn exchange_book(&mut self, book: Book) -> Book {
        self.at_depth_message = false;
        self.best = None;
        self.far_was_full = false;
        core::mem::replace(&mut self.book, book)
    }

    /// The most outer levels a side that a book of this market may grow to, [`OUTER_LEVELS_MAX`] at first: a venue that
    /// sends more has no book here from then on, for its levels would fill the memory. Before the first message.
    pub fn set_outer_levels_max(&mut self, levels: usize) {
        self.outer_levels_max = levels.clamp(1, OUTER_LEVELS_MAX);
    }

    /// Whether the venue sent more levels than a book may have: it will not be Live again.
    #[must_use]
    pub fn is_overfull(&self) -> bool {
        self.overfull
    }

    /// Whether the market became overfull since this was asked last: true once.
    pub(crate) fn take_overfull_news(&mut self) -> bool {
        core::mem::take(&mut self.overfull_news)
    }

    /// How many outer levels a side the next book is to have, if this one's store was full and it may be larger: a
    /// cold thread builds it, and [`Market::exchange_book`] puts it here before the snapshot.
    #[must_use]
    pub fn outer_levels_wanted(&self) -> Option<usize> {
        let capacity = self.book.outer_level_capacity();
        (self.far_was_full && capacity < self.outer_levels_max).then(|| (2 * capacity).min(self.outer_levels_max))
    }

    /// The book. Its state says whether it may be believed.
    #[inline]
    #[must_use]
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// The venue's newest own best bid and ask.
    #[inline]
    #[must_use]
    pub fn touch(&self) -> Option<&Touch> {
        self.touches.newest()
    }

    /// Best bid and ask as strategies see them: the venue's own where its update id is newer than the book's and near
    /// it, else the book's. None unless the book is Live.
    #[inline]
    #[must_use]
    pub fn reference(&self) -> Option<Touch> {
        if !self.book.is_live() {
            return None;
        }
        match self.touches.newest() {
            Some(touch) if touch.is_just_ahead_of(self.book.sequence()) => Some(*touch),
            _ => Some(Touch {
                bid: self.book.best_bid(),
                ask: self.book.best_ask(),
                sequence: self.book.sequence(),
                event_time: self.depth_event_time,
            }),
        }
    }

    /// The best bid and ask to decide on: the newer of the book and the venue's own best bid/ask, by update id, as
    /// long as the two are near each other.
    /// `None` if the market must not be quoted on: not Live, one-sided, locked, crossed, or the bid is not positive.
    #[inline]
    #[must_use]
    pub fn best(&self) -> Option<Best> {
        self.best
    }

    /// Whether a quote may rest on this market: Live, both sides there, and neither crossed nor locked, in the
    /// book and in the reference. Age is the caller's to judge.
    #[inline]
    #[must_use]
    pub fn is_quotable(&self) -> bool {
        let apart =
            matches!((self.book.best_bid(), self.book.best_ask()), (Some(bid), Some(ask)) if bid.tick < ask.tick);
        apart && self.reference().is_some_and(|touch| touch.has_spread())
    }

    /// Whether the book can be trusted.
    #[inline]
    #[must_use]
    pub fn state(&self) -> BookState {
        self.book.state()
    }

    /// The last public trade.
    #[inline]
    #[must_use]
    pub fn last_trade(&self) -> Option<&Trade> {
        self.last_trade.as_ref()
    }

    /// When the last message of any kind was in hand; zero before the first.
    #[inline]
    #[must_use]
    pub fn received_last(&self) -> Nanos {
        self.received_last
    }

    /// The venue's time of the last depth message or snapshot; zero if it had none.
    #[inline]
    #[must_use]
    pub fn depth_event_time(&self) -> Nanos {
        self.depth_event_time
    }

    /// By how much the last depth message or snapshot was behind the venue's time when it was in hand, the difference of
    /// the two clocks included: negative where ours is behind. `None` if it had no time.
    #[must_use]
    pub fn depth_lag(&self) -> Option<Nanos> {
        (self.depth_event_time != Nanos::ZERO).then(|| self.depth_received_last - self.depth_event_time)
    }

    /// Whether the book's last change was a depth message, not a snapshot.
    #[must_use]
    pub fn is_at_depth_message(&self) -> bool {
        self.at_depth_message
    }

    /// How long ago the last message of any kind was in hand.
    #[inline]
    #[must_use]
    pub fn age(&self, now: Nanos) -> Nanos {
        now - self.received_last
    }

    /// When the book last changed, by a snapshot or a depth message; zero before the first.
    #[inline]
    #[must_use]
    pub fn depth_received_last(&self) -> Nanos {
        self.depth_received_last
    }

    /// How long ago the book last changed: by a snapshot or a depth message.
    #[inline]
    #[must_use]
    pub fn depth_age(&self, now: Nanos) -> Nanos {
        now - self.depth_received_last
    }

    /// What happened since the start.
    #[inline]
    #[must_use]
    pub fn counters(&self) -> &MarketCounters {
        &self.counters
    }
}
