//! COLD: paper trading: a live market's raw frames, tapped on a connection of their own, into the simulated exchange.
//!
//! The hot thread has no part in it: the tap has its own session, and the exchange its own thread.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_queue::ArrayQueue;
use mio::{Events, Poll};
use spinbook_engine::event::{MarketEvent, MarketReply};
use spinbook_engine::types::{Level, Nanos, Stamp};

use crate::net::host::clock::Clock;
use crate::net::hot::hot_shared::HotShared;
use crate::net::hot::market_connections::{IoContext, MarketConnections, Turn};
use crate::net::hot::snapshots::SnapshotMailbox;
use crate::session::MarketSink;
use crate::sim::paper::{PaperExchange, PaperSettings};
use crate::sim::side::{
    ClientControl, ConnectionId, ExchangeOutput, ExchangeSide, HttpRequest, HttpResponse, MarketFrame,
};
use crate::venue::source::{MarketSource, Record, SourceError};

/// Frames on their way; when it is full the newest is dropped and the book falls behind until a snapshot.
const QUEUE_FRAMES: usize = 1 << 14;
/// How often the exchange looks for frames.
const LOOK_INTERVAL: Nanos = Nanos::from_millis(1);
/// How long a frame may be on its way from the tap: two threads and one look.
const FRAME_DELAY_MAX: Nanos = Nanos::from_millis(2);

/// The way from the tap to the exchange.
#[derive(Clone, Debug)]
pub struct TappedFrames {
    frames: Arc<ArrayQueue<MarketFrame>>,
    dropped: Arc<AtomicU64>,
}

impl TappedFrames {
    /// An empty one.
    #[must_use]
    pub fn new() -> TappedFrames {
        TappedFrames { frames: Arc::new(ArrayQueue::new(QUEUE_FRAMES)), dropped: Arc::new(AtomicU64::new(0)) }
    }

    /// Frames that found it full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn put(&self, at: Nanos, bytes: &[u8]) {
        if self.frames.push(MarketFrame { at, bytes: bytes.to_vec() }).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Default for TappedFrames {
    fn default() -> Self {
        TappedFrames::new()
    }
}

/// A market without frames of its own: a paper exchange gets all of them from its queue.
#[derive(Clone, Copy, Debug)]
pub struct NoMarket;

impl MarketSource for NoMarket {
    fn next(&mut self) -> Result<Option<Record<'_>>, SourceError> {
        Ok(None)
    }
}

/// A paper exchange behind a queue: it takes what the tap has put there, each frame at its own time.
pub struct TappedExchange {
    exchange: PaperExchange,
    queue: TappedFrames,
    look_next: Nanos,
}

impl TappedExchange {
    /// Puts an exchange (made over [`NoMarket`]) behind a queue; our messages meet the market after `latency`.
    #[must_use]
    pub fn new(exchange: Box<dyn ExchangeSide>, latency: Nanos, queue: TappedFrames) -> TappedExchange {
        let settings = PaperSettings { latency, frame_delay_max: FRAME_DELAY_MAX };
        TappedExchange { exchange: PaperExchange::new(exchange, settings), queue, look_next: Nanos::ZERO }
    }
}

impl ExchangeSide for TappedExchange {
    fn on_http(&mut self, request: &HttpRequest<'_>, now: Nanos) -> HttpResponse {
        self.exchange.on_http(request, now)
    }

    fn on_websocket_open(&mut self, connection: ConnectionId, target: &str, now: Nanos) -> Result<(), HttpResponse> {
        self.exchange.on_websocket_open(connection, target, now)
    }

    fn on_websocket_text(&mut self, connection: ConnectionId, text: &[u8], now: Nanos) {
        self.exchange.on_websocket_text(connection, text, now);
    }

    fn on_websocket_control(&mut self, connection: ConnectionId, control: ClientControl, now: Nanos) {
        self.exchange.on_websocket_control(connection, control, now);
    }

    fn on_websocket_close(&mut self, connection: ConnectionId, now: Nanos) {
        self.exchange.on_websocket_close(connection, now);
    }

    fn on_timer(&mut self, now: Nanos) {
        self.look_next = now + LOOK_INTERVAL;
        while let Some(frame) = self.queue.frames.pop() {
            self.exchange.on_market_frame(&frame, now);
        }
        if now >= self.exchange.next_deadline() {
            self.exchange.on_timer(now);
        }
    }

    fn next_deadline(&self) -> Nanos {
        self.exchange.next_deadline().min(self.look_next)
    }

    fn poll_output(&mut self) -> Option<ExchangeOutput> {
        self.exchange.poll_output()
    }
}

/// Judges nothing: the session only has to keep the stream and its snapshots coming.
struct NullSink;

impl MarketSink for NullSink {
    fn on_market(&mut self, _: &MarketEvent, _: &[Level], _: &[Level], _: Nanos) -> MarketReply {
        MarketReply::Ok
    }
}

/// Connects to a live market and puts every frame and snapshot into the queue, until `stop` is set.
///
/// # Errors
/// The system refuses a poll.
pub fn run_tap(
    mut market: MarketConnections,
    snapshots: &SnapshotMailbox,
    queue: &TappedFrames,
    clock: &Clock,
    stop: &AtomicBool,
) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(16);
    let shared = HotShared::default();
    market.start(clock.now());
    while !stop.load(Ordering::Relaxed) {
        match poll.poll(&mut events, Some(Duration::from_millis(5))) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &events {
            market.on_event(event.token());
        }
        let now = clock.now();
        let stamp = Stamp { wall: now, tsc: 0 };
        let context = IoContext { registry: poll.registry(), snapshots, shared: &shared };
        let mut turn = Turn { context, now, sink: NullSink };
        market.process_ready(&mut turn);
        for path in 0..market.path_count() {
            while market.process_next(path, &mut turn) {
                if let Some(bytes) = market.frame(path) {
                    queue.put(now, bytes);
                }
                market.on_frame(path, stamp, &mut turn.sink);
            }
        }
        while let Some(mut result) = snapshots.take() {
            if let Ok(length) = result.length {
                queue.put(now, &result.buffer[..length]);
            }
            market.on_snapshot(&mut result, stamp, &mut turn.sink);
            snapshots.give_back(result);
        }
        market.on_timer(&mut turn);
    }
    market.close(poll.registry(), clock.now());
    Ok(())
}
