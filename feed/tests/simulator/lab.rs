//! COLD: what the exchange's tests share: recordings, a client in virtual time, signed requests.

use rust_decimal::Decimal;
use serde_json::{Value, json};
use spinbook_engine::types::Nanos;
use spinbook_feed::crypto::credentials::{Credentials, Secret};
use spinbook_feed::sim::api::AccountKey;
use spinbook_feed::sim::fault_plan::FaultPlan;
use spinbook_feed::sim::side::{ConnectionId, ExchangeOutput, ExchangeSide, HttpRequest, HttpResponse, MarketFrame};
use spinbook_feed::testkit::recorded;
use spinbook_feed::venue::binance::parameters::Query;
use spinbook_feed::venue::binance::simulator::market::Synthetic;
use spinbook_feed::venue::binance::simulator::{BinanceExchange, rules};
use spinbook_feed::venue::binance::simulator::{binance, usual};
use spinbook_feed::venue::simulator_side::{AccountSettings, SimSettings};
use spinbook_feed::venue::source::{MarketSource, Record, RecordKind, SourceError};
use spinbook_feed::venue::{ProductLine, binance};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};

pub const HMAC_KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
pub const HMAC_SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
pub const ED_KEY: &str = "EXAMPLEKEY";
/// The seed of the example key: bytes 0 to 31.
pub const ED_SEED: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
pub const ED_PUBLIC: [u8; 32] = [
    0x03, 0xa1, 0x07, 0xbf, 0xf3, 0xce, 0x10, 0xbe, 0x1d, 0x70, 0xdd, 0x18, 0xe7, 0x4b, 0xc0, 0x99, 0x67, 0xe4, 0xd6,
    0x30, 0x9b, 0xa5, 0x0d, 0x5f, 0x1d, 0xdc, 0x86, 0x64, 0x12, 0x55, 0x31, 0xb8,
];
/// 2026-11-20 00:00:00 UTC.
pub const START: Nanos = Nanos(1_795_132_800_000_000_000);

/// A source from a list.
pub struct Frames {
    frames: std::vec::IntoIter<MarketFrame>,
    buffer: Vec<u8>,
}

impl Frames {
    pub fn new(frames: Vec<MarketFrame>) -> Frames {
        Frames { frames: frames.into_iter(), buffer: Vec::new() }
    }

    pub fn boxed(frames: Vec<MarketFrame>) -> Box<dyn MarketSource> {
        Box::new(Frames::new(frames))
    }
}

impl MarketSource for Frames {
    fn next(&mut self) -> Result<Option<Record<'_>>, SourceError> {
        let next = self.frames.next();
        Ok(next.map(|frame| Record::of_frame(frame.at, RecordKind::Stream, &frame.bytes, &mut self.buffer)))
    }
}

/// A recording's frames, or `None` where there are no recordings.
pub fn recording(files: &[&str]) -> Option<Vec<MarketFrame>> {
    let mut frames = Vec::new();
    for file in recorded(files)? {
        let opened = std::fs::File::open(&file).expect("a recording");
        let lines = BufReader::new(flate2::read::MultiGzDecoder::new(opened)).lines();
        for line in lines {
            let line = line.expect("a readable line");
            let (at, text) = line.split_once(' ').expect("a time stamp and a message");
            frames.push(MarketFrame { at: Nanos(at.parse().expect("a time stamp")), bytes: text.as_bytes().to_vec() });
        }
    }
    Some(frames)
}

pub const USDM_FILES: [&str; 2] = ["binance-usdm/btcusdt_20240718.gz", "binance-usdm/btcusdt_20240719.gz"];
pub const SPOT_FILES: [&str; 2] = ["binance-spot/btcusdt_20240808.gz", "binance-spot/btcusdt_20240809.gz"];

pub fn bitcoin(product: ProductLine) -> spinbook_feed::sim::api::ListingSettings {
    rules::known_listing(product, "BTCUSDT").expect("BTCUSDT is known")
}

/// Two accounts: one with an HMAC key, one with an Ed25519 key.
pub fn settings(product: ProductLine) -> SimSettings {
    let mut settings = usual(product, vec![bitcoin(product)]);
    let balances = if product == binance::SPOT {
        vec![("BTC".to_owned(), Decimal::from(10)), ("USDT".to_owned(), Decimal::from(1_000_000))]
    } else {
        vec![("USDT".to_owned(), Decimal::from(100_000))]
    };
    settings.accounts = vec![
        AccountSettings {
            api_key: HMAC_KEY.to_owned(),
            key: AccountKey::HmacSecret(HMAC_SECRET.as_bytes().to_vec()),
            balances: balances.clone(),
        },
        AccountSettings { api_key: ED_KEY.to_owned(), key: AccountKey::Ed25519Public(ED_PUBLIC), balances },
    ];
    settings
}

pub fn credentials() -> Credentials {
    Credentials::hmac(HMAC_KEY, &Secret::new(HMAC_SECRET.to_owned())).expect("an HMAC key")
}

pub fn ed_credentials() -> Credentials {
    Credentials::ed25519(ED_KEY, &Secret::new(ED_SEED.to_owned())).expect("an Ed25519 key")
}

/// A still market: best bid 63999.90/64000.00, ten levels a side, and nothing after it but what a test adds.
pub fn still_market(product: ProductLine, more: Vec<MarketFrame>) -> Box<dyn MarketSource> {
    let quantity = if product == binance::SPOT { "1.00000000" } else { "1.000" };
    let price = |tenths: i64| {
        if product == binance::SPOT {
            format!("{}.{}0000000", tenths / 10, tenths % 10)
        } else {
            format!("{}.{}0", tenths / 10, tenths % 10)
        }
    };
    let bids: Vec<Value> = (0..10).map(|level| json!([price(639_999 - level), quantity])).collect();
    let asks: Vec<Value> = (0..10).map(|level| json!([price(640_000 + level), quantity])).collect();
    let snapshot = json!({"lastUpdateId": 1000, "bids": bids, "asks": asks}).to_string();
    let mut frames = vec![MarketFrame { at: Nanos(0), bytes: snapshot.into_bytes() }];
    frames.extend(more);
    Frames::boxed(frames)
}

/// A test's view of an exchange: virtual time and everything it sent.
pub struct Lab {
    pub exchange: BinanceExchange,
    pub product: ProductLine,
    pub now: Nanos,
    pub received: BTreeMap<ConnectionId, Vec<String>>,
    pub pings: Vec<(ConnectionId, Vec<u8>)>,
    pub closes: Vec<(ConnectionId, u16, String)>,
    pub answers_pings: bool,
    next: u64,
}

impl Lab {
    pub fn new(settings: SimSettings, source: Box<dyn MarketSource>) -> Lab {
        let product = settings.product;
        let exchange = binance(settings, source, START).expect("an exchange");
        Lab {
            exchange,
            product,
            now: START,
            received: BTreeMap::new(),
            pings: Vec::new(),
            closes: Vec::new(),
            answers_pings: true,
            next: 1,
        }
    }

    pub fn still(product: ProductLine) -> Lab {
        Lab::new(settings(product), still_market(product, Vec::new()))
    }

    pub fn synthetic(product: ProductLine, seed: u64, faults: FaultPlan) -> Lab {
        let mut settings = settings(product);
        settings.faults = faults;
        let market = Synthetic::bitcoin(product, seed, START).expect("a market");
        Lab::new(settings, Box::new(market))
    }

    pub fn collect(&mut self) {
        assert_eq!(self.exchange.check(), Ok(()), "an invariant of the exchange");
        while let Some(output) = self.exchange.poll_output() {
            match output {
                ExchangeOutput::Text { connection, text } => {
                    let text = String::from_utf8(text).expect("text is UTF-8");
                    self.received.entry(connection).or_default().push(text);
                }
                ExchangeOutput::Ping { connection, payload } => {
                    self.pings.push((connection, payload));
                    if self.answers_pings {
                        let pong = spinbook_feed::sim::side::ClientControl::Pong;
                        self.exchange.on_websocket_control(connection, pong, self.now);
                    }
                }
                ExchangeOutput::Close { connection, code, reason } => self.closes.push((connection, code, reason)),
                ExchangeOutput::Binary { .. } => panic!("Binance's JSON endpoints send no binary message"),
            }
        }
    }

    /// Lets virtual time pass, waking the exchange exactly at its deadlines.
    pub fn run(&mut self, span: Nanos) {
        let end = self.now + span;
        loop {
            self.collect();
            let next = self.exchange.next_deadline().max(self.now);
            if next > end {
                break;
            }
            self.now = next;
            self.exchange.on_timer(self.now);
        }
        self.now = end;
        self.exchange.on_timer(end);
        self.collect();
    }

    pub fn open(&mut self, target: &str) -> ConnectionId {
        let id = ConnectionId(self.next);
        self.next += 1;
        self.exchange.on_websocket_open(id, target, self.now).expect("the exchange accepts");
        id
    }

    pub fn say(&mut self, id: ConnectionId, text: &str) {
        self.exchange.on_websocket_text(id, text.as_bytes(), self.now);
        self.collect();
    }

    pub fn heard(&mut self, id: ConnectionId) -> Vec<Value> {
        let texts = self.received.remove(&id).unwrap_or_default();
        texts.iter().map(|text| serde_json::from_str(text).expect("JSON")).collect()
    }

    /// Sends a WebSocket API request and gives back the reply, keeping other messages for `heard`.
    pub fn call(&mut self, id: ConnectionId, method: &str, params: Value) -> Value {
        let kept = self.received.remove(&id).unwrap_or_default();
        self.say(id, &json!({"id": "q", "method": method, "params": params}).to_string());
        let mut all = self.received.remove(&id).unwrap_or_default();
        let place = all.iter().position(|text| text.starts_with("{\"id\":"));
        let reply = place.map(|place| all.remove(place)).unwrap_or_else(|| "null".to_owned());
        self.received.insert(id, kept.into_iter().chain(all).collect());
        serde_json::from_str(&reply).expect("JSON")
    }

    /// Parameters of a WebSocket request, signed.
    pub fn signed(&self, params: &[(&str, &str)], credentials: &Credentials) -> Value {
        let mut all: Vec<(String, String)> =
            params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        all.push(("apiKey".to_owned(), credentials.api_key.as_str().to_owned()));
        all.push(("timestamp".to_owned(), self.now.millis().to_string()));
        all.sort();
        let payload: Vec<String> = all.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut signature = String::new();
        credentials.sign_onto(payload.join("&").as_bytes(), &mut signature);
        all.push(("signature".to_owned(), signature));
        Value::Object(all.into_iter().map(|(name, value)| (name, Value::String(value))).collect())
    }

    pub fn http(&mut self, method: &str, target: &str, api_key: Option<&str>) -> HttpResponse {
        let headers: Vec<(&str, &str)> = api_key.map(|key| ("x-mbx-apikey", key)).into_iter().collect();
        let request = HttpRequest { method, target, headers: &headers, body: b"" };
        let response = self.exchange.on_http(&request, self.now);
        self.collect();
        response
    }

    /// An open request; status and body.
    pub fn get(&mut self, target: &str) -> (u16, Value) {
        let response = self.http("GET", target, None);
        (response.status, serde_json::from_slice(&response.body).expect("JSON"))
    }

    /// A signed REST request; status and body.
    pub fn rest(&mut self, method: &str, path: &str, params: &[(&str, &str)]) -> (u16, Value) {
        let mut query = Query::new();
        for (name, value) in params {
            query.push(name, value);
        }
        query.push_number("timestamp", self.now.millis());
        query.sign(&credentials());
        let response = self.http(method, &format!("{path}?{}", query.as_str()), Some(HMAC_KEY));
        (response.status, serde_json::from_slice(&response.body).expect("JSON"))
    }

    pub fn path(&self, name: &str) -> String {
        if self.product == binance::SPOT { format!("/api/v3/{name}") } else { format!("/fapi/v1/{name}") }
    }

    /// Places a limit order by REST.
    pub fn limit(&mut self, side: &str, quantity: &str, price: &str, time_in_force: &str, id: &str) -> (u16, Value) {
        let path = self.path("order");
        let order_type = if time_in_force == "LIMIT_MAKER" { "LIMIT_MAKER" } else { "LIMIT" };
        let mut params = vec![("symbol", "BTCUSDT"), ("side", side), ("type", order_type)];
        if order_type == "LIMIT" {
            params.push(("timeInForce", time_in_force));
        }
        params.extend([
            ("quantity", quantity),
            ("price", price),
            ("newClientOrderId", id),
            ("newOrderRespType", "RESULT"),
        ]);
        self.rest("POST", &path, &params)
    }
}

/// The code of a refusal.
pub fn code(body: &Value) -> i64 {
    body["code"].as_i64().unwrap_or(0)
}
