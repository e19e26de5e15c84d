//! COLD: market data as Binance prints it: tickers, candles and trades, for requests and streams.

use super::call::{Call, find_listing};
use super::errors::ApiError;
use super::format;
use crate::sim::api::{Listing, ListingIndex};
use crate::sim::tape::{Bar, BarInterval, TapeTrade};
use crate::sim::world::World;
use crate::venue::binance::Product;
use serde_json::{Value, json};
use spinbook_engine::types::{Level, Lots, Side, Tick};
use std::collections::BTreeMap;

/// A day, over which tickers count, in ms.
pub const DAY_MS: i64 = 86_400_000;
/// Minutes over which the average price counts.
const AVERAGE_MINUTES: i64 = 5;
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;

/// The interval of a candle by the venue's name.
#[must_use]
pub(crate) fn interval(product: Product, name: &str) -> Option<BarInterval> {
    let span = match name {
        "1s" if product == Product::BinanceSpot => 1_000,
        "1m" => MINUTE_MS,
        "3m" => 3 * MINUTE_MS,
        "5m" => 5 * MINUTE_MS,
        "15m" => 15 * MINUTE_MS,
        "30m" => 30 * MINUTE_MS,
        "1h" => HOUR_MS,
        "2h" => 2 * HOUR_MS,
        "4h" => 4 * HOUR_MS,
        "6h" => 6 * HOUR_MS,
        "8h" => 8 * HOUR_MS,
        "12h" => 12 * HOUR_MS,
        "1d" => DAY_MS,
        "3d" => 3 * DAY_MS,
        "1w" => return Some(BarInterval::Week),
        "1M" => return Some(BarInterval::Month),
        _ => return None,
    };
    Some(BarInterval::Millis(span))
}

/// The last trade's price; before the first trade, the best bid's.
#[must_use]
pub fn last_price(world: &World, index: ListingIndex) -> Tick {
    let (bid, ask) = world.best(index);
    world.tape(index).last().map_or_else(|| bid.or(ask).unwrap_or_default().tick, |trade| trade.tick)
}

/// Twice the mid in ticks, exact; 0 before the first book.
fn doubled_mid(world: &World, index: ListingIndex) -> i64 {
    let (bid, ask) = world.best(index);
    let (bid, ask) = (bid.or(ask).unwrap_or_default(), ask.or(bid).unwrap_or_default());
    bid.tick.0 + ask.tick.0
}

/// The mark price, which here is the mid, with eight decimals.
#[must_use]
pub fn mark_price(world: &World, index: ListingIndex) -> String {
    let tick_atoms = i128::try_from(world.listings()[index].price.unit_atoms()).unwrap_or(0);
    format::amount(i128::from(doubled_mid(world, index)) * tick_atoms / 2, 8)
}

/// The average price of the last five minutes; before the first trade, the last price.
#[must_use]
pub fn average_price(world: &World, index: ListingIndex, now_ms: i64) -> String {
    let listing = &world.listings()[index];
    match world.tape(index).since(now_ms - AVERAGE_MINUTES * MINUTE_MS) {
        Some(bar) => format::average_price(listing, bar.value, bar.lots, 8),
        None => format::price(listing, last_price(world, index)),
    }
}

/// What tickers say: the sum of the last day and what stands now.
pub struct DayTicker {
    /// Everything traded in the day; quiet at the last price if nothing was.
    pub day: Bar,
    /// Quantity of the last trade.
    pub last_lots: Lots,
    /// Best bid.
    pub bid: Level,
    /// Best ask.
    pub ask: Level,
    /// Price before the day began, or the first of it.
    pub before: Tick,
}

impl DayTicker {
    /// The ticker of a listing.
    #[must_use]
    pub fn of(world: &World, index: ListingIndex, now_ms: i64, span_ms: i64) -> DayTicker {
        let tape = world.tape(index);
        let quiet = || Bar::quiet(now_ms - span_ms, last_price(world, index));
        let day = tape.since(now_ms - span_ms).unwrap_or_else(quiet);
        let (bid, ask) = world.best(index);
        DayTicker {
            day,
            last_lots: tape.last().map_or(Lots::ZERO, |trade| trade.lots),
            bid: bid.unwrap_or_default(),
            ask: ask.unwrap_or_default(),
            before: tape.price_before(now_ms - span_ms).unwrap_or(day.open),
        }
    }

    /// Change of the price, signed.
    #[must_use]
    pub fn change(&self, listing: &Listing) -> String {
        let change = self.day.close.0 - self.day.open.0;
        let sign = if change < 0 { "-" } else { "" };
        format!("{sign}{}", format::price(listing, Tick(change.abs())))
    }

    /// Change of the price in percent, three decimals, signed.
    #[must_use]
    pub fn change_percent(&self) -> String {
        let change = i128::from(self.day.close.0 - self.day.open.0) * 100_000 / i128::from(self.day.open.0.max(1));
        let sign = if change < 0 { "-" } else { "" };
        format!("{sign}{}.{:03}", change.abs() / 1000, change.abs() % 1000)
    }

    /// Average price, weighted by quantity.
    #[must_use]
    pub fn weighted(&self, listing: &Listing) -> String {
        if self.day.lots.is_zero() {
            return format::price(listing, self.day.close);
        }
        format::average_price(listing, self.day.value, self.day.lots, 8)
    }
}

/// The figures of a day's ticker; the short one without averages and the touch.
fn ticker(call: &Call<'_>, world: &World, index: ListingIndex, short: bool) -> Value {
    let listing = &world.listings()[index];
    let now_ms = call.server_time.millis();
    let ticker = DayTicker::of(world, index, now_ms, DAY_MS);
    let day = &ticker.day;
    let price = |tick| format::price(listing, tick);
    let spot = call.product == Product::BinanceSpot;
    let mut value = json!({"symbol": listing.symbol});
    if !(short && spot) {
        value = format::merged(
            value,
            json!({
                "priceChange": ticker.change(listing), "priceChangePercent": ticker.change_percent(),
                "weightedAvgPrice": ticker.weighted(listing),
            }),
        );
    }
    if !short && spot {
        value = format::merged(
            value,
            json!({
                "prevClosePrice": price(ticker.before),
                "bidPrice": price(ticker.bid.tick), "bidQty": format::quantity(listing, ticker.bid.lots),
                "askPrice": price(ticker.ask.tick), "askQty": format::quantity(listing, ticker.ask.lots),
            }),
        );
    }
    if !short {
        value["lastQty"] = json!(format::quantity(listing, ticker.last_lots));
    }
    format::merged(
        value,
        json!({
            "lastPrice": price(day.close), "openPrice": price(day.open), "highPrice": price(day.high),
            "lowPrice": price(day.low), "volume": format::quantity(listing, day.lots),
            "quoteVolume": format::amount(day.value.0, 8), "openTime": now_ms - DAY_MS, "closeTime": now_ms,
            "firstId": id_or_none(day.first_id), "lastId": id_or_none(day.last_id), "count": day.trades,
        }),
    )
}

/// A trade's number; -1 where there is none.
fn id_or_none(id: u64) -> i64 {
    if id == 0 { -1 } else { i64::try_from(id).unwrap_or(i64::MAX) }
}

/// The listings that a request names: one, several, or `None` for all.
fn named(call: &Call<'_>, world: &World) -> Result<Option<Vec<ListingIndex>>, ApiError> {
    if let Some(text) = call.params.text("symbols") {
        let list: Vec<String> =
            serde_json::from_str(text).map_err(|_| ApiError::illegal("symbols", "a JSON array of symbols"))?;
        return list.iter().map(|symbol| find_listing(world, symbol)).collect::<Result<_, _>>().map(Some);
    }
    Ok(None)
}

/// Answers for one named symbol, for several, or for all.
pub fn for_symbols(call: &Call<'_>, world: &World, one: impl Fn(ListingIndex) -> Value) -> Result<Value, ApiError> {
    if let Some(index) = call.listing_if_named(world)? {
        return Ok(one(index));
    }
    let several = named(call, world)?;
    Ok(several.unwrap_or_else(|| (0..world.listings().len()).collect()).into_iter().map(one).collect())
}

/// The day's ticker.
pub fn day_ticker(call: &Call<'_>, world: &World) -> Result<Value, ApiError> {
    let short = match call.params.text("type") {
        None | Some("FULL") => false,
        Some("MINI") if call.product == Product::BinanceSpot => true,
        Some(_) => return Err(ApiError::new(-1139, "Invalid ticker type.")),
    };
    for_symbols(call, world, |index| ticker(call, world, index, short))
}

/// The last price.
pub fn ticker_price(call: &Call<'_>, world: &World) -> Result<Value, ApiError> {
    for_symbols(call, world, |index| {
        let listing = &world.listings()[index];
        let mut value = json!({"symbol": listing.symbol, "price": format::price(listing, last_price(world, index))});
        if call.product == Product::BinanceUsdm {
            value["time"] = json!(call.server_time.millis());
        }
        value
    })
}

/// Best bid and ask.
pub fn book_ticker(call: &Call<'_>, world: &World) -> Result<Value, ApiError> {
    for_symbols(call, world, |index| {
        let listing = &world.listings()[index];
        let (bid, ask) = world.best(index);
        let (bid, ask): (Level, Level) = (bid.unwrap_or_default(), ask.unwrap_or_default());
        let mut value = json!({
            "symbol": listing.symbol,
            "bidPrice": format::price(listing, bid.tick), "bidQty": format::quantity(listing, bid.lots),
            "askPrice": format::price(listing, ask.tick), "askQty": format::quantity(listing, ask.lots),
        });
        if call.product == Product::BinanceUsdm {
            value["time"] = json!(call.server_time.millis());
            value["lastUpdateId"] = json!(world.book(index, 0).map_or(0, |book| book.sequence));
        }
        value
    })
}

/// The average price.
pub fn average(call: &Call<'_>, world: &World) -> Result<Value, ApiError> {
    let index = call.listing(world)?;
    let now_ms = call.server_time.millis();
    let closed = world.tape(index).last().map_or(now_ms, |trade| trade.at.millis());
    let price = average_price(world, index, now_ms);
    Ok(json!({"mins": AVERAGE_MINUTES, "price": price, "closeTime": closed}))
}

/// One candle as requests print it.
fn candle(listing: &Listing, bar: &Bar, interval: BarInterval) -> Value {
    let price = |tick| format::price(listing, tick);
    json!([
        bar.start_ms,
        price(bar.open),
        price(bar.high),
        price(bar.low),
        price(bar.close),
        format::quantity(listing, bar.lots),
        interval.next_ms(bar.start_ms) - 1,
        format::amount(bar.value.0, 8),
        bar.trades,
        format::quantity(listing, bar.bought_lots),
        format::amount(bar.bought_value.0, 8),
        "0",
    ])
}

/// Candles: the newest, or those of a span of time.
pub fn candles(call: &Call<'_>, world: &World) -> Result<Value, ApiError> {
    let index = match call.params.text("pair") {
        Some(pair) => find_listing(world, pair)?,
        None => call.listing(world)?,
    };
    let interval = interval(call.product, call.params.required("interval")?)
        .ok_or_else(|| ApiError::new(-1120, "Invalid interval."))?;
    let (usual, limit_max) = if call.product == Product::BinanceSpot { (500, 1000) } else { (500, 1500) };
    let limit = usize::try_from(call.params.integer("limit")?.unwrap_or(usual).clamp(1, limit_max)).unwrap_or(1);
    let (start, end) = (call.params.integer("startTime")?, call.params.integer("endTime")?);
    let bars = world.tape(index).bars(interval, call.server_time.millis());
    let fits =
        |bar: &&Bar| start.is_none_or(|start| bar.start_ms >= start) && end.is_none_or(|end| bar.start_ms <= end);
    let fitting: Vec<&Bar> = bars.iter().filter(fits).collect();
    let skip = if start.is_some() { 0 } else { fitting.len().saturating_sub(limit) };
    let listing = &world.listings()[index];
    Ok(fitting.iter().skip(skip).take(limit).map(|bar| candle(listing, bar, interval)).collect())
}

/// Trades of the market: the newest, or from a number on.
pub fn recent_trades(call: &Call<'_>, world: &World) -> Result<Value, ApiError> {
    let index = call.listing(world)?;
    let listing = &world.listings()[index];
    let spot = call.product == Product::BinanceSpot;
    let print = |trade: &TapeTrade| {
        let mut value = json!({
            "id": trade.id, "price": format::price(listing, trade.tick), "qty": format::quantity(listing, trade.lots),
            "quoteQty": format::amount(trade.value.0, 8), "time": trade.at.millis(),
            "isBuyerMaker": trade.aggressor == Side::Ask,
        });
        value[if spot { "isBestMatch" } else { "isRPITrade" }] = json!(spot);
        value
    };
    Ok(chosen_trades(call, world, index)?.into_iter().map(print).collect())
}

/// Trades in their aggregated form; each is one of its own here.
pub fn aggregated_trades(call: &Call<'_>, world: &World) -> Result<Value, ApiError> {
    let index = call.listing(world)?;
    let listing = &world.listings()[index];
    let print = |trade: &TapeTrade| {
        let quantity = format::quantity(listing, trade.lots);
        let mut value = json!({
            "a": trade.id, "p": format::price(listing, trade.tick), "q": quantity, "f": trade.id, "l": trade.id,
            "T": trade.at.millis(), "m": trade.aggressor == Side::Ask,
        });
        match call.product {
            Product::BinanceSpot => value["M"] = json!(true),
            Product::BinanceUsdm => value["nq"] = json!(quantity),
        }
        value
    };
    Ok(chosen_trades(call, world, index)?.into_iter().map(print).collect())
}

fn chosen_trades<'a>(call: &Call<'_>, world: &'a World, index: ListingIndex) -> Result<Vec<&'a TapeTrade>, ApiError> {
    let params = call.params;
    let limit = usize::try_from(params.integer("limit")?.unwrap_or(500).clamp(1, 1000)).unwrap_or(500);
    let from = params.integer("fromId")?.map(i64::unsigned_abs);
    let (start, end) = (params.integer("startTime")?, params.integer("endTime")?);
    let fits = |trade: &&TapeTrade| {
        from.is_none_or(|id| trade.id >= id)
            && start.is_none_or(|at| trade.at.millis() >= at)
            && end.is_none_or(|at| trade.at.millis() <= at)
    };
    let fitting: Vec<&TapeTrade> = world.tape(index).trades().filter(fits).collect();
    let oldest_first = from.is_some() || start.is_some();
    let skip = if oldest_first { 0 } else { fitting.len().saturating_sub(limit) };
    Ok(fitting.into_iter().skip(skip).take(limit).collect())
}

/// When the next funding in its turn is.
#[must_use]
pub fn next_funding_ms(world: &World, now_ms: i64) -> i64 {
    let every_ms = world.faults.plan().funding.and_then(|regular| i64::try_from(regular.every_ms.max(1)).ok());
    let every = BarInterval::Millis(every_ms.unwrap_or(8 * HOUR_MS));
    every.next_ms(every.start_ms(now_ms))
}

/// The rate at which the next funding in its turn will be: zero where none is planned.
#[must_use]
pub fn funding_rate(world: &World) -> String {
    rate_text(world.faults.plan().funding.map_or(0, |regular| regular.rate_millionths))
}

fn rate_text(millionths: i64) -> String {
    format::amount(i128::from(millionths) * 1_000_000_000_000, 8)
}

/// Mark price and funding.
pub fn premium_index(call: &Call<'_>, world: &World) -> Result<Value, ApiError> {
    let now_ms = call.server_time.millis();
    for_symbols(call, world, |index| {
        let mark = mark_price(world, index);
        json!({
            "symbol": world.listings()[index].symbol, "markPrice": mark, "indexPrice": mark,
            "estimatedSettlePrice": mark, "lastFundingRate": funding_rate(world), "interestRate": "0.00000000",
            "nextFundingTime": next_funding_ms(world, now_ms), "time": now_ms,
        })
    })
}

/// Past fundings: those that were, and since the first trade one of a rate of zero at every time that had none.
pub fn funding_rates(call: &Call<'_>, world: &World) -> Result<Value, ApiError> {
    let params = call.params;
    let limit = usize::try_from(params.integer("limit")?.unwrap_or(100).clamp(1, 1000)).unwrap_or(100);
    let (start, end) = (params.integer("startTime")?, params.integer("endTime")?);
    let wanted = call.listing_if_named(world)?;
    let now_ms = call.server_time.millis();
    let mut rates = Vec::new();
    for (index, listing) in world.listings().iter().enumerate() {
        let Some(first) = world.tape(index).first_ms().filter(|_| wanted.is_none_or(|wanted| wanted == index)) else {
            continue;
        };
        let mut fundings: BTreeMap<i64, i64> = BTreeMap::new();
        let mut at = next_funding_ms(world, first);
        while at <= now_ms {
            fundings.insert(at, 0);
            at = next_funding_ms(world, at);
        }
        fundings.extend(world.fundings(index).map(|funding| (funding.at.millis(), funding.rate_millionths)));
        for (at, rate) in fundings {
            let price = world.tape(index).price_before(at).unwrap_or_default();
            if start.is_none_or(|start| at >= start) && end.is_none_or(|end| at <= end) {
                rates.push(json!({
                    "symbol": listing.symbol, "fundingTime": at, "fundingRate": rate_text(rate),
                    "markPrice": format::price(listing, price),
                }));
            }
        }
    }
    let skip = if start.is_some() { 0 } else { rates.len().saturating_sub(limit) };
    Ok(rates.into_iter().skip(skip).take(limit).collect())
}
