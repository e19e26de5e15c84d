//! COLD: the markets that are measured: recorded chains, product lines of synthetic frames, their instruments; the only
//! file here that chooses product lines by name.

use spinbook_engine::types::Lots;
use spinbook_feed::number::Scale;
use spinbook_feed::testkit;
use spinbook_feed::venue::instrument::Instrument;
use spinbook_feed::venue::{ProductLine, binance};

pub use spinbook_feed::venue::binance::decode::Decoder as MeasuredDecoder;
pub use spinbook_feed::venue::binance::order::BinanceOrders as MeasuredOrders;

use crate::plain::{Increment, Increments};
use crate::synthetic::Shape;

/// The recorded chains that the tables are made from: name, and files under the data folder.
pub const CHAINS: [(&str, &[&str]); 3] = [
    ("perp 2024", &["binance-usdm/btcusdt_20240718.gz", "binance-usdm/btcusdt_20240719.gz"]),
    ("perp 2023", &["binance-usdm/btcusdt_20230404.dat.gz", "binance-usdm/btcusdt_20230405.dat.gz"]),
    ("spot 2024", &["binance-spot/btcusdt_20240808.gz", "binance-spot/btcusdt_20240809.gz"]),
];
/// The chain that stands for the futures among [`CHAINS`], where one is enough.
pub const PERP: usize = 0;
/// The chain that stands for spot.
pub const SPOT: usize = 2;

/// The product line whose frames a shape imitates.
#[must_use]
pub fn product(shape: Shape) -> ProductLine {
    match shape {
        Shape::Usdm => binance::USDM,
        Shape::Spot => binance::SPOT,
    }
}

/// The product lines that orders are sent on, in the order of the tables.
pub const PRODUCTS: [ProductLine; 2] = [binance::USDM, binance::SPOT];

/// Whether a product line is spot: its sequence rule and its refusals are others than those of futures.
#[must_use]
pub fn is_spot(product: ProductLine) -> bool {
    product == binance::SPOT
}

/// The shape of a product line's frames.
#[must_use]
pub fn shape_of(product: ProductLine) -> Shape {
    if is_spot(product) { Shape::Spot } else { Shape::Usdm }
}

/// BTCUSDT as the synthetic frames print it.
#[must_use]
pub fn synthetic(shape: Shape) -> Instrument {
    let (tick, lot, lots_order_step, whole) = match shape {
        Shape::Usdm => ("0.10", "0.001", 1, 1_000),
        Shape::Spot => ("0.01000000", "0.00000001", 1_000, 100_000_000),
    };
    Instrument {
        lots_order_step,
        lots_order_min: Lots(lots_order_step),
        lots_order_max: Lots(1_000 * whole),
        ..testkit::instrument(product(shape), 0, "BTCUSDT", tick, lot)
    }
}

/// What the plain decoders need to know of an instrument.
#[must_use]
pub fn increments(instrument: &Instrument) -> Increments {
    let of = |scale: Scale| Increment::new(u32::from(scale.decimals()), scale.step());
    Increments { price: of(instrument.price), quantity: of(instrument.quantity) }
}
