//! HOT: orders and cancels from prepared texts: everything constant is rendered once, an order fills in the gaps.
//!
//! A template is what the plain encoder writes with a mark in place of each value that changes, so the two cannot
//! differ in anything but the values. Request and signed text have the same gaps in the same order: both sort their
//! parameters by name.

use crate::crypto::credentials::SIGNATURE_BYTES_MAX;
use crate::crypto::hmac::{HmacPrefix, HmacStates, hex};

/// Stands for a value that changes. No symbol, key id or constant contains this control character.
pub(crate) const MARK: char = '\u{7f}';
/// The same as text.
pub(crate) const MARK_TEXT: &str = "\u{7f}";
/// Most gaps of a template: request id, five values, signature.
const GAPS_MAX: usize = 7;
/// The longest text that is signed.
const SIGNED_BYTES_MAX: usize = 1_024;

/// A constant text with gaps.
#[derive(Clone)]
struct Gapped {
    text: Box<[u8]>,
    /// Where each piece of the text ends; as many pieces as gaps, and one.
    ends: [u16; GAPS_MAX + 1],
    gaps: usize,
}

impl Gapped {
    /// Cuts a marked text at its marks; `None` if it has too many or is too long.
    fn new(marked: &[u8]) -> Option<Gapped> {
        let mut ends = [0; GAPS_MAX + 1];
        let (mut text, mut gaps) = (Vec::with_capacity(marked.len()), 0);
        for (place, piece) in marked.split(|&byte| byte == MARK as u8).enumerate() {
            text.extend_from_slice(piece);
            *ends.get_mut(place)? = u16::try_from(text.len()).ok()?;
            gaps = place;
        }
        Some(Gapped { text: text.into_boxed_slice(), ends, gaps })
    }

    /// The piece before gap `place`, or the last one.
    #[inline]
    fn piece(&self, place: usize) -> &[u8] {
        let begin = if place == 0 { 0 } else { self.ends[place - 1] };
        &self.text[usize::from(begin)..usize::from(self.ends[place])]
    }

    /// The piece before gap `first`, and then each value with the piece behind its gap.
    #[inline]
    fn fill(&self, out: &mut Cursor<'_>, first: usize, values: &[&[u8]]) {
        if first == 0 {
            out.put(self.piece(0));
        }
        for (offset, value) in values.iter().enumerate() {
            out.put(value);
            out.put(self.piece(first + offset + 1));
        }
    }
}

/// A place in a fixed buffer; what does not fit is noticed at the end.
struct Cursor<'a> {
    out: &'a mut [u8],
    at: usize,
    overflowed: bool,
}

impl<'a> Cursor<'a> {
    #[inline]
    fn new(out: &'a mut [u8]) -> Cursor<'a> {
        Cursor { out, at: 0, overflowed: false }
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        match self.out.get_mut(self.at..self.at + bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.at += bytes.len();
            }
            None => self.overflowed = true,
        }
    }

    #[inline]
    fn written(&self) -> Option<usize> {
        (!self.overflowed).then_some(self.at)
    }
}

/// How a request proves who asks.
pub(crate) enum Signer<'a> {
    /// The session is logged on.
    Session,
    /// HMAC-SHA256 from kept states.
    Hmac(&'a HmacStates),
    /// Anything else: writes the signature's text and gives its length.
    Other(&'a dyn Fn(&[u8], &mut [u8; SIGNATURE_BYTES_MAX]) -> usize),
}

/// One request, prepared.
pub(crate) struct Template {
    request: Gapped,
    /// The text that is signed, if each request is; and the HMAC state behind its constant beginning.
    signed: Option<(Gapped, Option<HmacPrefix>)>,
}

impl Template {
    /// From the marked request and, if it is signed, the marked text that is.
    pub(crate) fn new(request: &[u8], signed: Option<&[u8]>, states: Option<&HmacStates>) -> Option<Template> {
        let signed = match signed {
            None => None,
            Some(text) => {
                let text = Gapped::new(text)?;
                let prefix = states.map(|states| states.prefix(text.piece(0)));
                Some((text, prefix))
            }
        };
        let request = Gapped::new(request)?;
        let values = request.gaps.checked_sub(1 + usize::from(signed.is_some()))?;
        let alike = signed.as_ref().is_none_or(|(text, _)| text.gaps == values);
        alike.then_some(Template { request, signed })
    }

    /// Writes the request with these values into `out` and gives its length; `None` if it does not fit.
    #[inline]
    pub(crate) fn write(&self, id: &[u8], values: &[&[u8]], signer: &Signer<'_>, out: &mut [u8]) -> Option<usize> {
        let mut cursor = Cursor::new(out);
        self.request.fill(&mut cursor, 0, &[id]);
        self.request.fill(&mut cursor, 1, values);
        if let Some((text, prefix)) = &self.signed {
            let mut payload = [0u8; SIGNED_BYTES_MAX];
            let mut signed = Cursor::new(&mut payload);
            text.fill(&mut signed, 0, values);
            let length = signed.written()?;
            let last = 1 + values.len();
            match (signer, prefix) {
                (Signer::Hmac(states), Some(prefix)) => {
                    let code = hex(&states.code_behind(prefix, &payload[..length]));
                    self.request.fill(&mut cursor, last, &[&code]);
                }
                (Signer::Other(sign), _) => {
                    let mut signature = [0; SIGNATURE_BYTES_MAX];
                    let bytes = sign(&payload[..length], &mut signature);
                    self.request.fill(&mut cursor, last, &[&signature[..bytes]]);
                }
                _ => return None,
            }
        }
        cursor.written()
    }
}

/// A whole number as decimal text.
pub(crate) struct Decimal {
    digits: [u8; 20],
    start: usize,
}

impl Decimal {
    #[inline]
    pub(crate) fn new(mut value: u64) -> Decimal {
        let (mut digits, mut start) = ([0; 20], 20);
        loop {
            start -= 1;
            digits[start] = b'0' + (value % 10) as u8;
            value /= 10;
            if value == 0 {
                return Decimal { digits, start };
            }
        }
    }

    /// A letter and a whole number: a request's id.
    #[inline]
    pub(crate) fn with_letter(letter: u8, value: u64) -> Decimal {
        let mut decimal = Decimal::new(value);
        // An i64 has at most 19 digits, which leaves the first place.
        decimal.start = decimal.start.saturating_sub(1);
        decimal.digits[decimal.start] = letter;
        decimal
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.digits[self.start..]
    }
}
