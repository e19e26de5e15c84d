//! COLD: an instrument as tests, fuzz targets and measurements need it.

use spinbook_engine::types::{InstrumentId, Lots, QuoteAtoms, Tick};

use crate::number::Scale;
use crate::venue::ProductLine;
use crate::venue::instrument::{Instrument, InstrumentStatus, Symbol, atoms_per_tick_lot};

/// Tick and lot by their printed increments; every multiple of them is legal. The symbol's first three bytes are the
/// base asset.
///
/// # Panics
/// An increment or a symbol that no venue would print.
#[must_use]
pub fn instrument(product: ProductLine, id: u16, symbol: &str, tick: &str, lot: &str) -> Instrument {
    let price = Scale::from_increment(tick.as_bytes()).expect("an increment");
    let quantity = Scale::from_increment(lot.as_bytes()).expect("an increment");
    let (base, quote) = symbol.split_at(symbol.len().min(3));
    Instrument {
        id: InstrumentId(id),
        venue: product.venue_id(),
        symbol: Symbol::new(symbol).expect("a short symbol"),
        base_asset: Symbol::new(base).expect("a short name"),
        quote_asset: Symbol::new(quote).expect("a short name"),
        contract: product.card().contract,
        price,
        quantity,
        tick_order_step: 1,
        lots_order_step: 1,
        lots_order_min: Lots(1),
        lots_order_max: Lots(1_000_000_000),
        tick_order_min: Tick(0),
        tick_order_max: Tick(0),
        notional_min: QuoteAtoms::ZERO,
        atoms_per_tick_lot: atoms_per_tick_lot(&price, &quantity).expect("a whole number of atoms"),
        status: InstrumentStatus::Trading,
    }
}
