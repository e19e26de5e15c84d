//! HOT: the schema scanner's parts: what a venue's room names as its schema is compared and converted in wide steps.
//!
//! A frame is compared with the template of its stream (`frame_template`), which is learned from a frame that
//! the `cursor` read byte by byte. What does not repeat, the levels between, is read by `avx2` or, on other
//! processors, by `swar`; `layout` says what an instrument's numbers look like. A room names its texts in a
//! `Schema`, whose constants become part of the code that is generated for it.

pub(crate) mod avx2;
pub(crate) mod cursor;
pub(crate) mod frame_template;
pub(crate) mod layout;
mod levels;
pub(crate) mod swar;

pub use levels::LevelScratch;

use crate::number::Scale;

/// How an instrument's numbers are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scales {
    pub(crate) price: Scale,
    pub(crate) quantity: Scale,
}

/// Which scanner looks at a frame before the general decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScannerChoice {
    /// AVX2 where the processor has it, else portable.
    Best,
    /// Eight bytes at a time in ordinary registers.
    Portable,
    /// None: everything goes through the general decoder.
    Off,
}

/// The texts of one venue's frames. Levels are arrays of a price and a quantity as strings, bids before asks.
pub(crate) trait Schema {
    /// Eight bytes with which a frame begins whose stream's name follows three bytes behind them.
    const WRAPPED: [u8; 8];
    /// From behind the bracket that closes the bids to behind the one that opens the asks.
    const ASKS_NAME: [u8; 6];
    /// Between a best bid's price, its quantity, the ask's price and its quantity, quotes included.
    const BEST_NAMES: [[u8; 7]; 3];
    /// Between a trade's price and its quantity, quotes included.
    const TRADE_NAME: [u8; 7];
    /// Between a trade's quantity and the part of it that counts elsewhere, where a frame names that.
    const NET_NAME: [u8; 8];
    /// Names of the numbers of a header: event time in milliseconds, first, last and previous update id.
    const NUMBER_NAMES: [&'static [u8]; 4];
}

/// A text of at most eight bytes as a word, its first byte lowest.
#[cfg(target_arch = "x86_64")]
pub(crate) const fn padded_word<const LENGTH: usize>(text: [u8; LENGTH]) -> u64 {
    let (mut word, mut index) = ([0; 8], 0);
    while index < LENGTH {
        word[index] = text[index];
        index += 1;
    }
    u64::from_le_bytes(word)
}

/// The texts between the numbers of a best bid/ask, as words.
#[cfg(target_arch = "x86_64")]
pub(crate) const fn best_names<S: Schema>() -> [u64; 3] {
    let [bid_quantity, ask, ask_quantity] = S::BEST_NAMES;
    [padded_word(bid_quantity), padded_word(ask), padded_word(ask_quantity)]
}
