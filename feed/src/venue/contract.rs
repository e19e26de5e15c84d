//! HOT: what a quantity of an instrument stands for: the asset itself, or contracts of a size.

use spinbook_engine::types::QUOTE_ATOMS_PER_UNIT;

use crate::error::ContractError;

/// How money follows from price and quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContractKind {
    /// The base asset changes hands: price times quantity of it.
    Spot,
    /// A contract on a quantity of the base asset, settled in the quote asset: price times quantity times size.
    Linear,
    /// A contract on a sum of quote money, settled in the base asset: quantity times size divided by the price.
    Inverse,
}

/// What a number of quantity counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QuantityUnit {
    /// The base asset.
    BaseAsset,
    /// Contracts, each of the instrument's contract size.
    Contracts,
}

/// What the venue's quantity `1` of an instrument stands for, exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Contract {
    /// How money follows from price and quantity.
    pub kind: ContractKind,
    /// What the venue's quantity `1` stands for, in 10^-18: of the base asset (spot, linear) or of quote money
    /// (inverse). From 1 to 10^36; one whole unit where quantities count the base asset.
    pub size_atoms: i128,
    /// What quantities of orders, trades and books count.
    pub quantity_unit: QuantityUnit,
    /// What the account's balance or position counts.
    pub balance_unit: QuantityUnit,
}

impl Contract {
    /// The base asset itself.
    pub const SPOT: Contract = Contract {
        kind: ContractKind::Spot,
        size_atoms: QUOTE_ATOMS_PER_UNIT,
        quantity_unit: QuantityUnit::BaseAsset,
        balance_unit: QuantityUnit::BaseAsset,
    };

    /// A linear contract whose orders and positions are both counted in the base asset.
    pub const LINEAR: Contract = Contract { kind: ContractKind::Linear, ..Contract::SPOT };

    /// Whether money is price times quantity, and orders and account count alike: all that the engine values today.
    ///
    /// # Errors
    /// [`ContractError`]: why the engine would value it wrongly.
    pub fn check_valued(&self) -> Result<(), ContractError> {
        if self.kind == ContractKind::Inverse {
            return Err(ContractError::Inverse);
        }
        if self.size_atoms != QUOTE_ATOMS_PER_UNIT {
            return Err(ContractError::Size { size_atoms: self.size_atoms });
        }
        if self.quantity_unit != self.balance_unit {
            return Err(ContractError::Units);
        }
        Ok(())
    }
}
