//! HOT: levels of a depth update by AVX2: where all quotes are first, then every level on its own.
//!
//! Price and quantity of a level are converted together, one in each half of a register. Every byte is
//! checked: quotes by their distances, what lies between them by comparison, digits and the place of the
//! dot inside the register.
#![allow(unsafe_code)]

use spinbook_engine::limits::LEVELS_PER_MESSAGE_MAX;

use super::Scales;
use crate::venue::market::LevelScratch;

/// Quotes that one frame may have behind its header: four a level, two sides, and the name of the second.
const QUOTES_MAX: usize = 8 * LEVELS_PER_MESSAGE_MAX + 64;
/// Bytes looked at in one step of the search for quotes.
const BLOCK: usize = 64;

/// The scanner's scratch; that it exists proves that the processor has AVX2, BMI1 and BMI2.
pub(super) struct Avx2 {
    /// Offsets of quotes from the frame's start, with room for one block of nothing but quotes.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "never made on other processors"))]
    quotes: Box<[u32]>,
}

impl core::fmt::Debug for Avx2 {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.write_str("Avx2")
    }
}

#[cfg(not(target_arch = "x86_64"))]
impl Avx2 {
    pub(super) fn detect() -> Option<Avx2> {
        None
    }

    pub(super) fn sides(
        &mut self,
        _padded: &[u8],
        _start: usize,
        _length: usize,
        _scales: Scales,
        _levels: &mut LevelScratch,
    ) -> Option<usize> {
        None
    }
}

#[cfg(target_arch = "x86_64")]
impl Avx2 {
    /// The scanner, if this processor can run it (set-up).
    pub(super) fn detect() -> Option<Avx2> {
        let able = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt");
        able.then(|| Avx2 { quotes: vec![0; QUOTES_MAX + BLOCK].into_boxed_slice() })
    }

    /// Reads both sides from `start`, which is behind `"b":[`, up to the bracket that closes `"a":[`; gives
    /// the index behind it. `None`: not of the known shape (levels are then undefined, but not applied).
    #[inline]
    pub(super) fn sides(
        &mut self,
        padded: &[u8],
        start: usize,
        length: usize,
        scales: Scales,
        levels: &mut LevelScratch,
    ) -> Option<usize> {
        if start < kernel::LANE || start > length || padded.len() < length + BLOCK {
            return None;
        }
        // SAFETY: `self` exists, so `detect` found the features; the bounds that the kernel names were
        // just checked.
        unsafe { kernel::sides(&mut self.quotes, padded, start, length, scales, levels) }
    }
}

#[cfg(target_arch = "x86_64")]
mod kernel {
    use core::arch::x86_64::*;

    use spinbook_engine::types::{Level, Lots, Side, Tick};

    use super::super::cursor::Cursor;
    use super::{BLOCK, QUOTES_MAX, Scales};
    use crate::number::Scale;
    use crate::venue::market::LevelScratch;

    /// Bytes of one half of the register: the longest number that is converted in it.
    pub(super) const LANE: usize = 16;

    /// Bytes 16-`n`.. from here mask the last `n` bytes of a lane.
    static LAST_BYTES: [u8; 2 * LANE] = {
        let mut bytes = [0u8; 2 * LANE];
        let mut index = LANE;
        while index < 2 * LANE {
            bytes[index] = 0xff;
            index += 1;
        }
        bytes
    };

    /// What a number with `decimals` looks like when it ends at a lane's end.
    #[derive(Clone, Copy)]
    struct Shape {
        /// What `'.' - '0'` is where the dot must be, zero elsewhere.
        dot: [u8; LANE],
        /// Largest value of a byte after subtracting `'0'` and the dot.
        largest: [u8; LANE],
        /// Closes the gap that the dot leaves.
        order: [u8; LANE],
        /// Shortest text: one digit, and a dot with decimals if there are any.
        shortest: usize,
    }

    impl Shape {
        #[inline]
        fn new(scale: &Scale) -> Option<Shape> {
            let decimals = usize::from(scale.decimals());
            if decimals > LANE - 2 {
                return None;
            }
            let mut shape = Shape { dot: [0; LANE], largest: [9; LANE], order: [0; LANE], shortest: 1 };
            if decimals == 0 {
                for (index, slot) in shape.order.iter_mut().enumerate() {
                    *slot = index as u8;
                }
                return Some(shape);
            }
            let dot = LANE - 1 - decimals;
            shape.shortest = decimals + 2;
            shape.dot[dot] = b'.'.wrapping_sub(b'0');
            shape.largest[dot] = 0;
            for (index, slot) in shape.order.iter_mut().enumerate() {
                *slot = match index {
                    0 => 0x80,
                    _ if index <= dot => index as u8 - 1,
                    _ => index as u8,
                };
            }
            Some(shape)
        }
    }

    /// The constants of one frame, in registers.
    #[derive(Clone, Copy)]
    struct Constants {
        dot: __m256i,
        largest: __m256i,
        order: __m256i,
    }

    impl Constants {
        #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
        #[inline]
        fn new(price: &Shape, quantity: &Shape) -> Constants {
            Constants {
                dot: both(&price.dot, &quantity.dot),
                largest: both(&price.largest, &quantity.largest),
                order: both(&price.order, &quantity.order),
            }
        }
    }

    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    #[inline]
    fn both(price: &[u8; LANE], quantity: &[u8; LANE]) -> __m256i {
        let mut bytes = [0u8; 2 * LANE];
        bytes[..LANE].copy_from_slice(price);
        bytes[LANE..].copy_from_slice(quantity);
        // SAFETY: the array is 32 bytes long and the load needs no alignment.
        unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
    }

    /// Offsets of all quotes in `padded[start..length]`; `None` if there are more than a message may have.
    ///
    /// # Safety
    /// The processor has the features; `padded` is at least `length + BLOCK` long; `quotes` has room for
    /// `QUOTES_MAX + BLOCK`.
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    #[inline]
    unsafe fn find_quotes(quotes: &mut [u32], padded: &[u8], start: usize, length: usize) -> Option<usize> {
        let quote = _mm256_set1_epi8(b'"' as i8);
        let mut found = 0usize;
        let mut at = start;
        while at < length {
            // SAFETY: at < length and 64 bytes lie behind `length`.
            let (low, high) = unsafe {
                let block = padded.as_ptr().add(at);
                (_mm256_loadu_si256(block.cast()), _mm256_loadu_si256(block.add(32).cast()))
            };
            let low = _mm256_movemask_epi8(_mm256_cmpeq_epi8(low, quote)) as u32;
            let high = _mm256_movemask_epi8(_mm256_cmpeq_epi8(high, quote)) as u32;
            let mut mask = u64::from(low) | (u64::from(high) << 32);
            if length - at < BLOCK {
                mask = _bzhi_u64(mask, (length - at) as u32);
            }
            let count = mask.count_ones() as usize;
            if found > QUOTES_MAX {
                return None;
            }
            // SAFETY: `found` is at most QUOTES_MAX and a block writes at most BLOCK entries.
            let target = unsafe { quotes.as_mut_ptr().add(found) };
            let mut index = 0;
            // Blocks hold about eight quotes: write eight without asking, more in steps.
            while index < count {
                for step in 0..8 {
                    // SAFETY: index + step < BLOCK, because index < count <= 64 in steps of eight.
                    unsafe { target.add(index + step).write(at as u32 + _tzcnt_u64(mask) as u32) };
                    mask = _blsr_u64(mask);
                }
                index += 8;
            }
            found += count;
            at += BLOCK;
        }
        (found <= QUOTES_MAX).then_some(found)
    }

    /// Price and quantity that end before `price_end` and `quantity_end`, as mantissas; `errors` collects
    /// every byte that does not belong.
    ///
    /// # Safety
    /// The processor has the features; both ends lie in `padded` and are at least [`LANE`]; both lengths are
    /// at most [`LANE`].
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    #[inline]
    unsafe fn convert(
        padded: &[u8],
        (price_end, price_length): (usize, usize),
        (quantity_end, quantity_length): (usize, usize),
        constants: Constants,
        errors: &mut __m256i,
    ) -> (u64, u64) {
        // SAFETY: the caller's promise: 16 bytes before each end, and a mask offset of 0..=16.
        let (price, quantity, price_mask, quantity_mask) = unsafe {
            (
                _mm_loadu_si128(padded.as_ptr().add(price_end - LANE).cast()),
                _mm_loadu_si128(padded.as_ptr().add(quantity_end - LANE).cast()),
                _mm_loadu_si128(LAST_BYTES.as_ptr().add(price_length).cast()),
                _mm_loadu_si128(LAST_BYTES.as_ptr().add(quantity_length).cast()),
            )
        };
        let text = _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(price), quantity);
        let mask = _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(price_mask), quantity_mask);
        let digits = _mm256_and_si256(_mm256_sub_epi8(text, _mm256_set1_epi8(b'0' as i8)), mask);
        let digits = _mm256_xor_si256(digits, constants.dot);
        *errors = _mm256_or_si256(*errors, _mm256_subs_epu8(digits, constants.largest));
        let digits = _mm256_shuffle_epi8(digits, constants.order);
        // Join neighbours: tens, hundreds, ten thousands; eight digits in each 32-bit place.
        let pairs = _mm256_maddubs_epi16(digits, _mm256_set1_epi16(0x010a));
        let fours = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x0001_0064));
        let fours = _mm256_packus_epi32(fours, fours);
        let eights = _mm256_madd_epi16(fours, _mm256_set1_epi32(0x0001_2710));
        let price = _mm256_extract_epi64::<0>(eights) as u64;
        let quantity = _mm256_extract_epi64::<2>(eights) as u64;
        (join(price), join(quantity))
    }

    /// Two groups of eight digits: the first in the low half.
    #[inline(always)]
    fn join(eights: u64) -> u64 {
        (eights & 0xffff_ffff) * 100_000_000 + (eights >> 32)
    }

    /// A number too long for a lane, by the portable way.
    #[cold]
    fn long_number(padded: &[u8], start: usize, scale: &Scale) -> Option<i64> {
        Cursor { buffer: padded, at: start }.decimal(scale)
    }

    #[inline(always)]
    fn four_bytes(padded: &[u8], at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(*padded.get(at..)?.first_chunk::<4>()?))
    }

    const BETWEEN_NUMBERS: u32 = u32::from_le_bytes(*b"\",\"\0");
    const BETWEEN_LEVELS: u32 = u32::from_le_bytes(*b"\"],[");
    const SIDE_END: u32 = u32::from_le_bytes(*b"\"]]\0");
    const THREE_BYTES: u32 = 0x00ff_ffff;

    /// The level whose four quotes are `group`.
    ///
    /// # Safety
    /// The processor has the features; the quotes are ascending, in `padded`, and at least [`LANE`].
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    #[inline]
    unsafe fn one_level(
        padded: &[u8],
        scales: &Scales,
        shapes: &[Shape; 2],
        constants: Constants,
        group: &[u32; 4],
        errors: &mut __m256i,
        wrong: &mut usize,
    ) -> Option<Level> {
        let [price_open, price_close, quantity_open, quantity_close] = group.map(|at| at as usize);
        let price_length = price_close - price_open - 1;
        let quantity_length = quantity_close - quantity_open - 1;
        if price_length > LANE || quantity_length > LANE {
            return Some(Level {
                tick: Tick(long_number(padded, price_open + 1, &scales.price)?),
                lots: Lots(long_number(padded, quantity_open + 1, &scales.quantity)?),
            });
        }
        *wrong |= usize::from(price_length < shapes[0].shortest) | usize::from(quantity_length < shapes[1].shortest);
        // SAFETY: the caller's promise, and the lengths were just compared with LANE.
        let (tick, lots) = unsafe {
            convert(padded, (price_close, price_length), (quantity_close, quantity_length), constants, errors)
        };
        Some(Level {
            tick: Tick(scales.price.units_from_mantissa(tick)?),
            lots: Lots(scales.quantity.units_from_mantissa(lots)?),
        })
    }

    /// See [`super::Avx2::sides`].
    ///
    /// # Safety
    /// The processor has the features; `start` is at least [`LANE`] and at most `length`; `padded` is at
    /// least `length + BLOCK` long; `quotes` has room for `QUOTES_MAX + BLOCK`.
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    pub(super) unsafe fn sides(
        quotes: &mut [u32],
        padded: &[u8],
        start: usize,
        length: usize,
        scales: Scales,
        levels: &mut LevelScratch,
    ) -> Option<usize> {
        let shapes = [Shape::new(&scales.price)?, Shape::new(&scales.quantity)?];
        let constants = Constants::new(&shapes[0], &shapes[1]);
        // SAFETY: the caller's promises are the ones asked for.
        let found = unsafe { find_quotes(quotes, padded, start, length)? };
        let mut groups = &quotes[..found];
        let mut errors = _mm256_setzero_si256();
        let mut wrong = 0usize;
        let mut cursor = Cursor { buffer: padded, at: start };
        for side in Side::BOTH {
            if side == Side::Ask {
                cursor.literal(b",\"a\":[")?;
                groups = groups.get(2..)?;
            }
            if cursor.optional(b"]") {
                continue;
            }
            cursor.literal(b"[")?;
            let mut expected = cursor.at;
            let mut count = 0usize;
            let space = levels.space(side);
            loop {
                let (group, rest) = groups.split_first_chunk::<4>()?;
                groups = rest;
                let [price_open, price_close, quantity_open, quantity_close] = group.map(|at| at as usize);
                wrong |= (price_open ^ expected) | (quantity_open ^ (price_close + 2));
                wrong |= ((four_bytes(padded, price_close)? & THREE_BYTES) ^ BETWEEN_NUMBERS) as usize;
                // SAFETY: quotes lie behind `start`, which is at least LANE, and before `length`.
                let level = unsafe { one_level(padded, &scales, &shapes, constants, group, &mut errors, &mut wrong)? };
                *space.get_mut(count)? = level;
                count += 1;
                let behind = four_bytes(padded, quantity_close)?;
                if behind != BETWEEN_LEVELS {
                    wrong |= ((behind & THREE_BYTES) ^ SIDE_END) as usize;
                    cursor.at = quantity_close + 3;
                    break;
                }
                expected = quantity_close + 4;
            }
            levels.set_count(side, count);
        }
        (wrong == 0 && groups.is_empty() && _mm256_testz_si256(errors, errors) == 1).then_some(cursor.at)
    }
}
