//! COLD: the whole chain of risk controls, timed on the orders that the engine decided on recorded traffic.

use core::hint::black_box;

use serde::Serialize;
use spinbook_engine::intent::IntentKind;
use spinbook_engine::market::Best;
use spinbook_engine::quoter::{Budget, BudgetSettings};
use spinbook_engine::rate::WindowSettings;
use spinbook_engine::risk::{Draft, RiskView, TradingState};
use spinbook_engine::setup::InstrumentSetup;
use spinbook_engine::types::{InstrumentId, Lots, Nanos, Stamp};
use spinbook_engine::working::Working;
use spinbook_feed::scan::ScannerChoice;

use crate::clock::{CycleClock, start, stop};
use crate::contest::Time;
use crate::pipeline::{OurPipeline, Pipeline};
use crate::trader;
use crate::workload::{LineKind, Workload};

/// Orders of a recording that are kept: each with the whole table of ours at its moment.
const ORDERS_MAX: usize = 1_024;
/// Orders between two stamps, since a single one is near the clock's own resolution. Their tables fit a first-level
/// cache, where that of an instrument lies which is being decided on.
const BATCH: usize = 16;
/// A venue's windows, of orders in ten seconds and in a minute, with room for all.
const WINDOWS: [WindowSettings; 2] = [
    WindowSettings { count_max: 100_000_000, span: Nanos::from_seconds(10) },
    WindowSettings { count_max: 100_000_000, span: Nanos::from_seconds(60) },
];

/// The chain over the orders of one recording.
#[derive(Clone, Debug, Serialize)]
pub struct RiskTable {
    /// Which recording.
    pub what: String,
    /// How many orders.
    pub orders: usize,
    /// How many of them pass every control.
    pub passed: usize,
    /// ns an order.
    pub time: Time,
}

/// An order as the engine had decided it, with what it is held against.
struct RecordedOrder {
    draft: Draft,
    best: Best,
    working: Working,
    now: Nanos,
}

/// The first orders that the engine sends on a recording.
fn recorded(recording: &Workload) -> Vec<RecordedOrder> {
    const ID: InstrumentId = InstrumentId(0);
    let mut ours = OurPipeline::new(recording, ScannerChoice::Best);
    let mut buffer = recording.frames.buffer();
    let mut orders = Vec::with_capacity(ORDERS_MAX);
    for line in 0..recording.frames.len() {
        let length = recording.frames.copy_to(line, &mut buffer);
        let now = recording.received[line];
        let stamp = Stamp { wall: now, tsc: 0 };
        let before = ours.trader().intents_pushed();
        match recording.kinds[line] {
            LineKind::Snapshot => ours.snapshot(&mut buffer, length, stamp),
            LineKind::Other => {}
            LineKind::Depth | LineKind::Touch => ours.frame(&mut buffer, length, stamp),
        }
        let engine = ours.trader().engine();
        let held = (engine.intents_pushed() > before)
            .then(|| engine.market(ID).best().map(|best| (best, engine.working(ID).clone())))
            .flatten();
        ours.trader().answer(now, |intent| {
            if let (IntentKind::Place, Some((best, working))) = (intent.kind, &held) {
                let (side, time_in_force) = (intent.side, intent.time_in_force);
                let draft = Draft { side, tick: intent.tick, lots: intent.lots, time_in_force };
                orders.push(RecordedOrder { draft, best: *best, working: working.clone(), now });
            }
        });
        if orders.len() >= ORDERS_MAX {
            break;
        }
    }
    orders
}

/// One order through the chain, the venue's budget included, as the engine asks before it sends.
#[inline]
fn passes(order: &RecordedOrder, setup: &InstrumentSetup, budget: &mut Budget) -> bool {
    let view = RiskView {
        instrument: &setup.instrument,
        working: &order.working,
        exposure: Lots::ZERO,
        state: TradingState::Active,
        open_for_orders: true,
        book_live: true,
        best: Some(order.best),
        book_age: Nanos::from_millis(1),
        place_room: budget.place_room(order.now),
        too_many_unknown: false,
        // The order itself is in its table: later than it nothing equal is.
        duplicate_after: Nanos::NEVER,
    };
    setup.risk.check(black_box(&order.draft), black_box(&view)).is_ok()
}

/// Times the chain over the orders of a recording, `rounds` times behind one that does not count.
///
/// # Errors
/// The recording leads to no order.
pub fn measure(recording: &Workload, rounds: usize) -> Result<RiskTable, String> {
    let orders = recorded(recording);
    if orders.is_empty() {
        return Err("no order is decided on it".into());
    }
    let settings = trader::settings(&recording.instrument);
    let setup = settings.instruments[0];
    let mut windows = settings.budgets[0].order_windows;
    windows[..WINDOWS.len()].copy_from_slice(&WINDOWS);
    let mut budget = Budget::new(&BudgetSettings { order_windows: windows, ..settings.budgets[0] });
    let clock = CycleClock::calibrated();
    let (mut values, mut passed) = (Vec::with_capacity(rounds), 0);
    for round in 0..=rounds {
        let mut ns = 0.0;
        passed = 0;
        for batch in orders.chunks(BATCH) {
            // Once without the clock: the batch before it has taken the cache.
            passed += batch.iter().filter(|order| passes(order, &setup, &mut budget)).count();
            let begun = start();
            let count = batch.iter().filter(|order| passes(order, &setup, &mut budget)).count();
            let ticks = stop() - begun;
            black_box(count);
            ns += (clock.ns(ticks) - clock.pair_ns).max(0.0);
        }
        if round > 0 {
            values.push(ns / orders.len() as f64);
        }
    }
    let time = Time::of("the whole chain", values);
    Ok(RiskTable { what: recording.name.clone(), orders: orders.len(), passed, time })
}

#[cfg(test)]
mod tests {
    use super::measure;
    use crate::inputs::chain_until;
    use crate::markets::PERP;
    use spinbook_engine::types::Nanos;

    #[test]
    fn every_recorded_order_passes_the_chain_that_is_timed() {
        match chain_until(PERP, Nanos::from_seconds(30)).expect("a recording can be read") {
            Some(recording) => {
                let table = measure(&recording, 3).expect("it leads to orders");
                assert!(table.orders > 0 && table.passed == table.orders, "{table:?}");
                assert!(table.time.ns > 0.0, "{table:?}");
            }
            None => println!("skipped: no recorded data"),
        }
    }
}
