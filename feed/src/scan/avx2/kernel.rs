//! HOT: the registers' work of the AVX2 scanner: compares, finds commas, converts digits.
#![allow(unsafe_code)]

use core::arch::x86_64::*;

use spinbook_engine::types::{Level, Lots, Side, Tick};

use super::super::frame_template::{self, Expected, FrameTemplate, NumberField, Numbers};
use super::super::layout::{InstrumentLayout, LANE, NumberLayout};
use super::super::{LevelScratch, Schema, best_names, padded_word};
use super::{BLOCK, COMMAS_MAX};

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

/// Two lanes from two places.
///
/// # Safety
/// The processor has the features; 16 bytes can be read from both.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[inline]
unsafe fn both(low: *const u8, high: *const u8) -> __m256i {
    // SAFETY: the caller's promise; the loads need no alignment.
    let (low, high) = unsafe { (_mm_loadu_si128(low.cast()), _mm_loadu_si128(high.cast())) };
    _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(low), high)
}

/// The constants of an instrument's two numbers, in registers.
#[derive(Clone, Copy)]
struct Constants {
    pattern: __m256i,
    limit: __m256i,
    order: __m256i,
    /// Masks of the shortest price and quantity: longer ones follow.
    price_masks: *const u8,
    quantity_masks: *const u8,
}

impl Constants {
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    #[inline]
    fn new(layouts: &InstrumentLayout) -> Constants {
        let (price, quantity) = (&layouts.price, &layouts.quantity);
        let masks = |layout: &NumberLayout| LAST_BYTES.as_ptr().wrapping_add(layout.shortest as usize);
        // SAFETY: all arrays are 16 bytes long.
        unsafe {
            Constants {
                pattern: both(price.pattern.as_ptr(), quantity.pattern.as_ptr()),
                limit: both(price.limit.as_ptr(), quantity.limit.as_ptr()),
                order: both(price.order.as_ptr(), quantity.order.as_ptr()),
                price_masks: masks(price),
                quantity_masks: masks(quantity),
            }
        }
    }
}

/// What did not fit, collected over a frame.
#[derive(Clone, Copy)]
struct Wrong {
    bytes: __m256i,
    lengths: __m128i,
    literals: u64,
}

impl Wrong {
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    #[inline]
    fn nothing(&self) -> bool {
        let bytes = _mm256_testz_si256(self.bytes, self.bytes) == 1;
        bytes && _mm_testz_si128(self.lengths, self.lengths) == 1 && self.literals == 0
    }
}

/// Sixteen digits a lane to four groups of four a lane.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[inline]
fn fours(digits: __m256i) -> __m256i {
    let pairs = _mm256_maddubs_epi16(digits, _mm256_set1_epi16(0x010a));
    _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x0001_0064))
}

/// The numbers of two registers of groups: low lane and high lane of the first, then of the second.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[inline]
fn join(first: __m256i, second: __m256i) -> __m256i {
    let packed = _mm256_packus_epi32(first, second);
    let eights = _mm256_madd_epi16(packed, _mm256_set1_epi32(0x0001_2710));
    let high = _mm256_mul_epu32(eights, _mm256_set1_epi64x(100_000_000));
    let sums = _mm256_add_epi64(high, _mm256_srli_epi64::<32>(eights));
    _mm256_permute4x64_epi64::<0b11_01_10_00>(sums)
}

/// Price and quantity that end before `price_end` and `quantity_end`, in groups of four digits.
///
/// # Safety
/// The processor has the features; 16 bytes lie before both ends; the masks lie in [`LAST_BYTES`].
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[inline]
unsafe fn convert(
    (price_end, quantity_end): (*const u8, *const u8),
    (price_mask, quantity_mask): (*const u8, *const u8),
    constants: &Constants,
    wrong: &mut __m256i,
) -> __m256i {
    // SAFETY: the caller's promise.
    let (text, mask) = unsafe { (both(price_end.sub(LANE), quantity_end.sub(LANE)), both(price_mask, quantity_mask)) };
    let digits = _mm256_and_si256(_mm256_xor_si256(text, constants.pattern), mask);
    *wrong = _mm256_or_si256(*wrong, _mm256_subs_epu8(digits, constants.limit));
    fours(_mm256_shuffle_epi8(digits, constants.order))
}

/// What of the bytes at `text` is not as expected.
///
/// # Safety
/// The processor has the features; whole blocks of the expected length can be read.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[inline]
unsafe fn unexpected<const BYTES: usize>(expected: &Expected<BYTES>, text: *const u8) -> __m256i {
    let mut wrong = _mm256_setzero_si256();
    let mut at = 0;
    while at < expected.length {
        // SAFETY: the arrays have whole blocks, `length` is within them, and the caller's promise.
        let (text, pattern, limit) = unsafe {
            (
                _mm256_loadu_si256(text.add(at).cast()),
                _mm256_loadu_si256(expected.pattern.as_ptr().add(at).cast()),
                _mm256_loadu_si256(expected.limit.as_ptr().add(at).cast()),
            )
        };
        wrong = _mm256_or_si256(wrong, _mm256_subs_epu8(_mm256_sub_epi8(text, pattern), limit));
        at = at.wrapping_add(frame_template::BLOCK);
    }
    wrong
}

/// The lanes in which two numbers of a frame end, in values of digits, others zero.
///
/// # Safety
/// As [`numbers`].
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[inline]
unsafe fn digits_of(low: &NumberField, high: &NumberField, head: *const u8, tail: *const u8) -> __m256i {
    let read = |place: &NumberField| {
        let base = if place.in_tail { tail } else { head };
        base.wrapping_add(place.end).wrapping_sub(LANE)
    };
    // SAFETY: learned places end at least a lane behind the frame's start, and inside the frame.
    unsafe {
        let text = _mm256_sub_epi8(both(read(low), read(high)), _mm256_set1_epi8(b'0' as i8));
        _mm256_and_si256(text, both(low.mask.as_ptr(), high.mask.as_ptr()))
    }
}

/// The four numbers at a template's places.
///
/// # Safety
/// The processor has the features; the frame fits the template.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[inline]
unsafe fn numbers(template: &FrameTemplate, head: *const u8, tail: *const u8, out: &mut Numbers) {
    let [time, first, last, previous] = &template.numbers;
    // SAFETY: the caller's promise; the numbers are 32 bytes long.
    unsafe {
        let front = fours(digits_of(time, first, head, tail));
        let back = fours(digits_of(last, previous, head, tail));
        _mm256_storeu_si256(core::ptr::from_mut(out).cast(), join(front, back));
    }
}

/// Event time and update id of a best bid/ask, which has no other numbers.
///
/// # Safety
/// As [`numbers`].
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[inline]
unsafe fn best_numbers(template: &FrameTemplate, head: *const u8, tail: *const u8, out: &mut Numbers) {
    let [time, _, last, _] = &template.numbers;
    // SAFETY: the caller's promise.
    let groups = unsafe { fours(digits_of(time, last, head, tail)) };
    let both = _mm256_castsi256_si128(join(groups, groups));
    out.event_time_ms = _mm_cvtsi128_si64(both) as u64;
    out.last = _mm_extract_epi64::<1>(both) as u64;
}

/// Which of the 64 bytes at `block` are `byte`.
///
/// # Safety
/// The processor has the features; 64 bytes can be read.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[inline]
unsafe fn bytes_equal(block: *const u8, byte: u8) -> u64 {
    let byte = _mm256_set1_epi8(byte as i8);
    // SAFETY: the caller's promise.
    let (low, high) = unsafe { (_mm256_loadu_si256(block.cast()), _mm256_loadu_si256(block.add(32).cast())) };
    let low = _mm256_movemask_epi8(_mm256_cmpeq_epi8(low, byte)) as u32;
    let high = _mm256_movemask_epi8(_mm256_cmpeq_epi8(high, byte)) as u32;
    u64::from(low) | (u64::from(high) << 32)
}

/// Offsets of all commas in `start..end` go to `commas`; gives how many there are and the index of the one
/// before the only colon. `None` if there are too many of either, or no colon behind a comma.
///
/// # Safety
/// The processor has the features; 64 bytes can be read behind `end`; `commas` has room for `COMMAS_MAX + BLOCK`.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[inline]
unsafe fn find_commas(commas: *mut u32, base: *const u8, start: usize, end: usize) -> Option<(usize, usize)> {
    let (mut found, mut before_colon, mut colons) = (0usize, 0usize, 0u32);
    let mut at = start;
    while at < end {
        // SAFETY: at < end and 64 bytes lie behind it.
        let (mut mask, mut colon) = unsafe { (bytes_equal(base.add(at), b','), bytes_equal(base.add(at), b':')) };
        if end - at < BLOCK {
            mask = _bzhi_u64(mask, (end - at) as u32);
            colon = _bzhi_u64(colon, (end - at) as u32);
        }
        if colon != 0 {
            colons = colons.wrapping_add(colon.count_ones());
            before_colon = found.wrapping_add((mask & _blsmsk_u64(colon)).count_ones() as usize);
        }
        let count = mask.count_ones() as usize;
        // SAFETY: `found` is at most COMMAS_MAX and a block writes at most BLOCK entries.
        let target = unsafe { commas.add(found) };
        let mut index = 0;
        // Blocks hold three to seven commas: write eight without asking, more in steps.
        loop {
            for step in 0..8 {
                let comma = (at as u32).wrapping_add(_tzcnt_u64(mask) as u32);
                // Volatile, so that the compiler does not gather eight of them in a vector first.
                // SAFETY: index + step < BLOCK, because index < count <= 64 in steps of eight, or zero.
                unsafe { target.add(index | step).write_volatile(comma) };
                mask = _blsr_u64(mask);
            }
            index += 8;
            if index >= count {
                break;
            }
        }
        found = found.wrapping_add(count);
        if found > COMMAS_MAX {
            return None;
        }
        at = at.wrapping_add(BLOCK);
    }
    if colons != 1 || before_colon == 0 {
        return None;
    }
    Some((found, before_colon.wrapping_sub(1)))
}

const BETWEEN_NUMBERS: u32 = u32::from_le_bytes(*b"\",\"\0");
const BETWEEN_LEVELS: u64 = u64::from_le_bytes(*b"\"],[\"\0\0\0");
const BEFORE_LEVELS: u64 = u64::from_le_bytes(*b"\":[[\"\0\0\0");
const BIDS_END: u32 = u32::from_le_bytes(*b"\"]],");
const ASKS_END: u32 = u32::from_le_bytes(*b"\"]]\0");

/// # Safety
/// As many bytes as `Word` has can be read.
#[inline(always)]
unsafe fn word<Word>(at: *const u8) -> Word {
    // SAFETY: the caller's promise.
    unsafe { at.cast::<Word>().read_unaligned() }
}

/// One level's groups of digits; its two commas and the one before it are `around`.
///
/// # Safety
/// As [`side`]; both lengths are at most the layout's spread.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[inline]
unsafe fn one_level(
    base: *const u8,
    around: *const u32,
    lengths: [u32; 2],
    before: u64,
    constants: &Constants,
    wrong: &mut Wrong,
) -> __m256i {
    // SAFETY: the caller's promises: commas lie between start - 1 and end, lengths are within the masks.
    unsafe {
        let (previous, middle, next) =
            (base.add(*around as usize), base.add(*around.add(1) as usize), base.add(*around.add(2) as usize));
        wrong.literals |= (word::<u64>(previous.sub(2)) ^ before) << 24;
        wrong.literals |= u64::from((word::<u32>(middle.sub(1)) ^ BETWEEN_NUMBERS) << 8);
        let masks = (constants.price_masks.add(lengths[0] as usize), constants.quantity_masks.add(lengths[1] as usize));
        convert((middle.sub(1), next.sub(2)), masks, constants, &mut wrong.bytes)
    }
}

/// Lengths of the four numbers that end at the four commas at `commas`, less the shortest, at most the spread.
///
/// # Safety
/// The processor has the features; one comma before and four from there can be read.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[inline]
unsafe fn lengths(commas: *const u32, shortest: __m128i, spread: __m128i, wrong: &mut __m128i) -> [u32; 4] {
    // SAFETY: the caller's promise.
    let (ends, starts) = unsafe { (_mm_loadu_si128(commas.cast()), _mm_loadu_si128(commas.sub(1).cast())) };
    let lengths = _mm_sub_epi32(_mm_sub_epi32(ends, starts), shortest);
    let held = _mm_min_epu32(lengths, spread);
    *wrong = _mm_or_si128(*wrong, _mm_xor_si128(lengths, held));
    let mut out = [0u32; 4];
    // SAFETY: the array is 16 bytes long.
    unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), held) };
    out
}

/// Converts `count` levels, the commas of the first being at `commas`, to `out`.
///
/// # Safety
/// The processor has the features; the commas and the entry before lie between the header's last byte and the
/// end, four more entries can be read; `out` has room for `count`.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[inline]
unsafe fn side(
    base: *const u8,
    commas: *const u32,
    count: usize,
    layouts: &InstrumentLayout,
    constants: &Constants,
    out: *mut Level,
    collected: &mut Wrong,
) {
    // Everything in registers while the loop runs.
    let (constants, mut wrong) = (*constants, *collected);
    // SAFETY: both arrays are 16 bytes long.
    let (shortest, spread) =
        unsafe { (_mm_loadu_si128(layouts.starts.as_ptr().cast()), _mm_loadu_si128(layouts.spreads.as_ptr().cast())) };
    let mut before = BEFORE_LEVELS;
    let mut index = 0usize;
    // SAFETY: entries up to two a level are commas of the frame, and two levels are written only if there are two.
    unsafe {
        while index.wrapping_add(2) <= count {
            let at = commas.add(index << 1);
            let held = lengths(at, shortest, spread, &mut wrong.lengths);
            let first = one_level(base, at.sub(1), [held[0], held[1]], before, &constants, &mut wrong);
            let second = one_level(base, at.add(1), [held[2], held[3]], BETWEEN_LEVELS, &constants, &mut wrong);
            _mm256_storeu_si256(out.add(index).cast(), join(first, second));
            before = BETWEEN_LEVELS;
            index = index.wrapping_add(2);
        }
        if index < count {
            let at = commas.add(index << 1);
            // One by one: a wide load would wait for the narrow stores of commas that were just found.
            let mut held = [0u32; 2];
            let mut around = *at.sub(1);
            for (index, held) in held.iter_mut().enumerate() {
                let next = *at.add(index);
                let length = next.wrapping_sub(around).wrapping_sub(layouts.starts[index]);
                *held = length.min(layouts.spreads[index]);
                wrong.literals |= u64::from(length ^ *held);
                around = next;
            }
            let last = one_level(base, at.sub(1), [held[0], held[1]], before, &constants, &mut wrong);
            _mm_storeu_si128(out.add(index).cast(), _mm256_castsi256_si128(join(last, last)));
        }
    }
    *collected = wrong;
}

/// Both sides between `start`, which is behind `"b":[`, and `end`, which is behind the bracket that closes
/// `"a":[`. `None`: not of the known form.
///
/// # Safety
/// As [`scan`].
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[inline]
unsafe fn sides<S: Schema>(
    commas: &mut [u32],
    layouts: &InstrumentLayout,
    base: *const u8,
    (start, end): (usize, usize),
    levels: &mut LevelScratch,
) -> Option<()> {
    let constants = Constants::new(layouts);
    let mut wrong = Wrong { bytes: _mm256_setzero_si256(), lengths: _mm_setzero_si128(), literals: 0 };
    // One entry lies before the first comma.
    let list = commas.as_mut_ptr().wrapping_add(1);
    // SAFETY: the caller's promises hold for the search.
    let (found, switch) = unsafe { find_commas(list, base, start, end)? };
    // SAFETY: `switch` is less than `found`; its comma lies between start and end; before both lies a header.
    unsafe {
        let between = *list.add(switch) as usize;
        wrong.literals |= (word::<u64>(base.add(between)) ^ const { padded_word(S::ASKS_NAME) }) << 16;
        let mut bids = 0;
        if switch == 0 {
            // Nothing but the closing bracket may be before the comma.
            wrong.literals |= (between ^ start.wrapping_add(1)) as u64 | u64::from(*base.add(start) ^ b']');
        } else {
            wrong.literals |= u64::from(word::<u32>(base.add(between).sub(3)) ^ BIDS_END);
            bids = switch.div_ceil(2);
            // The last level's end is where it would be between two levels.
            *list.sub(1) = (start as u32).wrapping_sub(1);
            *list.add(switch) = (between as u32).wrapping_sub(1);
            let space = levels.space(Side::Bid);
            if switch % 2 == 0 || bids > space.len() {
                return None;
            }
            side(base, list, bids, layouts, &constants, space.as_mut_ptr(), &mut wrong);
        }
        let left = found.wrapping_sub(switch).wrapping_sub(1);
        let mut asks = 0;
        if left == 0 {
            wrong.literals |= (end ^ between.wrapping_add(7)) as u64 | u64::from(*base.add(between).add(6) ^ b']');
        } else {
            wrong.literals |= u64::from((word::<u32>(base.add(end).sub(3)) ^ ASKS_END) << 8);
            asks = left.div_ceil(2);
            *list.add(switch) = (between as u32).wrapping_add(5);
            *list.add(found) = (end as u32).wrapping_sub(1);
            let space = levels.space(Side::Ask);
            if left % 2 == 0 || asks > space.len() {
                return None;
            }
            side(base, list.add(switch).add(1), asks, layouts, &constants, space.as_mut_ptr(), &mut wrong);
        }
        levels.set_count(Side::Bid, bids);
        levels.set_count(Side::Ask, asks);
        if !wrong.nothing() {
            return None;
        }
        if layouts.divides {
            layouts.divide(&mut levels.space(Side::Bid)[..bids])?;
            layouts.divide(&mut levels.space(Side::Ask)[..asks])?;
        }
        Some(())
    }
}

/// The four numbers of a best bid/ask between `start`, behind the first opening quote, and `end`, behind the
/// last closing quote. `None`: not of the known form.
///
/// # Safety
/// As [`scan`].
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[inline]
unsafe fn best<S: Schema>(
    layouts: &InstrumentLayout,
    base: *const u8,
    (start, end): (usize, usize),
) -> Option<[Level; 2]> {
    let constants = Constants::new(layouts);
    // SAFETY: start is before the end, behind which lie 64 bytes.
    let mut mask = unsafe { bytes_equal(base.add(start), b',') };
    // The shortest four numbers are longer than this, so what is read below lies in the padding at most.
    if mask.count_ones() < 3 || end < start.wrapping_add(25) {
        return None;
    }
    let mut beyond = 0u32;
    let mut ends = [0usize; 4];
    let mut lengths = [0u32; 4];
    let mut from = start;
    for index in 0..4 {
        let layout = if index % 2 == 0 { &layouts.price } else { &layouts.quantity };
        let close =
            if index < 3 { start.wrapping_add(_tzcnt_u64(mask) as usize).wrapping_sub(1) } else { end.wrapping_sub(1) };
        mask = _blsr_u64(mask);
        let length = (close as u32).wrapping_sub(from as u32).wrapping_sub(layout.shortest);
        lengths[index] = length.min(layout.spread());
        beyond |= length ^ lengths[index];
        ends[index] = close;
        from = close.wrapping_add(7);
    }
    let mut wrong = _mm256_setzero_si256();
    let mut out = [Level { tick: Tick(0), lots: Lots(0) }; 2];
    // SAFETY: the header before is longer than a lane; lengths are within the spread; the commas are less than 64
    // bytes behind start, which is 25 bytes before the end.
    let literals = unsafe {
        let end = |index: usize| base.add(ends[index]);
        let price = |index: usize| constants.price_masks.add(lengths[index] as usize);
        let quantity = |index: usize| constants.quantity_masks.add(lengths[index] as usize);
        let bid = convert((end(0), end(1)), (price(0), quantity(1)), &constants, &mut wrong);
        let ask = convert((end(2), end(3)), (price(2), quantity(3)), &constants, &mut wrong);
        _mm256_storeu_si256(out.as_mut_ptr().cast(), join(bid, ask));
        // All in one place: between the lengths they would take the registers that the constants need.
        let [bid_quantity, ask, ask_quantity] = const { best_names::<S>() };
        let names =
            (word::<u64>(end(0)) ^ bid_quantity) | (word::<u64>(end(1)) ^ ask) | (word::<u64>(end(2)) ^ ask_quantity);
        names << 8 | u64::from(*end(3) ^ b'"')
    };
    (literals == 0 && beyond == 0 && _mm256_testz_si256(wrong, wrong) == 1).then_some(out)
}

/// See [`super::Avx2::scan`].
///
/// # Safety
/// The processor has the features; the header is at least two lanes long and ends three bytes or more before
/// `tail_start`; 64 bytes can be read behind the tail; `commas` has room for `1 + COMMAS_MAX + BLOCK`.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub(super) unsafe fn scan<S: Schema>(
    commas: &mut [u32],
    template: &FrameTemplate,
    layouts: &InstrumentLayout,
    padded: &[u8],
    tail_start: usize,
    found: &mut Numbers,
    levels: &mut LevelScratch,
) -> Option<()> {
    let base = padded.as_ptr();
    let middle = (template.head.length, tail_start);
    // SAFETY: header and tail lie in the frame, and less than a block beyond is read; the rest is the caller's
    // promise, and what `fits` the template holds its numbers.
    unsafe {
        let tail = base.add(tail_start);
        let wrong = _mm256_or_si256(unexpected(&template.head, base), unexpected(&template.tail, tail));
        if _mm256_testz_si256(wrong, wrong) == 0 {
            return None;
        }
        if template.is_touch {
            best_numbers(template, base, tail, found);
            let mut both = best::<S>(layouts, base, middle)?;
            layouts.divide(&mut both)?;
            levels.set_best(both);
            return Some(());
        }
        numbers(template, base, tail, found);
        sides::<S>(commas, layouts, base, middle, levels)
    }
}
