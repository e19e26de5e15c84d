//! COLD: executions that are worse than their order allowed: which are, and what becomes of them.

use crate::rig::{FIRST, Plan, Rig, about, ms, quoting};
use spinbook_engine::counters::Counter;
use spinbook_engine::event::{ExecutionEvent, ExecutionKind, MarketReply};
use spinbook_engine::intent::{Intent, IntentKind};
use spinbook_engine::quoter::Requote;
use spinbook_engine::risk::{StopCause, TradingState};
use spinbook_engine::strategy::Spread;
use spinbook_engine::types::{Lots, Side, Tick, TradeId};

/// Ten lots of an order at a price, `cumulative` in all.
fn fill(rig: &mut Rig<Spread>, intent: &Intent, tick: i64, cumulative: i64) {
    rig.trade += 1;
    let event = ExecutionEvent {
        trade: TradeId(rig.trade),
        tick: Tick(tick),
        lots: Lots(10),
        lots_cumulative: Lots(cumulative),
        ..about(intent, ExecutionKind::Filled)
    };
    rig.tell(&event);
}

fn is_halted(rig: &Rig<Spread>) -> bool {
    let halted = rig.engine.instrument_state(FIRST) == TradingState::Halted;
    assert_eq!(rig.engine.stop_cause(FIRST), if halted { StopCause::Slippage } else { StopCause::None });
    halted
}

fn told(intent: &Intent, kind: ExecutionKind, tick: i64, lots: i64) -> ExecutionEvent {
    ExecutionEvent { tick: Tick(tick), lots: Lots(lots), ..about(intent, kind) }
}

/// The one request for the bid that follows where the market goes; the ask is answered as wanted.
fn amended_to(rig: &mut Rig<Spread>, mid: i64) -> Intent {
    assert_eq!(rig.best(mid - 1, mid + 1), MarketReply::Ok);
    let sent: Vec<Intent> = std::iter::from_fn(|| rig.orders.pop()).collect();
    let ask = sent.iter().find(|intent| intent.side == Side::Ask).expect("both sides follow");
    rig.tell(&told(ask, ExecutionKind::Amended, ask.tick.0, ask.lots.0));
    let bid = sent.into_iter().find(|intent| intent.side == Side::Bid).expect("both sides follow");
    assert_eq!(bid.kind, IntentKind::Amend);
    bid
}

fn amending() -> (Rig<Spread>, Intent) {
    let (rig, bid, _) = quoting(Plan::new().quoter(|quoter| quoter.requote = Requote::Amend));
    assert_eq!(bid.tick, Tick(99_950));
    (rig, bid)
}

#[test]
fn r9_an_execution_beyond_its_orders_price_by_more_than_the_bound_halts_everything() {
    // A thousand millionths of a price near 100,000 are 99.95 ticks and 100.05.
    for (slippage_max, off, halts) in [(0, 0, false), (0, 1, true), (1_000, 99, false), (1_000, 101, true)] {
        for side in Side::BOTH {
            let (mut rig, bid, ask) = quoting(Plan::new());
            rig.engine.set_slippage_max(slippage_max);
            let order = if side == Side::Bid { bid } else { ask };
            // A bid that paid more, an ask that got less; the other way is a gift.
            fill(&mut rig, &order, order.tick.0 + off * side.sign(), 10);
            let name = format!("{slippage_max} {off} {side:?}");
            assert_eq!(rig.engine.position(FIRST).lots(), Lots(10 * side.sign()), "{name}: it is booked");
            assert_eq!((rig.count(Counter::Slippages), is_halted(&rig)), (u64::from(off != 0), halts), "{name}");
            assert_eq!(rig.cancelled().len(), if halts { 2 } else { 0 }, "{name}: within the same turn");
            fill(&mut rig, &order, order.tick.0 - 500 * side.sign(), 20);
            assert_eq!((rig.count(Counter::Slippages), is_halted(&rig)), (u64::from(off != 0), halts), "{name}");
        }
    }
}

#[test]
fn r9_an_execution_that_is_told_twice_counts_once() {
    let (mut rig, bid, _) = quoting(Plan::new());
    fill(&mut rig, &bid, bid.tick.0 + 1, 10);
    rig.trade -= 1;
    fill(&mut rig, &bid, bid.tick.0 + 1, 10);
    assert_eq!((rig.count(Counter::Slippages), rig.count(Counter::FillsDuplicate)), (1, 1));
}

#[test]
fn r9_while_an_amendment_is_on_its_way_the_worse_of_both_prices_counts() {
    for (mid, worst) in [(99_980, 99_950), (100_020, 99_969)] {
        let (mut rig, _) = amending();
        let amend = amended_to(&mut rig, mid);
        fill(&mut rig, &amend, worst, 10);
        assert_eq!((rig.count(Counter::Slippages), is_halted(&rig)), (0, false), "{mid}");
        fill(&mut rig, &amend, worst + 1, 20);
        assert_eq!((rig.count(Counter::Slippages), is_halted(&rig)), (1, true), "{mid}");
    }
}

#[test]
fn r9_an_execution_at_a_price_of_before_may_be_told_after_the_amendment() {
    let (mut rig, _) = amending();
    for mid in [99_980, 99_960] {
        let amend = amended_to(&mut rig, mid);
        rig.tell(&told(&amend, ExecutionKind::Amended, amend.tick.0, 100));
        rig.wait(ms(60));
    }
    let amend = amended_to(&mut rig, 99_940);
    rig.tell(&told(&amend, ExecutionKind::AmendRejected, 99_910, 100));
    for (tick, cumulative, halts) in [(99_910, 10, false), (99_950, 20, false), (99_951, 30, true)] {
        fill(&mut rig, &amend, tick, cumulative);
        assert_eq!(is_halted(&rig), halts, "{tick}");
    }
}

#[test]
fn r9_what_an_order_may_have_been_filled_at_is_known_as_long_as_the_order() {
    let (mut rig, _) = amending();
    let amend = amended_to(&mut rig, 99_980);
    rig.tell(&told(&amend, ExecutionKind::Amended, amend.tick.0, 100));
    // It ends with ten lots filled that no execution has told of, and a hundred others are amended after it.
    rig.tell(&ExecutionEvent { lots_cumulative: Lots(10), ..about(&amend, ExecutionKind::Canceled) });
    let mut mid = 100_000;
    for _ in 0..100 {
        rig.wait(ms(500));
        assert_eq!(rig.best(mid - 1, mid + 1), MarketReply::Ok);
        for intent in std::iter::from_fn(|| rig.orders.pop()).collect::<Vec<_>>() {
            let kind = if intent.kind == IntentKind::Place { ExecutionKind::Accepted } else { ExecutionKind::Amended };
            rig.tell(&told(&intent, kind, intent.tick.0, intent.lots.0));
        }
        mid = 200_000 - mid + 20;
        assert_eq!(rig.best(mid - 1, mid + 1), MarketReply::Ok);
        for intent in std::iter::from_fn(|| rig.orders.pop()).collect::<Vec<_>>() {
            rig.tell(&told(&intent, ExecutionKind::Amended, intent.tick.0, intent.lots.0));
            if intent.side == Side::Bid {
                rig.cancel_done(&intent);
            }
        }
    }
    assert!(rig.count(Counter::OrdersCanceled) > 90 && rig.count(Counter::OrdersAmended) > 90, "they came and went");
    fill(&mut rig, &amend, 99_950, 10);
    assert_eq!((rig.count(Counter::FillsLate), rig.count(Counter::Slippages), is_halted(&rig)), (1, 0, false));
}
