//! HOT: frames in ordinary registers: the header against its template, eight characters of a number at once.

use spinbook_engine::types::{Level, Lots, Side, Tick};

use super::frame_template::{FrameKind, FrameTemplate, NumberField, Numbers};
use super::layout::{InstrumentLayout, LANE, NumberLayout, Words};
use super::{LevelScratch, Schema};
use crate::padding::FRAME_PADDING;

const ONES: u64 = 0x0101_0101_0101_0101;
const TOPS: u64 = 0x80 * ONES;

/// Masks of the last `n` bytes of a lane; lengths are at most [`LANE`], so a masked index is the same.
const LAST_BYTES: [[u64; 2]; 32] = {
    let mut masks = [[u64::MAX; 2]; 32];
    let mut length = 0;
    while length < LANE {
        masks[length] = match length {
            0 => [0, 0],
            1..=8 => [0, u64::MAX << (64 - 8 * length)],
            _ => [u64::MAX << (128 - 8 * length), u64::MAX],
        };
        length += 1;
    }
    masks
};

/// The bytes around a number: a lane before its first character, and more behind than a number has.
type Window = [u8; 80];

#[inline(always)]
fn word(window: &Window, at: usize) -> u64 {
    // No place is beyond 63; with the mask the compiler knows it.
    let at = at & 63;
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&window[at..at + 8]);
    u64::from_le_bytes(bytes)
}

/// How long the string is that begins a lane behind the window's start; at most [`LANE`].
#[cold]
#[inline(never)]
fn string_length(window: &Window) -> Option<usize> {
    for step in [0, 8] {
        let others = word(window, LANE + step) ^ (ONES * b'"' as u64);
        let quotes = others.wrapping_sub(ONES) & !others & TOPS;
        if quotes != 0 {
            return Some(step + quotes.trailing_zeros() as usize / 8);
        }
    }
    (window[2 * LANE] == b'"').then_some(LANE)
}

/// The number that eight digits (values, not characters) make, the first lowest.
#[inline(always)]
fn eight_digits(digits: u64) -> u64 {
    let pairs = digits.wrapping_mul(2561) >> 8;
    let fours = (pairs & 0x00ff_00ff_00ff_00ff).wrapping_mul(6_553_601) >> 16;
    (fours & 0x0000_ffff_0000_ffff).wrapping_mul(42_949_672_960_001) >> 32
}

/// Bits that are set if a byte is above nine.
#[inline(always)]
fn above_nine(bytes: u64) -> u64 {
    (bytes.wrapping_add(0x76 * ONES) | bytes) & TOPS
}

/// The number of `length` characters that begins a lane behind the window's start, in units.
#[inline(always)]
fn units(window: &Window, length: usize, layout: &NumberLayout) -> Option<i64> {
    let Words { pattern, fixed, behind, before, scale } = &layout.words;
    let masks = &LAST_BYTES[length % 32];
    let back = (word(window, LANE + length - 8) ^ pattern[1]) & masks[1];
    let mut wrong = above_nine(back) | (back & fixed[1]);
    let mut low = (back & behind[1]) | ((back & before[1]) << 8);
    let mut mantissa = 0;
    if length > 8 {
        let front = (word(window, length) ^ pattern[0]) & masks[0];
        wrong |= above_nine(front) | (front & fixed[0]);
        low |= (front & before[0]) >> 56;
        let high = (front & behind[0]) | ((front & before[0]) << 8);
        mantissa = eight_digits(high).wrapping_mul(100_000_000);
    }
    if wrong != 0 || length < layout.shortest as usize {
        return None;
    }
    scale.units_from_mantissa(mantissa.wrapping_add(eight_digits(low)))
}

#[inline(always)]
fn window(padded: &[u8], start: usize) -> Option<&Window> {
    padded.get(start.wrapping_sub(LANE)..)?.first_chunk()
}

/// Lengths of the last numbers: the next ones are probably as long.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Guess {
    price: usize,
    quantity: usize,
}

/// What lies at a number's place: its units, the index of its closing quote, and the eight bytes from there on.
type Read = (i64, usize, u64);

/// The number at `start`; it is probably `guess` characters long.
#[inline(always)]
fn number(padded: &[u8], start: usize, guess: &mut usize, layout: &NumberLayout) -> Option<Read> {
    let window = window(padded, start)?;
    let mut length = *guess % 32;
    if window[LANE + length] == b'"'
        && let Some(units) = units(window, length, layout)
    {
        return Some((units, start.wrapping_add(length), word(window, LANE + length)));
    }
    length = string_length(window)?;
    *guess = length;
    let units = searched_units(window, length, layout)?;
    Some((units, start.wrapping_add(length), word(window, LANE + length)))
}

#[cold]
#[inline(never)]
fn searched_units(window: &Window, length: usize, layout: &NumberLayout) -> Option<i64> {
    units(window, length, layout)
}

/// Whether `word` begins with these bytes.
#[inline(always)]
fn begins<const LENGTH: usize>(word: u64, expected: &[u8; LENGTH]) -> bool {
    let mut bytes = [0; 8];
    bytes[..LENGTH].copy_from_slice(expected);
    (word ^ u64::from_le_bytes(bytes)) << (64 - 8 * LENGTH) == 0
}

/// Whether these bytes stand at `at`.
#[inline(always)]
fn stands<const LENGTH: usize>(padded: &[u8], at: usize, expected: &[u8; LENGTH]) -> Option<()> {
    (padded.get(at..)?.first_chunk::<LENGTH>()? == expected).then_some(())
}

/// One side's levels from `start`, behind the opening bracket; gives the index behind the closing bracket.
#[inline(always)]
fn side(
    padded: &[u8],
    start: usize,
    layouts: &InstrumentLayout,
    guess: &mut Guess,
    side: Side,
    levels: &mut LevelScratch,
) -> Option<usize> {
    if stands(padded, start, b"]").is_some() {
        levels.set_count(side, 0);
        return Some(start + 1);
    }
    stands(padded, start, b"[\"")?;
    let mut at = start + 2;
    let last = guess;
    let mut guess = *last;
    for (index, slot) in levels.space(side).iter_mut().enumerate() {
        let (tick, price_end, between) = number(padded, at, &mut guess.price, &layouts.price)?;
        if !begins(between, b"\",\"") {
            return None;
        }
        let (lots, quantity_end, behind) =
            number(padded, price_end.wrapping_add(3), &mut guess.quantity, &layouts.quantity)?;
        *slot = Level { tick: Tick(tick), lots: Lots(lots) };
        if !begins(behind, b"\"],[\"") {
            if !begins(behind, b"\"]]") {
                return None;
            }
            levels.set_count(side, index + 1);
            *last = guess;
            return Some(quantity_end + 3);
        }
        at = quantity_end.wrapping_add(5);
    }
    None
}

/// The four numbers of a best bid/ask from `start`, behind the first opening quote, to `end`, behind the last closing
/// quote.
#[inline(always)]
fn best<S: Schema>(
    padded: &[u8],
    (start, end): (usize, usize),
    layouts: &InstrumentLayout,
    guess: &mut Guess,
) -> Option<[Level; 2]> {
    let (bid, at, name) = number(padded, start, &mut guess.price, &layouts.price)?;
    if !begins(name, &S::BEST_NAMES[0]) {
        return None;
    }
    let (bid_lots, at, name) = number(padded, at + 7, &mut guess.quantity, &layouts.quantity)?;
    if !begins(name, &S::BEST_NAMES[1]) {
        return None;
    }
    let (ask, at, name) = number(padded, at + 7, &mut guess.price, &layouts.price)?;
    if !begins(name, &S::BEST_NAMES[2]) {
        return None;
    }
    let (ask_lots, at, _) = number(padded, at + 7, &mut guess.quantity, &layouts.quantity)?;
    let bid = Level { tick: Tick(bid), lots: Lots(bid_lots) };
    (at + 1 == end).then_some([bid, Level { tick: Tick(ask), lots: Lots(ask_lots) }])
}

/// Price and quantity of a trade, from `start` to `end` as for [`best`].
#[inline(always)]
fn trade<S: Schema>(
    padded: &[u8],
    (start, end): (usize, usize),
    layouts: &InstrumentLayout,
    guess: &mut Guess,
    has_net: bool,
) -> Option<Level> {
    let (price, at, name) = number(padded, start, &mut guess.price, &layouts.price)?;
    if !begins(name, &S::TRADE_NAME) {
        return None;
    }
    let (quantity, mut at, name) = number(padded, at + 7, &mut guess.quantity, &layouts.quantity)?;
    if has_net {
        if !begins(name, &S::NET_NAME) {
            return None;
        }
        (_, at, _) = number(padded, at + 8, &mut guess.quantity, &layouts.quantity)?;
    }
    (at + 1 == end).then_some(Level { tick: Tick(price), lots: Lots(quantity) })
}

/// The whole number at a place of a frame that fits the template.
#[inline(always)]
fn integer(padded: &[u8], place: &NumberField, tail_start: usize) -> Option<u64> {
    let end = place.end + if place.in_tail { tail_start } else { 0 };
    let lane = padded.get(end.wrapping_sub(LANE)..)?.first_chunk::<LANE>()?;
    let half = |bytes: &[u8; LANE], at: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[at..at + 8]);
        u64::from_le_bytes(word)
    };
    let digits = |at: usize| eight_digits((half(lane, at) ^ (ONES * b'0' as u64)) & half(&place.mask, at));
    Some(digits(0).wrapping_mul(100_000_000).wrapping_add(digits(8)))
}

/// Reads `padded[..length]`, if it fits the template and its numbers the layouts. `None`: another way must find out
/// (levels and numbers are then undefined, but not applied).
pub(crate) fn scan<S: Schema>(
    template: &FrameTemplate,
    layouts: &InstrumentLayout,
    padded: &[u8],
    length: usize,
    guess: &mut Guess,
    numbers: &mut Numbers,
    levels: &mut LevelScratch,
) -> Option<()> {
    let tail_start = length.checked_sub(template.tail.length)?;
    let start = template.head.length;
    if start > tail_start || padded.len() < length + FRAME_PADDING {
        return None;
    }
    if !template.head.fits(padded, 0) || !template.tail.fits(padded, tail_start) {
        return None;
    }
    let [time, first, last, previous] = &template.numbers;
    let read = |place| integer(padded, place, tail_start);
    let (event_time_ms, last) = (read(time)?, read(last)?);
    // A best bid/ask has no other numbers, a trade not even an update id.
    match template.form.kind {
        FrameKind::Depth => {}
        FrameKind::Touch => {
            (numbers.event_time_ms, numbers.last) = (event_time_ms, last);
            levels.set_best(best::<S>(padded, (start, tail_start), layouts, guess)?);
            return Some(());
        }
        FrameKind::Trade => {
            numbers.event_time_ms = event_time_ms;
            levels.set_trade(trade::<S>(padded, (start, tail_start), layouts, guess, template.form.has_net)?);
            return Some(());
        }
    }
    *numbers = Numbers { event_time_ms, first: read(first)?, last, previous: read(previous)? };
    let bids_end = side(padded, start, layouts, guess, Side::Bid, levels)?;
    stands(padded, bids_end, &S::ASKS_NAME)?;
    let asks_end = side(padded, bids_end + 6, layouts, guess, Side::Ask, levels)?;
    (asks_end == tail_start).then_some(())
}
