//! HOT: the registers' work of the AVX2 scanner: compares and converts what lies between the commas.
#![allow(unsafe_code)]

use core::arch::x86_64::*;

use spinbook_engine::types::{Level, Lots, Side, Tick};

use super::super::frame_template::{self, Expected, FrameKind, FrameTemplate, NumberField, Numbers};
use super::super::layout::{InstrumentLayout, LANE};
use super::super::{LevelScratch, Schema, best_names, padded_word};
use super::commas::{block_at, equal, find_commas};

/// In each lane the lowest byte of one of four lengths: of the first two, and of the last two.
static FIRST_LENGTHS: [u8; 2 * LANE] = lengths_in_lanes(0);
static SECOND_LENGTHS: [u8; 2 * LANE] = lengths_in_lanes(8);

const fn lengths_in_lanes(first: u8) -> [u8; 2 * LANE] {
    let mut places = [first; 2 * LANE];
    let mut index = LANE;
    while index < 2 * LANE {
        places[index] = first + 4;
        index += 1;
    }
    places
}

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
    reach: __m256i,
    spreads: __m128i,
}

impl Constants {
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    #[inline]
    fn new(layouts: &InstrumentLayout) -> Constants {
        let whole = |bytes: &[u8; 2 * LANE]| {
            // SAFETY: the array is 32 bytes long.
            unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
        };
        Constants {
            pattern: whole(&layouts.pattern),
            limit: whole(&layouts.limit),
            order: whole(&layouts.order),
            reach: whole(&layouts.reach),
            spreads: four(&layouts.spreads),
        }
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[inline]
fn four(numbers: &[u32; 4]) -> __m128i {
    // SAFETY: the array is 16 bytes long.
    unsafe { _mm_loadu_si128(numbers.as_ptr().cast()) }
}

/// What did not fit, collected over a frame.
#[derive(Clone, Copy)]
struct Wrong {
    bytes: __m256i,
    lengths: __m128i,
    /// Of the five bytes between two levels, of the three between two numbers, and of all else.
    between_levels: u64,
    between_numbers: u32,
    literals: u64,
}

impl Wrong {
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    #[inline]
    fn none() -> Wrong {
        let (bytes, lengths) = (_mm256_setzero_si256(), _mm_setzero_si128());
        Wrong { bytes, lengths, between_levels: 0, between_numbers: 0, literals: 0 }
    }

    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    #[inline]
    fn nothing(&self) -> bool {
        let vectors = _mm256_or_si256(self.bytes, _mm256_zextsi128_si256(self.lengths));
        let words = self.literals | self.between_levels << 24 | u64::from(self.between_numbers << 8);
        _mm256_testz_si256(vectors, vectors) == 1 && words == 0
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

/// Price and quantity that end before `price_end` and `quantity_end`, in groups of four digits; `lengths` has how much
/// longer than the shortest they are, in every byte of their lanes.
///
/// # Safety
/// The processor has the features; 16 bytes lie before both ends.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[inline]
unsafe fn convert(
    (price_end, quantity_end): (*const u8, *const u8),
    lengths: __m256i,
    constants: &Constants,
    wrong: &mut __m256i,
) -> __m256i {
    // SAFETY: the caller's promise.
    let text = unsafe { both(price_end.sub(LANE), quantity_end.sub(LANE)) };
    let mask = _mm256_cmpgt_epi8(lengths, constants.reach);
    let digits = _mm256_and_si256(_mm256_xor_si256(text, constants.pattern), mask);
    *wrong = _mm256_or_si256(*wrong, _mm256_subs_epu8(digits, constants.limit));
    fours(_mm256_shuffle_epi8(digits, constants.order))
}

/// Four lengths beyond the shortest, spread over the lanes of two levels; what is beyond the longest goes to `wrong`.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[inline]
fn spread(lengths: __m128i, constants: &Constants, wrong: &mut __m128i) -> [__m256i; 2] {
    // In halves of a word: the longest has nothing in the upper ones.
    *wrong = _mm_or_si128(*wrong, _mm_subs_epu16(lengths, constants.spreads));
    let lengths = _mm256_broadcastsi128_si256(lengths);
    [&FIRST_LENGTHS, &SECOND_LENGTHS].map(|places| {
        // SAFETY: the array is 32 bytes long.
        _mm256_shuffle_epi8(lengths, unsafe { _mm256_loadu_si256(places.as_ptr().cast()) })
    })
}

/// What of the bytes at `text` is not as expected.
///
/// # Safety
/// The processor has the features; whole pairs of blocks of the expected length can be read.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[inline]
unsafe fn unexpected<const BYTES: usize>(expected: &Expected<BYTES>, text: *const u8) -> __m256i {
    let mut wrong = _mm256_setzero_si256();
    let mut at = 0usize;
    // Of an empty one a block is compared in which everything is allowed.
    loop {
        for block in [at, at.wrapping_add(frame_template::BLOCK)] {
            // SAFETY: the arrays have whole pairs of blocks, `length` is within them, and the caller's promise.
            let (text, pattern, limit) = unsafe {
                (
                    _mm256_loadu_si256(text.add(block).cast()),
                    _mm256_loadu_si256(expected.pattern.as_ptr().add(block).cast()),
                    _mm256_loadu_si256(expected.limit.as_ptr().add(block).cast()),
                )
            };
            wrong = _mm256_or_si256(wrong, _mm256_subs_epu8(_mm256_sub_epi8(text, pattern), limit));
        }
        at = at.wrapping_add(2 * frame_template::BLOCK);
        if at >= expected.length {
            return wrong;
        }
    }
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

/// Event time and update id of a best bid/ask, which has no other numbers; a trade has no update id.
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
/// As [`side`].
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[inline]
unsafe fn one_level(
    base: *const u8,
    around: *const u32,
    lengths: __m256i,
    before: u64,
    constants: &Constants,
    wrong: &mut Wrong,
) -> __m256i {
    // SAFETY: the caller's promise: commas lie between start - 1 and end.
    unsafe {
        let (previous, middle, next) =
            (base.add(*around as usize), base.add(*around.add(1) as usize), base.add(*around.add(2) as usize));
        wrong.between_levels |= word::<u64>(previous.sub(2)) ^ before;
        wrong.between_numbers |= word::<u32>(middle.sub(1)) ^ BETWEEN_NUMBERS;
        convert((middle.sub(1), next.sub(2)), lengths, constants, &mut wrong.bytes)
    }
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
    let starts = four(&layouts.starts);
    let mut before = BEFORE_LEVELS;
    let mut index = 0usize;
    // SAFETY: entries up to two a level are commas of the frame, and two levels are written only if there are two.
    unsafe {
        while index.wrapping_add(2) <= count {
            let at = commas.add(index << 1);
            let (ends, begins) = (_mm_loadu_si128(at.cast()), _mm_loadu_si128(at.sub(1).cast()));
            let lengths = _mm_sub_epi32(_mm_sub_epi32(ends, begins), starts);
            let lengths = spread(lengths, &constants, &mut wrong.lengths);
            let first = one_level(base, at.sub(1), lengths[0], before, &constants, &mut wrong);
            let second = one_level(base, at.add(1), lengths[1], BETWEEN_LEVELS, &constants, &mut wrong);
            _mm256_storeu_si256(out.add(index).cast(), join(first, second));
            before = BETWEEN_LEVELS;
            index = index.wrapping_add(2);
        }
        if index < count {
            let at = commas.add(index << 1);
            // One by one: a wide load would wait for the narrow stores of commas that were just found.
            let (begin, middle, end) = (*at.sub(1), *at, *at.add(1));
            let price = middle.wrapping_sub(begin).wrapping_sub(layouts.starts[0]);
            let quantity = end.wrapping_sub(middle).wrapping_sub(layouts.starts[1]);
            let lengths = _mm_cvtsi64_si128((u64::from(price) | u64::from(quantity) << 32) as i64);
            let [lengths, _] = spread(lengths, &constants, &mut wrong.lengths);
            let last = one_level(base, at.sub(1), lengths, before, &constants, &mut wrong);
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
    // What `find_commas` wants of the letter.
    const { assert!(S::ASKS_NAME[2] > b']' && S::ASKS_NAME[2].is_ascii()) };
    let constants = Constants::new(layouts);
    let mut wrong = Wrong::none();
    // One entry lies before the first comma.
    let list = commas.as_mut_ptr().wrapping_add(1);
    // SAFETY: the caller's promises hold for the search.
    let (found, switch) = unsafe { find_commas(list, base, (start, end), S::ASKS_NAME[2])? };
    // SAFETY: `switch` is less than `found`; its comma lies between start and end; before both lies a header.
    unsafe {
        let between = *list.add(switch) as usize;
        wrong.literals |= (word::<u64>(base.add(between)) ^ const { padded_word(S::ASKS_NAME) }) << 16;
        if switch == 0 {
            // Nothing but the closing bracket may be before the comma.
            wrong.literals |= (between ^ start.wrapping_add(1)) as u64 | u64::from(*base.add(start) ^ b']');
        } else {
            wrong.literals |= u64::from(word::<u32>(base.add(between).sub(3)) ^ BIDS_END);
        }
        let behind = found.wrapping_sub(switch).wrapping_sub(1);
        if behind == 0 {
            wrong.literals |= (end ^ between.wrapping_add(7)) as u64 | u64::from(*base.add(between).add(6) ^ b']');
        } else {
            wrong.literals |= u64::from((word::<u32>(base.add(end).sub(3)) ^ ASKS_END) << 8);
        }
        let sides = [
            // The last level's end is where it would be between two levels.
            (Side::Bid, list, switch, (start as u32).wrapping_sub(1), (between as u32).wrapping_sub(1)),
            (
                Side::Ask,
                list.add(switch).add(1),
                behind,
                (between as u32).wrapping_add(5),
                (end as u32).wrapping_sub(1),
            ),
        ];
        for (which, list, commas, first, last) in sides {
            let (count, space) = (commas.div_ceil(2), levels.space(which));
            if commas != 0 {
                if commas % 2 == 0 || count > space.len() {
                    return None;
                }
                *list.sub(1) = first;
                *list.add(commas) = last;
                side(base, list, count, layouts, &constants, space.as_mut_ptr(), &mut wrong);
            }
            levels.set_count(which, count);
        }
        if !wrong.nothing() {
            return None;
        }
        if layouts.divides {
            for (which, commas) in [(Side::Bid, switch), (Side::Ask, behind)] {
                layouts.divide(&mut levels.space(which)[..commas.div_ceil(2)])?;
            }
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
    let commas = unsafe { equal(block_at(base.add(start)), b',') };
    // The shortest four numbers are longer than this, so what is read below lies in the padding at most.
    if commas.count_ones() < 3 || end < start.wrapping_add(25) {
        return None;
    }
    let rest = _blsr_u64(commas);
    // From the start, and the last as if a comma followed it.
    let ends = [_tzcnt_u64(commas), _tzcnt_u64(rest), _tzcnt_u64(_blsr_u64(rest)), (end - start) as u64];
    let [bid, bid_quantity, ask, ask_quantity] = ends.map(|end| end as i32);
    let commas = _mm_set_epi32(ask_quantity, ask, bid_quantity, bid);
    let lengths = _mm_sub_epi32(_mm_sub_epi32(commas, _mm_slli_si128::<4>(commas)), four(&layouts.best_starts));
    let (mut wrong, mut beyond) = (_mm256_setzero_si256(), _mm_setzero_si128());
    let lengths = spread(lengths, &constants, &mut beyond);
    let mut out = [Level { tick: Tick(0), lots: Lots(0) }; 2];
    // SAFETY: the header before is longer than a lane; the commas are less than 64 bytes behind start, which is 25
    // bytes before the end.
    let literals = unsafe {
        let [bid, bid_quantity, ask, ask_quantity] = ends.map(|end| base.add(start).add(end as usize).sub(1));
        let bids = convert((bid, bid_quantity), lengths[0], &constants, &mut wrong);
        let asks = convert((ask, ask_quantity), lengths[1], &constants, &mut wrong);
        _mm256_storeu_si256(out.as_mut_ptr().cast(), join(bids, asks));
        let names = const { best_names::<S>() };
        let between =
            (word::<u64>(bid) ^ names[0]) | (word::<u64>(bid_quantity) ^ names[1]) | (word::<u64>(ask) ^ names[2]);
        between << 8 | u64::from(*ask_quantity ^ b'"')
    };
    let wrong = _mm256_or_si256(wrong, _mm256_zextsi128_si256(beyond));
    (literals == 0 && _mm256_testz_si256(wrong, wrong) == 1).then_some(out)
}

/// Price and quantity of a trade between `start`, behind the first opening quote, and `end`, behind the last closing
/// quote. `None`: not of the known form.
///
/// # Safety
/// As [`scan`].
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[inline]
unsafe fn trade<S: Schema>(
    layouts: &InstrumentLayout,
    base: *const u8,
    (start, end): (usize, usize),
    has_net: bool,
) -> Option<Level> {
    let constants = Constants::new(layouts);
    // The shortest two numbers are longer than this, so what is read below lies in the padding at most.
    if end < start.wrapping_add(10) {
        return None;
    }
    // SAFETY: start is before the end, behind which lie 64 bytes.
    let commas = unsafe { equal(block_at(base.add(start)), b',') };
    // From the start, and the last as if a comma followed it.
    let (price_end, net_end) = (_tzcnt_u64(commas) as usize, end - start);
    let quantity_end = if has_net { _tzcnt_u64(_blsr_u64(commas)) as usize } else { net_end };
    let (price, quantity) = (price_end as i32, quantity_end as i32);
    // The price a second time, for the second quantity to stand in its lane.
    let (ends, begins) = (_mm_set_epi32(net_end as i32, price, quantity, price), _mm_set_epi32(quantity, 0, price, 0));
    let lengths = _mm_sub_epi32(_mm_sub_epi32(ends, begins), four(&layouts.trade_starts));
    // Without a second quantity what is said of it does not count.
    let lengths = if has_net { lengths } else { _mm_unpacklo_epi64(lengths, lengths) };
    let (mut wrong, mut beyond) = (_mm256_setzero_si256(), _mm_setzero_si128());
    let lanes = spread(lengths, &constants, &mut beyond);
    let mut out = [Level { tick: Tick(0), lots: Lots(0) }; 2];
    // SAFETY: the header before is longer than a lane; the commas are at most 64 bytes behind start, which is 10 bytes
    // before the end, behind which lie 64.
    let literals = unsafe {
        let quote = |end: usize| base.add(start).add(end).sub(1);
        let first = convert((quote(price_end), quote(quantity_end)), lanes[0], &constants, &mut wrong);
        _mm256_storeu_si256(out.as_mut_ptr().cast(), join(first, first));
        let name = (word::<u64>(quote(price_end)) ^ const { padded_word(S::TRADE_NAME) }) << 8;
        let mut literals = name | u64::from(*quote(net_end) ^ b'"');
        if has_net {
            convert((quote(price_end), quote(net_end)), lanes[1], &constants, &mut wrong);
            literals |= word::<u64>(quote(quantity_end)) ^ const { padded_word(S::NET_NAME) };
        }
        literals
    };
    let wrong = _mm256_or_si256(wrong, _mm256_zextsi128_si256(beyond));
    (literals == 0 && _mm256_testz_si256(wrong, wrong) == 1).then_some(out[0])
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
        match template.form.kind {
            FrameKind::Depth => {}
            FrameKind::Touch => {
                best_numbers(template, base, tail, found);
                let mut both = best::<S>(layouts, base, middle)?;
                layouts.divide(&mut both)?;
                levels.set_best(both);
                return Some(());
            }
            FrameKind::Trade => {
                best_numbers(template, base, tail, found);
                let mut level = trade::<S>(layouts, base, middle, template.form.has_net)?;
                layouts.divide(core::slice::from_mut(&mut level))?;
                levels.set_trade(level);
                return Some(());
            }
        }
        numbers(template, base, tail, found);
        sides::<S>(commas, layouts, base, middle, levels)
    }
}
