//! HOT: the way of an order and of a cancel: an intent in, the check, the bytes on their way out. Allocates nothing.

use spinbook_engine::event::{ExecutionEvent, ExecutionKind, LocalReject};
use spinbook_engine::intent::{Intent, IntentKind};
use spinbook_engine::types::{EPOCH_REHEARSAL, InstrumentId, Nanos, OrderId, VenueCode};

use super::limits::OrdersSoFar;
use super::orders::{CancelState, FinalStatus, Phase, refused_here};
use super::outbox::{Purpose, Queued};
use super::throttle::Urgency;
use super::{Gateway, GatewayAction, GatewayMode, GatewayOutput, PENDING_REQUESTS_MAX, limits};
use crate::venue::instrument::Instrument;
use crate::venue::order_side::OrderSide;
use crate::venue::orders::{NewOrder, Request, RequestKind};

/// After an order that the journal refused none is taken for this long.
pub(super) const JOURNAL_PAUSE: Nanos = Nanos::from_seconds(1);

/// The instrument of an id.
#[inline]
pub(super) fn find(instruments: &[Instrument], id: InstrumentId) -> Option<&Instrument> {
    instruments.iter().find(|instrument| instrument.id == id)
}

/// By how many lots a fact moves the position of its instrument.
pub(super) fn lots_moved(event: &ExecutionEvent) -> i128 {
    match event.kind {
        ExecutionKind::Filled | ExecutionKind::Liquidated => {
            i128::from(event.lots.0) * i128::from(event.side.sign()) - i128::from(event.fee_lots.0)
        }
        _ => 0,
    }
}

impl<O: OrderSide> Gateway<O> {
    /// A decision of the engine.
    pub fn on_intent(&mut self, intent: &Intent, now: Nanos) {
        if intent.order.epoch() == EPOCH_REHEARSAL {
            return self.refuse_rehearsed(now);
        }
        if self.slowness.is_slow(intent.decided, now) {
            self.note_slow_intent(now);
        }
        match intent.kind {
            // It is encoded and queued at once; other things that are due wait for the next timer or frame.
            IntentKind::Place => return self.on_place(intent, now),
            IntentKind::Cancel => {
                self.cancel_origin = (intent.order, intent.origin_tsc);
                self.on_cancel(intent, now);
            }
            IntentKind::Replace => self.on_replace(intent, now),
            IntentKind::Amend => self.on_amend(intent, now),
        }
        self.pump(now);
        self.cancel_origin = (OrderId::NONE, 0);
    }

    /// An understudy's rings end where its engine is; whoever hands its orders on is broken, and nothing he says is
    /// trusted any more.
    #[cold]
    #[inline(never)]
    fn refuse_rehearsed(&mut self, now: Nanos) {
        self.counters.refused_rehearsed += 1;
        self.halt(
            "an order of a rehearsal came to the gateway: this is a mistake of the program, do not start it again",
            now,
        );
    }

    fn on_place(&mut self, intent: &Intent, now: Nanos) {
        self.counters.intents += 1;
        self.newest_place = self.newest_place.max(intent.order);
        if !self.cancelled_ahead.is_empty() && self.take_cancelled_ahead(intent.order) {
            self.refuse(intent, LocalReject::Late, now);
            return;
        }
        let checked = self.check_door(intent, RequestKind::Place, |gateway| Ok(gateway.orders_so_far(intent)), now);
        if let Err(local) = checked {
            self.refuse(intent, local, now);
            return;
        }
        // Before anything of it exists: an order that is not written down here is never sent.
        if self.journal.place(intent, || self.side.client_id(intent.order), now).is_err() {
            self.journal_refused(intent, now);
            return;
        }
        let valid_until = now + self.side.validity() + self.settings.validity_margin;
        self.orders.insert(intent, valid_until);
        let instrument = find(&self.instruments, intent.instrument).expect("the door found it");
        let order = new_order(instrument, intent);
        self.counters.orders_sent += 1;
        self.throttle.take(self.side.cost(RequestKind::Place), Some(intent.instrument), now);
        let connection = self.side.connection_of(RequestKind::Place);
        let purpose = Purpose { connection, order: intent.order, origin_tsc: intent.origin_tsc };
        let venue_now = self.clock.venue_time(now);
        self.outbox.send(&mut self.side, &Request::Place(order), purpose, venue_now, now);
        if self.settings.mode == GatewayMode::Shadow {
            self.shadow_accept(intent.order, now);
        }
    }

    /// No order is taken for a while; cancels go on.
    #[cold]
    #[inline(never)]
    fn journal_refused(&mut self, intent: &Intent, now: Nanos) {
        self.refuse(intent, LocalReject::Journal, now);
        self.pause(now + JOURNAL_PAUSE, VenueCode::NONE);
    }

    /// The door: every new order passes here, and every change of one, with what the orders of the instrument have come to
    /// beside it: that is asked for once session and deadline let it leave at all.
    #[inline(always)]
    pub(super) fn check_door(
        &mut self,
        intent: &Intent,
        kind: RequestKind,
        so_far: impl FnOnce(&Self) -> Result<OrdersSoFar, LocalReject>,
        now: Nanos,
    ) -> Result<(), LocalReject> {
        if !self.ready || self.halted.is_some() || self.shutting_down {
            return Err(LocalReject::NotConnected);
        }
        if now > intent.deadline {
            return Err(LocalReject::Late);
        }
        let limits = self.settings.limits.get(intent.instrument.index()).copied();
        let (Some(instrument), Some(limits)) = (find(&self.instruments, intent.instrument), limits) else {
            return Err(LocalReject::Limit);
        };
        let so_far = so_far(self)?;
        // An order that is amended is in the table, and may be one of an earlier run that was taken over.
        let is_new = kind != RequestKind::Amend;
        if is_new && (intent.order.epoch() != self.settings.epoch || self.orders.contains(intent.order)) {
            return Err(LocalReject::Limit);
        }
        limits::check(intent, instrument, &limits, &so_far)?;
        if (is_new && !self.orders.has_room()) || self.outbox.pending.len() >= PENDING_REQUESTS_MAX {
            return Err(LocalReject::TableFull);
        }
        let paused = now < self.paused_until.max(self.silent_until).max(self.banned_until);
        if paused || !self.throttle.allows(self.side.cost(kind), Urgency::Place, Some(intent.instrument), now) {
            return Err(LocalReject::Throttled);
        }
        Ok(())
    }

    /// What the orders of an intent's instrument have come to by this gateway's own account, which the engine's has no
    /// part in: facts that wait for the ring count as well.
    fn orders_so_far(&self, intent: &Intent) -> OrdersSoFar {
        let mut so_far = OrdersSoFar::default();
        for order in self.orders.active().filter(|order| order.instrument == intent.instrument) {
            so_far.open_orders += usize::from(order.is_open());
            if order.side == intent.side {
                // Over, but with executions on their way: those count too.
                let most = if order.is_open() { order.lots_most().max(order.lots_stated) } else { order.lots_stated };
                so_far.lots_open += i128::from(most.0.saturating_sub(order.lots_filled.0).max(0));
            }
        }
        so_far.lots_moved = self.lots_moved_of(intent.instrument);
        so_far
    }

    /// Lots bought less lots sold of an instrument, by the facts that were handed over and those that wait for it.
    #[inline(always)]
    pub(super) fn lots_moved_of(&self, instrument: InstrumentId) -> i128 {
        let waiting = self.events.iter().filter(|event| event.instrument == instrument).map(lots_moved);
        self.lots_moved.get(instrument.index()).map_or(0, |moved| *moved) + waiting.sum::<i128>()
    }

    fn refuse(&mut self, intent: &Intent, local: LocalReject, now: Nanos) {
        *self.counters.refused_here(local) += 1;
        self.events.push_back(refused_here(intent, local, now));
    }

    fn on_cancel(&mut self, intent: &Intent, now: Nanos) {
        self.journal.cancel_wanted(intent, now);
        let Some(tracked) = self.orders.find_mut(intent.order) else {
            // Cancels have a ring of their own, so this one may have overtaken its order: that must not be sent any more.
            let ahead = intent.order.epoch() == self.settings.epoch && intent.order > self.newest_place;
            if ahead && self.cancelled_ahead.len() < self.cancelled_ahead.capacity() {
                self.cancelled_ahead.push(intent.order); // bounded: never beyond the capacity it was made with
                return;
            }
            // It never got as far as the table, or is long over.
            let event = refused_here(intent, LocalReject::None, now);
            self.events.push_back(ExecutionEvent { kind: ExecutionKind::CancelRejected, ..event });
            return;
        };
        if tracked.is_open() && tracked.cancel == CancelState::None {
            tracked.cancel = CancelState::Wanted;
        } else if tracked.phase == Phase::Done(FinalStatus::Rejected) {
            self.cancel_refused_order(intent.order, now);
            return;
        }
        if self.settings.mode == GatewayMode::Shadow {
            self.shadow_cancel(intent.order, now);
        }
    }

    /// Whether the cancel of this order came before it; what is older will not come any more.
    #[cold]
    pub(super) fn take_cancelled_ahead(&mut self, order: OrderId) -> bool {
        let found = self.cancelled_ahead.contains(&order);
        self.cancelled_ahead.retain(|ahead| *ahead > order);
        found
    }

    /// The engine wants an order cancelled that is taken for refused: it may know better, and a cancel costs little.
    #[cold]
    #[inline(never)]
    fn cancel_refused_order(&mut self, order: OrderId, now: Nanos) {
        if let Some(connection) = self.cancel_path()
            && let Some(tracked) = self.orders.find(order)
            && self.settings.mode == GatewayMode::Live
            && now >= self.silent_until.max(self.banned_until)
        {
            let (instrument, venue_order) = (tracked.instrument, tracked.venue_order);
            self.counters.cancels_sent += 1;
            self.send_about(order, instrument, venue_order, RequestKind::Cancel, connection, now);
        }
    }

    /// The next thing to carry out; call until `None` after every other call.
    pub fn poll_output(&mut self) -> Option<GatewayOutput<'_>> {
        if let Some(event) = self.next_execution() {
            self.execution_taken();
            return Some(GatewayOutput::Execution(event));
        }
        self.poll_action().map(GatewayOutput::Action)
    }

    /// The oldest fact for the engine that was not taken yet, with the venue's name.
    #[inline]
    #[must_use]
    pub fn next_execution(&self) -> Option<ExecutionEvent> {
        self.events.front().map(|event| ExecutionEvent { venue: self.venue(), ..*event })
    }

    /// The fact that [`Gateway::next_execution`] showed has its place on the ring: it is not shown again.
    #[inline]
    pub fn execution_taken(&mut self) {
        if let Some(event) = self.events.pop_front() {
            if let Some(moved) = self.lots_moved.get_mut(event.instrument.index()) {
                *moved += lots_moved(&event);
            }
            let venue = self.venue();
            self.journal.fact(&ExecutionEvent { venue, ..event });
        }
    }

    /// Facts for the engine that were not taken yet.
    #[must_use]
    pub fn executions_waiting(&self) -> usize {
        self.events.len()
    }

    /// The next thing to carry out that is no fact for the engine: a driver that takes those as its ring has room asks
    /// for the rest here.
    #[inline]
    pub fn poll_action(&mut self) -> Option<GatewayAction<'_>> {
        match self.outbox.queue.pop_front()? {
            Queued::Connect { connection, target } => Some(GatewayAction::Connect { connection, target }),
            Queued::Close { connection, reason } => Some(GatewayAction::Close { connection, reason }),
            Queued::Ping { connection, mark } => Some(GatewayAction::Ping { connection, mark }),
            Queued::Ask { ticket, request } => Some(GatewayAction::Ask { ticket, request }),
            Queued::Send { connection, place, origin_tsc, order, kind } => {
                let bytes = self.outbox.message(place);
                Some(GatewayAction::Send { connection, bytes, origin_tsc, order, kind })
            }
        }
    }
}

/// The order that an intent asks for.
#[inline(always)]
pub(super) fn new_order<'a>(instrument: &'a Instrument, intent: &Intent) -> NewOrder<'a> {
    NewOrder {
        instrument,
        order: intent.order,
        side: intent.side,
        tick: intent.tick,
        lots: intent.lots,
        time_in_force: intent.time_in_force,
    }
}
