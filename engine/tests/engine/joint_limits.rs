//! COLD: limits over several instruments, falls of a result, and a venue that answers slowly.

use crate::rig::{FIRST, Plan, Rig, VENUE, about, budget, level, ms, quoting};
use spinbook_engine::counters::Counter;
use spinbook_engine::event::{ExecutionEvent, ExecutionKind, LocalReject, MarketKind, MarketReply};
use spinbook_engine::intent::Intent;
use spinbook_engine::quoter::Requote;
use spinbook_engine::risk::{ExposureMember, Exposures, FallStop, StopCause, TradingState};
use spinbook_engine::strategy::Spread;
use spinbook_engine::types::{AssetGroupId, InstrumentId, Nanos, QuoteAtoms, Side, VenueId};
use spinbook_engine::unquoted::Unquoted;

const OTHER: VenueId = VenueId(11);
const SECOND: InstrumentId = InstrumentId(1);
const GROUP: AssetGroupId = AssetGroupId(0);

/// One instrument on each of two venues, of the same two assets.
fn two_venues() -> Plan {
    Plan::new().with(|plan| {
        let mut second = plan.instruments[0];
        second.0.instrument.venue = OTHER;
        plan.instruments.push(second);
        plan.budgets.push(budget(OTHER));
    })
}

fn best(rig: &mut Rig<Spread>, instrument: InstrumentId, bid: i64, ask: i64) {
    let answer = rig.market(instrument, MarketKind::Snapshot, &[level(bid, 1_000)], &[level(ask, 1_000)]);
    assert_eq!(answer, MarketReply::Ok);
}

/// Both venues ready with a book at 100,000 each, under these limits.
fn limited(gross_max: i128, net_max: i128) -> Rig<Spread> {
    let mut rig = two_venues().build();
    let member = ExposureMember { quote: 0, base: 0, lot_atoms: 1 };
    rig.engine.set_exposures(Exposures::new(&[member; 2], &[QuoteAtoms(gross_max)], net_max));
    let mut rig = rig.ready();
    rig.gateway_of(OTHER, ExecutionKind::GatewayReady);
    best(&mut rig, FIRST, 99_999, 100_001);
    best(&mut rig, SECOND, 99_999, 100_001);
    rig
}

fn sides(intents: &[Intent], instrument: InstrumentId) -> Vec<Side> {
    intents.iter().filter(|intent| intent.instrument == instrument).map(|intent| intent.side).collect()
}

#[test]
fn r3_orders_of_all_instruments_together_end_at_the_gross_limit() {
    // An order of 100 lots is worth 100,000 ticks times 100 lots at the mid; each instrument's worst is one of its two.
    let order = 100_000 * 100 * 1_000;
    let mut rig = limited(2 * order, i128::MAX);
    assert_eq!(rig.accept_all().len(), 4);
    let mut rig = limited(2 * order - 1, i128::MAX);
    let placed = rig.accept_all();
    assert_eq!((sides(&placed, FIRST).len(), sides(&placed, SECOND).len()), (2, 0));
    assert!(rig.count(Counter::DeniedExposureGross) > 0);
    rig.wait(ms(60));
    rig.wait(ms(60));
    assert_eq!(rig.engine.unquoted(SECOND).now(Side::Bid), Unquoted::ExposureGross);
    // What is unknown and what is on its way counts until it is proved gone.
    best(&mut rig, FIRST, 99_499, 99_501);
    let cancels = rig.cancelled();
    assert_eq!(cancels.len(), 2);
    best(&mut rig, SECOND, 99_999, 100_001);
    assert!(sides(&rig.places(), SECOND).is_empty());
    cancels.iter().for_each(|cancel| rig.cancel_done(cancel));
    rig.engine.set_instrument_state(FIRST, TradingState::CancelOnly);
    rig.wait(ms(200));
    best(&mut rig, SECOND, 99_999, 100_001);
    assert_eq!(sides(&rig.accept_all(), SECOND).len(), 2, "there is room now");
}

#[test]
fn r3_a_price_that_rises_takes_room_although_nothing_is_ordered() {
    let order = 100_000 * 100 * 1_000;
    let mut rig = limited(2 * order + order / 2, i128::MAX);
    let placed = rig.accept_all();
    assert_eq!(placed.len(), 4);
    // Filled on one venue, whose price then goes up by half: what is left of the limit is too little for one more.
    let bid = placed.iter().find(|intent| intent.instrument == FIRST && intent.side == Side::Bid).expect("placed");
    rig.fill(bid, 100, 100);
    best(&mut rig, FIRST, 149_999, 150_001);
    rig.wait(ms(60));
    rig.wait(ms(60));
    rig.cancelled().iter().for_each(|cancel| rig.cancel_done(cancel));
    best(&mut rig, FIRST, 149_999, 150_001);
    let sides = sides(&rig.accept_all(), FIRST);
    assert_eq!(sides, [Side::Ask], "buying more would take it beyond");
}

#[test]
fn r3_the_net_position_of_an_asset_counts_over_its_markets() {
    let mut rig = limited(i128::MAX, 250);
    let placed = rig.accept_all();
    assert_eq!(placed.len(), 4, "100 lots either way on each: 200 at the worst");
    for bid in placed.iter().filter(|intent| intent.side == Side::Bid) {
        rig.fill(bid, 100, 100);
    }
    rig.places();
    for instrument in [FIRST, SECOND] {
        best(&mut rig, instrument, 99_999, 100_001);
    }
    rig.wait(ms(200));
    for instrument in [FIRST, SECOND] {
        best(&mut rig, instrument, 99_999, 100_001);
    }
    assert!(rig.places().iter().all(|intent| intent.side == Side::Ask), "200 are held, a third hundred has no room");
    assert!(rig.count(Counter::DeniedExposureNet) > 0);
}

#[test]
fn r9_a_fall_from_the_best_of_an_hour_stops_although_the_day_has_earned() {
    let lot_atoms = 1_000;
    let held = |hour: Option<i128>, run: Option<i128>| {
        let mut rig = Plan::new().holding(1_000).build();
        rig.engine.set_falls(GROUP, FallStop::new(hour.map(QuoteAtoms), run.map(QuoteAtoms)));
        let mut rig = rig.ready();
        assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
        rig
    };
    let to = |rig: &mut Rig<Spread>, mid: i64| {
        assert_eq!(rig.best(mid - 1, mid + 1), MarketReply::Ok);
        rig.wait(ms(60));
    };
    // 1,000 lots: a tick is a million. Up by 500 ticks, then down by 300: still a gain of 200.
    let tick = 1_000 * lot_atoms;
    for (hour, run, cause) in [
        (Some(300 * tick), None, StopCause::LossPerHour),
        (None, Some(300 * tick), StopCause::Drawdown),
        (Some(301 * tick), Some(301 * tick), StopCause::None),
    ] {
        let mut rig = held(hour, run);
        to(&mut rig, 100_500);
        to(&mut rig, 100_201);
        assert_eq!(rig.engine.stop_cause(FIRST), StopCause::None, "{cause:?}");
        to(&mut rig, 100_200);
        assert_eq!((rig.engine.stop_cause(FIRST), rig.engine.group_stop_cause(GROUP)), (cause, cause));
        assert_eq!(rig.engine.day_result(GROUP).earned, QuoteAtoms(200 * tick));
        if cause != StopCause::None {
            assert!(cause.is_control() && rig.engine.trading_state() == TradingState::CancelOnly);
        }
    }
    // After an hour the best of then counts no more; the best of the run does.
    for (hour, run, cause) in [(Some(300 * tick), None, StopCause::None), (None, Some(300 * tick), StopCause::Drawdown)]
    {
        let mut rig = held(hour, run);
        to(&mut rig, 100_500);
        for _ in 0..63 {
            rig.now = rig.now + Nanos::from_seconds(60);
            to(&mut rig, 100_300);
        }
        to(&mut rig, 100_150);
        assert_eq!(rig.engine.stop_cause(FIRST), cause);
    }
}

#[test]
fn r10_a_venue_that_answers_slowly_is_pulled_for_a_while_and_tried_again() {
    let mut rig = two_venues().build();
    rig.engine.set_ack_latency_max(VENUE, ms(100));
    let mut rig = rig.ready();
    rig.gateway_of(OTHER, ExecutionKind::GatewayReady);
    let mut mid = 100_000;
    let mut round = |rig: &mut Rig<Spread>, late: Nanos| {
        mid += 500;
        rig.wait(ms(60));
        best(rig, FIRST, mid - 1, mid + 1);
        best(rig, SECOND, mid - 1, mid + 1);
        rig.cancelled().iter().for_each(|cancel| rig.cancel_done(cancel));
        best(rig, FIRST, mid - 1, mid + 1);
        best(rig, SECOND, mid - 1, mid + 1);
        let placed = rig.places();
        rig.now = rig.now + late;
        placed.iter().for_each(|intent| rig.accept(intent));
        sides(&placed, FIRST).len()
    };
    // As late as allowed, however often; then one too late, twice a round.
    for _ in 0..10 {
        assert_eq!(round(&mut rig, ms(100)), 2);
    }
    assert_eq!((rig.count(Counter::AcksSlow), rig.cancelled().len()), (0, 0));
    assert_eq!(round(&mut rig, ms(101)), 2);
    assert_eq!((rig.count(Counter::AcksSlow), rig.cancelled().len()), (2, 0));
    assert_eq!(round(&mut rig, ms(101)), 2);
    let pulled = rig.cancelled();
    assert_eq!((rig.count(Counter::VenuesSlow), sides(&pulled, FIRST).len()), (1, 2), "within the same turn");
    assert!(sides(&pulled, SECOND).is_empty(), "the other venue goes on");
    pulled.iter().for_each(|cancel| rig.cancel_done(cancel));
    let slow_since = rig.now;
    while rig.now < slow_since + Nanos::from_seconds(9) {
        assert_eq!(round(&mut rig, ms(1)), 0);
    }
    assert_eq!(rig.engine.unquoted(FIRST).now(Side::Bid), Unquoted::VenueSlow);
    // Neither its gateway coming back nor a re-arm makes it faster.
    rig.gateway(ExecutionKind::GatewayDown);
    rig.gateway(ExecutionKind::GatewayReady);
    assert_eq!(round(&mut rig, ms(1)), 0);
    while rig.now < slow_since + Nanos::from_seconds(11) {
        round(&mut rig, ms(1));
    }
    assert_eq!(round(&mut rig, ms(1)), 2, "tried again");
    assert_eq!(
        (rig.engine.instrument_state(FIRST), rig.engine.stop_cause(FIRST)),
        (TradingState::Active, StopCause::None)
    );
}

/// The gateway of a venue says that our own orders are too slow.
fn slow(rig: &mut Rig<Spread>, venue: VenueId) {
    rig.gateway_of(venue, ExecutionKind::Slow);
}

#[test]
fn r10_orders_of_ours_that_are_slow_pull_what_is_open_at_that_venue_for_a_while() {
    let mut rig = limited(i128::MAX, i128::MAX);
    assert_eq!(rig.accept_all().len(), 4);
    slow(&mut rig, VENUE);
    let pulled = rig.cancelled();
    assert_eq!((sides(&pulled, FIRST).len(), sides(&pulled, SECOND).len()), (2, 0), "within the same turn");
    assert_eq!((rig.count(Counter::OrdersSlow), rig.count(Counter::VenuesSlow)), (1, 1));
    pulled.iter().for_each(|cancel| rig.cancel_done(cancel));
    let since = rig.now;
    while rig.now < since + Nanos::from_seconds(9) {
        rig.wait(ms(60));
        best(&mut rig, FIRST, 99_999, 100_001);
        assert!(sides(&rig.places(), FIRST).is_empty());
    }
    assert_eq!(rig.engine.unquoted(FIRST).now(Side::Bid), Unquoted::OrdersSlow);
    // Once more, when half of the time is over: it begins anew, and is counted once.
    slow(&mut rig, VENUE);
    assert_eq!((rig.count(Counter::OrdersSlow), rig.count(Counter::VenuesSlow)), (2, 1));
    let since = rig.now;
    while rig.now < since + Nanos::from_seconds(9) {
        rig.wait(ms(60));
        best(&mut rig, FIRST, 99_999, 100_001);
        assert!(sides(&rig.places(), FIRST).is_empty());
    }
    rig.wait(ms(1_000));
    rig.wait(ms(60));
    best(&mut rig, FIRST, 99_999, 100_001);
    assert_eq!(sides(&rig.places(), FIRST).len(), 2, "tried again");
    assert_eq!(rig.engine.stop_cause(FIRST), StopCause::None);
}

#[test]
fn r10_slowness_halts_where_that_is_configured_and_says_which() {
    let mut rig = two_venues().build();
    rig.engine.set_latency_halts(true);
    let mut rig = rig.ready();
    best(&mut rig, FIRST, 99_999, 100_001);
    assert_eq!(rig.accept_all().len(), 2);
    slow(&mut rig, VENUE);
    assert_eq!((rig.cancelled().len(), rig.engine.trading_state()), (2, TradingState::Halted));
    assert_eq!(rig.engine.stop_cause(FIRST), StopCause::OrderLatency);
    let mut rig = two_venues().build();
    rig.engine.set_latency_halts(true);
    rig.engine.set_ack_latency_max(VENUE, ms(100));
    let mut rig = rig.ready();
    for turn in 0..2 {
        rig.wait(ms(60));
        best(&mut rig, FIRST, 99_999 + 500 * turn, 100_001 + 500 * turn);
        rig.cancelled().iter().for_each(|cancel| rig.cancel_done(cancel));
        best(&mut rig, FIRST, 99_999 + 500 * turn, 100_001 + 500 * turn);
        let placed = rig.places();
        rig.now = rig.now + ms(101);
        placed.iter().for_each(|intent| rig.accept(intent));
    }
    assert_eq!(
        (rig.engine.trading_state(), rig.engine.stop_cause(FIRST)),
        (TradingState::Halted, StopCause::AckLatency)
    );
}

#[test]
fn r10_answers_to_amendments_are_timed_as_those_to_orders_are() {
    // Answered so late, by what, whether by the venue; and whether that counts.
    for (late, kind, local, counts) in [
        (101, ExecutionKind::Amended, LocalReject::None, true),
        (101, ExecutionKind::AmendRejected, LocalReject::None, true),
        (101, ExecutionKind::AmendRejected, LocalReject::Throttled, false),
        (100, ExecutionKind::Amended, LocalReject::None, false),
    ] {
        let name = format!("{late} {kind:?} {local:?}");
        let mut rig = Plan::new().quoter(|quoter| quoter.requote = Requote::Amend).build();
        rig.engine.set_ack_latency_max(VENUE, ms(100));
        let mut rig = rig.ready();
        best(&mut rig, FIRST, 99_999, 100_001);
        assert_eq!(rig.accept_all().len(), 2);
        rig.wait(ms(60));
        best(&mut rig, FIRST, 100_019, 100_021);
        let amends: Vec<Intent> = std::iter::from_fn(|| rig.orders.pop()).collect();
        assert_eq!(amends.len(), 2, "{name}");
        rig.now = rig.now + ms(late);
        for amend in &amends {
            let answer = about(amend, kind);
            rig.tell(&ExecutionEvent { tick: amend.tick, lots: amend.lots, local, ..answer });
            // What is said once more is no answer.
            rig.tell(&ExecutionEvent { tick: amend.tick, lots: amend.lots, local, ..answer });
        }
        assert_eq!(rig.count(Counter::AcksSlow), if counts { 2 } else { 0 }, "{name}");
    }
}

#[test]
fn what_an_earlier_run_left_counts_in_the_day_from_its_last_price_on() {
    let mut rig = Plan::new().holding(100).with(|plan| plan.loss_max[0] = QuoteAtoms(100 * 1_000 * 1_000)).build();
    // It was valued at 101,000 last: 1,000 ticks of 100 lots are lost, which is the whole limit.
    rig.engine.resume_position(FIRST, spinbook_engine::types::Lots(100), 2 * 101_000);
    let mut rig = rig.ready();
    assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
    assert_eq!(rig.engine.stop_cause(FIRST), StopCause::LossPerDay);
    assert_eq!(rig.engine.day_result(GROUP).earned, QuoteAtoms(-100 * 1_000 * 1_000));
    assert_eq!(rig.engine.pnl(GROUP), QuoteAtoms(0), "this run has earned nothing");
    assert!(rig.places().is_empty());
    // The same without a memory of it.
    let (rig, _, _) = quoting(Plan::new().holding(100));
    assert_eq!(rig.engine.day_result(GROUP).earned, QuoteAtoms(0));
}
