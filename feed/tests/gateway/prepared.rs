//! COLD: prepared requests against the plain encoder: random orders and cancels, every key and session, byte for byte.

use crate::order_sides::{order_request, size};
use crate::scripted_venue::{START, ed25519, hmac, instrument};
use spinbook_engine::intent::TimeInForce;
use spinbook_engine::types::{Lots, Nanos, OrderId, Side, Tick};
use spinbook_feed::random::Random;
use spinbook_feed::venue::binance::order::BinanceOrders;
use spinbook_feed::venue::instrument::{Instrument, Symbol};
use spinbook_feed::venue::order_side::{OrderConnection, OrderSide, SelfTradePrevention};
use spinbook_feed::venue::orders::{NewOrder, Request, RequestId};
use spinbook_feed::venue::{ProductLine, binance};

fn sides() -> Vec<(ProductLine, bool, BinanceOrders)> {
    let mut all = Vec::new();
    for product in [binance::SPOT, binance::USDM] {
        for logged_on in [false, true] {
            for credentials in [hmac(), ed25519()] {
                let prevention = SelfTradePrevention::ExpireMaker;
                let mut side = BinanceOrders::new(product, credentials, 1_000, prevention);
                side.prepare(&[instrument(product)]);
                side.set_logged_on(OrderConnection::Orders, logged_on);
                all.push((product, logged_on, side));
            }
        }
    }
    all
}

#[test]
fn prepared_requests_are_the_plain_ones_byte_for_byte() {
    let seed = 0x7e3a_11c5;
    println!("seed {seed:#x}");
    let mut random = Random::new(seed);
    for (product, logged_on, mut side) in sides() {
        let instrument = instrument(product);
        for _ in 0..2_000 {
            let id = RequestId(size(&mut random, 64));
            let now = Nanos(START.0 + size(&mut random, 60) as i64 / 4);
            let request = order_request(&mut random, &instrument);
            let (mut plain, mut bytes, mut chosen) = (Vec::new(), [0u8; 1_024], Vec::new());
            side.encode_plain(id, &request, now, &mut plain);
            let length = side.encode_prepared(id, &request, now, &mut bytes).expect("it was prepared");
            assert_eq!(
                std::str::from_utf8(&bytes[..length]).unwrap(),
                std::str::from_utf8(&plain).unwrap(),
                "{product:?} logged on {logged_on}"
            );
            side.encode(id, &request, now, &mut chosen);
            assert_eq!(chosen, plain);
            let refused = side.encode_prepared(id, &request, now, &mut bytes[..plain.len() - 1]);
            assert_eq!(refused, None, "a buffer that is too small is left");
            assert!(side.encode_prepared(id, &request, now, &mut bytes[..plain.len()]).is_some());
        }
    }
}

#[test]
fn what_was_not_prepared_is_written_plainly() {
    let (product, _, mut side) = sides().remove(0);
    let known = instrument(product);
    let renamed = Instrument { symbol: Symbol::new("币安BTC").unwrap(), ..known };
    let order = |instrument| {
        Request::Place(NewOrder {
            instrument,
            order: OrderId::new(1, 1),
            side: Side::Bid,
            tick: Tick(5),
            lots: Lots(5),
            time_in_force: TimeInForce::PostOnly,
        })
    };
    let mut bytes = [0; 1_024];
    for request in [order(&renamed), Request::ServerTime, Request::CancelAll(&known)] {
        assert_eq!(side.encode_prepared(RequestId(1), &request, START, &mut bytes), None);
        let (mut plain, mut chosen) = (Vec::new(), Vec::new());
        side.encode_plain(RequestId(1), &request, START, &mut plain);
        side.encode(RequestId(1), &request, START, &mut chosen);
        assert_eq!(chosen, plain);
    }
    // Once prepared, the new name is written as raw UTF-8, in the request and in what is signed.
    side.prepare(&[renamed]);
    let request = order(&renamed);
    let mut plain = Vec::new();
    side.encode_plain(RequestId(1), &request, START, &mut plain);
    let length = side.encode_prepared(RequestId(1), &request, START, &mut bytes).unwrap();
    assert_eq!(&bytes[..length], &plain[..]);
    let before_the_epoch = Nanos(-5_000_000);
    assert_eq!(side.encode_prepared(RequestId(1), &request, before_the_epoch, &mut bytes), None);
}
