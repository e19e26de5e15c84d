//! HOT: when the loop rehearses, what it touches besides, and what others see of it.

use core::hint::black_box;
use std::sync::atomic::Ordering;

use spinbook_engine::engine::Engine;
use spinbook_engine::strategy::Strategy;
use spinbook_engine::types::Nanos;

use crate::net::host::clock::{CycleScale, cycles};
use crate::net::hot::hot_shared::{HotShared, add};
use crate::net::hot::kernel_ping::KernelPing;
use crate::net::hot::market_connections::MarketConnections;
use crate::net::hot::rehearsal::Rehearsal;

/// Time between two rehearsals while nothing disturbs the loop.
const INTERVAL: Nanos = Nanos(50_000);
/// A turn that took longer was interrupted, or served a frame: it is rehearsed at once.
const INTERRUPTION_MIN: Nanos = Nanos(5_000);
/// But not sooner than this after the last rehearsal.
const INTERVAL_MIN: Nanos = Nanos(15_000);
/// No rehearsal begins this shortly before something is due.
const SPAN_MAX: Nanos = Nanos(10_000);
/// Time between two halves of a ping.
const PING_INTERVAL: Nanos = Nanos(250_000);
/// Instruments whose memory one pass asks for: the next ones with the next pass.
const INSTRUMENTS_PER_PASS: usize = 4;

/// Keeps the way from a frame to an order warm while nothing comes.
#[derive(Debug)]
pub struct KeepWarm<S> {
    rehearsal: Rehearsal<S>,
    ping: Option<KernelPing>,
    scale: CycleScale,
    next: Nanos,
    last: Nanos,
    next_ping: Nanos,
    /// The session and the symbol with which the next pass begins.
    at: (usize, usize),
}

impl<S: Strategy> KeepWarm<S> {
    /// With a rehearsal, and a private connection where the kernel's way in is to be kept warm, too.
    #[must_use]
    pub fn new(rehearsal: Rehearsal<S>, ping: Option<KernelPing>, scale: CycleScale) -> KeepWarm<S> {
        let never = Nanos::ZERO;
        KeepWarm { rehearsal, ping, scale, next: never, last: never, next_ping: never, at: (0, 0) }
    }

    /// A turn found nothing to do: rehearses if it is time, and nothing is due soon.
    #[inline]
    pub fn idle(
        &mut self,
        (now, turn_span): (Nanos, Nanos),
        engine: &Engine<S>,
        markets: &[MarketConnections],
        shared: &HotShared,
    ) {
        let due = now >= self.next || (turn_span >= INTERRUPTION_MIN && now - self.last >= INTERVAL_MIN);
        if due && engine.next_deadline() > now + SPAN_MAX {
            self.rehearse(now, engine, markets, shared);
        }
    }

    #[inline(never)]
    fn rehearse(&mut self, now: Nanos, engine: &Engine<S>, markets: &[MarketConnections], shared: &HotShared) {
        (self.last, self.next) = (now, now + INTERVAL);
        let before = cycles();
        let whole = self.rehearsal.rehearse(now);
        black_box(self.touch(engine, markets));
        let nanos = self.scale.nanos(before, cycles());
        add(&shared.rehearsals, 1);
        add(&shared.rehearsals_void, u64::from(!whole));
        if nanos > shared.rehearsal_ns_max.load(Ordering::Relaxed) {
            shared.rehearsal_ns_max.store(nanos, Ordering::Relaxed);
        }
        if now >= self.next_ping
            && let Some(ping) = &mut self.ping
        {
            self.next_ping = now + PING_INTERVAL;
            if !ping.turn() {
                self.ping = None;
            }
        }
    }

    /// Asks for the run's own memory, of a few instruments a pass; how many it was.
    fn touch(&mut self, engine: &Engine<S>, markets: &[MarketConnections]) -> usize {
        for count in 0..INSTRUMENTS_PER_PASS {
            let (session, symbol) = self.at;
            let Some(market) = markets.get(session) else {
                self.at = (0, 0);
                return count;
            };
            self.at =
                if symbol + 1 < market.session().symbol_count() { (session, symbol + 1) } else { (session + 1, 0) };
            if let Some(instrument) = market.session().instrument(symbol) {
                market.warm(symbol);
                engine.warm(instrument);
            }
        }
        INSTRUMENTS_PER_PASS
    }
}
