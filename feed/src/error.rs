//! COLD: why a venue's message was refused: small typed errors that keep the venue's own code.

use thiserror::Error;

use crate::number::NumberError;

/// A frame that is not what the venue's protocol says. It is counted and never applied in part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// Not JSON, cut short, or with bytes behind its end.
    #[error("not valid JSON")]
    Json,
    /// JSON, but not an object of a known form.
    #[error("not a message of this venue")]
    Shape,
    /// A field that the message must have is absent.
    #[error("field `{0}` is missing")]
    Missing(&'static str),
    /// A known field has the wrong type.
    #[error("field `{0}` has the wrong type")]
    WrongType(&'static str),
    /// A known field appears twice.
    #[error("field `{0}` appears twice")]
    Duplicate(&'static str),
    /// A price that is not an exact number of ticks.
    #[error("price: {0}")]
    Price(NumberError),
    /// A quantity that is not an exact number of lots.
    #[error("quantity: {0}")]
    Quantity(NumberError),
    /// A time beyond the range of nanoseconds in 64 bits.
    #[error("field `{0}` is no time")]
    Time(&'static str),
    /// The update ids of a message run backwards.
    #[error("first update id is above the last")]
    Sequence,
    /// More levels a side than any depth message may carry.
    #[error("more levels than a message may carry")]
    TooManyLevels,
    /// A symbol that was not subscribed, or another than the one the stream is named after.
    #[error("symbol was not subscribed or is not the stream's")]
    WrongSymbol,
    /// Longer than any message of this venue.
    #[error("frame is too large")]
    TooLarge,
}

/// An answer of the venue that refuses a request, with the venue's own code.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the venue answered {code}: {message}")]
pub struct VenueError {
    /// The venue's own code.
    pub code: i32,
    /// The venue's own words, cut to a reasonable length.
    pub message: String,
}

/// A contract that the engine cannot value: its money is price times quantity of the base asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ContractError {
    /// Settled in the base asset.
    #[error("an inverse contract, whose worth is not its price times its quantity")]
    Inverse,
    /// One of the venue's quantity is not one of the base asset.
    #[error("a contract on {size_atoms} x 10^-18 of the base asset; only a size of exactly one is valued")]
    Size {
        /// The contract size in 10^-18 of the base asset.
        size_atoms: i128,
    },
    /// One counts contracts, the other the base asset.
    #[error("orders and the account's holding are counted in different units")]
    Units,
}

/// An instrument list, or a rule in it, that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InstrumentError {
    /// The reply is not JSON of the expected form.
    #[error("instrument list: {0}")]
    List(String),
    /// The symbol is not listed.
    #[error("symbol {symbol} is not listed; {hint}")]
    Unknown {
        /// What was asked for.
        symbol: String,
        /// The nearest listed symbol, or how many are listed.
        hint: String,
    },
    /// The symbol is listed more than once: whose rules hold, nobody can say.
    #[error("symbol {symbol} is listed {count} times; which of its rules hold cannot be known")]
    Repeated {
        /// Which.
        symbol: String,
        /// How often.
        count: usize,
    },
    /// A field of the symbol is missing or unusable.
    #[error("symbol {symbol}: {field}: {problem}")]
    Field {
        /// Whose rule.
        symbol: String,
        /// Which rule.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

/// The rate limits of an instrument list, or one of them, that cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RateLimitError {
    /// The reply has no list of them.
    #[error("the instrument list names no rate limits")]
    List,
    /// A field of one is missing or unusable.
    #[error("rate limit {kind}: {field} is {value}: {problem}")]
    Field {
        /// What it counts, in the venue's word.
        kind: &'static str,
        /// Which field.
        field: &'static str,
        /// What the venue says there, cut to a reasonable length.
        value: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}
