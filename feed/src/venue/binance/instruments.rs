//! COLD: Binance's instrument lists (`exchangeInfo`) of both product lines; their rate limits are read by
//! `rate_limits`.

use std::collections::HashMap;

use serde::Deserialize;
use spinbook_engine::types::{InstrumentId, Lots, QuoteAtoms, Tick};

use super::Product;
use crate::error::InstrumentError;
use crate::number::{Scale, parse_atoms};
use crate::venue::ProductLine;
use crate::venue::instrument::{Instrument, InstrumentStatus, Symbol, atoms_per_tick_lot};

/// Decimals of Binance spot balances and fees.
const SPOT_BALANCE_DECIMALS: u8 = 8;

/// Largest price increment in its last decimal: as many of them as 63 bits count still print in 28 digits.
const STEP_MAX: u64 = 1 << 32;

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    symbols: Vec<ListedSymbol>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListedSymbol {
    symbol: String,
    status: String,
    base_asset: String,
    quote_asset: String,
    #[serde(default)]
    filters: Vec<Filter>,
}

/// Any filter; only the fields of its own type are there.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Filter {
    filter_type: String,
    tick_size: Option<String>,
    min_price: Option<String>,
    max_price: Option<String>,
    step_size: Option<String>,
    min_qty: Option<String>,
    max_qty: Option<String>,
    min_notional: Option<String>,
    notional: Option<String>,
}

/// Every instrument of a list whose rules can be read, numbered in the list's order.
///
/// # Errors
/// [`InstrumentError::List`] if it is not the venue's JSON. A symbol with unusable rules, or listed twice, is left
/// out here and named by [`find_instruments`] if it is configured.
pub fn parse_instruments(product: ProductLine, list: &[u8]) -> Result<Vec<Instrument>, InstrumentError> {
    let product = Product::of(product);
    let list = read(list)?;
    let mut counts: HashMap<&str, usize> = HashMap::with_capacity(list.symbols.len());
    for listed in &list.symbols {
        *counts.entry(&listed.symbol).or_default() += 1;
    }
    let mut instruments = Vec::with_capacity(list.symbols.len());
    for listed in list.symbols.iter().filter(|listed| counts[listed.symbol.as_str()] == 1) {
        if let Ok(instrument) = instrument(product, listed, instruments.len()) {
            instruments.push(instrument);
        }
    }
    Ok(instruments)
}

/// The named instruments of a list, numbered in the order of `symbols`.
///
/// # Errors
/// [`InstrumentError`]: the list is unreadable, a symbol is not listed or more than once, or one of its rules is
/// unusable.
pub fn find_instruments(
    product: ProductLine,
    list: &[u8],
    symbols: &[&str],
) -> Result<Vec<Instrument>, InstrumentError> {
    let product = Product::of(product);
    let list = read(list)?;
    symbols
        .iter()
        .enumerate()
        .map(|(index, symbol)| {
            let mut rows = list.symbols.iter().filter(|listed| listed.symbol == *symbol);
            let listed = rows.next().ok_or_else(|| InstrumentError::Unknown {
                symbol: (*symbol).to_owned(),
                hint: hint(symbol, &list.symbols),
            })?;
            match rows.count() {
                0 => instrument(product, listed, index),
                others => Err(InstrumentError::Repeated { symbol: (*symbol).to_owned(), count: others + 1 }),
            }
        })
        .collect()
}

fn read(list: &[u8]) -> Result<List, InstrumentError> {
    serde_json::from_slice(list).map_err(|error| InstrumentError::List(error.to_string()))
}

/// The listed symbol that differs in the fewest places, if one is near.
fn hint(symbol: &str, listed: &[ListedSymbol]) -> String {
    let wanted = symbol.to_uppercase();
    let exact = listed.iter().find(|candidate| candidate.symbol == wanted);
    let near = exact.or_else(|| {
        listed.iter().find(|candidate| {
            let same_length = candidate.symbol.len() == wanted.len();
            same_length
                && candidate.symbol.bytes().zip(wanted.bytes()).filter(|(left, right)| left != right).count() <= 2
        })
    });
    match near {
        Some(near) => format!("did you mean {}?", near.symbol),
        None => format!("the list has {} symbols", listed.len()),
    }
}

fn instrument(product: Product, listed: &ListedSymbol, index: usize) -> Result<Instrument, InstrumentError> {
    let fail =
        |field: &'static str, problem: String| InstrumentError::Field { symbol: listed.symbol.clone(), field, problem };
    let name = |text: &str, field| Symbol::new(text).ok_or_else(|| fail(field, format!("unusable name {text:?}")));
    let rules = Rules::of(listed);
    let tick_size = rules.tick_size.ok_or_else(|| fail("tickSize", "missing or zero".to_owned()))?;
    let step_size = rules.step_size.ok_or_else(|| fail("stepSize", "missing or zero".to_owned()))?;
    let price = Scale::from_increment(tick_size.as_bytes()).map_err(|error| fail("tickSize", error.to_string()))?;
    let step = Scale::from_increment(step_size.as_bytes()).map_err(|error| fail("stepSize", error.to_string()))?;
    if price.step() > STEP_MAX {
        return Err(fail("tickSize", format!("unusable increment {tick_size}")));
    }
    let quantity = match product {
        Product::BinanceSpot => Scale::new(step.decimals().max(SPOT_BALANCE_DECIMALS), 1),
        Product::BinanceUsdm => Scale::new(step.decimals(), 1),
    }
    .ok_or_else(|| fail("stepSize", format!("unusable increment {step_size}")))?;
    let lots = |text: &Option<String>, field, otherwise| match text {
        Some(text) => quantity.parse(text.as_bytes()).map_err(|error| fail(field, error.to_string())),
        None => Ok(otherwise),
    };
    let bound = |text: &Option<String>| text.as_ref().map_or(Ok(0), |text| rounded_down(&price, text));
    let lots_order_step = lots(&Some(step_size.to_owned()), "stepSize", 1)?;
    let lots_order_max = match lots(&rules.max_quantity, "maxQty", i64::MAX / 4)? {
        0 => i64::MAX / 4,
        most => most,
    };
    let notional_min = match &rules.notional_min {
        Some(text) => QuoteAtoms(parse_atoms(text.as_bytes()).map_err(|error| fail("minNotional", error.to_string()))?),
        None => QuoteAtoms::ZERO,
    };
    Ok(Instrument {
        id: InstrumentId(u16::try_from(index).map_err(|_| fail("symbol", "too many instruments".to_owned()))?),
        venue: product.line().venue_id(),
        symbol: name(&listed.symbol, "symbol")?,
        base_asset: name(&listed.base_asset, "baseAsset")?,
        quote_asset: name(&listed.quote_asset, "quoteAsset")?,
        contract: product.card().contract,
        price,
        quantity,
        tick_order_step: 1,
        lots_order_step,
        lots_order_min: Lots(lots(&rules.min_quantity, "minQty", lots_order_step)?.max(lots_order_step)),
        lots_order_max: Lots(lots_order_max),
        tick_order_min: Tick(bound(&rules.min_price).map_err(|problem| fail("minPrice", problem))?),
        tick_order_max: Tick(bound(&rules.max_price).map_err(|problem| fail("maxPrice", problem))?),
        notional_min,
        atoms_per_tick_lot: atoms_per_tick_lot(&price, &quantity)
            .ok_or_else(|| fail("tickSize", "a tick times a lot is finer than 10^-18".to_owned()))?,
        status: match listed.status.as_str() {
            "TRADING" => InstrumentStatus::Trading,
            "CANCEL_ONLY" => InstrumentStatus::CancelOnly,
            _ => InstrumentStatus::Closed,
        },
    })
}

/// The rules that are on; a zero in the list means that the rule is off.
struct Rules<'a> {
    tick_size: Option<&'a str>,
    step_size: Option<&'a str>,
    min_price: Option<String>,
    max_price: Option<String>,
    min_quantity: Option<String>,
    max_quantity: Option<String>,
    notional_min: Option<String>,
}

impl<'a> Rules<'a> {
    fn of(listed: &'a ListedSymbol) -> Rules<'a> {
        let filter = |kind: &str| listed.filters.iter().find(|filter| filter.filter_type == kind);
        let price = filter("PRICE_FILTER");
        let lot = filter("LOT_SIZE");
        let notional = filter("NOTIONAL").or_else(|| filter("MIN_NOTIONAL"));
        let on = |text: &'a Option<String>| text.as_deref().filter(|text| !is_zero(text));
        Rules {
            tick_size: price.and_then(|filter| on(&filter.tick_size)),
            step_size: lot.and_then(|filter| on(&filter.step_size)),
            min_price: price.and_then(|filter| on(&filter.min_price)).map(str::to_owned),
            max_price: price.and_then(|filter| on(&filter.max_price)).map(str::to_owned),
            min_quantity: lot.and_then(|filter| on(&filter.min_qty)).map(str::to_owned),
            max_quantity: lot.and_then(|filter| on(&filter.max_qty)).map(str::to_owned),
            notional_min: notional
                .and_then(|filter| on(&filter.min_notional).or_else(|| on(&filter.notional)))
                .map(str::to_owned),
        }
    }
}

fn is_zero(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0' | b'.'))
}

/// A price bound in whole ticks: bounds off the tick are narrowed by the venue's own arithmetic, so the
/// nearest tick below is close enough for a bound that the venue checks again.
fn rounded_down(price: &Scale, text: &str) -> Result<i64, String> {
    let value: rust_decimal::Decimal = text.parse().map_err(|_| format!("{text:?} is no decimal"))?;
    if value.is_sign_negative() {
        return Err(format!("{text:?} is negative"));
    }
    let ticks = value.checked_div(price.decimal(1)).and_then(|ticks| i64::try_from(ticks.floor()).ok());
    ticks.ok_or_else(|| format!("{text:?} is too large"))
}
