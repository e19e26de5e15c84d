//! COLD: plans of what moves an account's money beside its orders: fundings, transfers, liquidations, and when.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::number::parse_signed_atoms;

/// Funding at regular times: at every whole multiple of the interval since midnight UTC.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct RegularFunding {
    /// Of a position's value at the mid, in millionths: above zero who is long pays.
    pub rate_millionths: i64,
    /// The interval; default eight hours.
    #[serde(default = "eight_hours_ms")]
    pub every_ms: u64,
}

fn eight_hours_ms() -> u64 {
    8 * 3_600_000
}

/// A funding out of turn.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct FundingPlan {
    /// When.
    pub after_ms: u64,
    /// Of a position's value at the mid, in millionths: above zero who is long pays.
    pub rate_millionths: i64,
    /// Of which symbol; default all.
    #[serde(default)]
    pub symbol: Option<String>,
}

/// A transfer to an account or from it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct TransferPlan {
    /// When.
    pub after_ms: u64,
    /// Of which asset.
    pub asset: String,
    /// How much, in 10^-18 of it, written as a decimal text; negative: from the account, if it has that free.
    #[serde(deserialize_with = "atoms")]
    pub amount: i128,
    /// The account's place, from zero; default the first.
    #[serde(default)]
    pub account: usize,
}

/// A position that the venue closes, for a fee.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct LiquidationPlan {
    /// When.
    pub after_ms: u64,
    /// Of which symbol.
    pub symbol: String,
    /// The account's place, from zero; default the first.
    #[serde(default)]
    pub account: usize,
}

fn atoms<'de, D: Deserializer<'de>>(from: D) -> Result<i128, D::Error> {
    let text = String::deserialize(from)?;
    parse_signed_atoms(text.as_bytes()).map_err(|error| D::Error::custom(format!("{text:?} is no amount: {error}")))
}
