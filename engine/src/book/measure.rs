//! HOT: what strategies ask of a book: depth, imbalance, microprice, price to a size; each also without our own orders.
//!
//! The venue's depth includes our own working orders, a recording's does not. The `_net` forms subtract `own`
//! (our quantity by price, in any order) from the levels and pass over levels that were ours alone.

use super::{Book, Levels, key_of};
use crate::types::{Level, Lots, Side, Tick};

/// An exact fraction of integers; as a price, in ticks. The denominator is positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    /// Above the line.
    pub numerator: i128,
    /// Below it; greater than zero.
    pub denominator: i128,
}

impl Ratio {
    /// The whole number at or below.
    #[must_use]
    pub const fn floor(self) -> i128 {
        self.numerator.div_euclid(self.denominator)
    }

    /// The whole number at or above.
    #[must_use]
    pub const fn ceil(self) -> i128 {
        -(-self.numerator).div_euclid(self.denominator)
    }
}

/// A side's levels less our own quantity.
#[derive(Clone, Debug)]
pub struct NetLevels<'a> {
    levels: Levels<'a>,
    own: &'a [Level],
}

impl Iterator for NetLevels<'_> {
    type Item = Level;

    #[inline]
    fn next(&mut self) -> Option<Level> {
        for level in self.levels.by_ref() {
            let net = net_of(level, self.own);
            if net.0 > 0 {
                return Some(Level { tick: level.tick, lots: net });
            }
        }
        None
    }
}

/// A level's quantity less all of our own at its price, never below zero.
#[inline]
fn net_of(level: Level, own: &[Level]) -> Lots {
    let ours = own.iter().filter(|order| order.tick == level.tick);
    Lots(ours.fold(level.lots.0, |left, order| left.saturating_sub(order.lots.0.max(0)).max(0)))
}

impl Book {
    /// A side's levels from the best outward, less our own quantity; levels that were ours alone are left out.
    #[inline]
    #[must_use]
    pub fn levels_net<'a>(&'a self, side: Side, own: &'a [Level]) -> NetLevels<'a> {
        NetLevels { levels: self.levels(side), own }
    }

    /// The best level of a side without our own quantity.
    #[inline]
    #[must_use]
    pub fn best_net(&self, side: Side, own: &[Level]) -> Option<Level> {
        self.levels_net(side, own).next()
    }

    /// Quantity on the first `levels` levels of a side, in lots.
    #[inline]
    #[must_use]
    pub fn depth(&self, side: Side, levels: usize) -> i128 {
        self.depth_net(side, levels, &[])
    }

    /// [`Book::depth`] without our own quantity.
    #[inline]
    #[must_use]
    pub fn depth_net(&self, side: Side, levels: usize, own: &[Level]) -> i128 {
        if levels == 0 {
            return 0;
        }
        let top = self.ladder(side).top(levels);
        let mut lots = top.lots;
        for (index, order) in own.iter().enumerate() {
            let is_repeated = own[..index].iter().any(|other| other.tick == order.tick);
            if is_repeated || key_of(side, order.tick) > top.key_last {
                continue;
            }
            let level = Level { tick: order.tick, lots: self.lots_at(side, order.tick) };
            let net = net_of(level, own);
            if net.is_zero() && !level.lots.is_zero() {
                // A level that is ours alone does not count as one of the first: then these are others.
                return self.depth_net_slow(side, levels, own);
            }
            lots -= i128::from(level.lots.0 - net.0);
        }
        lots
    }

    /// [`Book::depth_net`] level by level: what the short way is held against.
    #[must_use]
    pub fn depth_net_slow(&self, side: Side, levels: usize, own: &[Level]) -> i128 {
        self.levels_net(side, own).take(levels).map(|level| i128::from(level.lots.0)).sum()
    }

    /// Quantities on the first `levels` levels, bids and asks, in lots: the imbalance is their difference
    /// over their sum.
    #[inline]
    #[must_use]
    pub fn imbalance(&self, levels: usize) -> (i128, i128) {
        self.imbalance_net(levels, &[], &[])
    }

    /// [`Book::imbalance`] without our own quantity.
    #[inline]
    #[must_use]
    pub fn imbalance_net(&self, levels: usize, own_bids: &[Level], own_asks: &[Level]) -> (i128, i128) {
        (self.depth_net(Side::Bid, levels, own_bids), self.depth_net(Side::Ask, levels, own_asks))
    }

    /// The mid weighted by the opposite quantities at the touch, in ticks; none if a side is empty.
    #[inline]
    #[must_use]
    pub fn microprice(&self) -> Option<Ratio> {
        weighted_mid(self.best_bid()?, self.best_ask()?)
    }

    /// [`Book::microprice`] without our own quantity.
    #[inline]
    #[must_use]
    pub fn microprice_net(&self, own_bids: &[Level], own_asks: &[Level]) -> Option<Ratio> {
        weighted_mid(self.best_net(Side::Bid, own_bids)?, self.best_net(Side::Ask, own_asks)?)
    }

    /// Average price of taking `lots` from a side, in ticks; none if the side holds less or `lots` is not
    /// positive.
    #[inline]
    #[must_use]
    pub fn vwap(&self, side: Side, lots: Lots) -> Option<Ratio> {
        self.vwap_net(side, lots, &[])
    }

    /// [`Book::vwap`] without our own quantity.
    #[must_use]
    pub fn vwap_net(&self, side: Side, lots: Lots, own: &[Level]) -> Option<Ratio> {
        let mut left = lots.0;
        let mut value = 0;
        for level in self.levels_net(side, own) {
            if left <= 0 {
                break;
            }
            let taken = left.min(level.lots.0);
            value += product(level.tick, Lots(taken));
            left -= taken;
        }
        (lots.0 > 0 && left == 0).then_some(Ratio { numerator: value, denominator: i128::from(lots.0) })
    }
}

/// Both are bounded by the book (2^60 and 2^63), so that sums to a size stay far below 2^127.
#[inline]
fn product(tick: Tick, lots: Lots) -> i128 {
    i128::from(tick.0) * i128::from(lots.0)
}

#[inline]
fn weighted_mid(bid: Level, ask: Level) -> Option<Ratio> {
    let denominator = i128::from(bid.lots.0) + i128::from(ask.lots.0);
    (denominator > 0)
        .then_some(Ratio { numerator: product(bid.tick, ask.lots) + product(ask.tick, bid.lots), denominator })
}
