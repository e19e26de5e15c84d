//! COLD: Binance's account over REST: signed requests, and what the replies to them say.

use std::collections::HashSet;

use serde_json::Value;
use spinbook_engine::types::{InstrumentId, Lots, Nanos, VenueCode};

use crate::crypto::credentials::Credentials;
use crate::error::{InstrumentError, RateLimitError};
use crate::number::parse_signed_atoms;
use crate::venue::ProductLine;
use crate::venue::binance::instruments::find_instruments;
use crate::venue::binance::order_decode::{instrument_of, millis, order_rows, reason_of, text, trade_row};
use crate::venue::binance::parameters::Query;
use crate::venue::binance::rate_limits::parse_windows;
use crate::venue::binance::request_ids::CLIENT_IDS;
use crate::venue::binance::{Product, order};
use crate::venue::instrument::{Instrument, Symbol};
use crate::venue::order_ids::{ClientOrderId, RunName};
use crate::venue::order_side::Reaction;
use crate::venue::orders::{OrderDecodeError, OrderUpdate, Refusal, RequestKind, WindowUsage, parse_signed};

use crate::venue::account::{
    AccountSide, Balance, IncomeRecord, KeyRights, RestRequest, Signing, TradeRecord, TradesSince,
};

/// Most rows the venue gives of a trade list at once; with as many, ask again from the last id on.
pub const TRADES_PER_REPLY: usize = 1000;

/// Most rows the venue gives of an income list at once; with as many, ask again from the time of the last on.
pub const INCOMES_PER_REPLY: usize = 1000;

/// Most orders that are asked for at once; the venue gives the oldest first.
const ORDERS_PER_REPLY: i64 = 1000;

/// Request weight of an instrument list, on the product line where it weighs more.
const INSTRUMENTS_WEIGHT: u32 = 20;

/// The way out of hedge mode.
const ONE_WAY_MODE: &str = "close its positions and orders, then choose one-way mode in the venue's futures preferences \
                            (position mode), or send POST /fapi/v1/positionSide/dual with dualSidePosition=false";

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

    fn path(&self, spot: (&'static str, u32), usdm: (&'static str, u32)) -> (&'static str, u32) {
        match self.product {
            Product::BinanceSpot => spot,
            Product::BinanceUsdm => usdm,
        }
    }

    /// A signed request to the product line's path, with its weight there.
    fn signed(&self, method: &'static str, to: (&str, u32), mut query: Query, venue_now: Nanos) -> RestRequest {
        query.push_number("recvWindow", self.receive_window_ms);
        query.push_number("timestamp", venue_now.millis());
        query.sign(self.credentials);
        let (path, weight) = to;
        RestRequest { method, target: format!("{path}?{}", query.as_str()), headers: self.key_header(), weight }
    }

    fn key_header(&self) -> Vec<(&'static str, String)> {
        vec![("X-MBX-APIKEY", self.credentials.api_key.as_str().to_owned())]
    }

    /// The venue's clock; reply: [`parse_time`].
    #[must_use]
    pub fn time(&self) -> RestRequest {
        BinanceAccount::public(self.product.card().time_path, 1)
    }

    /// Instruments and rate windows; the windows: [`parse_windows`].
    #[must_use]
    pub fn exchange_info(&self) -> RestRequest {
        BinanceAccount::public(self.product.card().instruments_path, INSTRUMENTS_WEIGHT)
    }

    /// Balances (spot: with the account's number); reply: [`parse_balances`].
    #[must_use]
    pub fn balances(&self, venue_now: Nanos) -> RestRequest {
        let mut query = Query::new();
        if self.product == Product::BinanceSpot {
            query.push("omitZeroBalances", "true");
        }
        self.signed("GET", self.path(("/api/v3/account", 20), ("/fapi/v3/balance", 5)), query, venue_now)
    }

    /// Positions, which only futures have; reply: [`parse_positions`].
    #[must_use]
    pub fn positions(&self, venue_now: Nanos) -> Option<RestRequest> {
        let futures = self.product == Product::BinanceUsdm;
        futures.then(|| self.signed("GET", ("/fapi/v3/positionRisk", 5), Query::new(), venue_now))
    }

    /// The account's position mode, which only futures have; reply: [`check_mode`].
    #[must_use]
    pub fn mode(&self, venue_now: Nanos) -> Option<RestRequest> {
        let futures = self.product == Product::BinanceUsdm;
        futures.then(|| self.signed("GET", ("/fapi/v1/positionSide/dual", 30), Query::new(), venue_now))
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
        self.signed("GET", self.path(("/api/v3/myTrades", 20), ("/fapi/v1/userTrades", 5)), query, venue_now)
    }

    /// What moved the account's money, which only futures list; reply: [`parse_incomes`].
    #[must_use]
    pub fn incomes(&self, since: Nanos, venue_now: Nanos) -> Option<RestRequest> {
        let mut query = Query::new();
        query.push_number("startTime", since.millis());
        query.push_number("limit", INCOMES_PER_REPLY as i64);
        let futures = self.product == Product::BinanceUsdm;
        futures.then(|| self.signed("GET", ("/fapi/v1/income", 30), query, venue_now))
    }

    /// Open orders of an instrument; reply: [`parse_open_orders`].
    #[must_use]
    pub fn open_orders(&self, instrument: &Instrument, venue_now: Nanos) -> RestRequest {
        let mut query = Query::new();
        query.push("symbol", instrument.symbol.as_str());
        self.signed("GET", self.path(("/api/v3/openOrders", 6), ("/fapi/v1/openOrders", 1)), query, venue_now)
    }

    /// One order of an instrument, by our name for it; reply: [`parse_order`].
    #[must_use]
    pub fn order_status(&self, instrument: &Instrument, name: &ClientOrderId, venue_now: Nanos) -> RestRequest {
        let mut query = Query::new();
        query.push("symbol", instrument.symbol.as_str());
        query.push("origClientOrderId", name.as_str());
        self.signed("GET", self.path(("/api/v3/order", 4), ("/fapi/v1/order", 1)), query, venue_now)
    }

    /// Orders of an instrument since a time, closed ones too, a thousand at most; reply: [`parse_open_orders`].
    #[must_use]
    pub fn orders_since(&self, instrument: &Instrument, since: Nanos, venue_now: Nanos) -> RestRequest {
        let mut query = Query::new();
        query.push("symbol", instrument.symbol.as_str());
        query.push_number("startTime", since.millis());
        query.push_number("limit", ORDERS_PER_REPLY);
        self.signed("GET", self.path(("/api/v3/allOrders", 20), ("/fapi/v1/allOrders", 5)), query, venue_now)
    }

    /// Cancels every open order of an instrument.
    #[must_use]
    pub fn cancel_all(&self, instrument: &Instrument, venue_now: Nanos) -> RestRequest {
        let mut query = Query::new();
        query.push("symbol", instrument.symbol.as_str());
        self.signed("DELETE", self.path(("/api/v3/openOrders", 1), ("/fapi/v1/allOpenOrders", 1)), query, venue_now)
    }

    /// Cancels every open order of an instrument after a countdown, where the card has one; zero stops it.
    #[must_use]
    pub fn cancel_all_later(&self, instrument: &Instrument, within: Nanos, venue_now: Nanos) -> Option<RestRequest> {
        self.product.card().orders?.cancel_timer?;
        let mut query = Query::new();
        query.push("symbol", instrument.symbol.as_str());
        query.push_number("countdownTime", within.millis());
        Some(self.signed("POST", ("/fapi/v1/countdownCancelAll", 10), query, venue_now))
    }

    /// A user data key, which only futures have.
    #[must_use]
    pub fn start_user_data(&self) -> Option<RestRequest> {
        let futures = self.product == Product::BinanceUsdm;
        futures.then(|| RestRequest {
            method: "POST",
            target: "/fapi/v1/listenKey".to_owned(),
            headers: self.key_header(),
            weight: 1,
        })
    }
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

/// Balances of either product line.
///
/// # Errors
/// The body is not what was asked for, a number is not exact, or an asset is listed twice.
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
    let mut listed = HashSet::new();
    for row in rows(list, "balances")? {
        let row = row.as_object().ok_or(OrderDecodeError::Field("balances"))?;
        let money = |key: &'static str| {
            parse_signed_atoms(text(row, key)?.as_bytes()).map_err(|error| OrderDecodeError::Number(key, error))
        };
        let asset = Symbol::new(text(row, "asset")?).ok_or(OrderDecodeError::Field("asset"))?;
        if !listed.insert(asset) {
            return Err(OrderDecodeError::Repeated { what: "balances", name: asset });
        }
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

/// What the key may do.
///
/// # Errors
/// The body is not what was asked for.
pub fn parse_key_rights(body: &[u8]) -> Decoded<KeyRights> {
    let value = json(body)?;
    let flag = |name: &'static str| value.get(name).and_then(Value::as_bool).ok_or(OrderDecodeError::Field(name));
    Ok(KeyRights { may_withdraw: flag("enableWithdrawals")?, is_bound_to_address: flag("ipRestrict")? })
}

/// Whether the account keeps one net position of each symbol.
///
/// # Errors
/// The body is not what was asked for, or the account is in hedge mode, which shows in its positions only once it holds
/// one.
pub fn check_mode(body: &[u8]) -> Decoded<()> {
    const SETTING: &str = "dualSidePosition";
    match json(body)?.get(SETTING).and_then(Value::as_bool) {
        Some(false) => Ok(()),
        Some(true) => Err(OrderDecodeError::HedgeModeSet { setting: SETTING, advice: ONE_WAY_MODE }),
        None => Err(OrderDecodeError::Field(SETTING)),
    }
}

/// Net positions of our instruments.
///
/// # Errors
/// The body is not what was asked for, a number is not exact, one of our symbols is listed twice, or the account keeps
/// a position for each side: hedge mode is the whole account's, so any symbol shows it.
pub fn parse_positions(instruments: &[Instrument], body: &[u8]) -> Decoded<Vec<(InstrumentId, Lots)>> {
    let value = json(body)?;
    let mut positions: Vec<(InstrumentId, Lots)> = Vec::new();
    for row in rows(&value, "positions")? {
        let row = row.as_object().ok_or(OrderDecodeError::Field("positions"))?;
        let symbol = text(row, "symbol")?;
        let name = || Symbol::new(symbol).ok_or(OrderDecodeError::Field("symbol"));
        if let Some(side) = row.get("positionSide").and_then(Value::as_str).filter(|side| *side != "BOTH") {
            let side = Symbol::new(side).ok_or(OrderDecodeError::Field("positionSide"))?;
            return Err(OrderDecodeError::HedgeMode { name: name()?, side, advice: ONE_WAY_MODE });
        }
        let Some(instrument) = instrument_of(instruments, symbol) else { continue };
        if positions.iter().any(|(id, _)| *id == instrument.id) {
            return Err(OrderDecodeError::Repeated { what: "positions", name: name()? });
        }
        let lots = parse_signed(&instrument.quantity, text(row, "positionAmt")?)
            .map_err(|error| OrderDecodeError::Number("positionAmt", error))?;
        positions.push((instrument.id, Lots(lots)));
    }
    Ok(positions)
}

/// Open orders of our instruments, of these runs and of others; see [`AccountSide::parse_open_orders`].
///
/// # Errors
/// The body is not what was asked for, or a number is not exact.
pub fn parse_open_orders(instruments: &[Instrument], runs: &[RunName], body: &[u8]) -> Decoded<Vec<OrderUpdate>> {
    order_rows(instruments, &|name| CLIENT_IDS.read_of(runs, name), rows(&json(body)?, "orders")?)
}

/// One order of ours; see [`AccountSide::parse_order`].
///
/// # Errors
/// The body is not what was asked for, or a number is not exact.
pub fn parse_order(instruments: &[Instrument], runs: &[RunName], body: &[u8]) -> Decoded<Option<OrderUpdate>> {
    let row = json(body)?;
    if row.get("orderId").is_none() {
        return Err(OrderDecodeError::Field("orderId"));
    }
    let read = |name: &str| CLIENT_IDS.read_of(runs, name);
    Ok(order_rows(instruments, &read, std::slice::from_ref(&row))?.pop())
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

/// What moved the account's money, as the venue lists it.
///
/// # Errors
/// The body is not what was asked for, or a number is not exact.
pub fn parse_incomes(instruments: &[Instrument], body: &[u8]) -> Decoded<Vec<IncomeRecord>> {
    let value = json(body)?;
    let mut incomes = Vec::new();
    for row in rows(&value, "incomes")? {
        let row = row.as_object().ok_or(OrderDecodeError::Field("incomes"))?;
        let symbol = row.get("symbol").and_then(Value::as_str).unwrap_or("");
        let instrument = instrument_of(instruments, symbol).map(|instrument| instrument.id);
        // A number or its text, as the venue has printed both.
        let number = row.get("tranId").and_then(|number| number.as_u64().or_else(|| number.as_str()?.parse().ok()));
        incomes.push(IncomeRecord {
            reason: reason_of(text(row, "incomeType")?),
            instrument,
            is_of_another: instrument.is_none() && !symbol.is_empty(),
            asset: Symbol::new(text(row, "asset")?).ok_or(OrderDecodeError::Field("asset"))?,
            amount: parse_signed_atoms(text(row, "income")?.as_bytes())
                .map_err(|error| OrderDecodeError::Number("income", error))?,
            number: number.ok_or(OrderDecodeError::Field("tranId"))?,
            time: row.get("time").and_then(millis).ok_or(OrderDecodeError::Field("time"))?,
        });
    }
    Ok(incomes)
}

/// The account side of a product line.
#[derive(Clone, Copy, Debug)]
pub struct BinanceAccount {
    product: ProductLine,
    receive_window_ms: i64,
}

impl BinanceAccount {
    /// For one product line; the venue may execute a request for `receive_window_ms` after its timestamp.
    #[must_use]
    pub fn new(product: ProductLine, receive_window_ms: i64) -> BinanceAccount {
        BinanceAccount { product, receive_window_ms }
    }

    fn requests<'a>(&self, signing: Signing<'a>) -> AccountRest<'a> {
        AccountRest::new(self.product, signing.credentials, self.receive_window_ms)
    }

    fn public(path: &str, weight: u32) -> RestRequest {
        RestRequest { method: "GET", target: path.to_owned(), headers: Vec::new(), weight }
    }
}

impl AccountSide for BinanceAccount {
    fn time(&self) -> RestRequest {
        BinanceAccount::public(self.product.card().time_path, 1)
    }

    fn instrument_list(&self) -> RestRequest {
        BinanceAccount::public(self.product.card().instruments_path, INSTRUMENTS_WEIGHT)
    }

    fn balances(&self, signing: Signing<'_>) -> RestRequest {
        self.requests(signing).balances(signing.venue_now)
    }

    fn positions(&self, signing: Signing<'_>) -> Option<RestRequest> {
        self.requests(signing).positions(signing.venue_now)
    }

    fn mode(&self, signing: Signing<'_>) -> Option<RestRequest> {
        self.requests(signing).mode(signing.venue_now)
    }

    fn trades(&self, signing: Signing<'_>, instrument: &Instrument, since: TradesSince) -> RestRequest {
        self.requests(signing).trades(instrument, since, signing.venue_now)
    }

    fn trades_per_reply(&self) -> usize {
        TRADES_PER_REPLY
    }

    fn incomes(&self, signing: Signing<'_>, since: Nanos) -> Option<RestRequest> {
        self.requests(signing).incomes(since, signing.venue_now)
    }

    fn incomes_per_reply(&self) -> usize {
        if Product::of(self.product) == Product::BinanceUsdm { INCOMES_PER_REPLY } else { 0 }
    }

    fn parse_incomes(&self, instruments: &[Instrument], body: &[u8]) -> Decoded<Vec<IncomeRecord>> {
        parse_incomes(instruments, body)
    }

    fn open_orders(&self, signing: Signing<'_>, instrument: &Instrument) -> RestRequest {
        self.requests(signing).open_orders(instrument, signing.venue_now)
    }

    fn order_status(&self, signing: Signing<'_>, instrument: &Instrument, name: &ClientOrderId) -> RestRequest {
        self.requests(signing).order_status(instrument, name, signing.venue_now)
    }

    fn orders_since(&self, signing: Signing<'_>, instrument: &Instrument, since: Nanos) -> RestRequest {
        self.requests(signing).orders_since(instrument, since, signing.venue_now)
    }

    fn cancel_all(&self, signing: Signing<'_>, instrument: &Instrument) -> RestRequest {
        self.requests(signing).cancel_all(instrument, signing.venue_now)
    }

    fn cancel_all_later(&self, signing: Signing<'_>, instrument: &Instrument, within: Nanos) -> Option<RestRequest> {
        self.requests(signing).cancel_all_later(instrument, within, signing.venue_now)
    }

    fn key_rights(&self, signing: Signing<'_>) -> Option<RestRequest> {
        let path = "/sapi/v1/account/apiRestrictions";
        Some(self.requests(signing).signed("GET", (path, 1), Query::new(), signing.venue_now))
    }

    fn parse_key_rights(&self, body: &[u8]) -> Decoded<KeyRights> {
        parse_key_rights(body)
    }

    fn start_user_data(&self, signing: Signing<'_>) -> Option<RestRequest> {
        self.requests(signing).start_user_data()
    }

    fn parse_time(&self, body: &[u8]) -> Decoded<Nanos> {
        parse_time(body)
    }

    fn parse_windows(&self, body: &[u8]) -> Result<Vec<WindowUsage>, RateLimitError> {
        parse_windows(body)
    }

    fn find_instruments(&self, body: &[u8], symbols: &[&str]) -> Result<Vec<Instrument>, InstrumentError> {
        find_instruments(self.product, body, symbols)
    }

    fn parse_balances(&self, body: &[u8]) -> Decoded<Vec<Balance>> {
        parse_balances(self.product, body)
    }

    fn parse_account_id(&self, body: &[u8]) -> Option<String> {
        parse_account_id(self.product, body)
    }

    fn check_mode(&self, body: &[u8]) -> Decoded<()> {
        check_mode(body)
    }

    fn parse_positions(&self, instruments: &[Instrument], body: &[u8]) -> Decoded<Vec<(InstrumentId, Lots)>> {
        parse_positions(instruments, body)
    }

    fn parse_open_orders(
        &self,
        instruments: &[Instrument],
        runs: &[RunName],
        body: &[u8],
    ) -> Decoded<Vec<OrderUpdate>> {
        parse_open_orders(instruments, runs, body)
    }

    fn parse_order(&self, instruments: &[Instrument], runs: &[RunName], body: &[u8]) -> Decoded<Option<OrderUpdate>> {
        parse_order(instruments, runs, body)
    }

    fn parse_trades(&self, instruments: &[Instrument], body: &[u8]) -> Decoded<Vec<TradeRecord>> {
        parse_trades(instruments, body)
    }

    fn parse_refusal(&self, status: u16, body: &[u8]) -> Refusal {
        parse_refusal(status, body)
    }

    fn reaction(&self, refusal: &Refusal) -> Reaction {
        reaction(self.product, refusal)
    }

    fn advice(&self, refusal: &Refusal) -> Option<&'static str> {
        order::advice(refusal)
    }
}
