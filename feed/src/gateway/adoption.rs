//! COLD: orders of earlier runs that are taken over at the start in place of being cancelled.
//!
//! They stand in the table from the first moment on. Once user data runs, what is open is listed, executions are had, and
//! what is open is listed again: only where two lists are equal, and each row is what the start said it is, do they stay.
//! What does not fit is cancelled, and whatever goes wrong meanwhile cancels everything, as a start without them does.

use spinbook_engine::engine::AdoptedOrder;
use spinbook_engine::types::{InstrumentId, Level, Lots, Nanos, OrderId};

use super::adoptable::AdoptableOrder;
use super::lifecycle::SessionStep;
use super::order_id::OrderOrigin;
use super::orders::Phase;
use super::{Gateway, GatewayMode, GatewaySettings};
use crate::journal::record::JournalRecord;
use crate::venue::order_ids::VenueOrderId;
use crate::venue::order_side::OrderSide;
use crate::venue::orders::{OrderStatus, OrderUpdate, RequestKind};

/// What is not taken over within this of the start is cancelled.
pub const ADOPT_WITHIN: Nanos = Nanos::from_seconds(10);
/// Lists, one after the other, of which two have to be equal.
const LISTS_MAX: u32 = 5;
/// Between two of them.
const LIST_PAUSE: Nanos = Nanos::from_millis(100);
/// With more orders on a list that are not to be taken over everything is cancelled in one request.
const MISFITS_MAX: usize = 16;

/// Where the taking over stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// There is nothing to take over, or not any more.
    Over,
    /// What is open is being listed.
    Listing,
    /// Two lists were equal.
    Agreed,
}

/// A row of a list, as far as it has to be the same in the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Listed {
    instrument: InstrumentId,
    venue_order: VenueOrderId,
    order: Option<OrderId>,
    in_force: Option<Level>,
    lots_filled: Lots,
}

impl Listed {
    fn of(row: &OrderUpdate) -> Listed {
        Listed {
            instrument: row.instrument,
            venue_order: row.venue_order,
            order: row.order,
            in_force: row.in_force,
            lots_filled: row.lots_cumulative,
        }
    }
}

/// The taking over of earlier runs' orders.
#[derive(Debug)]
pub(super) struct Adoption {
    stage: Stage,
    candidates: Vec<AdoptableOrder>,
    /// Until then; [`Nanos::NEVER`]: nothing was done yet.
    by: Nanos,
    /// Lists that were had.
    lists: u32,
    listed: Vec<Listed>,
    before: Vec<Listed>,
    /// Rows of this list that are not to be taken over.
    misfits: usize,
}

impl Adoption {
    pub(super) fn of(settings: &GatewaySettings) -> Adoption {
        let candidates = match settings.mode {
            GatewayMode::Live => settings.adoptable.clone(),
            GatewayMode::Shadow => Vec::new(),
        };
        Adoption {
            stage: if candidates.is_empty() { Stage::Over } else { Stage::Listing },
            candidates,
            by: Nanos::NEVER,
            lists: 0,
            listed: Vec::new(),
            before: Vec::new(),
            misfits: 0,
        }
    }

    /// Orders that the table begins with.
    pub(super) fn candidates(&self) -> &[AdoptableOrder] {
        &self.candidates
    }

    pub(super) fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// When it is given up.
    pub(super) fn due(&self) -> Nanos {
        match (self.stage, self.by) {
            (Stage::Over, _) => Nanos::NEVER,
            (_, Nanos::NEVER) => Nanos::ZERO,
            (_, by) => by,
        }
    }

    fn next_list(&mut self) {
        self.lists += 1;
        self.misfits = 0;
        self.before = core::mem::take(&mut self.listed);
    }
}

impl<O: OrderSide> Gateway<O> {
    /// Gives the taking over up where it takes too long, or where nothing is to be quoted anyway.
    pub(super) fn watch_adoption(&mut self, now: Nanos) {
        if self.adoption.is_over() {
            return;
        }
        if self.adoption.by == Nanos::NEVER {
            self.adoption.by = now + ADOPT_WITHIN;
        }
        if now >= self.adoption.by || self.halted.is_some() || self.stop_wanted {
            self.want_sweeps(now);
        }
    }

    /// Events may be missing: what was to be taken over is cancelled.
    pub(super) fn doubt_adoption(&mut self, now: Nanos) {
        if !self.adoption.is_over() {
            self.want_sweeps(now);
        }
    }

    /// Everything is to be cancelled: nothing is taken over any more, and every order is asked for.
    #[cold]
    pub(super) fn give_up_adoption(&mut self, now: Nanos) {
        self.adoption.stage = Stage::Over;
        self.counters.adoptions_given_up += 1;
        self.mark_all_unknown(now);
        if matches!(self.step, SessionStep::Query(_) | SessionStep::Resolve) {
            self.go(SessionStep::Query(0), now);
        }
    }

    /// Whether the next list waits for executions of before.
    pub(super) fn adoption_waits(&self) -> bool {
        !self.adoption.is_over() && self.adoption.lists > 0 && self.lacks_trades()
    }

    /// Whether a row is what the start found.
    fn is_adoptable(&self, row: &OrderUpdate) -> bool {
        let candidate = |candidate: &&AdoptableOrder| Some(candidate.order.order) == row.order;
        let Some(AdoptableOrder { order, venue_order }) = self.adoption.candidates.iter().find(candidate) else {
            return false;
        };
        let in_force = Level { tick: order.tick, lots: order.lots };
        row.status == OrderStatus::Live
            && (row.instrument, row.side, row.venue_order) == (order.instrument, order.side, *venue_order)
            && row.in_force == Some(in_force)
            && row.time_in_force == Some(order.time_in_force)
    }

    /// What is open in the instrument at `place`.
    pub(super) fn adoption_listed(&mut self, place: usize, rows: &[&OrderUpdate], now: Nanos) {
        for row in rows {
            self.adoption.listed.push(Listed::of(row));
            if self.is_adoptable(row) {
                self.apply_update(row, now);
            } else {
                if self.adoption.lists == 0 {
                    self.note_leftover(row);
                }
                self.adoption.misfits += 1;
                self.cancel_misfit(row, now);
            }
        }
        if self.adoption.misfits > MISFITS_MAX {
            self.want_sweeps(now);
        }
        if !self.adoption.is_over() {
            self.go(SessionStep::Query(place + 1), now);
        }
    }

    /// An order that is open and not to be taken over is cancelled by the venue's own name for it.
    fn cancel_misfit(&mut self, row: &OrderUpdate, now: Nanos) {
        match OrderOrigin::of(row.order, self.settings.epoch) {
            OrderOrigin::LaterRun(_) => return self.third_party_order(row, false, now),
            OrderOrigin::ThirdParty => self.counters.third_party_orders += 1,
            OrderOrigin::ThisRun(_) | OrderOrigin::EarlierRun(_) => {}
        }
        let order = row.order.unwrap_or(OrderId::NONE);
        if self.orders.contains(order) {
            self.apply_update(row, now);
            self.want_cancel(order, now);
        } else if let Some(connection) = self.cancel_path() {
            self.counters.cancels_sent += 1;
            self.send_about(order, row.instrument, row.venue_order, RequestKind::Cancel, connection, now);
        }
    }

    /// Every instrument was listed once more.
    pub(super) fn adoption_list_over(&mut self, now: Nanos) {
        let key =
            |listed: &Listed| (listed.instrument, *listed.venue_order.as_bytes().last_chunk::<8>().unwrap_or(&[0; 8]));
        self.adoption.listed.sort_by_key(key);
        let adoption = &self.adoption;
        if adoption.lists > 0 && adoption.misfits == 0 && adoption.listed == adoption.before {
            self.agree_on_adoption(now);
        } else if adoption.lists + 1 >= LISTS_MAX {
            self.want_sweeps(now);
        } else {
            self.adoption.next_list();
            self.go(SessionStep::Query(0), now);
            self.step_not_before = now + LIST_PAUSE;
        }
    }

    /// Two lists are equal. What they do not have is not taken over, and is asked for by itself.
    fn agree_on_adoption(&mut self, now: Nanos) {
        self.adoption.stage = Stage::Agreed;
        let listed = core::mem::take(&mut self.adoption.listed);
        let is_listed = |order: OrderId| listed.iter().any(|row| row.order == Some(order));
        self.adoption.candidates.retain(|candidate| is_listed(candidate.order.order));
        let ids = self.orders.take_ids(|order| order.is_open() && !is_listed(order.order));
        for order in ids.iter().copied() {
            if let Some(tracked) = self.orders.find_mut(order) {
                tracked.query_at = tracked.query_at.min(now);
            }
        }
        self.orders.keep_ids(ids);
        self.go(SessionStep::Resolve, now);
    }

    /// Whether an order is known well enough to stay while everything else is decided.
    pub(super) fn is_taken_over(&self, order: OrderId, phase: Phase) -> bool {
        let is_one = |candidate: &AdoptableOrder| candidate.order.order == order;
        phase == Phase::Working && !self.adoption.is_over() && self.adoption.candidates.iter().any(is_one)
    }

    /// Orders are taken from here on: what is still open of the earlier runs is ours, and written down as such.
    pub(super) fn finish_adoption(&mut self, now: Nanos) {
        if self.adoption.is_over() {
            return;
        }
        self.adoption.stage = Stage::Over;
        self.swept_once = true;
        for AdoptableOrder { order, .. } in core::mem::take(&mut self.adoption.candidates) {
            let Some(tracked) = self.orders.find(order.order).filter(|tracked| tracked.is_open()) else { continue };
            let order = AdoptedOrder { filled: tracked.lots_filled, ..order };
            self.counters.orders_adopted += 1;
            let client_id = self.side.client_id(order.order);
            self.journal.note(&JournalRecord::Adopted { order, client_id }, now);
        }
    }
}
