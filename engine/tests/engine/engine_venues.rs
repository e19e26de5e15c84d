//! COLD: two venues in one engine, and two quote assets: what stops one leaves the other quoting.

use crate::rig::{FIRST, Plan, Rig, VENUE, about, budget, level, ms};
use spinbook_engine::counters::Counter;
use spinbook_engine::event::{ExecutionEvent, ExecutionKind, MarketKind, MarketReply};
use spinbook_engine::intent::{Intent, Reason};
use spinbook_engine::risk::TradingState;
use spinbook_engine::setup::WindowSettings;
use spinbook_engine::strategy::Spread;
use spinbook_engine::types::{AssetGroupId, InstrumentId, Nanos, QuoteAtoms, VenueId};

const OTHER: VenueId = VenueId(11);
const SECOND: InstrumentId = InstrumentId(1);
const THIRD: InstrumentId = InstrumentId(2);
/// Worth of a tick times a lot of every instrument here.
const ATOMS: i128 = 1_000;

/// One instrument on each of two venues, both in one quote asset.
fn two_venues() -> Plan {
    Plan::new().with(|plan| {
        let mut second = plan.instruments[0];
        second.0.instrument.venue = OTHER;
        plan.instruments.push(second);
        plan.budgets.push(budget(OTHER));
    })
}

/// The first two instruments in one quote asset, the third in another; all on one venue.
fn two_assets(first: i128, second: i128) -> Plan {
    Plan::new().with(|plan| {
        plan.instruments = vec![plan.instruments[0]; 3];
        plan.instruments[2].0.asset_group = AssetGroupId(1);
        plan.loss_max = vec![QuoteAtoms(first), QuoteAtoms(second)];
    })
}

fn best(rig: &mut Rig<Spread>, instrument: InstrumentId, bid: i64, ask: i64) {
    let answer = rig.market(instrument, MarketKind::Snapshot, &[level(bid, 1_000)], &[level(ask, 1_000)]);
    assert_eq!(answer, MarketReply::Ok);
}

fn books(rig: &mut Rig<Spread>) {
    for index in 0..rig.engine.instrument_count() {
        best(rig, InstrumentId(index as u16), 99_999, 100_001);
    }
}

fn instruments(intents: &[Intent]) -> Vec<InstrumentId> {
    intents.iter().map(|intent| intent.instrument).collect()
}

/// Both venues ready, every instrument quoted on both sides.
fn quoting(plan: Plan) -> (Rig<Spread>, Vec<Intent>) {
    let mut rig = plan.build().ready();
    rig.gateway_of(OTHER, ExecutionKind::GatewayReady);
    books(&mut rig);
    let placed = rig.accept_all();
    assert_eq!(placed.len(), 2 * rig.engine.instrument_count());
    (rig, placed)
}

fn pause(rig: &mut Rig<Spread>, venue: VenueId, span: Nanos) {
    let until = rig.now + span;
    let event = ExecutionEvent { kind: ExecutionKind::Pause, venue, time: until, ..ExecutionEvent::default() };
    rig.engine.on_execution(&event, rig.now);
}

#[test]
fn one_venue_going_down_pulls_its_own_quotes_and_no_others() {
    let (mut rig, _) = quoting(two_venues());
    rig.gateway_of(OTHER, ExecutionKind::GatewayDown);
    assert!(rig.engine.is_ready(VENUE) && !rig.engine.is_ready(OTHER));
    let cancels = rig.cancelled();
    assert_eq!(instruments(&cancels), [SECOND; 2]);
    assert!(cancels.iter().all(|intent| intent.reason == Reason::TradingState));
    for cancel in &cancels {
        rig.cancel_done(cancel);
    }
    // The market goes on at both: only the venue that is there is quoted on.
    best(&mut rig, SECOND, 99_899, 99_901);
    best(&mut rig, FIRST, 99_899, 99_901);
    let moved = rig.cancelled();
    assert_eq!(instruments(&moved), [FIRST; 2]);
    for cancel in &moved {
        rig.cancel_done(cancel);
    }
    assert_eq!(instruments(&rig.accept_all()), [FIRST; 2]);
    assert_eq!(rig.engine.trading_state(), TradingState::Active);
    // Back again: its own instruments are decided on at once, the others have nothing to do.
    rig.gateway_of(OTHER, ExecutionKind::GatewayReady);
    assert_eq!(instruments(&rig.accept_all()), [SECOND; 2]);
    assert!(rig.cancelled().is_empty());
}

#[test]
fn venues_start_and_restart_in_any_order() {
    for order in [[VENUE, OTHER], [OTHER, VENUE]] {
        let of = |venue: VenueId| if venue == VENUE { FIRST } else { SECOND };
        let mut rig = two_venues().build();
        books(&mut rig);
        assert!(rig.places().is_empty(), "no gateway is ready");
        for venue in order {
            rig.gateway_of(venue, ExecutionKind::GatewayReady);
            assert_eq!(instruments(&rig.accept_all()), [of(venue); 2]);
        }
        for venue in order {
            rig.gateway_of(venue, ExecutionKind::GatewayDown);
            rig.gateway_of(venue, ExecutionKind::GatewayDown);
            let cancels = rig.cancelled();
            assert_eq!(instruments(&cancels), [of(venue); 2], "once, however often it is told");
            for cancel in &cancels {
                rig.cancel_done(cancel);
            }
        }
        assert!(rig.places().is_empty());
        for venue in [order[1], order[0]] {
            rig.gateway_of(venue, ExecutionKind::GatewayReady);
            assert_eq!(instruments(&rig.accept_all()), [of(venue); 2]);
        }
        assert!(rig.cancelled().is_empty());
    }
}

#[test]
fn a_pause_of_one_venue_does_not_hold_the_other_back() {
    let (mut rig, placed) = quoting(two_venues());
    pause(&mut rig, OTHER, ms(500));
    assert!(rig.cancelled().is_empty());
    for bid in [&placed[0], &placed[2]] {
        rig.fill(bid, 100, 100);
    }
    assert_eq!(instruments(&rig.accept_all()), [FIRST], "the paused venue's quote waits");
    rig.wait(ms(499));
    assert!(rig.places().is_empty());
    rig.wait(ms(1));
    assert_eq!(instruments(&rig.accept_all()), [SECOND]);
    // A shorter pause does not cut a longer one.
    pause(&mut rig, VENUE, ms(300));
    pause(&mut rig, VENUE, ms(100));
    let bid = rig.engine.working(FIRST).open().next().copied().expect("quoted");
    let intent = Intent { order: bid.order, slot: bid.slot, side: bid.side, tick: bid.tick, ..placed[0] };
    rig.fill(&intent, 100, 100);
    rig.wait(ms(299));
    assert!(rig.places().is_empty());
    rig.wait(ms(1));
    assert_eq!(instruments(&rig.places()), [FIRST]);
}

#[test]
fn a_halt_told_by_one_venue_stops_all_until_a_human_re_arms() {
    let (mut rig, _) = quoting(two_venues());
    rig.gateway_of(OTHER, ExecutionKind::Halt);
    let cancels = rig.cancelled();
    assert_eq!(instruments(&cancels), [FIRST, FIRST, SECOND, SECOND]);
    for cancel in &cancels {
        rig.cancel_done(cancel);
    }
    rig.gateway_of(OTHER, ExecutionKind::GatewayReady);
    books(&mut rig);
    assert!(rig.places().is_empty());
    rig.engine.rearm();
    books(&mut rig);
    assert_eq!(rig.places().len(), 4);
}

#[test]
fn each_venue_has_a_budget_of_its_own() {
    let plan = two_venues().with(|plan| {
        plan.budgets[1].order_windows[0] = WindowSettings { count_max: 1, span: Nanos::from_seconds(10) };
    });
    let mut rig = plan.build().ready();
    rig.gateway_of(OTHER, ExecutionKind::GatewayReady);
    books(&mut rig);
    assert_eq!(instruments(&rig.accept_all()), [FIRST, FIRST, SECOND], "the second venue admits one order");
    rig.wait(ms(11_000));
    best(&mut rig, SECOND, 99_999, 100_001);
    assert_eq!(instruments(&rig.places()), [SECOND]);
}

#[test]
fn executions_of_a_venue_that_set_up_does_not_know_fail_closed() {
    for kind in [ExecutionKind::GatewayReady, ExecutionKind::GatewayDown, ExecutionKind::Pause] {
        let (mut rig, _) = quoting(two_venues());
        rig.gateway_of(VenueId(77), kind);
        assert_eq!(rig.count(Counter::EventsUnknownVenue), 1, "{kind:?}");
        assert_eq!(rig.engine.trading_state(), TradingState::CancelOnly);
        assert_eq!(rig.cancelled().len(), 4, "everything is pulled");
        assert!(rig.engine.is_ready(VENUE) && rig.engine.is_ready(OTHER), "neither venue's state is touched");
    }
}

#[test]
fn an_execution_that_names_another_venue_than_its_instruments_is_not_applied() {
    let (mut rig, placed) = quoting(two_venues());
    let fill = ExecutionEvent {
        venue: OTHER,
        tick: placed[0].tick,
        lots: placed[0].lots,
        lots_cumulative: placed[0].lots,
        ..about(&placed[0], ExecutionKind::Filled)
    };
    rig.engine.on_execution(&fill, rig.now);
    assert_eq!(rig.count(Counter::EventsUnknownVenue), 1);
    assert_eq!(rig.count(Counter::Fills), 0);
    assert_eq!(rig.engine.trading_state(), TradingState::CancelOnly);
    assert_eq!(rig.cancelled().len(), 4);
}

#[test]
fn instruments_of_one_quote_asset_share_the_loss_limit() {
    // 100 bought at 99,950 in each of the two; at 99,900 each has lost 50 ticks.
    let each = 50 * 100 * ATOMS;
    let (mut rig, placed) = quoting_one(two_assets(2 * each, 2 * each));
    for bid in [&placed[0], &placed[2]] {
        rig.fill(bid, 100, 100);
    }
    rig.places();
    best(&mut rig, FIRST, 99_899, 99_901);
    assert_eq!(rig.engine.trading_pnl(AssetGroupId(0)), QuoteAtoms(-each + each), "the other still stands at its mid");
    best(&mut rig, SECOND, 99_900, 99_902);
    assert!(!rig.engine.is_group_stopped(AssetGroupId(0)), "one tick short of the limit");
    rig.cancelled();
    best(&mut rig, SECOND, 99_899, 99_901);
    assert!(rig.engine.is_group_stopped(AssetGroupId(0)) && !rig.engine.is_group_stopped(AssetGroupId(1)));
    assert_eq!(rig.count(Counter::LossStops), 1);
    let states = [FIRST, SECOND, THIRD].map(|instrument| rig.engine.instrument_state(instrument));
    assert_eq!(states, [TradingState::CancelOnly, TradingState::CancelOnly, TradingState::Active]);
    assert_eq!(rig.engine.trading_state(), TradingState::Active);
    let third: Vec<_> = rig.cancelled().into_iter().filter(|intent| intent.instrument == THIRD).collect();
    assert!(third.is_empty(), "the other asset's quotes stand");
    // And it goes on quoting, while the stopped ones do not.
    best(&mut rig, FIRST, 99_999, 100_001);
    best(&mut rig, SECOND, 99_999, 100_001);
    best(&mut rig, THIRD, 99_799, 99_801);
    for cancel in rig.cancelled() {
        rig.cancel_done(&cancel);
    }
    let places = instruments(&rig.places());
    assert!(!places.is_empty() && places.iter().all(|instrument| *instrument == THIRD), "{places:?}");
}

/// Every instrument of one venue quoted on both sides.
fn quoting_one(plan: Plan) -> (Rig<Spread>, Vec<Intent>) {
    let mut rig = plan.build().ready();
    books(&mut rig);
    let placed = rig.accept_all();
    assert_eq!(placed.len(), 2 * rig.engine.instrument_count());
    (rig, placed)
}

#[test]
fn amounts_of_different_assets_never_add_up() {
    let each = 50 * 100 * ATOMS;
    let (mut rig, placed) = quoting_one(two_assets(each + 1, each + 1));
    // The same loss in each asset: together beyond either limit, alone within it.
    for bid in [&placed[0], &placed[4]] {
        rig.fill(bid, 100, 100);
    }
    rig.places();
    best(&mut rig, FIRST, 99_899, 99_901);
    best(&mut rig, THIRD, 99_899, 99_901);
    for group in [AssetGroupId(0), AssetGroupId(1)] {
        assert_eq!(rig.engine.pnl(group), QuoteAtoms(-each));
        assert!(!rig.engine.is_group_stopped(group));
    }
    // A gain in one asset covers no loss in the other.
    best(&mut rig, THIRD, 109_999, 110_001);
    best(&mut rig, FIRST, 99_898, 99_900);
    assert!(rig.engine.is_group_stopped(AssetGroupId(0)) && !rig.engine.is_group_stopped(AssetGroupId(1)));
    assert_eq!((rig.engine.asset_group_count(), rig.engine.asset_group(THIRD)), (2, AssetGroupId(1)));
}

#[test]
fn the_last_group_that_stops_makes_the_whole_engine_cancel_only_and_rearm_releases_all() {
    let each = 50 * 100 * ATOMS;
    let (mut rig, placed) = quoting_one(two_assets(each, each));
    for bid in [&placed[0], &placed[4]] {
        rig.fill(bid, 100, 100);
    }
    best(&mut rig, FIRST, 99_899, 99_901);
    assert_eq!(rig.engine.trading_state(), TradingState::Active);
    best(&mut rig, THIRD, 99_899, 99_901);
    assert_eq!(rig.engine.trading_state(), TradingState::CancelOnly);
    assert_eq!(rig.count(Counter::LossStops), 2);
    rig.engine.rearm();
    assert!(!rig.engine.is_group_stopped(AssetGroupId(0)));
    assert_eq!(rig.engine.instrument_state(FIRST), TradingState::Active);
    // The limit is still reached: the next price stops the group again.
    best(&mut rig, FIRST, 99_899, 99_901);
    assert_eq!(rig.engine.instrument_state(FIRST), TradingState::CancelOnly);
    // The next day counts from nothing, once a human has re-armed.
    rig.now = rig.now + Nanos::from_seconds(86_400);
    rig.engine.rearm();
    best(&mut rig, FIRST, 99_899, 99_901);
    assert_eq!(rig.engine.instrument_state(FIRST), TradingState::Active);
}

#[test]
fn an_instruments_own_stop_outlives_the_release_of_its_group() {
    let each = 50 * 100 * ATOMS;
    let plan = two_assets(each, each).quoter(|quoter| quoter.rejects_max = 1);
    let (mut rig, placed) = quoting_one(plan);
    rig.fill(&placed[0], 100, 100);
    best(&mut rig, FIRST, 99_899, 99_901);
    assert!(rig.engine.is_group_stopped(AssetGroupId(0)));
    // A reject of an order that was still on its way, while the group is stopped: a storm of one.
    let bid = rig.places().into_iter().find(|intent| intent.instrument == FIRST).expect("placed before the price");
    rig.reject(&bid);
    assert_eq!(rig.count(Counter::RejectStorms), 1);
    // The next day the operator loosens the engine: the group is free, the instrument is not.
    rig.now = rig.now + Nanos::from_seconds(86_400);
    assert!(rig.engine.set_trading_state(TradingState::ReduceOnly));
    assert!(rig.engine.set_trading_state(TradingState::Active));
    best(&mut rig, SECOND, 99_999, 100_001);
    assert_eq!(rig.engine.instrument_state(SECOND), TradingState::Active);
    assert_eq!(rig.engine.instrument_state(FIRST), TradingState::CancelOnly);
    rig.engine.set_instrument_state(FIRST, TradingState::Active);
    assert_eq!(rig.engine.instrument_state(FIRST), TradingState::Active);
}
