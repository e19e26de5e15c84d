//! COLD: the decode contest: every decoder on the same frames, checked for equal results first, then timed in turns.

use crate::contest::{Contender, Time, by_batch};
use crate::frames::Frames;
use crate::plain::{Increments, Message, PlainDecoder, decoders};

/// Decodes every frame with every decoder and compares the results with the first one's.
///
/// # Errors
/// Which decoder failed or differs, and on which frame.
pub fn agree(frames: &Frames, decoders: &mut [Box<dyn PlainDecoder>]) -> Result<(), String> {
    let mut buffer = frames.buffer();
    let (mut reference, mut message) = (Message::default(), Message::default());
    for index in 0..frames.len() {
        for (place, decoder) in decoders.iter_mut().enumerate() {
            let length = frames.copy_to(index, &mut buffer);
            let out = if place == 0 { &mut reference } else { &mut message };
            decoder
                .decode(&mut buffer, length, out)
                .map_err(|error| format!("{} on frame {index}: {error:?}", decoder.name()))?;
            if place > 0 && message != reference {
                return Err(format!("{} reads frame {index} differently", decoder.name()));
            }
        }
    }
    Ok(())
}

/// A decoder as a contender: decodes every frame of a batch.
#[must_use]
pub fn contender<'a>(mut decoder: Box<dyn PlainDecoder>) -> Contender<'a> {
    let mut message = Message::default();
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

/// All plain decoders, and `more` of them, on `frames`: ns a frame.
///
/// # Errors
/// As [`agree`].
pub fn plain(
    frames: &Frames,
    increments: Increments,
    rounds: usize,
    more: impl Fn() -> Vec<Box<dyn PlainDecoder>>,
) -> Result<Vec<Time>, String> {
    let all = || decoders(increments).into_iter().chain(more()).collect::<Vec<_>>();
    agree(frames, &mut all())?;
    let mut contenders: Vec<Contender<'_>> = all().into_iter().map(contender).collect();
    Ok(by_batch(frames, rounds, &mut contenders))
}
