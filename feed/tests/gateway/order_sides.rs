//! COLD: keys, instruments, refusals and random requests of order sides, for this folder and for the venue cards.

use spinbook_engine::intent::TimeInForce;
use spinbook_engine::types::{Lots, Nanos, OrderId, QuoteAtoms, Side, Tick};
use spinbook_feed::crypto::credentials::{Credentials, Secret};
use spinbook_feed::random::Random;
use spinbook_feed::testkit;
use spinbook_feed::venue::instrument::Instrument;
use spinbook_feed::venue::order_ids::VenueOrderId;
use spinbook_feed::venue::order_side::Reaction;
use spinbook_feed::venue::orders::{NewOrder, OrderName, Request};
use spinbook_feed::venue::{ProductLine, binance};

pub const START: Nanos = Nanos::from_seconds(1_760_000_000);
pub const KEY_ID: &str = "Kq3vT9wLx2Zb7RfYh5Nd8CmJp4Gs6Wu1";
const SEED: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// What Binance's refusals of a new order mean without a message: code, spot, futures.
pub const REFUSALS: [(i64, Reaction, Reaction); 39] = [
    (-1000, Reaction::Unknown, Reaction::Unknown),
    (-1001, Reaction::Unknown, Reaction::Unknown),
    (-1002, Reaction::Halt, Reaction::Halt),
    (-1003, Reaction::PauseOrders, Reaction::PauseOrders),
    (-1006, Reaction::Unknown, Reaction::Unknown),
    (-1007, Reaction::Unknown, Reaction::Unknown),
    (-1008, Reaction::Backoff, Reaction::Backoff),
    (-1013, Reaction::RefreshInstrument, Reaction::RefreshInstrument),
    (-1015, Reaction::PauseOrders, Reaction::PauseOrders),
    (-1021, Reaction::ResyncClock, Reaction::ResyncClock),
    (-1022, Reaction::Halt, Reaction::Halt),
    (-1111, Reaction::RefreshInstrument, Reaction::RefreshInstrument),
    (-1121, Reaction::Configuration, Reaction::Configuration),
    (-1125, Reaction::RestartUserData, Reaction::RestartUserData),
    (-2010, Reaction::Reject, Reaction::Reject),
    (-2011, Reaction::QueryOrder, Reaction::QueryOrder),
    (-2013, Reaction::NotFound, Reaction::NotFound),
    (-2014, Reaction::Halt, Reaction::Halt),
    (-2015, Reaction::Halt, Reaction::Halt),
    (-2018, Reaction::Reject, Reaction::Reduce),
    (-2019, Reaction::Reject, Reaction::Reduce),
    (-2021, Reaction::Unknown, Reaction::Reprice),
    (-2022, Reaction::Reject, Reaction::Reduce),
    (-2026, Reaction::QueryOrder, Reaction::Reject),
    (-2035, Reaction::Reject, Reaction::Reject),
    (-2038, Reaction::QueryOrder, Reaction::Reject),
    (-2039, Reaction::QueryOrder, Reaction::Reject),
    (-4014, Reaction::Reject, Reaction::RefreshInstrument),
    (-4016, Reaction::Reject, Reaction::Reprice),
    (-4023, Reaction::Reject, Reaction::RefreshInstrument),
    (-4024, Reaction::Reject, Reaction::Reprice),
    (-4061, Reaction::Reject, Reaction::Configuration),
    (-4131, Reaction::Reject, Reaction::Reprice),
    (-4164, Reaction::Reject, Reaction::RefreshInstrument),
    (-4400, Reaction::Reject, Reaction::Reprice),
    (-5021, Reaction::Reject, Reaction::Reprice),
    (-5022, Reaction::Reject, Reaction::Reprice),
    (-5027, Reaction::Reject, Reaction::Ignore),
    (-5028, Reaction::Reject, Reaction::Reject),
];

pub fn hmac() -> Credentials {
    Credentials::hmac(KEY_ID, &Secret::new("r8Kd0pW3sQz6Lm1Xy9".to_owned())).unwrap()
}

pub fn ed25519() -> Credentials {
    Credentials::ed25519(KEY_ID, &Secret::new(SEED.to_owned())).unwrap()
}

pub fn instrument(product: ProductLine) -> Instrument {
    let (tick, lot, step) = if product == binance::SPOT { ("0.01", "0.00000001", 1_000) } else { ("0.10", "0.001", 1) };
    Instrument {
        lots_order_step: step,
        lots_order_min: Lots(step),
        lots_order_max: Lots(step * 1_000_000),
        tick_order_min: Tick(1),
        notional_min: QuoteAtoms(5 * 10i128.pow(18)),
        ..testkit::instrument(product, 0, "BTCUSDT", tick, lot)
    }
}

/// A number of any size up to so many bits, small ones as often as large ones.
pub fn size(random: &mut Random, bits_max: u32) -> u64 {
    let bits = 1 + random.modulo(u64::from(bits_max));
    random.next_u64() >> (64 - bits)
}

/// A random new order or cancel.
pub fn order_request<'a>(random: &mut Random, instrument: &'a Instrument) -> Request<'a> {
    let order = OrderId::new(1 + size(random, 31) as u32, size(random, 32) as u32);
    let sign = if random.next_u64().is_multiple_of(50) { -1 } else { 1 };
    match random.next_u64() % 4 {
        0 => Request::Cancel(OrderName { instrument, order, venue_order: VenueOrderId::NONE }),
        1 => Request::Cancel(OrderName { instrument, order, venue_order: VenueOrderId::from_number(size(random, 64)) }),
        _ => Request::Place(NewOrder {
            instrument,
            order,
            side: [Side::Bid, Side::Ask][random.next_u64() as usize % 2],
            tick: Tick(sign * size(random, 62) as i64),
            lots: Lots(sign * size(random, 62) as i64),
            time_in_force: [TimeInForce::PostOnly, TimeInForce::ImmediateOrCancel, TimeInForce::GoodTilCancel]
                [random.next_u64() as usize % 3],
        }),
    }
}
