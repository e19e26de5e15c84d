//! COLD: USD-M accounts: balances, positions, leverage, margin and position modes, income.

use super::call::Call;
use super::errors::ApiError;
use super::settings::account_id;
use super::{format, market_data, orders};
use crate::sim::api::{ListingIndex, MarginBracket, PositionMargin, SimFill};
use crate::sim::moved::SimMoneyKind;
use crate::sim::world::World;
use crate::venue::binance::Product;
use serde_json::{Value, json};
use spinbook_engine::types::{Lots, QUOTE_ATOMS_PER_UNIT, QuoteAtoms};

fn amount(atoms: QuoteAtoms) -> String {
    format::amount(atoms.0, 8)
}

/// A signed quantity.
fn signed_quantity(world: &World, index: ListingIndex, lots: i64) -> String {
    let text = format::units(&world.listings()[index].quantity, lots.abs());
    if lots < 0 { format!("-{text}") } else { text }
}

/// Value that the leverage chosen allows to hold, in whole units of the quote asset.
fn notional_max(call: &Call<'_>, world: &World, index: ListingIndex) -> String {
    let atoms = world.notional_max(world.leverage(call.account, index));
    (atoms / QUOTE_ATOMS_PER_UNIT).to_string()
}

/// What positions are in both forms, the account's and the position request's.
fn position_of(call: &Call<'_>, world: &World, index: ListingIndex) -> Value {
    let listing = &world.listings()[index];
    let position = world.position(call.account, index);
    let lots = position.lots.0;
    let margin = world.position_margin(call.account, index);
    let isolated = world.is_isolated(call.account, index);
    let cost = QuoteAtoms(position.cost.0.abs());
    let entry = format::average_price(listing, cost, Lots(lots.abs()), 8);
    let wallet = if isolated { margin.position_initial } else { QuoteAtoms::ZERO };
    let apart = if isolated { wallet + margin.unrealised } else { QuoteAtoms::ZERO };
    json!({
        "symbol": listing.symbol, "positionSide": "BOTH", "positionAmt": signed_quantity(world, index, lots),
        "entryPrice": entry, "breakEvenPrice": entry, "notional": amount(margin.notional),
        "isolated": isolated, "isolatedMargin": amount(apart), "isolatedWallet": amount(wallet),
        "leverage": world.leverage(call.account, index).to_string(),
        "maxNotional": notional_max(call, world, index), "maxNotionalValue": notional_max(call, world, index),
        "initialMargin": amount(margin.position_initial + margin.orders_initial),
        "positionInitialMargin": amount(margin.position_initial),
        "openOrderInitialMargin": amount(margin.orders_initial), "maintMargin": amount(margin.maintenance),
        "bidNotional": amount(margin.bid_notional), "askNotional": amount(margin.ask_notional),
        "updateTime": call.server_time.millis(),
    })
}

/// A position as the position request prints it.
fn position_risk(call: &Call<'_>, world: &World, index: ListingIndex) -> Value {
    let listing = &world.listings()[index];
    let margin = world.position_margin(call.account, index);
    let isolated = world.is_isolated(call.account, index);
    let tick_atoms = i128::try_from(listing.price.unit_atoms()).unwrap_or(0);
    let liquidation =
        margin.liquidation.map_or_else(|| "0".to_owned(), |tick| format::amount(i128::from(tick.0) * tick_atoms, 8));
    let mut position = position_of(call, world, index);
    if let Value::Object(fields) = &mut position {
        for gone in ["isolated", "maxNotional"] {
            fields.shift_remove(gone);
        }
    }
    format::merged(
        position,
        json!({
            "markPrice": market_data::mark_price(world, index), "unRealizedProfit": amount(margin.unrealised),
            "liquidationPrice": liquidation, "marginType": if isolated { "isolated" } else { "cross" },
            "isAutoAddMargin": "false", "marginAsset": listing.quote, "adl": 0,
        }),
    )
}

/// Positions, one of each listing.
///
/// # Errors
/// -1121.
pub fn positions(call: &Call<'_>, world: &World) -> Result<Value, ApiError> {
    Ok(match call.listing_if_named(world)? {
        Some(index) => json!([position_risk(call, world, index)]),
        None => (0..world.listings().len()).map(|index| position_risk(call, world, index)).collect(),
    })
}

/// What all positions in one asset bind, added up.
fn asset_margin(call: &Call<'_>, world: &World, asset: &str) -> PositionMargin {
    let mut sum = PositionMargin::default();
    for (index, _) in world.listings().iter().enumerate().filter(|(_, listing)| listing.quote == asset) {
        let margin = world.position_margin(call.account, index);
        sum.unrealised += margin.unrealised;
        sum.position_initial += margin.position_initial;
        sum.orders_initial += margin.orders_initial;
        sum.maintenance += margin.maintenance;
    }
    sum
}

/// Balances.
pub fn balances(call: &Call<'_>, world: &World) -> Value {
    let balances = world.balances(call.account);
    let print = |balance: &crate::sim::api::SimBalance| {
        let margin = asset_margin(call, world, &balance.asset);
        let free = available(balance.free, &margin);
        json!({
            "accountAlias": account_id(call.product, call.account), "asset": balance.asset,
            "balance": format::amount(balance.free, 8), "crossWalletBalance": format::amount(balance.free, 8),
            "crossUnPnl": amount(margin.unrealised), "availableBalance": free, "maxWithdrawAmount": free,
            "marginAvailable": true, "updateTime": call.server_time.millis(),
        })
    };
    balances.iter().map(print).collect()
}

fn available(wallet: i128, margin: &PositionMargin) -> String {
    let free = wallet + margin.unrealised.0 - margin.position_initial.0 - margin.orders_initial.0;
    format::amount(free.max(0), 8)
}

/// The account: sums, assets and positions.
pub fn account(call: &Call<'_>, world: &World) -> Value {
    let at = call.server_time.millis();
    let balances = world.balances(call.account);
    let mut total = PositionMargin::default();
    let mut assets = Vec::new();
    for balance in &balances {
        let margin = asset_margin(call, world, &balance.asset);
        total.unrealised += margin.unrealised;
        total.position_initial += margin.position_initial;
        total.orders_initial += margin.orders_initial;
        total.maintenance += margin.maintenance;
        let free = available(balance.free, &margin);
        assets.push(json!({
            "asset": balance.asset, "walletBalance": format::amount(balance.free, 8),
            "unrealizedProfit": amount(margin.unrealised),
            "marginBalance": format::amount(balance.free + margin.unrealised.0, 8),
            "maintMargin": amount(margin.maintenance),
            "initialMargin": amount(margin.position_initial + margin.orders_initial),
            "positionInitialMargin": amount(margin.position_initial),
            "openOrderInitialMargin": amount(margin.orders_initial),
            "crossWalletBalance": format::amount(balance.free, 8), "crossUnPnl": amount(margin.unrealised),
            "availableBalance": free, "maxWithdrawAmount": free, "marginAvailable": true, "updateTime": at,
        }));
    }
    let wallet: i128 = balances.iter().map(|balance| balance.free).sum();
    let positions: Vec<Value> = (0..world.listings().len())
        .map(|index| {
            let unrealised = amount(world.position_margin(call.account, index).unrealised);
            format::merged(position_of(call, world, index), json!({"unrealizedProfit": unrealised}))
        })
        .collect();
    let free = available(wallet, &total);
    json!({
        "feeTier": 0, "canTrade": true, "canDeposit": true, "canWithdraw": false, "feeBurn": false,
        "tradeGroupId": -1, "updateTime": 0, "multiAssetsMargin": false,
        "totalInitialMargin": amount(total.position_initial + total.orders_initial),
        "totalMaintMargin": amount(total.maintenance), "totalWalletBalance": format::amount(wallet, 8),
        "totalUnrealizedProfit": amount(total.unrealised),
        "totalMarginBalance": format::amount(wallet + total.unrealised.0, 8),
        "totalPositionInitialMargin": amount(total.position_initial),
        "totalOpenOrderInitialMargin": amount(total.orders_initial),
        "totalCrossWalletBalance": format::amount(wallet, 8), "totalCrossUnPnl": amount(total.unrealised),
        "availableBalance": free, "maxWithdrawAmount": free, "assets": assets, "positions": positions,
    })
}

/// Chooses a leverage.
///
/// # Errors
/// -4028 outside the table, -2027 or -2019 for what is held.
pub fn leverage(call: &Call<'_>, world: &mut World) -> Result<Value, ApiError> {
    let index = call.listing(world)?;
    let asked = call.params.integer("leverage")?.ok_or_else(|| ApiError::missing("leverage"))?;
    let leverage_max = world.brackets().iter().map(|bracket| bracket.leverage_max).max().unwrap_or(125);
    if !(1..=leverage_max).contains(&asked) {
        return Err(ApiError::new(-4028, format!("Leverage {asked} is not valid")));
    }
    let chosen = world.set_leverage(call.account, index, asked);
    chosen.map_err(|refusal| orders::refused(call, world, index, refusal))?;
    Ok(json!({
        "leverage": asked, "maxNotionalValue": notional_max(call, world, index),
        "symbol": world.listings()[index].symbol,
    }))
}

/// Chooses whether a listing's margin is kept apart.
///
/// # Errors
/// -4046 if nothing changes, -4047 and -4048 with open orders or a position.
pub fn margin_type(call: &Call<'_>, world: &mut World) -> Result<Value, ApiError> {
    let index = call.listing(world)?;
    let isolated = match call.params.required("marginType")? {
        "ISOLATED" => true,
        "CROSSED" => false,
        _ => return Err(ApiError::invalid("marginType")),
    };
    if isolated == world.is_isolated(call.account, index) {
        return Err(ApiError::new(-4046, "No need to change margin type."));
    }
    if !world.open_orders(call.account, Some(index)).is_empty() {
        return Err(ApiError::new(-4047, "Margin type cannot be changed if there exists open orders."));
    }
    if !world.position(call.account, index).lots.is_zero() {
        return Err(ApiError::new(-4048, "Margin type cannot be changed if there exists position."));
    }
    world.set_isolated(call.account, index, isolated);
    Ok(done())
}

fn done() -> Value {
    json!({"code": 200, "msg": "success"})
}

/// Chooses the position mode, of which there is one.
///
/// # Errors
/// -4059 if nothing changes; positions kept one a side do not exist here.
pub fn set_position_mode(call: &Call<'_>) -> Result<Value, ApiError> {
    match call.params.flag("dualSidePosition")? {
        None => Err(ApiError::missing("dualSidePosition")),
        Some(false) => Err(ApiError::new(-4059, "No need to change position side.")),
        Some(true) => Err(ApiError::new(-4084, "Method is not allowed currently. Upcoming soon.")),
    }
}

/// Chooses the margin mode of the account, of which there is one.
///
/// # Errors
/// -4171 if nothing changes; several assets as one margin do not exist here.
pub fn set_multi_assets(call: &Call<'_>) -> Result<Value, ApiError> {
    match call.params.flag("multiAssetsMargin")? {
        None => Err(ApiError::missing("multiAssetsMargin")),
        Some(false) => Err(ApiError::new(
            -4171,
            "Adjusted asset mode is currently set and does not need to be adjusted repeatedly.",
        )),
        Some(true) => Err(ApiError::new(-4084, "Method is not allowed currently. Upcoming soon.")),
    }
}

/// A ratio in millionths as a JSON number.
fn ratio(millionths: i64) -> Value {
    let text = format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// The margin table.
///
/// # Errors
/// -1121.
pub fn brackets(call: &Call<'_>, world: &World) -> Result<Value, ApiError> {
    let table: Vec<MarginBracket> = world.brackets().to_vec();
    let mut floor = 0;
    let mut rows = Vec::new();
    for (place, bracket) in table.iter().enumerate() {
        rows.push(json!({
            "bracket": place + 1, "initialLeverage": bracket.leverage_max, "notionalCap": bracket.notional_max,
            "notionalFloor": floor, "maintMarginRatio": ratio(bracket.maintenance_millionths),
            "cum": bracket.deduction,
        }));
        floor = bracket.notional_max;
    }
    market_data::for_symbols(call, world, |index| json!({"symbol": world.listings()[index].symbol, "brackets": rows}))
}

/// What the account may do and how it is set.
pub fn account_config() -> Value {
    json!({
        "feeTier": 0, "canTrade": true, "canDeposit": true, "canWithdraw": false, "dualSidePosition": false,
        "updateTime": 0, "multiAssetsMargin": false, "tradeGroupId": -1,
    })
}

/// How each listing is set.
///
/// # Errors
/// -1121.
pub fn symbol_config(call: &Call<'_>, world: &World) -> Result<Value, ApiError> {
    let wanted = call.listing_if_named(world)?;
    let fits = |index: &ListingIndex| wanted.is_none_or(|wanted| wanted == *index);
    let print = |index| {
        let isolated = world.is_isolated(call.account, index);
        json!({
            "symbol": world.listings()[index].symbol, "marginType": if isolated { "ISOLATED" } else { "CROSSED" },
            "isAutoAddMargin": false, "leverage": world.leverage(call.account, index),
            "maxNotionalValue": notional_max(call, world, index),
        })
    };
    Ok((0..world.listings().len()).filter(fits).map(print).collect())
}

const fn income_type(kind: SimMoneyKind) -> &'static str {
    match kind {
        SimMoneyKind::Funding => "FUNDING_FEE",
        SimMoneyKind::Transfer => "TRANSFER",
        SimMoneyKind::LiquidationFee => "INSURANCE_CLEAR",
    }
}

/// What fills brought and cost, and what moved beside them, oldest first.
///
/// # Errors
/// -1121, -1100.
pub fn income(call: &Call<'_>, world: &World) -> Result<Value, ApiError> {
    let params = call.params;
    let limit = usize::try_from(params.integer("limit")?.unwrap_or(100).clamp(1, 1000)).unwrap_or(100);
    let (start, end) = (params.integer("startTime")?, params.integer("endTime")?);
    let (wanted, kind) = (call.listing_if_named(world)?, params.text("incomeType"));
    let mut rows = Vec::new();
    for (index, listing) in world.listings().iter().enumerate() {
        if wanted.is_some_and(|wanted| wanted != index) {
            continue;
        }
        let row = |fill: &SimFill, name: &str, atoms: i128| {
            json!({
                "symbol": listing.symbol, "incomeType": name, "income": format::amount(atoms, 8),
                "asset": fill.fee_asset, "info": fill.trade_id.to_string(), "time": fill.at.millis(),
                "tranId": fill.trade_id, "tradeId": fill.trade_id.to_string(),
            })
        };
        for fill in world.fills(call.account, index) {
            let at = fill.at.millis();
            if start.is_some_and(|start| at < start) || end.is_some_and(|end| at > end) {
                continue;
            }
            for (name, atoms) in [("REALIZED_PNL", fill.realised.0), ("COMMISSION", -fill.fee)] {
                if atoms != 0 && kind.is_none_or(|kind| kind == name) {
                    rows.push((at, fill.trade_id, row(&fill, name, atoms)));
                }
            }
        }
    }
    for money in world.moneys(call.account).filter(|money| wanted.is_none_or(|wanted| money.listing == Some(wanted))) {
        let (at, name) = (money.at.millis(), income_type(money.kind));
        let is_in_time = start.is_none_or(|start| at >= start) && end.is_none_or(|end| at <= end);
        if is_in_time && kind.is_none_or(|kind| kind == name) {
            let symbol = money.listing.map_or("", |listing| world.listings()[listing].symbol.as_str());
            let row = json!({
                "symbol": symbol, "incomeType": name, "income": format::amount(money.amount, 8), "asset": money.asset,
                "info": name, "time": at, "tranId": money.number, "tradeId": "",
            });
            rows.push((at, money.number, row));
        }
    }
    rows.sort_by_key(|(at, id, _)| (*at, *id));
    let skip = if start.is_some() { 0 } else { rows.len().saturating_sub(limit) };
    Ok(rows.into_iter().skip(skip).take(limit).map(|(.., row)| row).collect())
}

/// One open order.
///
/// # Errors
/// -2013 if it is not open.
pub fn open_order(call: &Call<'_>, world: &World) -> Result<Value, ApiError> {
    let order = orders::named_order(call, world)?;
    let open = order.filter(|order| order.status.is_open());
    let order = open.ok_or_else(|| ApiError::new(-2013, "Order does not exist."))?;
    Ok(format::order(&order, &world.listings()[order.request.listing], Product::BinanceUsdm))
}
