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
///
/// A run's 64 random bits stand between its number and the order's, 13 base-36 digits, so that two runs that drew the
/// same number never make the same name. Names of runs that have none are spelled without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientIdFormat {
    /// `sb`, the run's epoch in base 36, `-`, its random bits, `-`, the counter in decimal: at most 34 characters.
    Dashed,
    /// `sb`, epoch, random bits and counter in 7, 13 and 7 base-36 digits: always 29 letters and digits, nothing else.
    Alphanumeric,
}

/// The number of no run: stands for a run that bears the number of ours and is not ours.
pub const OTHER_RUN: u32 = u32::MAX;
/// Base-36 digits that hold any `u64`.
const SALT_DIGITS: usize = 13;

const _: () = assert!(CLIENT_ORDER_ID_PREFIX.len() + DIGITS_32_BIT + SALT_DIGITS + 2 + 10 <= CLIENT_ORDER_ID_MAX);
const _: () = assert!(CLIENT_ORDER_ID_PREFIX.len() + 2 * DIGITS_32_BIT + SALT_DIGITS <= CLIENT_ORDER_ID_MAX);

impl ClientIdFormat {
    /// The name of an order of a run without random bits.
    #[must_use]
    pub fn write(self, order: OrderId) -> ClientOrderId {
        self.write_salted(order, &[])
    }

    /// The name of an order of a run whose random bits are these digits; none where there are none.
    fn write_salted(self, order: OrderId, salt: &[u8]) -> ClientOrderId {
        let mut reversed = [0u8; CLIENT_ORDER_ID_MAX];
        let mut count = 0;
        let mut push = |byte: u8| {
            reversed[count] = byte;
            count += 1;
        };
        match self {
            ClientIdFormat::Dashed => {
                push_digits(order.counter().into(), 10, 1, &mut push);
                push(b'-');
                if !salt.is_empty() {
                    salt.iter().rev().for_each(|digit| push(*digit)); // bounded: SALT_DIGITS into a fixed array
                    push(b'-');
                }
                push_digits(order.epoch().into(), 36, 1, &mut push);
            }
            ClientIdFormat::Alphanumeric => {
                push_digits(order.counter().into(), 36, DIGITS_32_BIT, &mut push);
                salt.iter().rev().for_each(|digit| push(*digit)); // bounded: SALT_DIGITS into a fixed array
                push_digits(order.epoch().into(), 36, DIGITS_32_BIT, &mut push);
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

    /// Which order a name belongs to, whatever its run's random bits; `None` if it is not one of ours.
    #[must_use]
    pub fn read(self, text: &str) -> Option<OrderId> {
        self.read_salted(text).map(|(order, _)| order)
    }

    /// The same with the run's random bits, zero where it has none.
    fn read_salted(self, text: &str) -> Option<(OrderId, u64)> {
        let rest = text.strip_prefix(CLIENT_ORDER_ID_PREFIX)?;
        let (epoch, salt, counter) = match self {
            ClientIdFormat::Dashed => {
                let (epoch, rest) = rest.split_once('-')?;
                let (salt, counter) = rest.split_once('-').unwrap_or(("", rest));
                (read_digits(epoch, 36)?, salt, read_digits(counter, 10)?)
            }
            ClientIdFormat::Alphanumeric => {
                let (epoch, rest) = rest.split_at_checked(DIGITS_32_BIT)?;
                let (salt, counter) = rest.split_at_checked(rest.len().checked_sub(DIGITS_32_BIT)?)?;
                (read_digits(epoch, 36)?, salt, read_digits(counter, 36)?)
            }
        };
        let order = OrderId::new(u32::try_from(epoch).ok()?, u32::try_from(counter).ok()?);
        let bits = read_digits(salt, 36)?;
        let digits = salt_digits(bits);
        let salted = if bits == 0 { &[][..] } else { &digits[..] };
        // Exactly one spelling is ours: no other zeros in front, no capitals, no zero id.
        let exact = order != OrderId::NONE && self.write_salted(order, salted).as_str() == text;
        exact.then_some((order, bits))
    }

    /// Which order a name belongs to; `None` if it is not one of ours. One that bears the number of one of these runs and
    /// none of their random bits is of run [`OTHER_RUN`].
    #[must_use]
    pub fn read_of(self, runs: &[RunName], text: &str) -> Option<OrderId> {
        let (order, salt) = self.read_salted(text)?;
        let mut of_number = runs.iter().filter(|name| name.run == order.epoch()).peekable();
        let is_other = of_number.peek().is_some() && of_number.all(|name| name.salt != salt);
        Some(if is_other { OrderId::new(OTHER_RUN, order.counter()) } else { order })
    }
}

/// 64 random bits as base-36 digits.
fn salt_digits(salt: u64) -> [u8; SALT_DIGITS] {
    let mut digits = [0; SALT_DIGITS];
    let mut at = SALT_DIGITS;
    push_digits(salt, 36, SALT_DIGITS, &mut |digit| {
        at -= 1;
        digits[at] = digit;
    });
    digits
}

/// What tells a run from every other: its number, and its 64 random bits, zero if it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunName {
    /// The number, in every order's id.
    pub run: u32,
    /// The random bits, in every order's name.
    pub salt: u64,
}

/// Earlier runs whose orders one run may go on with.
pub const EARLIER_RUNS_MAX: usize = 7;

/// How the names of one run's orders are spelled and read back, and of those that it took over from earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientIds {
    format: ClientIdFormat,
    /// Zero: of no run.
    run: u32,
    salt: u64,
    digits: [u8; SALT_DIGITS],
    /// This run, and the earlier ones whose orders it took over.
    known: [RunName; 1 + EARLIER_RUNS_MAX],
    known_count: usize,
}

impl ClientIds {
    /// Of whoever looks from outside: every run's orders are read alike.
    #[must_use]
    pub fn of_any(format: ClientIdFormat) -> ClientIds {
        ClientIds::of_run(format, 0, 0)
    }

    /// Of run `run`, whose random bits are `salt`, zero if it has none.
    #[must_use]
    pub fn of_run(format: ClientIdFormat, run: u32, salt: u64) -> ClientIds {
        let known = [RunName { run, salt }; 1 + EARLIER_RUNS_MAX];
        ClientIds { format, run, salt, digits: salt_digits(salt), known, known_count: usize::from(run != 0) }
    }

    /// The same, which also spells names of these earlier runs' orders; more than [`EARLIER_RUNS_MAX`] are left out.
    #[must_use]
    pub fn with_earlier(mut self, earlier: &[RunName]) -> ClientIds {
        self.known_count = self.known_count.min(1);
        for name in earlier.iter().take(EARLIER_RUNS_MAX) {
            self.known[self.known_count] = *name;
            self.known_count += 1;
        }
        self
    }

    /// The same run's in another spelling.
    #[must_use]
    pub const fn format(&self) -> ClientIdFormat {
        self.format
    }

    /// The name of an order.
    #[inline]
    #[must_use]
    pub fn write(&self, order: OrderId) -> ClientOrderId {
        if order.epoch() != self.run {
            return self.write_earlier(order);
        }
        self.format.write_salted(order, if self.salt != 0 { &self.digits } else { &[] })
    }

    #[cold]
    #[inline(never)]
    fn write_earlier(&self, order: OrderId) -> ClientOrderId {
        let known = self.known[..self.known_count].iter().find(|name| name.run == order.epoch());
        let salt = known.map_or(0, |name| name.salt);
        let digits = salt_digits(salt);
        self.format.write_salted(order, if salt != 0 { &digits } else { &[] })
    }

    /// Which order a name belongs to; `None` if it is not one of ours. One of a run with our number, or with one of those
    /// whose orders we took over, and other random bits is of run [`OTHER_RUN`]: never one of ours.
    #[must_use]
    pub fn read(&self, text: &str) -> Option<OrderId> {
        self.format.read_of(&self.known[..self.known_count], text)
    }
}

/// The digits of `value` from the last to the first, `count_min` at least.
fn push_digits(value: u64, radix: u32, count_min: usize, push: &mut impl FnMut(u8)) {
    let mut rest = value;
    let mut count = 0;
    while rest != 0 || count < count_min {
        let digit = char::from_digit((rest % u64::from(radix)) as u32, radix).expect("a remainder is a digit");
        push(digit as u8);
        rest /= u64::from(radix);
        count += 1;
    }
}

/// The value of the digits, zero of none.
fn read_digits(text: &str, radix: u32) -> Option<u64> {
    let digit = |character: char| character.to_digit(radix).map(u64::from);
    text.chars().try_fold(0u64, |value, character| value.checked_mul(radix.into())?.checked_add(digit(character)?))
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
    fn a_run_reads_its_own_names_back_and_no_other_runs_of_its_number() {
        for format in [ClientIdFormat::Dashed, ClientIdFormat::Alphanumeric] {
            let salts = [1, 36, 0x0123_4567_89ab_cdef, u64::MAX];
            for (salt, epoch) in salts.into_iter().flat_map(|salt| [(salt, 77), (salt, u32::MAX - 1)]) {
                let ids = ClientIds::of_run(format, epoch, salt);
                let order = OrderId::new(epoch, u32::MAX);
                let name = ids.write(order);
                assert!(name.as_str().len() <= CLIENT_ORDER_ID_MAX && name != format.write(order), "{name:?}");
                assert_eq!(ids.read(name.as_str()), Some(order), "{name:?}");
                assert_eq!(format.read(name.as_str()), Some(order), "from outside: {name:?}");
                let other = ClientIds::of_run(format, epoch, salt ^ 2).write(order);
                let stranger = Some(OrderId::new(OTHER_RUN, u32::MAX));
                assert_eq!(ids.read(other.as_str()), stranger, "our number, other bits: {other:?}");
                assert_eq!(ids.read(format.write(order).as_str()), stranger, "our number, no bits");
                let took_over = ids.with_earlier(&[RunName { run: epoch - 2, salt: salt ^ 4 }]);
                let theirs = OrderId::new(epoch - 2, 9);
                let kept = ClientIds::of_run(format, epoch - 2, salt ^ 4).write(theirs);
                assert_eq!(took_over.write(theirs), kept, "what is taken over keeps its name");
                assert_eq!(took_over.write(order), name, "and ours are as before");
                assert_eq!(took_over.read(kept.as_str()), Some(theirs));
                let stolen = ClientIds::of_run(format, epoch - 2, salt ^ 8).write(theirs);
                assert_eq!(took_over.read(stolen.as_str()), Some(OrderId::new(OTHER_RUN, 9)));
                let earlier = OrderId::new(epoch - 1, 5);
                let left = ClientIds::of_run(format, epoch - 1, salt).write(earlier);
                assert_eq!(ids.read(left.as_str()), Some(earlier), "an earlier run is known by its number");
                assert_eq!(
                    ClientIds::of_run(format, epoch, 0).read(name.as_str()).map(OrderId::epoch),
                    Some(OTHER_RUN)
                );
            }
        }
        let dashed = ClientIds::of_run(ClientIdFormat::Dashed, 36, 37).write(OrderId::new(36, 7));
        assert_eq!(dashed.as_str(), "sb10-0000000000011-7");
        let plain = ClientIds::of_run(ClientIdFormat::Alphanumeric, 36, 37).write(OrderId::new(36, 7));
        assert_eq!(plain.as_str(), "sb000001000000000000110000007");
        for text in ["sb10-0000000000000-7", "sb10-11-7", "sb10-000000000001A-7", "sb10-zzzzzzzzzzzzz-7", "sb10--7"] {
            assert_eq!(ClientIdFormat::Dashed.read(text), None, "{text}");
        }
    }

    #[test]
    fn a_run_is_known_by_its_number_and_its_random_bits() {
        let runs = [RunName { run: 76, salt: 0 }, RunName { run: 77, salt: 5 }, RunName { run: 77, salt: 9 }];
        for format in [ClientIdFormat::Dashed, ClientIdFormat::Alphanumeric] {
            let epoch_of = |run, salt| {
                let name = ClientIds::of_run(format, run, salt).write(OrderId::new(run, 3));
                format.read_of(&runs, name.as_str()).map(OrderId::epoch)
            };
            assert_eq!([epoch_of(76, 0), epoch_of(77, 5), epoch_of(77, 9)], [Some(76), Some(77), Some(77)]);
            assert_eq!([epoch_of(76, 5), epoch_of(77, 0), epoch_of(77, 6)], [Some(OTHER_RUN); 3]);
            assert_eq!(epoch_of(78, 5), Some(78), "of a number that is not known nothing is said");
            assert_eq!(format.read_of(&runs, "web_1234"), None);
        }
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
