//! COLD: amounts of assets as reports print them: exact decimals, never added over different assets.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};
use spinbook_engine::types::{QUOTE_ATOMS_PER_UNIT, QuoteAtoms};

/// Amounts by asset, of any assets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transfers(BTreeMap<String, i128>);

impl Transfers {
    /// Adds an amount in 10^-18 of an asset.
    pub fn add(&mut self, asset: &str, atoms: i128) {
        let sum = self.0.entry(asset.to_owned()).or_default();
        *sum = sum.saturating_add(atoms);
    }

    /// Whether there was none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn texts(&self) -> impl Iterator<Item = (&String, String)> {
        self.0.iter().map(|(asset, atoms)| (asset, atoms_text(QuoteAtoms(*atoms))))
    }
}

/// An object with a decimal string for each asset.
impl Serialize for Transfers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.texts())
    }
}

/// Amounts by quote asset: what is paid in different assets is not added up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Money(pub(super) BTreeMap<String, QuoteAtoms>);

impl Money {
    /// Adds an amount in an asset.
    pub fn add(&mut self, asset: &str, atoms: QuoteAtoms) {
        *self.0.entry(asset.to_owned()).or_insert(QuoteAtoms::ZERO) += atoms;
    }

    /// Whether there is no amount in any asset.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A decimal, or one with its asset's name for each of several.
impl fmt::Display for Money {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() <= 1 {
            return out.write_str(&atoms_text(self.0.values().next().copied().unwrap_or(QuoteAtoms::ZERO)));
        }
        let texts: Vec<String> =
            self.0.iter().map(|(asset, atoms)| format!("{} {asset}", atoms_text(*atoms))).collect();
        out.write_str(&texts.join(", "))
    }
}

/// A decimal string, or an object with one for each of several assets.
impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.len() <= 1 {
            return serializer.collect_str(self);
        }
        serializer.collect_map(self.0.iter().map(|(asset, atoms)| (asset, atoms_text(*atoms))))
    }
}

/// Quote atoms as decimal text without trailing zeros.
#[must_use]
pub fn atoms_text(atoms: QuoteAtoms) -> String {
    let (sign, magnitude) = if atoms.0 < 0 { ("-", atoms.0.unsigned_abs()) } else { ("", atoms.0.unsigned_abs()) };
    let unit = QUOTE_ATOMS_PER_UNIT.unsigned_abs();
    let fraction = format!("{:018}", magnitude % unit);
    let fraction = fraction.trim_end_matches('0');
    match fraction.is_empty() {
        true => format!("{sign}{}", magnitude / unit),
        false => format!("{sign}{}.{fraction}", magnitude / unit),
    }
}
