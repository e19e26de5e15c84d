//! COLD: one round: a script is played against one side, and each picked frame's order is timed.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use spinbook_feed::net::connection::tls::{LoopbackIdentity, Trust};
use spinbook_feed::net::host::clock::cycles;
use spinbook_feed::net::host::threads;
use spinbook_feed::net::io::gateway_loop::Written;

use super::client::connector;
use super::disturbance::{Disturbance, DisturbanceMeter, this_thread};
use super::exchange::{Answers, Exchange, OrderAnswer, text_behind};
use super::script::Script;
use super::selected::Decisions;
use super::{CoreLayout, Meeting, Peer, STUCK, Sides};
use crate::clock::CycleClock;

/// The exchange side waits for a frame that is due sooner than this, in ns, instead of taking another turn.
const SOON_NS: f64 = 3_000.0;

/// Cycle counters along the way of one order.
#[derive(Clone, Copy, Debug, Default)]
pub struct WireSample {
    /// When the frame was due.
    pub due: u64,
    /// When it was handed to the kernel: not before it was due.
    pub sent: u64,
    /// When the order was decided on.
    pub decided: u64,
    /// When the other thread had taken the intent off the ring.
    pub taken: u64,
    /// When the order's record was about to be handed to the kernel.
    pub write_begun: u64,
    /// When the kernel had it.
    pub write_ended: u64,
    /// When the exchange side had read its bytes.
    pub arrived: u64,
}

/// What a round brought.
#[derive(Clone, Debug)]
pub struct Round {
    /// One for each pick that was measured, in order.
    pub samples: Vec<WireSample>,
    /// Frames sent.
    pub frames: usize,
    /// Orders that arrived, those of the warm-up included.
    pub orders: usize,
    /// What the machine did meanwhile.
    pub disturbance: Disturbance,
}

/// Plays the script against the side that `build` makes.
///
/// # Errors
/// A connection failed, an order did not come, came twice, or was not the one that was due.
pub fn play<P: Peer>(
    script: &Arc<Script>,
    layout: CoreLayout,
    build: impl FnOnce(&Meeting) -> Result<Sides<P>, String>,
) -> Result<Round, String> {
    let text = |error: io::Error| error.to_string();
    let identity = LoopbackIdentity::generate().map_err(|error| error.to_string())?;
    let trust = Trust::from_pem(identity.ca_pem.as_bytes())?;
    let answers = Answers::new(script.product, OrderAnswer::Refuse);
    let exchange = Exchange::bind(answers, script.snapshot.clone(), identity.server_config).map_err(text)?;
    let tls = trust.client_config().map_err(|error| error.to_string())?;
    let meeting = Meeting {
        script: script.clone(),
        connector: connector(exchange.address().map_err(text)?, &tls),
        trust,
        layout,
        decisions: Arc::new(Decisions::of(script.picks.len())),
    };
    let Sides { hot, peer, stop } = build(&meeting)?;
    let (told, hot_thread) = mpsc::channel();
    let mut player = Player {
        script: script.clone(),
        exchange,
        peer,
        decisions: meeting.decisions.clone(),
        layout,
        clock: CycleClock::calibrated(),
        hot_thread,
        sealed: Vec::new(),
        ends: Vec::new(),
        taken: 0,
        next: 0,
        next_pick: 0,
        outstanding: None,
        samples: Vec::with_capacity(script.picks.len()),
        moved: Instant::now(),
    };
    let hot = move || {
        // The player waits for it and tells if it never comes.
        let _ = told.send(this_thread());
        hot()
    };
    let hot = threads::spawn("wire-hot", layout.hot, unpinned, hot).map_err(text)?;
    let player = threads::spawn("wire-io", layout.io, unpinned, move || {
        threads::sleep_precisely();
        let played = player.play();
        stop();
        // Only now the connections close: the hot thread has been told before.
        (played, player)
    });
    let (played, player) = player.map_err(text)?.join().map_err(|_| "the exchange side panicked".to_owned())?;
    let ended = hot.join().map_err(|_| "the hot thread panicked".to_owned())?;
    drop(player);
    let round = played?;
    ended.map_err(|error| format!("the hot thread: {error}"))?;
    Ok(round)
}

fn unpinned(core: usize) {
    eprintln!("the system refused to tie a thread to core {core}: the figures will vary");
}

/// A picked frame that was sent while its order has not come.
struct Outstanding {
    pick: usize,
    due: u64,
    sent: u64,
}

/// The exchange side at work, in turns with the side that is measured.
struct Player<P> {
    script: Arc<Script>,
    exchange: Exchange,
    peer: P,
    decisions: Arc<Decisions>,
    layout: CoreLayout,
    clock: CycleClock,
    hot_thread: mpsc::Receiver<Option<PathBuf>>,
    /// All frames as sealed records, one behind the other.
    sealed: Vec<u8>,
    /// Where each frame's records end.
    ends: Vec<usize>,
    /// Bytes that the socket took.
    taken: usize,
    /// The next frame to send.
    next: usize,
    next_pick: usize,
    outstanding: Option<Outstanding>,
    samples: Vec<WireSample>,
    moved: Instant,
}

impl<P: Peer> Player<P> {
    fn play(&mut self) -> Result<Round, String> {
        self.play_inner().map_err(|error| {
            let (frames, picks) = (self.script.frames.len(), self.script.picks.len());
            format!(
                "{}: {error}; {} of {frames} frames were sent and {} of {picks} orders came",
                P::NAME,
                self.next,
                self.samples.len()
            )
        })
    }

    fn play_inner(&mut self) -> io::Result<Round> {
        self.meet()?;
        self.seal()?;
        // The book opens with the first pick; the frames before it are sent as fast as the socket takes them.
        let first = self.script.picks[0].frame;
        let begun = cycles();
        self.pass::<true>(first + 1, |_| begun)?;
        self.peer.on_book_open();
        let hot_thread = self.hot_thread.recv().ok().flatten();
        let meter = DisturbanceMeter::start([hot_thread, this_thread()], [self.layout.hot, self.layout.io]);
        let (script, ticks_per_ns) = (self.script.clone(), self.clock.ticks_per_ns);
        let begun = cycles() + (100_000.0 * ticks_per_ns) as u64;
        let base = script.due_ns[first];
        let due = |frame: usize| begun + ((script.due_ns[frame] - base) as f64 * ticks_per_ns) as u64;
        self.pass::<false>(script.frames.len(), due)?;
        let disturbance = meter.stop();
        self.confirm_quiet()?;
        Ok(Round {
            orders: self.samples.len(),
            samples: self.samples.split_off(script.warm_picks.min(self.samples.len())),
            frames: self.next,
            disturbance,
        })
    }

    /// Waits until both connections are open and the gateway trades.
    fn meet(&mut self) -> io::Result<()> {
        loop {
            self.exchange.open()?;
            self.peer.turn()?;
            let open = self.exchange.market.is_some() && self.exchange.orders.is_some();
            if open && self.peer.is_ready(&self.exchange) {
                return Ok(());
            }
            self.check_progress("the connections do not open")?;
        }
    }

    fn check_progress(&self, what: &str) -> io::Result<()> {
        if self.moved.elapsed() > STUCK { Err(io::Error::other(what.to_owned())) } else { Ok(()) }
    }

    fn seal(&mut self) -> io::Result<()> {
        let market = self.exchange.market.as_mut().ok_or_else(|| io::Error::other("no market connection"))?;
        market.flush()?;
        for frame in 0..self.script.frames.len() {
            market.seal(self.script.frames.frame(frame), &mut self.sealed)?;
            self.ends.push(self.sealed.len());
        }
        self.moved = Instant::now();
        Ok(())
    }

    /// Sends the frames up to `end` when they are due, and takes their orders; while the book is opening, the snapshot is
    /// served as well.
    fn pass<const OPENING: bool>(&mut self, end: usize, due: impl Fn(usize) -> u64) -> io::Result<()> {
        let soon = (SOON_NS * self.clock.ticks_per_ns) as u64;
        let mut seen = self.peer.sent();
        let mut turns = 0u32;
        while self.next < end || self.outstanding.is_some() || self.taken < self.ends[end - 1] {
            let now = cycles();
            if self.next < end && self.may_send() && self.layout.spin {
                let at = due(self.next);
                if at > now && at - now < soon && self.outstanding.is_none() {
                    while cycles() < at {
                        core::hint::spin_loop();
                    }
                }
            }
            self.send_due(end, &due)?;
            if OPENING {
                self.exchange.accept()?;
            }
            self.peer.turn()?;
            if self.peer.sent() != seen {
                seen = self.peer.sent();
                self.take_orders()?;
            }
            turns = turns.wrapping_add(1);
            if turns.is_multiple_of(4_096) || !self.layout.spin {
                self.check_progress("an order does not come")?;
            }
        }
        Ok(())
    }

    /// One picked frame at a time is under way: the next is sent when the order of the last has come, and its
    /// latency counts from when it was due.
    fn may_send(&self) -> bool {
        self.outstanding.is_none() || self.script.picks.get(self.next_pick).is_none_or(|pick| pick.frame != self.next)
    }

    /// Writes all frames that are due, in one piece.
    fn send_due(&mut self, end: usize, due: &impl Fn(usize) -> u64) -> io::Result<()> {
        let now = cycles();
        while self.next < end && self.may_send() && due(self.next) <= now {
            if self.script.picks.get(self.next_pick).is_some_and(|pick| pick.frame == self.next) {
                self.outstanding = Some(Outstanding { pick: self.next_pick, due: due(self.next), sent: 0 });
                self.next_pick += 1;
            }
            self.next += 1;
        }
        let until = self.next.checked_sub(1).map_or(0, |last| self.ends[last]);
        if self.taken == until {
            return Ok(());
        }
        let market = self.exchange.market.as_mut().ok_or_else(|| io::Error::other("no market connection"))?;
        let stamp = cycles();
        if let Some(outstanding) = self.outstanding.as_mut().filter(|outstanding| outstanding.sent == 0) {
            outstanding.sent = stamp;
        }
        let taken = market.write_sealed(&self.sealed[self.taken..until])?;
        if taken > 0 {
            self.moved = Instant::now();
        }
        self.taken += taken;
        Ok(())
    }

    /// Reads what the gateway has sent: the order of the outstanding pick, and it alone.
    fn take_orders(&mut self) -> io::Result<()> {
        let line = self.exchange.orders.as_mut().ok_or_else(|| io::Error::other("no order connection"))?;
        if !line.receive()? {
            return Ok(());
        }
        let arrived = cycles();
        line.open()?;
        while let Some(text) = line.next_text()? {
            line.send_text(&self.exchange.answers.reply(&text)?)?;
            let Some(quantity) = text_behind(&text, b"\"quantity\":\"") else { continue };
            let lots = self.script.instrument.quantity.parse(quantity).unwrap_or(-1);
            let Some(Outstanding { pick, due, sent }) = self.outstanding.take() else {
                return Err(io::Error::other(format!("an order of {lots} lots that no frame caused")));
            };
            if self.script.quantities().of(pick).0 != lots {
                return Err(io::Error::other(format!("pick {pick} caused an order of {lots} lots")));
            }
            let (decided, written) = (self.decisions.stamps[pick].load(Ordering::Relaxed), self.peer.written());
            let Written { taken, begun: write_begun, ended: write_ended } = written;
            self.samples.push(WireSample { due, sent, decided, taken, write_begun, write_ended, arrived });
            self.moved = Instant::now();
        }
        Ok(())
    }

    /// Nothing comes any more.
    fn confirm_quiet(&mut self) -> io::Result<()> {
        let until = Instant::now() + Duration::from_millis(20);
        while Instant::now() < until {
            self.peer.turn()?;
            self.take_orders()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{CoreLayout, Script, play};
    use crate::synthetic::Shape;
    use crate::wire::floor::Floor;
    use crate::wire::script::ScriptSettings;
    use crate::workload::Workload;

    fn failure(change: impl FnOnce(&mut Floor)) -> String {
        let settings = ScriptSettings {
            frames_max: 60,
            pause_ns_max: 50_000,
            pick_every: 3,
            pick_apart_ns: 40_000,
            warm_picks: 2,
        };
        let script = Script::new(&Workload::synthetic(Shape::Usdm, 20, 60, 3), &settings).expect("enough frames");
        let played = play(&Arc::new(script), CoreLayout::LOOSE, |meeting| {
            let mut sides = meeting.floor()?;
            change(&mut sides.peer);
            Ok(sides)
        });
        played.expect_err("an order is wrong")
    }

    #[test]
    fn an_order_of_another_frame_is_found() {
        let found = failure(|floor| floor.texts.rotate_left(1));
        assert!(found.contains("pick 0 caused an order of"), "{found}");
    }

    #[test]
    fn an_order_that_comes_twice_is_found() {
        let found = failure(|floor| floor.copies = 2);
        assert!(found.contains("that no frame caused"), "{found}");
    }
}
