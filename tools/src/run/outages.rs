//! COLD: what is worth a warning however quiet a run is: a book or a session that stays away, and its return.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use spinbook_engine::book::BookState;
use spinbook_engine::telemetry::TelemetryCell;
use spinbook_engine::types::Nanos;
use spinbook_feed::net::io::gateway_loop::GatewayShared;

/// What is away for less is not worth a word.
const AWAY_MIN: Duration = Duration::from_secs(3);
/// A live book without an update for this long is away, too.
const UPDATE_AGE_MAX: Nanos = Nanos::from_seconds(3);

/// How long one thing has been away.
#[derive(Clone, Copy, Debug)]
struct Absence {
    since: Option<Instant>,
    told: bool,
}

/// What there is to say of an absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AbsenceNews {
    /// It lasts.
    Away,
    /// It is over, after so long.
    Back(Duration),
}

impl Absence {
    /// Away since `now`, as everything is at the start.
    fn from(now: Instant) -> Absence {
        Absence { since: Some(now), told: false }
    }

    fn look(&mut self, there: bool, now: Instant) -> Option<AbsenceNews> {
        if there {
            let since = self.since.take()?;
            let told = std::mem::take(&mut self.told);
            return told.then(|| AbsenceNews::Back(now.saturating_duration_since(since)));
        }
        let since = *self.since.get_or_insert(now);
        let new = !self.told && now.saturating_duration_since(since) >= AWAY_MIN;
        self.told |= new;
        new.then_some(AbsenceNews::Away)
    }
}

/// Watches the books of a run and the sessions that its orders take.
pub struct Outages {
    books: Vec<(String, Arc<TelemetryCell>, Absence)>,
    sessions: Absence,
    io: Arc<GatewayShared>,
    leftover_orders: u64,
}

impl Outages {
    /// Of these books, by name, and these sessions.
    #[must_use]
    pub fn new(books: Vec<(String, Arc<TelemetryCell>)>, io: Arc<GatewayShared>) -> Outages {
        let absence = Absence::from(Instant::now());
        let books = books.into_iter().map(|(name, cell)| (name, cell, absence)).collect();
        Outages { books, sessions: absence, io, leftover_orders: 0 }
    }

    /// Looks, and warns of what is new. Call it a few times a second.
    pub fn look(&mut self) {
        let now = Instant::now();
        let seconds = AWAY_MIN.as_secs();
        for (name, cell, absence) in &mut self.books {
            // A write that is under way is over at once: the next look sees it.
            let Some(picture) = cell.read() else { continue };
            let fresh = picture.now - picture.depth_received <= UPDATE_AGE_MAX;
            match absence.look(picture.book_state == BookState::Live && fresh, now) {
                None => {}
                Some(AbsenceNews::Away) => {
                    let why = match picture.book_state {
                        BookState::Empty => "no snapshot has come".to_owned(),
                        BookState::Live => "no update comes".to_owned(),
                        BookState::Lost(reason) => format!("{reason:?}").to_lowercase(),
                    };
                    tracing::warn!("the book of {name} is away for {seconds} s ({why}): nothing is quoted on it");
                }
                Some(AbsenceNews::Back(after)) => {
                    tracing::warn!("the book of {name} is back after {} s", after.as_secs());
                }
            }
        }
        let down = self.io.sessions_down.load(Ordering::Relaxed);
        match self.sessions.look(down == 0, now) {
            None => {}
            Some(AbsenceNews::Away) => {
                tracing::warn!(
                    "the order session is away for {seconds} s: no order can be sent, open ones may be filled"
                );
            }
            Some(AbsenceNews::Back(after)) => {
                tracing::warn!("the order session is back after {} s", after.as_secs());
            }
        }
        let leftover = self.io.leftover_orders.load(Ordering::Relaxed);
        if leftover > self.leftover_orders {
            self.leftover_orders = leftover;
            tracing::warn!("{leftover} open orders were left by an earlier run: they are cancelled");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absence_is_told_once_when_it_lasts_and_once_when_it_is_over() {
        let begun = Instant::now();
        let at = |ms: u64| begun + Duration::from_millis(ms);
        let mut absence = Absence::from(begun);
        assert_eq!(absence.look(true, at(500)), None, "a start is no outage");
        for (ms, there, news) in [
            (1_000, false, None),
            (3_900, false, None),
            (3_950, true, None),
            (4_000, false, None),
            (7_000, false, Some(AbsenceNews::Away)),
            (8_000, false, None),
            (18_000, true, Some(AbsenceNews::Back(Duration::from_secs(14)))),
            (19_000, true, None),
        ] {
            assert_eq!(absence.look(there, at(ms)), news, "{ms} ms");
        }
    }
}
