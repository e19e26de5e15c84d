//! HOT: rehearsals: while nothing comes, an understudy trades a made-up market, so that the next real frame finds its
//! way to an order warm.
//!
//! The frames, the session and the venue that answers are the rehearsal's own, and so is the engine
//! ([`Understudy`]): nothing of it can reach a connection. What it shares with the run is the machine code, which is
//! the point; so both go through the same functions, which are not inlined.

use spinbook_engine::strategy::Strategy;
use spinbook_engine::types::{Nanos, Stamp};
use spinbook_engine::understudy::{Rehearsed, Understudy};

use crate::padding::FrameBytes;
use crate::session::{EngineSink, MarketSession};
use crate::venue::rehearsed::RehearsedFrame;

/// A made-up market of one instrument: a session that is told what a venue would send.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) session: MarketSession,
    /// The frame with which the market rises, and the one with which it falls.
    pub(super) frames: [RehearsedFrame; 2],
    /// The last update that was sent.
    pub(super) update: u64,
}

/// What a made-up market and an understudy of one instrument rehearse.
#[derive(Debug)]
pub struct Rehearsal<S> {
    understudy: Understudy<S>,
    scene: Scene,
    /// What each rehearsal must lead to, by whether the market rose or fell; else it kept another path warm.
    wanted: [Rehearsed; 2],
    falls: bool,
}

impl<S: Strategy> Rehearsal<S> {
    /// Goes on from an open market that fell last (set-up). `None`: these settings quote nothing in such a market, so
    /// nothing would be kept warm.
    pub(super) fn new(understudy: Understudy<S>, scene: Scene, now: Nanos) -> Option<Rehearsal<S>> {
        let mut rehearsal = Rehearsal { understudy, scene, wanted: [Rehearsed::default(); 2], falls: false };
        for _ in 0..4 {
            let direction = usize::from(rehearsal.falls);
            rehearsal.wanted[direction] = rehearsal.play(now);
        }
        rehearsal.wanted.iter().all(Rehearsed::is_whole).then_some(rehearsal)
    }

    /// One rehearsal: a frame that moves the market, the orders that follow, and a venue's answers. False: it led to
    /// other orders than those at the start.
    #[inline(never)]
    pub fn rehearse(&mut self, now: Nanos) -> bool {
        let direction = usize::from(self.falls);
        self.play(now) == self.wanted[direction]
    }

    #[inline]
    fn play(&mut self, now: Nanos) -> Rehearsed {
        let Scene { session, frames, update } = &mut self.scene;
        let frame = &mut frames[usize::from(self.falls)];
        *update = frame.follow(*update);
        self.falls = !self.falls;
        let (padded, length) = frame.bytes();
        let mut sink = EngineSink { engine: self.understudy.engine(), quiet: false };
        session.on_frame(0, FrameBytes::text(padded, length), Stamp { wall: now, tsc: 1 }, &mut sink);
        self.understudy.answer(now)
    }

    /// What a rehearsal leads to when the market rises, and when it falls.
    #[must_use]
    pub fn wanted(&self) -> [Rehearsed; 2] {
        self.wanted
    }
}
