//! COLD: another price and quantity for an order: by an amendment, or by a cancel and a place in one request.
//!
//! Both pass the checks of a new order, and until the venue's word the worse of what was and what is wanted counts. A
//! cancel waits for neither: it leaves beside a request that is not answered.

use spinbook_engine::event::{ExecutionEvent, ExecutionKind, LocalReject};
use spinbook_engine::intent::Intent;
use spinbook_engine::types::{Level, Lots, Nanos, OrderId, VenueCode};

use super::limits::OrdersSoFar;
use super::orders::{CancelState, Phase, TrackedOrder, refused_here};
use super::outbox::{Pending, Purpose};
use super::place::{JOURNAL_PAUSE, find, new_order};
use super::{Gateway, GatewayMode};
use crate::journal::record::JournalRecord;
use crate::venue::order_ids::VenueOrderId;
use crate::venue::order_side::{OrderSide, Reaction};
use crate::venue::orders::{AmendedOrder, OrderName, OrderUpdate, Refusal, ReplaceHalf, Request, RequestKind};

/// What the gateway itself calls a refusal for a request that no venue answered.
const NOT_ATTEMPTED: Reaction = Reaction::Reprice;

impl<O: OrderSide> Gateway<O> {
    /// The engine wants an order to have another price and quantity.
    #[cold]
    #[inline(never)]
    pub(super) fn on_amend(&mut self, intent: &Intent, now: Nanos) {
        self.counters.intents += 1;
        if let Err(local) = self.check_amend(intent, now) {
            *self.counters.refused_here(local) += 1;
            self.amend_refused_here(intent.order, intent, local, now);
            return;
        }
        if self.journal.leaving(&JournalRecord::Amend(*intent), now).is_err() {
            *self.counters.refused_here(LocalReject::Journal) += 1;
            self.amend_refused_here(intent.order, intent, LocalReject::Journal, now);
            self.pause(now + JOURNAL_PAUSE, VenueCode::NONE);
            return;
        }
        let valid_until = now + self.side.validity() + self.settings.validity_margin;
        self.orders.begin_amendment(intent, valid_until, now);
        let tracked = self.orders.find(intent.order).expect("the door found it");
        let instrument = *find(&self.instruments, intent.instrument).expect("the door found it");
        let name = OrderName { instrument: &instrument, order: intent.order, venue_order: tracked.venue_order };
        let amended = AmendedOrder { name, side: tracked.side, tick: intent.tick, lots: intent.lots };
        self.counters.amends_sent += 1;
        self.send_counted(&Request::Amend(amended), intent, now);
        if self.settings.mode == GatewayMode::Shadow {
            let wanted = Level { tick: intent.tick, lots: intent.lots };
            self.orders.on_in_force(intent.order, wanted, None, now, &mut self.events);
        }
    }

    /// The engine wants an order in the place of another.
    #[cold]
    #[inline(never)]
    pub(super) fn on_replace(&mut self, intent: &Intent, now: Nanos) {
        self.counters.intents += 1;
        self.newest_place = self.newest_place.max(intent.order);
        let ahead = !self.cancelled_ahead.is_empty() && self.take_cancelled_ahead(intent.order);
        let checked = if ahead { Err(LocalReject::Late) } else { self.check_amend(intent, now) };
        if let Err(local) = checked {
            self.replace_refused_here(intent, local, now);
            return;
        }
        let record = JournalRecord::Replace { intent: *intent, client_id: self.side.client_id(intent.order) };
        if self.journal.leaving(&record, now).is_err() {
            self.replace_refused_here(intent, LocalReject::Journal, now);
            self.pause(now + JOURNAL_PAUSE, VenueCode::NONE);
            return;
        }
        let valid_until = now + self.side.validity() + self.settings.validity_margin;
        self.orders.insert(intent, valid_until);
        let instrument = *find(&self.instruments, intent.instrument).expect("the door found it");
        let former = self.orders.find(intent.replaces).expect("the door found it");
        let former = OrderName { instrument: &instrument, order: former.order, venue_order: former.venue_order };
        let order = new_order(&instrument, intent);
        self.counters.orders_sent += 1;
        self.counters.replaces_sent += 1;
        self.send_counted(&Request::Replace { former, order }, intent, now);
        if self.settings.mode == GatewayMode::Shadow {
            self.shadow_cancel(intent.replaces, now);
            self.shadow_accept(intent.order, now);
        }
    }

    fn send_counted(&mut self, request: &Request<'_>, intent: &Intent, now: Nanos) {
        let kind = request.kind();
        self.throttle.take(self.side.cost(kind), Some(intent.instrument), now);
        let connection = self.side.connection_of(kind);
        let purpose = Purpose { connection, order: intent.order, origin_tsc: intent.origin_tsc };
        let venue_now = self.clock.venue_time(now);
        self.outbox.send(&mut self.side, request, purpose, venue_now, now);
    }

    /// The checks of a new order, for one that takes the place of another or becomes another.
    fn check_amend(&mut self, intent: &Intent, now: Nanos) -> Result<(), LocalReject> {
        let replaces = intent.replaces != OrderId::NONE;
        let kind = if replaces { RequestKind::Replace } else { RequestKind::Amend };
        self.check_door(intent, kind, |gateway| gateway.so_far_of_change(intent, replaces), now)
    }

    /// What there is beside the order that is to change, if it may change.
    fn so_far_of_change(&self, intent: &Intent, replaces: bool) -> Result<OrdersSoFar, LocalReject> {
        if self.is_stopped(intent.instrument) {
            return Err(LocalReject::NotConnected);
        }
        let former = self.orders.find(if replaces { intent.replaces } else { intent.order });
        // An order that ended meanwhile, or is being cancelled, is nobody's to change.
        let rests = |former: &&TrackedOrder| {
            former.is_open() && former.accepted && former.cancel == CancelState::None && !former.is_amending()
        };
        let former = former.filter(rests).ok_or(LocalReject::Late)?;
        let same = former.instrument == intent.instrument && former.side == intent.side;
        if same { Ok(self.so_far_without(former, intent, replaces)) } else { Err(LocalReject::Limit) }
    }

    /// What the orders of the instrument have come to, so that the intent's whole quantity added to it is the worst that
    /// may come of it: an amended order has the larger of its two quantities; an order that is replaced may be filled but
    /// for its last lot and the new one whole.
    fn so_far_without(&self, former: &TrackedOrder, intent: &Intent, replaces: bool) -> OrdersSoFar {
        let mut so_far = OrdersSoFar::default();
        let left = |most: Lots, order: &TrackedOrder| i128::from(most.0.saturating_sub(order.lots_filled.0).max(0));
        let of_it = || self.orders.active().filter(|order| order.instrument == intent.instrument);
        // One request cancels it and only then places the other: the two are not open at once.
        let is_on_its_way_out = |id: OrderId| of_it().any(|other| other.replaces == id && other.phase == Phase::Sent);
        for order in of_it() {
            let is_former = order.order == former.order;
            so_far.open_orders += usize::from(order.is_open() && !is_former && !is_on_its_way_out(order.order));
            if order.side != intent.side {
                continue;
            }
            let most = if order.is_open() { order.lots_most().max(order.lots_stated) } else { order.lots_stated };
            so_far.lots_open += match is_former && !replaces {
                true => left(most.max(intent.lots), order) - i128::from(intent.lots.0),
                false => left(most, order),
            };
        }
        so_far.lots_moved = self.lots_moved_of(intent.instrument);
        so_far
    }

    /// The order stays as it is: nothing was asked of the venue.
    fn amend_refused_here(&mut self, order: OrderId, intent: &Intent, local: LocalReject, now: Nanos) {
        let base = refused_here(intent, local, now);
        let event = match self.orders.find(order) {
            Some(tracked) => ExecutionEvent { local, ..stands(tracked, VenueCode::NONE, now) },
            None => ExecutionEvent { order, kind: ExecutionKind::AmendRejected, ..base },
        };
        self.events.push_back(event);
    }

    fn replace_refused_here(&mut self, intent: &Intent, local: LocalReject, now: Nanos) {
        *self.counters.refused_here(local) += 1;
        self.events.push_back(refused_here(intent, local, now));
        self.amend_refused_here(intent.replaces, intent, local, now);
    }

    /// The venue answered an amendment with the order as it is now.
    pub(super) fn amended(&mut self, pending: &Pending, update: &OrderUpdate, now: Nanos) {
        if let Some(level) = update.in_force.filter(|_| update.order.is_none_or(|order| order == pending.order)) {
            self.orders.on_in_force(pending.order, level, None, now, &mut self.events);
        }
        self.apply_update(update, now);
        // An answer that shows neither is no answer: the order is asked for.
        self.amend_in_doubt(pending.order, now, now);
    }

    /// The venue refused an amendment.
    pub(super) fn amend_refused(&mut self, pending: &Pending, reaction: Reaction, refusal: &Refusal, now: Nanos) {
        match reaction {
            Reaction::Unknown => self.amend_in_doubt(pending.order, now, now),
            // It is so already: what is in force is asked for.
            Reaction::Ignore => self.amend_in_doubt(pending.order, now, now),
            _ => {
                self.counters.amends_refused += 1;
                self.orders.on_amend_refused(pending.order, refusal.code, now, &mut self.events);
                self.mark_no_fault(pending.order, reaction);
                if let Some(tracked) = self.orders.find_mut(pending.order).filter(|tracked| tracked.is_open()) {
                    tracked.query_at = tracked.query_at.min(now);
                }
            }
        }
    }

    /// It is not known what became of an amendment.
    pub(super) fn amend_in_doubt(&mut self, order: OrderId, query_at: Nanos, now: Nanos) {
        let is_amending = self.orders.find(order).is_some_and(TrackedOrder::is_amending);
        if is_amending {
            self.counters.unknown += 1;
            self.orders.on_amend_unknown(order, query_at, now, &mut self.events);
        }
    }

    /// Each half of a request to replace an order has an outcome of its own.
    pub(super) fn replaced(
        &mut self,
        pending: &Pending,
        canceled: ReplaceHalf<OrderUpdate>,
        placed: ReplaceHalf<VenueOrderId>,
        now: Nanos,
    ) {
        if let ReplaceHalf::Done(update) = &canceled {
            self.apply_update(update, now);
        }
        match placed {
            ReplaceHalf::Done(venue_order) => {
                self.counters.orders_accepted += 1;
                self.counters.orders_replaced += u64::from(matches!(canceled, ReplaceHalf::Done(_)));
                self.clock_refusals_in_row = 0;
                self.orders.on_placed(pending.order, venue_order, now, &mut self.events);
                self.after_update(pending.order, now);
            }
            ReplaceHalf::Refused(refusal) => {
                let reaction = self.side.reaction(RequestKind::Place, &refusal);
                self.place_refused(pending, reaction, &refusal, now);
            }
            ReplaceHalf::NotAttempted => self.place_refused(pending, NOT_ATTEMPTED, &not_attempted(), now),
            ReplaceHalf::Unknown => {
                self.counters.unknown += 1;
                self.orders.on_unknown(pending.order, now, now, &mut self.events);
            }
        }
        // Who hears that an order stands hears first what became of the one in its place.
        match canceled {
            ReplaceHalf::Done(_) => {}
            ReplaceHalf::Refused(refusal) => self.former_stands(pending.order, &refusal, now),
            ReplaceHalf::NotAttempted => self.former_stands(pending.order, &not_attempted(), now),
            ReplaceHalf::Unknown => self.former_in_doubt(pending.order, now),
        }
    }

    /// The venue refused a request to replace an order as a whole.
    pub(super) fn replace_refused(&mut self, pending: &Pending, reaction: Reaction, refusal: &Refusal, now: Nanos) {
        self.place_refused(pending, reaction, refusal, now);
        if reaction == Reaction::Unknown {
            self.former_in_doubt(pending.order, now);
        } else {
            self.former_stands(pending.order, refusal, now);
        }
    }

    /// It is not known what became of a request to replace an order: both orders are in doubt.
    pub(super) fn replace_in_doubt(&mut self, order: OrderId, now: Nanos) {
        self.former_in_doubt(order, now);
        self.counters.unknown += 1;
        self.orders.on_unknown(order, now, now, &mut self.events);
    }

    fn former_in_doubt(&mut self, order: OrderId, now: Nanos) {
        let former = self.orders.find(order).map_or(OrderId::NONE, |tracked| tracked.replaces);
        if self.orders.find(former).is_some_and(TrackedOrder::is_open) {
            self.counters.unknown += 1;
            self.orders.on_unknown(former, now, now, &mut self.events);
        }
    }

    /// The order that was to be replaced was not cancelled: it rests, or is gone for another reason, which is asked.
    fn former_stands(&mut self, order: OrderId, refusal: &Refusal, now: Nanos) {
        let former = self.orders.find(order).map_or(OrderId::NONE, |tracked| tracked.replaces);
        let Some(tracked) = self.orders.find_mut(former).filter(|tracked| tracked.is_open()) else { return };
        tracked.query_at = tracked.query_at.min(now);
        // The refusal is held against the order that was to come, not against this one as well.
        let event = ExecutionEvent { overtaken: true, ..stands(tracked, refusal.code, now) };
        self.events.push_back(event);
        self.counters.amends_refused += 1;
    }

    /// Marks the refusal that the engine is about to hear of as one that says nothing of the order.
    fn mark_no_fault(&mut self, order: OrderId, reaction: Reaction) {
        if let Some(event) = self.events.back_mut().filter(|event| event.order == order) {
            event.overtaken = event.kind == ExecutionKind::AmendRejected && super::replies::is_no_fault(reaction);
        }
    }
}

/// What the engine is told of an order that is as it was.
fn stands(tracked: &TrackedOrder, venue_code: VenueCode, time: Nanos) -> ExecutionEvent {
    ExecutionEvent { venue_code, ..tracked.event(ExecutionKind::AmendRejected, time) }
}

fn not_attempted() -> Refusal {
    Refusal { status: 400, code: VenueCode::NONE, message: "not attempted".to_owned(), retry_after: None }
}
