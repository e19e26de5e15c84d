//! COLD: times in microseconds, for clients that ask for them.

use serde_json::{Value, json};

/// Fields of replies and events that hold a time.
const TIMES: &[&str] = &[
    "E",
    "T",
    "W",
    "O",
    "C",
    "serverTime",
    "time",
    "updateTime",
    "transactTime",
    "workingTime",
    "openTime",
    "closeTime",
    "authorizedSince",
    "connectedSince",
];
/// Fields of a candle that hold a time, and name something else elsewhere.
const CANDLE_TIMES: &[&str] = &["t", "T"];
/// What counts as a time in milliseconds: from 2001 on.
const MILLIS_MIN: i64 = 1_000_000_000_000;

/// Whether a text asks for microseconds.
#[must_use]
pub fn are_asked(text: &str) -> bool {
    text.eq_ignore_ascii_case("MICROSECOND")
}

fn raise(value: &mut Value) {
    if let Some(millis) = value.as_i64().filter(|millis| *millis >= MILLIS_MIN) {
        *value = json!(millis * 1000);
    }
}

/// Tells every time of a message in microseconds.
pub fn tell(message: &mut Value) {
    tell_within(message, TIMES);
}

fn tell_within(message: &mut Value, times: &[&str]) {
    match message {
        Value::Object(fields) => {
            let of_account = fields.get("e").and_then(Value::as_str) == Some("outboundAccountPosition");
            for (name, value) in fields.iter_mut() {
                match (name.as_str(), &value) {
                    ("k", Value::Object(_)) => tell_within(value, CANDLE_TIMES),
                    // Elsewhere it is the number of an update.
                    ("u", Value::Number(_)) if of_account => raise(value),
                    (name, Value::Number(_)) if times.contains(&name) => raise(value),
                    _ => tell_within(value, times),
                }
            }
        }
        // Candles are lists that hold their start and their end.
        Value::Array(list) if list.len() == 12 && list[0].is_i64() | list[0].is_u64() && list[1].is_string() => {
            raise(&mut list[0]);
            raise(&mut list[6]);
        }
        Value::Array(list) => list.iter_mut().for_each(|value| tell_within(value, times)),
        _ => {}
    }
}

/// A message as text with its times in microseconds; as it was if it is no JSON.
#[must_use]
pub fn told(text: Vec<u8>) -> Vec<u8> {
    match serde_json::from_slice::<Value>(&text) {
        Ok(mut message) => {
            tell(&mut message);
            message.to_string().into_bytes()
        }
        Err(_) => text,
    }
}
