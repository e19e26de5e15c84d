//! COLD: Binance's order side: WebSocket API requests as bytes, their cost, and what a refusal means.

use spinbook_engine::intent::TimeInForce;
use spinbook_engine::types::{Nanos, OrderId, Side};

use crate::crypto::credentials::{Credentials, Key, SIGNATURE_BYTES_MAX};
use crate::number::TEXT_MAX;
use crate::venue::ProductLine;
use crate::venue::binance::Product;
use crate::venue::binance::order_decode;
use crate::venue::binance::parameters::{Parameters, push_integer, push_json_text};
use crate::venue::binance::prepared::{Prepared, PreparedInstrument, SIDES, Set, TIMES_IN_FORCE};
use crate::venue::binance::request_ids::{CLIENT_IDS, kind_letter};
use crate::venue::instrument::Instrument;
use crate::venue::order_ids::{ClientIds, ClientOrderId, RunName};
use crate::venue::order_side::{Cost, HandshakeStep, OrderConnection, OrderSide, Reaction, SelfTradePrevention};
use crate::venue::orders::{
    AmendedOrder, NewOrder, OrderDecodeError, OrderMessage, OrderName, Refusal, Request, RequestId, RequestKind,
};
use crate::venue::request_template::{MARK, MARK_TEXT, Signer, Template};

/// Longest receive window that the venue takes.
pub const RECEIVE_WINDOW_MS_MAX: i64 = 60_000;
/// A prepared request is no longer than this.
pub const PREPARED_BYTES_MAX: usize = 1_024;

const fn prevention_name(prevention: SelfTradePrevention) -> &'static str {
    match prevention {
        SelfTradePrevention::ExpireMaker => "EXPIRE_MAKER",
        SelfTradePrevention::ExpireTaker => "EXPIRE_TAKER",
        SelfTradePrevention::ExpireBoth => "EXPIRE_BOTH",
        SelfTradePrevention::None => "NONE",
    }
}

/// Encoder and decoder of one account's requests on one product line.
pub struct BinanceOrders {
    product: Product,
    credentials: Credentials,
    receive_window_ms: i64,
    self_trade_prevention: SelfTradePrevention,
    /// Whether the session of the chosen connection is logged on.
    logged_on: bool,
    sessions: [bool; OrderConnection::ALL.len()],
    chosen: OrderConnection,
    parameters: Parameters,
    id_text: String,
    prepared: Prepared,
    ids: ClientIds,
}

/// The values of a new order that change from one to the next, as text.
struct OrderTexts<'a> {
    quantity: &'a str,
    price: &'a str,
    name: &'a str,
}

impl BinanceOrders {
    /// An order side. `receive_window_ms` is clamped to 1..=60000: a small one (500 to 1000) makes a lost order's
    /// outcome decidable soon.
    #[must_use]
    pub fn new(
        product: ProductLine,
        credentials: Credentials,
        receive_window_ms: i64,
        self_trade_prevention: SelfTradePrevention,
    ) -> BinanceOrders {
        let product = Product::of(product);
        BinanceOrders {
            product,
            credentials,
            receive_window_ms: receive_window_ms.clamp(1, RECEIVE_WINDOW_MS_MAX),
            self_trade_prevention,
            logged_on: false,
            ids: ClientIds::of_any(CLIENT_IDS),
            sessions: [false; OrderConnection::ALL.len()],
            chosen: OrderConnection::Orders,
            parameters: Parameters::new(),
            id_text: String::with_capacity(24),
            prepared: Prepared::default(),
        }
    }

    /// Writes a new order or a cancel of a prepared instrument into `out`, the same bytes that
    /// [`OrderSide::encode`] appends, and gives their length. Allocates nothing.
    ///
    /// `None` for other requests, for instruments that were not prepared, or if `out` is too small.
    #[inline]
    pub fn encode_prepared(
        &self,
        id: RequestId,
        request: &Request<'_>,
        venue_now: Nanos,
        out: &mut [u8],
    ) -> Option<usize> {
        let sign = |text: &[u8], out: &mut [u8; SIGNATURE_BYTES_MAX]| self.credentials.sign_into(text, out);
        let signer = match &self.credentials.key {
            Key::Hmac(key) => Signer::Hmac(key.states()),
            Key::Ed25519(_) => Signer::Other(&sign),
        };
        self.prepared.write(id, request, (&self.ids, venue_now), self.logged_on, &signer, out)
    }

    /// Appends any request, every parameter rendered anew: what the prepared ones are measured against.
    pub fn encode_plain(&mut self, id: RequestId, request: &Request<'_>, venue_now: Nanos, out: &mut Vec<u8>) {
        self.parameters.clear();
        let (method, proof) = self.fill(request);
        self.prove(proof, venue_now);
        self.id_text.clear();
        self.id_text.push(kind_letter(request.kind()));
        push_integer(i64::try_from(id.0).unwrap_or(i64::MAX), &mut self.id_text);
        self.write_request(method, out);
    }

    fn write_request(&mut self, method: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"id\":");
        push_json_text(&self.id_text, out);
        out.extend_from_slice(b",\"method\":");
        push_json_text(method, out);
        if !self.parameters.is_empty() {
            out.extend_from_slice(b",\"params\":");
            self.parameters.write_json(out);
        }
        out.push(b'}');
    }

    /// The template of a request whose own parameters are in place, with marks for what changes.
    fn template(&mut self, method: &str, signed: bool) -> Option<Template> {
        self.parameters.number("recvWindow", self.receive_window_ms);
        self.parameters.number_text("timestamp", MARK_TEXT);
        if signed {
            self.parameters.text("apiKey", self.credentials.api_key.as_str());
            self.parameters.signature_to_come(MARK_TEXT);
        }
        self.id_text.clear();
        self.id_text.push(MARK);
        let mut request = Vec::new();
        self.write_request(method, &mut request);
        let payload = signed.then(|| self.parameters.payload().as_bytes());
        let states = match &self.credentials.key {
            Key::Hmac(key) => Some(key.states()),
            Key::Ed25519(_) => None,
        };
        Template::new(&request, payload, states)
    }

    /// The templates of new orders, by side and time in force; or of those that take the place of others.
    fn place_templates(
        &mut self,
        instrument: &Instrument,
        signed: bool,
        replaces: bool,
    ) -> Option<[[Template; TIMES_IN_FORCE.len()]; SIDES.len()]> {
        let mut place = Vec::with_capacity(SIDES.len());
        for side in SIDES {
            let mut row = Vec::with_capacity(TIMES_IN_FORCE.len());
            for time_in_force in TIMES_IN_FORCE {
                self.parameters.clear();
                let texts = OrderTexts { quantity: MARK_TEXT, price: MARK_TEXT, name: MARK_TEXT };
                let mut method = self.place_texts(instrument, side, time_in_force, &texts);
                if replaces {
                    self.parameters.number_text("cancelOrderId", MARK_TEXT);
                    method = self.stop_on_failure();
                }
                row.push(self.template(method, signed)?);
            }
            place.push(row.try_into().ok()?);
        }
        place.try_into().ok()
    }

    /// The templates of amendments, by side.
    fn amend_templates(&mut self, instrument: &Instrument, signed: bool) -> Option<[Template; SIDES.len()]> {
        let mut amend = Vec::with_capacity(SIDES.len());
        for side in SIDES {
            self.parameters.clear();
            self.symbol(instrument);
            self.parameters.number_text("orderId", MARK_TEXT);
            let method = self.amend_texts(side, MARK_TEXT, MARK_TEXT);
            amend.push(self.template(method, signed)?);
        }
        amend.try_into().ok()
    }

    fn template_set(&mut self, instrument: &Instrument, signed: bool) -> Option<Set> {
        let place = self.place_templates(instrument, signed, false)?;
        let (replace, amend) = match self.product {
            Product::BinanceSpot => (self.place_templates(instrument, signed, true), None),
            Product::BinanceUsdm => (None, self.amend_templates(instrument, signed)),
        };
        self.parameters.clear();
        self.symbol(instrument);
        self.parameters.text("origClientOrderId", MARK_TEXT);
        let cancel_ours = self.template("order.cancel", signed)?;
        self.parameters.clear();
        self.symbol(instrument);
        self.parameters.number_text("orderId", MARK_TEXT);
        let cancel_venue = self.template("order.cancel", signed)?;
        Some(Set { place, cancel_ours, cancel_venue, replace, amend })
    }

    fn place(&mut self, order: &NewOrder<'_>) -> &'static str {
        let (mut quantity, mut price) = ([0u8; TEXT_MAX], [0u8; TEXT_MAX]);
        let instrument = order.instrument;
        let name = self.ids.write(order.order);
        let texts = OrderTexts {
            quantity: instrument.quantity.format(order.lots.0, &mut quantity),
            price: instrument.price.format(order.tick.0, &mut price),
            name: name.as_str(),
        };
        self.place_texts(instrument, order.side, order.time_in_force, &texts)
    }

    fn place_texts(
        &mut self,
        instrument: &Instrument,
        side: Side,
        time_in_force: TimeInForce,
        texts: &OrderTexts<'_>,
    ) -> &'static str {
        self.symbol(instrument);
        self.parameters.text("side", side_name(side));
        let (kind, time_in_force) = order_type(self.product, time_in_force);
        self.parameters.text("type", kind);
        if let Some(time_in_force) = time_in_force {
            self.parameters.text("timeInForce", time_in_force);
        }
        self.parameters.text("quantity", texts.quantity);
        self.parameters.text("price", texts.price);
        self.parameters.text("newClientOrderId", texts.name);
        self.parameters.text("newOrderRespType", "ACK");
        self.parameters.text("selfTradePreventionMode", prevention_name(self.self_trade_prevention));
        "order.place"
    }

    fn name(&mut self, name: &OrderName<'_>, method: &'static str) -> &'static str {
        self.symbol(name.instrument);
        if name.venue_order.is_none() {
            self.parameters.text("origClientOrderId", self.ids.write(name.order).as_str());
        } else {
            self.parameters.number_text("orderId", name.venue_order.as_str());
        }
        debug_assert!(!name.venue_order.is_none() || name.order != OrderId::NONE, "an order needs a name");
        method
    }

    fn replace(&mut self, former: &OrderName<'_>, order: &NewOrder<'_>) -> &'static str {
        self.place(order);
        if former.venue_order.is_none() {
            self.parameters.text("cancelOrigClientOrderId", self.ids.write(former.order).as_str());
        } else {
            self.parameters.number_text("cancelOrderId", former.venue_order.as_str());
        }
        self.stop_on_failure()
    }

    fn stop_on_failure(&mut self) -> &'static str {
        self.parameters.text("cancelReplaceMode", "STOP_ON_FAILURE");
        "order.cancelReplace"
    }

    fn amend(&mut self, amended: &AmendedOrder<'_>) -> &'static str {
        let (mut quantity, mut price) = ([0u8; TEXT_MAX], [0u8; TEXT_MAX]);
        let instrument = amended.name.instrument;
        self.name(&amended.name, "order.modify");
        let quantity = instrument.quantity.format(amended.lots.0, &mut quantity);
        self.amend_texts(amended.side, quantity, instrument.price.format(amended.tick.0, &mut price))
    }

    fn amend_texts(&mut self, side: Side, quantity: &str, price: &str) -> &'static str {
        self.parameters.text("side", side_name(side));
        self.parameters.text("quantity", quantity);
        self.parameters.text("price", price);
        "order.modify"
    }

    fn symbol(&mut self, instrument: &Instrument) {
        self.parameters.text("symbol", instrument.symbol.as_str());
    }

    /// Fills in the request's own parameters; gives its method and how it proves who asks.
    fn fill(&mut self, request: &Request<'_>) -> (&'static str, Proof) {
        match request {
            Request::ServerTime => ("time", Proof::None),
            Request::LogOn => ("session.logon", Proof::LogOn),
            Request::SubscribeUserData if self.logged_on => ("userDataStream.subscribe", Proof::None),
            Request::SubscribeUserData => ("userDataStream.subscribe.signature", Proof::LogOn),
            Request::StartUserData => ("userDataStream.start", Proof::KeyOnly),
            Request::KeepUserData => ("userDataStream.ping", Proof::KeyOnly),
            Request::OpenOrders(instrument) => {
                self.symbol(instrument);
                ("openOrders.status", Proof::Signed)
            }
            Request::CancelAll(instrument) => {
                self.symbol(instrument);
                ("openOrders.cancelAll", Proof::Signed)
            }
            Request::Place(order) => (self.place(order), Proof::Signed),
            Request::Cancel(name) => (self.name(name, "order.cancel"), Proof::Signed),
            Request::OrderStatus(name) => (self.name(name, "order.status"), Proof::Signed),
            Request::Fills(name) => (self.name(name, "myTrades"), Proof::Signed),
            Request::Replace { former, order } => (self.replace(former, order), Proof::Signed),
            Request::Amend(amended) => (self.amend(amended), Proof::Signed),
        }
    }

    fn prove(&mut self, proof: Proof, venue_now: Nanos) {
        match proof {
            Proof::None => {}
            Proof::KeyOnly => self.parameters.text("apiKey", self.credentials.api_key.as_str()),
            Proof::LogOn => {
                self.parameters.text("apiKey", self.credentials.api_key.as_str());
                self.parameters.number("timestamp", venue_now.millis());
                self.parameters.sign(&self.credentials);
            }
            Proof::Signed => {
                self.parameters.number("recvWindow", self.receive_window_ms);
                self.parameters.number("timestamp", venue_now.millis());
                if !self.logged_on {
                    self.parameters.text("apiKey", self.credentials.api_key.as_str());
                    self.parameters.sign(&self.credentials);
                }
            }
        }
    }
}

/// How a request proves who asks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// Public.
    None,
    /// The key id alone.
    KeyOnly,
    /// Key id, timestamp and signature, logged on or not.
    LogOn,
    /// Timestamp and receive window, and a signature unless the session is logged on.
    Signed,
}

impl OrderSide for BinanceOrders {
    #[inline]
    fn client_id(&self, order: OrderId) -> ClientOrderId {
        self.ids.write(order)
    }

    fn set_run(&mut self, run: u32, salt: u64) {
        self.ids = ClientIds::of_run(CLIENT_IDS, run, salt);
    }

    fn set_earlier_runs(&mut self, earlier: &[RunName]) {
        self.ids = self.ids.with_earlier(earlier);
    }

    fn order_of(&self, client_id: &str) -> Option<OrderId> {
        self.ids.read(client_id)
    }

    fn handshake(&self) -> &'static [HandshakeStep] {
        use HandshakeStep::{Clock, ConnectUserData, LogOn, Subscribe, UserDataKey};
        match self.product {
            Product::BinanceSpot if self.credentials.can_log_on() => {
                &[Clock, LogOn(OrderConnection::Orders), Subscribe(OrderConnection::Orders)]
            }
            Product::BinanceSpot => &[Clock, Subscribe(OrderConnection::Orders)],
            // No source confirms session.logon for futures, so there every request is signed.
            Product::BinanceUsdm => &[Clock, UserDataKey, ConnectUserData],
        }
    }

    fn target(&self, connection: OrderConnection, user_data_key: &str) -> String {
        match (connection, self.product) {
            (OrderConnection::UserData, _) => format!("/private/ws/{user_data_key}"),
            (OrderConnection::Orders | OrderConnection::Spare, Product::BinanceSpot) => "/ws-api/v3".to_owned(),
            (OrderConnection::Orders | OrderConnection::Spare, Product::BinanceUsdm) => "/ws-fapi/v1".to_owned(),
        }
    }

    fn keeps_user_data(&self) -> bool {
        self.product == Product::BinanceUsdm
    }

    fn can_ask_fills(&self) -> bool {
        // The futures WebSocket API has no such request; REST does.
        self.product == Product::BinanceSpot
    }

    fn set_logged_on(&mut self, connection: OrderConnection, logged_on: bool) {
        self.sessions[connection.index()] = logged_on;
        self.logged_on = self.sessions[self.chosen.index()];
    }

    fn choose_connection(&mut self, connection: OrderConnection) {
        self.chosen = connection;
        self.logged_on = self.sessions[connection.index()];
    }

    fn credentials(&self) -> Option<&Credentials> {
        Some(&self.credentials)
    }

    fn prepare(&mut self, instruments: &[Instrument]) {
        let mut prepared = Vec::with_capacity(instruments.len());
        for instrument in instruments {
            let sets = self.template_set(instrument, true).zip(self.template_set(instrument, false));
            // One that cannot be prepared is written plainly each time.
            prepared.extend(sets.map(|(signed, session)| PreparedInstrument {
                id: instrument.id,
                symbol: instrument.symbol,
                signed,
                session,
            }));
        }
        self.prepared = Prepared(prepared);
    }

    fn encode(&mut self, id: RequestId, request: &Request<'_>, venue_now: Nanos, out: &mut Vec<u8>) {
        let mut bytes = [0; PREPARED_BYTES_MAX];
        match self.encode_prepared(id, request, venue_now, &mut bytes) {
            Some(length) => out.extend_from_slice(&bytes[..length]),
            None => self.encode_plain(id, request, venue_now, out),
        }
    }

    #[inline]
    fn encode_at(&self, id: RequestId, request: &Request<'_>, venue_now: Nanos, out: &mut [u8]) -> Option<usize> {
        self.encode_prepared(id, request, venue_now, out)
    }

    fn decode(&self, instruments: &[Instrument], frame: &[u8]) -> Result<OrderMessage, OrderDecodeError> {
        order_decode::decode(instruments, &self.ids, frame)
    }

    fn reaction(&self, kind: RequestKind, refusal: &Refusal) -> Reaction {
        reaction(self.product.line(), kind, refusal)
    }

    fn advice(&self, refusal: &Refusal) -> Option<&'static str> {
        advice(refusal)
    }

    fn validity(&self) -> Nanos {
        Nanos::from_millis(self.receive_window_ms)
    }

    fn cost(&self, kind: RequestKind) -> Cost {
        cost(self.product, kind)
    }
}

const fn side_name(side: Side) -> &'static str {
    match side {
        Side::Bid => "BUY",
        Side::Ask => "SELL",
    }
}

/// Post-only is an order type on spot and a time in force on futures.
const fn order_type(product: Product, time_in_force: TimeInForce) -> (&'static str, Option<&'static str>) {
    match (product, time_in_force) {
        (Product::BinanceSpot, TimeInForce::PostOnly) => ("LIMIT_MAKER", None),
        (Product::BinanceUsdm, TimeInForce::PostOnly) => ("LIMIT", Some("GTX")),
        (_, TimeInForce::ImmediateOrCancel) => ("LIMIT", Some("IOC")),
        (_, TimeInForce::GoodTilCancel) => ("LIMIT", Some("GTC")),
    }
}

/// Weights as the venue's documentation states them, one symbol each.
const fn cost(product: Product, kind: RequestKind) -> Cost {
    let weight = match (product, kind) {
        (Product::BinanceSpot, RequestKind::LogOn | RequestKind::SubscribeUserData) => 2,
        (Product::BinanceSpot, RequestKind::OpenOrders) => 6,
        (_, RequestKind::Fills) => 5,
        (Product::BinanceSpot, RequestKind::OrderStatus | RequestKind::Amend) => 4,
        (Product::BinanceUsdm, RequestKind::Place) => 0,
        (Product::BinanceUsdm, RequestKind::StartUserData | RequestKind::KeepUserData) => 5,
        _ => 1,
    };
    let orders = match (product, kind) {
        (_, RequestKind::Place | RequestKind::Replace) | (Product::BinanceUsdm, RequestKind::Amend) => 1,
        _ => 0,
    };
    let cancels = matches!(kind, RequestKind::Cancel) as u32;
    Cost { weight, orders, cancels }
}

/// What a refusal means, by product: the same number means different things on spot and on futures.
#[must_use]
pub fn reaction(product: ProductLine, kind: RequestKind, error: &Refusal) -> Reaction {
    let product = Product::of(product);
    let spot = product == Product::BinanceSpot;
    let creates = matches!(kind, RequestKind::Place | RequestKind::Replace | RequestKind::Amend);
    match code_of(error) {
        _ if error.status == 418 => Reaction::Banned,
        // What refuses a new order says nothing of cancels, which weigh less and matter more.
        -1003 if creates => Reaction::PauseOrders,
        -1003 => Reaction::PauseAll,
        -1015 => Reaction::PauseOrders,
        _ if matches!(error.status, 403 | 429) && creates => Reaction::PauseOrders,
        _ if matches!(error.status, 403 | 429) => Reaction::PauseAll,
        -1008 => Reaction::Backoff,
        -1000 | -1001 | -1006 | -1007 => Reaction::Unknown,
        _ if error.status >= 500 => Reaction::Unknown,
        -1021 => Reaction::ResyncClock,
        -1002 | -1022 | -2014 | -2015 => Reaction::Halt,
        -1121 => Reaction::Configuration,
        -4061 if !spot => Reaction::Configuration,
        -1125 => Reaction::RestartUserData,
        -1013 | -1111 => Reaction::RefreshInstrument,
        -4014 | -4023 | -4164 if !spot => Reaction::RefreshInstrument,
        -2010 if spot => new_order_rejected(&error.message),
        -2011 if kind == RequestKind::CancelAll => Reaction::Ignore,
        -2011 => Reaction::QueryOrder,
        -2013 => Reaction::NotFound,
        // It runs already: the answer to the first request was lost.
        -2035 if kind == RequestKind::SubscribeUserData => Reaction::Ignore,
        -2018 | -2019 if !spot => Reaction::Reduce,
        // Spot: one leg of a cancel-and-replace failed. Futures: the order would trigger at once.
        -2021 if spot => Reaction::Unknown,
        -2021 => Reaction::Reprice,
        // Spot: both legs failed. Futures: a reduce-only order would not reduce.
        -2022 if !spot => Reaction::Reduce,
        -2026 | -2038 | -2039 if spot => Reaction::QueryOrder,
        -4016 | -4024 | -4131 | -4400 if !spot => Reaction::Reprice,
        -5021 | -5022 if !spot => Reaction::Reprice,
        -5027 if !spot => Reaction::Ignore,
        _ if (400..500).contains(&error.status) => Reaction::Reject,
        // Neither success nor a refusal that is known: nothing may be assumed of an order.
        _ if creates => Reaction::Unknown,
        _ => Reaction::Reject,
    }
}

/// The venue's number of a refusal; zero, which is none of them, where it stated none.
fn code_of(refusal: &Refusal) -> i64 {
    refusal.code.as_number().unwrap_or(0)
}

/// What a human should do about a refusal of the account or its key.
#[must_use]
pub fn advice(refusal: &Refusal) -> Option<&'static str> {
    Some(match code_of(refusal) {
        -1002 => "the API key may not do this: give it the permission to trade on this product line at the venue",
        -1121 => {
            "the venue does not list this symbol on this product line: correct it, or choose the other product line"
        }
        -4061 => "the account is in hedge mode: switch it to one-way mode at the venue",
        -1021 => "synchronise this machine's clock with NTP or chrony",
        -1022 => "the signature is wrong: the secret does not belong to this API key, or was cut when pasted",
        -2014 => "the API key has the wrong form: paste it again whole",
        -2015 => "the API key is unknown, lacks the trading permission, or this address is not on its list",
        _ => return None,
    })
}

fn new_order_rejected(message: &str) -> Reaction {
    let lower = message.to_ascii_lowercase();
    if lower.contains("immediately match") {
        Reaction::Reprice
    } else if lower.contains("insufficient") {
        Reaction::Reduce
    } else if lower.contains("duplicate") {
        // An order of that name is open: ours, from a request that arrived twice or from a run that shares our names.
        Reaction::Unknown
    } else {
        Reaction::Reject
    }
}
