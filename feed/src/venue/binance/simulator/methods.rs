//! COLD: what requests do, by REST or by WebSocket: rules, market data, queries.

use super::call::{Call, find_listing};
use super::catalog::Api;
use super::errors::ApiError;
use super::format;
use super::orders;
use crate::sim::api::{Listing, ListingIndex, SimWindowKind};
use crate::sim::world::World;
use crate::venue::binance::Product;
use serde_json::{Value, json};
use spinbook_engine::types::{Level, QuoteAtoms};

/// Handles one request that changes nothing on its connection.
///
/// # Errors
/// The venue's refusal.
pub fn handle(call: &Call<'_>, world: &mut World) -> Result<Value, ApiError> {
    match call.api {
        Api::Time => Ok(json!({"serverTime": call.server_time.millis()})),
        Api::ExchangeInfo => exchange_info(call, world),
        Api::Depth => depth(call, world),
        Api::BookTicker => book_ticker(call, world),
        Api::TickerPrice => ticker_price(call, world),
        Api::Commission => commission(call, world),
        Api::PositionMode => Ok(json!({"dualSidePosition": false})),
        Api::Leverage => leverage(call, world),
        Api::Place => orders::place(call, world, false),
        Api::TestOrder => orders::place(call, world, true),
        Api::Cancel => orders::cancel(call, world),
        Api::CancelAll => orders::cancel_all(call, world),
        Api::Query => orders::query(call, world),
        Api::OpenOrders => orders::open_orders(call, world),
        Api::Account if call.product == Product::BinanceSpot => Ok(spot_account(call, world)),
        Api::Account => Ok(futures_account(call, world)),
        Api::Balance => Ok(futures_balances(call, world)),
        Api::Positions => positions(call, world),
        Api::Trades => orders::trades(call, world),
        Api::OrderCounts => Ok(order_counts(call, world)),
        _ => Ok(json!({})),
    }
}

/// The rate windows, as `exchangeInfo` and the WebSocket API name them: kind, name, interval, number.
#[must_use]
pub fn window_names(product: Product) -> [(SimWindowKind, &'static str, &'static str, u32); 3] {
    let long = if product == Product::BinanceSpot { "DAY" } else { "MINUTE" };
    [
        (SimWindowKind::Weight, "REQUEST_WEIGHT", "MINUTE", 1),
        (SimWindowKind::OrdersShort, "ORDERS", "SECOND", 10),
        (SimWindowKind::OrdersLong, "ORDERS", long, 1),
    ]
}

fn rate_limits(call: &Call<'_>, world: &World) -> Value {
    let mut limits = Vec::new();
    for (kind, name, interval, number) in window_names(call.product) {
        let limit = world.windows.usage(kind, call.account, call.now).limit;
        limits.push(json!({"rateLimitType": name, "interval": interval, "intervalNum": number, "limit": limit}));
    }
    Value::Array(limits)
}

fn order_counts(call: &Call<'_>, world: &World) -> Value {
    let mut counts = Vec::new();
    for (kind, name, interval, number) in &window_names(call.product)[1..] {
        let window = world.windows.usage(*kind, call.account, call.now);
        counts.push(json!({
            "rateLimitType": name, "interval": interval, "intervalNum": number,
            "limit": window.limit, "count": window.used,
        }));
    }
    Value::Array(counts)
}

fn exchange_info(call: &Call<'_>, world: &World) -> Result<Value, ApiError> {
    let mut wanted: Option<Vec<String>> = call.params.text("symbol").map(|symbol| vec![symbol.to_owned()]);
    if let Some(text) = call.params.text("symbols") {
        let list = serde_json::from_str(text).map_err(|_| ApiError::illegal("symbols", "a JSON array of symbols"))?;
        wanted = Some(list);
    }
    if call.product == Product::BinanceSpot {
        for symbol in wanted.iter().flatten() {
            find_listing(world, symbol)?;
        }
    }
    let shown = |listing: &&Listing| {
        call.product == Product::BinanceUsdm || wanted.as_ref().is_none_or(|list| list.contains(&listing.symbol))
    };
    let symbols: Vec<Value> = world
        .listings()
        .iter()
        .filter(shown)
        .map(|listing| match call.product {
            Product::BinanceSpot => spot_listing(listing),
            Product::BinanceUsdm => futures_listing(listing),
        })
        .collect();
    let mut info = json!({
        "timezone": "UTC",
        "serverTime": call.server_time.millis(),
        "rateLimits": rate_limits(call, world),
        "exchangeFilters": [],
        "symbols": symbols,
    });
    if call.product == Product::BinanceUsdm {
        let mut assets: Vec<&str> = world.listings().iter().map(|listing| listing.quote.as_str()).collect();
        assets.dedup();
        let assets: Vec<Value> = assets
            .iter()
            .map(|asset| json!({"asset": asset, "marginAvailable": true, "autoAssetExchange": "0"}))
            .collect();
        info = format::merged(info, json!({"futuresType": "U_MARGINED", "assets": assets}));
    }
    Ok(info)
}

fn thousandths(value: i64) -> String {
    let text = format!("{}.{:03}", value / 1000, value % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn spot_listing(listing: &Listing) -> Value {
    let lots = |lots: i64| format::units(&listing.quantity, lots);
    json!({
        "symbol": listing.symbol, "status": "TRADING",
        "baseAsset": listing.base, "baseAssetPrecision": 8,
        "quoteAsset": listing.quote, "quotePrecision": 8, "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8, "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "icebergAllowed": false, "ocoAllowed": false, "otoAllowed": false, "quoteOrderQtyMarketAllowed": false,
        "allowTrailingStop": false, "cancelReplaceAllowed": false, "amendAllowed": false,
        "isSpotTradingAllowed": true, "isMarginTradingAllowed": false,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": listing.tick_size,
             "maxPrice": format::units(&listing.price, listing.tick_max), "tickSize": listing.tick_size},
            {"filterType": "LOT_SIZE", "minQty": lots(listing.lots_min), "maxQty": lots(listing.lots_max),
             "stepSize": listing.order_step},
            {"filterType": "MARKET_LOT_SIZE", "minQty": lots(0), "maxQty": lots(listing.lots_max), "stepSize": lots(0)},
            {"filterType": "PERCENT_PRICE_BY_SIDE",
             "bidMultiplierUp": thousandths(listing.percent_up_thousandths),
             "bidMultiplierDown": thousandths(listing.percent_down_thousandths),
             "askMultiplierUp": thousandths(listing.percent_up_thousandths),
             "askMultiplierDown": thousandths(listing.percent_down_thousandths), "avgPriceMins": 0},
            {"filterType": "NOTIONAL", "minNotional": format::amount(listing.notional_min.0, 8), "applyMinToMarket": true,
             "maxNotional": "9000000.00000000", "applyMaxToMarket": false, "avgPriceMins": 0},
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": listing.open_orders_max},
        ],
        "permissions": [], "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
    })
}

fn futures_listing(listing: &Listing) -> Value {
    let lots = |lots: i64| format::units(&listing.quantity, lots);
    json!({
        "symbol": listing.symbol, "pair": listing.symbol, "contractType": "PERPETUAL",
        "deliveryDate": 4_133_404_800_000_i64, "onboardDate": 1_569_398_400_000_i64, "status": "TRADING",
        "baseAsset": listing.base, "quoteAsset": listing.quote, "marginAsset": listing.quote,
        "pricePrecision": listing.price.decimals(), "quantityPrecision": listing.quantity.decimals(),
        "baseAssetPrecision": 8, "quotePrecision": 8, "underlyingType": "COIN",
        "triggerProtect": "0.0500", "liquidationFee": "0.012500", "marketTakeBound": "0.05",
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": listing.tick_size,
             "maxPrice": format::units(&listing.price, listing.tick_max), "tickSize": listing.tick_size},
            {"filterType": "LOT_SIZE", "minQty": lots(listing.lots_min), "maxQty": lots(listing.lots_max),
             "stepSize": listing.order_step},
            {"filterType": "MARKET_LOT_SIZE", "minQty": lots(listing.lots_min), "maxQty": lots(listing.lots_max),
             "stepSize": listing.order_step},
            {"filterType": "MAX_NUM_ORDERS", "limit": listing.open_orders_max},
            {"filterType": "MIN_NOTIONAL", "notional": thousandths(i64::try_from(listing.notional_min.0 / 1_000_000_000_000_000).unwrap_or(0))},
            {"filterType": "PERCENT_PRICE", "multiplierUp": thousandths(listing.percent_up_thousandths),
             "multiplierDown": thousandths(listing.percent_down_thousandths), "multiplierDecimal": "4"},
        ],
        "orderTypes": ["LIMIT", "MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    })
}

fn depth(call: &Call<'_>, world: &World) -> Result<Value, ApiError> {
    let index = call.listing(world)?;
    let limit = match (call.product, call.params.integer("limit")?) {
        (Product::BinanceSpot, limit) => limit.unwrap_or(100).clamp(1, 5000),
        (Product::BinanceUsdm, None) => 500,
        (Product::BinanceUsdm, Some(limit)) if [5, 10, 20, 50, 100, 500, 1000].contains(&limit) => limit,
        (Product::BinanceUsdm, Some(limit)) => {
            return Err(ApiError::new(-4021, format!("{limit} is not valid depth limit.")));
        }
    };
    let listing = &world.listings()[index];
    let limit = usize::try_from(limit).unwrap_or(0);
    let book = world
        .book(index, limit)
        .ok_or_else(|| ApiError::from_refusal(crate::sim::api::SimRefusal::NoMarket, call.product))?;
    let (bids, asks) = (format::levels(listing, &book.bids), format::levels(listing, &book.asks));
    Ok(match call.product {
        Product::BinanceSpot => json!({"lastUpdateId": book.sequence, "bids": bids, "asks": asks}),
        Product::BinanceUsdm => {
            let at = call.server_time.millis();
            json!({"lastUpdateId": book.sequence, "E": at, "T": at, "bids": bids, "asks": asks})
        }
    })
}

fn book_ticker(call: &Call<'_>, world: &World) -> Result<Value, ApiError> {
    let one = |index: ListingIndex| {
        let listing = &world.listings()[index];
        let (bid, ask) = world.best(index);
        let (bid, ask): (Level, Level) = (bid.unwrap_or_default(), ask.unwrap_or_default());
        json!({
            "symbol": listing.symbol,
            "bidPrice": format::price(listing, bid.tick), "bidQty": format::quantity(listing, bid.lots),
            "askPrice": format::price(listing, ask.tick), "askQty": format::quantity(listing, ask.lots),
        })
    };
    Ok(match call.listing_if_named(world)? {
        Some(index) => one(index),
        None => (0..world.listings().len()).map(one).collect(),
    })
}

fn ticker_price(call: &Call<'_>, world: &World) -> Result<Value, ApiError> {
    let one = |index: ListingIndex| {
        let listing = &world.listings()[index];
        let (bid, ask) = world.best(index);
        let tick = bid.or(ask).unwrap_or_default().tick;
        json!({"symbol": listing.symbol, "price": format::price(listing, tick), "time": call.server_time.millis()})
    };
    Ok(match call.listing_if_named(world)? {
        Some(index) => one(index),
        None => (0..world.listings().len()).map(one).collect(),
    })
}

fn commission(call: &Call<'_>, world: &World) -> Result<Value, ApiError> {
    let listing = &world.listings()[call.listing(world)?];
    let rates = world.fee_rates();
    let (maker, taker) = (rates.maker_millionths, rates.taker_millionths);
    Ok(match call.product {
        Product::BinanceSpot => {
            let none = json!({"maker": rate(0), "taker": rate(0), "buyer": rate(0), "seller": rate(0)});
            json!({
                "symbol": listing.symbol,
                "standardCommission": {"maker": rate(maker), "taker": rate(taker), "buyer": rate(0), "seller": rate(0)},
                "specialCommission": none, "taxCommission": none,
                "discount": {"enabledForAccount": false, "enabledForSymbol": false, "discountAsset": "BNB", "discount": rate(0)},
            })
        }
        Product::BinanceUsdm => json!({
            "symbol": listing.symbol, "makerCommissionRate": rate(maker), "takerCommissionRate": rate(taker),
        }),
    })
}

fn leverage(call: &Call<'_>, world: &World) -> Result<Value, ApiError> {
    let listing = &world.listings()[call.listing(world)?];
    let asked = call.params.integer("leverage")?.ok_or_else(|| ApiError::missing("leverage"))?;
    if !(1..=125).contains(&asked) {
        return Err(ApiError::new(-4028, format!("Leverage {asked} is not valid")));
    }
    Ok(json!({"leverage": asked, "maxNotionalValue": "1000000", "symbol": listing.symbol}))
}

fn rate(millionths: i64) -> String {
    format::amount(i128::from(millionths) * 1_000_000_000_000, 8)
}

fn spot_account(call: &Call<'_>, world: &World) -> Value {
    let omit = call.params.text("omitZeroBalances") == Some("true");
    let balances: Vec<Value> = world
        .balances(call.account)
        .iter()
        .filter(|balance| !omit || balance.free != 0 || balance.locked != 0)
        .map(|balance| {
            json!({"asset": balance.asset, "free": format::amount(balance.free, 8), "locked": format::amount(balance.locked, 8)})
        })
        .collect();
    let rates = world.fee_rates();
    let (maker, taker) = (rates.maker_millionths, rates.taker_millionths);
    json!({
        "makerCommission": maker / 100, "takerCommission": taker / 100, "buyerCommission": 0, "sellerCommission": 0,
        "commissionRates": {"maker": rate(maker), "taker": rate(taker), "buyer": "0.00000000", "seller": "0.00000000"},
        "canTrade": true, "canWithdraw": false, "canDeposit": true, "brokered": false,
        "requireSelfTradePrevention": false, "preventSor": false,
        "updateTime": call.server_time.millis(), "accountType": "SPOT",
        "balances": balances, "permissions": ["SPOT"], "uid": 1_000_000 + call.account.0,
    })
}

fn futures_balances(call: &Call<'_>, world: &World) -> Value {
    let (bound, unrealised) = world.margin(call.account);
    world
        .balances(call.account)
        .iter()
        .map(|balance| {
            let available = (balance.free + unrealised.0 - bound.0).max(0);
            json!({
                "accountAlias": format!("sim{}", call.account.0), "asset": balance.asset,
                "balance": format::amount(balance.free, 8), "crossWalletBalance": format::amount(balance.free, 8),
                "crossUnPnl": format::amount(unrealised.0, 8), "availableBalance": format::amount(available, 8),
                "maxWithdrawAmount": format::amount(available, 8), "marginAvailable": true,
                "updateTime": call.server_time.millis(),
            })
        })
        .collect()
}

fn position_of(call: &Call<'_>, world: &World, index: ListingIndex) -> Value {
    let listing = &world.listings()[index];
    let position = world.position(call.account, index);
    let lots = position.lots.0;
    let signed = format!("{}{}", if lots < 0 { "-" } else { "" }, format::units(&listing.quantity, lots.abs()));
    let cost = QuoteAtoms(position.cost.0.abs());
    let entry = format::average_price(listing, cost, spinbook_engine::types::Lots(lots.abs()), 8);
    let (bid, ask) = world.best(index);
    let (bid, ask) = (bid.or(ask).unwrap_or_default(), ask.or(bid).unwrap_or_default());
    let doubled = i128::from(bid.tick.0) + i128::from(ask.tick.0);
    let value = doubled * i128::from(lots) * listing.atoms_per_tick_lot / 2;
    let tick_atoms = i128::try_from(listing.price.unit_atoms()).unwrap_or(0);
    json!({
        "symbol": listing.symbol, "positionSide": "BOTH", "positionAmt": signed, "entryPrice": entry,
        "breakEvenPrice": entry, "markPrice": format::amount(doubled * tick_atoms / 2, 8),
        "unRealizedProfit": format::amount(value - position.cost.0, 8), "liquidationPrice": "0",
        "isolatedMargin": "0", "notional": format::amount(value, 8), "marginAsset": listing.quote,
        "isolatedWallet": "0", "initialMargin": "0", "maintMargin": "0", "adl": 0,
        "bidNotional": "0", "askNotional": "0", "updateTime": call.server_time.millis(),
    })
}

fn positions(call: &Call<'_>, world: &World) -> Result<Value, ApiError> {
    Ok(match call.listing_if_named(world)? {
        Some(index) => json!([position_of(call, world, index)]),
        None => (0..world.listings().len()).map(|index| position_of(call, world, index)).collect(),
    })
}

fn futures_account(call: &Call<'_>, world: &World) -> Value {
    let balances = world.balances(call.account);
    let wallet: i128 = balances.iter().map(|balance| balance.free).sum();
    let (bound, unrealised) = world.margin(call.account);
    let assets: Vec<Value> = balances
        .iter()
        .map(|balance| {
            json!({
                "asset": balance.asset, "walletBalance": format::amount(balance.free, 8),
                "unrealizedProfit": format::amount(unrealised.0, 8),
                "marginBalance": format::amount(balance.free + unrealised.0, 8),
                "availableBalance": format::amount((balance.free + unrealised.0 - bound.0).max(0), 8),
                "updateTime": call.server_time.millis(),
            })
        })
        .collect();
    let positions: Vec<Value> = (0..world.listings().len()).map(|index| position_of(call, world, index)).collect();
    json!({
        "canTrade": true, "multiAssetsMargin": false, "feeTier": 0,
        "totalInitialMargin": format::amount(bound.0, 8), "totalMaintMargin": "0.00000000",
        "totalWalletBalance": format::amount(wallet, 8), "totalUnrealizedProfit": format::amount(unrealised.0, 8),
        "totalMarginBalance": format::amount(wallet + unrealised.0, 8),
        "totalCrossWalletBalance": format::amount(wallet, 8), "totalCrossUnPnl": format::amount(unrealised.0, 8),
        "availableBalance": format::amount((wallet + unrealised.0 - bound.0).max(0), 8),
        "assets": assets, "positions": positions,
    })
}
