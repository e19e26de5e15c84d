//! COLD: synthetic frames in the shape of the recorded ones, for sizes that are asked for and where no data is.

use std::fmt::Write;

use spinbook_feed::random::Random;

use crate::frames::Frames;
use crate::plain::{Increment, Increments};

/// Whose frames are imitated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// USD-M futures BTCUSDT: `pu`, transaction time, tick 0.10 printed with two decimals, lot 0.001.
    Usdm,
    /// Spot BTCUSDT: eight decimals for both, tick 0.01.
    Spot,
}

impl Shape {
    /// Both.
    pub const ALL: [Shape; 2] = [Shape::Usdm, Shape::Spot];

    /// As printed in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Shape::Usdm => "perp",
            Shape::Spot => "spot",
        }
    }

    /// The increments of its instrument.
    #[must_use]
    pub fn increments(self) -> Increments {
        match self {
            Shape::Usdm => Increments { price: Increment::new(2, 10), quantity: Increment::new(3, 1) },
            Shape::Spot => Increments { price: Increment::new(2, 1), quantity: Increment::new(8, 1) },
        }
    }
}

/// A number below a power of ten that is itself drawn: `low` digits, or up to `choices - 1` more.
fn spread(random: &mut Random, low: u64, choices: u64) -> u64 {
    let digits = low + random.modulo(choices);
    random.modulo(10u64.pow(digits as u32))
}

/// The middle of the synthetic book, in ticks of the shape.
fn middle(shape: Shape) -> u64 {
    match shape {
        Shape::Usdm => 639_440,
        Shape::Spot => 6_183_700,
    }
}

fn push_price(text: &mut String, shape: Shape, tick: u64) {
    match shape {
        Shape::Usdm => write!(text, "\"{}.{}0\"", tick / 10, tick % 10),
        Shape::Spot => write!(text, "\"{}.{:02}000000\"", tick / 100, tick % 100),
    }
    .expect("a String takes any text");
}

fn push_quantity(text: &mut String, shape: Shape, deletes: bool, random: &mut Random) {
    // One level in three deletes, as recorded; the others are log-uniform over four decades.
    let lots = if deletes && random.modulo(3) == 0 { 0 } else { 1 + spread(random, 1, 4) };
    match shape {
        Shape::Usdm => write!(text, "\"{}.{:03}\"", lots / 1_000, lots % 1_000),
        Shape::Spot => write!(text, "\"{}.{:05}000\"", lots / 100_000, lots % 100_000),
    }
    .expect("a String takes any text");
}

/// `count` ticks on one side of the middle, nearest first, most of them close to it.
fn ticks(shape: Shape, count: usize, sign: i64, random: &mut Random) -> Vec<u64> {
    let mut distance = 0u64;
    (0..count)
        .map(|_| {
            distance += 1 + spread(random, 0, 3);
            middle(shape).wrapping_add_signed(sign * distance as i64)
        })
        .collect()
}

fn push_side(text: &mut String, shape: Shape, count: usize, sign: i64, random: &mut Random) {
    for (index, tick) in ticks(shape, count, sign, random).into_iter().enumerate() {
        text.push_str(if index == 0 { "[" } else { ",[" });
        push_price(text, shape, tick);
        text.push(',');
        push_quantity(text, shape, true, random);
        text.push(']');
    }
}

/// `count` depth frames with `levels` levels each, their update ids in sequence.
#[must_use]
pub fn depth_frames(shape: Shape, levels: usize, count: usize, seed: u64) -> Frames {
    let mut random = Random::new(seed);
    let mut frames = Frames::new();
    let (mut update, mut time_ms) = (4_984_028_367_545u64, 1_721_347_022_504u64);
    for _ in 0..count {
        let previous = update;
        let first = update + 1;
        update += 1 + random.modulo(3_000);
        time_ms += 50;
        let mut text = String::new();
        match shape {
            Shape::Usdm => write!(
                text,
                "{{\"stream\":\"btcusdt@depth@0ms\",\"data\":{{\"e\":\"depthUpdate\",\"E\":{time_ms},\"T\":{},\
                 \"s\":\"BTCUSDT\",\"U\":{first},\"u\":{update},\"pu\":{previous},\"b\":[",
                time_ms - 2
            ),
            Shape::Spot => write!(
                text,
                "{{\"stream\":\"btcusdt@depth@100ms\",\"data\":{{\"e\":\"depthUpdate\",\"E\":{time_ms},\
                 \"s\":\"BTCUSDT\",\"U\":{first},\"u\":{update},\"b\":["
            ),
        }
        .expect("a String takes any text");
        push_side(&mut text, shape, levels / 2, -1, &mut random);
        text.push_str("],\"a\":[");
        push_side(&mut text, shape, levels - levels / 2, 1, &mut random);
        text.push_str("]}}");
        frames.push(text.as_bytes());
    }
    frames
}

/// A REST snapshot with `levels` levels a side that precedes [`depth_frames`] of the same shape and seed: it holds
/// the first frame's last update, so that frame overlaps it as the venues' rules want.
#[must_use]
pub fn snapshot_body(shape: Shape, levels: usize, seed: u64) -> String {
    let mut random = Random::new(seed ^ 0x5eed);
    let first = depth_frames(shape, 0, 1, seed);
    let first = String::from_utf8_lossy(first.frame(0)).into_owned();
    let after = first.split("\"u\":").nth(1).unwrap_or_default();
    let last: String = after.chars().take_while(char::is_ascii_digit).collect();
    let mut text = format!("{{\"lastUpdateId\":{last},\"bids\":[");
    push_side(&mut text, shape, levels, -1, &mut random);
    text.push_str("],\"asks\":[");
    push_side(&mut text, shape, levels, 1, &mut random);
    text.push_str("]}");
    text
}

/// `count` best bid/ask frames, their update ids ascending.
#[must_use]
pub fn touch_frames(shape: Shape, count: usize, seed: u64) -> Frames {
    let mut random = Random::new(seed);
    let mut frames = Frames::new();
    let (mut update, mut time_ms) = (4_984_028_367_545u64, 1_721_347_022_504u64);
    for _ in 0..count {
        update += 1 + random.modulo(3_000);
        time_ms += random.modulo(20);
        let bid = middle(shape) - 1 - random.modulo(3);
        let mut text = String::from("{\"stream\":\"btcusdt@bookTicker\",\"data\":{");
        if shape == Shape::Usdm {
            text.push_str("\"e\":\"bookTicker\",");
        }
        write!(text, "\"u\":{update},\"s\":\"BTCUSDT\",\"b\":").expect("a String takes any text");
        push_price(&mut text, shape, bid);
        text.push_str(",\"B\":");
        push_quantity(&mut text, shape, false, &mut random);
        text.push_str(",\"a\":");
        push_price(&mut text, shape, bid + 1 + random.modulo(3));
        text.push_str(",\"A\":");
        push_quantity(&mut text, shape, false, &mut random);
        if shape == Shape::Usdm {
            write!(text, ",\"T\":{time_ms},\"E\":{time_ms}").expect("a String takes any text");
        }
        text.push_str("}}");
        frames.push(text.as_bytes());
    }
    frames
}

/// `count` trade frames, their ids ascending, the sides of their aggressors drawn: aggregated ones with the quantity that
/// counts elsewhere for futures, single ones for spot.
#[must_use]
pub fn trade_frames(shape: Shape, count: usize, seed: u64) -> Frames {
    let mut random = Random::new(seed);
    let mut frames = Frames::new();
    let (mut id, mut time_ms) = (5_182_006_711u64, 1_721_347_022_504u64);
    for _ in 0..count {
        id += 1;
        time_ms += random.modulo(20);
        let mut text = match shape {
            Shape::Usdm => format!(
                "{{\"stream\":\"btcusdt@aggTrade\",\"data\":{{\"e\":\"aggTrade\",\"E\":{time_ms},\"a\":{id},\
                 \"s\":\"BTCUSDT\",\"p\":"
            ),
            Shape::Spot => format!(
                "{{\"stream\":\"btcusdt@trade\",\"data\":{{\"e\":\"trade\",\"E\":{time_ms},\"s\":\"BTCUSDT\",\"t\":{id},\
                 \"p\":"
            ),
        };
        push_price(&mut text, shape, middle(shape) + random.modulo(10));
        text.push_str(",\"q\":");
        push_quantity(&mut text, shape, false, &mut random);
        if shape == Shape::Usdm {
            text.push_str(",\"nq\":");
            push_quantity(&mut text, shape, false, &mut random);
            write!(text, ",\"f\":{id},\"l\":{id}").expect("a String takes any text");
        }
        write!(text, ",\"T\":{time_ms},\"m\":{}", random.modulo(2) == 0).expect("a String takes any text");
        text.push_str(if shape == Shape::Spot { ",\"M\":true}}" } else { "}}" });
        frames.push(text.as_bytes());
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::{Shape, depth_frames, touch_frames};
    use crate::plain::{MessageKind, PlainMessage, decoders};

    #[test]
    fn every_plain_decoder_reads_the_same_from_every_synthetic_frame() {
        for shape in Shape::ALL {
            for levels in [0, 1, 2, 20, 200] {
                let frames = depth_frames(shape, levels, 20, 7);
                let mut reference = Vec::new();
                for mut decoder in decoders(shape.increments()) {
                    let mut fresh = frames.clone();
                    let messages: Vec<PlainMessage> = (0..frames.len())
                        .map(|index| {
                            let mut message = PlainMessage::default();
                            let (padded, length) = fresh.padded(index);
                            decoder
                                .decode(padded, length, &mut message)
                                .unwrap_or_else(|error| panic!("{}: {error:?}", decoder.name()));
                            message
                        })
                        .collect();
                    assert!(messages.iter().all(|m| m.kind == MessageKind::Depth && m.level_count() == levels));
                    assert!(messages.windows(2).all(|pair| pair[1].first == pair[0].last + 1));
                    if reference.is_empty() {
                        reference = messages;
                    } else {
                        assert_eq!(messages, reference, "{} at {levels} levels", decoder.name());
                    }
                }
            }
        }
    }

    #[test]
    fn every_plain_decoder_reads_the_same_best_bid_and_ask() {
        for shape in Shape::ALL {
            let frames = touch_frames(shape, 50, 11);
            let mut messages: Vec<Vec<PlainMessage>> = Vec::new();
            for mut decoder in decoders(shape.increments()) {
                let mut fresh = frames.clone();
                messages.push(
                    (0..frames.len())
                        .map(|index| {
                            let mut message = PlainMessage::default();
                            let (padded, length) = fresh.padded(index);
                            decoder
                                .decode(padded, length, &mut message)
                                .unwrap_or_else(|error| panic!("{}: {error:?}", decoder.name()));
                            message
                        })
                        .collect(),
                );
            }
            assert!(messages[0].iter().all(|message| message.kind == MessageKind::Touch && message.last > 0));
            assert!(messages[0].iter().all(|message| message.bids[0].tick < message.asks[0].tick));
            assert!(messages.iter().all(|of_one| *of_one == messages[0]));
        }
    }
}
