//! COLD: replies and user data: any bytes give a message or a typed refusal, and quantities are what was written.

use serde_json::Value;
use spinbook_feed::venue::binance::account;
use spinbook_feed::venue::binance::order_decode::decode;
use spinbook_feed::venue::binance::request_ids::CLIENT_IDS;
use spinbook_feed::venue::order_ids::ClientIds;
use spinbook_feed::venue::orders::{OrderMessage, OrderUpdate};

use super::{instruments, product};

/// The first byte chooses the product, the rest is the frame.
pub fn check(data: &[u8]) {
    let (product, frame) = product(data);
    let instruments = instruments(product);
    let ids = ClientIds::of_any(CLIENT_IDS);
    let decoded = decode(&instruments, &ids, frame);
    assert_eq!(decoded, decode(&instruments, &ids, frame), "the same bytes mean the same");
    let _ = account::parse_refusal(429, frame);
    let Ok(message) = decoded else { return };
    let value: Value = serde_json::from_slice(frame).unwrap();
    assert!(value.is_object(), "a message is an object: {value}");
    match message {
        OrderMessage::Reply(reply) => {
            assert!(value["id"].as_str().is_some_and(|id| id.ends_with(&reply.id.0.to_string())), "{value}");
            if let Err(refusal) = reply.outcome {
                assert_eq!(value["status"].as_u64(), Some(u64::from(refusal.status)), "{value}");
            }
        }
        OrderMessage::Update(update) | OrderMessage::VenueOrder(update) => sound(&update, &value),
        OrderMessage::Positions(rows) => {
            assert!(rows.iter().all(|(id, _)| instruments.iter().any(|instrument| instrument.id == *id)));
        }
        _ => {}
    }
}

/// Nothing negative, and no fill of more than the order.
fn sound(update: &OrderUpdate, value: &Value) {
    if let Some(fill) = &update.fill {
        assert!(fill.lots.0 >= 0 && fill.tick.0 >= 0, "{value}");
    }
}
