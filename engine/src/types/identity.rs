//! HOT: identities of venues, instruments, orders and sides.

/// A venue's product line as a small number; the feed package gives it a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct VenueId(pub u8);

/// The quote asset of an instrument as a small number, given at set-up: `0..asset_group_count`.
///
/// Results of one group add up and share a loss limit; results of two groups are in different assets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct AssetGroupId(pub u8);

impl AssetGroupId {
    /// As an array index.
    #[inline]
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// An instrument's place in every array of the engine, given at set-up: `0..instrument_count`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct InstrumentId(pub u16);

impl InstrumentId {
    /// As an array index.
    #[inline]
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The epoch of rehearsals, which no run has: an order that bears it is refused by every gateway.
pub const EPOCH_REHEARSAL: u32 = u32::MAX;

/// Our own name for an order: the run's epoch in the upper 32 bits, a counter in the lower 32.
///
/// Never reused: the epoch grows with every run, the counter with every order. Zero is "no order".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct OrderId(pub u64);

impl OrderId {
    /// The id of no order.
    pub const NONE: OrderId = OrderId(0);

    /// The order number `counter` of run `epoch`.
    #[inline]
    #[must_use]
    pub const fn new(epoch: u32, counter: u32) -> OrderId {
        OrderId(((epoch as u64) << 32) | counter as u64)
    }

    /// The run this order belongs to.
    #[inline]
    #[must_use]
    pub const fn epoch(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The order's number within its run.
    #[inline]
    #[must_use]
    pub const fn counter(self) -> u32 {
        self.0 as u32
    }
}

/// The venue's name for one execution; each changes the position once. Zero is "no execution".
///
/// 128 bits hold a number as well as a UUID.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct TradeId(pub u128);

/// A quote slot of an instrument: bids are `0..QUOTE_LEVELS_MAX`, asks follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct SlotId(pub u8);

/// Which side of the book: a bid buys, an ask sells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Side {
    /// The buying side.
    #[default]
    Bid = 0,
    /// The selling side.
    Ask = 1,
}

impl Side {
    /// Both, bid first.
    pub const BOTH: [Side; 2] = [Side::Bid, Side::Ask];

    /// The other one.
    #[inline]
    #[must_use]
    pub const fn opposite(self) -> Side {
        match self {
            Side::Bid => Side::Ask,
            Side::Ask => Side::Bid,
        }
    }

    /// +1 for a buy, -1 for a sell: the sign with which a fill moves the position.
    #[inline]
    #[must_use]
    pub const fn sign(self) -> i64 {
        match self {
            Side::Bid => 1,
            Side::Ask => -1,
        }
    }
}
