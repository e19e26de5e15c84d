//! COLD: Binance's replies and user data events, exact numbers, unknown variants never taken as final.

use serde_json::{Map, Value};

use spinbook_engine::intent::TimeInForce;
use spinbook_engine::types::{Level, Lots, Nanos, OrderId, QuoteAtoms, Side, Tick, TradeId, VenueCode};

use crate::number::{NumberError, Scale, parse_signed_atoms};
use crate::venue::account::whole_lots;
use crate::venue::binance::rate_limits::usage;
use crate::venue::binance::request_ids::parse_request_id;
use crate::venue::instrument::{Instrument, Symbol};
use crate::venue::order_ids::{ClientIds, VenueOrderId};
use crate::venue::orders::{
    Fee, Fill, FillNotice, MoneyMoved, MoneyReason, OrderDecodeError, OrderMessage, OrderStatus, OrderUpdate, Refusal,
    ReplaceHalf, Reply, ReplyBody, RequestKind, parse_signed,
};

type Object = Map<String, Value>;
type Decoded<T> = Result<T, OrderDecodeError>;
/// Which order a name belongs to, if it is one of ours.
type ReadName<'a> = &'a dyn Fn(&str) -> Option<OrderId>;

/// Understands one text message of either product.
///
/// # Errors
/// What is wrong with it; nothing of it is to be used.
pub fn decode(instruments: &[Instrument], ids: &ClientIds, frame: &[u8]) -> Decoded<OrderMessage> {
    let value: Value = serde_json::from_slice(frame).map_err(|_| OrderDecodeError::Json)?;
    let Value::Object(message) = value else {
        return Err(OrderDecodeError::Field("message"));
    };
    if let Some(status) = message.get("status").and_then(Value::as_u64) {
        return decode_reply(instruments, ids, &message, status).map(OrderMessage::Reply);
    }
    let event = match (message.get("event"), message.get("data")) {
        (Some(Value::Object(event)), _) | (None, Some(Value::Object(event))) => event,
        _ => &message,
    };
    decode_event(instruments, ids, event)
}

fn decode_reply(instruments: &[Instrument], ids: &ClientIds, message: &Object, status: u64) -> Decoded<Reply> {
    let id = message.get("id").and_then(Value::as_str).ok_or(OrderDecodeError::Id)?;
    let (kind, id) = parse_request_id(id).ok_or(OrderDecodeError::Id)?;
    let usage = message.get("rateLimits").and_then(Value::as_array).map(|rows| usage(rows)).unwrap_or_default();
    let status = u16::try_from(status).map_err(|_| OrderDecodeError::Field("status"))?;
    let halves = message.get("error").and_then(|error| error.get("data")).filter(|data| has_halves(data));
    let outcome = match (message.get("result"), halves) {
        (Some(result), _) if status == 200 => Ok(decode_body(instruments, ids, kind, result)?),
        // Refused as a whole, and each half says what became of it.
        (_, Some(halves)) if kind == RequestKind::Replace => Ok(replaced(instruments, &|name| ids.read(name), halves)),
        _ => Err(decode_error(message, status)),
    };
    Ok(Reply { id, kind, outcome, usage })
}

fn decode_error(message: &Object, status: u16) -> Refusal {
    let error = message.get("error");
    let code = error.and_then(|error| error.get("code")).and_then(Value::as_i64);
    let text = error.and_then(|error| error.get("msg")).and_then(Value::as_str);
    let retry_after = error
        .and_then(|error| error.get("data"))
        .and_then(|data| data.get("retryAfter"))
        .and_then(Value::as_i64)
        .and_then(|at| at.checked_mul(1_000_000))
        .map(Nanos);
    Refusal {
        status,
        code: code.map_or(VenueCode::NONE, VenueCode::from_number),
        message: text.unwrap_or("").to_owned(),
        retry_after,
    }
}

fn decode_body(instruments: &[Instrument], ids: &ClientIds, kind: RequestKind, result: &Value) -> Decoded<ReplyBody> {
    let read: ReadName<'_> = &|name| ids.read(name);
    Ok(match kind {
        RequestKind::ServerTime => ReplyBody::ServerTime(
            result.get("serverTime").and_then(millis).ok_or(OrderDecodeError::Field("serverTime"))?,
        ),
        RequestKind::LogOn => ReplyBody::LoggedOn,
        RequestKind::SubscribeUserData => ReplyBody::Subscribed,
        RequestKind::StartUserData => {
            let key = result.get("listenKey").and_then(Value::as_str).filter(|key| is_url_safe(key));
            ReplyBody::UserDataKey(key.ok_or(OrderDecodeError::Field("listenKey"))?.to_owned())
        }
        RequestKind::Place => {
            let reply = result.as_object().ok_or(OrderDecodeError::Field("result"))?;
            ReplyBody::Placed(venue_order(reply, "orderId")?)
        }
        RequestKind::Cancel | RequestKind::OrderStatus | RequestKind::Amend => {
            ReplyBody::Order(row_of(instruments, read, result)?.ok_or(OrderDecodeError::Field("symbol"))?)
        }
        RequestKind::OpenOrders | RequestKind::CancelAll => match result {
            Value::Array(rows) => ReplyBody::Orders(order_rows(instruments, read, rows)?),
            _ if kind == RequestKind::CancelAll => ReplyBody::Done,
            _ => return Err(OrderDecodeError::Field("result")),
        },
        RequestKind::Fills => {
            let rows = result.as_array().ok_or(OrderDecodeError::Field("result"))?;
            let trades = rows.iter().filter_map(|row| trade_row(instruments, row).transpose());
            ReplyBody::Fills(trades.collect::<Decoded<_>>()?)
        }
        RequestKind::Replace => replaced(instruments, read, result),
        RequestKind::KeepUserData => ReplyBody::Done,
    })
}

/// Whether an answer tells of both halves of a cancel-and-replace.
fn has_halves(answer: &Value) -> bool {
    answer.get("cancelResult").is_some() && answer.get("newOrderResult").is_some()
}

/// Both halves of a cancel-and-replace; what a half does not say in so many words is not known.
fn replaced(instruments: &[Instrument], read: ReadName<'_>, answer: &Value) -> ReplyBody {
    let row = |answer: &Value| row_of(instruments, read, answer).ok().flatten();
    let id = |answer: &Value| answer.as_object().and_then(|placed| venue_order(placed, "orderId").ok());
    ReplyBody::Replaced {
        canceled: half(answer, ["cancelResult", "cancelResponse"], row),
        placed: half(answer, ["newOrderResult", "newOrderResponse"], id),
    }
}

fn half<T>(answer: &Value, [result, response]: [&str; 2], read: impl Fn(&Value) -> Option<T>) -> ReplaceHalf<T> {
    let response = answer.get(response).unwrap_or(&Value::Null);
    match answer.get(result).and_then(Value::as_str) {
        Some("SUCCESS") => read(response).map_or(ReplaceHalf::Unknown, ReplaceHalf::Done),
        Some("NOT_ATTEMPTED") => ReplaceHalf::NotAttempted,
        // A refusal has a code; without one nothing is proved.
        Some("FAILURE") => match response.get("code").and_then(Value::as_i64) {
            Some(code) => ReplaceHalf::Refused(Refusal {
                status: 400,
                code: VenueCode::from_number(code),
                message: response.get("msg").and_then(Value::as_str).unwrap_or("").to_owned(),
                retry_after: None,
            }),
            None => ReplaceHalf::Unknown,
        },
        _ => ReplaceHalf::Unknown,
    }
}

/// Price and quantity as a message states them; `None` where they are off the instrument's scales.
fn in_force(instrument: &Instrument, fields: &Object, [price, quantity]: [&'static str; 2]) -> Option<Level> {
    let tick = Tick(number(&instrument.price, fields, price).ok()?);
    Some(Level { tick, lots: Lots(number(&instrument.quantity, fields, quantity).ok()?) })
}

/// How long an order may live as a row states it: post-only is a type on spot and a time in force on futures.
fn time_in_force(row: &Object) -> Option<TimeInForce> {
    let said = |key: &str| row.get(key).and_then(Value::as_str);
    match (said("type")?, said("timeInForce")) {
        ("LIMIT_MAKER", _) | ("LIMIT", Some("GTX")) => Some(TimeInForce::PostOnly),
        ("LIMIT", Some("IOC")) => Some(TimeInForce::ImmediateOrCancel),
        ("LIMIT", Some("GTC")) => Some(TimeInForce::GoodTilCancel),
        _ => None,
    }
}

/// A key becomes part of a path: nothing in it may change the path's meaning.
fn is_url_safe(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= 256
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// Orders of a list; rows of other instruments and of order lists are skipped.
pub(crate) fn order_rows(instruments: &[Instrument], read: ReadName<'_>, rows: &[Value]) -> Decoded<Vec<OrderUpdate>> {
    let mut orders = Vec::with_capacity(rows.len());
    for row in rows {
        let fields = row.as_object().ok_or(OrderDecodeError::Field("order"))?;
        if fields.contains_key("orderId")
            && let Some(order) = row_of(instruments, read, row)?
        {
            orders.push(order);
        }
    }
    Ok(orders)
}

/// An order as replies print it; `None` if its instrument is not ours.
fn row_of(instruments: &[Instrument], read: ReadName<'_>, row: &Value) -> Decoded<Option<OrderUpdate>> {
    let row = row.as_object().ok_or(OrderDecodeError::Field("order"))?;
    let Some(instrument) = instrument_of(instruments, text(row, "symbol")?) else {
        return Ok(None);
    };
    // A cancel's reply names the cancel in `clientOrderId` and the order in `origClientOrderId`.
    let name = row
        .get("origClientOrderId")
        .and_then(Value::as_str)
        .filter(|name| !name.is_empty())
        .or_else(|| row.get("clientOrderId").and_then(Value::as_str));
    let time = ["updateTime", "transactTime", "time"].iter().find_map(|key| row.get(*key).and_then(millis));
    Ok(Some(OrderUpdate {
        instrument: instrument.id,
        order: name.and_then(read),
        venue_order: venue_order(row, "orderId")?,
        side: side(text(row, "side")?)?,
        status: status_of(text(row, "status")?),
        lots_cumulative: Lots(number(&instrument.quantity, row, "executedQty")?),
        lots_ordered: Lots(number(&instrument.quantity, row, "origQty")?),
        in_force: in_force(instrument, row, ["price", "origQty"]),
        time_in_force: time_in_force(row),
        fill: None,
        time: time.unwrap_or(Nanos::ZERO),
    }))
}

/// One execution as trade lists print it; `None` if its instrument is not ours.
pub(crate) fn trade_row(instruments: &[Instrument], row: &Value) -> Decoded<Option<OrderUpdate>> {
    let row = row.as_object().ok_or(OrderDecodeError::Field("trade"))?;
    let Some(instrument) = instrument_of(instruments, text(row, "symbol")?) else {
        return Ok(None);
    };
    // Spot says isBuyer and isMaker, futures buyer and maker.
    let flag = |keys: [&'static str; 2]| {
        let value = keys.iter().find_map(|key| row.get(*key).and_then(Value::as_bool));
        value.ok_or(OrderDecodeError::Field(keys[1]))
    };
    let lots = Lots(number(&instrument.quantity, row, "qty")?);
    let fill = Fill {
        trade: TradeId(whole(row, "id")?.into()),
        tick: Tick(number(&instrument.price, row, "price")?),
        lots,
        fee: fee(instrument, row.get("commissionAsset"), row.get("commission"), "commission")?,
        maker: flag(["isMaker", "maker"])?,
    };
    Ok(Some(OrderUpdate {
        instrument: instrument.id,
        order: None,
        venue_order: venue_order(row, "orderId")?,
        side: if flag(["isBuyer", "buyer"])? { Side::Bid } else { Side::Ask },
        status: OrderStatus::Live,
        lots_cumulative: lots,
        lots_ordered: Lots::ZERO,
        in_force: None,
        time_in_force: None,
        fill: Some(fill),
        time: row.get("time").and_then(millis).unwrap_or(Nanos::ZERO),
    }))
}

fn decode_event(instruments: &[Instrument], ids: &ClientIds, event: &Object) -> Decoded<OrderMessage> {
    let Some(kind) = event.get("e").and_then(Value::as_str) else {
        return Ok(OrderMessage::Other);
    };
    match kind {
        "executionReport" => order_event(instruments, ids, event),
        "ORDER_TRADE_UPDATE" => {
            let order = event.get("o").and_then(Value::as_object).ok_or(OrderDecodeError::Field("o"))?;
            order_event(instruments, ids, order)
        }
        "TRADE_LITE" => fill_notice(instruments, ids, event),
        "ACCOUNT_UPDATE" => positions(instruments, event),
        "outboundAccountPosition" => holdings(instruments, event),
        "balanceUpdate" => balance_moved(event),
        "externalLockUpdate" => Ok(OrderMessage::Balances),
        "listenKeyExpired" | "eventStreamTerminated" => Ok(OrderMessage::UserDataEnded),
        "serverShutdown" => Ok(OrderMessage::ServerShutdown),
        _ => Ok(OrderMessage::Other),
    }
}

/// How the names of orders begin that the venue makes itself: liquidation, deleveraging, settlement.
const VENUE_ORDERS: [&str; 3] = ["autoclose-", "adl_autoclose", "settlement_autoclose-"];

/// What an event says has happened, where that is known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Execution {
    Change,
    Trade,
    Unknown,
}

fn order_event(instruments: &[Instrument], ids: &ClientIds, event: &Object) -> Decoded<OrderMessage> {
    let Some(instrument) = instrument_of(instruments, text(event, "s")?) else {
        return Ok(OrderMessage::OtherInstrument);
    };
    let kind = text(event, "x")?;
    let execution = match kind {
        "NEW" | "CANCELED" | "REPLACED" | "REJECTED" | "EXPIRED" | "TRADE_PREVENTION" | "AMENDMENT" => {
            Execution::Change
        }
        "TRADE" | "CALCULATED" => Execution::Trade,
        _ => Execution::Unknown,
    };
    let status = match execution {
        Execution::Unknown => OrderStatus::Unknown,
        _ => status_of(text(event, "X")?),
    };
    // After a cancel `c` is the cancel's own id and `C` the order's.
    let original = event.get("C").and_then(Value::as_str).filter(|name| !name.is_empty());
    let name = match original {
        Some(name) => name,
        None => text(event, "c")?,
    };
    let by_venue = VENUE_ORDERS.iter().any(|prefix| name.starts_with(prefix));
    let update = OrderUpdate {
        instrument: instrument.id,
        order: ids.read(name),
        venue_order: venue_order(event, "i")?,
        side: side(text(event, "S")?)?,
        status,
        lots_cumulative: Lots(number(&instrument.quantity, event, "z")?),
        lots_ordered: Lots(number(&instrument.quantity, event, "q")?),
        in_force: (kind == "AMENDMENT").then(|| in_force(instrument, event, ["p", "q"])).flatten(),
        time_in_force: None,
        fill: fill_of(instrument, event, execution)?,
        time: event.get("T").and_then(millis).unwrap_or(Nanos::ZERO),
    };
    Ok(if by_venue { OrderMessage::VenueOrder(update) } else { OrderMessage::Update(update) })
}

fn fill_of(instrument: &Instrument, event: &Object, execution: Execution) -> Decoded<Option<Fill>> {
    if execution == Execution::Change {
        return Ok(None);
    }
    let trade = event.get("t").and_then(Value::as_i64).and_then(|id| u64::try_from(id).ok()).filter(|id| *id > 0);
    let trade = match (trade, execution) {
        (Some(trade), _) => trade,
        (None, Execution::Unknown) => return Ok(None),
        (None, _) => return Err(OrderDecodeError::Field("t")),
    };
    let lots = Lots(number(&instrument.quantity, event, "l")?);
    if lots.is_zero() {
        return if execution == Execution::Trade { Err(OrderDecodeError::Field("l")) } else { Ok(None) };
    }
    Ok(Some(Fill {
        trade: TradeId(trade.into()),
        tick: Tick(number(&instrument.price, event, "L")?),
        lots,
        fee: fee(instrument, event.get("N"), event.get("n"), "n")?,
        maker: event.get("m").and_then(Value::as_bool).ok_or(OrderDecodeError::Field("m"))?,
    }))
}

/// A fee of `amount` in `asset`; exact, in the unit of that asset.
pub(crate) fn fee(
    instrument: &Instrument,
    asset: Option<&Value>,
    amount: Option<&Value>,
    field: &'static str,
) -> Decoded<Fee> {
    let Some(asset) = asset.and_then(Value::as_str) else {
        return Ok(Fee::None);
    };
    let amount = amount.and_then(Value::as_str).ok_or(OrderDecodeError::Field(field))?;
    let wrong = |error: NumberError| OrderDecodeError::Number(field, error);
    if asset == instrument.quote_asset.as_str() {
        Ok(Fee::Quote(QuoteAtoms(parse_signed_atoms(amount.as_bytes()).map_err(wrong)?)))
    } else if asset == instrument.base_asset.as_str() {
        Ok(Fee::Base(Lots(parse_signed(&instrument.quantity, amount).map_err(wrong)?)))
    } else {
        let name = Symbol::new(asset).ok_or(OrderDecodeError::Field(field))?;
        Ok(Fee::Other(name, parse_signed_atoms(amount.as_bytes()).map_err(wrong)?))
    }
}

fn fill_notice(instruments: &[Instrument], ids: &ClientIds, event: &Object) -> Decoded<OrderMessage> {
    let Some(instrument) = instrument_of(instruments, text(event, "s")?) else {
        return Ok(OrderMessage::OtherInstrument);
    };
    Ok(OrderMessage::FillNotice(FillNotice {
        instrument: instrument.id,
        order: ids.read(text(event, "c")?),
        venue_order: venue_order(event, "i")?,
        trade: TradeId(whole(event, "t")?.into()),
    }))
}

fn positions(instruments: &[Instrument], event: &Object) -> Decoded<OrderMessage> {
    let rows = event.get("a").and_then(|account| account.get("P")).and_then(Value::as_array);
    let mut positions = Vec::new();
    for row in rows.into_iter().flatten() {
        let row = row.as_object().ok_or(OrderDecodeError::Field("P"))?;
        // Hedge mode's LONG and SHORT are not the net position.
        let net = row.get("ps").and_then(Value::as_str).is_none_or(|side| side == "BOTH");
        if let Some(instrument) = instrument_of(instruments, text(row, "s")?).filter(|_| net) {
            let lots = parse_signed(&instrument.quantity, text(row, "pa")?);
            positions.push((instrument.id, Lots(lots.map_err(|error| OrderDecodeError::Number("pa", error))?)));
        }
    }
    let account = event.get("a").and_then(Value::as_object).ok_or(OrderDecodeError::Field("a"))?;
    let reason = account.get("m").and_then(Value::as_str).map_or(MoneyReason::Trade, reason_of);
    if reason == MoneyReason::Trade {
        return Ok(if positions.is_empty() { OrderMessage::Balances } else { OrderMessage::Positions(positions) });
    }
    let mut changes = Vec::new();
    for row in account.get("B").and_then(Value::as_array).into_iter().flatten() {
        let row = row.as_object().ok_or(OrderDecodeError::Field("B"))?;
        changes.push(change(row, "a", "bc")?);
    }
    let time = event.get("T").and_then(millis).unwrap_or(Nanos::ZERO);
    Ok(OrderMessage::Moved(MoneyMoved { reason, changes, positions, time }))
}

/// Why a balance changed, in the word of an event or of a list of incomes. What is not known is no execution, so that its
/// list is looked at.
pub(crate) fn reason_of(word: &str) -> MoneyReason {
    match word {
        "ORDER" | "MARGIN_TRANSFER" | "REALIZED_PNL" | "COMMISSION" => MoneyReason::Trade,
        "FUNDING_FEE" => MoneyReason::Funding,
        "TRANSFER" | "INTERNAL_TRANSFER" | "CROSS_COLLATERAL_TRANSFER" | "STRATEGY_UMFUTURES_TRANSFER" => {
            MoneyReason::Transfer
        }
        "COIN_SWAP_DEPOSIT" | "COIN_SWAP_WITHDRAW" | "AUTO_EXCHANGE" | "ASSET_TRANSFER" => MoneyReason::Transfer,
        "DEPOSIT" | "WITHDRAW" | "WITHDRAW_REJECT" | "ADMIN_DEPOSIT" | "ADMIN_WITHDRAW" => MoneyReason::Transfer,
        _ => MoneyReason::Charge,
    }
}

/// An asset and by how much it changed.
fn change(row: &Object, asset: &'static str, amount: &'static str) -> Decoded<(Symbol, i128)> {
    let name = Symbol::new(text(row, asset)?).ok_or(OrderDecodeError::Field(asset))?;
    let atoms = parse_signed_atoms(text(row, amount)?.as_bytes());
    Ok((name, atoms.map_err(|error| OrderDecodeError::Number(amount, error))?))
}

/// A deposit, a withdrawal, or a transfer between accounts.
fn balance_moved(event: &Object) -> Decoded<OrderMessage> {
    let changes = vec![change(event, "a", "d")?];
    let time = event.get("T").and_then(millis).unwrap_or(Nanos::ZERO);
    Ok(OrderMessage::Moved(MoneyMoved { reason: MoneyReason::Transfer, changes, positions: Vec::new(), time }))
}

/// Balances that changed, of the assets that our instruments hold.
fn holdings(instruments: &[Instrument], event: &Object) -> Decoded<OrderMessage> {
    let mut held = Vec::new();
    for row in event.get("B").and_then(Value::as_array).into_iter().flatten() {
        let row = row.as_object().ok_or(OrderDecodeError::Field("B"))?;
        let asset = text(row, "a")?;
        let amount = |key: &'static str| {
            parse_signed_atoms(text(row, key)?.as_bytes()).map_err(|error| OrderDecodeError::Number(key, error))
        };
        let total = amount("f")?.saturating_add(amount("l")?);
        let own = instruments.iter().filter(|instrument| instrument.base_asset.as_str() == asset);
        held.extend(own.filter_map(|instrument| Some((instrument.id, whole_lots(total, instrument)?))));
    }
    if held.is_empty() { Ok(OrderMessage::Balances) } else { Ok(OrderMessage::Positions(held)) }
}

/// What a status word means; a word that is not known is [`OrderStatus::Unknown`], never "closed".
fn status_of(word: &str) -> OrderStatus {
    match word {
        "NEW" | "PENDING_NEW" | "PARTIALLY_FILLED" | "PENDING_CANCEL" => OrderStatus::Live,
        "FILLED" => OrderStatus::Filled,
        "CANCELED" => OrderStatus::Canceled,
        "EXPIRED" | "EXPIRED_IN_MATCH" => OrderStatus::Expired,
        "REJECTED" => OrderStatus::Rejected,
        _ => OrderStatus::Unknown,
    }
}

pub(crate) fn side(word: &str) -> Decoded<Side> {
    match word {
        "BUY" => Ok(Side::Bid),
        "SELL" => Ok(Side::Ask),
        _ => Err(OrderDecodeError::Field("side")),
    }
}

pub(crate) fn instrument_of<'a>(instruments: &'a [Instrument], symbol: &str) -> Option<&'a Instrument> {
    instruments.iter().find(|instrument| instrument.symbol.as_str() == symbol)
}

pub(crate) fn text<'a>(object: &'a Object, key: &'static str) -> Decoded<&'a str> {
    object.get(key).and_then(Value::as_str).ok_or(OrderDecodeError::Field(key))
}

pub(crate) fn whole(object: &Object, key: &'static str) -> Decoded<u64> {
    object.get(key).and_then(Value::as_u64).ok_or(OrderDecodeError::Field(key))
}

fn venue_order(object: &Object, key: &'static str) -> Decoded<VenueOrderId> {
    whole(object, key).map(VenueOrderId::from_number)
}

pub(crate) fn number(scale: &Scale, object: &Object, key: &'static str) -> Decoded<i64> {
    scale.parse(text(object, key)?.as_bytes()).map_err(|error| OrderDecodeError::Number(key, error))
}

/// Milliseconds since 1970 to a point in time.
pub(crate) fn millis(value: &Value) -> Option<Nanos> {
    value.as_i64().and_then(|millis| millis.checked_mul(1_000_000)).map(Nanos)
}
