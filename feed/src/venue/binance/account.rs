//! COLD: the account over REST: signed requests, their replies, and the account's result recomputed from them.

use core::fmt;
use std::collections::HashSet;

use serde_json::Value;
use spinbook_engine::types::{InstrumentId, Lots, Nanos, QuoteAtoms, Side, Tick, TradeId, VenueCode};

use crate::crypto::credentials::Credentials;
use crate::venue::ProductLine;
use crate::venue::binance::order_decode::{instrument_of, millis, order_rows, text, trade_row, usage};
use crate::venue::binance::parameters::Query;
use crate::venue::binance::{Product, order};
use crate::venue::instrument::{Instrument, Symbol};
use crate::venue::order_ids::VenueOrderId;
use crate::venue::order_side::Reaction;
use crate::venue::orders::{
    Fee, OrderDecodeError, OrderUpdate, Refusal, RequestKind, WindowUsage, parse_money, parse_signed,
};

/// Most rows the venue gives of a trade list at once; with as many, ask again from the last id on.
pub const TRADES_PER_REPLY: usize = 1000;

/// One HTTP request without a body, complete. Printing it shows no key and no signature.
pub struct RestRequest {
    /// Upper-case method.
    pub method: &'static str,
    /// Path and query, exactly as to be sent.
    pub target: String,
    /// Header names and values.
    pub headers: Vec<(&'static str, String)>,
}

impl fmt::Debug for RestRequest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path);
        write!(out, "{} {path}", self.method)
    }
}

/// From where on trades are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TradesSince {
    /// From this time of the venue.
    Time(Nanos),
    /// From this trade on, itself included.
    Id(TradeId),
}

/// Builds signed requests for one account. Times are the venue's.
pub struct AccountRest<'a> {
    product: Product,
    credentials: &'a Credentials,
    receive_window_ms: i64,
}

impl<'a> AccountRest<'a> {
    /// For one account on one product line.
    #[must_use]
    pub fn new(product: ProductLine, credentials: &'a Credentials, receive_window_ms: i64) -> AccountRest<'a> {
        let product = Product::of(product);
        AccountRest { product, credentials, receive_window_ms }
    }

    fn path(&self, spot: &'static str, usdm: &'static str) -> &'static str {
        match self.product {
            Product::BinanceSpot => spot,
            Product::BinanceUsdm => usdm,
        }
    }

    fn signed(&self, method: &'static str, path: &str, mut query: Query, venue_now: Nanos) -> RestRequest {
        query.push_number("recvWindow", self.receive_window_ms);
        query.push_number("timestamp", venue_now.millis());
        query.sign(self.credentials);
        RestRequest { method, target: format!("{path}?{}", query.as_str()), headers: self.key_header() }
    }

    fn key_header(&self) -> Vec<(&'static str, String)> {
        vec![("X-MBX-APIKEY", self.credentials.api_key.as_str().to_owned())]
    }

    /// The venue's clock; reply: [`parse_time`].
    #[must_use]
    pub fn time(&self) -> RestRequest {
        RestRequest { method: "GET", target: self.product.card().time_path.to_owned(), headers: Vec::new() }
    }

    /// Instruments and rate windows; the windows: [`parse_windows`].
    #[must_use]
    pub fn exchange_info(&self) -> RestRequest {
        RestRequest { method: "GET", target: self.product.card().instruments_path.to_owned(), headers: Vec::new() }
    }

    /// Balances (spot: with the account's number); reply: [`parse_balances`].
    #[must_use]
    pub fn balances(&self, venue_now: Nanos) -> RestRequest {
        let mut query = Query::new();
        if self.product == Product::BinanceSpot {
            query.push("omitZeroBalances", "true");
        }
        self.signed("GET", self.path("/api/v3/account", "/fapi/v3/balance"), query, venue_now)
    }

    /// Positions, which only futures have; reply: [`parse_positions`].
    #[must_use]
    pub fn positions(&self, venue_now: Nanos) -> Option<RestRequest> {
        let futures = self.product == Product::BinanceUsdm;
        futures.then(|| self.signed("GET", "/fapi/v3/positionRisk", Query::new(), venue_now))
    }

    /// Own trades of an instrument, oldest first, at most [`TRADES_PER_REPLY`]; reply: [`parse_trades`].
    #[must_use]
    pub fn trades(&self, instrument: &Instrument, since: TradesSince, venue_now: Nanos) -> RestRequest {
        let mut query = Query::new();
        query.push("symbol", instrument.symbol.as_str());
        match since {
            TradesSince::Time(time) => query.push_number("startTime", time.millis()),
            TradesSince::Id(trade) => query.push_number("fromId", i64::try_from(trade.0).unwrap_or(i64::MAX)),
        }
        query.push_number("limit", TRADES_PER_REPLY as i64);
        self.signed("GET", self.path("/api/v3/myTrades", "/fapi/v1/userTrades"), query, venue_now)
    }

    /// Open orders of an instrument; reply: [`parse_open_orders`].
    #[must_use]
    pub fn open_orders(&self, instrument: &Instrument, venue_now: Nanos) -> RestRequest {
        let mut query = Query::new();
        query.push("symbol", instrument.symbol.as_str());
        self.signed("GET", self.path("/api/v3/openOrders", "/fapi/v1/openOrders"), query, venue_now)
    }

    /// Cancels every open order of an instrument.
    #[must_use]
    pub fn cancel_all(&self, instrument: &Instrument, venue_now: Nanos) -> RestRequest {
        let mut query = Query::new();
        query.push("symbol", instrument.symbol.as_str());
        self.signed("DELETE", self.path("/api/v3/openOrders", "/fapi/v1/allOpenOrders"), query, venue_now)
    }

    /// A user data key, which only futures have.
    #[must_use]
    pub fn start_user_data(&self) -> Option<RestRequest> {
        let futures = self.product == Product::BinanceUsdm;
        futures.then(|| RestRequest {
            method: "POST",
            target: "/fapi/v1/listenKey".to_owned(),
            headers: self.key_header(),
        })
    }
}

/// One asset of the account, in 10^-18 of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Which.
    pub asset: Symbol,
    /// Free to use (futures: the wallet balance).
    pub free: i128,
    /// Bound in open orders.
    pub locked: i128,
}

/// One of our executions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TradeRecord {
    /// Of what.
    pub instrument: InstrumentId,
    /// The venue's id.
    pub trade: TradeId,
    /// The venue's id of the order.
    pub venue_order: VenueOrderId,
    /// Which side we were on.
    pub side: Side,
    /// Price.
    pub tick: Tick,
    /// Quantity.
    pub lots: Lots,
    /// Fee.
    pub fee: Fee,
    /// Whether we were the maker.
    pub maker: bool,
    /// When.
    pub time: Nanos,
}

type Decoded<T> = Result<T, OrderDecodeError>;

fn json(body: &[u8]) -> Decoded<Value> {
    serde_json::from_slice(body).map_err(|_| OrderDecodeError::Json)
}

fn rows<'a>(value: &'a Value, field: &'static str) -> Decoded<&'a Vec<Value>> {
    value.as_array().ok_or(OrderDecodeError::Field(field))
}

/// The venue's refusal; a body that is no JSON keeps the status.
#[must_use]
pub fn parse_refusal(status: u16, body: &[u8]) -> Refusal {
    let value = json(body).unwrap_or(Value::Null);
    let code = value.get("code").and_then(Value::as_i64);
    let message = value.get("msg").and_then(Value::as_str).unwrap_or("").to_owned();
    Refusal { status, code: code.map_or(VenueCode::NONE, VenueCode::from_number), message, retry_after: None }
}

/// What a refusal over REST means.
#[must_use]
pub fn reaction(product: ProductLine, refusal: &Refusal) -> Reaction {
    order::reaction(product, RequestKind::OrderStatus, refusal)
}

/// The venue's clock.
///
/// # Errors
/// The body is not what was asked for.
pub fn parse_time(body: &[u8]) -> Decoded<Nanos> {
    json(body)?.get("serverTime").and_then(millis).ok_or(OrderDecodeError::Field("serverTime"))
}

/// The rate windows of an instrument list.
///
/// # Errors
/// The body is not what was asked for.
pub fn parse_windows(body: &[u8]) -> Decoded<Vec<WindowUsage>> {
    let value = json(body)?;
    let limits = value.get("rateLimits").ok_or(OrderDecodeError::Field("rateLimits"))?;
    Ok(usage(rows(limits, "rateLimits")?))
}

/// Balances of either product line.
///
/// # Errors
/// The body is not what was asked for, or a number is not exact.
pub fn parse_balances(product: ProductLine, body: &[u8]) -> Decoded<Vec<Balance>> {
    let product = Product::of(product);
    let value = json(body)?;
    let (list, free, locked) = match product {
        Product::BinanceSpot => {
            (value.get("balances").ok_or(OrderDecodeError::Field("balances"))?, "free", Some("locked"))
        }
        Product::BinanceUsdm => (&value, "balance", None),
    };
    let mut balances = Vec::new();
    for row in rows(list, "balances")? {
        let row = row.as_object().ok_or(OrderDecodeError::Field("balances"))?;
        let money =
            |key: &'static str| parse_money(text(row, key)?).map_err(|error| OrderDecodeError::Number(key, error));
        let asset = Symbol::new(text(row, "asset")?).ok_or(OrderDecodeError::Field("asset"))?;
        balances.push(Balance { asset, free: money(free)?, locked: locked.map_or(Ok(0), money)? });
    }
    Ok(balances)
}

/// What the venue calls the account: spot `uid`, futures `accountAlias`. `None` if it does not say.
#[must_use]
pub fn parse_account_id(product: ProductLine, body: &[u8]) -> Option<String> {
    let product = Product::of(product);
    let value = json(body).ok()?;
    match product {
        Product::BinanceSpot => value.get("uid")?.as_u64().map(|uid| uid.to_string()),
        Product::BinanceUsdm => value.get(0)?.get("accountAlias")?.as_str().map(str::to_owned),
    }
}

/// Net positions of our instruments.
///
/// # Errors
/// The body is not what was asked for, or a number is not exact.
pub fn parse_positions(instruments: &[Instrument], body: &[u8]) -> Decoded<Vec<(InstrumentId, Lots)>> {
    let value = json(body)?;
    let mut positions = Vec::new();
    for row in rows(&value, "positions")? {
        let row = row.as_object().ok_or(OrderDecodeError::Field("positions"))?;
        let net = row.get("positionSide").and_then(Value::as_str).is_none_or(|side| side == "BOTH");
        if let Some(instrument) = instrument_of(instruments, text(row, "symbol")?).filter(|_| net) {
            let lots = parse_signed(&instrument.quantity, text(row, "positionAmt")?)
                .map_err(|error| OrderDecodeError::Number("positionAmt", error))?;
            positions.push((instrument.id, Lots(lots)));
        }
    }
    Ok(positions)
}

/// Open orders of our instruments.
///
/// # Errors
/// The body is not what was asked for, or a number is not exact.
pub fn parse_open_orders(instruments: &[Instrument], body: &[u8]) -> Decoded<Vec<OrderUpdate>> {
    order_rows(instruments, rows(&json(body)?, "orders")?)
}

/// Our executions, as the venue lists them.
///
/// # Errors
/// The body is not what was asked for, or a number is not exact.
pub fn parse_trades(instruments: &[Instrument], body: &[u8]) -> Decoded<Vec<TradeRecord>> {
    let value = json(body)?;
    let mut trades = Vec::new();
    for row in rows(&value, "trades")? {
        let Some(update) = trade_row(instruments, row)? else {
            continue;
        };
        let Some(fill) = update.fill else { continue };
        trades.push(TradeRecord {
            instrument: update.instrument,
            trade: fill.trade,
            venue_order: update.venue_order,
            side: update.side,
            tick: fill.tick,
            lots: fill.lots,
            fee: fill.fee,
            maker: fill.maker,
            time: update.time,
        });
    }
    Ok(trades)
}

/// What the venue said of the account at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountPoint {
    /// Balances; an asset that is not listed is zero.
    pub balances: Vec<Balance>,
    /// Net positions (futures); an instrument that is not listed is zero.
    pub positions: Vec<(InstrumentId, Lots)>,
}

impl AccountPoint {
    /// Free and locked together, in 10^-18 of the asset.
    #[must_use]
    pub fn total(&self, asset: Symbol) -> i128 {
        self.balances.iter().filter(|balance| balance.asset == asset).map(|balance| balance.free + balance.locked).sum()
    }

    fn position(&self, instrument: InstrumentId) -> Lots {
        self.positions.iter().find(|(id, _)| *id == instrument).map_or(Lots::ZERO, |(_, lots)| *lots)
    }

    /// What is held of an instrument: a spot account's base asset, a futures account's net position.
    ///
    /// # Errors
    /// The balance is no whole number of lots.
    pub fn inventory(&self, product: ProductLine, instrument: &Instrument) -> Result<Lots, AccountError> {
        let product = Product::of(product);
        match product {
            Product::BinanceUsdm => Ok(self.position(instrument.id)),
            Product::BinanceSpot => {
                let lot = i128::try_from(instrument.quantity.unit_atoms()).map_err(|_| AccountError::Range)?;
                let total = self.total(instrument.base_asset);
                if total % lot != 0 {
                    return Err(AccountError::Fraction(instrument.base_asset));
                }
                i64::try_from(total / lot).map(Lots).map_err(|_| AccountError::Range)
            }
        }
    }
}

/// The first and the last mid of an instrument as bid plus ask, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mids {
    /// When the account started.
    pub first_doubled: i64,
    /// Now.
    pub last_doubled: i64,
}

/// The account's result as the venue's own figures say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VenueAccount {
    /// What is held of each instrument now.
    pub positions: Vec<(InstrumentId, Lots)>,
    /// Cash and inventory now at the last mid, less the start at the first mid; fees included.
    pub pnl_quote: QuoteAtoms,
    /// Fees paid less rebates; those in the base asset at the fill price.
    pub fees_quote: QuoteAtoms,
    /// Executions, each once.
    pub trades: usize,
    /// Executions whose fee was in a third asset, not valued.
    pub fees_other: usize,
}

/// Why the account's result cannot be stated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// Holdings without a price.
    #[error("{0} is held and has no mid")]
    NoMid(Symbol),
    /// A balance finer than a lot.
    #[error("the balance of {0} is no whole number of lots")]
    Fraction(Symbol),
    /// Several quote assets, or a base asset that is also a quote asset: one figure would mix currencies.
    #[error("the instruments do not share one quote asset")]
    MixedAssets,
    /// The holdings did not change by what was traded: trades are missing, or assets were moved.
    #[error("{symbol}: holdings changed by {held} lots, trades say {traded}")]
    Drift {
        /// Of which instrument.
        symbol: Symbol,
        /// Change of the holdings in lots.
        held: i64,
        /// Sum of the trades in lots, base fees included.
        traded: i64,
    },
    /// Numbers beyond any account's.
    #[error("an amount is out of range")]
    Range,
}

/// What the trades of one instrument add up to.
#[derive(Default)]
struct Sum {
    lots: i64,
    cash: i128,
    fees: i128,
    count: usize,
    fees_other: usize,
}

fn sum_trades(instrument: &Instrument, trades: &[TradeRecord]) -> Result<Sum, AccountError> {
    let mut seen = HashSet::new();
    let mut sum = Sum::default();
    for trade in trades.iter().filter(|trade| trade.instrument == instrument.id) {
        // Pages overlap: each execution counts once.
        if !seen.insert(trade.trade) {
            continue;
        }
        let worth = |lots: i64| {
            (i128::from(lots) * i128::from(trade.tick.0))
                .checked_mul(instrument.atoms_per_tick_lot)
                .ok_or(AccountError::Range)
        };
        let signed = trade.side.sign() * trade.lots.0;
        sum.count += 1;
        sum.lots = sum.lots.checked_add(signed).ok_or(AccountError::Range)?;
        sum.cash -= worth(signed)?;
        match trade.fee {
            Fee::None => {}
            Fee::Quote(amount) => {
                sum.cash -= amount.0;
                sum.fees += amount.0;
            }
            Fee::Base(lots) => {
                sum.lots = sum.lots.checked_sub(lots.0).ok_or(AccountError::Range)?;
                sum.fees += worth(lots.0)?;
            }
            Fee::Other(..) => sum.fees_other += 1,
        }
    }
    Ok(sum)
}

/// Recomputes the account's result from what the venue said at start and end and from all trades between.
///
/// Spot: the change of the quote balance, and the base balances at the last mid less those at the start at the
/// first. Futures: the trades' cash and the position at the last mid less that at the start at the first.
/// `mids` belongs to `instruments`, place by place.
///
/// # Errors
/// Why it cannot be stated: see [`AccountError`].
pub fn venue_account(
    product: ProductLine,
    instruments: &[Instrument],
    start: &AccountPoint,
    end: &AccountPoint,
    trades: &[TradeRecord],
    mids: &[Option<Mids>],
) -> Result<VenueAccount, AccountError> {
    let Some(quote) = instruments.first().map(|instrument| instrument.quote_asset) else {
        return Err(AccountError::MixedAssets);
    };
    let mixed = |instrument: &Instrument| instrument.quote_asset != quote || instrument.base_asset == quote;
    if instruments.iter().any(mixed) {
        return Err(AccountError::MixedAssets);
    }
    let mut account = VenueAccount {
        positions: Vec::new(),
        pnl_quote: QuoteAtoms::ZERO,
        fees_quote: QuoteAtoms::ZERO,
        trades: 0,
        fees_other: 0,
    };
    let mut cash = 0i128;
    let mut held_doubled = 0i128;
    for (place, instrument) in instruments.iter().enumerate() {
        let (before, after) = (start.inventory(product, instrument)?, end.inventory(product, instrument)?);
        let sum = sum_trades(instrument, trades)?;
        let held = after.0.checked_sub(before.0).ok_or(AccountError::Range)?;
        if held != sum.lots {
            return Err(AccountError::Drift { symbol: instrument.symbol, held, traded: sum.lots });
        }
        cash += sum.cash;
        account.trades += sum.count;
        account.fees_other += sum.fees_other;
        account.fees_quote += QuoteAtoms(sum.fees);
        account.positions.push((instrument.id, after));
        if before.0 == 0 && after.0 == 0 {
            continue;
        }
        let mid = mids.get(place).copied().flatten().ok_or(AccountError::NoMid(instrument.symbol))?;
        let now = i128::from(after.0) * i128::from(mid.last_doubled);
        let then = i128::from(before.0) * i128::from(mid.first_doubled);
        held_doubled += (now - then).checked_mul(instrument.atoms_per_tick_lot).ok_or(AccountError::Range)?;
    }
    if product.holds_inventory() {
        cash = end.total(quote) - start.total(quote);
    }
    account.pnl_quote = QuoteAtoms((2 * cash + held_doubled).div_euclid(2));
    Ok(account)
}
