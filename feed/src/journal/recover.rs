//! COLD: what a run that is over left open, as its journal tells: orders, trades and positions for the next start.

use std::collections::BTreeMap;

use spinbook_engine::engine::AdoptedOrder;
use spinbook_engine::event::{ExecutionEvent, ExecutionKind, LocalReject};
use spinbook_engine::intent::Intent;
use spinbook_engine::types::{InstrumentId, Lots, Nanos, OrderId, QuoteAtoms, Side, TradeId};

use super::end::{OrderEnd, ProvedEnd};
use super::frame::Entry;
use super::record::{JournalInstrument, JournalRecord};
use crate::venue::instrument::Symbol;
use crate::venue::order_ids::ClientOrderId;

/// An order whose end the journal does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftOrder {
    /// What was decided.
    pub intent: Intent,
    /// Its name at the venue.
    pub client_id: ClientOrderId,
    /// Of what, if the journal says so.
    pub symbol: Option<Symbol>,
    /// When it was written down, just before it left.
    pub placed: Nanos,
    /// Whether the venue was heard to have it.
    pub accepted: bool,
    /// Filled, as far as was heard.
    pub lots_filled: Lots,
}

/// An execution that was booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownTrade {
    /// Of what.
    pub symbol: Symbol,
    /// The venue's id.
    pub trade: TradeId,
    /// Which side we were on: who trades with himself has two executions of one trade.
    pub side: Side,
    /// When, by the venue's clock.
    pub time: Nanos,
}

/// What the journals of the runs since the last one that ended with nothing open tell, read in order.
#[derive(Clone, Debug, Default)]
pub struct Recovery {
    instruments: BTreeMap<InstrumentId, JournalInstrument>,
    left: BTreeMap<OrderId, LeftOrder>,
    /// Orders that were taken for refused: whatever shows life of one leaves it open again.
    refused: BTreeMap<OrderId, LeftOrder>,
    trades: Vec<KnownTrade>,
    positions: BTreeMap<Symbol, Lots>,
    incomes: Vec<(Nanos, QuoteAtoms)>,
    last_placed: Nanos,
    ended: bool,
}

impl Recovery {
    /// The next record, of the earliest run first.
    pub fn take(&mut self, entry: &Entry) {
        match &entry.record {
            JournalRecord::RunStarted { .. } => self.ended = false,
            JournalRecord::Instrument(instrument) => {
                self.instruments.insert(instrument.id, *instrument);
            }
            JournalRecord::Position { instrument, lots, .. } => {
                if let Some(found) = self.instruments.get(instrument) {
                    self.positions.insert(found.symbol, *lots);
                }
            }
            JournalRecord::Place { intent, client_id } | JournalRecord::Replace { intent, client_id } => {
                self.last_placed = self.last_placed.max(entry.time);
                let left = LeftOrder {
                    intent: *intent,
                    client_id: *client_id,
                    symbol: self.instruments.get(&intent.instrument).map(|found| found.symbol),
                    placed: entry.time,
                    accepted: false,
                    lots_filled: Lots::ZERO,
                };
                self.left.insert(intent.order, left);
            }
            JournalRecord::Amend(intent) => {
                self.last_placed = self.last_placed.max(entry.time);
                // Until the venue's word it may have either quantity.
                if let Some(left) = self.left.get_mut(&intent.order) {
                    left.intent.lots = left.intent.lots.max(intent.lots);
                }
            }
            JournalRecord::Adopted { order, client_id } => {
                let AdoptedOrder { order, instrument, slot, side, time_in_force, tick, lots, filled } = *order;
                let intent = Intent { order, instrument, slot, side, time_in_force, tick, lots, ..Intent::default() };
                let left = LeftOrder {
                    intent,
                    client_id: *client_id,
                    symbol: self.instruments.get(&instrument).map(|found| found.symbol),
                    placed: self.left.get(&order).map_or(entry.time, |known| known.placed),
                    accepted: true,
                    lots_filled: filled,
                };
                self.refused.remove(&order);
                self.left.insert(order, left);
            }
            JournalRecord::Fact(event) => self.fact(event),
            JournalRecord::Ended(end) => self.ended_as(end),
            JournalRecord::RunEnded { confirmed, .. } => {
                self.ended = true;
                if *confirmed {
                    self.left.clear();
                    self.refused.clear();
                }
            }
            JournalRecord::CancelWanted(_)
            | JournalRecord::CancelSent { .. }
            | JournalRecord::Sent { .. }
            | JournalRecord::Decision(_)
            | JournalRecord::Halted { .. }
            | JournalRecord::Operator { .. } => {}
        }
    }

    fn fact(&mut self, event: &ExecutionEvent) {
        match event.kind {
            ExecutionKind::Filled | ExecutionKind::Liquidated => self.execution(event),
            ExecutionKind::Transfer => self.transfer(event),
            ExecutionKind::Income => self.incomes.push((event.time, -event.fee)),
            _ => {}
        }
        let is_life = matches!(event.kind, ExecutionKind::Accepted | ExecutionKind::Filled | ExecutionKind::Unknown);
        if is_life && let Some(refused) = self.refused.remove(&event.order) {
            self.left.insert(event.order, refused);
        }
        let Some(left) = self.left.get_mut(&event.order) else { return };
        let over = match event.kind {
            ExecutionKind::Canceled | ExecutionKind::Expired => true,
            // What the gateway refused never left; what it refused after it had left is not told like this.
            ExecutionKind::Rejected => event.local == LocalReject::None || !left.accepted,
            ExecutionKind::Filled => {
                left.accepted = true;
                left.lots_filled = left.lots_filled.max(event.lots_cumulative);
                left.lots_filled >= left.intent.lots
            }
            ExecutionKind::Accepted | ExecutionKind::CancelRejected => {
                left.accepted = true;
                false
            }
            ExecutionKind::Amended | ExecutionKind::AmendRejected => {
                (left.intent.tick, left.intent.lots) = (event.tick, event.lots);
                false
            }
            ExecutionKind::Unknown
            | ExecutionKind::GatewayReady
            | ExecutionKind::GatewayDown
            | ExecutionKind::Pause
            | ExecutionKind::Halt
            | ExecutionKind::Income
            | ExecutionKind::Transfer
            | ExecutionKind::Liquidated
            | ExecutionKind::Slow => false,
        };
        if over {
            self.over(event.order, event.kind == ExecutionKind::Rejected);
        }
    }

    fn ended_as(&mut self, end: &ProvedEnd) {
        if let Some(left) = self.left.get_mut(&end.order) {
            left.lots_filled = left.lots_filled.max(end.lots_filled);
        }
        self.over(end.order, end.end == OrderEnd::Rejected);
    }

    fn over(&mut self, order: OrderId, refused: bool) {
        if let Some(left) = self.left.remove(&order).filter(|_| refused) {
            self.refused.insert(order, left);
        }
    }

    fn execution(&mut self, event: &ExecutionEvent) {
        let Some(symbol) = self.instruments.get(&event.instrument).map(|found| found.symbol) else { return };
        self.trades.push(KnownTrade { symbol, trade: event.trade, side: event.side, time: event.time });
        let signed = if event.side == Side::Bid { event.lots.0 } else { -event.lots.0 };
        let held = self.positions.entry(symbol).or_default();
        held.0 = held.0.saturating_add(signed).saturating_sub(event.fee_lots.0);
    }

    fn transfer(&mut self, event: &ExecutionEvent) {
        let Some(symbol) = self.instruments.get(&event.instrument).map(|found| found.symbol) else { return };
        let held = self.positions.entry(symbol).or_default();
        held.0 = held.0.saturating_add(event.lots.0);
    }

    /// Whether the last run ended in order.
    #[must_use]
    pub const fn ended(&self) -> bool {
        self.ended
    }

    /// Orders that may be alive, by their ids: the journal does not tell their end.
    pub fn left(&self) -> impl Iterator<Item = &LeftOrder> {
        self.left.values()
    }

    /// Executions that were booked, in the order in which they were heard.
    #[must_use]
    pub fn trades(&self) -> &[KnownTrade] {
        &self.trades
    }

    /// When the last execution of a symbol was that was booked, by the venue's clock; none where none was.
    #[must_use]
    pub fn last_trade(&self, symbol: Symbol) -> Option<Nanos> {
        self.trades.iter().filter(|known| known.symbol == symbol).map(|known| known.time).max()
    }

    /// Whether an execution was booked.
    #[must_use]
    pub fn knows(&self, symbol: Symbol, trade: TradeId, side: Side) -> bool {
        self.trades.iter().any(|known| (known.symbol, known.trade, known.side) == (symbol, trade, side))
    }

    /// Fundings and charges that were booked: when, by the venue's clock, and how much came, negative if it was paid.
    #[must_use]
    pub fn incomes(&self) -> &[(Nanos, QuoteAtoms)] {
        &self.incomes
    }

    /// What was held, as far as the journal tells.
    #[must_use]
    pub const fn positions(&self) -> &BTreeMap<Symbol, Lots> {
        &self.positions
    }

    /// When the last order was written down: until its validity is over it may still be accepted.
    #[must_use]
    pub const fn last_placed(&self) -> Nanos {
        self.last_placed
    }
}
