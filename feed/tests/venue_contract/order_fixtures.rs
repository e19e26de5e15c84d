//! COLD: what the order cards need to know of a venue: how it writes, never how it is understood.

use serde_json::Value;
use spinbook_feed::crypto::credentials::{Credentials, Secret};
use spinbook_feed::venue::account::RestRequest;
use spinbook_feed::venue::instrument::Instrument;
use spinbook_feed::venue::order_side::Reaction;
use spinbook_feed::venue::orders::RequestKind;
use spinbook_feed::venue::{ProductLine, binance};

use crate::order_sides::{REFUSALS, ed25519, hmac, instrument};

/// What was signed, and the signature.
pub type Proof = (String, String);

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
    let fixture = |line: ProductLine, frames: &'static str| OrderFixture {
        line,
        instrument: instrument(line),
        signatures: include_str!("../fixtures/binance/signatures.txt"),
        frames,
        foreign_names: BINANCE_FOREIGN,
        refusals: refusals(line),
        codes_in_source: binance_codes,
        public: &[RequestKind::ServerTime, RequestKind::StartUserData, RequestKind::KeepUserData],
        prepared: &[RequestKind::Place, RequestKind::Cancel],
        proof: binance_proof,
        rest_proof: binance_rest_proof,
        refusal: binance_refusal,
        rest_refusal: |code| format!("{{\"code\":{code},\"msg\":\"no\"}}"),
    };
    vec![
        fixture(binance::SPOT, include_str!("../fixtures/binance/orders_spot.txt")),
        fixture(binance::USDM, include_str!("../fixtures/binance/orders_usdm.txt")),
    ]
}
