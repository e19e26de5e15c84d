//! COLD: what the order cards need to know of a venue: how it writes, never how it is understood.

use serde_json::{Value, json};
use spinbook_feed::crypto::credentials::{Credentials, Secret};
use spinbook_feed::venue::account::RestRequest;
use spinbook_feed::venue::instrument::Instrument;
use spinbook_feed::venue::order_side::Reaction;
use spinbook_feed::venue::orders::RequestKind;
use spinbook_feed::venue::{ProductLine, binance};

use crate::order_sides::{REFUSALS, START, ed25519, hmac, instrument};

/// What was signed, and the signature.
pub type Proof = (String, String);

/// Answers of the account over REST, one for each parser.
pub struct AccountBodies {
    pub time: &'static str,
    pub windows: &'static str,
    pub balances: &'static str,
    pub account: &'static str,
    pub positions: &'static str,
    pub orders: &'static str,
    pub trades: &'static str,
}

/// One product line that takes orders.
pub struct OrderFixture {
    pub line: ProductLine,
    /// The instrument of the frames and bodies.
    pub instrument: Instrument,
    /// Kind of key, secret, signature and text that is signed.
    pub signatures: &'static str,
    /// Messages with what they become.
    pub frames: &'static str,
    /// Names of orders that are not ours.
    pub foreign_names: &'static [&'static str],
    /// Every code that the room reacts to, and what it means for a new order.
    pub refusals: Vec<(String, Reaction)>,
    /// The codes that stand in the room's source.
    pub codes_in_source: fn() -> Vec<String>,
    /// Requests that need no signature.
    pub public: &'static [RequestKind],
    /// Requests that are written from prepared texts.
    pub prepared: &'static [RequestKind],
    /// The signature in a request, and what it signs.
    pub proof: fn(&str) -> Option<Proof>,
    /// The same of a request over REST.
    pub rest_proof: fn(&RestRequest) -> Option<Proof>,
    /// A refusal in answer to a new order, on the connection.
    pub refusal: fn(status: u16, code: &str) -> String,
    /// The same over REST.
    pub rest_refusal: fn(code: &str) -> String,
    /// The answer to a request that a session sends while it is set up, on an account without orders.
    pub answer: fn(&str) -> String,
    pub bodies: AccountBodies,
}

impl OrderFixture {
    /// One account of each kind of key.
    pub fn accounts() -> [Credentials; 2] {
        [hmac(), ed25519()]
    }

    /// The lines of the fixture: what becomes of a message, and the message.
    pub fn lines(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.frames.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' '))
    }

    /// Credentials, what is signed, and the signature.
    pub fn check_values(&self) -> Vec<(Credentials, &'static str, &'static str)> {
        let lines = self.signatures.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| {
                let parts: Vec<&str> = line.splitn(4, ' ').collect();
                let secret = Secret::new(parts[1].to_owned());
                let credentials = match parts[0] {
                    "hmac" => Credentials::hmac("EXAMPLEKEY", &secret),
                    "ed25519" => Credentials::ed25519("EXAMPLEKEY", &secret),
                    other => panic!("{other} is no kind of key"),
                };
                (credentials.unwrap(), parts[3], parts[2])
            })
            .collect()
    }
}

fn binance_proof(request: &str) -> Option<Proof> {
    let request: Value = serde_json::from_str(request).unwrap();
    let params = request.get("params")?.as_object()?;
    let signature = params.get("signature")?.as_str()?.to_owned();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let signed = params.iter().filter(|(name, _)| *name != "signature");
    let mut pairs: Vec<String> = signed.map(|(name, value)| format!("{name}={}", text(value))).collect();
    pairs.sort();
    Some((pairs.join("&"), signature))
}

fn binance_rest_proof(request: &RestRequest) -> Option<Proof> {
    let (target, signature) = request.target.rsplit_once("&signature=")?;
    let (_, query) = target.split_once('?')?;
    Some((query.to_owned(), signature.replace("%2F", "/").replace("%2B", "+").replace("%3D", "=")))
}

fn binance_refusal(status: u16, code: &str) -> String {
    format!("{{\"id\":\"p7\",\"status\":{status},\"error\":{{\"code\":{code},\"msg\":\"no\"}}}}")
}

fn binance_answer(request: &str) -> String {
    let request: Value = serde_json::from_str(request).unwrap();
    let result = match request["method"].as_str().unwrap() {
        "time" => json!({"serverTime": START.millis()}),
        "userDataStream.start" => json!({"listenKey": "key"}),
        "openOrders.status" | "openOrders.cancelAll" => json!([]),
        _ => json!({}),
    };
    json!({"id": request["id"], "status": 200, "result": result}).to_string()
}

/// The numbers in the body of the room's `reaction`.
fn binance_codes() -> Vec<String> {
    let source = include_str!("../../src/venue/binance/order.rs");
    let body = source.split("pub fn reaction(").nth(1).unwrap().split("\n}\n").next().unwrap();
    let words = body.split(|letter: char| !letter.is_ascii_digit() && letter != '-');
    words.filter(|word| word.len() == 5 && word.starts_with('-')).map(str::to_owned).collect()
}

const BINANCE_FOREIGN: &[&str] = &[
    "",
    "sb",
    "sb-",
    "sb10",
    "sb-42",
    "sb10-",
    "sb0-0",
    "sb010-42",
    "sb10-042",
    "SB10-42",
    "sB10-42",
    "sb1A-42",
    " sb10-42",
    "sb10-42 ",
    "sb10-42\n",
    "sb10-42-1",
    "sb10_42",
    "sb10-+42",
    "sb10-4294967296",
    "sb1z141z4-1",
    "web_1",
    "x-sb10-42",
    "autoclose-1",
    "adl_autoclose",
    "sb10-４２",
    "币安",
];

/// One for each product line with an order side.
pub fn order_fixtures() -> Vec<OrderFixture> {
    let refusals = |line: ProductLine| {
        let rows = REFUSALS.iter();
        rows.map(|(code, spot, usdm)| (code.to_string(), if line == binance::SPOT { *spot } else { *usdm })).collect()
    };
    let fixture = |line: ProductLine, frames: &'static str, bodies: AccountBodies| OrderFixture {
        line,
        instrument: instrument(line),
        signatures: include_str!("../fixtures/binance/signatures.txt"),
        frames,
        foreign_names: BINANCE_FOREIGN,
        refusals: refusals(line),
        codes_in_source: binance_codes,
        public: &[RequestKind::ServerTime, RequestKind::StartUserData, RequestKind::KeepUserData],
        prepared: if line == binance::SPOT {
            &[RequestKind::Place, RequestKind::Cancel, RequestKind::Replace]
        } else {
            &[RequestKind::Place, RequestKind::Cancel, RequestKind::Amend]
        },
        proof: binance_proof,
        rest_proof: binance_rest_proof,
        refusal: binance_refusal,
        rest_refusal: |code| format!("{{\"code\":{code},\"msg\":\"no\"}}"),
        answer: binance_answer,
        bodies,
    };
    const TIME: &str = r#"{"serverTime":1499827319559}"#;
    const WINDOWS: &str =
        r#"{"rateLimits":[{"rateLimitType":"ORDERS","interval":"DAY","intervalNum":1,"limit":160000}]}"#;
    const POSITIONS: &str = r#"[{"symbol":"BTCUSDT","positionSide":"BOTH","positionAmt":"-0.025"}]"#;
    const ORDERS: &str = r#"[{"symbol":"BTCUSDT","orderId":1,"clientOrderId":"sb10-42","side":"BUY","status":"NEW","origQty":"1.0","executedQty":"0.0"}]"#;
    let spot = AccountBodies {
        time: TIME,
        windows: WINDOWS,
        balances: r#"{"uid":354937868,"balances":[{"asset":"BTC","free":"4723846.89208129","locked":"0.10000000"}]}"#,
        account: "354937868",
        positions: POSITIONS,
        orders: ORDERS,
        trades: r#"[{"symbol":"BTCUSDT","id":28457,"orderId":100234,"price":"4.00","qty":"12.00000000","commission":"10.10000000","commissionAsset":"BNB","time":1499865549590,"isBuyer":true,"isMaker":false}]"#,
    };
    let usdm = AccountBodies {
        time: TIME,
        windows: WINDOWS,
        balances: r#"[{"accountAlias":"SgsR","asset":"USDT","balance":"122607.35137903"}]"#,
        account: "SgsR",
        positions: POSITIONS,
        orders: ORDERS,
        trades: r#"[{"symbol":"BTCUSDT","id":1,"orderId":10,"price":"50000.00","qty":"0.010","commission":"0.10000000","commissionAsset":"USDT","time":1,"buyer":false,"maker":true}]"#,
    };
    vec![
        fixture(binance::SPOT, include_str!("../fixtures/binance/orders_spot.txt"), spot),
        fixture(binance::USDM, include_str!("../fixtures/binance/orders_usdm.txt"), usdm),
    ]
}
