//! COLD: an instrument as tests and fuzz targets need it.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use spinbook_engine::types::{InstrumentId, Lots, QuoteAtoms, Tick};
use spinbook_feed::number::Scale;
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::instrument::{Instrument, InstrumentStatus, Symbol, atoms_per_tick_lot};

/// Tick and lot by their printed increments; every multiple of them is legal.
pub fn instrument(product: ProductLine, id: u16, symbol: &str, tick: &str, lot: &str) -> Instrument {
    let price = Scale::from_increment(tick.as_bytes()).unwrap();
    let quantity = Scale::from_increment(lot.as_bytes()).unwrap();
    let (base, quote) = symbol.split_at(symbol.len().min(3));
    Instrument {
        id: InstrumentId(id),
        venue: product.venue_id(),
        symbol: Symbol::new(symbol).unwrap(),
        base_asset: Symbol::new(base).unwrap(),
        quote_asset: Symbol::new(quote).unwrap(),
        price,
        quantity,
        tick_order_step: 1,
        lots_order_step: 1,
        lots_order_min: Lots(1),
        lots_order_max: Lots(1_000_000_000),
        tick_order_min: Tick(0),
        tick_order_max: Tick(0),
        notional_min: QuoteAtoms::ZERO,
        atoms_per_tick_lot: atoms_per_tick_lot(&price, &quantity).unwrap(),
        status: InstrumentStatus::Trading,
    }
}
