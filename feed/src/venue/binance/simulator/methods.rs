//! COLD: what requests do, by REST or by WebSocket: rules, market data, queries.

use super::call::{Call, find_listing};
use super::catalog::Api;
use super::errors::ApiError;
use super::settings::SPOT_ACCOUNT_FIRST;
use super::{format, futures, market_data, order_changes, order_params, order_queries, orders};
use crate::sim::api::{Listing, SimBalance, SimRefusal, SimWindowKind};
use crate::sim::world::World;
use crate::venue::binance::Product;
use serde_json::{Value, json};

/// What the key of the request may do.
fn key_rights(call: &Call<'_>, world: &World) -> Value {
    json!({
        "ipRestrict": true, "createTime": 1_735_689_600_000_i64, "enableReading": true,
        "enableWithdrawals": world.may_withdraw(call.account), "enableInternalTransfer": false, "enableMargin": false,
        "enableFutures": call.product == Product::BinanceUsdm, "permitsUniversalTransfer": false,
        "enableVanillaOptions": false, "enableFixApiTrade": false, "enableFixReadOnly": false,
        "enableSpotAndMarginTrading": call.product == Product::BinanceSpot, "enablePortfolioMarginTrading": false,
    })
}

/// Handles one request that changes nothing on its connection.
///
/// # Errors
/// The venue's refusal.
pub fn handle(call: &Call<'_>, world: &mut World) -> Result<Value, ApiError> {
    order_params::check_names(call)?;
    match call.api {
        Api::Time => Ok(json!({"serverTime": call.server_time.millis()})),
        Api::ExchangeInfo => exchange_info(call, world),
        Api::Depth => depth(call, world),
        Api::BookTicker => market_data::book_ticker(call, world),
        Api::TickerPrice => market_data::ticker_price(call, world),
        Api::DayTicker => market_data::day_ticker(call, world),
        Api::AveragePrice => market_data::average(call, world),
        Api::Candles => market_data::candles(call, world),
        Api::RecentTrades => market_data::recent_trades(call, world),
        Api::AggregatedTrades => market_data::aggregated_trades(call, world),
        Api::PremiumIndex => market_data::premium_index(call, world),
        Api::FundingRates => market_data::funding_rates(call, world),
        Api::Commission => commission(call, world),
        Api::PositionMode => Ok(json!({"dualSidePosition": false})),
        Api::SetPositionMode => futures::set_position_mode(call),
        Api::MultiAssets => Ok(json!({"multiAssetsMargin": false})),
        Api::SetMultiAssets => futures::set_multi_assets(call),
        Api::Leverage => futures::leverage(call, world),
        Api::MarginType => futures::margin_type(call, world),
        Api::Brackets => futures::brackets(call, world),
        Api::AccountConfig => Ok(futures::account_config()),
        Api::SymbolConfig => futures::symbol_config(call, world),
        Api::Income => futures::income(call, world),
        Api::OpenOrder => futures::open_order(call, world),
        Api::AllOrders => order_queries::all_orders(call, world),
        Api::Nothing => Ok(json!([])),
        Api::Coins => Ok(coins(call, world)),
        Api::KeyRights => Ok(key_rights(call, world)),
        Api::Place => orders::place(call, world, false),
        Api::TestOrder => orders::place(call, world, true),
        Api::Cancel => order_queries::cancel(call, world),
        Api::CancelAll => order_queries::cancel_all(call, world),
        Api::CancelReplace => order_changes::cancel_replace(call, world),
        Api::Amend => order_changes::amend(call, world),
        Api::Modify => order_changes::modify(call, world),
        Api::BatchPlace => order_changes::each(call, world, Api::Place),
        Api::BatchModify => order_changes::each(call, world, Api::Modify),
        Api::BatchCancel => order_changes::cancel_batch(call, world),
        Api::Countdown => order_changes::countdown(call, world),
        Api::OrderList => Err(ApiError::new(-1013, "Order lists are not supported for this symbol.")),
        Api::Preventions => order_queries::preventions(call, world),
        Api::Query => order_queries::query(call, world),
        Api::OpenOrders => order_queries::open_orders(call, world),
        Api::Account if call.product == Product::BinanceSpot => Ok(spot_account(call, world)),
        Api::Account => Ok(futures::account(call, world)),
        Api::Balance => Ok(futures::balances(call, world)),
        Api::Positions => futures::positions(call, world),
        Api::Trades => order_queries::trades(call, world),
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
        "orderTypes": [
            "LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT",
        ],
        "icebergAllowed": false, "ocoAllowed": false, "otoAllowed": false, "opoAllowed": false,
        "quoteOrderQtyMarketAllowed": true, "allowTrailingStop": false, "pegInstructionsAllowed": false,
        "cancelReplaceAllowed": true, "amendAllowed": true,
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
        "baseAssetPrecision": 8, "quotePrecision": 8, "underlyingType": "COIN", "underlyingSubType": ["PoW"],
        "maintMarginPercent": "2.5000", "requiredMarginPercent": "5.0000", "permissionSets": ["GRID", "COPY"],
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
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
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
    let book =
        world.book(index, limit).ok_or_else(|| ApiError::from_refusal(SimRefusal::NoMarket, listing, call.product))?;
    let (bids, asks) = (format::levels(listing, &book.bids), format::levels(listing, &book.asks));
    Ok(match call.product {
        Product::BinanceSpot => json!({"lastUpdateId": book.sequence, "bids": bids, "asks": asks}),
        Product::BinanceUsdm => {
            let at = call.server_time.millis();
            json!({"lastUpdateId": book.sequence, "E": at, "T": at, "bids": bids, "asks": asks})
        }
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

/// Every asset of the account as the wallet's list names it: none can be deposited or withdrawn.
fn coins(call: &Call<'_>, world: &World) -> Value {
    let print = |balance: &SimBalance| {
        json!({
            "coin": balance.asset, "name": balance.asset, "depositAllEnable": false, "withdrawAllEnable": false,
            "free": format::amount(balance.free, 8), "locked": format::amount(balance.locked, 8), "freeze": "0",
            "ipoable": "0", "ipoing": "0", "isLegalMoney": false, "storage": "0", "trading": true, "withdrawing": "0",
            "networkList": [],
        })
    };
    world.balances(call.account).iter().map(print).collect()
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
        "balances": balances, "permissions": ["SPOT"], "uid": SPOT_ACCOUNT_FIRST + call.account.0,
    })
}
