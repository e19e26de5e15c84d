//! COLD: every request the simulated Binance knows: its names on both endpoints, its weight, who may send it.

use super::params::Params;
use crate::venue::binance::Product;

/// A request, by REST or by WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Api {
    /// Nothing.
    Ping,
    /// Server time.
    Time,
    /// Rules.
    ExchangeInfo,
    /// Depth snapshot.
    Depth,
    /// Best bid and ask.
    BookTicker,
    /// The last trade's price.
    TickerPrice,
    /// What was traded in a day.
    DayTicker,
    /// The average price of five minutes.
    AveragePrice,
    /// Candles.
    Candles,
    /// Trades of the market.
    RecentTrades,
    /// Trades of the market in their aggregated form.
    AggregatedTrades,
    /// Mark price and funding (futures).
    PremiumIndex,
    /// Past fundings (futures).
    FundingRates,
    /// Something of which there is nothing here: an empty list.
    Nothing,
    /// The wallet's assets (spot).
    Coins,
    /// What the key may do.
    KeyRights,
    /// Fee rates of the account.
    Commission,
    /// Whether positions are kept one a side (futures): never here.
    PositionMode,
    /// Chooses whether positions are kept one a side (futures): never here.
    SetPositionMode,
    /// Whether several assets are one margin (futures): never here.
    MultiAssets,
    /// Chooses whether several assets are one margin (futures): never here.
    SetMultiAssets,
    /// Chooses the leverage of a symbol (futures).
    Leverage,
    /// Chooses whether a symbol's margin is kept apart (futures).
    MarginType,
    /// The margin table (futures).
    Brackets,
    /// How the account is set (futures).
    AccountConfig,
    /// How each symbol is set (futures).
    SymbolConfig,
    /// What fills brought and cost (futures).
    Income,
    /// One open order (futures).
    OpenOrder,
    /// Orders, open or closed.
    AllOrders,
    /// New order.
    Place,
    /// New order, checked only.
    TestOrder,
    /// Cancel one.
    Cancel,
    /// Cancel one and place another (spot).
    CancelReplace,
    /// Make one smaller where it stands (spot).
    Amend,
    /// Give one another price and quantity (futures).
    Modify,
    /// New orders, several at once (futures).
    BatchPlace,
    /// Several modifications at once (futures).
    BatchModify,
    /// Cancel several at once (futures).
    BatchCancel,
    /// Cancel all of a symbol at the end of a countdown (futures).
    Countdown,
    /// A list of orders that depend on each other (spot): no symbol here takes one.
    OrderList,
    /// Self-trades that were prevented (spot).
    Preventions,
    /// New conditional order (futures).
    AlgoPlace,
    /// Cancel a conditional order (futures).
    AlgoCancel,
    /// Cancel all conditional orders of a symbol (futures).
    AlgoCancelAll,
    /// Query a conditional order (futures).
    AlgoQuery,
    /// Conditional orders that wait (futures).
    AlgoOpen,
    /// Conditional orders, waiting or not (futures).
    AlgoAll,
    /// Query one.
    Query,
    /// Open orders.
    OpenOrders,
    /// Cancel all of a symbol.
    CancelAll,
    /// Account with balances.
    Account,
    /// Balances (futures).
    Balance,
    /// Positions (futures).
    Positions,
    /// Own trades.
    Trades,
    /// Order counts.
    OrderCounts,
    /// A new listen key (futures).
    ListenKeyStart,
    /// Keeps a listen key.
    ListenKeyKeep,
    /// Ends a listen key.
    ListenKeyStop,
    /// Logs a WebSocket session on.
    Logon,
    /// Session status.
    SessionStatus,
    /// Logs a session out.
    Logout,
    /// User data on this connection, by session (spot).
    Subscribe,
    /// User data on this connection, by signature (spot).
    SubscribeSigned,
    /// Ends user data on this connection.
    Unsubscribe,
}

/// Who may send a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Anyone.
    Open,
    /// Whoever names a key.
    Key,
    /// Whoever signs.
    Signed,
}

impl Api {
    /// Who may send it.
    #[must_use]
    pub fn security(self) -> Security {
        match self {
            Api::Ping | Api::Time | Api::ExchangeInfo | Api::Depth => Security::Open,
            Api::BookTicker | Api::TickerPrice | Api::DayTicker | Api::AveragePrice | Api::Candles => Security::Open,
            Api::RecentTrades | Api::AggregatedTrades | Api::PremiumIndex | Api::FundingRates => Security::Open,
            Api::Nothing => Security::Open,
            Api::SessionStatus | Api::Logout | Api::Subscribe | Api::Unsubscribe => Security::Open,
            Api::ListenKeyStart | Api::ListenKeyKeep | Api::ListenKeyStop => Security::Key,
            _ => Security::Signed,
        }
    }

    /// Whether it places, changes or cancels orders, so that the reply tells the order counts.
    #[must_use]
    pub fn trades(self) -> bool {
        matches!(self, Api::Place | Api::Cancel | Api::CancelAll | Api::CancelReplace | Api::Amend | Api::Modify)
            || matches!(self, Api::BatchPlace | Api::BatchModify | Api::BatchCancel | Api::OrderCounts)
    }

    /// Whether the service for conditional orders answers it.
    #[must_use]
    pub fn is_algo(self) -> bool {
        matches!(self, Api::AlgoPlace | Api::AlgoCancel | Api::AlgoCancelAll)
            || matches!(self, Api::AlgoQuery | Api::AlgoOpen | Api::AlgoAll)
    }

    /// Request weight.
    #[must_use]
    pub(crate) fn weight(self, product: Product, params: &Params) -> u64 {
        let spot = product == Product::BinanceSpot;
        let one_symbol = params.text("symbol").is_some();
        match self {
            Api::ExchangeInfo if spot => 20,
            Api::Depth => depth_weight(product, params),
            Api::Commission => 20,
            Api::PositionMode => 30,
            Api::TickerPrice => 2 + 2 * u64::from(spot && !one_symbol),
            Api::DayTicker if spot => 2 + 78 * u64::from(!one_symbol),
            Api::DayTicker => 1 + 39 * u64::from(!one_symbol),
            Api::AveragePrice => 2,
            Api::Candles if spot => 2,
            Api::Candles => candles_weight(params),
            Api::RecentTrades if spot => 25,
            Api::RecentTrades => 5,
            Api::AggregatedTrades if spot => 4,
            Api::AggregatedTrades => 20,
            Api::PremiumIndex => 1 + 9 * u64::from(!one_symbol),
            Api::AccountConfig | Api::SymbolConfig => 5,
            Api::MultiAssets | Api::Income => 30,
            Api::AllOrders if spot => 20,
            Api::AllOrders => 5,
            Api::Coins => 10,
            Api::BookTicker if spot => 2 + 2 * u64::from(!one_symbol),
            Api::BookTicker => 2 + 3 * u64::from(!one_symbol),
            Api::Place | Api::TestOrder if !spot => 0,
            Api::BatchPlace | Api::BatchModify => 5,
            Api::AlgoPlace => 0,
            Api::AlgoOpen if !one_symbol => 40,
            Api::AlgoAll => 5,
            Api::Amend => 4,
            Api::Countdown => 10,
            Api::Preventions if params.text("preventedMatchId").is_some() => 2,
            Api::Preventions => 20,
            Api::Query if spot => 4,
            Api::OpenOrders if spot => {
                if one_symbol {
                    6
                } else {
                    80
                }
            }
            Api::OpenOrders => {
                if one_symbol {
                    1
                } else {
                    40
                }
            }
            Api::Account if spot => 20,
            Api::Account | Api::Balance | Api::Positions => 5,
            Api::Trades if spot => {
                if params.text("orderId").is_some() {
                    5
                } else {
                    20
                }
            }
            Api::Trades => 5,
            Api::OrderCounts if spot => 40,
            Api::Logon
            | Api::SessionStatus
            | Api::Logout
            | Api::Subscribe
            | Api::SubscribeSigned
            | Api::Unsubscribe => 2,
            _ => 1,
        }
    }
}

fn candles_weight(params: &Params) -> u64 {
    match params.text("limit").and_then(|text| text.parse::<u64>().ok()).unwrap_or(500) {
        0..=99 => 1,
        100..=499 => 2,
        500..=1000 => 5,
        _ => 10,
    }
}

fn depth_weight(product: Product, params: &Params) -> u64 {
    let limit = params.text("limit").and_then(|text| text.parse::<u64>().ok());
    match product {
        Product::BinanceSpot => match limit.unwrap_or(100) {
            0..=100 => 5,
            101..=500 => 25,
            501..=1000 => 50,
            _ => 250,
        },
        Product::BinanceUsdm => match limit.unwrap_or(500) {
            0..=50 => 2,
            51..=100 => 5,
            101..=500 => 10,
            _ => 20,
        },
    }
}

/// REST: what a method and path ask for. `Err(true)`: the path exists, but not with this method.
///
/// # Errors
/// Whether the path is known at all.
pub(crate) fn rest(product: Product, method: &str, path: &str) -> Result<Api, bool> {
    let table: &[(&str, &str, Api)] = match product {
        Product::BinanceSpot => SPOT_REST,
        Product::BinanceUsdm => USDM_REST,
    };
    match table.iter().find(|(verb, place, _)| *verb == method && *place == path) {
        Some((_, _, api)) => Ok(*api),
        None => Err(table.iter().any(|(_, place, _)| *place == path)),
    }
}

/// The spot host's answer about any key, which this exchange gives on each of its hosts.
const KEY_RIGHTS: &str = "/sapi/v1/account/apiRestrictions";

const SPOT_REST: &[(&str, &str, Api)] = &[
    ("GET", "/api/v3/ping", Api::Ping),
    ("GET", "/api/v3/time", Api::Time),
    ("GET", "/api/v3/exchangeInfo", Api::ExchangeInfo),
    ("GET", "/api/v3/depth", Api::Depth),
    ("GET", "/api/v3/ticker/bookTicker", Api::BookTicker),
    ("GET", "/api/v3/ticker/price", Api::TickerPrice),
    ("GET", "/api/v3/ticker/24hr", Api::DayTicker),
    ("GET", "/api/v3/avgPrice", Api::AveragePrice),
    ("GET", "/api/v3/klines", Api::Candles),
    ("GET", "/api/v3/uiKlines", Api::Candles),
    ("GET", "/api/v3/trades", Api::RecentTrades),
    ("GET", "/api/v3/historicalTrades", Api::RecentTrades),
    ("GET", "/api/v3/aggTrades", Api::AggregatedTrades),
    ("GET", "/api/v3/allOrders", Api::AllOrders),
    // What clients of all products ask the spot host for at their start.
    ("GET", "/sapi/v1/capital/config/getall", Api::Coins),
    ("GET", KEY_RIGHTS, Api::KeyRights),
    ("GET", "/sapi/v1/margin/allPairs", Api::Nothing),
    ("GET", "/sapi/v1/margin/isolated/allPairs", Api::Nothing),
    ("GET", "/api/v3/account/commission", Api::Commission),
    ("POST", "/api/v3/order", Api::Place),
    ("POST", "/api/v3/order/test", Api::TestOrder),
    ("POST", "/api/v3/order/cancelReplace", Api::CancelReplace),
    ("PUT", "/api/v3/order/amend/keepPriority", Api::Amend),
    ("POST", "/api/v3/order/oco", Api::OrderList),
    ("POST", "/api/v3/orderList/oco", Api::OrderList),
    ("POST", "/api/v3/orderList/oto", Api::OrderList),
    ("POST", "/api/v3/orderList/otoco", Api::OrderList),
    ("GET", "/api/v3/myPreventedMatches", Api::Preventions),
    ("DELETE", "/api/v3/order", Api::Cancel),
    ("GET", "/api/v3/order", Api::Query),
    ("GET", "/api/v3/openOrders", Api::OpenOrders),
    ("DELETE", "/api/v3/openOrders", Api::CancelAll),
    ("GET", "/api/v3/account", Api::Account),
    ("GET", "/api/v3/myTrades", Api::Trades),
    ("GET", "/api/v3/rateLimit/order", Api::OrderCounts),
];

const USDM_REST: &[(&str, &str, Api)] = &[
    // Clients of all products try the spot host at their start.
    ("GET", "/api/v3/ping", Api::Ping),
    ("GET", "/api/v3/time", Api::Time),
    ("GET", KEY_RIGHTS, Api::KeyRights),
    ("GET", "/fapi/v1/ping", Api::Ping),
    ("GET", "/fapi/v1/time", Api::Time),
    ("GET", "/fapi/v1/exchangeInfo", Api::ExchangeInfo),
    ("GET", "/fapi/v1/depth", Api::Depth),
    ("GET", "/fapi/v1/ticker/bookTicker", Api::BookTicker),
    ("GET", "/fapi/v1/ticker/price", Api::TickerPrice),
    ("GET", "/fapi/v2/ticker/price", Api::TickerPrice),
    ("GET", "/fapi/v1/ticker/24hr", Api::DayTicker),
    ("GET", "/fapi/v1/klines", Api::Candles),
    ("GET", "/fapi/v1/continuousKlines", Api::Candles),
    ("GET", "/fapi/v1/trades", Api::RecentTrades),
    ("GET", "/fapi/v1/historicalTrades", Api::RecentTrades),
    ("GET", "/fapi/v1/aggTrades", Api::AggregatedTrades),
    ("GET", "/fapi/v1/premiumIndex", Api::PremiumIndex),
    ("GET", "/fapi/v1/fundingRate", Api::FundingRates),
    ("GET", "/fapi/v1/fundingInfo", Api::Nothing),
    ("GET", "/fapi/v1/commissionRate", Api::Commission),
    ("GET", "/fapi/v1/positionSide/dual", Api::PositionMode),
    ("POST", "/fapi/v1/positionSide/dual", Api::SetPositionMode),
    ("GET", "/fapi/v1/multiAssetsMargin", Api::MultiAssets),
    ("POST", "/fapi/v1/multiAssetsMargin", Api::SetMultiAssets),
    ("POST", "/fapi/v1/leverage", Api::Leverage),
    ("POST", "/fapi/v1/marginType", Api::MarginType),
    ("GET", "/fapi/v1/leverageBracket", Api::Brackets),
    ("GET", "/fapi/v1/accountConfig", Api::AccountConfig),
    ("GET", "/fapi/v1/symbolConfig", Api::SymbolConfig),
    ("GET", "/fapi/v1/income", Api::Income),
    ("GET", "/fapi/v1/openOrder", Api::OpenOrder),
    ("GET", "/fapi/v1/allOrders", Api::AllOrders),
    ("POST", "/fapi/v1/order", Api::Place),
    ("POST", "/fapi/v1/order/test", Api::TestOrder),
    ("PUT", "/fapi/v1/order", Api::Modify),
    ("POST", "/fapi/v1/batchOrders", Api::BatchPlace),
    ("PUT", "/fapi/v1/batchOrders", Api::BatchModify),
    ("DELETE", "/fapi/v1/batchOrders", Api::BatchCancel),
    ("POST", "/fapi/v1/countdownCancelAll", Api::Countdown),
    ("POST", "/fapi/v1/algoOrder", Api::AlgoPlace),
    ("DELETE", "/fapi/v1/algoOrder", Api::AlgoCancel),
    ("GET", "/fapi/v1/algoOrder", Api::AlgoQuery),
    ("GET", "/fapi/v1/openAlgoOrders", Api::AlgoOpen),
    ("GET", "/fapi/v1/allAlgoOrders", Api::AlgoAll),
    ("DELETE", "/fapi/v1/algoOpenOrders", Api::AlgoCancelAll),
    ("DELETE", "/fapi/v1/order", Api::Cancel),
    ("GET", "/fapi/v1/order", Api::Query),
    ("GET", "/fapi/v1/openOrders", Api::OpenOrders),
    ("DELETE", "/fapi/v1/allOpenOrders", Api::CancelAll),
    ("GET", "/fapi/v2/account", Api::Account),
    ("GET", "/fapi/v3/account", Api::Account),
    ("GET", "/fapi/v2/balance", Api::Balance),
    ("GET", "/fapi/v3/balance", Api::Balance),
    ("GET", "/fapi/v2/positionRisk", Api::Positions),
    ("GET", "/fapi/v3/positionRisk", Api::Positions),
    ("GET", "/fapi/v1/userTrades", Api::Trades),
    ("GET", "/fapi/v1/rateLimit/order", Api::OrderCounts),
    ("POST", "/fapi/v1/listenKey", Api::ListenKeyStart),
    ("PUT", "/fapi/v1/listenKey", Api::ListenKeyKeep),
    ("DELETE", "/fapi/v1/listenKey", Api::ListenKeyStop),
];

/// WebSocket API: what a method name asks for.
#[must_use]
pub(crate) fn method(product: Product, name: &str) -> Option<Api> {
    let spot = product == Product::BinanceSpot;
    Some(match name {
        "ping" => Api::Ping,
        "time" => Api::Time,
        "exchangeInfo" => Api::ExchangeInfo,
        "depth" => Api::Depth,
        "ticker.book" => Api::BookTicker,
        "ticker.price" => Api::TickerPrice,
        "ticker.24hr" if spot => Api::DayTicker,
        "avgPrice" if spot => Api::AveragePrice,
        "klines" | "uiKlines" if spot => Api::Candles,
        "trades.recent" | "trades.historical" if spot => Api::RecentTrades,
        "trades.aggregate" if spot => Api::AggregatedTrades,
        "allOrders" if spot => Api::AllOrders,
        "account.commission" if spot => Api::Commission,
        "session.logon" => Api::Logon,
        "session.status" => Api::SessionStatus,
        "session.logout" => Api::Logout,
        "order.place" => Api::Place,
        "order.test" => Api::TestOrder,
        "order.cancelReplace" if spot => Api::CancelReplace,
        "order.amend.keepPriority" if spot => Api::Amend,
        "order.modify" if !spot => Api::Modify,
        "algoOrder.place" if !spot => Api::AlgoPlace,
        "algoOrder.cancel" if !spot => Api::AlgoCancel,
        "orderList.place" | "orderList.place.oco" | "orderList.place.oto" | "orderList.place.otoco" if spot => {
            Api::OrderList
        }
        "myPreventedMatches" if spot => Api::Preventions,
        "order.cancel" => Api::Cancel,
        "order.status" => Api::Query,
        "openOrders.status" => Api::OpenOrders,
        "openOrders.cancelAll" => Api::CancelAll,
        "account.status" | "v2/account.status" => Api::Account,
        "account.balance" | "v2/account.balance" if !spot => Api::Balance,
        "account.position" | "v2/account.position" if !spot => Api::Positions,
        "account.rateLimits.orders" => Api::OrderCounts,
        "myTrades" => Api::Trades,
        "userDataStream.subscribe" if spot => Api::Subscribe,
        "userDataStream.subscribe.signature" if spot => Api::SubscribeSigned,
        "userDataStream.unsubscribe" if spot => Api::Unsubscribe,
        "userDataStream.start" if !spot => Api::ListenKeyStart,
        "userDataStream.ping" if !spot => Api::ListenKeyKeep,
        "userDataStream.stop" if !spot => Api::ListenKeyStop,
        _ => return None,
    })
}
