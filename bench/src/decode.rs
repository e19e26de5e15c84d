//! COLD: the decode contest: every decoder on the same frames, checked for equal results first, then timed in turns.

use spinbook_feed::scan::ScannerChoice;
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::instrument::Instrument;
use spinbook_feed::venue::market::Message as Judged;

use crate::contest::{Contender, Time, by_batch};
use crate::frames::Frames;
use crate::markets::{MeasuredDecoder, increments};
use crate::plain::{MessageKind, PlainDecoder, PlainError, PlainMessage, decoders};

/// Ours, in the order in which a contest names them; the last is what reads a frame that no scanner takes.
pub const OURS: [ScannerChoice; 3] = [ScannerChoice::Best, ScannerChoice::Portable, ScannerChoice::Off];

/// Our decoder with a given scanner.
pub struct OurDecoder {
    decoder: MeasuredDecoder,
    name: &'static str,
}

impl OurDecoder {
    /// For one instrument; the general decoder alone for [`ScannerChoice::Off`].
    #[must_use]
    pub fn new(product: ProductLine, instrument: &Instrument, scanner: ScannerChoice) -> OurDecoder {
        let decoder = MeasuredDecoder::with_scanner(product, &[*instrument], scanner);
        let name = match decoder.scanner_name() {
            "avx2" => "Spinbook scanner, AVX2",
            "portable" => "Spinbook scanner, portable",
            _ => "Spinbook, general decoder alone",
        };
        OurDecoder { decoder, name }
    }

    /// As printed in tables.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Frames that the scanner did not take.
    #[must_use]
    pub fn fallback(&self) -> u64 {
        self.decoder.counts().fallback
    }

    /// Decodes a frame and gives back something that depends on all of its result.
    #[inline]
    pub fn decode_sum(&mut self, padded: &mut [u8], length: usize) -> u64 {
        let last = match self.decoder.decode(padded, length) {
            Ok(Judged::Depth { ids, .. }) => ids.last,
            Ok(Judged::Touch { sequence, .. }) => sequence,
            Ok(Judged::Trade { level, .. }) => level.tick.0.unsigned_abs(),
            Ok(_) => 0,
            Err(error) => panic!("a frame of the contest does not decode: {error:?}"),
        };
        let levels = self.decoder.levels();
        last ^ (levels.bids().len() + levels.asks().len()) as u64
    }
}

/// For the comparison of results only: the levels are copied into the plain message.
impl PlainDecoder for OurDecoder {
    fn name(&self) -> &'static str {
        self.name
    }

    fn decode(&mut self, padded: &mut [u8], length: usize, message: &mut PlainMessage) -> Result<(), PlainError> {
        match self.decoder.decode(padded, length).map_err(|_| PlainError::Json)? {
            Judged::Depth { ids, event_time, .. } => {
                message.kind = MessageKind::Depth;
                (message.first, message.last, message.previous) = (ids.first, ids.last, ids.previous);
                message.event_time_ms = event_time.millis().unsigned_abs();
            }
            Judged::Touch { sequence, event_time, .. } => {
                message.kind = MessageKind::Touch;
                (message.first, message.last, message.previous) = (0, sequence, 0);
                message.event_time_ms = event_time.millis().unsigned_abs();
            }
            _ => {
                message.start_other();
                return Ok(());
            }
        }
        message.bids.clear();
        message.bids.extend_from_slice(self.decoder.levels().bids());
        message.asks.clear();
        message.asks.extend_from_slice(self.decoder.levels().asks());
        Ok(())
    }
}

/// Decodes every frame with every decoder and compares the results with the first one's.
///
/// # Errors
/// Which decoder failed or differs, and on which frame.
pub fn agree(frames: &Frames, decoders: &mut [Box<dyn PlainDecoder>]) -> Result<(), String> {
    let mut buffer = frames.buffer();
    let (mut reference, mut message) = (PlainMessage::default(), PlainMessage::default());
    for index in 0..frames.len() {
        for (place, decoder) in decoders.iter_mut().enumerate() {
            let length = frames.copy_to(index, &mut buffer);
            let out = if place == 0 { &mut reference } else { &mut message };
            decoder
                .decode(&mut buffer, length, out)
                .map_err(|error| format!("{} on frame {index}: {error:?}", decoder.name()))?;
            if place > 0 && message != reference {
                let name = decoder.name();
                return Err(format!("{name} reads frame {index} differently: {message:?}, ours {reference:?}"));
            }
        }
    }
    Ok(())
}

/// A plain decoder as a contender: decodes every frame of a batch.
#[must_use]
pub fn contender<'a>(mut decoder: Box<dyn PlainDecoder>) -> Contender<'a> {
    let mut message = PlainMessage::default();
    Contender::new(decoder.name(), move |frames: &mut Frames| {
        let mut sum = 0u64;
        for index in 0..frames.len() {
            let (padded, length) = frames.padded(index);
            match decoder.decode(padded, length, &mut message) {
                Ok(()) => sum = sum.wrapping_add(message.last ^ message.level_count() as u64),
                Err(error) => panic!("{} failed on a frame it read before: {error:?}", decoder.name()),
            }
        }
        sum
    })
}

/// OurDecoder as a contender.
#[must_use]
pub fn our_contender<'a>(mut ours: OurDecoder) -> Contender<'a> {
    Contender::new(ours.name(), move |frames: &mut Frames| {
        let mut sum = 0u64;
        for index in 0..frames.len() {
            let (padded, length) = frames.padded(index);
            sum = sum.wrapping_add(ours.decode_sum(padded, length));
        }
        sum
    })
}

/// Our decoders ([`OURS`]), the plain ones, and `more` of those, on `frames` of one instrument: ns a frame, ours first.
///
/// # Errors
/// As [`agree`], or our scanner left a frame to the general decoder.
pub fn contest(
    frames: &Frames,
    product: ProductLine,
    instrument: &Instrument,
    rounds: usize,
    more: impl Fn() -> Vec<Box<dyn PlainDecoder>>,
) -> Result<Vec<Time>, String> {
    let peers = || decoders(increments(instrument)).into_iter().chain(more());
    let mut all: Vec<Box<dyn PlainDecoder>> =
        OURS.iter().map(|&choice| Box::new(OurDecoder::new(product, instrument, choice)) as _).collect();
    all.extend(peers());
    agree(frames, &mut all)?;
    let mut contenders: Vec<Contender<'_>> =
        OURS.iter().map(|&choice| our_contender(OurDecoder::new(product, instrument, choice))).collect();
    contenders.extend(peers().map(contender));
    let times = by_batch(frames, rounds, &mut contenders);
    for choice in OURS.into_iter().filter(|choice| *choice != ScannerChoice::Off) {
        let mut ours = OurDecoder::new(product, instrument, choice);
        let (mut fresh, mut sum) = (frames.clone(), 0u64);
        for index in 0..frames.len() {
            let (padded, length) = fresh.padded(index);
            sum ^= ours.decode_sum(padded, length);
        }
        core::hint::black_box(sum);
        if ours.fallback() > 0 {
            return Err(format!("{} left {} of {} frames", ours.name(), ours.fallback(), frames.len()));
        }
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use spinbook_feed::scan::ScannerChoice;

    use super::{OurDecoder, contest};
    use crate::markets::{product, synthetic};
    use crate::synthetic::{Shape, depth_frames, touch_frames, trade_frames};

    #[test]
    fn all_decoders_agree_on_synthetic_frames_and_the_scanner_takes_all() {
        for shape in Shape::ALL {
            let mut sets: Vec<_> = [0, 1, 2, 20, 200].map(|levels| depth_frames(shape, levels, 10, 3)).into();
            sets.push(touch_frames(shape, 10, 3));
            for frames in sets {
                let times = contest(&frames, product(shape), &synthetic(shape), 1, Vec::new).expect("all agree");
                assert!(times.len() >= 7 && times.iter().all(|time| time.ns > 0.0), "{times:?}");
            }
        }
    }

    #[test]
    fn the_scanner_takes_all_trades() {
        for shape in Shape::ALL {
            for scanner in [ScannerChoice::Best, ScannerChoice::Portable] {
                let mut ours = OurDecoder::new(product(shape), &synthetic(shape), scanner);
                let mut frames = trade_frames(shape, 100, 3);
                for index in 0..frames.len() {
                    let (padded, length) = frames.padded(index);
                    assert_ne!(ours.decode_sum(padded, length), 0);
                }
                assert_eq!(ours.fallback(), 0, "{} {}", shape.name(), ours.name());
            }
        }
    }
}
