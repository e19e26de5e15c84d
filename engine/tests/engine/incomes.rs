//! COLD: money and inventory that move beside orders: what counts as a loss, what stops trading.

use crate::rig::{FIRST, Plan, VENUE, quoting};
use spinbook_engine::counters::Counter;
use spinbook_engine::event::{ExecutionEvent, ExecutionKind, FeeAsset};
use spinbook_engine::risk::{StopCause, TradingState};
use spinbook_engine::types::{InstrumentId, Lots, QuoteAtoms, Side, Tick, TradeId, VenueId};

fn beside(kind: ExecutionKind) -> ExecutionEvent {
    ExecutionEvent { kind, instrument: FIRST, venue: VENUE, ..ExecutionEvent::default() }
}

fn income(paid: i128) -> ExecutionEvent {
    ExecutionEvent { fee: QuoteAtoms(paid), ..beside(ExecutionKind::Income) }
}

fn limited(loss_max: i128) -> Plan {
    Plan::new().with(|plan| plan.loss_max = vec![QuoteAtoms(loss_max)])
}

#[test]
fn funding_counts_to_the_loss_of_the_day() {
    let (mut rig, ..) = quoting(limited(1_000));
    rig.tell(&income(400));
    rig.tell(&income(-100));
    rig.tell(&income(699));
    assert_eq!(rig.engine.position(FIRST).trading_pnl(), Some(QuoteAtoms(-999)));
    assert_eq!(rig.engine.instrument_state(FIRST), TradingState::Active);
    assert!(rig.cancelled().is_empty());
    rig.tell(&income(1));
    assert_eq!(rig.engine.instrument_state(FIRST), TradingState::CancelOnly);
    assert_eq!(rig.engine.stop_cause(FIRST), StopCause::LossPerDay);
    assert_eq!(rig.cancelled().len(), 2, "in the same turn");
    assert_eq!((rig.count(Counter::Incomes), rig.count(Counter::Fills)), (4, 0));
}

#[test]
fn a_payment_without_a_price_stops_as_a_fee_without_one_does() {
    let (mut rig, ..) = quoting(Plan::new());
    rig.tell(&ExecutionEvent { fee_asset: FeeAsset::Other, ..income(400) });
    assert_eq!(rig.engine.stop_cause(FIRST), StopCause::FeeAsset);
    assert_eq!(rig.engine.position(FIRST).funding(), QuoteAtoms(0));
    assert_eq!(rig.cancelled().len(), 2);
}

#[test]
fn a_transfer_leaves_exposure_quotes_and_loss_as_they_are() {
    let neutral = |plan: &mut Plan| {
        plan.instruments[0].0.lots_start = Lots(500);
        plan.instruments[0].0.lots_neutral = Lots(500);
    };
    let (mut rig, ..) = quoting(limited(1).with(neutral));
    rig.tell(&ExecutionEvent { lots: Lots(-400), ..beside(ExecutionKind::Transfer) });
    let position = rig.engine.position(FIRST);
    assert_eq!((position.lots(), position.exposure()), (Lots(100), Lots(0)));
    assert_eq!((position.pnl(), position.trading_pnl()), (Some(QuoteAtoms(0)), Some(QuoteAtoms(0))));
    assert_eq!(rig.engine.instrument_state(FIRST), TradingState::Active);
    assert!(rig.cancelled().is_empty() && rig.places().is_empty());
    assert_eq!(rig.count(Counter::Transfers), 1);
}

#[test]
fn a_position_that_the_venue_closes_moves_ours_and_halts_everything() {
    let (mut rig, ..) = quoting(Plan::new().holding(1_000));
    rig.cancelled();
    let closed = ExecutionEvent {
        side: Side::Ask,
        tick: Tick(99_000),
        lots: Lots(700),
        trade: TradeId(5),
        fee: QuoteAtoms(11),
        ..beside(ExecutionKind::Liquidated)
    };
    rig.tell(&closed);
    let position = rig.engine.position(FIRST);
    assert_eq!((position.lots(), position.fees()), (Lots(300), QuoteAtoms(11)));
    assert_eq!(rig.engine.instrument_state(FIRST), TradingState::Halted);
    assert_eq!(rig.engine.stop_cause(FIRST), StopCause::Liquidation);
    assert_eq!(rig.cancelled().len(), 2, "in the same turn");
    assert_eq!((rig.count(Counter::Liquidations), rig.count(Counter::EventsForeign)), (1, 0));
    let _ = rig.best(99_000, 99_002);
    assert!(rig.places().is_empty(), "nothing is traded back");
}

#[test]
fn money_of_an_instrument_or_a_venue_that_nobody_knows_ends_new_orders() {
    let stranger = ExecutionEvent { instrument: InstrumentId(9), ..income(1) };
    let elsewhere = ExecutionEvent { venue: VenueId(200), ..income(1) };
    for (event, counter) in [(stranger, Counter::EventsUnknownInstrument), (elsewhere, Counter::EventsUnknownVenue)] {
        let (mut rig, ..) = quoting(Plan::new());
        rig.engine.on_execution(&event, rig.now);
        assert_eq!(rig.count(counter), 1);
        assert_eq!(rig.engine.stop_cause(FIRST), StopCause::UnknownInstrument);
        assert_eq!(rig.engine.position(FIRST).funding(), QuoteAtoms(0));
    }
}
