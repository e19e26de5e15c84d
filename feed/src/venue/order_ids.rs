//! HOT: names of orders as inline text: ours, in the form that a venue accepts, and the venue's own.

use core::fmt;
use core::hash::{Hash, Hasher};

use spinbook_engine::types::OrderId;

/// Longest client order id of ours, in bytes: what the strictest of the venues with 36 allows.
pub const CLIENT_ORDER_ID_MAX: usize = 36;
/// What every client order id of ours starts with.
pub const CLIENT_ORDER_ID_PREFIX: &str = "sb";
/// Longest order id of a venue, in bytes: a UUID with its dashes has 36.
pub const VENUE_ORDER_ID_MAX: usize = 40;
/// Base-36 digits that hold any `u32`.
const DIGITS_32_BIT: usize = 7;

/// The name that an order of ours carries at the venue, written by a [`ClientIdFormat`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ClientOrderId {
    length: u8,
    bytes: [u8; CLIENT_ORDER_ID_MAX],
}

impl ClientOrderId {
    /// A name as it was written once; `None` if it is empty, too long, or not printable ASCII.
    #[must_use]
    pub fn from_text(text: &str) -> Option<ClientOrderId> {
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.is_empty() || text.len() > CLIENT_ORDER_ID_MAX || !plain {
            return None;
        }
        let mut bytes = [0; CLIENT_ORDER_ID_MAX];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Some(ClientOrderId { length: text.len() as u8, bytes })
    }

    /// As text.
    ///
    /// # Panics
    /// Never: only ASCII is written into a name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).expect("only ASCII was written")
    }

    /// As bytes, all of them ASCII.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl fmt::Debug for ClientOrderId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// How client order ids are spelled. Each form names exactly one [`OrderId`]; any other text is not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientIdFormat {
    /// `sb`, the run's epoch in base 36, `-`, the counter in decimal: at most 20 characters.
    Dashed,
    /// `sb`, epoch and counter in 7 base-36 digits each: always 16 letters and digits, nothing else.
    Alphanumeric,
}

const _: () = assert!(CLIENT_ORDER_ID_PREFIX.len() + DIGITS_32_BIT + 1 + 10 <= CLIENT_ORDER_ID_MAX);
const _: () = assert!(CLIENT_ORDER_ID_PREFIX.len() + 2 * DIGITS_32_BIT <= CLIENT_ORDER_ID_MAX);

impl ClientIdFormat {
    /// The name of an order.
    #[must_use]
    pub fn write(self, order: OrderId) -> ClientOrderId {
        let mut reversed = [0u8; CLIENT_ORDER_ID_MAX];
        let mut count = 0;
        let mut push = |byte: u8| {
            reversed[count] = byte;
            count += 1;
        };
        match self {
            ClientIdFormat::Dashed => {
                push_digits(order.counter(), 10, 1, &mut push);
                push(b'-');
                push_digits(order.epoch(), 36, 1, &mut push);
            }
            ClientIdFormat::Alphanumeric => {
                push_digits(order.counter(), 36, DIGITS_32_BIT, &mut push);
                push_digits(order.epoch(), 36, DIGITS_32_BIT, &mut push);
            }
        }
        for &byte in CLIENT_ORDER_ID_PREFIX.as_bytes().iter().rev() {
            push(byte);
        }
        let mut bytes = [0u8; CLIENT_ORDER_ID_MAX];
        for index in 0..count {
            bytes[index] = reversed[count - 1 - index];
        }
        ClientOrderId { length: count as u8, bytes }
    }

    /// Which order a name belongs to; `None` if it is not one of ours.
    #[must_use]
    pub fn read(self, text: &str) -> Option<OrderId> {
        let rest = text.strip_prefix(CLIENT_ORDER_ID_PREFIX)?;
        let (epoch, counter) = match self {
            ClientIdFormat::Dashed => {
                let (epoch, counter) = rest.split_once('-')?;
                (read_digits(epoch, 36)?, read_digits(counter, 10)?)
            }
            ClientIdFormat::Alphanumeric => {
                let (epoch, counter) = rest.split_at_checked(DIGITS_32_BIT)?;
                (read_digits(epoch, 36)?, read_digits(counter, 36)?)
            }
        };
        let order = OrderId::new(epoch, counter);
        // Exactly one spelling is ours: no other zeros in front, no capitals, no zero id.
        (order != OrderId::NONE && self.write(order).as_str() == text).then_some(order)
    }
}

/// The digits of `value` from the last to the first, `count_min` at least.
fn push_digits(value: u32, radix: u32, count_min: usize, push: &mut impl FnMut(u8)) {
    let mut rest = value;
    let mut count = 0;
    while rest != 0 || count < count_min {
        let digit = char::from_digit(rest % radix, radix).expect("a remainder is a digit");
        push(digit as u8);
        rest /= radix;
        count += 1;
    }
}

fn read_digits(text: &str, radix: u32) -> Option<u32> {
    text.chars().try_fold(0u32, |value, character| value.checked_mul(radix)?.checked_add(character.to_digit(radix)?))
}

/// The venue's own id of an order: a number or any other text, at most [`VENUE_ORDER_ID_MAX`] bytes of printable ASCII.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VenueOrderId {
    length: u8,
    bytes: [u8; VENUE_ORDER_ID_MAX],
}

impl VenueOrderId {
    /// Not known.
    pub const NONE: VenueOrderId = VenueOrderId { length: 0, bytes: [0; VENUE_ORDER_ID_MAX] };

    /// An id that the venue wrote as text; `None` if it is empty, too long, or holds what could end a JSON text or a
    /// parameter of a query.
    #[must_use]
    pub fn new(text: &str) -> Option<VenueOrderId> {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
        if text.is_empty() || text.len() > VENUE_ORDER_ID_MAX || !text.as_bytes().iter().all(plain) {
            return None;
        }
        let mut bytes = [0; VENUE_ORDER_ID_MAX];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Some(VenueOrderId { length: text.len() as u8, bytes })
    }

    /// An id that the venue wrote as a number.
    #[must_use]
    pub fn from_number(number: u64) -> VenueOrderId {
        let mut id = VenueOrderId::NONE;
        let (mut rest, mut count) = (number, 0);
        while rest != 0 || count == 0 {
            id.bytes[count] = b'0' + (rest % 10) as u8;
            rest /= 10;
            count += 1;
        }
        id.bytes[..count].reverse();
        id.length = count as u8;
        id
    }

    /// Whether the venue has not told it.
    #[inline]
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.length == 0
    }

    /// As text; empty if not known.
    ///
    /// # Panics
    /// Never: only ASCII is taken.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).expect("only ASCII was taken")
    }

    /// As bytes, all of them ASCII.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl Default for VenueOrderId {
    fn default() -> VenueOrderId {
        VenueOrderId::NONE
    }
}

impl Hash for VenueOrderId {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The bytes behind the text are zero: the text alone tells two ids apart.
        state.write(self.as_bytes());
    }
}

impl fmt::Debug for VenueOrderId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl fmt::Display for VenueOrderId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_order_ids_are_read_back() {
        let orders = [(1, 1), (0, 1), (1, 0), (u32::MAX, u32::MAX), (36, 10), (1_763_619_000, 42)];
        for (epoch, counter) in orders {
            let order = OrderId::new(epoch, counter);
            for format in [ClientIdFormat::Dashed, ClientIdFormat::Alphanumeric] {
                let name = format.write(order);
                assert_eq!(format.read(name.as_str()), Some(order));
                assert!(name.as_str().len() <= CLIENT_ORDER_ID_MAX);
            }
            let dashed = ClientIdFormat::Dashed.write(order);
            assert!(dashed.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
            let plain = ClientIdFormat::Alphanumeric.write(order);
            assert!(plain.as_str().len() == 16 && plain.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric()));
        }
        let largest = OrderId::new(u32::MAX, u32::MAX);
        assert_eq!(ClientIdFormat::Dashed.write(largest).as_str(), "sb1z141z3-4294967295");
        assert_eq!(ClientIdFormat::Dashed.write(OrderId::new(36, 7)).as_str(), "sb10-7");
        assert_eq!(ClientIdFormat::Alphanumeric.write(largest).as_str(), "sb1z141z31z141z3");
        assert_eq!(ClientIdFormat::Alphanumeric.write(OrderId::new(36, 7)).as_str(), "sb00000100000007");
    }

    #[test]
    fn other_peoples_ids_are_not_ours() {
        for text in [
            "",
            "sb",
            "sb-",
            "sb1",
            "sb1-",
            "sb-1",
            "sb0-0",
            "sb01-1",
            "sb1-01",
            "sB1-1",
            "sbA-1",
            "sb1-1 ",
            "sb1-1-1",
            "sb1z141z4-1",
            "sb1-4294967296",
            "web_1234",
            "autoclose-17",
            "adl_autoclose",
            "x-sb1-1",
            "sb1-１",
            "sb0000010000007",
            "sb000001000000007",
            "sb00000000000000",
            "sb0000010000000A",
            "sb1z141z40000001",
            "sb000001000000１",
        ] {
            assert_eq!(ClientIdFormat::Dashed.read(text), None, "{text}");
            assert_eq!(ClientIdFormat::Alphanumeric.read(text), None, "{text}");
        }
        let (dashed, plain) = ("sb10-7", "sb00000100000007");
        assert_eq!(ClientIdFormat::Alphanumeric.read(dashed), None, "each form reads its own");
        assert_eq!(ClientIdFormat::Dashed.read(plain), None, "each form reads its own");
    }

    #[test]
    fn a_venues_id_is_its_text() {
        for number in [0, 7, 10, 8_389_765_000, i64::MAX.unsigned_abs(), u64::MAX] {
            let id = VenueOrderId::from_number(number);
            assert_eq!(id.as_str(), number.to_string());
            assert_eq!(VenueOrderId::new(&number.to_string()), Some(id));
        }
        let uuid = "8065c5b2-1cf4-4e3b-9a0e-0d6c2f3b7a11";
        assert_eq!(VenueOrderId::new(uuid).unwrap().as_str(), uuid);
        assert!(VenueOrderId::NONE.is_none() && VenueOrderId::NONE.as_str().is_empty());
        let long = "1".repeat(VENUE_ORDER_ID_MAX);
        assert!(VenueOrderId::new(&long).is_some());
        for text in ["", "a b", "a\"b", "a&b", "a=b", "a\\b", "é", &format!("{long}1")] {
            assert_eq!(VenueOrderId::new(text), None, "{text}");
        }
    }
}
