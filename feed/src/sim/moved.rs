//! COLD: money of the simulated accounts that moved beside their orders, as the world keeps and tells it.

use crate::sim::api::{AccountId, ListingIndex, SimBalance};
use crate::sim::whole;
use serde::{Deserialize, Serialize};
use spinbook_engine::types::Nanos;

/// Why an account's money moved beside its orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SimMoneyKind {
    /// For holding a position.
    Funding,
    /// To or from the account.
    Transfer,
    /// For a position that the venue closed itself.
    LiquidationFee,
}

/// Money that moved beside orders.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SimMoney {
    /// Its number, growing.
    pub number: u64,
    /// Of which account.
    pub account: AccountId,
    /// Why.
    pub kind: SimMoneyKind,
    /// For which listing, if for one.
    pub listing: Option<ListingIndex>,
    /// In which asset.
    pub asset: String,
    /// How much, in atoms; negative: it was paid.
    #[serde(with = "whole")]
    pub amount: i128,
    /// When.
    #[serde(with = "whole")]
    pub at: Nanos,
}

/// The same for an account's user stream.
#[derive(Clone, Debug)]
pub struct MoneyEvent {
    /// What moved.
    pub money: SimMoney,
    /// The asset after it.
    pub balance: SimBalance,
}

/// A funding of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimFunding {
    /// The listing.
    pub listing: ListingIndex,
    /// Of a position's value, in millionths: above zero who is long paid.
    pub rate_millionths: i64,
    /// When.
    pub at: Nanos,
}
