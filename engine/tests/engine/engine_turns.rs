//! COLD: the engine turn by turn: what each kind of input makes it send, and what it never sends.

use crate::rig::{self, EPOCH, FIRST, Plan, START, about, level, ms, quoting};
use spinbook_engine::book::BookState;
use spinbook_engine::counters::Counter;
use spinbook_engine::event::{
    ExecutionEvent, ExecutionKind, FeeAsset, LostReason, MarketEvent, MarketKind, MarketReply,
};
use spinbook_engine::intent::{Intent, IntentKind, Reason, TimeInForce};
use spinbook_engine::ring;
use spinbook_engine::risk::TradingState;
use spinbook_engine::setup::{self, EngineSettings, SetupError, WindowSettings};
use spinbook_engine::strategy::{Quote, Strategy, Targets, View};
use spinbook_engine::telemetry::TelemetryOrder;
use spinbook_engine::trace::QuoteRule;
use spinbook_engine::types::{
    AssetGroupId, InstrumentId, Lots, Nanos, OrderId, QuoteAtoms, Side, SlotId, Tick, TradeId, VenueId,
};
use spinbook_engine::unquoted::Unquoted;
use spinbook_engine::working::WorkingStatus;

#[test]
fn a_live_book_and_a_ready_gateway_make_two_orders() {
    let mut rig = Plan::new().build();
    assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
    assert!(rig.places().is_empty(), "the gateway is not ready");
    rig.gateway(ExecutionKind::GatewayReady);
    let places = rig.places();
    assert_eq!(places.len(), 2);
    let bid = places[0];
    assert_eq!(bid.order, OrderId::new(EPOCH, 1));
    assert_eq!((bid.side, bid.tick, bid.lots, bid.slot), (Side::Bid, Tick(99_950), Lots(100), SlotId(0)));
    assert_eq!((bid.book_sequence, bid.decided, bid.deadline), (101, START, START + ms(100)));
    assert_eq!((bid.reason, bid.time_in_force, bid.strategy), (Reason::New, TimeInForce::PostOnly, 1));
    assert_eq!((places[1].side, places[1].tick, places[1].slot), (Side::Ask, Tick(100_050), SlotId(8)));
    assert_eq!(rig.engine.open_orders(), 2);
    assert_eq!(rig.count(Counter::Quotes), 2);
    assert_eq!(rig.engine.intents_pushed(), 2);
}

#[test]
fn the_frames_cycle_counter_travels_with_the_intents_it_causes() {
    let mut rig = Plan::new().build().ready();
    assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
    assert!(rig.places().iter().all(|intent| intent.origin_tsc == 77));
    rig.engine.begin_shutdown(rig.now);
    let (mut rig, ..) = quoting(Plan::new());
    rig.engine.begin_shutdown(rig.now);
    assert!(rig.cancelled().iter().all(|intent| intent.origin_tsc == 0), "no frame caused it");
}

#[test]
fn nothing_is_requoted_within_the_tolerance() {
    let (mut rig, bid, ask) = quoting(Plan::new());
    // 10 ticks of 100,000 are 1 bp: still within.
    for shift in [1, -1, 9, -9] {
        assert_eq!(rig.best(99_999 + shift, 100_001 + shift), MarketReply::Ok);
        assert!(rig.cancelled().is_empty() && rig.places().is_empty(), "shift {shift}");
    }
    assert_eq!(rig.best(99_979, 99_981), MarketReply::Ok);
    let cancels = rig.cancelled();
    let orders: Vec<_> = cancels.iter().map(|intent| (intent.order, intent.reason)).collect();
    assert_eq!(orders, [(bid.order, Reason::Requote), (ask.order, Reason::Requote)]);
    assert!(rig.places().is_empty(), "one request in flight a slot");
    rig.cancel_done(&cancels[0]);
    let places = rig.places();
    assert_eq!(places.len(), 1);
    assert_eq!((places[0].slot, places[0].reason, places[0].tick), (bid.slot, Reason::Requote, Tick(99_930)));
}

#[test]
fn a_quote_below_its_smallest_edge_goes_even_within_the_tolerance() {
    let plan = Plan::new().spread(|spread| spread.edge_min_millionths = 500);
    let (mut rig, bid, _) = quoting(plan);
    // Three ticks down: within 1 bp, but the bid of 99,950 is now nearer to the mid than 50 ticks.
    assert_eq!(rig.best(99_996, 99_998), MarketReply::Ok);
    let cancels = rig.cancelled();
    assert_eq!(cancels.len(), 1);
    assert_eq!(cancels[0].order, bid.order);
}

#[test]
fn a_partly_filled_quote_stays_until_too_little_is_left() {
    let (mut rig, bid, _) = quoting(Plan::new());
    rig.fill(&bid, 40, 40);
    assert!(rig.cancelled().is_empty());
    rig.fill(&bid, 20, 60);
    let cancels = rig.cancelled();
    assert_eq!((cancels.len(), cancels[0].lots), (1, Lots(40)));
    assert_eq!(rig.engine.position(FIRST).lots(), Lots(60));
}

#[test]
fn levels_that_shift_by_one_move_only_the_outermost_order() {
    let plan = Plan::new().spread(|spread| {
        spread.levels = 3;
        spread.level_step_millionths = 1_000;
    });
    let mut rig = plan.build().ready();
    assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
    assert_eq!(rig.accept_all().len(), 6);
    // One level down: bids 99,850 and 99,750 serve as they stand, so do asks 100,050 and 100,150.
    assert_eq!(rig.best(99_899, 99_901), MarketReply::Ok);
    let cancels = rig.cancelled();
    let ticks: Vec<_> = cancels.iter().map(|intent| intent.tick.0).collect();
    assert_eq!(ticks, [99_950, 100_250]);
    for cancel in &cancels {
        rig.cancel_done(cancel);
    }
    let ticks: Vec<_> = rig.places().iter().map(|intent| intent.tick.0).collect();
    assert_eq!(ticks, [99_650, 99_950]);
}

#[test]
fn a_lost_book_pulls_in_the_same_call_and_comes_back_with_a_snapshot() {
    let (mut rig, ..) = quoting(Plan::new());
    rig.lose(LostReason::Gap);
    let cancels = rig.cancelled();
    assert_eq!(cancels.len(), 2);
    assert!(cancels.iter().all(|intent| intent.reason == Reason::BookNotLive));
    for cancel in &cancels {
        rig.cancel_done(cancel);
    }
    assert!(rig.places().is_empty());
    assert_eq!(rig.delta(&[level(99_998, 5)], &[]), MarketReply::Ok, "changes to a lost book are ignored");
    assert!(rig.places().is_empty());
    assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
    assert_eq!(rig.places().len(), 2);
    assert_eq!(rig.count(Counter::BooksLost), 1);
}

#[test]
fn an_order_on_its_way_is_cancelled_with_its_book_and_not_once_more_when_it_is_accepted() {
    let mut rig = Plan::new().build().ready();
    assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
    let places = rig.places();
    rig.lose(LostReason::Gap);
    assert_eq!(rig.cancelled()[0].order, places[0].order);
    rig.accept(&places[0]);
    assert!(rig.cancelled().is_empty(), "one cancel in flight a slot");
}

#[test]
fn an_old_book_pulls_by_the_timer_and_a_new_message_brings_the_quotes_back() {
    let (mut rig, ..) = quoting(Plan::new());
    rig.wait(ms(2_000));
    assert!(rig.cancelled().is_empty(), "the limit itself is not too old");
    assert!(rig.engine.next_deadline() <= rig.now + Nanos(1));
    rig.wait(Nanos(1));
    let cancels = rig.cancelled();
    assert_eq!(cancels.len(), 2);
    assert_eq!(rig.count(Counter::BooksStale), 1);
    for cancel in &cancels {
        rig.cancel_done(cancel);
    }
    assert!(rig.places().is_empty());
    assert_eq!(rig.delta(&[level(99_998, 5)], &[]), MarketReply::Ok);
    assert_eq!(rig.places().len(), 2);
}

#[test]
fn a_burst_is_decided_once_on_its_newest_frame_but_a_loss_within_it_at_once() {
    let (mut rig, ..) = quoting(Plan::new());
    let decisions = rig.count(Counter::Decisions);
    for shift in 1..40 {
        let event = rig.event(FIRST, MarketKind::Snapshot);
        let bids = [level(99_999 + 10 * shift, 500)];
        let asks = [level(100_001 + 10 * shift, 500)];
        assert_eq!(rig.engine.on_market_quiet(&event, &bids, &asks, rig.now), MarketReply::Ok);
    }
    assert_eq!(rig.count(Counter::Decisions), decisions);
    assert_eq!(rig.engine.next_deadline(), Nanos::ZERO);
    rig.engine.flush(rig.now);
    assert_eq!(rig.count(Counter::Decisions), decisions + 1);
    assert_eq!(rig.engine.market(FIRST).book().best_bid(), Some(level(100_389, 500)));
    let cancels = rig.cancelled();
    assert_eq!(cancels.len(), 2);
    assert!(cancels.iter().all(|intent| intent.origin_tsc == 77), "measured from the newest frame");
    let (mut rig, ..) = quoting(Plan::new());
    let event = rig.event(FIRST, MarketKind::Delta);
    let answer = rig.engine.on_market_quiet(&event, &[level(100_001, 9), level(100_005, 9)], &[], rig.now);
    assert_eq!(answer, MarketReply::Resync(LostReason::Crossed));
    assert_eq!(rig.cancelled().len(), 2);
    // A frame left quiet is decided by the timer at the latest.
    let (mut rig, ..) = quoting(Plan::new());
    let event = rig.event(FIRST, MarketKind::Snapshot);
    assert_eq!(rig.engine.on_market_quiet(&event, &[level(90_000, 5)], &[level(90_002, 5)], rig.now), MarketReply::Ok);
    rig.wait(Nanos(0));
    assert_eq!(rig.cancelled().len(), 2);
}

#[test]
fn trades_change_no_quote() {
    let (mut rig, ..) = quoting(Plan::new());
    let decisions = rig.count(Counter::Decisions);
    assert_eq!(rig.market(FIRST, MarketKind::Trade, &[], &[level(100_001, 7)]), MarketReply::Ok);
    assert_eq!((rig.count(Counter::Trades), rig.count(Counter::Decisions)), (1, decisions));
}

#[test]
fn events_of_unknown_instruments_are_dropped_and_counted() {
    let (mut rig, ..) = quoting(Plan::new());
    assert_eq!(rig.market(InstrumentId(7), MarketKind::Snapshot, &[level(1, 1)], &[level(2, 1)]), MarketReply::Ok);
    assert_eq!(rig.count(Counter::EventsUnknownInstrument), 1);
    assert!(rig.cancelled().is_empty());
    // An order event for one is another matter: something trades that we do not know.
    rig.tell(&ExecutionEvent { instrument: InstrumentId(7), ..ExecutionEvent::default() });
    assert_eq!(rig.engine.trading_state(), TradingState::CancelOnly);
    assert_eq!(rig.cancelled().len(), 2);
}

#[test]
fn the_newest_target_waits_for_the_budget_and_nothing_queues() {
    let plan = Plan::new().with(|plan| {
        plan.budgets[0].order_windows[0] = WindowSettings { count_max: 3, span: Nanos::from_seconds(10) };
    });
    let (mut rig, ..) = quoting(plan);
    // Both requote: the bid's replacement takes the last place of the window.
    assert_eq!(rig.best(100_199, 100_201), MarketReply::Ok);
    let cancels = rig.cancelled();
    assert_eq!(cancels.len(), 2, "the ask is too near now, so it goes although it cannot be replaced");
    for cancel in &cancels {
        rig.cancel_done(cancel);
    }
    let first = rig.accept_all();
    assert_eq!(first.len(), 1);
    // The market moves on; the ask's slot stays empty, however often it is decided.
    for step in 0..50 {
        rig.now = rig.now + ms(100);
        assert_eq!(rig.best(100_199 + step % 3, 100_201 + step % 3), MarketReply::Ok);
    }
    assert!(rig.places().is_empty());
    assert!(rig.count(Counter::TargetsWaiting) >= 50);
    // When the window has passed, exactly one order leaves: the newest target.
    assert_eq!(rig.best(100_210, 100_212), MarketReply::Ok);
    rig.wait(Nanos(0));
    while rig.orders.is_empty() {
        let due = rig.engine.next_deadline();
        assert!(due > rig.now, "the timer would spin");
        rig.now = due;
        let event = rig.event(FIRST, MarketKind::Delta);
        assert_eq!(rig.engine.on_market_quiet(&event, &[level(100_210, 7)], &[], rig.now), MarketReply::Ok);
        rig.engine.on_timer(rig.now);
    }
    let late = rig.places();
    assert_eq!(late.len(), 1);
    assert!(rig.now - START >= Nanos::from_seconds(10));
    assert_eq!((late[0].side, late[0].tick), (Side::Ask, Tick(100_262)));
}

#[test]
fn without_budget_a_quote_that_is_only_too_far_away_stays() {
    let plan = Plan::new().with(|plan| {
        plan.budgets[0].order_windows[0] = WindowSettings { count_max: 2, span: Nanos::from_seconds(10) };
    });
    let (mut rig, _, ask) = quoting(plan);
    assert_eq!(rig.best(100_199, 100_201), MarketReply::Ok);
    let cancels = rig.cancelled();
    assert_eq!(cancels.len(), 1, "the bid is only less competitive than wanted");
    assert_eq!(cancels[0].order, ask.order);
}

#[test]
fn cancels_leave_whatever_the_budget_says() {
    let plan = Plan::new().with(|plan| {
        plan.budgets[0].messages_max_per_second = 3;
        plan.budgets[0].cancel_share_millionths = 300_000;
    });
    let (mut rig, ..) = quoting(plan);
    assert_eq!(rig.best(100_199, 100_201), MarketReply::Ok);
    rig.engine.begin_shutdown(rig.now);
    assert_eq!(rig.cancelled().len(), 2);
}

#[test]
fn shutdown_cancels_everything_places_nothing_and_says_when_it_is_quiet() {
    let mut rig = Plan::new().build().ready();
    assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
    let places = rig.places();
    rig.accept(&places[0]);
    rig.engine.begin_shutdown(rig.now);
    let cancels = rig.cancelled();
    assert_eq!((cancels.len(), cancels[0].reason), (2, Reason::Shutdown), "also of what is not answered yet");
    let (first, second) = cancels.split_at(1);
    rig.accept(&places[1]);
    assert!(rig.cancelled().is_empty());
    assert_eq!(second[0].order, places[1].order);
    assert!(!rig.engine.is_quiet());
    assert_eq!(rig.best(99_000, 99_002), MarketReply::Ok);
    rig.cancel_done(&first[0]);
    rig.tell(&ExecutionEvent { lots_cumulative: Lots(30), ..about(&second[0], ExecutionKind::Canceled) });
    assert_eq!(rig.engine.open_orders(), 0);
    assert!(!rig.engine.is_quiet(), "30 lots were filled that no execution has told");
    rig.fill(&places[1], 30, 30);
    assert!(rig.engine.is_quiet());
    assert!(rig.places().is_empty());
    assert_eq!(rig.engine.position(FIRST).lots(), Lots(-30));
}

#[test]
fn a_pause_pulls_every_quote_and_places_none_until_it_ends() {
    let (mut rig, bid, ask) = quoting(Plan::new());
    rig.engine.set_paused(true, rig.now);
    rig.engine.set_paused(true, rig.now);
    let pulled = rig.cancelled();
    assert_eq!(pulled.iter().map(|cancel| cancel.order).collect::<Vec<_>>(), [bid.order, ask.order]);
    assert!(pulled.iter().all(|cancel| cancel.reason == Reason::Pause));
    assert_eq!((rig.engine.is_paused(), rig.count(Counter::OperatorPauses)), (true, 1));
    rig.cancel_done(&pulled[0]);
    // What fills meanwhile counts.
    rig.fill(&ask, 30, 30);
    rig.cancel_done(&pulled[1]);
    assert_eq!(rig.engine.position(FIRST).lots(), Lots(-30));
    for mid in [100_100, 99_900, 100_000] {
        assert_eq!(rig.best(mid - 1, mid + 1), MarketReply::Ok);
        rig.wait(ms(300));
    }
    assert!(rig.places().is_empty(), "nothing is placed in a pause");
    assert_eq!(rig.engine.trading_state(), TradingState::Active, "it is no trading state");
    let told = rig.engine.telemetry(FIRST).read().expect("nobody writes");
    assert_eq!(told.unquoted, [Unquoted::OperatorPause; 2]);
    assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
    rig.engine.set_paused(false, rig.now);
    rig.wait(ms(300));
    assert_eq!(rig.places().len(), 2, "the pause is over");
}

#[test]
fn a_pause_loosens_nothing_and_never_outlives_the_end() {
    let mut rig = Plan::new().build().ready();
    rig.engine.set_trading_state(TradingState::CancelOnly);
    for paused in [true, false] {
        rig.engine.set_paused(paused, rig.now);
        assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
        assert!(rig.places().is_empty());
    }
    assert_eq!(rig.engine.trading_state(), TradingState::CancelOnly, "what stopped trading still does");
    rig.engine.set_trading_state(TradingState::Active);
    rig.engine.begin_shutdown(rig.now);
    for paused in [true, false] {
        rig.engine.set_paused(paused, rig.now);
        assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
        assert!(rig.places().is_empty(), "who ends stays ending");
    }
}

#[test]
fn fees_of_both_kinds_reach_the_account() {
    let (mut rig, bid, ask) = quoting(Plan::new());
    let fill = |intent: &Intent, trade, fee: i128, fee_lots, fee_asset| ExecutionEvent {
        trade: TradeId(trade),
        tick: intent.tick,
        lots: Lots(100),
        lots_cumulative: Lots(100),
        fee: QuoteAtoms(fee),
        fee_lots: Lots(fee_lots),
        fee_asset,
        ..about(intent, ExecutionKind::Filled)
    };
    rig.tell(&fill(&bid, 1, 2_000, 2, FeeAsset::Base));
    rig.tell(&fill(&ask, 2, 500, 0, FeeAsset::Quote));
    let position = rig.engine.position(FIRST);
    assert_eq!((position.lots(), position.fees()), (Lots(-2), QuoteAtoms(2_500)));
    let mid = 100_000;
    assert_eq!(rig.engine.pnl(AssetGroupId(0)), QuoteAtoms((100_050 - 99_950) * 100 * 1_000 - 500 - 2 * mid * 1_000));
    assert_eq!(rig.count(Counter::OrdersFilled), 2);
}

#[test]
fn the_screen_shows_what_the_engine_holds() {
    let (mut rig, bid, _) = quoting(Plan::new());
    rig.fill(&bid, 30, 30);
    rig.wait(ms(50));
    let screen = rig.engine.telemetry(FIRST).read().expect("nobody writes");
    assert_eq!((screen.bids[0], screen.asks[0]), (level(99_999, 1_000), level(100_001, 1_000)));
    assert_eq!(screen.bids[1], level(0, 0), "nothing is invented behind the last level");
    assert_eq!((screen.book_state, screen.trading_state), (BookState::Live, TradingState::Active));
    let (bid, ask) = (screen.orders(Side::Bid)[0], screen.orders(Side::Ask)[0]);
    assert_eq!((bid.level, bid.filled, bid.status), (level(99_950, 100), Lots(30), WorkingStatus::Live));
    assert_eq!((ask.level, ask.filled, ask.status), (level(100_050, 100), Lots(0), WorkingStatus::Live));
    assert_eq!(screen.orders(Side::Bid)[1], TelemetryOrder::default());
    assert_eq!((screen.fill.level, screen.fill.side, screen.fills), (level(99_950, 30), Side::Bid, 1));
    assert_eq!((screen.exposure, screen.open_orders, screen.quotable), (Lots(30), 2, true));
    assert_eq!(screen.pnl, QuoteAtoms(30 * 50 * 1_000));
}

#[test]
fn decisions_leave_a_trace_and_a_full_ring_drops_it() {
    let mut rig = Plan::new().build();
    let (trace, mut records) = ring::channel(2);
    rig.engine.set_trace(trace);
    rig.gateway(ExecutionKind::GatewayReady);
    assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
    let record = records.pop().expect("the bid");
    assert_eq!((record.order, record.tick, record.lots), (OrderId::new(EPOCH, 1), Tick(99_950), Lots(100)));
    assert_eq!((record.detail, record.reason), (IntentKind::Place as u8, Reason::New as u8));
    assert_eq!((record.best_bid, record.best_ask, record.exposure), (Tick(99_999), Tick(100_001), Lots(0)));
    assert_eq!((record.rule, record.limit), (QuoteRule::Distance, Unquoted::No));
    rig.lose(LostReason::Gap);
    rig.accept_all();
    assert!(rig.count(Counter::TraceDropped) > 0);
}

#[test]
fn ioc_quotes_carry_their_time_in_force_and_do_not_spin() {
    let plan = Plan::new().spread(|spread| spread.time_in_force = TimeInForce::ImmediateOrCancel);
    let mut rig = plan.build().ready();
    assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
    let places = rig.places();
    assert!(places.iter().all(|intent| intent.time_in_force == TimeInForce::ImmediateOrCancel));
    for place in &places {
        rig.accept(place);
        rig.tell(&about(place, ExecutionKind::Expired));
    }
    for _ in 0..9 {
        rig.now = rig.now + ms(10);
        assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
    }
    assert!(rig.places().is_empty());
    rig.wait(ms(10));
    assert_eq!(rig.places().len(), 2);
}

#[test]
fn set_up_refuses_what_is_missing_or_out_of_range() {
    let build = |change: fn(&mut EngineSettings)| {
        let plan = Plan::new();
        let mut settings = EngineSettings {
            epoch: 1,
            strategy_number: 0,
            instruments: vec![plan.instruments[0].0],
            budgets: plan.budgets,
            asset_groups: rig::groups(&[QuoteAtoms(1)]),
            telemetry_interval: ms(50),
        };
        change(&mut settings);
        let strategy = setup::spread_strategy(vec![rig::spread()]).expect("settings of a test");
        setup::engine(settings, strategy, ring::channel(8).0, ring::channel(8).0).map(|_| ())
    };
    let limit = |limit| Err(SetupError::Limit { instrument: 0, limit });
    assert_eq!(build(|_| ()), Ok(()));
    assert_eq!(build(|settings| settings.instruments.clear()), Err(SetupError::InstrumentCount { count: 0 }));
    assert_eq!(build(|settings| settings.epoch = 0), Err(SetupError::Engine { setting: "epoch" }));
    assert_eq!(
        build(|settings| settings.asset_groups = rig::groups(&[QuoteAtoms(0)])),
        Err(SetupError::Engine { setting: "loss_max_per_day" })
    );
    assert_eq!(build(|settings| settings.instruments[0].risk.order_lots_max = Lots(0)), limit("order_lots_max"));
    assert_eq!(build(|settings| settings.instruments[0].risk.position_lots_max = Lots(0)), limit("position_lots_max"));
    assert_eq!(build(|settings| settings.instruments[0].risk.open_orders_max = 0), limit("open_orders_max"));
    assert_eq!(build(|settings| settings.instruments[0].risk.book_age_max = Nanos(0)), limit("book_age_max"));
    let missing = build(|settings| settings.instruments[0].asset_group = AssetGroupId(1));
    assert_eq!(missing, Err(SetupError::AssetGroup { group: 1 }));
    let without_instrument = build(|settings| settings.asset_groups = rig::groups(&[QuoteAtoms(1); 2]));
    assert_eq!(without_instrument, Err(SetupError::AssetGroup { group: 1 }));
    let venues = build(|settings| settings.budgets = (0..9).map(|venue| rig::budget(VenueId(venue))).collect());
    assert_eq!(venues, Err(SetupError::Engine { setting: "budgets" }));
    let other_venue = build(|settings| settings.budgets[0].venue = VenueId(9));
    assert_eq!(other_venue, Err(SetupError::Budget { venue: 3, count: 0 }));
    let step = build(|settings| settings.instruments[0].instrument.tick_order_step = Tick(0));
    assert_eq!(step, Err(SetupError::Instrument { instrument: 0, setting: "tick_order_step" }));
}
#[test]
fn a_strategy_sees_every_market_and_may_quote_one_because_of_another() {
    /// Quotes the second instrument one tick around the first one's mid.
    struct Follower;
    impl Strategy for Follower {
        fn on_change(&mut self, view: &View<'_>, _changed: InstrumentId, targets: &mut Targets) {
            assert_eq!(view.instrument_count(), 2);
            let quotes = targets.rewrite(InstrumentId(1));
            let Some(lead) = view.best(FIRST) else { return };
            let middle = lead.mid_doubled() as i64 / 2;
            for side in Side::BOTH {
                let tick = Tick(middle - side.sign());
                let time_in_force = TimeInForce::PostOnly;
                quotes.add(side, Quote { tick, tick_limit: tick, lots: Lots(10), time_in_force });
            }
        }
    }
    let plan = Plan::new().with(|plan| plan.instruments.push(plan.instruments[0]));
    let mut rig = plan.build_with(Follower).ready();
    let second = InstrumentId(1);
    assert_eq!(rig.market(second, MarketKind::Snapshot, &[level(99_000, 5)], &[level(101_000, 5)]), MarketReply::Ok);
    assert!(rig.places().is_empty(), "its lead has no book");
    assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
    let places = rig.accept_all();
    let found: Vec<_> = places.iter().map(|intent| (intent.instrument, intent.tick.0)).collect();
    assert_eq!(found, [(second, 99_999), (second, 100_001)]);
    assert_eq!((rig.engine.open_orders(), rig.engine.working(FIRST).open_count()), (2, 0));
    rig.lose(LostReason::Gap);
    assert_eq!(rig.cancelled().len(), 2, "the lead's book is lost: the follower's quotes go in the same call");
    // A lost book of its own pulls as well, whatever the strategy says.
    for place in &places {
        rig.cancel_done(place);
    }
    assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
    assert_eq!(rig.accept_all().len(), 2);
    let lost = MarketEvent { lost: LostReason::Gap, ..rig.event(second, MarketKind::Lost) };
    assert_eq!(rig.engine.on_market(&lost, &[], &[], rig.now), MarketReply::Ok);
    assert_eq!(rig.cancelled().len(), 2);
}

#[test]
fn the_instruments_of_a_venue_share_its_budget() {
    let plan = Plan::new().with(|plan| {
        plan.instruments.push(plan.instruments[0]);
        plan.budgets[0].order_windows[0] = WindowSettings { count_max: 3, span: Nanos::from_seconds(10) };
    });
    let mut rig = plan.build().ready();
    assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
    let second = [level(99_999, 5)];
    assert_eq!(rig.market(InstrumentId(1), MarketKind::Snapshot, &second, &[level(100_001, 5)]), MarketReply::Ok);
    assert_eq!(rig.places().len(), 3);
    assert_eq!(rig.count(Counter::DeniedThrottle), 0, "the quoter asks for no more than there is");
}
