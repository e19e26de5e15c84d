//! HOT: one instrument as the feed knows it: names, scales, and the rules an order must keep.

use core::fmt;

use spinbook_engine::types::{InstrumentId, InstrumentSettings, Lots, QuoteAtoms, Tick, VenueId};

use crate::error::ContractError;
use crate::number::Scale;
use crate::venue::contract::Contract;

/// Longest symbol or asset name, in bytes of UTF-8.
pub const SYMBOL_BYTES_MAX: usize = 32;

/// A symbol or asset name, inline.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Symbol {
    length: u8,
    bytes: [u8; SYMBOL_BYTES_MAX],
}

impl Symbol {
    /// The empty name.
    pub const EMPTY: Symbol = Symbol { length: 0, bytes: [0; SYMBOL_BYTES_MAX] };

    /// A name of 1 to [`SYMBOL_BYTES_MAX`] bytes without control characters, quotes or backslashes.
    #[must_use]
    pub fn new(name: &str) -> Option<Symbol> {
        let bad = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\' || *byte == 0x7f;
        if name.is_empty() || name.len() > SYMBOL_BYTES_MAX || name.as_bytes().iter().any(bad) {
            return None;
        }
        let mut bytes = [0; SYMBOL_BYTES_MAX];
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        Some(Symbol { length: name.len() as u8, bytes })
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or("")
    }

    /// The name's bytes.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length as usize]
    }

    /// The name with ASCII letters in lower case, as stream names have it.
    #[must_use]
    pub fn to_lowercase(mut self) -> Symbol {
        self.bytes.make_ascii_lowercase();
        self
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// What the venue allows with an instrument right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InstrumentStatus {
    /// Orders are matched.
    Trading,
    /// Only cancels are taken.
    CancelOnly,
    /// Anything else: no orders.
    Closed,
}

/// One instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instrument {
    /// Its place in every array.
    pub id: InstrumentId,
    /// The product line it trades on.
    pub venue: VenueId,
    /// The venue's name for it, as payloads have it (`BTCUSDT`).
    pub symbol: Symbol,
    /// What is bought and sold.
    pub base_asset: Symbol,
    /// What it is paid with.
    pub quote_asset: Symbol,
    /// What its quantities stand for.
    pub contract: Contract,
    /// Ticks: text of prices.
    pub price: Scale,
    /// Lots: text of quantities; the finest unit that feed and balances use.
    pub quantity: Scale,
    /// Order prices are multiples of this, in ticks.
    pub tick_order_step: i64,
    /// Order quantities are multiples of this, in lots.
    pub lots_order_step: i64,
    /// Smallest order.
    pub lots_order_min: Lots,
    /// Largest order.
    pub lots_order_max: Lots,
    /// Lowest order price; zero: no rule.
    pub tick_order_min: Tick,
    /// Highest order price; zero: no rule.
    pub tick_order_max: Tick,
    /// Smallest price times quantity of an order.
    pub notional_min: QuoteAtoms,
    /// Worth of one tick times one lot, in 10^-18 of the quote asset, where quantities count the base asset: right
    /// for every contract that [`Contract::check_valued`] accepts.
    pub atoms_per_tick_lot: i128,
    /// Whether orders are taken.
    pub status: InstrumentStatus,
}

impl Instrument {
    /// What the engine must know of it: the only way of an instrument into an engine. Fees are millionths of the
    /// traded value; `outer_levels` are the levels a side held outside the book's window.
    ///
    /// # Errors
    /// [`ContractError`]: the engine would value it wrongly.
    pub fn engine_settings(
        &self,
        maker_fee_millionths: i64,
        taker_fee_millionths: i64,
        outer_levels: usize,
    ) -> Result<InstrumentSettings, ContractError> {
        self.contract.check_valued()?;
        Ok(InstrumentSettings {
            venue: self.venue,
            tick_order_step: Tick(self.tick_order_step.max(1)),
            lots_order_step: Lots(self.lots_order_step.max(1)),
            lots_order_min: self.lots_order_min,
            lots_order_max: self.lots_order_max,
            notional_min: self.notional_min,
            atoms_per_tick_lot: self.atoms_per_tick_lot,
            maker_fee_millionths,
            taker_fee_millionths,
            outer_levels,
        })
    }

    /// The same instrument counted in units so fine that prices down to `10^price_exponent` and quantities down
    /// to `10^quantity_exponent` are whole: an increment that was made coarser leaves old orders between its
    /// steps. Order steps stay what they are. `None` if the numbers no longer fit.
    #[must_use]
    pub fn refined(&self, price_exponent: i32, quantity_exponent: i32) -> Option<Instrument> {
        let (price, tick_factor) = finer(&self.price, price_exponent)?;
        let (quantity, lots_factor) = finer(&self.quantity, quantity_exponent)?;
        let tick = |tick: Tick| tick.0.checked_mul(tick_factor).map(Tick);
        let lots = |lots: Lots| lots.0.checked_mul(lots_factor).map(Lots);
        Some(Instrument {
            price,
            quantity,
            tick_order_step: self.tick_order_step.checked_mul(tick_factor)?,
            lots_order_step: self.lots_order_step.checked_mul(lots_factor)?,
            lots_order_min: lots(self.lots_order_min)?,
            lots_order_max: Lots(self.lots_order_max.0.saturating_mul(lots_factor).min(i64::MAX / 4)),
            tick_order_min: tick(self.tick_order_min)?,
            tick_order_max: tick(self.tick_order_max)?,
            atoms_per_tick_lot: atoms_per_tick_lot(&price, &quantity)?,
            ..*self
        })
    }
}

/// A scale in which `10^exponent` is whole too, and how many of its units make one of the old.
fn finer(scale: &Scale, exponent: i32) -> Option<(Scale, i64)> {
    let decimals = scale.decimals().max(u8::try_from(-exponent).unwrap_or(0));
    let old_step = scale.step().checked_mul(10u64.checked_pow(u32::from(decimals - scale.decimals()))?)?;
    let power = 10u64.checked_pow(u32::try_from(i32::from(decimals) + exponent).ok()?).unwrap_or(old_step);
    let (mut step, mut rest) = (old_step, power);
    while rest != 0 {
        (step, rest) = (rest, step % rest);
    }
    Some((Scale::new(decimals, step)?, i64::try_from(old_step / step).ok()?))
}

/// The worth of one tick times one lot in 10^-18 of the quote asset; `None` if that is not a whole number.
#[must_use]
pub fn atoms_per_tick_lot(price: &Scale, quantity: &Scale) -> Option<i128> {
    let product = price.unit_atoms().checked_mul(quantity.unit_atoms())?;
    let unit = spinbook_engine::types::QUOTE_ATOMS_PER_UNIT as u128;
    if product % unit != 0 {
        return None;
    }
    i128::try_from(product / unit).ok()
}

/// Quote assets that a symbol without separators may end with, longest first.
const QUOTE_ASSETS: [&str; 14] =
    ["FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USDP", "EUR", "TRY", "BTC", "ETH", "BNB", "BRL", "USD", "DAI"];

/// Base and quote asset of a symbol that is written without separators; `None`: it ends with none that is known.
#[must_use]
pub fn split_assets(symbol: &str) -> Option<(&str, &'static str)> {
    let base =
        |quote: &&'static str| symbol.strip_suffix(*quote).filter(|base| !base.is_empty()).map(|base| (base, *quote));
    QUOTE_ASSETS.iter().find_map(base)
}
