//! COLD: makes a rehearsal: a market around a price, opened as a venue would open it, and two frames that move it.

use spinbook_engine::strategy::Strategy;
use spinbook_engine::types::{InstrumentId, Level, Lots, Nanos, Stamp, Tick};
use spinbook_engine::understudy::Understudy;

use crate::net::hot::rehearsal::{Rehearsal, Scene};
use crate::padding::{FRAME_PADDING, FrameBytes};
use crate::session::{EngineSink, MarketSession, MarketSink, SessionAction, SessionSettings};
use crate::venue::ProductLine;
use crate::venue::card::SnapshotOrigin;
use crate::venue::instrument::Instrument;
use crate::venue::market::MarketSide;

/// The update that the snapshot contains: as many digits as a rehearsed message has room for.
const UPDATE_FIRST: u64 = 5_000_000_000_000;
/// Levels of each side that come and go.
const LEVELS_MOVED: i64 = 5;
/// Levels of the snapshot below the lowest best bid, and above the highest best ask.
const LEVELS_BEHIND: i64 = 200;
/// Steps that the market moves at least.
const STEPS_MIN: i64 = 6;

/// What a rehearsal is made of.
#[derive(Clone, Copy, Debug)]
pub struct RehearsedMarket<'a> {
    /// Where the instrument is traded.
    pub product: ProductLine,
    /// The instrument.
    pub instrument: &'a Instrument,
    /// The run's own settings of its session.
    pub session: &'a SessionSettings,
    /// The best bid when the market is low.
    pub bid: Tick,
    /// By how much of the price it goes up and down, in millionths: more than the quotes' tolerance.
    pub move_millionths: i64,
}

/// A rehearsal of `understudy` in this market (set-up).
///
/// `None`: the venue's room writes no messages for rehearsals, or what it wrote leads to no orders with these settings.
#[must_use]
pub fn rehearsal<S: Strategy>(
    mut understudy: Understudy<S>,
    market: &RehearsedMarket<'_>,
    now: Nanos,
) -> Option<Rehearsal<S>> {
    let (mut scene, snapshot) = Scene::of(market)?;
    scene.open(&snapshot, &mut EngineSink { engine: understudy.engine(), quiet: false }, now)?;
    understudy.answer(now);
    Rehearsal::new(understudy, scene, now)
}

impl Scene {
    /// The market, and the snapshot that opens it.
    fn of(market: &RehearsedMarket<'_>) -> Option<(Scene, Vec<u8>)> {
        let RehearsedMarket { product, bid, .. } = *market;
        let instrument = Instrument { id: InstrumentId(0), ..*market.instrument };
        let session = MarketSession::new(product, &[instrument], market.session.clone()).ok()?;
        let step = instrument.tick_order_step.max(1);
        let lots = Lots(instrument.lots_order_step.max(1).saturating_mul(1_000));
        let moved = i128::from(bid.0) * i128::from(market.move_millionths) / 1_000_000 / i128::from(step);
        let shift = i64::try_from(moved).ok()?.max(STEPS_MIN);
        let level = |steps: i64, lots: Lots| Level { tick: Tick(bid.0 + steps * step), lots };
        let some = |from: i64, lots: Lots| (from..from + LEVELS_MOVED).map(move |steps| level(steps, lots));
        // High: bids up to `shift`, asks from `shift + 1`; low: bids up to 0, asks from 1.
        let rise_bids: Vec<Level> = some(shift + 1 - LEVELS_MOVED, lots).collect();
        let rise_asks: Vec<Level> = some(1, Lots::ZERO).chain(some(shift + 1, lots)).collect();
        let fall_bids: Vec<Level> = some(shift + 1 - LEVELS_MOVED, Lots::ZERO).collect();
        let fall_asks: Vec<Level> = some(1, lots).collect();
        let bids: Vec<Level> = (-LEVELS_BEHIND..=0).rev().map(|steps| level(steps, lots)).collect();
        let asks: Vec<Level> =
            some(1, lots).chain((shift + 1..shift + LEVELS_BEHIND).map(|steps| level(steps, lots))).collect();
        if bids.iter().any(|level| level.tick.0 <= 0) {
            return None;
        }
        let side = session.flow().side();
        let frames = [
            side.rehearsed_update(&instrument, &rise_bids, &rise_asks)?,
            side.rehearsed_update(&instrument, &fall_bids, &fall_asks)?,
        ];
        let snapshot = side.rehearsed_snapshot(&instrument, UPDATE_FIRST + 1, &bids, &asks)?;
        Some((Scene { session, frames, update: UPDATE_FIRST }, snapshot))
    }

    /// Opens the market: a connection, its first frame, and the snapshot that the session asks for.
    fn open(&mut self, snapshot: &[u8], sink: &mut impl MarketSink, now: Nanos) -> Option<()> {
        let (session, received) = (&mut self.session, Stamp { wall: now, tsc: 1 });
        session.start(now);
        session.on_open(0, now);
        let [_, fall] = &mut self.frames;
        self.update = fall.follow(self.update);
        let (padded, length) = fall.bytes();
        session.on_frame(0, FrameBytes::text(padded, length), received, sink);
        let (mut buffer, length) = (snapshot.to_vec(), snapshot.len());
        buffer.resize(length + FRAME_PADDING, b' ');
        if session.flow().side().product().card().snapshots != SnapshotOrigin::Rest {
            session.on_frame(0, FrameBytes::text(&mut buffer, length), received, sink);
            return Some(());
        }
        while let Some(action) = session.poll_action() {
            if matches!(action, SessionAction::FetchSnapshot { .. }) {
                session.on_snapshot(InstrumentId(0), &mut buffer, length, received, sink);
                return Some(());
            }
        }
        None
    }
}
