//! COLD: one instrument's matching: our orders among the displayed book and the trades of others.
//!
//! An order rests behind the quantity displayed at its price. That queue shrinks with trades at the price and
//! whenever less is displayed than it counts. Fills come from trades at or through the price, from a
//! displayed book that crosses it, and from other accounts' takers; all are bounded by what was there.

use super::queue::{PublicBook, PublicTouch, is_better};
use crate::sim::api::{AccountId, SelfTrade};
use spinbook_engine::types::{Level, Lots, Nanos, Side, Tick};

/// One of our accounts' orders on the book.
#[derive(Clone, Debug)]
pub struct Resting {
    /// The exchange's number.
    pub order: u64,
    /// The account it belongs to.
    pub account: AccountId,
    /// Price.
    pub tick: Tick,
    /// Quantity left.
    pub remaining: Lots,
    /// Displayed quantity of others before it.
    pub ahead: Lots,
}

/// One thing that matching decided, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchStep {
    /// A resting order filled at its own price.
    Maker {
        /// The order.
        order: u64,
        /// Quantity of this fill.
        lots: Lots,
    },
    /// The incoming order filled.
    Taker {
        /// At what price.
        tick: Tick,
        /// Quantity of this fill.
        lots: Lots,
    },
    /// A resting order expired by self-trade prevention.
    ExpireMaker {
        /// The order.
        order: u64,
        /// What would have traded.
        lots: Lots,
    },
    /// The incoming order's rest expired by self-trade prevention.
    ExpireTaker {
        /// The resting order it would have traded with.
        maker: u64,
        /// At what price.
        tick: Tick,
        /// What would have traded.
        lots: Lots,
    },
}

/// An order that meets the book.
#[derive(Clone, Copy, Debug)]
pub struct Incoming {
    /// The account it belongs to.
    pub account: AccountId,
    /// Buy or sell.
    pub side: Side,
    /// Worst price it accepts; `None` for a market order.
    pub limit: Option<Tick>,
    /// Quantity.
    pub lots: Lots,
    /// Self-trade rule.
    pub self_trade: SelfTrade,
}

impl Incoming {
    fn accepts(&self, tick: Tick) -> bool {
        match self.limit {
            None => true,
            Some(limit) => !is_better(self.side, tick, limit),
        }
    }
}

/// The matching of one instrument.
#[derive(Clone, Debug, Default)]
pub struct Matching {
    /// What others display.
    pub public: PublicBook,
    /// Ours, best price first, then oldest first.
    resting: [Vec<Resting>; 2],
}

impl Matching {
    /// Our orders of a side, best first.
    #[must_use]
    pub fn resting(&self, side: Side) -> &[Resting] {
        &self.resting[side as usize]
    }

    /// The best price an incoming order of `side` would meet, displayed or ours.
    #[must_use]
    pub fn best_opposite(&self, side: Side) -> Option<Tick> {
        let opposite = side.opposite();
        let public = self.public.best(opposite).map(|level| level.tick);
        let ours = self.resting[opposite as usize].first().map(|resting| resting.tick);
        match (public, ours) {
            (Some(a), Some(b)) => Some(if is_better(opposite, a, b) { a } else { b }),
            (a, b) => a.or(b),
        }
    }

    /// Whether an order at `tick` would trade at once.
    #[must_use]
    pub fn crosses(&self, side: Side, tick: Tick) -> bool {
        self.best_opposite(side).is_some_and(|best| !is_better(side, best, tick))
    }

    /// How much an incoming order could fill now, up to its quantity.
    #[must_use]
    pub fn fillable(&self, incoming: &Incoming) -> Lots {
        let opposite = incoming.side.opposite();
        let mut sum = 0i64;
        for level in self.public.levels(opposite) {
            if !incoming.accepts(level.tick) || sum >= incoming.lots.0 {
                break;
            }
            sum += self.public.available(opposite, level).0;
        }
        for resting in &self.resting[opposite as usize] {
            if incoming.accepts(resting.tick) && resting.account != incoming.account {
                sum += resting.remaining.0;
            }
        }
        Lots(sum.min(incoming.lots.0))
    }

    /// Puts an order on the book, behind what is displayed at its price.
    pub fn rest(&mut self, order: u64, account: AccountId, side: Side, tick: Tick, remaining: Lots) {
        assert!(remaining.0 > 0, "an order without quantity does not rest");
        let ahead = self.public.lots_at(side, tick);
        let book = &mut self.resting[side as usize];
        let place = book.partition_point(|other| !is_better(side, tick, other.tick));
        book.insert(place, Resting { order, account, tick, remaining, ahead });
    }

    /// Takes an order off the book.
    pub fn remove(&mut self, side: Side, order: u64) {
        self.resting[side as usize].retain(|resting| resting.order != order);
    }

    /// Takes this much off what an order has left, in its place in the queue.
    pub fn shrink(&mut self, side: Side, order: u64, lots: Lots) {
        if let Some(resting) = self.resting[side as usize].iter_mut().find(|resting| resting.order == order) {
            assert!(lots < resting.remaining, "an order that shrinks keeps some quantity");
            resting.remaining.0 -= lots.0;
        }
    }

    /// Replaces the displayed book; queues are counted anew, never longer than before.
    pub fn seed(&mut self, sequence: u64, bids: &[Level], asks: &[Level], now: Nanos, steps: &mut Vec<MatchStep>) {
        self.public.seed(sequence, bids, asks, now);
        self.after_display(steps);
    }

    /// Applies a depth message.
    pub fn depth(&mut self, sequence: u64, bids: &[Level], asks: &[Level], steps: &mut Vec<MatchStep>) {
        self.public.apply(sequence, bids, asks);
        self.after_display(steps);
    }

    /// Applies a best bid/ask message.
    pub fn touch(&mut self, touch: PublicTouch, steps: &mut Vec<MatchStep>) {
        self.public.set_touch(touch);
        self.after_display(steps);
    }

    fn after_display(&mut self, steps: &mut Vec<MatchStep>) {
        for side in Side::BOTH {
            for index in 0..self.resting[side as usize].len() {
                let tick = self.resting[side as usize][index].tick;
                let shown = self.public.lots_at(side, tick);
                let resting = &mut self.resting[side as usize][index];
                resting.ahead = Lots(resting.ahead.0.min(shown.0));
            }
            self.fill_crossed(side, steps);
        }
    }

    /// A displayed opposite level at or through our price would have traded with us.
    fn fill_crossed(&mut self, side: Side, steps: &mut Vec<MatchStep>) {
        let opposite = side.opposite();
        while let Some(first) = self.resting[side as usize].first().cloned() {
            let reachable = |level: &Level| !is_better(side, level.tick, first.tick);
            let found = self
                .public
                .levels(opposite)
                .take_while(reachable)
                .map(|level| (level.tick, self.public.available(opposite, level)))
                .find(|(_, lots)| lots.0 > 0);
            let Some((tick, available)) = found else { break };
            let lots = Lots(available.0.min(first.remaining.0));
            self.public.take(opposite, tick, lots);
            self.fill_resting(side, 0, lots, steps);
        }
    }

    fn fill_resting(&mut self, side: Side, index: usize, lots: Lots, steps: &mut Vec<MatchStep>) {
        let resting = &mut self.resting[side as usize][index];
        assert!(lots.0 > 0 && lots <= resting.remaining, "a resting order fills by what it has left at most");
        resting.remaining.0 -= lots.0;
        resting.ahead = Lots::ZERO;
        steps.push(MatchStep::Maker { order: resting.order, lots });
        if resting.remaining.is_zero() {
            self.resting[side as usize].remove(index);
        }
    }

    /// A trade of others: it eats the queue before our orders at its price, then them, and never more than it
    /// has. Orders of ours at a better price stood before anything that traded.
    pub fn trade(&mut self, aggressor: Side, tick: Tick, lots: Lots, steps: &mut Vec<MatchStep>) {
        let side = aggressor.opposite();
        let mut budget = lots.0;
        let mut passed = 0i64;
        let mut index = 0;
        while budget > 0 && index < self.resting[side as usize].len() {
            let resting = &self.resting[side as usize][index];
            if is_better(side, tick, resting.tick) {
                break;
            }
            if resting.tick == tick {
                let waits = (resting.ahead.0 - passed).clamp(0, budget);
                passed += waits;
                budget -= waits;
            }
            let fills = budget.min(resting.remaining.0);
            if fills == 0 {
                break;
            }
            budget -= fills;
            let whole = fills == resting.remaining.0;
            self.fill_resting(side, index, Lots(fills), steps);
            index += usize::from(!whole);
        }
        self.pass_queue(side, tick, passed);
    }

    /// Everyone behind at this price moves up.
    fn pass_queue(&mut self, side: Side, tick: Tick, passed: i64) {
        for resting in &mut self.resting[side as usize] {
            if resting.tick == tick {
                resting.ahead.0 = (resting.ahead.0 - passed).max(0);
            }
        }
    }

    /// Lets an incoming order take what it may; gives back what is left of it.
    pub fn take(&mut self, incoming: &Incoming, steps: &mut Vec<MatchStep>) -> Lots {
        let opposite = incoming.side.opposite();
        let mut left = incoming.lots;
        for tick in self.prices_for(incoming) {
            if left.is_zero() {
                break;
            }
            let level = Level { tick, lots: self.public.lots_at(opposite, tick) };
            let mut shown = self.public.available(opposite, level);
            let mut passed = 0i64;
            let index = self.resting[opposite as usize].partition_point(|other| is_better(opposite, other.tick, tick));
            while !left.is_zero() {
                let Some(resting) = self.resting[opposite as usize].get(index).filter(|other| other.tick == tick)
                else {
                    break;
                };
                let first = (resting.ahead.0 - passed).clamp(0, shown.0).min(left.0);
                if first > 0 {
                    steps.push(MatchStep::Taker { tick, lots: Lots(first) });
                    self.public.take(opposite, tick, Lots(first));
                    (passed, shown.0, left.0) = (passed + first, shown.0 - first, left.0 - first);
                    continue;
                }
                let own = resting.account == incoming.account && incoming.self_trade != SelfTrade::Allow;
                if own {
                    let (order, lots) = (resting.order, Lots(resting.remaining.0.min(left.0)));
                    if matches!(incoming.self_trade, SelfTrade::ExpireMaker | SelfTrade::ExpireBoth) {
                        self.resting[opposite as usize].remove(index);
                        steps.push(MatchStep::ExpireMaker { order, lots });
                    }
                    if incoming.self_trade != SelfTrade::ExpireMaker {
                        self.pass_queue(opposite, tick, passed);
                        steps.push(MatchStep::ExpireTaker { maker: order, tick, lots });
                        return left;
                    }
                    continue;
                }
                let lots = Lots(resting.remaining.0.min(left.0));
                steps.push(MatchStep::Taker { tick, lots });
                left.0 -= lots.0;
                self.fill_resting(opposite, index, lots, steps);
            }
            let rest = shown.0.min(left.0);
            if rest > 0 {
                steps.push(MatchStep::Taker { tick, lots: Lots(rest) });
                self.public.take(opposite, tick, Lots(rest));
                left.0 -= rest;
            }
            self.pass_queue(opposite, tick, passed);
        }
        left
    }

    /// Prices an incoming order meets, best first: displayed ones until they hold enough, and ours.
    fn prices_for(&self, incoming: &Incoming) -> Vec<Tick> {
        let opposite = incoming.side.opposite();
        let mut prices = Vec::new();
        let mut sum = 0i64;
        for level in self.public.levels(opposite) {
            if sum >= incoming.lots.0 || !incoming.accepts(level.tick) {
                break;
            }
            sum += self.public.available(opposite, level).0;
            prices.push(level.tick);
        }
        let ours = self.resting[opposite as usize].iter().map(|resting| resting.tick);
        prices.extend(ours.filter(|tick| incoming.accepts(*tick)));
        prices.sort_unstable();
        if opposite == Side::Bid {
            prices.reverse();
        }
        prices.dedup();
        prices
    }

    /// Whether our orders stand best price first, each with quantity left and no queue below zero.
    ///
    /// # Errors
    /// What does not hold, in words.
    pub fn check(&self) -> Result<(), String> {
        for side in Side::BOTH {
            let resting = &self.resting[side as usize];
            if let Some(wrong) = resting.iter().find(|one| one.remaining.0 <= 0 || one.ahead.0 < 0) {
                return Err(format!("order {} has {} left, {} ahead", wrong.order, wrong.remaining.0, wrong.ahead.0));
            }
            if let Some(pair) = resting.windows(2).find(|pair| is_better(side, pair[1].tick, pair[0].tick)) {
                return Err(format!("order {} stands behind order {}, a worse price", pair[1].order, pair[0].order));
            }
        }
        self.public.check()
    }
}
