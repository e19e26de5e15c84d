//! COLD: one oracle over everything: how long an order of ours may stay on the venue's book once it has lost its reason.

use std::collections::BTreeMap;
use std::fmt;

use spinbook_engine::risk::TradingState;
use spinbook_engine::strategy::Spread;
use spinbook_engine::types::{InstrumentId, Nanos};
use spinbook_feed::backtest::{BacktestLink, BacktestState, LinkFault, LinkTrouble, Stall, StalledSide};

/// Why nothing of ours may be on the book any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The book is not one to quote on: not live, one-sided, too old.
    Book,
    /// The gateway takes no orders.
    Gateway,
    /// Trading stopped, or only cancels are allowed.
    Halted,
    /// We were told to end.
    Shutdown,
    /// The hot thread does not move.
    HotStalled,
    /// The I/O thread does not move.
    IoStalled,
    /// Our process is gone.
    Gone,
}

impl Cause {
    pub const ALL: [Cause; 7] =
        [Cause::Book, Cause::Gateway, Cause::Halted, Cause::Shutdown, Cause::HotStalled, Cause::IoStalled, Cause::Gone];

    /// X: how long an order may stay after this, once there is a way to cancel it. Where it is longer than a cancel takes,
    /// it says for what; each has the two ways of the network and the rings in it, 10 ms at the most, and the 500 ms after
    /// which a cancel that a busy venue refused, or that has no reply, is sent once more.
    pub fn allowed(self) -> Nanos {
        Nanos::from_millis(match self {
            // The engine pulls in the same turn, the gateway cancels all in its own; a new order that crosses the cancel is
            // cancelled in its turn.
            Cause::Book | Cause::Halted | Cause::Gateway | Cause::Shutdown => 750,
            // The control thread calls it a hang after 2 s where cores are shared, and the gateway cancels all.
            Cause::HotStalled => 3_250,
            // Found after 2 s, and a connection opened by somebody else; so with the guard, whose process is another. Seeds
            // have no guard: there a process is gone for 4 s at most. Where there is one, its own bounds are narrower.
            Cause::IoStalled | Cause::Gone => 5_000,
        })
    }
}

impl Cause {
    /// Ways over a network that is slow until the last order is gone.
    fn ways(self) -> i64 {
        match self {
            // An order on its way there, its answer, its cancel; a second try of that one.
            Cause::Book | Cause::Halted => 4,
            // A cancel all and its answer, then opening, clock, log on and cancel all anew.
            _ => 8,
        }
    }
}

/// After an order link works again: tried at most 1 s later, opened (two ways), clock, log on and cancel all; 10 s where
/// an opening that nobody answers has to be given up first.
const RECONNECT: Nanos = Nanos::from_millis(2_500);

/// A connection on which a cancel waits for its answer is given up after this without a sign of life.
const NOTICED: Nanos = Nanos::from_seconds(2);

/// A dead connection is found out by this even if nothing is cancelled: asked for a sign of life after 2 s, and given up
/// 3 s after that.
const DISCOVERED: Nanos = Nanos::from_seconds(5);

/// Cancels that no connection answers go out over REST after 1 s; one that finds an order still on its way there goes out
/// again after another.
const THIRD_WAY: Nanos = Nanos::from_seconds(2);

/// An answer over REST that never comes is given up after this, and asked for again.
const REST_GIVEN_UP: Nanos = Nanos::from_seconds(7);

/// What comes on top where the venue loses up to 30 % of the requests and of the replies: a cancel goes out anew every
/// 500 ms over the one connection or the other, from the first second on over REST as well, some twelve times in this.
const WITH_LOSSES: Nanos = Nanos::from_seconds(5);

/// What a refusal of a cancel adds where the venue is busy: it goes out again 200 ms later, and has its way once more.
const AFTER_REFUSAL: Nanos = Nanos::from_millis(220);

/// What has to come back after everything is well again, and how soon.
const HEALED_WITHIN_SECONDS: [(&str, i64); 3] =
    [("the book is live", 10), ("every order is decided", 30), ("it quotes", 60)];
/// The oldest book that may be quoted on, as the market maker is configured.
const BOOK_AGE_MAX: Nanos = Nanos::from_millis(2_000);

/// What was seen of one venue.
#[derive(Clone, Debug, Default)]
struct Watched {
    since: BTreeMap<Cause, Nanos>,
    /// Cancels that the venue had refused when a cause began.
    refused_before: BTreeMap<Cause, u64>,
    /// When each of [`HEALED_WITHIN_SECONDS`] was seen first.
    first_after_healing: [Option<Nanos>; 3],
}

/// An order that stayed too long.
#[derive(Clone, Debug)]
pub struct Stale {
    pub at: Nanos,
    pub venue: usize,
    pub cause: Cause,
    pub since: Nanos,
    pub orders: usize,
}

impl fmt::Display for Stale {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let late = (self.at - self.since).millis();
        let (at, orders, venue, cause) = (self.at.millis(), self.orders, self.venue, self.cause);
        write!(out, "{at} ms: {orders} orders on the book of venue {venue} {late} ms after {cause:?}")
    }
}

/// The longest that orders stayed after there was a way to cancel them, by cause, without and with requests that are lost.
#[derive(Clone, Debug, Default)]
pub struct Worst(BTreeMap<(Cause, bool), Nanos>);

impl Worst {
    fn note(&mut self, cause: Cause, is_lossy: bool, late: Nanos) {
        let worst = self.0.entry((cause, is_lossy)).or_default();
        *worst = late.max(*worst);
    }

    /// Takes another run's in.
    pub fn merge(&mut self, other: &Worst) {
        other.0.iter().for_each(|((cause, is_lossy), late)| self.note(*cause, *is_lossy, *late));
    }
}

impl fmt::Display for Worst {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((cause, is_lossy), late) in &self.0 {
            let losses = if *is_lossy { " with losses" } else { "" };
            write!(out, "{cause:?}{losses} {} of {} ms; ", late.millis(), allowed(*cause, *is_lossy).millis())?;
        }
        Ok(())
    }
}

/// X, with what losses add.
fn allowed(cause: Cause, is_lossy: bool) -> Nanos {
    if is_lossy { WITH_LOSSES + cause.allowed() } else { cause.allowed() }
}

/// Watches the venues' own books. Times count from the start of the run.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    start: Nanos,
    faults: Vec<LinkFault>,
    stalls: Vec<Stall>,
    venues: Vec<Watched>,
    healed: Nanos,
    /// Until when the venue loses requests, or their replies, at random.
    pub loses_requests_until: Nanos,
    /// Until when the venue is busy at times, and refuses.
    pub busy_until: Nanos,
    pub shutdown_since: Option<Nanos>,
    pub gone_since: Option<Nanos>,
    /// Until then orders of a process that was killed may stand, for the next to take them over.
    pub adopting_until: Nanos,
    /// The longest that an order stayed after there was a way to cancel it.
    pub worst: Worst,
    /// The first order that stayed too long, for each venue and cause.
    pub stale: BTreeMap<(usize, Cause), Stale>,
}

impl Oracle {
    pub fn new(start: Nanos, venues: usize) -> Oracle {
        Oracle { start, venues: vec![Watched::default(); venues], healed: Nanos::NEVER, ..Oracle::default() }
    }

    pub fn expect_fault(&mut self, fault: LinkFault) {
        self.faults.push(fault);
    }

    pub fn expect_stall(&mut self, stall: Stall) {
        self.stalls.push(stall);
    }

    /// From when on a cancel that is wanted for this since `since` can be expected to have a way; `None`: it has none now.
    fn way_from(&self, venue: usize, cause: Cause, since: Nanos, now: Nanos) -> Option<Nanos> {
        // Control thread and guard have nothing but REST, and need no order link.
        if matches!(cause, Cause::IoStalled | Cause::Gone) {
            return self.rest_from(venue, since, now);
        }
        let ways = [self.connection_from(venue, cause, since, now), self.rest_from(venue, since + THIRD_WAY, now)];
        ways.into_iter().flatten().min()
    }

    /// The same over an order connection.
    fn connection_from(&self, venue: usize, cause: Cause, since: Nanos, now: Nanos) -> Option<Nanos> {
        let mut from = Nanos::ZERO;
        for fault in self.faults_of(venue, BacktestLink::Orders, now) {
            match fault.trouble {
                LinkTrouble::Down | LinkTrouble::BlackHole if now < fault.until => return None,
                LinkTrouble::Down | LinkTrouble::BlackHole => from = from.max(fault.until + RECONNECT),
                // Both connections are dead and nobody was told: a cancel tells by having no answer.
                LinkTrouble::HalfOpen if since <= fault.from + DISCOVERED => {
                    from = from.max(since.max(fault.from) + NOTICED + RECONNECT);
                }
                LinkTrouble::HalfOpen => {}
                LinkTrouble::Slow(delay) if since < fault.until => {
                    from = from.max(since.max(fault.from) + Nanos(cause.ways() * delay.longest.0));
                }
                LinkTrouble::Slow(_) => {}
            }
        }
        Some(from)
    }

    /// The same over REST, where it is asked for at `asked`.
    fn rest_from(&self, venue: usize, asked: Nanos, now: Nanos) -> Option<Nanos> {
        let mut from = asked;
        for fault in self.faults_of(venue, BacktestLink::Snapshots, now) {
            match fault.trouble {
                LinkTrouble::Slow(delay) if asked < fault.until => from = from.max(asked + Nanos(2 * delay.longest.0)),
                LinkTrouble::Slow(_) => {}
                _ if now < fault.until => return None,
                // Whoever asked in vain asks again a second later, or gives an answer up after six.
                _ if asked < fault.until => from = from.max(fault.until + REST_GIVEN_UP),
                _ => {}
            }
        }
        Some(from)
    }

    fn faults_of(&self, venue: usize, link: BacktestLink, now: Nanos) -> impl Iterator<Item = &LinkFault> {
        self.faults.iter().filter(move |fault| fault.venue == venue && fault.link == link && fault.from <= now)
    }

    /// Until when a cancel has to wait because a side that it passes stands still, which has bounds of its own: what the
    /// gateway sees by itself passes the I/O thread alone.
    fn moving_from(&self, cause: Cause, now: Nanos) -> Nanos {
        let passes = |side: StalledSide| match cause {
            Cause::Book | Cause::Halted => true,
            Cause::Gateway | Cause::Shutdown => side == StalledSide::Io,
            Cause::HotStalled | Cause::IoStalled | Cause::Gone => false,
        };
        let begun = self.stalls.iter().filter(|stall| stall.from <= now && passes(stall.side));
        begun.map(|stall| stall.until).fold(Nanos::ZERO, Nanos::max)
    }

    fn stalled(&self, side: StalledSide, now: Nanos) -> bool {
        self.stalls.iter().any(|stall| stall.side == side && stall.from <= now && now < stall.until)
    }

    fn holds(&self, cause: Cause, venue: usize, state: &BacktestState<Spread>, now: Nanos) -> bool {
        let id = InstrumentId(venue as u16);
        let gone = self.gone_since.is_some();
        let gateway = &state.venues[venue].gateway;
        match cause {
            Cause::Gone => gone,
            _ if gone => false,
            Cause::Book | Cause::Gateway if now < self.adopting_until => false,
            Cause::Book => {
                let engine = &state.engine;
                let market = engine.market(id);
                !state.venues[venue].session.is_live(id)
                    || !market.is_quotable()
                    || market.age(state.now) > BOOK_AGE_MAX
            }
            Cause::Gateway => !gateway.is_ready(),
            Cause::Halted => {
                gateway.halt_message().is_some()
                    || state.engine.instrument_state(id) > TradingState::ReduceOnly
                    || state.engine.trading_state() > TradingState::ReduceOnly
            }
            Cause::Shutdown => self.shutdown_since.is_some(),
            Cause::HotStalled => self.stalled(StalledSide::Hot, now),
            Cause::IoStalled => self.stalled(StalledSide::Io, now),
        }
    }

    /// Looks at every venue's own book.
    pub fn on_step(&mut self, state: &BacktestState<Spread>) {
        let now = state.now - self.start;
        for venue in 0..self.venues.len() {
            let orders = state.venues[venue].exchange.open_order_count();
            let refused = state.venues[venue].gateway.counters().cancels_refused;
            for cause in Cause::ALL {
                if !self.holds(cause, venue, state, now) {
                    self.venues[venue].since.remove(&cause);
                    self.venues[venue].refused_before.remove(&cause);
                    continue;
                }
                let since = *self.venues[venue].since.entry(cause).or_insert(now);
                let before = *self.venues[venue].refused_before.entry(cause).or_insert(refused);
                let refusals = if since < self.busy_until { refused.saturating_sub(before) } else { 0 };
                let moving = self.moving_from(cause, now);
                let way = self.way_from(venue, cause, since, now).map(|from| since.max(from).max(moving));
                let is_lossy = since < self.loses_requests_until;
                let late = way.map_or(Nanos::ZERO, |from| now - from);
                let late = late - Nanos(i64::try_from(refusals).unwrap_or(i64::MAX).saturating_mul(AFTER_REFUSAL.0));
                if orders > 0 && late > Nanos::ZERO {
                    self.worst.note(cause, is_lossy, late);
                }
                if orders > 0 && late > allowed(cause, is_lossy) {
                    let stale = Stale { at: now, venue, cause, since, orders };
                    self.stale.entry((venue, cause)).or_insert(stale);
                }
            }
            self.watch_liveness(venue, orders, state, now);
        }
    }

    fn watch_liveness(&mut self, venue: usize, orders: usize, state: &BacktestState<Spread>, now: Nanos) {
        if now < self.healed || self.gone_since.is_some() {
            return;
        }
        let id = InstrumentId(venue as u16);
        let side = &state.venues[venue];
        let holds = [side.session.is_live(id), side.gateway.unknown_orders() == 0, orders > 0];
        for (first, holds) in self.venues[venue].first_after_healing.iter_mut().zip(holds) {
            if holds && first.is_none() {
                *first = Some(now);
            }
        }
    }

    /// The engine asks for an order now. Whether that book is one to quote on; if so, what was true of it a moment before
    /// in the same step is over.
    pub fn may_quote(&mut self, venue: usize, state: &BacktestState<Spread>) -> bool {
        let may = !self.holds(Cause::Book, venue, state, state.now - self.start);
        if may {
            self.venues[venue].since.remove(&Cause::Book);
            self.venues[venue].refused_before.remove(&Cause::Book);
        }
        may
    }

    /// From this moment on everything is well.
    pub fn expect_healing(&mut self, at: Nanos) {
        self.healed = at;
        for watched in &mut self.venues {
            watched.first_after_healing = [None; 3];
        }
    }

    /// What did not come back in time after everything was well again. Asked 60 s after it.
    pub fn not_healed(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (venue, watched) in self.venues.iter().enumerate() {
            for (first, (what, seconds)) in watched.first_after_healing.iter().zip(HEALED_WITHIN_SECONDS) {
                if first.is_none_or(|at| at - self.healed > Nanos::from_seconds(seconds)) {
                    found.push(format!("venue {venue}: {what} not within {seconds} s of healing"));
                }
            }
        }
        found
    }
}
