//! COLD: an engine against a venue that loses, delays, repeats and reorders its answers: the invariants hold at
//! every step, and at the end both sides agree to the last lot and atom.

use crate::common::{Random, seed_from};
use crate::rig::{FIRST, Plan, Rig, about, level, ms};
use spinbook_engine::counters::Counter;
use spinbook_engine::event::{ExecutionEvent, ExecutionKind, LocalReject, LostReason, MarketKind};
use spinbook_engine::intent::{Intent, IntentKind, Reason};
use spinbook_engine::limits::SLOTS;
use spinbook_engine::risk::TradingState;
use spinbook_engine::setup::WindowSettings;
use spinbook_engine::strategy::Spread;
use spinbook_engine::types::{Lots, Nanos, QuoteAtoms, Side, TradeId};

const POSITION_MAX: i64 = 500;
const OPEN_MAX: usize = 7;
const ORDERS_PER_SECOND: usize = 40;

/// An order as the venue and the messenger know it.
#[derive(Clone, Copy)]
struct Truth {
    intent: Intent,
    alive: bool,
    filled: i64,
    /// What the engine has been told.
    told_filled: i64,
    told_end: bool,
    /// A fact about it was held back, so that the engine must take it for unknown.
    withheld: bool,
}

impl Truth {
    fn remaining(&self) -> i64 {
        if self.alive { self.intent.lots.0 - self.filled } else { 0 }
    }
}

/// The venue, the messenger in between, and what the test knows.
struct World {
    rig: Rig<Spread>,
    random: Random,
    orders: Vec<Truth>,
    /// Events on their way to the engine, delivered in any order.
    mail: Vec<ExecutionEvent>,
    /// Requests the venue has not looked at.
    requests: Vec<(Intent, bool)>,
    in_flight: [Option<(Nanos, IntentKind)>; SLOTS],
    sent: Vec<Nanos>,
    mid: i64,
    trade: u128,
    position: i64,
    cash: i128,
    ready: bool,
    pause_until: Nanos,
    live: bool,
    depth_at: Nanos,
    touched: u64,
}

impl World {
    fn new(seed: u64) -> World {
        let mut random = Random::new(seed);
        let levels = 1 + random.below(3) as usize;
        let skew = random.below(800) as i64;
        let plan = Plan::new()
            .spread(|spread| {
                spread.levels = levels;
                spread.spread_millionths = 400;
                spread.position_lots_max = Lots(2 * POSITION_MAX);
                spread.inventory_skew_millionths = skew;
                spread.imbalance_levels = 5;
            })
            .risk(|risk| {
                risk.position_lots_max = Lots(POSITION_MAX);
                risk.open_orders_max = OPEN_MAX as u32;
                risk.order_lots_max = Lots(100);
                risk.price_collar_millionths = 2_000;
            })
            .quoter(|quoter| {
                quoter.request_timeout = ms(400);
                quoter.rejects_max = 40;
            })
            .with(|plan| {
                plan.budgets[0].order_windows[0] =
                    WindowSettings { count_max: ORDERS_PER_SECOND as u32, span: Nanos::from_seconds(1) };
            });
        World {
            rig: plan.build(),
            random,
            orders: Vec::new(),
            mail: Vec::new(),
            requests: Vec::new(),
            in_flight: [None; SLOTS],
            sent: Vec::new(),
            mid: 100_000,
            trade: 0,
            position: 0,
            cash: 0,
            ready: false,
            pause_until: Nanos::ZERO,
            live: false,
            depth_at: Nanos::ZERO,
            touched: 0,
        }
    }

    fn step(&mut self) {
        let wait = self.random.below(8_000_000) as i64;
        self.rig.now = self.rig.now + Nanos(wait);
        match self.random.below(100) {
            0..30 => self.market(),
            30..50 => self.venue_works(),
            50..80 => self.deliver(),
            80..92 => self.timer(),
            92..94 => self.market_loss(),
            94..96 => self.session(),
            96 => self.timer_after(ms(2_100)),
            _ => self.trade_against_us(),
        }
        self.judge();
    }

    fn market(&mut self) {
        self.mid += self.random.signed(30);
        let half = 1 + self.random.below(5) as i64;
        let (mut bids, mut asks) = (Vec::new(), Vec::new());
        for step in 0..6 {
            bids.push(level(self.mid - half - step, 1 + self.random.below(500) as i64));
            asks.push(level(self.mid + half + step, 1 + self.random.below(500) as i64));
        }
        let quiet = self.random.below(4) == 0;
        let event = self.rig.event(FIRST, MarketKind::Snapshot);
        self.live = true;
        self.depth_at = self.rig.now;
        let now = self.rig.now;
        let engine = &mut self.rig.engine;
        let _ = if quiet {
            engine.on_market_quiet(&event, &bids, &asks, now)
        } else {
            engine.on_market(&event, &bids, &asks, now)
        };
    }

    fn market_loss(&mut self) {
        self.live = false;
        self.rig.lose(LostReason::Gap);
    }

    fn timer(&mut self) {
        self.rig.engine.on_timer(self.rig.now);
    }

    fn timer_after(&mut self, span: Nanos) {
        self.rig.now = self.rig.now + span;
        self.timer();
    }

    fn session(&mut self) {
        match self.random.below(4) {
            0 => {
                self.ready = false;
                self.rig.gateway(ExecutionKind::GatewayDown);
            }
            1 => {
                self.pause_until = self.pause_until.max(self.rig.now + ms(50));
                let kind = ExecutionKind::Pause;
                self.rig.tell(&ExecutionEvent { kind, time: self.rig.now + ms(50), ..ExecutionEvent::default() });
            }
            _ => {
                self.ready = true;
                self.rig.gateway(ExecutionKind::GatewayReady);
            }
        }
    }

    /// The venue takes up one request, not always the oldest.
    fn venue_works(&mut self) {
        if self.requests.is_empty() {
            return;
        }
        let index = self.random.below(self.requests.len().min(3) as u64) as usize;
        let (intent, is_cancel) = self.requests.remove(index);
        if is_cancel { self.venue_cancels(&intent) } else { self.venue_places(&intent) }
    }

    fn venue_places(&mut self, intent: &Intent) {
        let truth = self.orders.iter_mut().find(|truth| truth.intent.order == intent.order).expect("it was sent");
        match self.random.below(20) {
            0 => {
                truth.alive = false;
                self.mail.push(about(intent, ExecutionKind::Rejected));
            }
            1 => {
                truth.alive = false;
                self.mail.push(ExecutionEvent { local: LocalReject::Late, ..about(intent, ExecutionKind::Rejected) });
            }
            2 => {
                truth.alive = false;
                self.mail.push(about(intent, ExecutionKind::Expired));
            }
            // The acknowledgement is lost; the order lives.
            3 => truth.withheld = true,
            4 => {
                self.mail.push(about(intent, ExecutionKind::Unknown));
                self.mail.push(about(intent, ExecutionKind::Accepted));
            }
            _ => self.mail.push(about(intent, ExecutionKind::Accepted)),
        }
    }

    fn venue_cancels(&mut self, intent: &Intent) {
        let truth = self.orders.iter_mut().find(|truth| truth.intent.order == intent.order).expect("it was sent");
        if !truth.alive || self.random.below(12) == 0 {
            self.mail.push(about(intent, ExecutionKind::CancelRejected));
            return;
        }
        truth.alive = false;
        let cumulative = Lots(truth.filled);
        self.mail.push(ExecutionEvent { lots_cumulative: cumulative, ..about(intent, ExecutionKind::Canceled) });
    }

    /// Somebody takes one of our orders, in part or whole; the news may come twice.
    fn trade_against_us(&mut self) {
        let waiting: Vec<_> =
            self.requests.iter().filter(|(_, cancel)| !cancel).map(|(intent, _)| intent.order).collect();
        let alive = |truth: &Truth| truth.remaining() > 0 && !waiting.contains(&truth.intent.order);
        let candidates: Vec<usize> = (0..self.orders.len()).filter(|&index| alive(&self.orders[index])).collect();
        if candidates.is_empty() {
            return;
        }
        let truth = &mut self.orders[candidates[self.random.below(candidates.len() as u64) as usize]];
        let lots = 1 + self.random.below(truth.remaining() as u64) as i64;
        truth.filled += lots;
        truth.alive = truth.filled < truth.intent.lots.0;
        self.trade += 1;
        let sign = truth.intent.side.sign();
        let fee = i128::from(self.random.signed(50));
        self.position += sign * lots;
        self.cash -= i128::from(sign * lots) * i128::from(truth.intent.tick.0) * 1_000 + fee;
        let event = ExecutionEvent {
            fee: QuoteAtoms(fee),
            trade: TradeId(self.trade),
            tick: truth.intent.tick,
            lots: Lots(lots),
            lots_cumulative: Lots(truth.filled),
            ..about(&truth.intent, ExecutionKind::Filled)
        };
        self.mail.push(event);
        if self.random.below(3) == 0 {
            self.mail.push(event);
        }
    }

    /// One piece of mail, not always the oldest.
    fn deliver(&mut self) {
        if self.mail.is_empty() {
            return;
        }
        let index = self.random.below(self.mail.len().min(4) as u64) as usize;
        let event = self.mail.remove(index);
        let truth = self.orders.iter_mut().find(|truth| truth.intent.order == event.order).expect("it was sent");
        let slot = usize::from(truth.intent.slot.0);
        match event.kind {
            ExecutionKind::Filled => {
                truth.told_filled = truth.told_filled.max(event.lots_cumulative.0);
                truth.told_end |= event.lots_cumulative == truth.intent.lots;
                self.in_flight[slot] = None;
            }
            ExecutionKind::Rejected | ExecutionKind::Expired | ExecutionKind::Canceled => {
                truth.told_end = true;
                self.in_flight[slot] = None;
            }
            _ => self.in_flight[slot] = None,
        }
        self.rig.engine.on_execution(&event, self.rig.now);
    }

    /// What left the engine in this step, and whether it was allowed to.
    fn judge(&mut self) {
        let now = self.rig.now;
        let account = self.rig.engine.order_account();
        assert!(account.adds_up(), "an order is in no state, or in two: {account:?}");
        for cancel in self.rig.cancelled() {
            let truth = self.orders.iter().find(|truth| truth.intent.order == cancel.order).expect("cancels our own");
            assert!(!truth.told_end, "cancels an order that is known to have ended");
            self.claim_slot(&cancel);
            self.requests.push((cancel, true));
        }
        for place in self.rig.places() {
            self.judge_place(&place);
            self.claim_slot(&place);
            self.requests.push((place, false));
            self.sent.push(now);
            self.orders.push(Truth {
                intent: place,
                alive: true,
                filled: 0,
                told_filled: 0,
                told_end: false,
                withheld: false,
            });
            self.touched += 1;
        }
        self.judge_exposure();
        assert_eq!(self.rig.count(Counter::Contradictions) + self.rig.count(Counter::EventsForeign), 0);
    }

    /// At most one request in flight a slot, and where everything must go a cancel behind a place; one without an answer
    /// for the timeout is given up.
    fn claim_slot(&mut self, intent: &Intent) {
        let flight = &mut self.in_flight[usize::from(intent.slot.0)];
        let pulled =
            matches!(intent.reason, Reason::BookNotLive | Reason::TradingState | Reason::Shutdown | Reason::Pause);
        let may_follow = |kind| intent.kind == IntentKind::Cancel && kind == IntentKind::Place && pulled;
        let is_free = flight.is_none_or(|(since, kind)| self.rig.now - since >= ms(400) || may_follow(kind));
        assert!(is_free, "two requests in flight in a slot: {intent:?}");
        *flight = Some((self.rig.now, intent.kind));
    }

    fn judge_place(&self, place: &Intent) {
        let now = self.rig.now;
        assert!(self.live && now - self.depth_at <= ms(2_000), "I1: the book is Live and fresh");
        assert!(self.ready && now >= self.pause_until, "the gateway takes no orders");
        assert_eq!(self.rig.engine.instrument_state(FIRST), TradingState::Active);
        assert_eq!((place.deadline, place.book_sequence), (now + ms(100), self.rig.sequence));
        assert!(place.lots <= Lots(100) && place.lots.0 > 0, "R-1");
        let off = (place.tick.0 - self.mid).abs();
        assert!(off * 1_000_000 <= self.mid * 2_000, "R-2: {off} ticks from the mid");
        let unended = self.orders.iter().filter(|truth| !truth.told_end);
        assert!(unended.clone().count() < OPEN_MAX, "R-4");
        for other in unended.filter(|truth| truth.intent.side != place.side) {
            let apart = (other.intent.tick.0 - place.tick.0) * place.side.sign();
            assert!(apart > 0, "R-7: meets our own order");
        }
        assert!(self.orders.iter().all(|truth| truth.intent.order != place.order), "I4: an order id is never reused");
        let last_second = self.sent.iter().filter(|sent| now - **sent < Nanos::from_seconds(1)).count();
        assert!(last_second < ORDERS_PER_SECOND, "I9: the venue's window");
    }

    /// I2, twice: by what the engine has been told, and by what is really so at the venue.
    fn judge_exposure(&self) {
        let held = self.rig.engine.position(FIRST).exposure().0;
        for side in Side::BOTH {
            let of_side = self.orders.iter().filter(|truth| truth.intent.side == side);
            let believed: i64 = of_side
                .clone()
                .filter(|truth| !truth.told_end)
                .map(|truth| truth.intent.lots.0 - truth.told_filled)
                .sum();
            let real: i64 = of_side.map(Truth::remaining).sum();
            assert!(held * side.sign() + believed <= POSITION_MAX, "I2: {held} and {believed} more on {side:?}");
            assert!(self.position * side.sign() + real <= POSITION_MAX, "I2 at the venue");
        }
    }

    /// The run ends: the venue becomes reliable, everything is cancelled, and both sides agree.
    fn finish(&mut self) {
        self.rig.engine.begin_shutdown(self.rig.now);
        let placed = self.touched;
        for _ in 0..4_000 {
            self.judge();
            if self.rig.engine.is_quiet() && self.mail.is_empty() && self.requests.is_empty() {
                break;
            }
            self.timer_after(ms(5));
            while !self.requests.is_empty() {
                let (intent, is_cancel) = self.requests.remove(0);
                if is_cancel {
                    self.venue_settles(&intent);
                } else {
                    self.mail.push(about(&intent, ExecutionKind::Accepted));
                }
            }
            while !self.mail.is_empty() {
                self.deliver();
                self.judge();
            }
        }
        assert_eq!(self.touched, placed, "nothing is placed after the end began");
        assert!(self.rig.engine.is_quiet(), "every order's end is proved");
        assert_eq!(self.rig.engine.open_orders(), 0);
        let position = self.rig.engine.position(FIRST);
        assert_eq!((position.lots().0, position.cash().0), (self.position, self.cash), "I6");
        assert!(self.orders.iter().all(|truth| !truth.alive));
        assert_eq!(u128::from(self.rig.count(Counter::Fills)), self.trade, "I3: every execution once");
    }

    /// As a gateway does after asking the venue: the end of the order, whatever it was.
    fn venue_settles(&mut self, intent: &Intent) {
        let truth = self.orders.iter_mut().find(|truth| truth.intent.order == intent.order).expect("it was sent");
        truth.alive = false;
        let cumulative = Lots(truth.filled);
        self.mail.push(ExecutionEvent { lots_cumulative: cumulative, ..about(intent, ExecutionKind::Canceled) });
    }
}

#[test]
fn the_invariants_hold_whatever_the_venue_does() {
    let seed = seed_from("ENGINE_SEED");
    let (mut placed, mut filled, mut unknown, mut denied) = (0, 0, 0, 0);
    for run in 0..60 {
        let seed = seed.wrapping_add(run);
        println!("ENGINE_SEED={seed}");
        let mut world = World::new(seed);
        for _ in 0..3_000 {
            world.step();
        }
        world.finish();
        placed += world.touched;
        filled += world.rig.count(Counter::Fills);
        unknown += world.rig.count(Counter::OrdersUnknown);
        denied += world.rig.count(Counter::DeniedPositionMax) + world.rig.count(Counter::DeniedSelfCross);
    }
    println!("{placed} orders, {filled} fills, {unknown} unknown, {denied} denied by position or self-cross");
    assert!(placed > 1_000 && filled > 500 && unknown > 50 && denied > 50, "the worlds are worth testing in");
}

#[test]
fn a_halted_engine_sends_cancels_and_nothing_else() {
    let seed = seed_from("HALT_SEED");
    println!("HALT_SEED={seed}");
    let mut world = World::new(seed);
    for _ in 0..500 {
        world.step();
    }
    world.rig.gateway(ExecutionKind::Halt);
    world.judge();
    let placed = world.touched;
    for _ in 0..2_000 {
        world.step();
    }
    assert_eq!(world.touched, placed, "no order after the turn that halted");
    world.finish();
}

#[test]
fn the_same_inputs_make_the_same_decisions() {
    let run = |seed| {
        let mut world = World::new(seed);
        for _ in 0..1_500 {
            world.step();
        }
        world.orders.iter().map(|truth| truth.intent).collect::<Vec<Intent>>()
    };
    let seed = seed_from("SAME_SEED");
    println!("SAME_SEED={seed}");
    assert_eq!(run(seed), run(seed));
}
