//! COLD: the strategies that a configuration may name, each with its keys: one entry a kind.

use rust_decimal::Decimal;
use serde_json::{Value as Json, json};
use spinbook_engine::intent::TimeInForce;
use spinbook_engine::limits::QUOTE_LEVELS_MAX;

use super::keys::Kind::{self, Choice, Whole};
use super::keys::Presence::{Default, Mandatory};
use super::keys::Sample::Set;
use super::keys::{ConfigKey, Presence, Range, Table};
use super::read::{Problems, Section};
use super::table::table;
use super::tree::{Node, TomlValue};
use super::value::{self, KeyValue, alternatives};

/// Why a key without a default must be given.
const NEEDED: Presence = Mandatory("a strategy needs it");

/// Lists every kind: its name, its section, and how both are told apart.
macro_rules! strategies {
    ($($(#[doc = $doc:literal])+ $kind:ident($section:ident) = $name:literal;)+) => {
        /// `[strategy]`, by its kind.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum StrategyConfig {
            $($(#[doc = $doc])+ $kind($section),)+
        }

        /// The tables of every kind.
        pub const TABLES: [Table; NAMES.len()] = [$($section::TABLE),+];

        /// The kinds, as they are written.
        pub const NAMES: [&str; [$($name),+].len()] = [$($name),+];

        impl StrategyConfig {
            /// Reads the table of one kind.
            pub(super) fn read(kind: &str, section: &Section<'_>, problems: &mut Problems) -> Option<StrategyConfig> {
                match kind {
                    $($name => $section::read(section, problems).map(StrategyConfig::$kind),)+
                    _ => None,
                }
            }

            /// The keys of the kind with this name; of the first where there is none of that name.
            pub(super) fn table_of(kind: &str) -> Table {
                match kind {
                    $($name => $section::TABLE,)+
                    _ => TABLES[0],
                }
            }

            /// Its kind, as it is written.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self {
                    $(StrategyConfig::$kind(_) => $name,)+
                }
            }

            /// Its keys.
            #[must_use]
            pub const fn table(&self) -> Table {
                match self {
                    $(StrategyConfig::$kind(_) => $section::TABLE,)+
                }
            }

            /// What is in effect, key by key.
            #[must_use]
            pub fn effective(&self) -> Vec<(&'static str, serde_json::Value)> {
                match self {
                    $(StrategyConfig::$kind(section) => section.effective(),)+
                }
            }
        }
    };
}

strategies! {
    /// Symmetric quotes around the mid, leaning against inventory and widened by imbalance.
    Spread(SpreadConfig) = "spread";
}

/// A kind of strategy that is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StrategyKind(pub &'static str);

impl StrategyKind {
    /// The kinds.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        NAMES.to_vec()
    }
}

impl KeyValue for StrategyKind {
    fn take(key: &ConfigKey, node: &Node, section: &Section<'_>, problems: &mut Problems) -> Option<Self> {
        let text = section.text(key.name, node, problems)?;
        let found = NAMES.iter().find(|name| **name == text);
        if found.is_none() {
            let why = format!("unknown strategy, expected {}", alternatives(&NAMES));
            section.refuse_value(key.name, node, problems, &why);
        }
        found.copied().map(StrategyKind)
    }

    fn to_json(&self) -> Json {
        json!(self.0)
    }
}

impl StrategyConfig {
    /// Quotes a side.
    #[must_use]
    pub const fn levels(&self) -> usize {
        match self {
            StrategyConfig::Spread(spread) => spread.levels,
        }
    }

    /// A working order this near its target stays, in basis points of the mid.
    #[must_use]
    pub const fn refresh_tolerance_bps(&self) -> Decimal {
        match self {
            StrategyConfig::Spread(spread) => spread.refresh_tolerance_bps,
        }
    }
}

/// The kind that a table names, if it is one that is built.
pub(super) fn kind_of(node: &Node) -> Option<&'static str> {
    let TomlValue::Table(entries) = &node.value else { return None };
    let (_, kind) = entries.iter().find(|(key, _)| key == "kind")?;
    match &kind.value {
        TomlValue::Text(text) => NAMES.iter().find(|name| *name == text).copied(),
        _ => None,
    }
}

table! {
    /// Symmetric quotes around the mid, leaning against inventory and widened by imbalance.
    SpreadConfig: "strategy", repeated: false {
        /// Which strategy.
        kind: StrategyKind => Choice(StrategyKind::names), "", NEEDED, Set("\"spread\"");
        /// Full width between bid and ask.
        spread_bps: Decimal => Kind::Decimal(Range::PositiveUpTo(2_000)), "bps of the mid", NEEDED, Set("10.0");
        /// Quotes a side.
        levels: usize => Whole(1, QUOTE_LEVELS_MAX as i64), "", Default("1"), Set("1");
        /// Size of each quote.
        order_size_base: Decimal => Kind::Decimal(Range::Positive), "the base asset", NEEDED, Set("\"0.001\"");
        /// Book levels a side whose quantities make the imbalance.
        imbalance_levels: usize => Whole(1, 1_000), "", Default("10"), Set("10");
        /// Imbalance beyond which the spread is widened.
        imbalance_threshold: Decimal => Kind::Decimal(Range::UpTo(1)), "", Default("0.3"), Set("0.3");
        /// Factor by which it is then widened.
        imbalance_widening: Decimal => Kind::Decimal(Range::Between(1, 100)), "", Default("1.5"), Set("1.5");
        /// How far quotes lean against the inventory at a full position.
        inventory_skew_bps: Decimal => Kind::Decimal(Range::UpTo(1_000)), "bps of the mid", Default("0"), Set("5.0");
        /// A working order this near its target stays.
        refresh_tolerance_bps: Decimal => Kind::Decimal(Range::UpTo(1_000)), "bps of the mid", Default("1.0"), Set("1.0");
        /// Least distance from the mid after fees, below which nothing is quoted.
        edge_min_bps: Decimal => Kind::Decimal(Range::Between(-100, 1_000)), "bps of the mid", Default("0.0"), Set("0.0");
        /// How long an order may live.
        time_in_force: TimeInForce => Choice(value::times_in_force), "", Default("\"post-only\""), Set("\"post-only\"");
    }
}
