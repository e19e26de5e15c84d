//! COLD: what comes back: replies by request, order events, and the reactions to refusals.

use spinbook_engine::event::{ExecutionEvent, ExecutionKind};
use spinbook_engine::types::{Nanos, OrderId, VenueCode};

use super::lifecycle::SessionStep;
use super::order_id::OrderOrigin;
use super::orders::{Applied, CancelState, Phase};
use super::outbox::Pending;
use super::place::find;
use super::{Gateway, GatewayMode, OrderCloseReason, fees};
use crate::journal::end::EndProof;
use crate::venue::order_side::{HandshakeStep, OrderConnection, OrderSide, Reaction};
use crate::venue::orders::{
    FillNotice, OrderMessage, OrderStatus, OrderUpdate, Refusal, Reply, ReplyBody, RequestId, RequestKind,
};

/// Messages of one connection that may be beyond understanding before it is replaced.
const BAD_FRAMES_MAX: u32 = 5;
/// Refusals of the clock in a row before a human is needed.
const CLOCK_REFUSALS_MAX: u32 = 5;
/// Wait where the venue refuses for its rate windows without saying how long.
const PAUSE_DEFAULT: Nanos = Nanos::from_seconds(10);
/// Wait where the venue refuses everything without saying how long.
const SILENCE_DEFAULT: Nanos = Nanos::from_seconds(60);
/// Wait where the venue is busy.
const BUSY_PAUSE: Nanos = Nanos::from_millis(500);
/// A cancel that failed is tried again after this.
const CANCEL_RETRY: Nanos = Nanos::from_millis(200);
/// The same where the venue does not know the order: twice as long with each further attempt, so many times.
const CANCEL_RETRY_DOUBLINGS: u32 = 2;
/// After a fast fill notice the full event is awaited this long before the order is asked for.
const NOTICE_GRACE: Nanos = Nanos::from_seconds(2);

/// Whether a refusal says nothing of the order itself: the market had overtaken it, or the venue took none just then for
/// a reason that this gateway waits for, and that it judges by itself where it lasts.
pub(super) fn is_no_fault(reaction: Reaction) -> bool {
    matches!(
        reaction,
        Reaction::Reprice
            | Reaction::Backoff
            | Reaction::PauseOrders
            | Reaction::PauseAll
            | Reaction::Banned
            | Reaction::ResyncClock
    )
}

impl<O: OrderSide> Gateway<O> {
    pub(super) fn apply_frame(&mut self, connection: OrderConnection, frame: &[u8], now: Nanos) {
        self.link(connection).heard(now);
        let message = match self.side.decode(&self.instruments, frame) {
            Ok(message) => message,
            Err(_) => {
                self.bad_frame(connection, now);
                return;
            }
        };
        self.proof = EndProof::UserData;
        match message {
            OrderMessage::Reply(reply) => self.apply_reply(reply, now),
            OrderMessage::Update(update) => {
                if let (Some(level), Some(order)) = (update.in_force, update.order) {
                    self.orders.on_in_force(order, level, None, now, &mut self.events);
                }
                self.apply_update(&update, now);
            }
            OrderMessage::FillNotice(notice) => self.apply_notice(&notice, now),
            OrderMessage::Positions(rows) => self.on_held(&rows, now),
            OrderMessage::Moved(moved) => self.money_moved(&moved, now),
            OrderMessage::VenueOrder(update) => self.venue_order(&update, now),
            OrderMessage::UserDataEnded if self.has_user_data_connection() => {
                self.close(OrderConnection::UserData, OrderCloseReason::Announced, now);
            }
            OrderMessage::UserDataEnded => self.user_data_lost(now),
            OrderMessage::ServerShutdown => self.leave(connection, OrderCloseReason::Announced, now),
            OrderMessage::Balances | OrderMessage::OtherInstrument | OrderMessage::Other => {}
        }
    }

    /// Something may have been missed: every order is asked for, and too many such messages end the connection.
    fn bad_frame(&mut self, connection: OrderConnection, now: Nanos) {
        self.counters.bad_frames += 1;
        self.mark_all_unknown(now);
        if self.link(connection).bad_frame(now) > BAD_FRAMES_MAX {
            self.leave(connection, OrderCloseReason::BadFrames, now);
        }
    }

    /// A connection is to be closed, if it carries orders not before they are cancelled over it.
    fn leave(&mut self, connection: OrderConnection, reason: OrderCloseReason, now: Nanos) {
        match connection {
            OrderConnection::Orders => self.leave_orders(reason, now),
            OrderConnection::UserData | OrderConnection::Spare => self.close(connection, reason, now),
        }
    }

    pub(super) fn apply_update(&mut self, update: &OrderUpdate, now: Nanos) {
        let Some(instrument) = find(&self.instruments, update.instrument) else {
            return;
        };
        let unknown_before = self.orders.active().filter(|order| order.phase == Phase::Unknown).count();
        let update = &self.earlier.named(fees::valued(&self.settings.fee_prices, update));
        let applied = self.orders.on_update(update, instrument, now, &mut self.events);
        let unknown_after = self.orders.active().filter(|order| order.phase == Phase::Unknown).count();
        self.counters.unknown += unknown_after.saturating_sub(unknown_before) as u64;
        match applied {
            Applied::Known(order) => self.after_update(order, now),
            Applied::ThirdParty { filled } => self.third_party_order(update, filled, now),
            Applied::Duplicate => {}
        }
        if self.orders.counters().overfills > 0 && self.halted.is_none() {
            self.halt_with(
                VenueCode::NONE,
                "an order was filled for more than was ordered: compare trades by hand".to_owned(),
                now,
            );
        }
    }

    /// An order as an answer lists it that was asked for at `asked`.
    pub(super) fn apply_row(&mut self, row: &OrderUpdate, asked: Nanos, now: Nanos) {
        if let (Some(level), Some(order)) = (row.in_force, row.order) {
            self.orders.on_in_force(order, level, Some(asked), now, &mut self.events);
        }
        self.apply_update(row, now);
    }

    /// An order that turns out to live while everything is being cancelled is cancelled too.
    pub(super) fn after_update(&mut self, order: OrderId, now: Nanos) {
        let of_stopped = || self.orders.find(order).is_some_and(|tracked| self.is_stopped(tracked.instrument));
        let unwanted = self.shutting_down
            || (!self.ready && self.adoption.is_over())
            || (!self.stopped.is_empty() && of_stopped());
        if unwanted && self.settings.mode == GatewayMode::Live {
            self.want_cancel(order, now);
        }
    }

    /// An order that is not in the table. Leftovers of earlier runs are cancelled at the start; anything else means
    /// that another program or a human trades on this account.
    pub(super) fn third_party_order(&mut self, update: &OrderUpdate, filled: bool, now: Nanos) {
        match OrderOrigin::of(update.order, self.settings.epoch) {
            // Ours, and nobody counts on it: it is cancelled, by the venue's own name for it.
            OrderOrigin::ThisRun(order) | OrderOrigin::EarlierRun(order) => {
                if update.status == OrderStatus::Live {
                    self.cancel_stray(order, update, now);
                }
            }
            OrderOrigin::LaterRun(order) => {
                self.counters.third_party_orders += 1;
                let message = format!(
                    "order {} comes from a later run than this one: another copy of this program trades on this \
                     account, or this machine's clock went back; stop the other one",
                    self.side.client_id(order).as_str()
                );
                self.halt_with(VenueCode::NONE, message, now);
            }
            OrderOrigin::ThirdParty => {
                self.counters.third_party_orders += 1;
                let alive = filled || matches!(update.status, OrderStatus::Live | OrderStatus::Unknown);
                if alive && self.ready && self.settings.halt_on_third_party {
                    let message = format!(
                        "order {} on this account is not ours: somebody else trades on it; stop that, or give this \
                         program an account of its own",
                        update.venue_order
                    );
                    self.halt_with(VenueCode::NONE, message, now);
                }
            }
        }
    }

    /// The fill itself is counted when the full event comes, since only that one states the fee.
    fn apply_notice(&mut self, notice: &FillNotice, now: Nanos) {
        self.counters.fill_notices += 1;
        if let Some(order) = notice.order
            && let Some(tracked) = self.orders.find_mut(order)
            && !tracked.is_done()
        {
            tracked.query_at = tracked.query_at.min(now + NOTICE_GRACE);
        }
    }

    fn apply_reply(&mut self, reply: Reply, now: Nanos) {
        self.throttle.observe(&reply.usage, now);
        let Some(pending) = self.outbox.pending.remove(&reply.id).filter(|pending| pending.kind == reply.kind) else {
            self.counters.stray_replies += 1;
            return;
        };
        self.learn_from(pending.kind);
        let own_step = self.step_request == Some(reply.id);
        if own_step {
            self.step_request = None;
        }
        match reply.outcome {
            Ok(body) => self.succeeded(reply.id, &pending, own_step, body, now),
            Err(refusal) => {
                let reaction = self.side.reaction(pending.kind, &refusal);
                if reaction != Reaction::Ignore {
                    self.last_refusal = Some(refusal.to_string());
                }
                // A request that lay on its way for as long as it is valid is refused for that, whatever the clocks say:
                // the venue or the network stood still.
                let doubt = self.clock.uncertainty().min(Nanos(self.side.validity().0 / 2));
                let was_late = now - pending.sent + doubt >= self.side.validity();
                self.react_globally(reaction, &refusal, (pending.sent, was_late), now);
                self.note_cancel_answer(&pending, Some(reaction), now);
                match pending.kind {
                    RequestKind::Place => self.place_refused(&pending, reaction, &refusal, now),
                    RequestKind::Replace => self.replace_refused(&pending, reaction, &refusal, now),
                    RequestKind::Amend => self.amend_refused(&pending, reaction, &refusal, now),
                    RequestKind::Cancel => {
                        self.counters.cancels_refused += 1;
                        self.cancel_refused(&pending, reaction, &refusal, now);
                    }
                    RequestKind::LogOn if pending.connection == OrderConnection::Spare => {
                        self.spare_logged_on(false, now);
                    }
                    RequestKind::CancelAll => self.sweep_refused(reply.id, reaction, &refusal, now),
                    RequestKind::OrderStatus if reaction == Reaction::NotFound => {
                        let asked = (pending.sent, Some(pending.connection));
                        self.order_not_found(pending.order, asked, refusal.code, now);
                    }
                    RequestKind::OrderStatus | RequestKind::Fills => self.query_failed(pending.order, now),
                    // The key is gone, and with it the events: a new one, and every order is asked for.
                    RequestKind::KeepUserData if reaction == Reaction::RestartUserData => {
                        self.close(OrderConnection::UserData, OrderCloseReason::Announced, now);
                    }
                    RequestKind::OpenOrders if self.poll.request == Some(reply.id) => self.poll_over(now),
                    _ if own_step => self.step_refused(reaction, &refusal, now),
                    _ => {}
                }
            }
        }
    }

    fn succeeded(&mut self, id: RequestId, pending: &Pending, own_step: bool, body: ReplyBody, now: Nanos) {
        self.note_cancel_answer(pending, None, now);
        match (pending.kind, body) {
            (RequestKind::ServerTime, ReplyBody::ServerTime(venue)) => {
                let spare = pending.connection == OrderConnection::Spare;
                if !spare || !self.clock.is_known() {
                    self.clock_sampled = now;
                    self.clock.sample(venue, pending.sent, now);
                }
                if !spare {
                    self.clock_measured = now;
                }
            }
            (RequestKind::LogOn, _) if pending.connection == OrderConnection::Spare => self.spare_logged_on(true, now),
            (RequestKind::LogOn, _) if own_step => {
                if let Some(HandshakeStep::LogOn(connection)) = self.handshake_step() {
                    self.side.set_logged_on(connection, true);
                    self.link(connection).usable = true;
                }
                self.handshake_step_done(now);
            }
            (RequestKind::SubscribeUserData, _) if own_step => self.handshake_step_done(now),
            (RequestKind::StartUserData, ReplyBody::UserDataKey(key)) if own_step => {
                self.user_data_key = key;
                self.handshake_step_done(now);
            }
            (RequestKind::OpenOrders, ReplyBody::Orders(rows)) if own_step => self.open_orders_listed(&rows, now),
            (RequestKind::OpenOrders, ReplyBody::Orders(rows)) if self.poll.request == Some(id) => {
                self.open_orders_polled(&rows, pending.sent, now);
            }
            (RequestKind::CancelAll, ReplyBody::Orders(rows)) => self.swept(id, &rows, now),
            (RequestKind::CancelAll, _) => self.swept(id, &[], now),
            (RequestKind::Place, ReplyBody::Placed(venue_order)) => {
                self.counters.orders_accepted += 1;
                self.clock_refusals_in_row = 0;
                self.orders.on_placed(pending.order, venue_order, now, &mut self.events);
                self.after_update(pending.order, now);
            }
            (RequestKind::Replace, ReplyBody::Replaced { canceled, placed }) => {
                self.replaced(pending, canceled, placed, now);
            }
            (RequestKind::Amend, ReplyBody::Order(update)) => self.amended(pending, &update, now),
            (RequestKind::Cancel, ReplyBody::Order(update)) => {
                if let Some(tracked) = self.orders.find_mut(pending.order) {
                    tracked.cancel = CancelState::None;
                }
                self.apply_update(&update, now);
            }
            (RequestKind::OrderStatus, ReplyBody::Order(update)) => {
                self.apply_row(&update, pending.sent, now);
                self.query_answered(pending.order, now);
            }
            (RequestKind::Fills, ReplyBody::Fills(rows)) => {
                rows.iter().for_each(|row| self.apply_update(row, now));
            }
            (
                RequestKind::LogOn
                | RequestKind::SubscribeUserData
                | RequestKind::StartUserData
                | RequestKind::OpenOrders
                | RequestKind::KeepUserData,
                _,
            ) if !own_step => {}
            // An answer of another form than its question: as good as none.
            (kind, _) => {
                self.counters.bad_frames += u64::from(kind != RequestKind::KeepUserData);
                if own_step {
                    self.step_failed(now);
                }
                self.lose(id, pending, now);
            }
        }
    }

    fn open_orders_listed(&mut self, rows: &[OrderUpdate], now: Nanos) {
        let SessionStep::Query(place) = self.step else { return };
        let instrument = self.instruments[place].id;
        let rows: Vec<_> = rows.iter().filter(|row| row.instrument == instrument).collect();
        if !self.adoption.is_over() {
            return self.adoption_listed(place, &rows, now);
        }
        for row in &rows {
            if self.step_attempts == 0 {
                self.note_leftover(row);
            }
            self.apply_update(row, now);
        }
        self.on_open_orders(place, rows.len(), now);
    }

    /// Counts an order of an earlier run that was still open.
    pub(super) fn note_leftover(&mut self, row: &OrderUpdate) {
        let earlier = matches!(OrderOrigin::of(row.order, self.settings.epoch), OrderOrigin::EarlierRun(_));
        self.counters.leftover_orders += u64::from(earlier);
    }

    /// What a refusal means beyond the request it refused.
    pub(super) fn react_globally(
        &mut self,
        reaction: Reaction,
        refusal: &Refusal,
        (sent, was_late): (Nanos, bool),
        now: Nanos,
    ) {
        let until = |default: Nanos, clock: &super::VenueClock| {
            refusal.retry_after.map_or(now + default, |at| clock.local_time(at).max(now))
        };
        match reaction {
            Reaction::PauseOrders => {
                let until = until(PAUSE_DEFAULT, &self.clock);
                self.pause(until, refusal.code);
            }
            Reaction::PauseAll => {
                let until = until(SILENCE_DEFAULT, &self.clock);
                self.silent_until = self.silent_until.max(until);
                self.pause(until, refusal.code);
            }
            Reaction::Banned => {
                let until = until(SILENCE_DEFAULT, &self.clock);
                self.banned_until = self.banned_until.max(until);
                // It takes no connections from this address either.
                self.links.iter_mut().for_each(|link| link.refused_until = link.refused_until.max(until));
                self.pause(until, refusal.code);
            }
            Reaction::Backoff => self.pause(now + BUSY_PAUSE, refusal.code),
            Reaction::ResyncClock if was_late => self.counters.late_refusals += 1,
            Reaction::ResyncClock => {
                self.counters.clock_refusals += 1;
                // What was stamped before the clock was measured says nothing of what was measured.
                if sent >= self.clock_sampled && self.clock_sampled >= self.clock_refused {
                    self.clock_refusals_in_row += 1;
                    self.clock_refused = now;
                }
                self.clock.restart();
                self.clock_measured = now;
                if self.clock_refusals_in_row > CLOCK_REFUSALS_MAX {
                    let message = "the venue refuses our timestamps although its clock was measured: check this \
                                   machine's clock and the receive window";
                    self.halt_with(refusal.code, message.to_owned(), now);
                }
            }
            Reaction::RefreshInstrument => {
                self.counters.instrument_refusals += 1;
                self.rules_refusal = Some(refusal.to_string());
            }
            Reaction::Halt => self.halt_with(refusal.code, self.key_message(refusal), now),
            Reaction::Configuration => {
                self.halt_with(refusal.code, format!("the venue refuses these settings: {refusal}"), now);
            }
            _ => {}
        }
    }

    pub(super) fn pause(&mut self, until: Nanos, code: VenueCode) {
        if until > self.paused_until {
            self.paused_until = until;
            self.counters.pauses += 1;
            self.emit(ExecutionKind::Pause, code, until);
        }
    }

    pub(super) fn place_refused(&mut self, pending: &Pending, reaction: Reaction, refusal: &Refusal, now: Nanos) {
        if reaction == Reaction::Unknown {
            self.counters.unknown += 1;
            self.orders.on_unknown(pending.order, now + CANCEL_RETRY, now, &mut self.events);
        } else {
            self.counters.orders_refused += 1;
            self.orders.on_refused(pending.order, refusal.code, now, &mut self.events);
            if let Some(event) = self.events.back_mut().filter(|event| event.order == pending.order) {
                event.overtaken = event.kind == ExecutionKind::Rejected && is_no_fault(reaction);
            }
        }
    }

    fn cancel_refused(&mut self, pending: &Pending, reaction: Reaction, refusal: &Refusal, now: Nanos) {
        let shutting_down = self.shutting_down;
        let Some(tracked) = self.orders.find_mut(pending.order) else {
            return;
        };
        if tracked.is_done() {
            return;
        }
        match reaction {
            Reaction::QueryOrder | Reaction::NotFound => {
                // Gone, or not there yet. Where the place has not been answered it stays wanted.
                let unproved = !tracked.accepted;
                let wanted = unproved || shutting_down;
                tracked.cancel = if wanted { CancelState::Wanted } else { CancelState::None };
                // The venue may take it as long as it is valid, and it may be the next message to arrive.
                let doublings = tracked.cancel_attempts.saturating_sub(1).min(CANCEL_RETRY_DOUBLINGS);
                tracked.cancel_at = now + Nanos(CANCEL_RETRY.0 << doublings);
                tracked.query_at = tracked.query_at.min(now);
                if !unproved {
                    let told = tracked.event(ExecutionKind::CancelRejected, now);
                    let event = ExecutionEvent { venue_code: refusal.code, ..told };
                    self.events.push_back(event);
                }
            }
            _ => {
                // Not about the order: a cancel is never dropped.
                tracked.cancel = CancelState::Wanted;
                tracked.cancel_at = now + CANCEL_RETRY;
                if reaction == Reaction::Unknown {
                    tracked.query_at = tracked.query_at.min(now + CANCEL_RETRY);
                }
            }
        }
    }

    fn step_refused(&mut self, reaction: Reaction, refusal: &Refusal, now: Nanos) {
        match (self.handshake_step(), reaction) {
            (_, Reaction::ResyncClock) if self.clock_refusals_in_row > CLOCK_REFUSALS_MAX => {
                self.stop_with(refusal.code, "the venue refuses our timestamps".to_owned(), now);
            }
            // The step is repeated with the right time, after a while if it was not the first time.
            (Some(step), Reaction::ResyncClock) if step != HandshakeStep::Clock => {
                self.repeat_from_clock(now);
                // One that was refused because it came late is no refusal of the clock, and waits once.
                let pauses = self.clock_refusals_in_row.checked_sub(1).unwrap_or(1);
                self.step_not_before = now + Nanos(BUSY_PAUSE.0 * i64::from(pauses));
            }
            (
                _,
                Reaction::PauseAll | Reaction::PauseOrders | Reaction::Banned | Reaction::Backoff | Reaction::Unknown,
            ) => self.step_failed(now),
            (_, Reaction::Halt | Reaction::Configuration) => {
                let message = self.key_message(refusal);
                self.stop_with(refusal.code, message, now);
            }
            // The connection has no time request: our own clock is used, and a refused timestamp tells if it is off.
            (Some(HandshakeStep::Clock), _) => {
                self.clock.skip();
                self.clock_sampled = now;
            }
            // What it asks for is there already.
            (Some(step), Reaction::Ignore) if !step.is_for_orders() => self.handshake_step_done(now),
            (Some(HandshakeStep::LogOn(_)), _) => {
                self.stop_with(refusal.code, format!("log-on refused: {refusal}"), now);
            }
            _ => self.step_failed(now),
        }
    }

    /// The refusal and what a human has to do about it.
    pub(super) fn key_message(&self, refusal: &Refusal) -> String {
        let advice = self.side.advice(refusal).unwrap_or("check the key, its permissions and the settings");
        format!("{refusal}; {advice}")
    }
}
