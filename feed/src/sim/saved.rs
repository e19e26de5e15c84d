//! COLD: what a simulated exchange keeps across restarts, as lines of JSON: first everything, then what changed.

use crate::sim::api::{AccountId, ListingIndex, SimFill, SimOrder, SimPosition, SimPrevention};
use crate::sim::moved::SimMoney;
use crate::sim::whole;
use serde::{Deserialize, Serialize};
use spinbook_engine::types::Nanos;
use std::collections::BTreeMap;

/// The state of a simulated exchange, or what changed of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SavedWorld {
    /// When it was.
    #[serde(with = "whole")]
    pub at: Nanos,
    /// Symbols by their place.
    pub symbols: Vec<String>,
    /// Last trade and update number of each symbol.
    pub ids: Vec<[u64; 2]>,
    /// The next order's number.
    pub next_order: u64,
    /// Every account, in order.
    pub accounts: Vec<SavedAccount>,
    /// Leverages that were chosen.
    pub leverages: Vec<(AccountId, ListingIndex, i64)>,
    /// Where margin is isolated.
    pub isolated: Vec<(AccountId, ListingIndex)>,
    /// Orders by number.
    pub orders: BTreeMap<u64, SimOrder>,
    /// Executions, oldest first.
    pub fills: Vec<SimFill>,
    /// When an account's orders on a listing are cancelled unless it says otherwise.
    #[serde(default)]
    pub countdowns: Vec<(AccountId, ListingIndex, SavedTime)>,
    /// Self-trades that were prevented, oldest first.
    #[serde(default)]
    pub preventions: Vec<SimPrevention>,
    /// What moved money beside orders, oldest first.
    #[serde(default)]
    pub moneys: Vec<SimMoney>,
    /// What the venue's own room keeps beside the world, by names of its own.
    #[serde(default)]
    pub beside: BTreeMap<String, serde_json::Value>,
}

/// What an account has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SavedAccount {
    /// Its API key.
    pub api_key: String,
    /// Asset, free and locked atoms.
    pub assets: Vec<(String, Atoms, Atoms)>,
    /// Positions by listing.
    pub positions: Vec<(ListingIndex, SimPosition)>,
}

/// A moment.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct SavedTime(#[serde(with = "whole")] pub Nanos);

/// Atoms of an asset, which are too many for a number of JSON.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Atoms(#[serde(with = "whole")] pub i128);

impl SavedWorld {
    /// The state that a file of lines tells; `None` if it has none. A line that was cut in the end is one that was
    /// never answered for: its writer was killed within it.
    ///
    /// # Errors
    /// Which line is no state.
    pub fn from_lines(text: &str) -> Result<Option<SavedWorld>, String> {
        let mut world: Option<SavedWorld> = None;
        for (place, line) in text.split_inclusive('\n').enumerate() {
            let Some(line) = line.strip_suffix('\n') else { break };
            let newer: SavedWorld =
                serde_json::from_str(line).map_err(|error| format!("line {}: {error}", place + 1))?;
            match &mut world {
                Some(world) => world.follow(newer),
                None => world = Some(newer),
            }
        }
        Ok(world)
    }

    /// As a line of its file.
    #[must_use]
    pub fn to_line(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).expect("numbers, texts and lists are JSON");
        line.push(b'\n');
        line
    }

    /// What changed after this.
    fn follow(&mut self, newer: SavedWorld) {
        let mut orders = std::mem::take(&mut self.orders);
        let mut fills = std::mem::take(&mut self.fills);
        let mut preventions = std::mem::take(&mut self.preventions);
        let mut moneys = std::mem::take(&mut self.moneys);
        let mut beside = std::mem::take(&mut self.beside);
        orders.extend(newer.orders);
        fills.extend(newer.fills);
        preventions.extend(newer.preventions);
        moneys.extend(newer.moneys);
        beside.extend(newer.beside);
        *self = SavedWorld { orders, fills, preventions, moneys, beside, ..newer };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(at: i64, next_order: u64) -> SavedWorld {
        SavedWorld { at: Nanos(at), next_order, ..SavedWorld::default() }
    }

    #[test]
    fn later_lines_replace_earlier_ones_and_a_cut_one_counts_for_nothing() {
        assert!(SavedWorld::from_lines("").expect("nothing is wrong").is_none());
        let mut text = String::from_utf8(state(1, 7).to_line()).expect("UTF-8");
        text.push_str(&String::from_utf8(state(2, 9).to_line()).expect("UTF-8"));
        let whole = SavedWorld::from_lines(&text).expect("lines").expect("a state");
        assert_eq!((whole.at, whole.next_order), (Nanos(2), 9));
        text.pop();
        let cut = SavedWorld::from_lines(&text).expect("lines").expect("a state");
        assert_eq!((cut.at, cut.next_order), (Nanos(1), 7));
        assert!(SavedWorld::from_lines("{}\n").expect_err("no state").starts_with("line 1: "));
    }
}
