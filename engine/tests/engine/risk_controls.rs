//! COLD: every pre-trade control at its boundary: the last value it lets through and the first it denies.

use crate::rig::{instrument, ms, order, risk, slot};
use spinbook_engine::counters::Counter;
use spinbook_engine::event::{ExecutionEvent, ExecutionKind};
use spinbook_engine::intent::TimeInForce;
use spinbook_engine::market::Best;
use spinbook_engine::risk::{Denied, Draft, RiskView, TradingState};
use spinbook_engine::setup::{InstrumentSettings, RiskSettings};
use spinbook_engine::types::{Lots, Nanos, QuoteAtoms, Side, Tick};
use spinbook_engine::working::{Working, WorkingOrder};

/// One order about to be checked, and everything it is held against.
struct Case {
    limits: RiskSettings,
    facts: InstrumentSettings,
    working: Working,
    draft: Draft,
    exposure: i64,
    state: TradingState,
    open_for_orders: bool,
    book_live: bool,
    best: Option<Best>,
    book_age: Nanos,
    place_room: u32,
    too_many_unknown: bool,
    duplicate_after: Nanos,
}

/// A best bid and ask that book and touch agree about.
fn best(bid: i64, ask: i64) -> Option<Best> {
    Some(Best { bid: Tick(bid), ask: Tick(ask), bid_book: Tick(bid), ask_book: Tick(ask) })
}

impl Case {
    /// A bid of 100 at 99,950 under a mid of 100,000: passes.
    fn new() -> Case {
        Case {
            limits: risk(),
            facts: instrument(),
            working: Working::default(),
            draft: Draft { side: Side::Bid, tick: Tick(99_950), lots: Lots(100), time_in_force: TimeInForce::PostOnly },
            exposure: 0,
            state: TradingState::Active,
            open_for_orders: true,
            book_live: true,
            best: best(99_990, 100_010),
            book_age: ms(1),
            place_room: 1,
            too_many_unknown: false,
            duplicate_after: Nanos(1_000),
        }
    }

    fn ask(mut self) -> Case {
        self.draft.side = Side::Ask;
        self.draft.tick = Tick(100_050);
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Case)) -> Case {
        change(&mut self);
        self
    }

    fn open(mut self, side: Side, number: u8, tick: i64, lots: i64) -> Case {
        self.working.on_placed(WorkingOrder {
            order: order(u32::from(number) + 1),
            slot: slot(number),
            side,
            tick: Tick(tick),
            lots: Lots(lots),
            ..WorkingOrder::EMPTY
        });
        self
    }

    fn check(&self) -> Result<(), Denied> {
        let view = RiskView {
            instrument: &self.facts,
            working: &self.working,
            exposure: Lots(self.exposure),
            state: self.state,
            open_for_orders: self.open_for_orders,
            book_live: self.book_live,
            best: self.best,
            book_age: self.book_age,
            place_room: self.place_room,
            too_many_unknown: self.too_many_unknown,
            duplicate_after: self.duplicate_after,
        };
        self.limits.check(&self.draft, &view)
    }

    fn passes(self) {
        assert_eq!(self.check(), Ok(()));
    }

    fn denied(self, denied: Denied) {
        assert_eq!(self.check(), Err(denied));
    }
}

#[test]
fn an_ordinary_order_passes_on_both_sides() {
    Case::new().passes();
    Case::new().ask().passes();
}

#[test]
fn r1_quantity_and_notional() {
    Case::new().with(|case| case.limits.order_lots_max = Lots(100)).passes();
    Case::new().with(|case| case.limits.order_lots_max = Lots(90)).denied(Denied::QuantityMax);
    let notional = 99_950 * 100 * 1_000;
    Case::new().with(|case| case.limits.order_notional_max = QuoteAtoms(notional)).passes();
    Case::new().with(|case| case.limits.order_notional_max = QuoteAtoms(notional - 1)).denied(Denied::NotionalMax);
    // A notional that no integer holds is above every limit.
    Case::new().with(|case| case.facts.atoms_per_tick_lot = i128::MAX / 2).denied(Denied::NotionalMax);
}

#[test]
fn the_venues_own_rules() {
    Case::new().with(|case| case.facts.tick_order_step = Tick(50)).passes();
    Case::new().with(|case| case.facts.tick_order_step = Tick(60)).denied(Denied::Price);
    Case::new().with(|case| case.draft.tick = Tick(0)).denied(Denied::Price);
    Case::new().with(|case| case.draft.tick = Tick(-99_950)).denied(Denied::Price);
    Case::new().with(|case| case.draft.lots = Lots(105)).denied(Denied::Quantity);
    Case::new().with(|case| case.draft.lots = Lots(0)).denied(Denied::Quantity);
    Case::new().with(|case| case.draft.lots = Lots(-100)).denied(Denied::Quantity);
    // Nothing is no order, also where the venue has no smallest one.
    let nothing = |case: &mut Case| (case.draft.lots, case.facts.lots_order_min) = (Lots(0), Lots(0));
    Case::new().with(nothing).denied(Denied::Quantity);
    Case::new().with(|case| case.facts.lots_order_min = Lots(100)).passes();
    Case::new().with(|case| case.facts.lots_order_min = Lots(110)).denied(Denied::Quantity);
    Case::new().with(|case| case.facts.lots_order_max = Lots(100)).passes();
    Case::new().with(|case| case.facts.lots_order_max = Lots(90)).denied(Denied::Quantity);
    let notional = 99_950 * 100 * 1_000;
    Case::new().with(|case| case.facts.notional_min = QuoteAtoms(notional)).passes();
    Case::new().with(|case| case.facts.notional_min = QuoteAtoms(notional + 1)).denied(Denied::NotionalMin);
}

#[test]
fn r2_price_collar_fails_closed_without_a_reference() {
    // 50 ticks from a mid of 100,000 are 500 millionths.
    Case::new().with(|case| case.limits.price_collar_millionths = 500).passes();
    Case::new().with(|case| case.limits.price_collar_millionths = 499).denied(Denied::Collar);
    Case::new().ask().with(|case| case.limits.price_collar_millionths = 500).passes();
    Case::new().ask().with(|case| case.limits.price_collar_millionths = 499).denied(Denied::Collar);
    Case::new().with(|case| case.best = None).denied(Denied::ReferenceMissing);
    Case::new().with(|case| case.book_live = false).denied(Denied::BookNotLive);
    Case::new().with(|case| case.best = best(100_000, 100_000)).denied(Denied::BookNotLive);
    Case::new().with(|case| case.best = best(100_001, 100_000)).denied(Denied::BookNotLive);
    // Either of the two sources that is locked or crossed is enough, and so is a book without a price above nothing.
    for (touch, book) in [
        ((100_000, 100_000), (99_990, 100_010)),
        ((100_001, 100_000), (99_990, 100_010)),
        ((99_990, 100_010), (100_000, 100_000)),
        ((99_990, 100_010), (100_001, 100_000)),
        ((99_990, 100_010), (0, 100_010)),
        ((99_990, 100_010), (-1, 100_010)),
    ] {
        let (bid, ask, bid_book, ask_book) = (Tick(touch.0), Tick(touch.1), Tick(book.0), Tick(book.1));
        let both = Some(Best { bid, ask, bid_book, ask_book });
        Case::new().with(|case| case.best = both).denied(Denied::BookNotLive);
    }
    let penny = |case: &mut Case| {
        (case.best, case.draft.tick, case.facts.notional_min) = (best(1, 3), Tick(2), QuoteAtoms(1));
    };
    Case::new().with(penny).passes();
    // The book is what prices are held against, whatever the venue's own message says.
    let touch =
        |bid, ask| Some(Best { bid: Tick(bid), ask: Tick(ask), bid_book: Tick(99_990), ask_book: Tick(100_010) });
    Case::new().with(|case| (case.limits.price_collar_millionths, case.best) = (500, touch(90_000, 110_000))).passes();
    let near = |case: &mut Case| (case.limits.price_collar_millionths, case.best) = (499, touch(99_940, 99_960));
    Case::new().with(near).denied(Denied::Collar);
    Case::new().with(|case| case.book_age = ms(2_000)).passes();
    Case::new().with(|case| case.book_age = ms(2_000) + Nanos(1)).denied(Denied::BookOld);
}

#[test]
fn post_only_never_at_or_through_the_opposite_best() {
    Case::new().with(|case| case.draft.tick = Tick(100_009)).passes();
    Case::new().with(|case| case.draft.tick = Tick(100_010)).denied(Denied::PostOnlyCross);
    // Of book and touch the nearer side counts.
    let lower =
        |case: &mut Case| case.best = case.best.map(|best| Best { bid: Tick(99_900), ask: Tick(99_950), ..best });
    Case::new().with(lower).denied(Denied::PostOnlyCross);
    Case::new().with(lower).with(|case| case.draft.tick = Tick(99_949)).passes();
    Case::new().ask().with(|case| case.draft.tick = Tick(99_991)).passes();
    Case::new().ask().with(|case| case.draft.tick = Tick(99_990)).denied(Denied::PostOnlyCross);
    let taker = |case: &mut Case| {
        case.draft.tick = Tick(100_010);
        case.draft.time_in_force = TimeInForce::ImmediateOrCancel;
    };
    Case::new().with(taker).passes();
}

#[test]
fn r3_position_with_everything_that_may_still_fill() {
    let full = |case: &mut Case| case.limits.position_lots_max = Lots(1_000);
    Case::new().with(full).with(|case| case.exposure = 900).passes();
    Case::new().with(full).with(|case| case.exposure = 901).denied(Denied::PositionMax);
    Case::new().ask().with(full).with(|case| case.exposure = -900).passes();
    Case::new().ask().with(full).with(|case| case.exposure = -901).denied(Denied::PositionMax);
    // The other way round it reduces.
    Case::new().with(full).with(|case| case.exposure = -5_000).passes();
    // Open orders of the same side count, those of the other do not.
    Case::new().with(full).open(Side::Bid, 0, 99_000, 900).passes();
    Case::new().with(full).open(Side::Bid, 0, 99_000, 910).denied(Denied::PositionMax);
    Case::new().with(full).open(Side::Ask, 8, 101_000, 910).passes();
    // Unknown and owed quantity counts like open quantity.
    let unknown = Case::new().with(full).open(Side::Bid, 0, 99_000, 910).with(|case| {
        assert!(case.working.on_request_timeout(slot(0)));
    });
    unknown.denied(Denied::PositionMax);
    let owed = Case::new().with(full).open(Side::Bid, 0, 99_000, 1_000).with(|case| {
        let canceled = ExecutionKind::Canceled;
        case.working.on_event(&ExecutionEvent {
            order: order(1),
            lots_cumulative: Lots(910),
            kind: canceled,
            ..ExecutionEvent::default()
        });
    });
    owed.denied(Denied::PositionMax);
}

#[test]
fn r3_what_an_order_may_be_filled_for_beyond_what_stands_counts_on_its_own_side() {
    let worst = |side, more: i64, exposure: i64, open: (Side, u8, i64)| {
        let case = Case::new().open(open.0, open.1, 100_000, open.2);
        let limits = RiskSettings { position_lots_max: Lots(1_000), ..case.limits };
        limits.check_worst(side, Lots(more), Lots(exposure), &case.working)
    };
    for (side, slot) in [(Side::Bid, 0), (Side::Ask, 8)] {
        let sign = side.sign();
        assert_eq!(worst(side, 100, 500 * sign, (side, slot, 400)), Ok(()), "{side:?}");
        assert_eq!(worst(side, 101, 500 * sign, (side, slot, 400)), Err(Denied::PositionMax), "{side:?}");
        assert_eq!(worst(side, 100, 501 * sign, (side, slot, 400)), Err(Denied::PositionMax), "{side:?}");
        assert_eq!(worst(side, 100, 500 * sign, (side, slot, 401)), Err(Denied::PositionMax), "{side:?}");
        // The other way round it reduces, and what is open there is none of it.
        assert_eq!(worst(side, 1_100, -500 * sign, (side, slot, 400)), Ok(()), "{side:?}");
        assert_eq!(worst(side, 1_101, -500 * sign, (side, slot, 400)), Err(Denied::PositionMax), "{side:?}");
        assert_eq!(worst(side.opposite(), 1_000, 0, (side, slot, 400)), Ok(()), "{side:?}");
    }
}

#[test]
fn r4_open_orders() {
    let two = || Case::new().open(Side::Bid, 0, 99_000, 10).open(Side::Ask, 8, 101_000, 10);
    two().with(|case| case.limits.open_orders_max = 3).passes();
    two().with(|case| case.limits.open_orders_max = 2).denied(Denied::OpenOrdersMax);
}

#[test]
fn r5_message_throttle() {
    Case::new().with(|case| case.place_room = 1).passes();
    Case::new().with(|case| case.place_room = 0).denied(Denied::Throttle);
}

#[test]
fn r6_an_equal_order_does_not_leave_twice_within_a_moment() {
    let open = |placed: i64, side, tick, lots| {
        Case::new().with(|case| {
            case.working.on_placed(WorkingOrder {
                order: order(1),
                slot: slot(if side == Side::Bid { 0 } else { 8 }),
                side,
                tick: Tick(tick),
                lots: Lots(lots),
                requested: Nanos(placed),
                ..WorkingOrder::EMPTY
            });
        })
    };
    open(1_001, Side::Bid, 99_950, 100).denied(Denied::Duplicate);
    open(1_000, Side::Bid, 99_950, 100).passes();
    open(1_001, Side::Bid, 99_949, 100).passes();
    open(1_001, Side::Bid, 99_950, 110).passes();
    open(1_001, Side::Ask, 100_950, 100).passes();
    // One that was cancelled since was still placed a moment ago, and may be alive.
    open(1_001, Side::Bid, 99_950, 100)
        .with(|case| case.working.on_cancel_sent(slot(0), Nanos(9_000)))
        .denied(Denied::Duplicate);
}

#[test]
fn r10_nothing_leaves_while_too_many_orders_are_undecided() {
    Case::new().with(|case| case.too_many_unknown = true).denied(Denied::UnknownOrders);
}

#[test]
fn r7_own_orders_never_meet() {
    Case::new().open(Side::Ask, 8, 99_951, 10).passes();
    Case::new().open(Side::Ask, 8, 99_950, 10).denied(Denied::SelfCross);
    Case::new().ask().open(Side::Bid, 0, 100_049, 10).passes();
    Case::new().ask().open(Side::Bid, 0, 100_050, 10).denied(Denied::SelfCross);
    // One being cancelled, or unknown, may still be there.
    let cancelling = Case::new().open(Side::Ask, 8, 99_950, 10);
    cancelling.with(|case| case.working.on_cancel_sent(slot(8), Nanos(1))).denied(Denied::SelfCross);
    let unknown = Case::new().open(Side::Ask, 8, 99_950, 10);
    unknown.with(|case| assert!(case.working.on_request_timeout(slot(8)))).denied(Denied::SelfCross);
}

#[test]
fn trading_states() {
    Case::new().with(|case| case.state = TradingState::CancelOnly).denied(Denied::TradingState);
    Case::new().with(|case| case.state = TradingState::Halted).denied(Denied::TradingState);
    Case::new().with(|case| case.open_for_orders = false).denied(Denied::TradingState);
    let reduce = |exposure| {
        Case::new().with(|case| {
            case.state = TradingState::ReduceOnly;
            case.exposure = exposure;
        })
    };
    reduce(-100).passes();
    reduce(-99).denied(Denied::ReduceOnly);
    reduce(0).denied(Denied::ReduceOnly);
    reduce(500).denied(Denied::ReduceOnly);
    reduce(500).ask().passes();
    reduce(-110).open(Side::Bid, 0, 99_000, 10).passes();
    reduce(-100).open(Side::Bid, 0, 99_000, 10).denied(Denied::ReduceOnly);
}

#[test]
fn every_reason_has_a_counter_of_its_own() {
    let all = [
        Denied::TradingState,
        Denied::ReduceOnly,
        Denied::BookNotLive,
        Denied::ReferenceMissing,
        Denied::BookOld,
        Denied::Price,
        Denied::Quantity,
        Denied::QuantityMax,
        Denied::NotionalMin,
        Denied::NotionalMax,
        Denied::Collar,
        Denied::PostOnlyCross,
        Denied::PositionMax,
        Denied::OpenOrdersMax,
        Denied::Throttle,
        Denied::SelfCross,
        Denied::UnknownOrders,
        Denied::Duplicate,
        Denied::SecondReference,
        Denied::SecondCollar,
        Denied::ExposureGross,
        Denied::ExposureNet,
    ];
    let counters: Vec<Counter> = all.iter().map(|denied| denied.counter()).collect();
    for (index, counter) in counters.iter().enumerate() {
        assert!(!counters[index + 1..].contains(counter), "{}", counter.name());
    }
    assert!(counters.iter().all(|counter| counter.name().starts_with("denied_")));
}
