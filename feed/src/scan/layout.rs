//! HOT: what an instrument's numbers look like when they end at the end of sixteen bytes.

use spinbook_engine::types::{Level, Lots, Tick};

use super::Scales;
use crate::number::Scale;

/// Bytes of one lane: the longest number that is converted in it.
pub(crate) const LANE: usize = 16;

/// A scale as constants of a lane; made once per instrument.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NumberLayout {
    pattern: [u8; LANE],
    limit: [u8; LANE],
    order: [u8; LANE],
    /// Shortest text: one digit, and a dot with decimals if there are any.
    pub(crate) shortest: u32,
    /// What is left to divide by after dropping: one, if the step is a power of ten.
    pub(crate) rest: Scale,
    /// The same for ordinary registers.
    pub(crate) words: Words,
}

/// A lane in two words, its first byte lowest in the first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words {
    pub(crate) pattern: [u64; 2],
    /// Bytes that must be equal to the pattern: the dot.
    pub(crate) fixed: [u64; 2],
    /// Bytes behind the dot; all if there is none.
    pub(crate) behind: [u64; 2],
    /// Bytes before the dot.
    pub(crate) before: [u64; 2],
    /// The whole scale: nothing was dropped.
    pub(crate) scale: Scale,
}

impl Words {
    fn new(scale: &Scale, pattern: &[u8; LANE], dot: usize) -> Words {
        let word = |select: &dyn Fn(usize) -> u8| {
            [0, 8].map(|half| (0..8).fold(0u64, |word, byte| word | u64::from(select(half + byte)) << (8 * byte)))
        };
        let where_true = |select: &dyn Fn(usize) -> bool| word(&|index| if select(index) { 0xff } else { 0 });
        Words {
            pattern: word(&|index| pattern[index]),
            fixed: where_true(&|index| index == dot),
            behind: where_true(&|index| dot == LANE || index > dot),
            before: where_true(&|index| dot != LANE && index < dot),
            scale: *scale,
        }
    }
}

impl NumberLayout {
    /// `None` if a number of this scale may not fit a lane.
    fn new(scale: &Scale) -> Option<NumberLayout> {
        let decimals = usize::from(scale.decimals());
        if decimals > LANE - 2 {
            return None;
        }
        let (mut step, mut dropped) = (scale.step(), 0);
        while step.is_multiple_of(10) {
            step /= 10;
            dropped += 1;
        }
        let dot = if decimals == 0 { LANE } else { LANE - 1 - decimals };
        let (mut pattern, mut limit, mut order) = ([b'0'; LANE], [9; LANE], [0x80; LANE]);
        let (mut target, mut left) = (LANE, dropped);
        for index in (0..LANE).rev() {
            if index == dot {
                (pattern[index], limit[index]) = (b'.', 0);
            } else if left > 0 {
                limit[index] = 0;
                left -= 1;
            } else {
                target -= 1;
                order[target] = index as u8;
            }
        }
        let shortest = if decimals == 0 { 1 } else { decimals as u32 + 2 };
        let words = Words::new(scale, &pattern, dot);
        Some(NumberLayout { pattern, limit, order, shortest, rest: Scale::new(0, step)?, words })
    }

    /// Longest text minus shortest.
    #[inline(always)]
    pub(crate) fn spread(&self) -> u32 {
        (LANE as u32).wrapping_sub(self.shortest)
    }
}

/// Price and quantity of one instrument.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InstrumentLayout {
    pub(crate) price: NumberLayout,
    pub(crate) quantity: NumberLayout,
    /// A lane for a price, then one for a quantity: `'.'` where the dot must be, `'0'` elsewhere.
    pub(crate) pattern: [u8; 2 * LANE],
    /// Largest difference from the pattern: nine for a digit, zero for the dot and for dropped digits.
    pub(crate) limit: [u8; 2 * LANE],
    /// Closes the gap that the dot leaves and drops the digits that are always zero.
    pub(crate) order: [u8; 2 * LANE],
    /// A byte is the number's if this is less than what the number is longer than the shortest; signed.
    pub(crate) reach: [u8; 2 * LANE],
    /// What the distance of two commas is more than the length beyond the shortest, of price and quantity in turn.
    pub(crate) starts: [u32; 4],
    /// The same for a best bid/ask: of the first the distance from the opening quote.
    pub(crate) best_starts: [u32; 4],
    /// The same for a trade's price and quantity, and for both again with the name of a second quantity between.
    pub(crate) trade_starts: [u32; 4],
    /// Longest text minus shortest, of price and quantity in turn.
    pub(crate) spreads: [u32; 4],
    /// Whether there is something left to divide by.
    pub(crate) divides: bool,
}

impl InstrumentLayout {
    /// `None` if one of the scales is too fine for a lane: the cursor reads such numbers.
    pub(crate) fn new(scales: &Scales) -> Option<InstrumentLayout> {
        let (price, quantity) = (NumberLayout::new(&scales.price)?, NumberLayout::new(&scales.quantity)?);
        let in_turn = |of: &dyn Fn(&NumberLayout) -> u32| [of(&price), of(&quantity), of(&price), of(&quantity)];
        let (starts, spreads) = (in_turn(&|layout| layout.shortest + 4), in_turn(&|layout| layout.spread()));
        let divides = price.rest.step() != 1 || quantity.rest.step() != 1;
        let best_starts = [price.shortest + 1, quantity.shortest + 7, price.shortest + 7, quantity.shortest + 7];
        let trade_starts = [price.shortest + 1, quantity.shortest + 7, price.shortest + 1, quantity.shortest + 8];
        let lanes = |of: &dyn Fn(&NumberLayout) -> [u8; LANE]| {
            let mut lanes = [0; 2 * LANE];
            lanes[..LANE].copy_from_slice(&of(&price));
            lanes[LANE..].copy_from_slice(&of(&quantity));
            lanes
        };
        Some(InstrumentLayout {
            pattern: lanes(&|layout| layout.pattern),
            limit: lanes(&|layout| layout.limit),
            order: lanes(&|layout| layout.order),
            reach: lanes(&|layout| {
                core::array::from_fn(|index| (LANE - 1 - index) as u8)
                    .map(|behind: u8| behind.wrapping_sub(layout.shortest as u8))
            }),
            starts,
            best_starts,
            trade_starts,
            spreads,
            divides,
            price,
            quantity,
        })
    }

    /// Divides by what is left of the steps; `None` if a number lies between two units.
    #[inline(always)]
    pub(crate) fn divide(&self, levels: &mut [Level]) -> Option<()> {
        if !self.divides {
            return Some(());
        }
        for level in levels {
            level.tick = Tick(self.price.rest.units_from_mantissa(level.tick.0.unsigned_abs())?);
            level.lots = Lots(self.quantity.rest.units_from_mantissa(level.lots.0.unsigned_abs())?);
        }
        Some(())
    }
}
