//! COLD: what is shown of a run while it works: reads counters and screen cells, never the threads themselves.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use spinbook_engine::counters::{Counter, Counters};
use spinbook_engine::engine::Engine;
use spinbook_engine::screen::{ScreenCell, ScreenSnapshot};
use spinbook_engine::strategy::Spread;
use spinbook_engine::types::{Level, Side};
use spinbook_feed::net::gateway_loop::GatewayShared;
use spinbook_feed::net::hot_shared::HotShared;
use spinbook_feed::venue::instrument::Instrument;

use crate::assembly::atoms_text;
use crate::report::Percentiles;
use crate::topology::Running;
use crate::trade::Plan;
use crate::ui::{LadderRow, OrderRow, ScreenSource, ScreenState};

const TRADING_STATES: [&str; 4] = ["active", "reduce-only", "cancel-only", "halted"];

/// Everything that can be seen of a run from outside.
pub struct Watch {
    mode: &'static str,
    venue: String,
    instruments: Vec<Instrument>,
    screens: Vec<Arc<ScreenCell>>,
    counters: Arc<Counters>,
    shared: Option<(Arc<HotShared>, Arc<GatewayShared>)>,
    begun: Instant,
    last: ScreenSnapshot,
}

impl Watch {
    /// Takes what can be read from any thread, before the engine moves to its own.
    #[must_use]
    pub fn new(plan: &Plan, instruments: &[Instrument], engine: &Engine<Spread>) -> Watch {
        Watch {
            mode: plan.mode.name(),
            venue: plan.product.name().to_owned(),
            instruments: instruments.to_vec(),
            screens: instruments.iter().map(|instrument| engine.screen(instrument.id).clone()).collect(),
            counters: engine.counters().clone(),
            shared: None,
            begun: Instant::now(),
            last: ScreenSnapshot::default(),
        }
    }

    /// The threads run: from here on their latencies are shown too.
    pub fn follow(&mut self, running: &Running<Spread>) {
        self.shared = Some((running.hot_shared.clone(), running.io_shared.clone()));
        self.begun = Instant::now();
    }

    /// What may still be open, for a run that is left at once.
    #[must_use]
    pub fn open_orders_text(&self) -> String {
        let open = self.shared.as_ref().map_or(0, |(_, io)| io.open_orders.load(Ordering::Relaxed));
        let mut text = format!("{open} orders may still be open on {}", self.venue);
        for (cell, instrument) in self.screens.iter().zip(&self.instruments) {
            let Some(snapshot) = cell.read() else { continue };
            for side in Side::BOTH {
                for level in snapshot.quotes(side).iter().filter(|level| level.lots.0 > 0) {
                    let word = if side == Side::Bid { "bid" } else { "ask" };
                    let (price, quantity) = level_text(instrument, *level);
                    text.push_str(&format!("; {} {word} {quantity} at {price}", instrument.symbol));
                }
            }
        }
        text
    }

    fn snapshot(&mut self) -> ScreenSnapshot {
        // A write that is under way is over at once; the last picture serves until then.
        if let Some(snapshot) = self.screens.first().and_then(|cell| cell.read()) {
            self.last = snapshot;
        }
        self.last
    }
}

fn level_text(instrument: &Instrument, level: Level) -> (String, String) {
    (instrument.price.decimal(level.tick.0).to_string(), instrument.quantity.decimal(level.lots.0).to_string())
}

/// The best price of a side with our own quotes around it, best first.
fn ladder(instrument: &Instrument, best: Level, own: &[Level], side: Side) -> Vec<LadderRow> {
    let mut rows: Vec<(i64, LadderRow)> = Vec::new();
    if best.lots.0 > 0 {
        let (price, quantity) = level_text(instrument, best);
        rows.push((best.tick.0, LadderRow { price, quantity, own: None }));
    }
    for level in own.iter().filter(|level| level.lots.0 > 0) {
        let (price, quantity) = level_text(instrument, *level);
        match rows.iter_mut().find(|(tick, _)| *tick == level.tick.0) {
            Some((_, row)) => row.own = Some(quantity),
            None => rows.push((level.tick.0, LadderRow { price, quantity: String::new(), own: Some(quantity) })),
        }
    }
    rows.sort_by_key(|(tick, _)| if side == Side::Bid { -*tick } else { *tick });
    rows.into_iter().map(|(_, row)| row).collect()
}

impl ScreenSource for Watch {
    fn screen(&mut self) -> ScreenState {
        let snapshot = self.snapshot();
        let instrument = self.instruments[0];
        let orders = Side::BOTH.iter().flat_map(|side| {
            let name = if *side == Side::Bid { "bid" } else { "ask" };
            snapshot.quotes(*side).iter().filter(|level| level.lots.0 > 0).map(move |level| {
                let (price, quantity) = level_text(&instrument, *level);
                OrderRow { side: name, price, quantity, filled: String::new(), state: "open" }
            })
        });
        let orders = orders.collect();
        let mut latency = Vec::new();
        let mut counters: Vec<(&'static str, u64)> = [
            Counter::MarketEvents,
            Counter::Quotes,
            Counter::PlacesSent,
            Counter::CancelsSent,
            Counter::OrdersAccepted,
            Counter::OrdersFilled,
            Counter::OrdersRejected,
            Counter::OrdersRejectedLocally,
            Counter::Fills,
            Counter::BooksLost,
            Counter::Resyncs,
        ]
        .map(|counter| (counter.name(), self.counters.value(counter)))
        .to_vec();
        if let Some((hot, io)) = &self.shared {
            latency.push(("decode to order", Percentiles::of(&hot.decode_to_order.to_histogram())));
            latency.push(("wire to wire", Percentiles::of(&io.wire_to_wire.to_histogram())));
            counters.push(("stalls", hot.stalls.load(Ordering::Relaxed)));
            counters.push(("hot_allocations_decision", hot.allocations_decision.load(Ordering::Relaxed)));
        }
        counters.push(("orders", self.counters.value(Counter::PlacesSent)));
        ScreenState {
            mode: self.mode.to_owned(),
            venue: self.venue.clone(),
            symbol: instrument.symbol.to_string(),
            elapsed_seconds: self.begun.elapsed().as_secs_f64(),
            book_state: if snapshot.quotable { "live" } else { "not quotable" }.to_owned(),
            trading_state: TRADING_STATES[usize::from(snapshot.trading_state).min(3)].to_owned(),
            bids: ladder(&instrument, snapshot.bid, &snapshot.quotes_bid, Side::Bid),
            asks: ladder(&instrument, snapshot.ask, &snapshot.quotes_ask, Side::Ask),
            orders,
            position: instrument.quantity.decimal(snapshot.exposure.0).to_string(),
            pnl_quote: atoms_text(snapshot.pnl),
            fees_quote: atoms_text(snapshot.fees),
            latency,
            counters,
            messages: Vec::new(),
        }
    }
}
