//! HOT: the reference strategy: quotes around the mid, in exact integers.
//!
//! With the doubled mid `M = bid + ask` in ticks and all rates in millionths (1 bp = 100):
//!
//! ```text
//! width     = spread                                           the full spread
//!           = spread x widening    if |B - A| / (B + A) > threshold, over the top N levels
//! skew      = inventory_skew x exposure / position_max         clamped to +-inventory_skew
//! wanted    = width/2 +- skew                                  + for bids, - for asks: long shifts both down
//! least     = edge_min + fee
//! distance  = wanted, or least + refresh_tolerance             if wanted < least
//! bid(k)    = floor(M/2 x (1 - (distance_bid + k x level_step)))   to the order step: away from the mid
//! ask(k)    = ceil (M/2 x (1 + (distance_ask + k x level_step)))   to the order step: away from the mid
//! ```
//!
//! The distance from the mid less the fee is a quote's edge, so no quote lies below `edge_min`: where spread and
//! skew would put one nearer, it is moved out, by the refresh tolerance more than it must, and a working order is
//! replaced as soon as the mid comes nearer than `least`, also within the tolerance: so neither the edge is given
//! away nor every step of the mid answered. The fee is the maker's for post-only quotes and
//! the taker's for IOC. Post-only quotes stay at least one step away from the opposite best, and each level at
//! least one step beyond the one before. Sizes stop where the position limit would be passed.

use crate::intent::TimeInForce;
use crate::limits::QUOTE_LEVELS_MAX;
use crate::prefetch::prefetch;
use crate::trace::{QuoteBasis, QuoteRule};
use crate::types::{InstrumentId, InstrumentSettings, Lots, Side, Tick};
use crate::unquoted::Unquoted;

use super::{Best, Quote, Quotes, Strategy, Targets, View};

/// One, in millionths.
const ONE: i128 = 1_000_000;

/// Quantities up to this, added and times a rate up to [`ONE`], fit 64 bits.
const SHORT_LOTS_MAX: u128 = (1 << 41) - 1;

/// How one instrument is quoted. Rates are in millionths: 1 bp = 100, a factor of 1.5 = 1,500,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpreadSettings {
    /// Distance between the best bid and ask quote, in millionths of the mid; above zero.
    pub spread_millionths: i64,
    /// Quote levels a side: `1..=QUOTE_LEVELS_MAX`.
    pub levels: usize,
    /// Distance from one level to the next, in millionths of the mid; zero: one step.
    pub level_step_millionths: i64,
    /// Quantity of each quote; above zero.
    pub order_lots: Lots,
    /// The full position: where the skew is whole and quotes that would add to it stop; above zero.
    pub position_lots_max: Lots,
    /// Levels a side that the imbalance looks at; zero: it never widens.
    pub imbalance_levels: usize,
    /// Imbalance beyond which quotes are widened, in millionths: `0..=1,000,000`.
    pub imbalance_threshold_millionths: i64,
    /// Factor of the widening, in millionths; at least 1,000,000.
    pub imbalance_widening_millionths: i64,
    /// Whether our own resting orders are taken out of the imbalance: for a live venue, whose depth includes them.
    pub imbalance_net_of_own: bool,
    /// Shift of both sides at a full position, in millionths of the mid; not negative.
    pub inventory_skew_millionths: i64,
    /// Smallest distance from the mid after the fee, in millionths of the mid; may be negative.
    pub edge_min_millionths: i64,
    /// Post-only, IOC or GTC.
    pub time_in_force: TimeInForce,
}

/// All that the quotes of an instrument follow from. While it stays the same, so do they.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inputs {
    best: Best,
    is_widened: bool,
    exposure: Lots,
    tolerance_millionths: i64,
}

/// The reference strategy: each instrument by itself.
#[derive(Clone, Debug)]
pub struct Spread {
    settings: Box<[SpreadSettings]>,
    decided: Box<[Option<Inputs>]>,
}

impl Spread {
    /// One entry an instrument, by id, and as many empty memories. Set-up checks the ranges with [`check`].
    ///
    /// # Panics
    /// If the two differ in length, a bug of set-up.
    #[must_use]
    pub fn new(settings: Box<[SpreadSettings]>, decided: Box<[Option<Inputs>]>) -> Spread {
        assert_eq!(settings.len(), decided.len(), "one memory an instrument");
        Spread { settings, decided }
    }
}

/// Whether the settings are within their ranges.
///
/// # Errors
/// The name of the first one that is not.
pub fn check(settings: &SpreadSettings) -> Result<(), &'static str> {
    let rate = 0..=1_000_000;
    let checks = [
        (settings.spread_millionths > 0 && rate.contains(&settings.spread_millionths), "spread"),
        ((1..=QUOTE_LEVELS_MAX).contains(&settings.levels), "levels"),
        (rate.contains(&settings.level_step_millionths), "level_step"),
        (settings.order_lots.0 > 0, "order_size"),
        (settings.position_lots_max.0 > 0, "position_max"),
        (rate.contains(&settings.imbalance_threshold_millionths), "imbalance_threshold"),
        ((1_000_000..=100_000_000).contains(&settings.imbalance_widening_millionths), "imbalance_widening"),
        (rate.contains(&settings.inventory_skew_millionths), "inventory_skew"),
        ((-1_000_000..=1_000_000).contains(&settings.edge_min_millionths), "edge_min"),
    ];
    checks.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, name)| Err(*name))
}

/// Whether the imbalance of the first levels' quantities is beyond the threshold.
#[inline]
fn is_widened(settings: &SpreadSettings, (bid, ask): (i128, i128)) -> bool {
    let threshold = settings.imbalance_threshold_millionths;
    let beyond = if (bid | ask) as u128 <= SHORT_LOTS_MAX && threshold.unsigned_abs() <= ONE as u64 {
        // In 64 bits, where the quantities of nearly every market fit.
        let (bid, ask) = (bid as i64, ask as i64);
        (bid - ask).abs() * ONE as i64 > (bid + ask) * threshold
    } else {
        (bid - ask).abs() * ONE > (bid + ask) * i128::from(threshold)
    };
    settings.imbalance_levels > 0 && beyond
}

/// The full spread, in millionths, rounded up where it is widened.
fn width(settings: &SpreadSettings, is_widened: bool) -> i128 {
    let spread = i128::from(settings.spread_millionths);
    if is_widened {
        divide_floor(spread * i128::from(settings.imbalance_widening_millionths) + ONE - 1, ONE)
    } else {
        spread
    }
}

/// Twice the distance of a side's best quote from the mid, and twice the least it may be, in millionths.
#[inline(always)]
fn distance_doubled(
    settings: &SpreadSettings,
    instrument: &InstrumentSettings,
    side: Side,
    inputs: &Inputs,
) -> (i128, i128) {
    let full = settings.position_lots_max.0.max(1);
    let held = i128::from(inputs.exposure.0.clamp(-full, full));
    let skew = 2 * i128::from(settings.inventory_skew_millionths) * held;
    let skew_doubled = divide_floor(skew.abs(), i128::from(full)) * skew.signum();
    let fee = match settings.time_in_force {
        TimeInForce::PostOnly => instrument.maker_fee_millionths,
        TimeInForce::ImmediateOrCancel | TimeInForce::GoodTilCancel => instrument.taker_fee_millionths,
    };
    let least_doubled = 2 * (i128::from(settings.edge_min_millionths) + i128::from(fee));
    let wanted_doubled = width(settings, inputs.is_widened) + skew_doubled * i128::from(side.sign());
    let held_off = wanted_doubled < least_doubled;
    let distance_doubled =
        if held_off { least_doubled + 2 * i128::from(inputs.tolerance_millionths) } else { wanted_doubled };
    (distance_doubled, least_doubled)
}

/// Division rounded down by a positive number, in 64 bits where both fit, as with real prices they do.
#[inline]
fn divide_floor(numerator: i128, unit: i128) -> i128 {
    match (i64::try_from(numerator), i64::try_from(unit)) {
        (Ok(numerator), Ok(unit)) => i128::from(numerator.div_euclid(unit)),
        _ => numerator.div_euclid(unit),
    }
}

/// The legal price at a doubled distance from the mid, rounded away from it, held within `0..=i64::MAX`: a bid
/// at zero, or an ask at the end, is no price and will not be quoted.
fn tick_at(instrument: &InstrumentSettings, side: Side, mid_doubled: i128, distance_doubled: i128) -> Tick {
    tick_at_short(instrument, side, mid_doubled, distance_doubled)
        .unwrap_or_else(|| tick_at_wide(instrument, side, mid_doubled, distance_doubled))
}

/// [`tick_at`] where every step of it fits 64 bits, as with real prices it does.
#[inline]
fn tick_at_short(
    instrument: &InstrumentSettings,
    side: Side,
    mid_doubled: i128,
    distance_doubled: i128,
) -> Option<Tick> {
    const ONE_SHORT: i64 = ONE as i64;
    let mid = i64::try_from(mid_doubled).ok()?;
    let shift = i64::try_from(distance_doubled).ok()?.checked_mul(side.sign())?;
    let numerator = mid.checked_mul((2 * ONE_SHORT).checked_sub(shift)?)?;
    let step = instrument.tick_order_step.0;
    let unit = step.checked_mul(4 * ONE_SHORT)?;
    let steps = match side {
        Side::Bid => numerator.div_euclid(unit),
        Side::Ask => -(-numerator).div_euclid(unit),
    };
    Some(Tick(steps.checked_mul(step)?.max(0)))
}

fn tick_at_wide(instrument: &InstrumentSettings, side: Side, mid_doubled: i128, distance_doubled: i128) -> Tick {
    // price = M/2 x (1 -+ d/2) with d in millionths: everything over 4,000,000.
    let numerator = mid_doubled * (2 * ONE - i128::from(side.sign()) * distance_doubled);
    let step = i128::from(instrument.tick_order_step.0);
    let unit = 4 * ONE * step;
    let steps = match side {
        Side::Bid => divide_floor(numerator, unit),
        Side::Ask => -divide_floor(-numerator, unit),
    };
    Tick((steps * step).clamp(0, i128::from(i64::MAX)) as i64)
}

/// Writes the quotes of one side.
#[inline(always)]
fn quote_side(
    settings: &SpreadSettings,
    instrument: &InstrumentSettings,
    side: Side,
    inputs: &Inputs,
    quotes: &mut Quotes,
) {
    let (best, exposure) = (&inputs.best, inputs.exposure);
    let mid_doubled = best.mid_doubled();
    let (distance, least) = distance_doubled(settings, instrument, side, inputs);
    let step = instrument.tick_order_step.0;
    // What the other side leaves to a post-only quote: one step before the opposite best.
    let outermost = match (settings.time_in_force, side) {
        (TimeInForce::PostOnly, Side::Bid) => instrument.tick_floor(Tick(best.ask_outer().0 - 1)),
        (TimeInForce::PostOnly, Side::Ask) => Tick(instrument.tick_floor(best.bid_outer()).0 + step),
        (_, Side::Bid) => Tick(i64::MAX),
        (_, Side::Ask) => Tick(0),
    };
    let limit = tick_at(instrument, side, mid_doubled, least);
    let mut nearest = match side {
        Side::Bid => outermost.min(limit),
        Side::Ask => outermost.max(limit),
    };
    let tick_limit = nearest;
    // Room to the position limit, in lots, shared by the levels from the best outward.
    let mut room = i128::from(settings.position_lots_max.0) - i128::from(exposure.0) * i128::from(side.sign());
    for level in 0..settings.levels.min(QUOTE_LEVELS_MAX) {
        let beyond = 2 * level as i128 * i128::from(settings.level_step_millionths);
        let raw = tick_at(instrument, side, mid_doubled, distance + beyond);
        let tick = match side {
            Side::Bid => raw.min(nearest),
            Side::Ask => raw.max(nearest),
        };
        let wanted = i128::from(settings.order_lots.0).min(room).max(0) as i64;
        let lots = instrument.lots_floor(Lots(wanted));
        let legal = lots.0 > 0
            && lots >= instrument.lots_order_min
            && instrument.notional(tick, lots).is_some_and(|notional| notional >= instrument.notional_min);
        if tick.0 <= 0 || tick.0 == i64::MAX || !legal {
            return;
        }
        quotes.add(side, Quote { tick, tick_limit, lots, time_in_force: settings.time_in_force });
        room -= i128::from(lots.0);
        nearest = Tick(tick.0.saturating_sub(step * side.sign()));
    }
}

impl Strategy for Spread {
    fn warm(&self, instrument: InstrumentId) {
        if let Some(settings) = self.settings.get(instrument.index()) {
            prefetch(settings);
            prefetch(&self.decided[instrument.index()]);
        }
    }

    fn on_change(&mut self, view: &View<'_>, changed: InstrumentId, targets: &mut Targets) {
        let (Some(settings), Some(decided)) =
            (self.settings.get(changed.index()), self.decided.get_mut(changed.index()))
        else {
            return;
        };
        let Some(best) = view.best(changed) else {
            *decided = None;
            targets.rewrite(changed);
            return;
        };
        let sizes = view.imbalance(changed, settings.imbalance_levels, settings.imbalance_net_of_own);
        let inputs = Inputs {
            best,
            is_widened: is_widened(settings, sizes),
            exposure: view.exposure(changed),
            tolerance_millionths: view.refresh_tolerance_millionths(changed),
        };
        if *decided == Some(inputs) {
            return;
        }
        *decided = Some(inputs);
        let quotes = targets.rewrite(changed);
        for side in Side::BOTH {
            quote_side(settings, view.instrument(changed), side, &inputs, quotes);
        }
    }

    /// As the best quote of the side was made, from what was decided on last.
    fn basis(&self, view: &View<'_>, instrument: InstrumentId, side: Side) -> QuoteBasis {
        let decided = self.decided.get(instrument.index()).copied().flatten();
        let (Some(settings), Some(inputs)) = (self.settings.get(instrument.index()), decided) else {
            return QuoteBasis::default();
        };
        let (bid, ask) = view.imbalance(instrument, settings.imbalance_levels, settings.imbalance_net_of_own);
        let facts = view.instrument(instrument);
        let (distance, least) = distance_doubled(settings, facts, side, &inputs);
        let wanted = tick_at(facts, side, inputs.best.mid_doubled(), distance);
        let mut quotes = Quotes::NONE;
        quote_side(settings, facts, side, &inputs, &mut quotes);
        let rule = match quotes.side(side).first() {
            // The least distance never is beyond the wanted one: what moved it is the other side.
            Some(quote) if quote.tick != wanted => QuoteRule::OppositeTouch,
            _ if distance == least + 2 * i128::from(inputs.tolerance_millionths) => QuoteRule::EdgeMin,
            _ if inputs.is_widened => QuoteRule::Widened,
            _ => QuoteRule::Distance,
        };
        let exposure = i128::from(inputs.exposure.0) * i128::from(side.sign());
        let room = i128::from(settings.position_lots_max.0) - exposure;
        let wanted_lots = settings.levels.min(QUOTE_LEVELS_MAX) as i128 * i128::from(settings.order_lots.0);
        QuoteBasis {
            rule,
            limit: if room < wanted_lots { Unquoted::PositionMax } else { Unquoted::No },
            imbalance_millionths: divide_floor((bid - ask).saturating_mul(ONE), (bid + ask).max(1)) as i32,
        }
    }

    /// What the first level of `quote_side` stumbles over.
    fn why_unquoted(&self, view: &View<'_>, instrument: InstrumentId, side: Side) -> Unquoted {
        let (Some(settings), Some(best)) = (self.settings.get(instrument.index()), view.best(instrument)) else {
            return Unquoted::Unwanted;
        };
        let facts = view.instrument(instrument);
        let exposure = i128::from(view.exposure(instrument).0) * i128::from(side.sign());
        let room = (i128::from(settings.position_lots_max.0) - exposure).max(0);
        let lots = facts.lots_floor(Lots(i128::from(settings.order_lots.0).min(room) as i64));
        let is_cut = room < i128::from(settings.order_lots.0);
        let price = Tick(if side == Side::Bid { best.bid.0 } else { best.ask.0 });
        let notional_is_small = facts.notional(price, lots).is_some_and(|notional| notional < facts.notional_min);
        if is_cut && (lots.0 <= 0 || lots < facts.lots_order_min || notional_is_small) {
            Unquoted::PositionMax
        } else if lots.0 <= 0 || lots < facts.lots_order_min {
            Unquoted::Quantity
        } else if notional_is_small {
            Unquoted::NotionalMin
        } else {
            Unquoted::Price
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_macros)]
mod tests {
    use super::*;
    use crate::types::{QuoteAtoms, VenueId};

    #[test]
    fn the_short_arithmetic_says_what_the_wide_one_says() {
        let mut random = 77_u64;
        println!("seed {random}");
        let mut next = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            random >> 1
        };
        let mut short_enough = 0;
        for _ in 0..200_000 {
            let instrument = InstrumentSettings {
                venue: VenueId(0),
                tick_order_step: Tick(1 + (next() >> (next() % 64)) as i64 % 1_000_000),
                lots_order_step: Lots(1),
                lots_order_min: Lots(0),
                lots_order_max: Lots(1),
                notional_min: QuoteAtoms(0),
                atoms_per_tick_lot: 1,
                maker_fee_millionths: 0,
                taker_fee_millionths: 0,
                outer_levels: 1,
            };
            let mid = i128::from(next() >> (next() % 63));
            let distance = i128::from((next() >> (20 + next() % 44)) as i64) - i128::from(next() % 3_000_000);
            for side in Side::BOTH {
                let wide = tick_at_wide(&instrument, side, mid, distance);
                if let Some(short) = tick_at_short(&instrument, side, mid, distance) {
                    short_enough += 1;
                    assert_eq!(short, wide, "{side:?} {mid} {distance} {}", instrument.tick_order_step.0);
                }
            }
            let settings = SpreadSettings {
                imbalance_levels: 1,
                imbalance_threshold_millionths: (next() % 1_000_001) as i64,
                ..ANY
            };
            let (bid, ask) = (i128::from(next() >> (next() % 63)), i128::from(next() >> (next() % 63)));
            let beyond = (bid - ask).abs() * ONE > (bid + ask) * i128::from(settings.imbalance_threshold_millionths);
            assert_eq!(is_widened(&settings, (bid, ask)), beyond, "{bid} {ask} {settings:?}");
        }
        assert!(short_enough > 100_000, "{short_enough}");
    }

    const ANY: SpreadSettings = SpreadSettings {
        spread_millionths: 1,
        levels: 1,
        level_step_millionths: 0,
        order_lots: Lots(1),
        position_lots_max: Lots(1),
        imbalance_levels: 1,
        imbalance_threshold_millionths: 0,
        imbalance_widening_millionths: 1_000_000,
        imbalance_net_of_own: false,
        inventory_skew_millionths: 0,
        edge_min_millionths: 0,
        time_in_force: TimeInForce::PostOnly,
    };
}
