//! COLD: an account's assets and positions, exact to the last unit.

use super::fees::BOOKED_UNIT_ATOMS;
use crate::sim::api::{AccountKey, SimBalance, SimPosition};
use spinbook_engine::types::{Lots, QuoteAtoms};
use std::collections::BTreeMap;

/// One account.
#[derive(Clone, Debug)]
pub struct SimAccount {
    /// API key.
    pub api_key: String,
    /// How it proves who it is.
    pub key: AccountKey,
    /// Whether that key may take assets away.
    pub may_withdraw: bool,
    /// Free and locked atoms by asset.
    assets: BTreeMap<String, (i128, i128)>,
    /// Positions by listing.
    positions: BTreeMap<usize, SimPosition>,
}

impl SimAccount {
    /// An account with nothing.
    #[must_use]
    pub fn new(api_key: String, key: AccountKey) -> SimAccount {
        SimAccount { api_key, key, may_withdraw: false, assets: BTreeMap::new(), positions: BTreeMap::new() }
    }

    /// Has these assets, free and locked, and these positions instead.
    pub fn restore(&mut self, assets: BTreeMap<String, (i128, i128)>, positions: BTreeMap<usize, SimPosition>) {
        (self.assets, self.positions) = (assets, positions);
    }

    /// Adds to what is free; negative takes.
    pub fn credit(&mut self, asset: &str, atoms: i128) {
        self.assets.entry(asset.to_owned()).or_insert((0, 0)).0 += atoms;
    }

    /// Moves free to locked.
    pub fn lock(&mut self, asset: &str, atoms: i128) {
        let entry = self.assets.entry(asset.to_owned()).or_insert((0, 0));
        entry.0 -= atoms;
        entry.1 += atoms;
        assert!(entry.0 >= 0 && entry.1 >= 0, "{asset}: no more is locked than is free, nor unlocked than is locked");
    }

    /// Moves locked back to free.
    pub fn unlock(&mut self, asset: &str, atoms: i128) {
        self.lock(asset, -atoms);
    }

    /// Spends what was locked.
    pub fn spend_locked(&mut self, asset: &str, atoms: i128) {
        let entry = self.assets.entry(asset.to_owned()).or_insert((0, 0));
        entry.1 -= atoms;
        assert!(entry.1 >= 0, "{asset}: a fill spends no more than its order locked");
    }

    /// One asset.
    #[must_use]
    pub fn balance(&self, asset: &str) -> SimBalance {
        let (free, locked) = self.assets.get(asset).copied().unwrap_or((0, 0));
        SimBalance { asset: asset.to_owned(), free, locked }
    }

    /// All assets.
    #[must_use]
    pub fn balances(&self) -> Vec<SimBalance> {
        self.assets.keys().map(|asset| self.balance(asset)).collect()
    }

    /// The position on a listing.
    #[must_use]
    pub fn position(&self, listing: usize) -> SimPosition {
        self.positions.get(&listing).copied().unwrap_or_default()
    }

    /// All positions.
    pub fn positions(&self) -> impl Iterator<Item = (usize, SimPosition)> + '_ {
        self.positions.iter().map(|(listing, position)| (*listing, *position))
    }

    /// Moves a position by a signed fill; gives back the profit realised.
    pub fn move_position(&mut self, listing: usize, lots: i64, value: QuoteAtoms) -> QuoteAtoms {
        let position = self.positions.entry(listing).or_default();
        let held = position.lots.0;
        let opens = held == 0 || (held > 0) == (lots > 0);
        let signed_value = QuoteAtoms(value.0 * i128::from(lots.signum()));
        if opens {
            position.lots = Lots(held + lots);
            position.cost += signed_value;
            return QuoteAtoms::ZERO;
        }
        // The closing part leaves at its share of the cost; what is past zero opens the other way.
        let closing = lots.abs().min(held.abs());
        let cost_out = match closing == held.abs() {
            true => position.cost,
            // Cut to booked units, so that profits print exactly and nothing is lost between them.
            false => QuoteAtoms(
                position.cost.0 * i128::from(closing) / i128::from(held.abs()) / BOOKED_UNIT_ATOMS * BOOKED_UNIT_ATOMS,
            ),
        };
        let value_out = QuoteAtoms(signed_value.0 * i128::from(closing) / i128::from(lots.abs()));
        let realised = -(cost_out + value_out);
        position.cost = position.cost - cost_out + (signed_value - value_out);
        position.lots = Lots(held + lots);
        position.realised += realised;
        realised
    }

    /// Whether nothing is locked below zero and a closed position costs nothing.
    ///
    /// # Errors
    /// What does not hold, in words.
    pub fn check(&self) -> Result<(), String> {
        if let Some((asset, (free, locked))) = self.assets.iter().find(|(_, (_, locked))| *locked < 0) {
            return Err(format!("{locked} atoms of {asset} are locked beside {free} free"));
        }
        match self.positions.iter().find(|(_, held)| held.lots.is_zero() && held.cost != QuoteAtoms::ZERO) {
            Some((listing, held)) => Err(format!("the closed position on listing {listing} costs {}", held.cost.0)),
            None => Ok(()),
        }
    }
}
