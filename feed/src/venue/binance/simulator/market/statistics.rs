//! COLD: how Binance's markets behave: quantiles measured on recorded BTCUSDT traffic.

use crate::sim::flow::{Quantiles, RecordedStatistics};
use crate::venue::{ProductLine, binance};
use spinbook_engine::types::Nanos;

/// The statistics of a product's BTCUSDT.
#[must_use]
pub fn recorded(product: ProductLine) -> RecordedStatistics {
    if product == binance::SPOT { SPOT } else { USDM }
}

// What no recording tells is who takes: takers who know leave the price where they drove it, others see it come back.
// Their shares are such that a maker who quotes two basis points beyond the venue's fee comes out even over many
// minutes; the engine's orders have no part in what happens here.
const SWEEP_MS: Quantiles = Quantiles(&[(0, 1500), (500_000, 3000), (1_000_000, 5500)]);
const SWEEP_DISTANCE_USDM: Quantiles = Quantiles(&[(0, 6000), (500_000, 8500), (1_000_000, 12_500)]);
/// Wider than on futures, as the fees are: what moves the price by less than them pays nobody.
const SWEEP_DISTANCE_SPOT: Quantiles = Quantiles(&[(0, 11_000), (500_000, 15_000), (1_000_000, 20_000)]);
const SWEEP_RETURNS: Quantiles = Quantiles(&[(0, 900_000), (1_000_000, 1_000_000)]);

const SPOT: RecordedStatistics = RecordedStatistics {
    interval: Nanos::from_millis(100),
    levels: Quantiles(&[
        (0, 1),
        (100_000, 4),
        (250_000, 9),
        (500_000, 18),
        (750_000, 38),
        (900_000, 90),
        (950_000, 150),
        (980_000, 260),
        (1_000_000, 620),
    ]),
    distance: Quantiles(&[
        (0, 0),
        (100_000, 500),
        (250_000, 1700),
        (500_000, 5000),
        (750_000, 13_500),
        (900_000, 23_000),
        (950_000, 60_000),
        (980_000, 300_000),
        (990_000, 1_000_000),
        (997_000, 3_000_000),
        (1_000_000, 9_500_000),
    ]),
    deletes: 530_000,
    touches: Quantiles(&[
        (0, 0),
        (100_000, 0),
        (250_000, 1),
        (500_000, 4),
        (750_000, 11),
        (900_000, 29),
        (950_000, 48),
        (980_000, 70),
        (1_000_000, 105),
    ]),
    trades: Quantiles(&[
        (0, 0),
        (600_000, 0),
        (750_000, 2),
        (900_000, 6),
        (950_000, 13),
        (980_000, 24),
        (1_000_000, 45),
    ]),
    level_quantity: Quantiles(&[
        (0, 1),
        (100_000, 60),
        (250_000, 1000),
        (500_000, 5400),
        (750_000, 32_000),
        (900_000, 76_000),
        (950_000, 200_000),
        (980_000, 455_000),
        (1_000_000, 1_900_000),
    ]),
    touch_quantity: Quantiles(&[
        (0, 10),
        (100_000, 800),
        (250_000, 14_800),
        (500_000, 105_000),
        (750_000, 280_000),
        (900_000, 413_000),
        (1_000_000, 700_000),
    ]),
    trade_quantity: Quantiles(&[
        (0, 8),
        (100_000, 9),
        (250_000, 10),
        (500_000, 67),
        (750_000, 1400),
        (900_000, 5800),
        (980_000, 24_600),
        (1_000_000, 45_000),
    ]),
    id_gap: Quantiles(&[(0, 1), (1_000_000, 1)]),
    id_step: Quantiles(&[(0, 1), (900_000, 1), (1_000_000, 3)]),
    sweep_ms: SWEEP_MS,
    sweep_distance: SWEEP_DISTANCE_SPOT,
    sweeps_informed: 70_000,
    sweep_refill: 300,
    sweep_returns: SWEEP_RETURNS,
    book_levels: 1000,
};

const USDM: RecordedStatistics = RecordedStatistics {
    interval: Nanos::from_millis(53),
    levels: Quantiles(&[
        (0, 2),
        (100_000, 9),
        (250_000, 14),
        (500_000, 21),
        (750_000, 36),
        (900_000, 70),
        (950_000, 120),
        (980_000, 210),
        (1_000_000, 330),
    ]),
    distance: Quantiles(&[
        (0, 100),
        (100_000, 900),
        (250_000, 2100),
        (500_000, 5300),
        (750_000, 15_500),
        (900_000, 170_000),
        (950_000, 4_840_000),
        (980_000, 9_200_000),
        (1_000_000, 9_843_000),
    ]),
    deletes: 40_000,
    touches: Quantiles(&[
        (0, 0),
        (250_000, 0),
        (500_000, 2),
        (750_000, 4),
        (900_000, 9),
        (950_000, 18),
        (980_000, 52),
        (1_000_000, 100),
    ]),
    trades: Quantiles(&[(0, 0), (650_000, 0), (750_000, 1), (900_000, 2), (950_000, 3), (980_000, 9), (1_000_000, 25)]),
    level_quantity: Quantiles(&[
        (0, 100),
        (100_000, 500),
        (250_000, 3000),
        (500_000, 19_300),
        (750_000, 99_300),
        (900_000, 308_000),
        (950_000, 1_157_000),
        (980_000, 4_000_000),
        (1_000_000, 50_000_000),
    ]),
    touch_quantity: Quantiles(&[
        (0, 100),
        (100_000, 12_600),
        (250_000, 134_000),
        (500_000, 1_038_000),
        (750_000, 1_868_000),
        (900_000, 2_993_000),
        (1_000_000, 5_000_000),
    ]),
    trade_quantity: Quantiles(&[
        (0, 100),
        (100_000, 200),
        (250_000, 200),
        (500_000, 1200),
        (750_000, 7400),
        (900_000, 23_000),
        (980_000, 105_000),
        (1_000_000, 240_000),
    ]),
    id_gap: Quantiles(&[(0, 5), (500_000, 144), (900_000, 461), (990_000, 1091), (1_000_000, 1500)]),
    id_step: Quantiles(&[(0, 5), (500_000, 60), (1_000_000, 180)]),
    sweep_ms: SWEEP_MS,
    sweep_distance: SWEEP_DISTANCE_USDM,
    sweeps_informed: 250_000,
    sweep_refill: 60,
    sweep_returns: SWEEP_RETURNS,
    book_levels: 1000,
};
