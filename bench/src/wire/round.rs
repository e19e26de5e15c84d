//! COLD: one round: a script is played against one side, and each picked frame's order is timed.

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use spinbook_engine::types::Nanos;
use spinbook_feed::net::connection::tls::{LoopbackIdentity, Trust};
use spinbook_feed::net::exchange::server::{Server, ServerSettings};
use spinbook_feed::net::host::clock::{Clock as WallClock, cycles};
use spinbook_feed::net::host::threads;
use spinbook_feed::net::hot::snapshots::{self, SnapshotJob, SnapshotMailbox, SnapshotUrls};
use spinbook_feed::net::io::fetch::Fetcher;
use spinbook_feed::net::io::gateway_loop::Written;
use spinbook_feed::sim::side::{ClientControl, ConnectionId, ExchangeOutput, ExchangeSide, HttpRequest, HttpResponse};

use super::disturbance::{Disturbance, Watch, this_thread};
use super::exchange::{Exchange, answer, text_behind};
use super::floor::FloorIo;
use super::ours::{Meeting, quantities};
use super::picked::{Decisions, Quantities};
use super::script::Script;
use super::{Io, Layout, Side};
use crate::clock::Clock;

/// How long nothing may happen before a round is given up.
const STUCK: Duration = Duration::from_secs(60);
/// The exchange side waits for a frame that is due sooner than this, in ns, instead of taking another turn.
const SOON_NS: f64 = 3_000.0;

/// Cycle counters along the way of one order.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
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
    /// Which side.
    pub side: Side,
    /// One for each pick that was measured, in order.
    pub samples: Vec<Sample>,
    /// Frames sent.
    pub frames: usize,
    /// Orders that arrived, those of the warm-up included.
    pub orders: usize,
    /// What the machine did meanwhile.
    pub disturbance: Disturbance,
}

/// Serves the recorded snapshot over HTTP.
struct SnapshotDesk(Vec<u8>);

impl ExchangeSide for SnapshotDesk {
    fn on_http(&mut self, _: &HttpRequest<'_>, _: Nanos) -> HttpResponse {
        HttpResponse { status: 200, headers: Vec::new(), body: self.0.clone() }
    }

    fn on_websocket_open(&mut self, _: ConnectionId, _: &str, _: Nanos) -> Result<(), HttpResponse> {
        Err(HttpResponse { status: 404, ..HttpResponse::default() })
    }

    fn on_websocket_text(&mut self, _: ConnectionId, _: &[u8], _: Nanos) {}

    fn on_websocket_control(&mut self, _: ConnectionId, _: ClientControl, _: Nanos) {}

    fn on_websocket_close(&mut self, _: ConnectionId, _: Nanos) {}

    fn on_timer(&mut self, _: Nanos) {}

    fn next_deadline(&self) -> Nanos {
        Nanos::NEVER
    }

    fn poll_output(&mut self) -> Option<ExchangeOutput> {
        None
    }
}

struct SnapshotUrl(String);

impl SnapshotUrls for SnapshotUrl {
    fn url(&self, _: SnapshotJob) -> String {
        self.0.clone()
    }
}

/// The threads that serve and fetch the snapshot: they end once the book is open, so as not to disturb.
struct SnapshotThreads {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl SnapshotThreads {
    fn start(
        body: Vec<u8>,
        identity: &LoopbackIdentity,
        trust: &Trust,
    ) -> Result<(SnapshotThreads, SnapshotMailbox), String> {
        let tls = identity.server_config.clone();
        let settings = ServerSettings::on((Ipv4Addr::LOCALHOST, 0).into());
        let mut server = Server::bind(settings, tls, SnapshotDesk(body)).map_err(|error| error.to_string())?;
        let url = SnapshotUrl(format!("https://127.0.0.1:{}/depth", server.address().port()));
        let fetcher = Fetcher::new(trust, STUCK);
        let (mailbox, worker) = snapshots::new(4, fetcher, url, |error| eprintln!("the snapshot: {error}"));
        let stop = Arc::new(AtomicBool::new(false));
        let (told, told_too) = (stop.clone(), stop.clone());
        let serve = threads::spawn(
            "wire-snapshot",
            None,
            |_| {},
            move || {
                if let Err(error) = server.run(&WallClock::start(), &told) {
                    eprintln!("the snapshot server: {error}");
                }
            },
        );
        let fetch = threads::spawn("wire-fetch", None, |_| {}, move || worker.run(&told_too));
        let threads = [serve, fetch].into_iter().collect::<io::Result<Vec<_>>>().map_err(|error| error.to_string())?;
        Ok((SnapshotThreads { stop, threads }, mailbox))
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().expect("it serves or fetches and nothing else");
        }
    }
}

impl Drop for SnapshotThreads {
    fn drop(&mut self) {
        self.end();
    }
}

/// Plays the script against one side.
///
/// # Errors
/// A connection failed, an order did not come, came twice, or was not the one that was due.
pub fn play(script: &Arc<Script>, side: Side, layout: Layout) -> Result<Round, String> {
    play_with(script, side, layout, |_| {})
}

/// Plays the script, the floor changed by `change` before it starts.
fn play_with(
    script: &Arc<Script>,
    side: Side,
    layout: Layout,
    change: impl FnOnce(&mut FloorIo),
) -> Result<Round, String> {
    let identity = LoopbackIdentity::generate().map_err(|error| error.to_string())?;
    let trust = Trust::from_pem(identity.ca_pem.as_bytes())?;
    let exchange = Exchange::bind(script.product, identity.server_config.clone()).map_err(|error| error.to_string())?;
    let decisions = Arc::new(Decisions::of(script.picks.len()));
    let meeting = Meeting {
        script,
        address: exchange.address().map_err(|error| error.to_string())?,
        tls: trust.client_config().map_err(|error| error.to_string())?,
        layout,
        decisions: decisions.clone(),
    };
    let clock = Clock::calibrated();
    let (told, hot_thread) = mpsc::channel();
    let player = |snapshots| Player {
        script: script.clone(),
        exchange,
        quantities: quantities(script),
        decisions,
        layout,
        clock,
        hot_thread,
        snapshots,
        side,
        sealed: Vec::new(),
        ends: Vec::new(),
        taken: 0,
        next: 0,
        next_pick: 0,
        outstanding: None,
        samples: Vec::with_capacity(script.picks.len()),
        moved: Instant::now(),
    };
    match side {
        Side::Ours => {
            let (snapshots, mailbox) = SnapshotThreads::start(script.snapshot.clone(), &identity, &trust)?;
            let ours = meeting.ours(mailbox)?;
            let hot = move || {
                // The player waits for it and tells if it never comes.
                let _ = told.send(this_thread());
                ours.reactor.run().map(|_| ())
            };
            let shared = ours.hot.clone();
            run_threads(layout, hot, player(Some(snapshots)), ours.gateway, move || {
                shared.stop.store(true, Ordering::Release);
            })
        }
        Side::Floor => {
            let stop = Arc::new(AtomicBool::new(false));
            let (hot, mut io) = meeting.floor(script, &stop)?;
            change(&mut io);
            let hot = move || {
                let _ = told.send(this_thread());
                hot.run()
            };
            run_threads(layout, hot, player(None), io, move || stop.store(true, Ordering::Release))
        }
    }
}

fn unpinned(core: usize) {
    eprintln!("the system refused to tie a thread to core {core}: the figures will vary");
}

/// Runs the hot thread and the player's, and collects what they leave.
fn run_threads(
    layout: Layout,
    hot: impl FnOnce() -> io::Result<()> + Send + 'static,
    mut player: Player,
    mut io: impl Io + Send + 'static,
    stop: impl FnOnce() + Send + 'static,
) -> Result<Round, String> {
    let hot = threads::spawn("wire-hot", layout.hot, unpinned, hot).map_err(|error| error.to_string())?;
    let player = threads::spawn("wire-io", layout.io, unpinned, move || {
        threads::sleep_precisely();
        let played = player.play(&mut io);
        stop();
        // Only now the connections close: the hot thread has been told before.
        (played, player, io)
    });
    let (played, player, io) =
        player.map_err(|error| error.to_string())?.join().map_err(|_| "the exchange side panicked".to_owned())?;
    let ended = hot.join().map_err(|_| "the hot thread panicked".to_owned())?;
    drop((player, io));
    let round = played?;
    ended.map_err(|error| format!("the hot thread: {error}"))?;
    Ok(round)
}

/// A picked frame that has been sent and whose order has not come.
struct Outstanding {
    pick: usize,
    due: u64,
    sent: u64,
}

/// The exchange side at work, in turns with the gateway.
struct Player {
    script: Arc<Script>,
    exchange: Exchange,
    quantities: Quantities,
    decisions: Arc<Decisions>,
    layout: Layout,
    clock: Clock,
    hot_thread: mpsc::Receiver<Option<PathBuf>>,
    snapshots: Option<SnapshotThreads>,
    side: Side,
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
    samples: Vec<Sample>,
    moved: Instant,
}

impl Player {
    fn play(&mut self, io: &mut impl Io) -> Result<Round, String> {
        self.play_inner(io).map_err(|error| {
            let (frames, picks) = (self.script.frames.len(), self.script.picks.len());
            format!(
                "{:?}: {error}; {} of {frames} frames were sent and {} of {picks} orders came",
                self.side,
                self.next,
                self.samples.len()
            )
        })
    }

    fn play_inner(&mut self, io: &mut impl Io) -> io::Result<Round> {
        self.meet(io)?;
        self.seal()?;
        // The book opens with the first pick; whatever comes before it is sent as fast as it goes.
        let first = self.script.picks[0].frame;
        let begun = cycles();
        self.pass(io, first + 1, |_| begun)?;
        if let Some(mut snapshots) = self.snapshots.take() {
            snapshots.end();
        }
        let hot_thread = self.hot_thread.recv().ok().flatten();
        let watch = Watch::start([hot_thread, this_thread()], [self.layout.hot, self.layout.io]);
        let (script, ticks_per_ns) = (self.script.clone(), self.clock.ticks_per_ns);
        let begun = cycles() + (100_000.0 * ticks_per_ns) as u64;
        let base = script.due_ns[first];
        let due = |frame: usize| begun + ((script.due_ns[frame] - base) as f64 * ticks_per_ns) as u64;
        self.pass(io, script.frames.len(), due)?;
        let disturbance = watch.stop();
        self.confirm_quiet(io)?;
        Ok(Round {
            side: self.side,
            orders: self.samples.len(),
            samples: self.samples.split_off(script.warm_picks.min(self.samples.len())),
            frames: self.next,
            disturbance,
        })
    }

    /// Waits until both connections are open and the gateway trades.
    fn meet(&mut self, io: &mut impl Io) -> io::Result<()> {
        loop {
            self.exchange.open()?;
            io.turn()?;
            let open = self.exchange.market.is_some() && self.exchange.orders.is_some();
            let told = self.side == Side::Floor || (self.exchange.subscribed && self.exchange.swept);
            if open && told {
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

    /// Sends the frames up to `end` when they are due, and takes their orders.
    fn pass(&mut self, io: &mut impl Io, end: usize, due: impl Fn(usize) -> u64) -> io::Result<()> {
        let soon = (SOON_NS * self.clock.ticks_per_ns) as u64;
        let mut seen = io.sent();
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
            io.turn()?;
            if io.sent() != seen {
                seen = io.sent();
                self.take_orders(io)?;
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
    fn take_orders(&mut self, io: &impl Io) -> io::Result<()> {
        let line = self.exchange.orders.as_mut().ok_or_else(|| io::Error::other("no order connection"))?;
        if !line.receive()? {
            return Ok(());
        }
        let arrived = cycles();
        line.open()?;
        while let Some(text) = line.next_text()? {
            answer(self.script.product, line, &text)?;
            let Some(quantity) = text_behind(&text, b"\"quantity\":\"") else { continue };
            let lots = self.script.instrument.quantity.parse(quantity).unwrap_or(-1);
            let Some(Outstanding { pick, due, sent }) = self.outstanding.take() else {
                return Err(io::Error::other(format!("an order of {lots} lots that no frame caused")));
            };
            if self.quantities.of(pick).0 != lots {
                return Err(io::Error::other(format!("pick {pick} caused an order of {lots} lots")));
            }
            let (decided, written) = (self.decisions.stamps[pick].load(Ordering::Relaxed), io.written());
            let Written { taken, begun: write_begun, ended: write_ended } = written;
            self.samples.push(Sample { due, sent, decided, taken, write_begun, write_ended, arrived });
            self.moved = Instant::now();
        }
        Ok(())
    }

    /// Nothing comes any more.
    fn confirm_quiet(&mut self, io: &mut impl Io) -> io::Result<()> {
        let until = Instant::now() + Duration::from_millis(20);
        while Instant::now() < until {
            io.turn()?;
            self.take_orders(io)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Script, play_with};
    use crate::synthetic::Shape;
    use crate::wire::floor::FloorIo;
    use crate::wire::script::ScriptSettings;
    use crate::wire::{Layout, Side};
    use crate::workload::Recording;

    fn failure(change: impl FnOnce(&mut FloorIo)) -> String {
        let settings = ScriptSettings {
            frames_max: 60,
            pause_ns_max: 50_000,
            pick_every: 3,
            pick_apart_ns: 40_000,
            warm_picks: 2,
        };
        let script = Script::new(&Recording::synthetic(Shape::Usdm, 20, 60, 3), &settings).expect("enough frames");
        play_with(&Arc::new(script), Side::Floor, Layout::LOOSE, change).expect_err("an order is wrong")
    }

    #[test]
    fn an_order_of_another_frame_is_found() {
        let found = failure(|io| io.texts.rotate_left(1));
        assert!(found.contains("pick 0 caused an order of"), "{found}");
    }

    #[test]
    fn an_order_that_comes_twice_is_found() {
        let found = failure(|io| io.copies = 2);
        assert!(found.contains("that no frame caused"), "{found}");
    }
}
