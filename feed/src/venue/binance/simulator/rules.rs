//! COLD: Binance's figures for the simulated exchange: windows, fees, well-known listings.

use crate::number::{Scale, TEXT_MAX};
use crate::sim::api::{ListingSettings, MarginBracket};
use crate::sim::flow::SyntheticSymbol;
use crate::venue::ProductLine;
use crate::venue::binance::Product;
use crate::venue::instrument::{Instrument, split_assets};
use crate::venue::simulator_side::ChosenSymbol;
use rust_decimal::Decimal;
use spinbook_engine::types::Nanos;

/// Counts and spans of the rate windows: weight, short orders, long orders, connections.
#[must_use]
pub fn windows(product: ProductLine) -> [(u64, Nanos); 4] {
    let product = Product::of(product);
    let minute = Nanos::from_seconds(60);
    let connections = (300, Nanos::from_seconds(300));
    match product {
        Product::BinanceSpot => {
            [(6000, minute), (50, Nanos::from_seconds(10)), (160_000, Nanos::from_seconds(86_400)), connections]
        }
        Product::BinanceUsdm => [(2400, minute), (300, Nanos::from_seconds(10)), (1200, minute), connections],
    }
}

/// Maker and taker fee of an ordinary account, in millionths.
#[must_use]
pub fn fees(product: ProductLine) -> (i64, i64) {
    let fees = product.card().fees;
    (fees.maker_millionths, fees.taker_millionths)
}

/// A listing for a symbol whose increments are known; `tick_size` and `order_step` as the venue prints them.
#[must_use]
pub fn listing(product: ProductLine, symbol: &str, tick_size: &str, order_step: &str) -> ListingSettings {
    let of = Product::of(product);
    let (base, quote) = split_assets(symbol).unwrap_or((symbol, "USDT"));
    let lot_size = match of {
        Product::BinanceSpot => "0.00000001",
        Product::BinanceUsdm => order_step,
    };
    ListingSettings {
        symbol: symbol.to_owned(),
        base: base.to_owned(),
        quote: quote.to_owned(),
        tick_size: tick_size.to_owned(),
        tick_unit: tick_size.to_owned(),
        lot_size: lot_size.to_owned(),
        order_step: order_step.to_owned(),
        notional_min: match (of, base) {
            (Product::BinanceSpot, _) => Decimal::from(5),
            (Product::BinanceUsdm, "BTC") => Decimal::from(50),
            (Product::BinanceUsdm, "ETH") => Decimal::from(20),
            (Product::BinanceUsdm, _) => Decimal::from(5),
        },
    }
}

/// A listing for an instrument, as a recording's inference or an instrument list gives it.
#[must_use]
pub fn listing_for(product: ProductLine, instrument: &Instrument) -> ListingSettings {
    let text = |scale: &Scale, units: i64| {
        let mut buffer = [0u8; TEXT_MAX];
        scale.format(units, &mut buffer).to_owned()
    };
    let tick_size = text(&instrument.price, instrument.tick_order_step.max(1));
    let order_step = text(&instrument.quantity, instrument.lots_order_step.max(1));
    let mut settings = listing(product, instrument.symbol.as_str(), &tick_size, &order_step);
    settings.tick_unit = text(&instrument.price, 1);
    settings.lot_size = text(&instrument.quantity, 1);
    settings
}

/// A listing whose increments are known here; others are inferred from their market.
#[must_use]
pub fn known_listing(product: ProductLine, symbol: &str) -> Option<ListingSettings> {
    let (tick_size, order_step) = match (Product::of(product), symbol) {
        (Product::BinanceSpot, "BTCUSDT") => ("0.01000000", "0.00001000"),
        (Product::BinanceSpot, "ETHUSDT") => ("0.01000000", "0.00010000"),
        (Product::BinanceUsdm, "BTCUSDT") => ("0.10", "0.001"),
        (Product::BinanceUsdm, "ETHUSDT") => ("0.01", "0.001"),
        _ => return None,
    };
    Some(listing(product, symbol, tick_size, order_step))
}

/// What a symbol of a made-up market costs at its start, where nothing else is said.
const USUAL_PRICES: &[(&str, &str)] = &[
    ("BTCUSDT", "64000"),
    ("ETHUSDT", "3200"),
    ("BNBUSDT", "580"),
    ("SOLUSDT", "150"),
    ("XRPUSDT", "0.6"),
    ("ADAUSDT", "0.4"),
    ("DOGEUSDT", "0.12"),
];

/// A symbol of a made-up market. Where its increments are not known here, they are a hundred-thousandth of its price or
/// less, and orders count in steps worth some cents.
///
/// # Errors
/// It has no usual price, its name is not in capitals, or its price is none that a market can be made at.
pub fn synthetic_symbol(product: ProductLine, chosen: &ChosenSymbol) -> Result<SyntheticSymbol, String> {
    let symbol = &chosen.symbol;
    let usual = || USUAL_PRICES.iter().find(|(name, _)| name == symbol).and_then(|(_, price)| price.parse().ok());
    let price: Decimal =
        chosen.price.or_else(usual).ok_or_else(|| format!("{symbol} needs a price here: {symbol}=1.25"))?;
    if price < Decimal::new(1, 2) || price > Decimal::from(1_000_000) {
        return Err(format!("{symbol}: {price} is no price between 0.01 and 1000000"));
    }
    if split_assets(symbol).is_none() {
        return Err(format!("{symbol} is no pair of assets, such as ETHUSDT"));
    }
    let listing = known_listing(product, symbol).unwrap_or_else(|| {
        // Decimals of a price increment, from one at 100,000 and more on.
        let (mut decimals, mut reach) = (0, Decimal::from(100_000));
        while price < reach {
            (decimals, reach) = (decimals + 1, reach / Decimal::TEN);
        }
        let step_decimals = 6_u32.saturating_sub(decimals);
        let increment = |decimals: u32| Decimal::new(1, decimals);
        let text = |increment: Decimal| match Product::of(product) {
            Product::BinanceSpot => format!("{increment:.8}"),
            Product::BinanceUsdm => increment.to_string(),
        };
        listing(product, symbol, &text(increment(decimals)), &text(increment(step_decimals)))
    });
    Ok(SyntheticSymbol { listing, price: price.normalize().to_string() })
}

/// The margin table of a USD-M symbol, as the venue's was for BTCUSDT.
#[must_use]
pub fn brackets(product: ProductLine) -> Vec<MarginBracket> {
    if Product::of(product) == Product::BinanceSpot {
        return Vec::new();
    }
    let bracket = |(leverage_max, notional_max, maintenance_millionths, deduction)| MarginBracket {
        leverage_max,
        notional_max,
        maintenance_millionths,
        deduction,
    };
    BRACKETS.iter().copied().map(bracket).collect()
}

/// Leverage, largest value, maintenance margin in millionths, and what is taken off it.
const BRACKETS: [(i64, i64, i64, i64); 12] = [
    (125, 300_000, 4_000, 0),
    (100, 800_000, 5_000, 300),
    (75, 3_000_000, 6_500, 1_500),
    (50, 12_000_000, 10_000, 12_000),
    (25, 70_000_000, 20_000, 132_000),
    (20, 100_000_000, 25_000, 482_000),
    (10, 230_000_000, 50_000, 2_982_000),
    (5, 480_000_000, 100_000, 14_482_000),
    (4, 600_000_000, 125_000, 26_482_000),
    (3, 800_000_000, 150_000, 41_482_000),
    (2, 1_200_000_000, 250_000, 121_482_000),
    (1, 1_800_000_000, 500_000, 421_482_000),
];
