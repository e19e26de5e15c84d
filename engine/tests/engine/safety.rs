//! COLD: what an engine must survive without losing money: wrong ids, late answers, forgotten orders, fees it cannot see.

use crate::rig::{FIRST, Plan, Rig, about, level, ms, quoting};
use spinbook_engine::book::BookState;
use spinbook_engine::counters::Counter;
use spinbook_engine::event::{
    ExecutionEvent, ExecutionKind, FeeAsset, LocalReject, LostReason, MarketEvent, MarketKind, MarketReply,
};
use spinbook_engine::intent::Intent;
use spinbook_engine::limits::TOUCH_AHEAD_IDS_MAX;
use spinbook_engine::risk::{StopCause, TradingState};
use spinbook_engine::strategy::Spread;
use spinbook_engine::types::{AssetGroupId, Lots, Nanos, QuoteAtoms, Side, TradeId};

/// A best bid and ask with an update id `ahead` of the newest.
fn touch_ahead(rig: &mut Rig<Spread>, ahead: u64, bid: i64) -> MarketReply {
    let event = MarketEvent { sequence: rig.sequence + ahead, ..rig.event(FIRST, MarketKind::Touch) };
    rig.engine.on_market(&event, &[level(bid, 1_000)], &[level(bid + 10, 1_000)], rig.now)
}

/// The market moves to this best bid, by a depth message and a best bid/ask alike, and time passes.
fn step_to(rig: &mut Rig<Spread>, from: i64, bid: i64) -> MarketReply {
    rig.now = rig.now + ms(100);
    let (bids, asks) = ([level(from, 0), level(bid, 1_000)], [level(from + 10, 0), level(bid + 10, 1_000)]);
    let reply = if from == bid { rig.delta(&[level(bid - 20, 5)], &[]) } else { rig.delta(&bids, &asks) };
    if reply == MarketReply::Ok && rig.engine.market(FIRST).book().is_live() {
        assert_eq!(rig.market(FIRST, MarketKind::Touch, &bids[1..], &asks[1..]), MarketReply::Ok);
    }
    rig.engine.on_timer(rig.now);
    reply
}

#[test]
fn one_touch_with_an_id_far_ahead_moves_neither_quotes_nor_collar_nor_the_loss_stop() {
    let mut rig = Plan::new().with(|plan| plan.loss_max[0] = QuoteAtoms(50_000_000)).build().ready();
    assert_eq!(rig.best(100_000, 100_010), MarketReply::Ok);
    let mut working: Vec<Intent> = rig.accept_all();
    assert_eq!(touch_ahead(&mut rig, u64::MAX / 2, 100_000), MarketReply::Ok);
    let mut bid = 100_000;
    for step in 0..200 {
        // The market falls by 2 %, and whoever sells meets our bid first.
        assert_eq!(step_to(&mut rig, bid, bid - 10), MarketReply::Ok);
        bid -= 10;
        assert_eq!(rig.engine.market(FIRST).best().map(|best| best.bid.0), Some(bid), "step {step}");
        for cancel in rig.cancelled() {
            working.retain(|order| order.order != cancel.order);
            rig.cancel_done(&cancel);
        }
        for place in rig.places() {
            rig.accept(&place);
            working.push(place);
        }
        if let Some(at) = working.iter().position(|order| order.side == Side::Bid && order.tick.0 >= bid) {
            let order = working.remove(at);
            rig.fill(&order, order.lots.0, order.lots.0);
        }
    }
    let (held, cash) = (rig.engine.position(FIRST).lots().0, rig.engine.position(FIRST).cash().0);
    let truth = cash + i128::from(held) * i128::from(bid + 5) * 1_000;
    assert_eq!(rig.engine.pnl(AssetGroupId(0)), QuoteAtoms(truth), "valued at the market");
    assert_eq!(rig.count(Counter::TouchesForgotten), 1);
}

#[test]
fn a_touch_that_the_depth_does_not_reach_in_time_ends_the_book_and_asks_for_another() {
    let (mut rig, ..) = quoting(Plan::new());
    let mut bid = 99_999;
    // Ids go up by two in each step: this one would be reached in a minute. It was at a price of its own.
    assert_eq!(touch_ahead(&mut rig, 1_200, 99_500), MarketReply::Ok);
    let mut resynced = 0;
    for _ in 0..30 {
        let reply = step_to(&mut rig, bid, bid - 10);
        bid -= 10;
        resynced += u32::from(reply == MarketReply::Resync(LostReason::TouchMismatch));
        if !rig.engine.market(FIRST).book().is_live() {
            break;
        }
    }
    assert!(rig.now - crate::rig::START < ms(2_000), "believed for {} ms", (rig.now - crate::rig::START).millis());
    assert_eq!(rig.engine.market(FIRST).state(), BookState::Lost(LostReason::TouchMismatch));
    let open = rig.engine.open_orders();
    assert!(rig.cancelled().len() >= open, "no quote stays");
    assert_eq!((rig.count(Counter::BooksBehindTouch), resynced), (1, 0), "found between two messages");
    // The next depth message asks, once; with the snapshot all is well, and the touch is forgotten.
    assert_eq!(step_to(&mut rig, bid, bid - 10), MarketReply::Resync(LostReason::TouchMismatch));
    assert_eq!(step_to(&mut rig, bid - 10, bid - 20), MarketReply::Ok);
    assert_eq!(rig.best(bid, bid + 10), MarketReply::Ok);
    assert_eq!(rig.engine.market(FIRST).best().map(|best| best.bid.0), Some(bid));
}

#[test]
fn a_touch_just_ahead_of_the_depth_is_quoted_on_and_valued_at_the_book() {
    let (mut rig, ..) = quoting(Plan::new());
    assert_eq!(touch_ahead(&mut rig, TOUCH_AHEAD_IDS_MAX - 2, 99_900), MarketReply::Ok);
    let best = rig.engine.market(FIRST).best().expect("both sides");
    assert_eq!((best.bid.0, best.bid_book.0), (99_900, 99_999), "the newer of the two, as long as it is near");
    assert_eq!(rig.engine.position(FIRST).mid_doubled_last(), Some(200_000), "the book's mid");
    assert_eq!((best.bid_outer().0, best.ask_outer().0), (99_999, 99_910));
    assert_eq!(touch_ahead(&mut rig, TOUCH_AHEAD_IDS_MAX + 1, 90_000), MarketReply::Ok);
    assert_eq!(rig.engine.market(FIRST).best().map(|best| best.bid.0), Some(99_999), "too far: the book's");
}

#[test]
fn a_market_whose_touch_is_always_a_little_ahead_is_never_disturbed() {
    let (mut rig, ..) = quoting(Plan::new());
    let mut bid = 99_990;
    assert_eq!(rig.best(bid, bid + 10), MarketReply::Ok);
    for _ in 0..300 {
        assert_eq!(step_to(&mut rig, bid, bid), MarketReply::Ok);
        assert_eq!(touch_ahead(&mut rig, 1, bid), MarketReply::Ok);
        rig.engine.on_timer(rig.now);
        let moved = if bid > 99_900 { bid - 10 } else { 99_990 };
        assert_eq!(step_to(&mut rig, bid, moved), MarketReply::Ok);
        bid = moved;
    }
    let judged = [Counter::TouchesForgotten, Counter::BooksBehindTouch, Counter::BooksLost];
    assert_eq!(judged.map(|counter| rig.count(counter)), [0; 3]);
}

#[test]
fn a_pull_cancels_a_place_that_is_not_answered_at_once() {
    let mut rig = Plan::new().build().ready();
    assert_eq!(rig.best(100_000, 100_010), MarketReply::Ok);
    let placed = rig.places();
    assert_eq!(placed.len(), 2);
    rig.lose(LostReason::Gap);
    let cancels = rig.cancelled();
    assert_eq!(cancels.len(), 2, "in the very turn that lost the book");
    // One was too early for the venue, the other's answer comes late: both are cancelled again, and end.
    rig.tell(&about(&placed[0], ExecutionKind::CancelRejected));
    rig.accept(&placed[0]);
    rig.accept(&placed[1]);
    let again = rig.cancelled();
    assert_eq!(again.iter().map(|cancel| cancel.order).collect::<Vec<_>>(), [placed[0].order]);
    for place in &placed {
        rig.cancel_done(place);
    }
    assert_eq!(rig.engine.open_orders(), 0);
    assert_eq!(rig.count(Counter::Contradictions), 0);
}

#[test]
fn a_requote_does_not_cancel_a_place_that_is_not_answered() {
    let mut rig = Plan::new().build().ready();
    assert_eq!(rig.best(100_000, 100_010), MarketReply::Ok);
    assert_eq!(rig.places().len(), 2);
    assert_eq!(rig.best(101_000, 101_010), MarketReply::Ok);
    assert!(rig.cancelled().is_empty(), "its answer comes first: a quote that moves is no danger");
}

#[test]
fn a_forgotten_order_that_lives_is_cancelled_and_stops_trading() {
    let mut rig = Plan::new().build().ready();
    assert_eq!(rig.best(100_000, 100_010), MarketReply::Ok);
    let first = rig.places();
    for intent in &first {
        rig.reject_locally(intent, LocalReject::Throttled);
    }
    for _ in 0..200 {
        rig.wait(ms(200));
        assert_eq!(rig.best(100_000, 100_010), MarketReply::Ok);
        for intent in rig.places() {
            rig.reject_locally(&intent, LocalReject::Throttled);
        }
    }
    rig.accept(&first[0]);
    assert_eq!(rig.cancelled().iter().map(|cancel| cancel.order).collect::<Vec<_>>(), [first[0].order]);
    assert_eq!(rig.engine.trading_state(), TradingState::CancelOnly);
    assert_eq!(rig.engine.stop_cause(FIRST), StopCause::Contradiction);
}

/// Both quotes are filled whole, with a fee of 75 millionths of what was traded in the asset of that kind.
fn filled_with_fee(fee_asset: FeeAsset) -> Rig<Spread> {
    let (mut rig, bid, ask) = quoting(Plan::new().with(|plan| plan.loss_max[0] = QuoteAtoms(1_000_000)));
    for intent in [bid, ask] {
        rig.trade += 1;
        let notional = i128::from(intent.tick.0) * i128::from(intent.lots.0) * 1_000;
        let event = ExecutionEvent {
            trade: TradeId(rig.trade),
            tick: intent.tick,
            lots: intent.lots,
            lots_cumulative: intent.lots,
            fee: if fee_asset == FeeAsset::Valued { QuoteAtoms(notional * 75 / 10_000) } else { QuoteAtoms(0) },
            fee_asset,
            ..about(&intent, ExecutionKind::Filled)
        };
        rig.tell(&event);
    }
    rig
}

#[test]
fn a_fee_that_cannot_be_valued_stops_trading_at_once_and_says_why() {
    let rig = filled_with_fee(FeeAsset::Other);
    assert_eq!(rig.engine.trading_state(), TradingState::CancelOnly);
    assert_eq!(rig.engine.stop_cause(FIRST), StopCause::FeeAsset);
    assert!(StopCause::FeeAsset.is_control(), "a run that it stopped ends with the code of a risk control");
    assert_eq!(rig.count(Counter::FeesUnvalued), 2);
}

#[test]
fn a_valued_fee_in_a_third_asset_reaches_the_loss_stop() {
    let rig = filled_with_fee(FeeAsset::Valued);
    assert_eq!(rig.engine.stop_cause(FIRST), StopCause::LossPerDay);
    assert_eq!(rig.count(Counter::FeesUnvalued), 0);
    let earned = rig.engine.trading_pnl(AssetGroupId(0));
    assert!(earned < QuoteAtoms(-1_000_000), "{earned:?}");
    assert_eq!(
        rig.engine.position(FIRST).cash(),
        earned + rig.engine.fees(AssetGroupId(0)),
        "no quote was paid for it"
    );
}

#[test]
fn r8_orders_filled_one_way_again_and_again_stop_the_instrument_until_a_person_says_otherwise() {
    let plan = || Plan::new().quoter(|quoter| (quoter.fills_max, quoter.fills_span) = (4, Nanos::from_seconds(10)));
    // Bought, bought, bought, and still bought.
    let mut rig = plan().build().ready();
    let buy = |rig: &mut Rig<Spread>| {
        assert_eq!(rig.best(100_000, 100_010), MarketReply::Ok);
        let placed = rig.accept_all();
        let bid = placed.iter().find(|intent| intent.side == Side::Bid).copied();
        if let Some(bid) = bid {
            rig.fill(&bid, bid.lots.0, bid.lots.0);
        }
        rig.wait(ms(150));
        bid.is_some()
    };
    for bought in 1..=4 {
        assert_eq!(rig.engine.instrument_state(FIRST), TradingState::Active, "{bought}");
        assert!(buy(&mut rig));
    }
    assert_eq!(rig.engine.instrument_state(FIRST), TradingState::CancelOnly);
    assert_eq!((rig.engine.stop_cause(FIRST), rig.count(Counter::RepeatedFillStops)), (StopCause::RepeatedFills, 1));
    rig.wait(Nanos::from_seconds(60));
    assert!(!buy(&mut rig), "time alone does not end it");
    rig.engine.rearm();
    assert!(buy(&mut rig));
    // A position that changes its sign between, or fills that bring it nearer to flat, are what quoting is for.
    let (mut rig, bid, ask) = quoting(plan());
    let mut order: Vec<Intent> = vec![bid, ask];
    for round in 0..40 {
        assert_eq!(rig.best(99_999 + round % 2, 100_001 + round % 2), MarketReply::Ok);
        order.extend(rig.accept_all());
        let side = if round % 2 == 0 { Side::Bid } else { Side::Ask };
        if let Some(at) = order.iter().position(|intent| intent.side == side) {
            let intent = order.remove(at);
            rig.fill(&intent, intent.lots.0, intent.lots.0);
        }
        for cancel in rig.cancelled() {
            order.retain(|intent| intent.order != cancel.order);
            rig.cancel_done(&cancel);
        }
        rig.wait(ms(20));
    }
    assert!(rig.count(Counter::Fills) > 20, "{}", rig.count(Counter::Fills));
    assert_eq!(rig.count(Counter::RepeatedFillStops), 0);
}

#[test]
fn r10_too_many_undecided_orders_keep_new_ones_back_and_their_end_lets_them_go() {
    let plan = Plan::new().spread(|spread| spread.levels = 3).quoter(|quoter| quoter.unknown_orders_max = 2);
    let mut rig = plan.build().ready();
    assert_eq!(rig.best(99_990, 100_010), MarketReply::Ok);
    let placed = rig.places();
    assert_eq!(placed.len(), 6);
    for place in &placed[2..] {
        rig.accept(place);
    }
    for place in &placed[..2] {
        rig.tell(&about(place, ExecutionKind::Unknown));
    }
    // Three of the others end: nothing takes their place while two are undecided.
    for place in &placed[3..] {
        rig.cancel_done(place);
    }
    rig.wait(ms(200));
    assert!(rig.places().is_empty());
    assert!(rig.count(Counter::DeniedUnknownOrders) > 0);
    for place in &placed[..2] {
        rig.cancel_done(place);
    }
    rig.wait(ms(200));
    assert!(!rig.places().is_empty(), "decided: quoted again, by itself");
}

#[test]
fn too_many_refused_cancels_stop_the_instrument() {
    let plan = Plan::new().quoter(|quoter| (quoter.cancel_rejects_max, quoter.reject_wait) = (3, ms(10)));
    let (mut rig, bid, _) = quoting(plan);
    rig.lose(LostReason::Gap);
    for round in 0..3 {
        assert_eq!(rig.count(Counter::CancelStorms), 0, "{round}");
        rig.tell(&about(&bid, ExecutionKind::CancelRejected));
        rig.wait(ms(20));
    }
    assert_eq!((rig.count(Counter::CancelStorms), rig.engine.stop_cause(FIRST)), (1, StopCause::CancelStorm));
    assert!(rig.cancelled().iter().filter(|cancel| cancel.order == bid.order).count() > 2, "cancels still leave");
}

#[test]
fn a_fill_of_a_forgotten_order_that_is_told_again_moves_nothing_within_the_gateways_horizon() {
    let wide = Plan::new().risk(|risk| risk.position_lots_max = Lots(1_000_000_000));
    let wide = wide.spread(|spread| spread.position_lots_max = Lots(1_000_000_000));
    let mut rig = wide.quoter(|quoter| quoter.fills_max = 1_000_000).build().ready();
    let _ = rig.best(100_000, 100_010);
    let (mut first, mut fills) = (None, 0);
    while fills < 1_200 {
        for intent in rig.accept_all() {
            rig.trade += 1;
            let event = ExecutionEvent {
                trade: TradeId(rig.trade),
                time: rig.now,
                tick: intent.tick,
                lots: intent.lots,
                lots_cumulative: intent.lots,
                ..about(&intent, ExecutionKind::Filled)
            };
            first.get_or_insert(event);
            rig.tell(&event);
            fills += 1;
        }
        rig.wait(ms(100));
        let _ = rig.best(100_000, 100_010);
    }
    let first = first.unwrap();
    assert!(rig.engine.working(FIRST).finished(first.order).is_none(), "the order is forgotten");
    let before = rig.engine.position(FIRST).lots();
    rig.tell(&first);
    assert_eq!(rig.engine.position(FIRST).lots(), before);
    assert_eq!(rig.count(Counter::FillsDuplicate), 1);
}
