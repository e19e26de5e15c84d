//! COLD: what a script of the gateway's check may say, and scripts to begin from.

use spinbook_engine::types::Side;
use spinbook_feed::venue::order_side::OrderConnection;

use super::super::Script;
use super::Verdict;

/// One step.
#[derive(Clone, Debug)]
pub enum Step {
    /// The engine places an order.
    Place { side: Side, verdict: Verdict },
    /// The engine cancels one.
    Cancel { order: usize, verdict: Verdict },
    /// The engine wants another price and quantity for one: by a few ticks, in eighths of the usual quantity.
    Amend { order: usize, ticks: i64, eighths: i64, verdict: Verdict },
    /// Somebody trades with it.
    Fill { order: usize, eighths: i64 },
    /// The venue ends it.
    Expire { order: usize },
    /// Time passes.
    Pass { millis: i64 },
    /// Somebody says this in the venue's name.
    Say { connection: OrderConnection, bytes: Vec<u8> },
    /// The next answer is this one instead.
    Answer { bytes: Vec<u8> },
    /// The next answer over REST is this one instead.
    RestAnswer { status: u16, bytes: Vec<u8> },
    /// A connection ends.
    Close { connection: OrderConnection },
    /// The machine's clock was stepped.
    ClockJumps,
    /// User data stops, or comes again.
    Deaf { is_deaf: bool },
}

/// The longest that is said at once.
const SAID_MAX: usize = 1_024;
const STATUSES: [u16; 8] = [200, 400, 0, 503, 429, 418, 403, 200];
/// What refuses an order and what that does: definite ones, for its clock, for rates, and busy.
const REFUSALS: [(u16, i32); 6] = [(400, -2010), (400, -1013), (400, -1021), (429, -1015), (503, -1008), (400, -2019)];

fn verdict(script: &mut Script<'_>) -> Verdict {
    match script.byte() % 12 {
        0..=3 => Verdict::Answer,
        4 => Verdict::LoseReply,
        5 => Verdict::LoseRequest,
        6 => Verdict::Late,
        7 => Verdict::Hide(true),
        8 => Verdict::Hide(false),
        _ => {
            let (status, code) = REFUSALS[usize::from(script.byte()) % REFUSALS.len()];
            Verdict::Refuse(status, code)
        }
    }
}

fn said(script: &mut Script<'_>) -> Vec<u8> {
    let length = script.number() % SAID_MAX;
    script.take(length).to_vec()
}

/// The next step of a script.
pub fn step(script: &mut Script<'_>) -> Step {
    let connection = |byte: u8| OrderConnection::ALL[usize::from(byte) % OrderConnection::ALL.len()];
    match script.byte() % 16 {
        0 | 1 => {
            let side = if script.byte() & 1 == 0 { Side::Bid } else { Side::Ask };
            Step::Place { side, verdict: verdict(script) }
        }
        2 | 3 => Step::Cancel { order: usize::from(script.byte()), verdict: verdict(script) },
        4 | 5 => Step::Fill { order: usize::from(script.byte()), eighths: i64::from(script.byte() % 9) },
        6 => Step::Expire { order: usize::from(script.byte()) },
        7 => Step::Pass { millis: i64::from(script.byte()) * 8 },
        8 => Step::Pass { millis: i64::from(script.byte()) * 100 },
        10 => {
            let (order, change) = (usize::from(script.byte()), script.byte());
            let (ticks, eighths) = (i64::from(change & 15) - 8, 1 + i64::from(change >> 4));
            Step::Amend { order, ticks, eighths, verdict: verdict(script) }
        }
        9 => Step::Say { connection: connection(script.byte()), bytes: said(script) },
        11 => Step::Answer { bytes: said(script) },
        12 => Step::RestAnswer { status: STATUSES[usize::from(script.byte()) % STATUSES.len()], bytes: said(script) },
        13 => Step::Close { connection: connection(script.byte()) },
        14 => Step::ClockJumps,
        _ => Step::Deaf { is_deaf: script.byte() & 1 == 1 },
    }
}

/// Messages with marks for names: 1 and an order's place is its name, 2 its number at the venue, 3 its last request.
const SAYINGS: [&str; 26] = [
    "{\"id\":\"\x03\x00\",\"status\":200,\"result\":{\"symbol\":\"BTCUSDT\",\"orderId\":\x02\x00,\"orderListId\":-1,\"clientOrderId\":\"\x01\x00\",\"transactTime\":1760000000000}}",
    "{\"id\":\"\x03\x01\",\"status\":400,\"error\":{\"code\":-2010,\"msg\":\"Order would immediately match and take.\"}}",
    "{\"id\":\"\x03\x01\",\"status\":400,\"error\":{\"code\":-2010,\"msg\":\"Duplicate order sent.\"}}",
    "{\"id\":\"\x03\x00\",\"status\":400,\"error\":{\"code\":-2011,\"msg\":\"Unknown order sent.\"}}",
    "{\"id\":\"\x03\x00\",\"status\":400,\"error\":{\"code\":-2013,\"msg\":\"Order does not exist.\"}}",
    "{\"id\":\"\x03\x00\",\"status\":503,\"error\":{\"code\":-1007,\"msg\":\"Timeout\"}}",
    "{\"id\":\"\x03\x00\",\"status\":429,\"error\":{\"code\":-1003,\"msg\":\"Too much\",\"data\":{\"serverTime\":1760000000000,\"retryAfter\":1760000003000}}}",
    "{\"id\":\"\x03\x00\",\"status\":418,\"error\":{\"code\":-1003,\"msg\":\"Way too much\",\"data\":{\"serverTime\":1760000000000,\"retryAfter\":1760000009000}}}",
    "{\"id\":\"\x03\x00\",\"status\":200,\"result\":{\"symbol\":\"BTCUSDT\",\"orderId\":\x02\x00,\"origClientOrderId\":\"\x01\x00\",\"clientOrderId\":\"\x01\x00\",\"status\":\"CANCELED\",\"side\":\"BUY\",\"price\":\"50000.00\",\"origQty\":\"0.008\",\"executedQty\":\"0.001\",\"updateTime\":1760000000500}}",
    "{\"id\":\"\x03\x01\",\"status\":200,\"result\":{\"symbol\":\"BTCUSDT\",\"orderId\":\x02\x01,\"clientOrderId\":\"\x01\x01\",\"status\":\"NEW\",\"side\":\"SELL\",\"price\":\"50000.00\",\"origQty\":\"0.008\",\"executedQty\":\"0.000\",\"updateTime\":1760000000500}}",
    "{\"id\":\"a9\",\"status\":200,\"result\":[]}",
    "{\"id\":\"o9\",\"status\":200,\"result\":[]}",
    "{\"id\":\"o12\",\"status\":200,\"result\":[{\"symbol\":\"BTCUSDT\",\"orderId\":\x02\x00,\"clientOrderId\":\"\x01\x00\",\"status\":\"PARTIALLY_FILLED\",\"side\":\"BUY\",\"price\":\"50000.00\",\"origQty\":\"0.008\",\"executedQty\":\"0.002\",\"updateTime\":1}]}",
    "{\"id\":\"f9\",\"status\":200,\"result\":[{\"symbol\":\"BTCUSDT\",\"id\":900001,\"orderId\":\x02\x00,\"price\":\"50000.00\",\"qty\":\"0.001\",\"commission\":\"0.01\",\"commissionAsset\":\"BNB\",\"time\":1760000000100,\"isBuyer\":true,\"isMaker\":true}]}",
    "{\"id\":\"t1\",\"status\":200,\"result\":{\"serverTime\":1760000090000}}",
    "{\"subscriptionId\":0,\"event\":{\"e\":\"executionReport\",\"E\":1760000000300,\"s\":\"BTCUSDT\",\"c\":\"\x01\x00\",\"C\":\"\",\"S\":\"BUY\",\"o\":\"LIMIT\",\"f\":\"GTC\",\"q\":\"0.08000\",\"p\":\"50000.00\",\"x\":\"TRADE\",\"X\":\"FILLED\",\"i\":\x02\x00,\"l\":\"0.08000\",\"z\":\"0.08000\",\"L\":\"50000.00\",\"n\":\"0.00001\",\"N\":\"BTC\",\"T\":1760000000300,\"t\":55,\"m\":true}}",
    "{\"subscriptionId\":0,\"event\":{\"e\":\"executionReport\",\"E\":1760000000300,\"s\":\"BTCUSDT\",\"c\":\"web_x\",\"C\":\"\x01\x01\",\"S\":\"SELL\",\"o\":\"LIMIT\",\"f\":\"GTC\",\"q\":\"0.08000\",\"p\":\"50000.00\",\"x\":\"CANCELED\",\"X\":\"CANCELED\",\"i\":\x02\x01,\"l\":\"0.00000\",\"z\":\"0.01000\",\"L\":\"0.00\",\"n\":\"0\",\"N\":null,\"T\":1760000000300,\"t\":-1,\"m\":false}}",
    "{\"e\":\"ORDER_TRADE_UPDATE\",\"T\":1760000000300,\"E\":1760000000300,\"o\":{\"s\":\"BTCUSDT\",\"c\":\"\x01\x00\",\"S\":\"BUY\",\"o\":\"LIMIT\",\"f\":\"GTX\",\"q\":\"0.008\",\"p\":\"50000.0\",\"ap\":\"0\",\"sp\":\"0\",\"x\":\"TRADE\",\"X\":\"PARTIALLY_FILLED\",\"i\":\x02\x00,\"l\":\"0.003\",\"z\":\"0.003\",\"L\":\"50000.0\",\"N\":\"USDT\",\"n\":\"0.01\",\"T\":1760000000300,\"t\":900001,\"m\":true,\"R\":false,\"ps\":\"BOTH\",\"rp\":\"0\"}}",
    "{\"e\":\"ORDER_TRADE_UPDATE\",\"T\":1760000000300,\"E\":1760000000300,\"o\":{\"s\":\"BTCUSDT\",\"c\":\"\x01\x01\",\"S\":\"SELL\",\"o\":\"LIMIT\",\"f\":\"GTX\",\"q\":\"0.008\",\"p\":\"50000.0\",\"x\":\"EXPIRED\",\"X\":\"EXPIRED\",\"i\":\x02\x01,\"l\":\"0\",\"z\":\"0\",\"L\":\"0\",\"T\":1760000000300,\"t\":0,\"m\":false,\"ps\":\"BOTH\"}}",
    "{\"e\":\"TRADE_LITE\",\"E\":1760000000300,\"T\":1760000000300,\"s\":\"BTCUSDT\",\"q\":\"0.008\",\"p\":\"50000.0\",\"m\":true,\"c\":\"\x01\x00\",\"S\":\"BUY\",\"L\":\"50000.0\",\"l\":\"0.008\",\"t\":77,\"i\":\x02\x00}",
    "{\"e\":\"ACCOUNT_UPDATE\",\"E\":1760000000300,\"T\":1760000000300,\"a\":{\"m\":\"ORDER\",\"B\":[{\"a\":\"USDT\",\"wb\":\"122624.12\",\"cw\":\"100.12\",\"bc\":\"50.1\"}],\"P\":[{\"s\":\"BTCUSDT\",\"pa\":\"-0.5\",\"ep\":\"0.0\",\"ps\":\"BOTH\"}]}}",
    "{\"subscriptionId\":0,\"event\":{\"e\":\"outboundAccountPosition\",\"E\":1,\"u\":1,\"B\":[{\"a\":\"BTC\",\"f\":\"1.00000000\",\"l\":\"0.00000000\"}]}}",
    "{\"e\":\"listenKeyExpired\",\"E\":1760000000300,\"listenKey\":\"abc\"}",
    "{\"subscriptionId\":0,\"event\":{\"e\":\"eventStreamTerminated\",\"E\":1760000000300}}",
    "{\"event\":{\"e\":\"serverShutdown\",\"E\":1760000000300}}",
    "{\"id\":null,\"status\":401,\"error\":{\"code\":-2015,\"msg\":\"Invalid API-key, IP, or permissions for action.\"}}",
];

/// Bodies of answers over REST.
const REST_SAYINGS: [&str; 6] = [
    "[{\"symbol\":\"BTCUSDT\",\"id\":900001,\"orderId\":\x02\x00,\"price\":\"50000.00\",\"qty\":\"0.001\",\"commission\":\"0.01\",\"commissionAsset\":\"USDT\",\"time\":1760000000100,\"isBuyer\":true,\"isMaker\":true,\"buyer\":true,\"maker\":true,\"side\":\"BUY\"}]",
    "[]",
    "{\"code\":-1021,\"msg\":\"Timestamp for this request is outside of the recvWindow.\"}",
    "{\"uid\":1,\"balances\":[{\"asset\":\"BTC\",\"free\":\"77.00000000\",\"locked\":\"0.00000000\"}]}",
    "[{\"symbol\":\"BTCUSDT\",\"positionSide\":\"BOTH\",\"positionAmt\":\"-0.077\"}]",
    "{\"code\":200,\"msg\":\"The operation of cancel all open order is done.\"}",
];

/// Something that is said, with its length before it.
fn written(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("short");
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

/// Both products, with orders in every state, and each saying in each place.
pub fn seeds() -> Vec<Vec<u8>> {
    // An order that lives and one that is partly filled, one whose outcome is hidden, one that is being cancelled, one that
    // is late, one that was refused.
    let orders: &[u8] = &[0, 0, 0, 0, 1, 0, 4, 1, 3, 0, 0, 7, 0, 0, 0, 2, 3, 4, 0, 0, 6, 0, 0, 9, 0];
    let mut seeds = Vec::new();
    let mut add = |before: &[u8], said: Vec<u8>, behind: &[u8]| {
        for first in 0..4 {
            seeds.push([&[first], orders, before, &said, behind].concat());
        }
    };
    for saying in SAYINGS {
        let text = written(saying);
        for connection in 0..2 {
            add(&[9, connection], text.clone(), &[8, 20]);
        }
        // In place of the answer to a cancel, to a place, and to what is asked next.
        add(&[11], text.clone(), &[2, 0, 0, 8, 10]);
        add(&[11], text.clone(), &[0, 0, 0, 4, 5, 8, 8, 30]);
        add(&[15, 1, 11], text.clone(), &[8, 200, 15, 0, 8, 200]);
    }
    for (place, saying) in REST_SAYINGS.into_iter().enumerate() {
        let status = [0, 0, 1, 0, 0, 0][place];
        add(&[13, 0, 12, status], written(saying), &[8, 250]);
    }
    // Without a lie: everything that may become of orders, and connections that end.
    let truths: [&[u8]; 6] = [
        &[2, 0, 4, 2, 1, 5, 2, 2, 6, 8, 50],
        &[4, 0, 8, 4, 1, 4, 6, 3, 15, 1, 4, 1, 2, 15, 0, 8, 255],
        &[13, 0, 8, 20, 13, 1, 8, 20, 13, 2, 8, 100],
        &[15, 1, 4, 0, 8, 13, 0, 15, 0, 8, 255, 8, 255],
        &[0, 1, 6, 7, 100, 0, 1, 6, 8, 100, 0, 0, 8, 8, 40],
        &[14, 8, 50, 0, 0, 9, 2, 8, 255, 0, 1, 9, 4, 8, 255, 0, 0, 9, 3],
    ];
    truths.iter().for_each(|truth| add(truth, Vec::new(), &[]));
    // Another price and more or less quantity, with every outcome: then what may come behind it.
    let behind: [&[u8]; 7] = [
        &[8, 60],
        &[4, 0, 2, 8, 60],
        &[2, 0, 0, 8, 60],
        &[10, 0, 0x26, 0, 10, 0, 0xf1, 0, 8, 60],
        &[13, 0, 8, 60],
        &[15, 1, 4, 0, 3, 8, 60, 15, 0, 8, 200],
        &[14, 7, 3, 10, 1, 0x7c, 0, 8, 100],
    ];
    for verdict in [&[0][..], &[4], &[5], &[6], &[7], &[8], &[9, 0], &[9, 4]] {
        for change in [0x0a, 0x75, 0xf7] {
            for behind in behind {
                add(&[10, 0, change], verdict.to_vec(), behind);
            }
        }
    }
    seeds
}
