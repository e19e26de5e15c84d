//! COLD: what the exchange side sends and when: recorded frames in their own rhythm, and which must cause an order.

use std::sync::Arc;

use spinbook_engine::types::Lots;
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::instrument::Instrument;

use crate::frames::Frames;
use crate::trader::order_lots;
use crate::workload::{LineKind, Workload};

/// How a recording becomes a script.
#[derive(Clone, Copy, Debug)]
pub struct ScriptSettings {
    /// Frames at most, from the beginning of the recording.
    pub frames_max: usize,
    /// Pauses of the recording that are longer are cut to this, in ns; what is shorter keeps its recorded rhythm.
    pub pause_ns_max: u64,
    /// One frame in this many is to cause an order.
    pub pick_every: usize,
    /// No frame causes an order that is due sooner than this after the last one that does, in ns: an exchange's
    /// answer needs longer.
    pub pick_apart_ns: u64,
    /// Picks at the beginning that only warm everything up.
    pub warm_picks: usize,
}

/// A frame that must cause exactly one order.
#[derive(Clone, Copy, Debug)]
pub struct Pick {
    /// Its place among the frames.
    pub frame: usize,
    /// What it is.
    pub kind: LineKind,
    /// Its update id: once the book, or the touch, has it, the frame has arrived.
    pub sequence: u64,
}

/// How many quantities there are by which orders are told apart.
pub const QUANTITIES: usize = 64;

/// Which quantity belongs to which pick.
#[derive(Clone, Copy, Debug)]
pub struct Quantities {
    /// The smallest.
    pub base: Lots,
    /// What is added from one to the next.
    pub step: Lots,
}

impl Quantities {
    /// The quantity of a pick's order.
    #[must_use]
    pub fn of(self, pick: usize) -> Lots {
        Lots(self.base.0 + (pick % QUANTITIES) as i64 * self.step.0)
    }
}

/// Frames with their due times, and the picks among them.
#[derive(Clone, Debug)]
pub struct Script {
    /// As printed in tables.
    pub name: String,
    /// The product line.
    pub product: ProductLine,
    /// What is traded.
    pub instrument: Instrument,
    /// Depth and best bid/ask frames, in order, byte for byte as recorded.
    pub frames: Frames,
    /// When each is due, in ns from the first.
    pub due_ns: Vec<u64>,
    /// The recorded snapshot that the book begins with.
    pub snapshot: Vec<u8>,
    /// Which frames cause an order. The first opens the book.
    pub picks: Arc<[Pick]>,
    /// How many of them only warm up.
    pub warm_picks: usize,
}

/// The number behind `key` in a frame.
fn number_behind(frame: &[u8], key: &[u8]) -> Option<u64> {
    let at = frame.windows(key.len()).position(|part| part == key)? + key.len();
    let digits = frame[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    str::from_utf8(&frame[at..at + digits]).ok()?.parse().ok()
}

impl Script {
    /// Makes the script of a recording.
    ///
    /// # Errors
    /// The recording has no snapshot, or too few frames behind it.
    pub fn new(recording: &Workload, settings: &ScriptSettings) -> Result<Script, String> {
        let mut script = Script {
            name: recording.name.clone(),
            product: recording.product,
            instrument: recording.instrument,
            frames: Frames::new(),
            due_ns: Vec::new(),
            snapshot: Vec::new(),
            picks: Arc::new([]),
            warm_picks: settings.warm_picks,
        };
        let (mut picks, mut snapshot_id, mut touch_id) = (Vec::<Pick>::new(), None, 0);
        let (mut last_received, mut due, mut wait) = (None, 0u64, 0);
        for line in 0..recording.frames.len() {
            let (kind, frame) = (recording.kinds[line], recording.frames.frame(line));
            match kind {
                LineKind::Snapshot if snapshot_id.is_none() => {
                    snapshot_id = number_behind(frame, b"\"lastUpdateId\":");
                    script.snapshot = frame.to_vec();
                    continue;
                }
                LineKind::Depth | LineKind::Touch => {}
                _ => continue,
            }
            if script.frames.len() == settings.frames_max {
                break;
            }
            let received = recording.received[line];
            let gap = last_received.map_or(0, |last| (received - last).0.max(0).unsigned_abs());
            due += gap.min(settings.pause_ns_max);
            last_received = Some(received);
            let place = script.frames.len();
            script.frames.push(frame);
            script.due_ns.push(due);
            let Some(sequence) = number_behind(frame, b"\"u\":") else { continue };
            // A touch that repeats an id could not be told from the one before.
            let fresh = kind == LineKind::Depth || sequence > touch_id;
            if kind == LineKind::Touch {
                touch_id = touch_id.max(sequence);
            }
            wait += 1;
            let allowed = match picks.last() {
                // The first opens the book: a depth frame behind the snapshot.
                None => kind == LineKind::Depth && snapshot_id.is_some_and(|id| sequence > id) && wait > 8,
                Some(last) => wait >= settings.pick_every && due - script.due_ns[last.frame] >= settings.pick_apart_ns,
            };
            if allowed && fresh {
                picks.push(Pick { frame: place, kind, sequence });
                wait = 0;
            }
        }
        if picks.len() <= settings.warm_picks + 1 {
            return Err(format!("{}: no snapshot, or too few frames behind it", recording.name));
        }
        script.picks = picks.into();
        Ok(script)
    }

    /// The quantities of its orders.
    #[must_use]
    pub fn quantities(&self) -> Quantities {
        let step = order_lots(&self.instrument).0;
        // From a hundred steps on all have the same number of digits.
        Quantities { base: Lots(step * 100), step: Lots(step) }
    }

    /// The pick a frame is, if it is one: its place among the picks, looked for from `from` on.
    #[must_use]
    pub fn pick_of(&self, frame: usize, from: usize) -> Option<usize> {
        self.picks.get(from).is_some_and(|pick| pick.frame == frame).then_some(from)
    }
}

#[cfg(test)]
mod tests {
    use super::{Script, ScriptSettings, number_behind};
    use crate::synthetic::Shape;
    use crate::workload::{LineKind, Workload};

    const SETTINGS: ScriptSettings =
        ScriptSettings { frames_max: 90, pause_ns_max: 50_000, pick_every: 3, pick_apart_ns: 120_000, warm_picks: 2 };

    #[test]
    fn pauses_are_cut_and_picks_stand_apart_behind_the_snapshot() {
        // A tenth of a second apart, so every pause is cut, and a pick needs three frames of 50 us.
        let recording = Workload::synthetic(Shape::Usdm, 10, 100, 5);
        let script = Script::new(&recording, &SETTINGS).expect("a snapshot and frames");
        assert_eq!((script.frames.len(), script.due_ns.len()), (90, 90));
        assert!(script.due_ns.windows(2).all(|pair| pair[1] - pair[0] == 50_000));
        let snapshot_id = number_behind(&script.snapshot, b"\"lastUpdateId\":").expect("an id");
        assert!(script.picks.iter().all(|pick| pick.sequence > snapshot_id && pick.kind == LineKind::Depth));
        assert!(script.picks.windows(2).all(|pair| pair[1].frame - pair[0].frame == 3), "{:?}", script.picks);
        for pick in script.picks.iter() {
            let id = number_behind(script.frames.frame(pick.frame), b"\"u\":");
            assert_eq!(id, Some(pick.sequence));
        }
    }

    #[test]
    fn a_recording_without_a_snapshot_is_refused() {
        let mut recording = Workload::synthetic(Shape::Spot, 10, 100, 5);
        recording.kinds[0] = LineKind::Other;
        assert!(Script::new(&recording, &SETTINGS).is_err());
    }
}
