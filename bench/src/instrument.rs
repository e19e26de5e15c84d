//! COLD: the instruments of the synthetic frames, and the plain decoders' increments of any instrument.

use spinbook_engine::types::{InstrumentId, Lots, QuoteAtoms, Tick};
use spinbook_feed::number::Scale;
use spinbook_feed::venue::instrument::{Instrument, InstrumentStatus, Symbol, atoms_per_tick_lot};
use spinbook_feed::venue::{ProductLine, binance};

use crate::plain::{Increment, Increments};
use crate::synthetic::Shape;

/// The product line whose frames a shape imitates.
#[must_use]
pub fn product(shape: Shape) -> ProductLine {
    match shape {
        Shape::Usdm => binance::USDM,
        Shape::Spot => binance::SPOT,
    }
}

/// BTCUSDT as the synthetic frames print it.
#[must_use]
pub fn synthetic(shape: Shape) -> Instrument {
    let (price, quantity) = match shape {
        Shape::Usdm => (Scale::new(2, 10), Scale::new(3, 1)),
        Shape::Spot => (Scale::new(8, 1_000_000), Scale::new(8, 1)),
    };
    let price = price.expect("a step of at most 10^18");
    let quantity = quantity.expect("a step of at most 10^18");
    let name = |text| Symbol::new(text).expect("a short name");
    let lots_order_step = match shape {
        Shape::Usdm => 1,
        Shape::Spot => 1_000,
    };
    Instrument {
        id: InstrumentId(0),
        venue: product(shape).venue_id(),
        symbol: name("BTCUSDT"),
        base_asset: name("BTC"),
        quote_asset: name("USDT"),
        price,
        quantity,
        tick_order_step: 1,
        lots_order_step,
        lots_order_min: Lots(lots_order_step),
        lots_order_max: Lots(1_000 * 10i64.pow(u32::from(quantity.decimals()))),
        tick_order_min: Tick(0),
        tick_order_max: Tick(0),
        notional_min: QuoteAtoms::ZERO,
        atoms_per_tick_lot: atoms_per_tick_lot(&price, &quantity).expect("a whole number of atoms"),
        status: InstrumentStatus::Trading,
    }
}

/// What the plain decoders need to know of an instrument.
#[must_use]
pub fn increments(instrument: &Instrument) -> Increments {
    let of = |scale: Scale| Increment::new(u32::from(scale.decimals()), scale.step());
    Increments { price: of(instrument.price), quantity: of(instrument.quantity) }
}
