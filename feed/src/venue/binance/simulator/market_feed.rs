//! COLD: plays the market: when each frame is due, what it does to the exchange's own book, who gets it.

use super::BinanceExchange;
use super::frames::{self, FrameReader, Parts, PlayedDepth, PlayedMessage, PlayedTrade};
use crate::sim::api::{FrameFault, FrameKind, ListingIndex};
use crate::sim::served::TradeIds;
use crate::sim::side::MarketFrame;
use crate::venue::simulator_side::{MarketStart, Play, PlaySpeed, next_frame};
use crate::venue::source::MarketSource;
use spinbook_engine::types::{Level, Lots, Nanos};
use std::collections::VecDeque;

/// Frames read ahead in search of the first snapshot.
const PRIME_FRAMES_MAX: usize = 20_000;
/// Depth messages kept while a book waits for its snapshot.
const PENDING_MAX: usize = 20_000;
/// Frames played in one turn; the rest follows at once in the next.
const FRAMES_PER_TURN: usize = 256;

/// A symbol's depth chain.
#[derive(Debug, Default)]
struct Chain {
    seeded: bool,
    pending: VecDeque<PlayedDepth>,
}

/// A frame held back by a fault, to follow the next of its stream.
#[derive(Debug)]
struct Held {
    kind: FrameKind,
    symbol: String,
    channel: String,
    parts: Parts,
    bytes: Vec<u8>,
}

/// One message of the market on its way to clients.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passing<'a> {
    pub(super) symbol: &'a str,
    pub(super) channel: &'a str,
    pub(super) listing: Option<ListingIndex>,
    pub(super) message: &'a PlayedMessage,
    pub(super) parts: &'a Parts,
    pub(super) bytes: &'a [u8],
    /// What it did to the exchange's own book.
    pub(super) applied: Applied,
}

/// What a message did to the exchange's own book.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Applied {
    /// Whether a depth message was taken.
    pub(super) taken: bool,
    /// Whether a trade was one that fills orders; the market may tell of it a second time, aggregated.
    pub(super) drives: bool,
    /// What of a trade was ours.
    pub(super) ours: Lots,
    /// Under which number the rest of a trade is served, if there is any.
    pub(super) trade_id: Option<u64>,
}

/// The market being played.
pub struct MarketFeed {
    reader: FrameReader,
    source: Box<dyn MarketSource>,
    /// Time of the latest frame that was read.
    last: Nanos,
    ahead: VecDeque<MarketFrame>,
    pub(super) speed: PlaySpeed,
    /// Our time and the market's time at the start.
    started: Option<(Nanos, Nanos)>,
    /// Whether it starts by itself, whoever listens.
    starts_at_once: bool,
    /// The first event time that was served, the market's and ours, in ms.
    pub(super) first_event: Option<(i64, i64)>,
    /// Numbers of each listing's aggregated trades, where the market has its own.
    pub(super) aggregate_ids: Vec<TradeIds>,
    over: bool,
    chains: Vec<Chain>,
    held: Option<Held>,
    pub(super) sees_trades: bool,
    pub(super) sees_aggregated: bool,
    /// What was wrong with the source, if it broke.
    pub error: Option<String>,
    /// Frames that could not be read; relayed all the same.
    pub bad_frames: u64,
}

impl MarketFeed {
    /// Nothing played yet.
    #[must_use]
    pub fn new(source: Box<dyn MarketSource>, play: Play, reader: FrameReader, listings: usize) -> MarketFeed {
        MarketFeed {
            reader,
            source,
            last: Nanos::ZERO,
            ahead: VecDeque::new(),
            speed: play.speed,
            started: None,
            starts_at_once: play.starts == MarketStart::AtOnce,
            first_event: None,
            aggregate_ids: (0..listings).map(|_| TradeIds::default()).collect(),
            over: false,
            chains: (0..listings).map(|_| Chain::default()).collect(),
            held: None,
            sees_trades: false,
            sees_aggregated: false,
            error: None,
            bad_frames: 0,
        }
    }

    fn read_ahead(&mut self) {
        if self.over {
            return;
        }
        match next_frame(self.source.as_mut()) {
            Ok(Some(frame)) => {
                // Receive clocks step back now and then; a market's time does not.
                self.last = self.last.max(frame.at);
                self.ahead.push_back(MarketFrame { at: self.last, ..frame });
            }
            Ok(None) => self.over = true,
            Err(error) => {
                self.error = Some(error.to_string());
                self.over = true;
            }
        }
    }

    /// Whether everything has been played.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over && self.ahead.is_empty()
    }

    /// Whether nothing has been played yet.
    #[must_use]
    pub fn waits_to_start(&self) -> bool {
        self.started.is_none() && !self.is_over()
    }

    /// Whether it is to start now.
    #[must_use]
    pub fn is_to_start(&self, has_client: bool) -> bool {
        self.waits_to_start() && (self.starts_at_once || has_client)
    }

    /// Starts the clock with the next frame.
    pub fn start(&mut self, now: Nanos) {
        if self.ahead.is_empty() {
            self.read_ahead();
        }
        if let (None, Some(first)) = (self.started, self.ahead.front()) {
            self.started = Some((now, first.at));
        }
    }

    /// When the next frame is due; `NEVER` before the start and after the end.
    #[must_use]
    pub fn deadline(&self) -> Nanos {
        let (Some((at, first)), Some(frame)) = (self.started, self.ahead.front()) else {
            return Nanos::NEVER;
        };
        match self.speed {
            PlaySpeed::Max => at,
            PlaySpeed::Thousandths(speed) => {
                let span = i128::from((frame.at - first).0.max(0)) * 1000 / i128::from(speed.max(1));
                at + Nanos(i64::try_from(span).unwrap_or(i64::MAX))
            }
        }
    }

    fn next_due(&mut self, now: Nanos) -> Option<MarketFrame> {
        if self.deadline() > now {
            return None;
        }
        let frame = self.ahead.pop_front();
        if self.ahead.is_empty() {
            self.read_ahead();
        }
        frame
    }
}

/// The kind of a channel.
fn kind_of(channel: &str) -> FrameKind {
    match channel {
        "depth" => FrameKind::Depth,
        "bookTicker" => FrameKind::Touch,
        "trade" | "aggTrade" => FrameKind::Trade,
        _ => FrameKind::Other,
    }
}

impl BinanceExchange {
    /// Reads up to the first snapshot, so that a book is known before anyone asks. Frames before it only feed
    /// the books; play starts behind it. A market without one is played from its beginning.
    pub(super) fn prime(&mut self, now: Nanos) {
        let is_snapshot =
            |frame: &MarketFrame| !frame.bytes.starts_with(b"{\"stream\"") && frames::is_snapshot(&frame.bytes);
        let mut found = None;
        while found.is_none() && !self.feed.over && self.feed.ahead.len() < PRIME_FRAMES_MAX {
            self.feed.read_ahead();
            let last = self.feed.ahead.len().wrapping_sub(1);
            if self.feed.ahead.back().is_some_and(is_snapshot) {
                found = Some(last);
            }
        }
        if let Some(mut last) = found {
            // Snapshots of several symbols stand in a row.
            loop {
                self.feed.read_ahead();
                if self.feed.ahead.len() == last + 2 && self.feed.ahead.back().is_some_and(is_snapshot) {
                    last += 1;
                } else {
                    break;
                }
            }
            for _ in 0..=last {
                if let Some(frame) = self.feed.ahead.pop_front() {
                    self.play(&frame, now, false);
                }
            }
        }
        self.flush_events(now);
    }

    /// Plays what is due.
    pub(super) fn play_due(&mut self, now: Nanos) {
        if self.feed.is_to_start(self.has_market_client()) {
            self.feed.start(now);
        }
        for _ in 0..FRAMES_PER_TURN {
            let Some(frame) = self.feed.next_due(now) else { break };
            self.play(&frame, now, true);
            self.flush_events(now);
        }
    }

    /// Plays one frame of a market that goes on elsewhere.
    pub(super) fn play_live(&mut self, frame: &MarketFrame, now: Nanos) {
        self.play(frame, now, true);
        self.flush_events(now);
    }

    fn play(&mut self, frame: &MarketFrame, now: Nanos, relayed: bool) {
        let Some(parts) = frames::split(&frame.bytes) else {
            self.feed.bad_frames += 1;
            return;
        };
        let data = &frame.bytes[parts.data.clone()];
        if parts.stream.is_empty() && frames::is_snapshot(data) {
            self.seed(data, now);
            return;
        }
        let named = match parts.stream.split_once('@') {
            Some((symbol, rest)) => Some((symbol.to_owned(), rest.split('@').next().unwrap_or("").to_owned())),
            None => frames::bare_stream(data).map(|(symbol, channel)| (symbol, channel.to_owned())),
        };
        let Some((symbol, channel)) = named else {
            self.feed.bad_frames += 1;
            return;
        };
        let listing = self.world.listings().iter().position(|listing| listing.symbol.eq_ignore_ascii_case(&symbol));
        let mut message = PlayedMessage::Other;
        let mut applied = Applied::default();
        if let Some(index) = listing {
            let listed = (index, &self.world.listings()[index]);
            match self.feed.reader.read(&channel, &frame.bytes, &parts, listed) {
                Ok(read) => message = read,
                Err(_) => self.feed.bad_frames += 1,
            }
            applied = self.apply(index, &channel, &message, now);
        }
        if !relayed {
            return;
        }
        self.status.frames_played += 1;
        if self.world.shows_own() {
            let (symbol, channel, parts, bytes, message) = (&*symbol, &*channel, &parts, &*frame.bytes, &message);
            return self.serve(&Passing { symbol, channel, listing, message, parts, bytes, applied }, now);
        }
        self.relay_with_faults(&symbol, &channel, parts, &frame.bytes, now);
        match (&message, listing) {
            (PlayedMessage::Trade(trade), _) if channel == "trade" && !self.feed.sees_aggregated && trade.ordinary => {
                self.publish_aggregated(&symbol, trade);
            }
            (PlayedMessage::Depth(_), Some(index)) => self.publish_partial(&symbol, index, now),
            _ => {}
        }
    }

    pub(super) fn relay_with_faults(&mut self, symbol: &str, channel: &str, parts: Parts, bytes: &[u8], now: Nanos) {
        let kind = kind_of(channel);
        let fault = self.world.faults.frame(kind, symbol, now);
        self.relay(symbol, channel, &parts, bytes, fault);
        let follows = |held: &Held| held.kind == kind && held.symbol == symbol;
        if self.feed.held.as_ref().is_some_and(follows)
            && let Some(held) = self.feed.held.take()
        {
            self.relay(&held.symbol, &held.channel, &held.parts, &held.bytes, FrameFault::None);
        }
        if fault == FrameFault::Swap {
            self.feed.held = Some(Held {
                kind,
                symbol: symbol.to_owned(),
                channel: channel.to_owned(),
                parts,
                bytes: bytes.to_vec(),
            });
        }
    }

    /// What a message does to the exchange's own book.
    fn apply(&mut self, index: ListingIndex, channel: &str, message: &PlayedMessage, now: Nanos) -> Applied {
        match message {
            PlayedMessage::Depth(depth) => {
                let chain = &mut self.feed.chains[index];
                if chain.seeded {
                    return Applied { taken: self.apply_depth(index, depth, now), ..Applied::default() };
                }
                if chain.pending.len() < PENDING_MAX {
                    chain.pending.push_back(depth.clone());
                }
            }
            PlayedMessage::Touch(touch) => self.world.touch(index, touch.sequence, touch.bid, touch.ask, now),
            PlayedMessage::Trade(trade) => {
                self.feed.sees_trades |= channel == "trade";
                self.feed.sees_aggregated |= channel == "aggTrade";
                if trade.ordinary && (channel == "trade" || !self.feed.sees_trades) {
                    return Applied { drives: true, ..self.apply_trade(index, trade, now) };
                }
            }
            PlayedMessage::Snapshot(_) | PlayedMessage::Other => {}
        }
        Applied::default()
    }

    /// A trade of the market, which may fill orders of ours; what is left of it has its number behind theirs.
    fn apply_trade(&mut self, index: ListingIndex, trade: &PlayedTrade, now: Nanos) -> Applied {
        let shows_own = self.world.shows_own();
        let level = Level { tick: trade.tick, lots: trade.lots };
        if !shows_own {
            self.world.note_trade(index, trade.id, trade.aggressor, level, now);
        }
        let ours = self.world.trade(index, trade.aggressor, trade.tick, trade.lots, now);
        let left = Lots(trade.lots.0 - ours.0);
        if !shows_own {
            return Applied::default();
        }
        if !ours.is_zero() && left.is_zero() {
            self.world.trade_ids(index).leave_out();
            return Applied { ours, ..Applied::default() };
        }
        let id = self.world.trade_ids(index).market(trade.id);
        self.world.note_trade(index, id, trade.aggressor, Level { lots: left, ..level }, now);
        Applied { ours, trade_id: Some(id), ..Applied::default() }
    }

    fn apply_depth(&mut self, index: ListingIndex, depth: &PlayedDepth, now: Nanos) -> bool {
        let is_newer = depth.last > self.world.depth_sequence(index);
        if is_newer {
            self.world.depth(index, depth.last, &depth.bids, &depth.asks, now);
        }
        is_newer
    }

    /// A recorded REST snapshot seeds the book whose chain it lies in.
    fn seed(&mut self, data: &[u8], now: Nanos) {
        let Some(sequence) = frames::snapshot_sequence(data) else {
            self.feed.bad_frames += 1;
            return;
        };
        let distance = |chain: &Chain| chain.pending.back().map_or(u64::MAX, |depth| depth.last.abs_diff(sequence));
        let waiting = self.feed.chains.iter().enumerate().filter(|(_, chain)| !chain.seeded);
        let Some((index, _)) = waiting.min_by_key(|(_, chain)| distance(chain)) else {
            return;
        };
        match self.feed.reader.read_snapshot(data, index) {
            Err(_) => self.feed.bad_frames += 1,
            Ok(snapshot) => {
                self.world.seed(index, snapshot.last, &snapshot.bids, &snapshot.asks, now);
                self.feed.chains[index].seeded = true;
                for depth in std::mem::take(&mut self.feed.chains[index].pending) {
                    self.apply_depth(index, &depth, now);
                }
                let sequence = self.world.depth_sequence(index);
                self.world.served(index).snapshot(sequence);
            }
        }
    }
}
