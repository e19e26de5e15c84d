//! COLD: a decision to the sealed record of its order: encoding, signature, frame, seal, each beside its yardstick.

use aws_lc_rs::aead::Aad;
use rustls::ClientConnection;
use spinbook_engine::intent::TimeInForce;
use spinbook_engine::types::{Lots, Nanos, OrderId, Side, Tick};
use spinbook_feed::crypto::credentials::{Credentials, Secret};
use spinbook_feed::crypto::hmac::{HmacStates, hex};
use spinbook_feed::frame_buffer::FrameBuffer;
use spinbook_feed::net::connection::handover::RustlsKeySchedule;
use spinbook_feed::record::RecordLayer;
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::instrument::Instrument;
use spinbook_feed::venue::order_side::{OrderSide, SelfTradePrevention};
use spinbook_feed::venue::orders::{NewOrder, Request, RequestId};
use spinbook_feed::websocket::Opcode;
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, WebSocket};

use crate::clock::{CycleClock, start, stop};
use crate::contest::{Contest, in_turns};
use crate::markets::{MeasuredOrders, product, shape_of, synthetic};
use crate::synthetic::Shape;
use crate::tls::{BareKey, Endpoints, Stream};

/// Payload of the measured frame, in bytes.
pub const FRAME_BYTES: usize = 300;
/// Text that is signed, in bytes.
pub const SIGNED_BYTES: usize = 200;
/// Repetitions between two stamps, since a single step is near the clock's own resolution.
const BATCH: usize = 64;

/// The step that signs.
pub const SIGNING: &str = "HMAC-SHA256 of 200 B in hexadecimal";
/// The step that frames and seals.
pub const SEALING: &str = "frame and seal 300 B";

/// One way to do a step.
pub struct Step {
    /// As printed in tables.
    pub name: &'static str,
    /// Does it once and gives back something that depends on all of the result.
    pub run: Box<dyn FnMut() -> u64>,
}

impl Step {
    fn new(name: &'static str, run: impl FnMut() -> u64 + 'static) -> Step {
        Step { name, run: Box::new(run) }
    }
}

/// Well-formed credentials of no account.
pub(crate) fn credentials() -> Credentials {
    let key: String = ('a'..='z').chain('A'..='Z').chain('0'..='9').chain("Zz".chars()).collect();
    let secret = Secret::new(key.chars().rev().collect());
    Credentials::hmac(&key, &secret).expect("well-formed")
}

/// The run whose orders these are.
const RUN: u32 = 7;

/// An order side with one prepared instrument; credentials sign each request.
#[must_use]
pub fn orders(product: ProductLine) -> (MeasuredOrders, Instrument) {
    let instrument = synthetic(shape_of(product));
    (orders_of(product, &instrument), instrument)
}

/// An order side with this instrument prepared; credentials sign each request.
#[must_use]
pub fn orders_of(product: ProductLine, instrument: &Instrument) -> MeasuredOrders {
    let mut orders = MeasuredOrders::new(product, credentials(), 1_000, SelfTradePrevention::ExpireMaker);
    orders.prepare(&[*instrument]);
    orders.set_run(RUN, 0);
    orders
}

/// The order with this number: price and quantity move a little.
#[must_use]
pub fn order(instrument: &Instrument, number: u32) -> NewOrder<'_> {
    NewOrder {
        instrument,
        order: OrderId::new(RUN, number),
        side: if number.is_multiple_of(2) { Side::Bid } else { Side::Ask },
        tick: Tick(612_345 + i64::from(number % 100)),
        lots: Lots(1_200 + i64::from(number % 7)),
        time_in_force: TimeInForce::PostOnly,
    }
}

/// The steps of encoding a signed futures order: plain, prepared.
#[must_use]
pub fn encoding() -> Vec<Step> {
    let (mut plain, instrument) = orders(product(Shape::Usdm));
    let (mut number, mut out) = (0, Vec::with_capacity(1_024));
    let now = Nanos::from_millis(1_760_000_000_000);
    let by_parameters = move || {
        number += 1;
        out.clear();
        let request = Request::Place(order(&instrument, number));
        plain.encode_plain(RequestId(u64::from(number)), &request, now, &mut out);
        out.len() as u64 + u64::from(out[out.len() - 10])
    };
    let (prepared, instrument) = orders(product(Shape::Usdm));
    let (mut number, mut bytes) = (0, [0u8; 1_024]);
    let by_template = move || {
        number += 1;
        let request = Request::Place(order(&instrument, number));
        let length = prepared
            .encode_prepared(RequestId(u64::from(number)), &request, now, &mut bytes)
            .expect("the instrument was prepared");
        length as u64 + u64::from(bytes[length - 10])
    };
    vec![Step::new("plain encoder", by_parameters), Step::new("prepared", by_template)]
}

/// The steps of signing 200 B with the hexadecimal text: `hmac` with its schedule kept, ours.
#[must_use]
pub fn signing() -> Vec<Step> {
    use hmac::{Hmac, KeyInit, Mac};
    let text: Vec<u8> = (0..SIGNED_BYTES).map(|at| b'a' + (at % 26) as u8).collect();
    let key = [b'k'; 64];
    let keyed = <Hmac<sha2::Sha256> as KeyInit>::new_from_slice(&key).expect("any length");
    let mut theirs = text.clone();
    let library = move || {
        theirs[SIGNED_BYTES - 1] = theirs[SIGNED_BYTES - 1].wrapping_add(1);
        let mut mac = keyed.clone();
        mac.update(&theirs);
        let code: [u8; 32] = mac.finalize().into_bytes().into();
        u64::from(hex(&code)[63])
    };
    let states = HmacStates::new(&key);
    let prefix = states.prefix(&text[..100]);
    let mut ours = text;
    let kept = move || {
        ours[SIGNED_BYTES - 1] = ours[SIGNED_BYTES - 1].wrapping_add(1);
        u64::from(hex(&states.code_behind(&prefix, &ours))[63])
    };
    vec![Step::new("hmac crate, schedule kept", library), Step::new("Spinbook, states kept", kept)]
}

/// Payload and sealed record, the payload copied in as an encoder would write it.
struct OurSender {
    layer: RecordLayer<RustlsKeySchedule>,
    buffer: FrameBuffer,
}

/// The steps of framing and sealing 300 B: the bare cipher, ours, tungstenite on rustls.
#[must_use]
pub fn sealing() -> Vec<Step> {
    let endpoints = Endpoints::new();
    let payload = vec![b'x'; FRAME_BYTES];
    let (_, mut key, _) = endpoints.bare();
    let (mut bytes, text) = (vec![0u8; FRAME_BYTES + 9], payload.clone());
    let bare = move || {
        bytes[8..8 + FRAME_BYTES].copy_from_slice(&text);
        u64::from(seal_bare(&mut key, &mut bytes)[0])
    };
    let (layer, _) = endpoints.ours();
    let mut sender = OurSender { layer, buffer: FrameBuffer::new() };
    let (text, mut mask) = (payload.clone(), 0u32);
    let ours = move || {
        mask = mask.wrapping_mul(0x9e37_79b1).wrapping_add(1);
        sender.buffer.payload()[..FRAME_BYTES].copy_from_slice(&text);
        let OurSender { layer, buffer } = &mut sender;
        let record = buffer.seal(layer, Opcode::Text, FRAME_BYTES, mask.to_ne_bytes());
        record.expect("a small record").len() as u64
    };
    let (client, _) = endpoints.buffered();
    let mut websocket = tungstenite_client(client);
    let text = String::from_utf8(payload).expect("letters");
    let mut wire = Vec::with_capacity(1 << 12);
    let peer = move || {
        websocket.send(Message::text(text.as_str())).expect("memory takes all");
        let tls = &mut websocket.get_mut().0;
        wire.clear();
        while tls.wants_write() {
            tls.write_tls(&mut wire).expect("memory takes all");
        }
        wire.len() as u64
    };
    vec![
        Step::new("bare AES-128-GCM", bare),
        Step::new("Spinbook frame buffer", ours),
        Step::new("tungstenite + rustls", peer),
    ]
}

fn seal_bare(key: &mut BareKey, text: &mut [u8]) -> [u8; 16] {
    let length = (text.len() + 16) as u16;
    let header = [23, 3, 3, (length >> 8) as u8, length as u8];
    let nonce = key.nonce();
    let tag = key.key.seal_in_place_separate_tag(nonce, Aad::from(&header), text);
    let mut out = [0; 16];
    out.copy_from_slice(tag.expect("a small record").as_ref());
    out
}

fn tungstenite_client(client: ClientConnection) -> WebSocket<Stream> {
    let config = WebSocketConfig::default().write_buffer_size(0);
    WebSocket::from_raw_socket(Stream(client), Role::Client, Some(config))
}

/// The whole way of one order: prepared, signed, framed, masked, sealed.
#[must_use]
pub fn whole() -> Step {
    let endpoints = Endpoints::new();
    let (prepared, instrument) = orders(product(Shape::Usdm));
    let (mut layer, _) = endpoints.ours();
    let (mut buffer, mut number) = (FrameBuffer::new(), 0u32);
    let now = Nanos::from_millis(1_760_000_000_000);
    Step::new("order to sealed record", move || {
        number += 1;
        let request = Request::Place(order(&instrument, number));
        let length = prepared
            .encode_prepared(RequestId(u64::from(number)), &request, now, buffer.payload())
            .expect("the instrument was prepared");
        let record = buffer.seal(&mut layer, Opcode::Text, length, number.to_ne_bytes());
        record.expect("a small record").len() as u64
    })
}

/// Lets the steps take turns for `rounds` rounds: ns a step.
#[must_use]
pub fn measure(what: &'static str, mut steps: Vec<Step>, rounds: usize) -> Contest {
    let clock = CycleClock::calibrated();
    let values = in_turns(steps.len(), 3, rounds, |who| {
        let run = &mut steps[who].run;
        let begun = start();
        let mut sink = 0;
        for _ in 0..BATCH {
            sink ^= run();
        }
        let ticks = stop() - begun;
        core::hint::black_box(sink);
        (clock.ns(ticks) - clock.pair_ns) / BATCH as f64
    });
    Contest::of(what, steps.into_iter().map(|step| step.name.to_owned()).collect(), values, 2)
}

/// Every step of the send path.
#[must_use]
pub fn steps() -> [(&'static str, Vec<Step>); 4] {
    [
        ("encode and sign an order", encoding()),
        (SIGNING, signing()),
        (SEALING, sealing()),
        ("order to sealed record", vec![whole()]),
    ]
}
