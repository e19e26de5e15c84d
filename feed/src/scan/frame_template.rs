//! HOT: headers and tails learned from frames that the cursor has verified, to be compared in wide steps.
//!
//! All bytes of a header but the digits of its numbers repeat from frame to frame of one stream. A template
//! holds them, and for each digit what it may be; a frame that fits has the same literals at the same places
//! and digits, without a leading zero, at the places of the digits. Every frame that fits, the cursor would accept too.

use spinbook_engine::prefetch::prefetch;
use spinbook_engine::types::Side;

use super::Schema;
use super::layout::LANE;

/// Bytes compared in one step; AVX2 takes two at once.
pub(crate) const BLOCK: usize = 32;
/// Longest header that is learned.
const HEAD_MAX: usize = 8 * BLOCK;
/// Longest tail that is learned.
const TAIL_MAX: usize = 4 * BLOCK;
/// Numbers that a message is made of: event time, first, last and previous update.
pub(crate) const NUMBERS: usize = 4;

/// What bytes are expected.
#[derive(Clone, Debug)]
pub(crate) struct Expected<const BYTES: usize> {
    /// The literal byte; `'0'`, or `'1'` for a first digit, where a digit stands.
    pub(crate) pattern: [u8; BYTES],
    /// Largest difference from the pattern; 255 behind the end.
    pub(crate) limit: [u8; BYTES],
    /// Bytes that count.
    pub(crate) length: usize,
}

/// Where a number ends, and which bytes of the lane that ends there are its digits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NumberField {
    pub(crate) end: usize,
    pub(crate) in_tail: bool,
    pub(crate) mask: [u8; LANE],
}

impl NumberField {
    /// No number: reads as zero.
    const NOWHERE: NumberField = NumberField { end: LANE, in_tail: false, mask: [0; LANE] };
}

/// What a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameKind {
    /// Changed levels.
    Depth,
    /// Best bid and ask.
    Touch,
    /// A trade.
    Trade,
}

/// What a frame says and, of a trade, how it is printed.
///
/// Two fields and not one in the other: every frame asks for its kind, which is then a byte of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameForm {
    pub(crate) kind: FrameKind,
    /// Of a trade alone, as all that follows.
    pub(crate) aggressor: Side,
    /// Whether a second quantity follows the first.
    pub(crate) has_net: bool,
    /// Bytes from the last four of the word that names the aggressor's side to the frame's end.
    pub(crate) side_word: usize,
}

/// Last byte but three of the words that name the aggressor's side: of `true` alone it is this.
const SOLD: u8 = b't';

impl FrameForm {
    pub(crate) const DEPTH: FrameForm = FrameForm::of(FrameKind::Depth);
    pub(crate) const TOUCH: FrameForm = FrameForm::of(FrameKind::Touch);

    const fn of(kind: FrameKind) -> FrameForm {
        FrameForm { kind, aggressor: Side::Bid, has_net: false, side_word: 0 }
    }

    /// The place among a symbol's templates.
    fn place(&self) -> usize {
        match self.kind {
            FrameKind::Depth => 0,
            FrameKind::Touch => 1,
            FrameKind::Trade => 2 + usize::from(self.aggressor == Side::Ask),
        }
    }
}

/// One stream's frames; a stream of trades has a template for each aggressor's side.
#[derive(Clone, Debug)]
pub(crate) struct FrameTemplate {
    pub(crate) head: Expected<HEAD_MAX>,
    pub(crate) tail: Expected<TAIL_MAX>,
    /// Event time, first, last and previous update id, in this order; a best bid/ask has its id as last.
    pub(crate) numbers: [NumberField; NUMBERS],
    pub(crate) symbol: usize,
    pub(crate) form: FrameForm,
}

/// Numbers of a frame as its template found them, in the order of the places.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Numbers {
    pub(crate) event_time_ms: u64,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) previous: u64,
}

impl<const BYTES: usize> Expected<BYTES> {
    const EMPTY: Expected<BYTES> = Expected { pattern: [0; BYTES], limit: [255; BYTES], length: 0 };

    /// Steps of [`BLOCK`] bytes that cover it.
    #[inline(always)]
    pub(crate) fn blocks(&self) -> usize {
        self.length.div_ceil(BLOCK)
    }

    /// Learns `text` and hands every number to `number`: its name, index and length.
    fn learn(&mut self, text: &[u8], mut number: impl FnMut(&[u8], usize, usize) -> Option<()>) -> Option<()> {
        if text.len() > BYTES {
            return None;
        }
        *self = Expected::EMPTY;
        self.length = text.len();
        let (mut in_string, mut string_start, mut name) = (false, 0, 0..0);
        let mut at = 0;
        while at < text.len() {
            (self.pattern[at], self.limit[at]) = (text[at], 0);
            if text[at] == b'"' {
                if in_string {
                    name = string_start..at;
                }
                string_start = at + 1;
                in_string = !in_string;
            }
            if in_string || !text[at].is_ascii_digit() {
                at += 1;
                continue;
            }
            let length = text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            for index in at..at + length {
                // A number of several digits does not begin with a zero.
                let first = index == at && length > 1;
                (self.pattern[index], self.limit[index]) = if first { (b'1', 8) } else { (b'0', 9) };
            }
            number(&text[name.clone()], at, length)?;
            at += length;
        }
        Some(())
    }

    /// Whether the bytes from `at` on are as expected.
    #[inline(always)]
    pub(crate) fn fits(&self, padded: &[u8], at: usize) -> bool {
        let bytes = self.blocks() * BLOCK;
        let (Some(text), Some(pattern), Some(limit)) =
            (padded.get(at..at + bytes), self.pattern.get(..bytes), self.limit.get(..bytes))
        else {
            return false;
        };
        let mut wrong = [0u8; BLOCK];
        // Whole arrays, so that the compiler knows their length and takes wide steps.
        let (text, pattern, limit) = (text.as_chunks::<BLOCK>().0, pattern.as_chunks::<BLOCK>().0, limit.as_chunks().0);
        for ((text, pattern), limit) in text.iter().zip(pattern).zip(limit) {
            let limit: &[u8; BLOCK] = limit;
            for index in 0..BLOCK {
                wrong[index] |= text[index].wrapping_sub(pattern[index]).saturating_sub(limit[index]);
            }
        }
        wrong == [0; BLOCK]
    }
}

impl FrameTemplate {
    fn empty() -> FrameTemplate {
        FrameTemplate {
            head: Expected::EMPTY,
            tail: Expected::EMPTY,
            numbers: [NumberField::NOWHERE; NUMBERS],
            symbol: 0,
            form: FrameForm::DEPTH,
        }
    }

    /// Learns a verified frame's `head` and `tail`; `None`: it is not of a kind that can be learned.
    fn learn<S: Schema>(&mut self, head: &[u8], tail: &[u8]) -> Option<()> {
        self.numbers = [NumberField::NOWHERE; NUMBERS];
        let numbers = &mut self.numbers;
        for (text, in_tail) in [(head, false), (tail, true)] {
            let number = |name: &[u8], at: usize, length: usize| {
                // Others are verified and skipped: no one uses them.
                let Some(slot) = S::NUMBER_NAMES.iter().position(|known| *known == name) else { return Some(()) };
                let end = at + length;
                if length > LANE || (!in_tail && end < LANE) {
                    return None;
                }
                let mut mask = [0; LANE];
                mask[LANE - length..].fill(0xff);
                numbers[slot] = NumberField { end, in_tail, mask };
                Some(())
            };
            match in_tail {
                false => self.head.learn(text, number)?,
                true => self.tail.learn(text, number)?,
            }
        }
        Some(())
    }
}

/// Templates of a symbol.
const KINDS: usize = 4;
/// Slots for a symbol: so many that a few multipliers are enough to find one that keeps hundreds of streams apart.
const SLOTS: usize = 256;
/// Multipliers that are tried before streams that share a slot are left so.
const MULTIPLIERS: u64 = 64;
/// The first multiplier, and the step to the next: odd ones follow odd ones.
const MULTIPLIER: u64 = 0xbf58_476d_1ce4_e5b9;
const MULTIPLIER_STEP: u64 = 0x9e37_79b9_7f4a_7c16;
/// No frame was learned yet: frames begin otherwise.
const NO_STREAM: u64 = 0;

/// FrameTemplates of a connection's streams, found by the first bytes of a frame.
#[derive(Debug)]
pub(crate) struct FrameTemplates {
    /// Index plus one; zero is empty. No two streams share one, if [`FrameTemplates::keep_apart`] found a way.
    slots: Box<[u16]>,
    multiplier: u64,
    /// [`KINDS`] for each symbol, by [`FrameForm::place`].
    templates: Box<[FrameTemplate]>,
    /// Of each template, what its frames begin with, mixed.
    streams: Box<[u64]>,
}

impl FrameTemplates {
    /// Space for the streams of `symbols` symbols (set-up).
    pub(crate) fn new(symbols: usize) -> FrameTemplates {
        FrameTemplates {
            slots: vec![0; (symbols * SLOTS).next_power_of_two().max(SLOTS)].into_boxed_slice(),
            multiplier: MULTIPLIER,
            templates: vec![FrameTemplate::empty(); symbols * KINDS].into_boxed_slice(),
            streams: vec![NO_STREAM; symbols * KINDS].into_boxed_slice(),
        }
    }

    /// What a frame begins with, mixed: of a wrapped one the stream's name.
    #[inline(always)]
    fn stream<S: Schema>(padded: &[u8]) -> Option<u64> {
        let bytes = padded.first_chunk::<40>()?;
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(word)
        };
        if word(0) != u64::from_le_bytes(S::WRAPPED) {
            return Some(word(0));
        }
        let front = word(11).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let back = word(19) ^ word(27).rotate_left(17);
        Some(front.rotate_left(29) ^ back)
    }

    #[inline(always)]
    fn slot(&self, stream: u64) -> usize {
        (stream.wrapping_mul(self.multiplier) >> 40) as usize & (self.slots.len() - 1)
    }

    /// The template that the frame `padded[..length]` probably fits.
    #[inline(always)]
    pub(crate) fn guess<S: Schema>(&self, padded: &[u8], length: usize) -> Option<&FrameTemplate> {
        let index = usize::from(*self.slots.get(self.slot(Self::stream::<S>(padded)?))?);
        let template = self.templates.get(index.wrapping_sub(1))?;
        if template.form.kind == FrameKind::Trade {
            return self.of_side(template, padded, length);
        }
        Some(template)
    }

    /// The template of the side that a trade's frame names where `template`'s frames name theirs.
    #[inline(never)]
    fn of_side(&self, template: &FrameTemplate, padded: &[u8], length: usize) -> Option<&FrameTemplate> {
        let sold = *padded.get(length.wrapping_sub(template.form.side_word))? == SOLD;
        let template = self.templates.get(template.symbol * KINDS + 2 + usize::from(sold))?;
        // One that was not learned yet has no header.
        (template.head.length > 0).then_some(template)
    }

    /// Asks for the templates of a symbol's books.
    pub(crate) fn warm(&self, symbol: usize) {
        prefetch(&*self.slots);
        if let Some(templates) = self.templates.get(symbol * KINDS..symbol * KINDS + 2) {
            prefetch(templates);
        }
    }

    /// Learns from a verified frame of which `head` and `tail` repeat.
    #[cold]
    #[inline(never)]
    pub(crate) fn learn<S: Schema>(&mut self, padded: &[u8], head: &[u8], tail: &[u8], symbol: usize, form: FrameForm) {
        let Some(stream) = Self::stream::<S>(padded) else { return };
        let index = symbol * KINDS + form.place();
        let (Some(template), Some(known)) = (self.templates.get_mut(index), self.streams.get_mut(index)) else {
            return;
        };
        (template.symbol, template.form) = (symbol, form);
        if template.learn::<S>(head, tail).is_none() {
            // Half a template must not be found.
            template.head.length = 0;
            *known = NO_STREAM;
            self.slots.iter_mut().filter(|slot| usize::from(**slot) == index + 1).for_each(|slot| *slot = 0);
            return;
        }
        let is_new = core::mem::replace(known, stream) != stream;
        let slot = self.slot(stream);
        let other = usize::from(self.slots[slot]).checked_sub(1);
        let is_shared = other.is_some_and(|other| self.streams[other] != stream);
        self.slots[slot] = index as u16 + 1;
        // What could not be kept apart before is not tried again for each of its frames.
        if is_new && is_shared {
            self.keep_apart();
        }
    }

    /// Looks for a multiplier that gives each stream a slot of its own, and takes the one by which the fewest share.
    fn keep_apart(&mut self) {
        let mut best = (usize::MAX, self.multiplier);
        for _ in 0..MULTIPLIERS {
            self.multiplier = self.multiplier.wrapping_add(MULTIPLIER_STEP);
            best = best.min((self.place_all(), self.multiplier));
            if best.0 == 0 {
                return;
            }
        }
        self.multiplier = best.1;
        self.place_all();
    }

    /// Puts every stream into its slot. How many found another stream there.
    fn place_all(&mut self) -> usize {
        self.slots.fill(0);
        let mut shared = 0;
        for index in 0..self.streams.len() {
            let stream = self.streams[index];
            if stream == NO_STREAM {
                continue;
            }
            let slot = self.slot(stream);
            let other = usize::from(self.slots[slot]).checked_sub(1);
            shared += usize::from(other.is_some_and(|other| self.streams[other] != stream));
            self.slots[slot] = index as u16 + 1;
        }
        shared
    }
}
