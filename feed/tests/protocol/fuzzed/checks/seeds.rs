//! COLD: well-formed inputs to begin from, made here rather than kept as files.

use spinbook_engine::event::{ExecutionEvent, ExecutionKind};
use spinbook_engine::intent::{Intent, IntentKind};
use spinbook_engine::trace::TraceRecord;
use spinbook_engine::types::{Lots, Nanos, OrderId};
use spinbook_engine::unquoted::Unquoted;
use spinbook_feed::journal::end::{EndProof, OrderEnd, ProvedEnd};
use spinbook_feed::journal::frame::JOURNAL_HEADER_BYTES;
use spinbook_feed::journal::record::{JournalInstrument, JournalRecord, PositionMoment};
use spinbook_feed::journal::store::MemoryStore;
use spinbook_feed::journal::writer::{Journal, JournalWriter};
use spinbook_feed::venue::binance;
use spinbook_feed::venue::order_ids::ClientIdFormat;
use spinbook_feed::venue::order_side::OrderConnection;

use super::journal;

/// Inputs for the check of this name.
pub fn seeds(name: &str) -> Vec<Vec<u8>> {
    match name {
        "record_layer" => records(),
        "websocket" => frames(),
        "market_frames" => both_products(&market()),
        "order_frames" => both_products(&ORDERS.map(str::to_owned)),
        "rest_bodies" => both_products(&BODIES.map(str::to_owned)),
        "numbers" => numbers(),
        "journal" => journals(),
        "gateway" => super::gateway::seeds(),
        other => panic!("no seeds for {other}"),
    }
}

/// Journals with a record of each kind, with their header and without, whole and with unused room.
fn journals() -> Vec<Vec<u8>> {
    let text = |text: &str| text.to_owned();
    let instrument = super::instruments(binance::USDM)[0];
    let (order, id) = (OrderId::new(7, 1), instrument.id);
    let intent = Intent { order, lots: Lots(5), ..Intent::default() };
    let fact = |kind| ExecutionEvent { kind, order, lots_cumulative: Lots(2), ..ExecutionEvent::default() };
    let records = [
        JournalRecord::RunStarted { version: text("1"), mode: text("live"), configuration: text("c0ffee") },
        JournalRecord::Instrument(JournalInstrument::from(&instrument)),
        JournalRecord::Position { instrument: id, lots: Lots(-3), moment: PositionMoment::Start },
        JournalRecord::Place { intent, client_id: ClientIdFormat::Dashed.write(order) },
        JournalRecord::Fact(fact(ExecutionKind::Accepted)),
        JournalRecord::Fact(fact(ExecutionKind::Filled)),
        JournalRecord::CancelWanted(intent),
        JournalRecord::CancelSent { order, instrument: id, attempt: 1 },
        JournalRecord::Decision(TraceRecord { order, limit: Unquoted::Budget, ..TraceRecord::default() }),
        JournalRecord::Sent { order, kind: IntentKind::Place, connection: OrderConnection::Orders },
        JournalRecord::Ended(ProvedEnd {
            order,
            instrument: id,
            end: OrderEnd::Expired,
            proof: EndProof::Question,
            lots_filled: Lots(2),
        }),
        JournalRecord::Halted { message: text("why") },
        JournalRecord::Operator { word: text("kill"), scope: text("BTCUSDT"), reason: text("a person") },
        JournalRecord::RunEnded { confirmed: true, open_orders: 0, why: text("finished") },
    ];
    let mut seeds = Vec::new();
    for count in [1, 4, records.len()] {
        let store = MemoryStore::new(&journal::header(), 4096);
        let mut kept = Journal::On(Box::new(JournalWriter::new(Box::new(store), Vec::new(), Nanos(1))));
        records[..count].iter().for_each(|record| kept.note(record, Nanos(2)));
        let part = kept.part();
        let used = part.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let used = used.next_multiple_of(8);
        seeds.push(part[..used + 32].to_vec());
        seeds.push(part[JOURNAL_HEADER_BYTES..used].to_vec());
    }
    seeds
}

fn both_products(texts: &[String]) -> Vec<Vec<u8>> {
    let one = |product: u8| texts.iter().map(move |text| [&[product], text.as_bytes()].concat());
    one(0).chain(one(1)).collect()
}

fn records() -> Vec<Vec<u8>> {
    let start = [0x10, 0, 3];
    let bodies: [&[u8]; 9] = [
        &[0, 0, 40, 7, 1, 1, 0, 9, 5, 0, 0, 10, 3],
        &[0x40, 2, 0, 0, 30, 1, 5, 0x15, 0, 0, 9, 9],
        &[0x44, 4, 0, 0, 0x24, 9, 1, 2, 0, 0, 8, 1],
        &[0x37, 1, 2, 3, 0, 0, 1, 1, 8, 0],
        &[10, 10, 10, 5, 5, 0, 1, 0, 1, 12, 77],
        &[8, 90, 8, 40],
        &[0, 0, 5, 1, 13],
        &[0, 0, 5, 1, 14, 23, 3, 3, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20],
        &[0x7b, 0xff],
    ];
    let long = [&start[..], &[10; 40]].concat();
    let updates = [&start[..], &[5; 40]].concat();
    bodies.iter().map(|body| [&start[..], body].concat()).chain([long, updates]).collect()
}

/// A server's frame.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..=125 => bytes.push(length as u8),
        length @ 126..=65_535 => bytes.extend([126, (length >> 8) as u8, length as u8]),
        length => {
            bytes.push(127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(payload);
    bytes
}

fn frames() -> Vec<Vec<u8>> {
    let greek = "κόσμε and more".as_bytes();
    let sequences = [
        vec![frame(0x81, b"{\"e\":1}"), frame(0x82, &[0, 159, 1]), frame(0x89, b"hi"), frame(0x8a, b"")],
        vec![frame(0x81, &[b'x'; 300]), frame(0x81, greek), frame(0x88, &[3, 232, b'b', b'y', b'e'])],
        vec![frame(1, &greek[..1]), frame(0x89, b""), frame(0, &greek[1..7]), frame(0x80, &greek[7..])],
        vec![frame(2, &[1, 2]), frame(0, &[]), frame(0x80, &[3]), frame(0x81, b""), frame(0x88, &[])],
        vec![frame(0x81, &[b'y'; 66_000]), frame(0x82, &[0xff; 1_000])],
        vec![frame(0x81, &[0xc3, 0x28]), frame(0x83, b""), frame(0xc1, b"x"), frame(0x09, b"x")],
    ];
    let cuts = [[0, 0], [0, 6], [11, 200]];
    let join = |(at, frames): (usize, &Vec<Vec<u8>>)| [&cuts[at % 3][..], &frames.concat()].concat();
    sequences.iter().enumerate().map(join).collect()
}

fn market() -> Vec<String> {
    let depth = r#""e":"depthUpdate","E":1721260800123,"T":1721260800120,"s":"BTCUSDT","U":10,"u":12,"pu":9,"b":[["64000.10","1.500"],["63999.9","0"]],"a":[["64000.20","0.001"]]"#;
    let spot = r#""e":"depthUpdate","E":1721260800123,"s":"BTCUSDT","U":10,"u":12,"b":[["64000.10000000","1.50000000"]],"a":[["64000.20000000","0.00000000"],["7.2E4","1e-2"]]"#;
    let touch = r#""e":"bookTicker","u":400900217,"s":"ETHUSDT","b":"3400.35","B":"31.210","a":"3400.36","A":"40.660","T":1568014460891,"E":1568014460893"#;
    let spot_touch = r#""u":400900217,"s":"BTCUSDT","b":"25.35190000","B":"31.21000000","a":"25.36","A":"0.00000000""#;
    let trade = r#""e":"trade","E":1672515782136,"s":"BTCUSDT","t":12345,"p":"64000.1","q":"100","X":"MARKET","T":1672515782136,"m":true"#;
    let aggregate =
        r#""e":"aggTrade","E":1672515782136,"s":"ETHUSDT","a":5,"p":"0.01","q":"1.5","f":1,"l":2,"T":1,"m":false"#;
    let mut all = Vec::new();
    for (body, stream) in [
        (depth, "btcusdt@depth@0ms"),
        (spot, "btcusdt@depth@100ms"),
        (touch, "ethusdt@bookTicker"),
        (spot_touch, "btcusdt@bookTicker"),
        (trade, "btcusdt@trade"),
        (aggregate, "ethusdt@aggTrade"),
    ] {
        all.push(format!("{{{body}}}"));
        all.push(format!("{{\"stream\":\"{stream}\",\"data\":{{{body}}}}}"));
    }
    all.extend(
        [
            r#"{"result":null,"id":7}"#,
            r#"{"error":{"code":2,"msg":"no"},"id":8}"#,
            r#"{"code":-1121,"msg":"Invalid symbol.","id":null}"#,
            r#"{"stream":"!miniTicker@arr","data":[]}"#,
            r#"{"event":{"e":"serverShutdown","E":1}}"#,
        ]
        .map(str::to_owned),
    );
    all
}

const ORDERS: [&str; 12] = [
    r#"{"id":"p12","status":200,"result":{"symbol":"BTCUSDT","orderId":12569099453,"orderListId":-1,"clientOrderId":"sb-1-2","transactTime":1660801715639},"rateLimits":[{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":50,"count":12}]}"#,
    r#"{"id":"c13","status":200,"result":{"symbol":"BTCUSDT","orderId":325078477,"origClientOrderId":"sb-1-2","status":"CANCELED","side":"BUY","price":"64000.10","origQty":"0.010","executedQty":"0.001","updateTime":1660801715830}}"#,
    r#"{"id":"p14","status":400,"error":{"code":-2010,"msg":"Order would immediately match and take."},"rateLimits":[]}"#,
    r#"{"id":"t1","status":200,"result":{"serverTime":1656400526260}}"#,
    r#"{"id":"p15","status":429,"error":{"code":-1003,"msg":"Too much","data":{"serverTime":1,"retryAfter":1660801839}}}"#,
    r#"{"e":"executionReport","E":1499405658658,"s":"BTCUSDT","c":"sb-1-2","S":"BUY","o":"LIMIT","f":"GTC","q":"1.00000000","p":"0.10","x":"TRADE","X":"PARTIALLY_FILLED","r":"NONE","i":4293153,"l":"0.50000000","z":"0.50000000","L":"0.10","n":"0.0001","N":"BNB","T":1499405658657,"t":77,"w":true,"m":false,"C":""}"#,
    r#"{"subscriptionId":0,"event":{"e":"executionReport","E":1,"s":"ETHUSDT","c":"x","S":"SELL","o":"LIMIT_MAKER","f":"GTC","q":"1","p":"3000.01","x":"NEW","X":"NEW","r":"NONE","i":1,"l":"0","z":"0","L":"0","n":"0","N":null,"T":1,"t":-1,"w":true,"m":false,"C":""}}"#,
    r#"{"e":"ORDER_TRADE_UPDATE","T":1568879465651,"E":1568879465652,"o":{"s":"BTCUSDT","c":"sb-1-2","S":"SELL","o":"LIMIT","f":"GTX","q":"0.001","p":"9910.1","ap":"0","sp":"0","x":"TRADE","X":"FILLED","i":8886774,"l":"0.001","z":"0.001","L":"9910.1","N":"USDT","n":"0.01","T":1568879465651,"t":5,"b":"0","a":"9.91","m":true,"R":false,"ps":"BOTH","rp":"0"}}"#,
    r#"{"e":"TRADE_LITE","E":1721895408092,"T":1721895408214,"s":"BTCUSDT","q":"0.001","p":"0","m":false,"c":"sb-1-2","S":"BUY","L":"64089.20","l":"0.040","t":109100866,"i":8886774}"#,
    r#"{"e":"ACCOUNT_UPDATE","E":1564745798939,"T":1564745798938,"a":{"m":"ORDER","B":[{"a":"USDT","wb":"122624.12","cw":"100.12","bc":"50.1"}],"P":[{"s":"BTCUSDT","pa":"-0.5","ep":"0.0","cr":"200","up":"0","mt":"cross","iw":"0","ps":"BOTH"}]}}"#,
    r#"{"e":"listenKeyExpired","E":1576653824250,"listenKey":"abc"}"#,
    r#"{"e":"outboundAccountPosition","E":1564034571105,"u":1564034571073,"B":[{"a":"ETH","f":"10000.000000","l":"0.000000"}]}"#,
];

const BODIES: [&str; 8] = [
    r#"{"lastUpdateId":1027024,"E":1589436922972,"T":1589436922959,"bids":[["4.00","431.000"],["3.9","0.001"]],"asks":[["4.2","12.000"]]}"#,
    r#"{"symbols":[{"symbol":"BTCUSDT","pair":"BTCUSDT","contractType":"PERPETUAL","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","filters":[{"filterType":"PRICE_FILTER","minPrice":"556.80","maxPrice":"4529764","tickSize":"0.10"},{"filterType":"LOT_SIZE","stepSize":"0.001","maxQty":"1000","minQty":"0.001"},{"filterType":"MIN_NOTIONAL","notional":"100"}]}],"rateLimits":[{"rateLimitType":"ORDERS","interval":"MINUTE","intervalNum":1,"limit":1200}]}"#,
    r#"{"symbols":[{"symbol":"ETHUSDT","status":"TRADING","baseAsset":"ETH","quoteAsset":"USDT","isSpotTradingAllowed":true,"filters":[{"filterType":"PRICE_FILTER","minPrice":"0.01000000","maxPrice":"1000000.00000000","tickSize":"0.01000000"},{"filterType":"LOT_SIZE","minQty":"0.00010000","maxQty":"9000.00000000","stepSize":"0.00010000"},{"filterType":"NOTIONAL","minNotional":"5.00000000","applyMinToMarket":true}]}]}"#,
    r#"{"serverTime":1499827319559}"#,
    r#"{"canTrade":true,"balances":[{"asset":"BTC","free":"4723846.89208129","locked":"0.00000000"}],"uid":354937868}"#,
    r#"[{"accountAlias":"SgsR","asset":"USDT","balance":"122607.35137903","availableBalance":"23.72469206"}]"#,
    r#"[{"symbol":"BTCUSDT","positionSide":"BOTH","positionAmt":"-0.001","entryPrice":"22185.2","updateTime":1676358000}]"#,
    r#"[{"symbol":"BTCUSDT","id":28457,"orderId":100234,"price":"4.0","qty":"12.000","commission":"10.10","commissionAsset":"BNB","time":1499865549590,"isBuyer":true,"isMaker":false,"side":"BUY","maker":true,"buyer":true}]"#,
];

fn numbers() -> Vec<Vec<u8>> {
    let texts = [
        "0",
        "63947.40",
        "1.54698000",
        "9.121E-7",
        "1e18",
        "00012.50",
        "9223372036854775807",
        "0.000000000000000001",
        "18446744073709551616",
        "1e-400",
        "0e99999999999",
        "5.",
        "-1",
        "4.5e+3",
    ];
    let one = |(at, text): (usize, &&str)| [&[at as u8, (at * 3) as u8], text.as_bytes()].concat();
    texts.iter().enumerate().map(one).collect()
}
