//! HOT: how far a feed may be behind the venue's own time, judged some times a second, never for a frame.
//!
//! A depth message says when it happened by the venue's clock, and when it was in hand by ours; the difference is the lag.
//! A feed that is behind by more than its limit shows a market that is gone, however fresh its messages are. Its limit of
//! the book's age is closed then, which is asked in every turn anyway: so a turn does not pay for this.

use crate::counters::Counter;
use crate::event::LostReason;
use crate::market::Market;
use crate::risk::RiskSettings;
use crate::strategy::Strategy;
use crate::types::{InstrumentId, Nanos};
use crate::unquoted::Unquoted;

use super::Engine;

/// No book is as young as that: nothing is quoted.
const CLOSED: Nanos = Nanos(-1);

/// What waited behind the first message after a silence is in after this: a network that comes back hands it all on at once.
const SETTLED_AFTER: Nanos = Nanos::from_millis(50);

/// What is known of the lag of one instrument's feed.
#[derive(Clone, Copy, Debug)]
pub(super) struct FeedLag {
    /// Largest lag that is quoted on; [`Nanos::NEVER`]: it is not judged.
    lag_max: Nanos,
    /// The configured limit of the book's age.
    book_age_max: Nanos,
    verdict: Verdict,
    /// The book became too old to be quoted on while it was quoted.
    became_old: bool,
    /// When the first message came after that.
    returned: Nanos,
    /// Why the second reference of the price collar keeps the book from being quoted on, if it does.
    reference: Option<Unquoted>,
}

/// What the last look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// A new book, and no message with a time since.
    Unknown,
    /// A book that had become too old has a message again, and newer ones may wait behind it.
    Returned,
    Within,
    Behind,
}

impl Default for FeedLag {
    fn default() -> FeedLag {
        FeedLag {
            lag_max: Nanos::NEVER,
            book_age_max: Nanos::ZERO,
            verdict: Verdict::Within,
            became_old: false,
            returned: Nanos::ZERO,
            reference: None,
        }
    }
}

impl FeedLag {
    fn is_judged(&self) -> bool {
        self.lag_max != Nanos::NEVER
    }

    /// The oldest book that may be quoted on now.
    fn book_age_allowed(&self) -> Nanos {
        if self.verdict == Verdict::Within && self.reference.is_none() { self.book_age_max } else { CLOSED }
    }

    /// The configured limit of the book's age, which a closed one hides.
    fn configured(&self, risk: &RiskSettings) -> Nanos {
        if risk.book_age_max == CLOSED { self.book_age_max } else { risk.book_age_max }
    }

    /// Notes what the second reference of the price collar keeps from being quoted on. Whether that is news.
    #[cold]
    pub(super) fn set_reference(&mut self, reason: Option<Unquoted>, risk: &mut RiskSettings) -> bool {
        self.book_age_max = self.configured(risk);
        let is_news = core::mem::replace(&mut self.reference, reason) != reason;
        risk.book_age_max = self.book_age_allowed();
        is_news
    }

    /// Why the book is not quoted on, if that is what keeps it from it.
    pub(super) fn reason(&self) -> Option<Unquoted> {
        self.lag_reason().or(self.reference)
    }

    /// The same of the feed alone.
    pub(super) fn lag_reason(&self) -> Option<Unquoted> {
        match self.verdict {
            Verdict::Unknown | Verdict::Returned => Some(Unquoted::BookWaiting),
            Verdict::Behind => Some(Unquoted::FeedBehind),
            Verdict::Within => None,
        }
    }

    /// A book begins anew: what was known of the lag is over. Whether it is to be judged.
    #[cold]
    pub(super) fn forget(&mut self, risk: &mut RiskSettings) -> bool {
        if self.is_judged() {
            self.verdict = Verdict::Unknown;
            risk.book_age_max = self.book_age_allowed();
        }
        self.is_judged()
    }

    /// The book became too old while it was quoted.
    #[cold]
    pub(super) fn note_old(&mut self) {
        self.became_old = true;
    }

    /// A book may be quoted on by its age, and could not be before. Where that was because nothing came, what came now is
    /// the oldest of what waits to be read: it is not decided on before the rest had time to come in. Whether to wait.
    #[cold]
    #[inline(never)]
    pub(super) fn waits_for_the_rest(&mut self, risk: &mut RiskSettings, now: Nanos) -> bool {
        let waits = core::mem::take(&mut self.became_old) && self.is_judged();
        if waits {
            (self.verdict, self.returned) = (Verdict::Returned, now);
            risk.book_age_max = self.book_age_allowed();
        }
        waits
    }

    fn verdict_of(&self, market: &Market) -> Verdict {
        match market.depth_lag() {
            Some(lag) if lag > self.lag_max => Verdict::Behind,
            Some(_) => Verdict::Within,
            // A venue that prints no times cannot be judged by them; a snapshot alone may have none.
            None if market.is_at_depth_message() => Verdict::Within,
            None => self.verdict,
        }
    }
}

impl<S> Engine<S> {
    /// The largest lag at which an instrument's book is quoted on: our clock when a depth message was in hand, less the
    /// venue's time of it. Whoever sets it adds what our clock is ahead of the venue's; it may be negative for that.
    /// [`Nanos::NEVER`], which is so at first: the lag is not judged. Before the first event.
    ///
    /// # Panics
    /// If there is no such instrument.
    pub fn set_feed_lag_max(&mut self, instrument: InstrumentId, lag_max: Nanos) {
        let index = instrument.index();
        let before = self.instrument_slots[index].feed_lag;
        let book_age_max = self.instrument_slots[index].feed_lag.configured(&self.risks[index]);
        let verdict = if lag_max == Nanos::NEVER { Verdict::Within } else { Verdict::Unknown };
        self.instrument_slots[index].feed_lag = FeedLag { lag_max, book_age_max, verdict, ..before };
        self.risks[index].book_age_max = self.instrument_slots[index].feed_lag.book_age_allowed();
    }
}

impl<S: Strategy> Engine<S> {
    /// Looks at the lag of one instrument, and pulls or allows its quotes if that has changed.
    #[inline(never)]
    pub(super) fn judge_lag(&mut self, index: usize, now: Nanos) {
        let instrument = InstrumentId(index as u16);
        let market = &self.inputs.markets[index];
        let feed_lag = &mut self.instrument_slots[index].feed_lag;
        if !feed_lag.is_judged() || !market.book().is_live() {
            return;
        }
        if feed_lag.verdict == Verdict::Returned && now < feed_lag.returned + SETTLED_AFTER {
            return;
        }
        let verdict = feed_lag.verdict_of(market);
        if core::mem::replace(&mut feed_lag.verdict, verdict) == verdict {
            return;
        }
        self.risks[index].book_age_max = feed_lag.book_age_allowed();
        if verdict == Verdict::Behind {
            self.counters.increment(Counter::FeedsBehind);
            if core::mem::take(&mut self.inputs.quotable[index]) {
                self.trace_book(instrument, LostReason::Silent, now);
            }
        }
        self.decide(instrument, now);
    }
}
