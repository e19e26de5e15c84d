//! COLD: seeded faults at work: what of a plan happens to this frame, request, connection or reading of the clock.

use crate::sim::api::{FrameFault, FrameKind, RequestFault, SimRequestKind};
use crate::sim::fault_plan::{
    FaultPlan, FrameAction, RandomFrames, RequestAction, UserDataFate, UserDataFault, VenueAct,
};
use crate::sim::hostile::{Hostile, ToldExecution};
use spinbook_engine::types::Nanos;
use std::collections::VecDeque;

use crate::random::Random;

/// A plan at work.
#[derive(Clone, Debug)]
pub struct Faults {
    plan: FaultPlan,
    started: Nanos,
    random: Random,
    /// Orders that were requested so far.
    orders: u64,
    frame_counts: Vec<u64>,
    request_counts: Vec<u64>,
    /// From when each silence counts, as soon as that is known.
    silences_from: Vec<Option<Nanos>>,
    cuts_left: u64,
    acknowledgements_left: u32,
    hostile: Hostile,
    /// What the venue does to all its clients, in order.
    acts: VecDeque<(Nanos, VenueAct)>,
    /// When positions are funded next in their turn.
    next_funding: Nanos,
}

impl Faults {
    /// Starts the plan's clock.
    #[must_use]
    pub fn new(plan: FaultPlan, now: Nanos) -> Faults {
        Faults {
            started: now,
            random: Random::new(plan.seed),
            orders: 0,
            frame_counts: vec![0; plan.frames.len()],
            request_counts: vec![0; plan.requests.len()],
            silences_from: plan.silences.iter().map(|silence| (silence.after_orders == 0).then_some(now)).collect(),
            cuts_left: plan.cuts_max.unwrap_or(1),
            acknowledgements_left: plan.acknowledgements_lost,
            hostile: Hostile::new(&plan.executions, &plan.answers),
            acts: acts_of(&plan, now),
            next_funding: plan.funding.map_or(Nanos::NEVER, |regular| next_multiple(now, regular.every_ms)),
            plan,
        }
    }

    /// The plan as it was written.
    #[must_use]
    pub fn plan(&self) -> &FaultPlan {
        &self.plan
    }

    /// What the venue does next to all its clients, if that is due.
    pub fn take_act(&mut self, now: Nanos) -> Option<VenueAct> {
        if let Some(regular) = self.plan.funding.filter(|_| self.next_funding <= now) {
            self.next_funding = next_multiple(now, regular.every_ms);
            return Some(VenueAct::FundAll);
        }
        self.acts.front().filter(|(at, _)| *at <= now)?;
        self.acts.pop_front().map(|(_, act)| act)
    }

    /// What becomes of the next frame.
    pub fn frame(&mut self, kind: FrameKind, symbol: &str, now: Nanos) -> FrameFault {
        let mut fault = FrameFault::None;
        for (planned, count) in self.plan.frames.iter().zip(&mut self.frame_counts) {
            let named = planned.symbol.as_deref().is_none_or(|name| name.eq_ignore_ascii_case(symbol));
            if !planned.stream.matches(kind) || !named || self.orders < planned.after_orders {
                continue;
            }
            *count += 1;
            if *count == planned.nth {
                fault = match planned.action {
                    FrameAction::Drop => FrameFault::Drop,
                    FrameAction::Duplicate => FrameFault::Twice,
                    FrameAction::Swap => FrameFault::Swap,
                    FrameAction::Malform => FrameFault::Malform,
                    FrameAction::Oversize => FrameFault::Oversize(planned.bytes),
                };
            }
        }
        if self.is_silent(kind, symbol, now) {
            return FrameFault::Drop;
        }
        match self.plan.random_frames {
            Some(random) if fault == FrameFault::None && kind == FrameKind::Depth && !self.is_over(random, now) => {
                self.random_fault(random)
            }
            _ => fault,
        }
    }

    fn is_over(&self, random: RandomFrames, now: Nanos) -> bool {
        let age_ms = u64::try_from((now - self.started).millis()).unwrap_or(0);
        random.until_ms.is_some_and(|until| age_ms >= until)
    }

    fn random_fault(&mut self, random: RandomFrames) -> FrameFault {
        if self.random.chance(random.drop_millionths) {
            FrameFault::Drop
        } else if self.random.chance(random.duplicate_millionths) {
            FrameFault::Twice
        } else if self.random.chance(random.swap_millionths) {
            FrameFault::Swap
        } else {
            FrameFault::None
        }
    }

    fn is_silent(&mut self, kind: FrameKind, symbol: &str, now: Nanos) -> bool {
        let mut silent = false;
        for (silence, from) in self.plan.silences.iter().zip(&mut self.silences_from) {
            if self.orders < silence.after_orders {
                continue;
            }
            let age_ms = u64::try_from((now - *from.get_or_insert(now)).millis()).unwrap_or(0);
            silent |= age_ms >= silence.after_ms
                && age_ms - silence.after_ms < silence.for_ms
                && silence.symbol.as_deref().is_none_or(|name| name.eq_ignore_ascii_case(symbol))
                && silence.stream.is_none_or(|stream| stream.matches(kind));
        }
        silent
    }

    /// What becomes of the next request.
    pub fn request(&mut self, kind: SimRequestKind, now: Nanos) -> RequestFault {
        let orders_before = self.orders;
        self.orders += u64::from(kind == SimRequestKind::Place);
        let age_ms = self.age_ms(now);
        let mut hit = None;
        for (fault, count) in self.plan.requests.iter().zip(&mut self.request_counts) {
            let is_in_time = fault.after_ms <= age_ms && fault.for_ms.is_none_or(|span| age_ms - fault.after_ms < span);
            if !fault.on.matches(kind) || orders_before < fault.after_orders || !is_in_time {
                continue;
            }
            *count += 1;
            if hit.is_none() && *count >= fault.nth && *count - fault.nth < fault.count {
                hit = Some(fault);
            }
        }
        match hit {
            None => RequestFault::None,
            Some(fault) => match fault.action {
                RequestAction::Refuse => RequestFault::Refuse {
                    status: fault.status,
                    code: fault.code,
                    message: fault.message.clone(),
                    retry_after_seconds: fault.retry_after_seconds,
                },
                RequestAction::LoseReply => RequestFault::LoseReply,
                RequestAction::DelayReply => RequestFault::DelayReply(Nanos::from_millis(fault.delay_ms)),
            },
        }
    }

    /// How user data tells of the next execution.
    pub fn execution(&mut self) -> ToldExecution {
        self.hostile.execution()
    }

    /// Status and body that are answered on a path of REST instead of the right ones; `None` for those.
    pub fn answer(&mut self, path: &str) -> Option<(u16, Vec<u8>)> {
        self.hostile.answer(path)
    }

    fn age_ms(&self, now: Nanos) -> u64 {
        u64::try_from((now - self.started).millis()).unwrap_or(0)
    }

    /// What becomes of the next request over the WebSocket API that no plan names.
    pub fn random_request(&mut self, now: Nanos) -> RequestFault {
        let age_ms = self.age_ms(now);
        let Some(random) = self.plan.random_requests.filter(|random| random.until_ms.is_none_or(|end| age_ms < end))
        else {
            return RequestFault::None;
        };
        let delay = Nanos::from_millis(1 + self.random.between(0, i64::from(random.delay_ms_max)));
        let outcomes = [
            (random.lose_request_millionths, RequestFault::LoseRequest),
            (random.lose_reply_millionths, RequestFault::LoseReply),
            (random.delay_request_millionths, RequestFault::DelayRequest(delay)),
            (random.delay_reply_millionths, RequestFault::DelayReply(delay)),
            (random.duplicate_reply_millionths, RequestFault::ReplyTwice),
            (random.busy_millionths, RequestFault::Busy),
            (random.unknown_millionths, RequestFault::HideOutcome),
        ];
        let mut drawn = u32::try_from(self.random.below(1_000_000)).unwrap_or(0);
        for (millionths, fault) in outcomes {
            if drawn < millionths {
                return fault;
            }
            drawn -= millionths;
        }
        RequestFault::None
    }

    /// What becomes of the next message of user data.
    pub fn user_data(&mut self, now: Nanos) -> UserDataFate {
        let age_ms = self.age_ms(now);
        let covers = |fault: &&UserDataFault| fault.after_ms <= age_ms && age_ms - fault.after_ms < fault.for_ms;
        if let Some(fault) = self.plan.user_data.iter().find(covers) {
            return fault
                .delay_ms
                .map_or(UserDataFate::Lost, |ms| UserDataFate::Late(Nanos::from_millis(i64::from(ms))));
        }
        let Some(random) = self.plan.random_user_data.filter(|random| random.until_ms.is_none_or(|end| age_ms < end))
        else {
            return UserDataFate::Sent;
        };
        if self.random.chance(random.drop_millionths) {
            UserDataFate::Lost
        } else if self.random.chance(random.duplicate_millionths) {
            UserDataFate::Twice
        } else if self.random.chance(random.delay_millionths) {
            UserDataFate::Late(Nanos::from_millis(1 + self.random.between(0, i64::from(random.delay_ms_max))))
        } else {
            UserDataFate::Sent
        }
    }

    /// How far the server's clock is ahead.
    #[must_use]
    pub fn clock_ahead(&self, now: Nanos) -> Nanos {
        let age_ms = self.age_ms(now);
        let Some(step) = self.plan.clock_steps.iter().rev().find(|step| step.after_ms <= age_ms) else {
            return Nanos::from_millis(self.plan.clock_ahead_ms);
        };
        let since_ms = i64::try_from(age_ms - step.after_ms).unwrap_or(i64::MAX);
        let drifted = since_ms.saturating_mul(step.drift_millionths) / 1_000_000;
        Nanos::from_millis(step.ahead_ms.saturating_add(drifted))
    }

    /// Whether a connection over which `frames` frames were sent is cut now; that uses up one cut.
    pub fn cut(&mut self, frames: u64) -> bool {
        let due = self.cuts_left > 0
            && self.orders >= self.plan.cut_after_orders
            && self.plan.cut_after_frames.is_some_and(|after| frames >= after);
        self.cuts_left -= u64::from(due);
        due
    }

    /// Whether the next acknowledgement is lost.
    pub fn loses_acknowledgement(&mut self) -> bool {
        let loses = self.acknowledgements_left > 0;
        self.acknowledgements_left -= u32::from(loses);
        loses
    }

    /// When the exchange dies.
    #[must_use]
    pub fn kill_at(&self) -> Nanos {
        match self.plan.kill_after_ms {
            None => Nanos::NEVER,
            Some(ms) => self.started + Nanos::from_millis(i64::try_from(ms).unwrap_or(i64::MAX / 1_000_000)),
        }
    }

    /// Whether the exchange is dead.
    #[must_use]
    pub fn is_killed(&self, now: Nanos) -> bool {
        now >= self.kill_at()
    }

    /// When a fault next changes something by itself; `NEVER` if none does.
    #[must_use]
    pub fn next_deadline(&self, now: Nanos) -> Nanos {
        let kill = self.kill_at();
        let kill = if kill > now { kill } else { Nanos::NEVER };
        self.acts.front().map_or(kill, |(at, _)| kill.min(*at)).min(self.next_funding)
    }
}

/// The first whole multiple of an interval after a moment.
fn next_multiple(now: Nanos, every_ms: u64) -> Nanos {
    let every = i64::try_from(every_ms.max(1)).unwrap_or(i64::MAX / 1_000_000);
    Nanos::from_millis((now.millis().div_euclid(every) + 1).saturating_mul(every))
}

fn acts_of(plan: &FaultPlan, started: Nanos) -> VecDeque<(Nanos, VenueAct)> {
    let at = |ms: u64| started + Nanos::from_millis(i64::try_from(ms).unwrap_or(i64::MAX / 1_000_000));
    let mut acts: Vec<(Nanos, VenueAct)> = plan.bans_after_ms.iter().map(|ms| (at(*ms), VenueAct::Ban)).collect();
    for shutdown in &plan.shutdowns {
        let announced = at(shutdown.after_ms);
        acts.push((announced, VenueAct::Announce));
        let closed = at(shutdown.after_ms.saturating_add(shutdown.notice_ms));
        acts.push((closed, VenueAct::Close { announced }));
    }
    for (place, funding) in plan.fundings.iter().enumerate() {
        acts.push((at(funding.after_ms), VenueAct::Fund(place)));
    }
    for (place, transfer) in plan.transfers.iter().enumerate() {
        acts.push((at(transfer.after_ms), VenueAct::Transfer(place)));
    }
    for (place, liquidation) in plan.liquidations.iter().enumerate() {
        acts.push((at(liquidation.after_ms), VenueAct::Liquidate(place)));
    }
    acts.sort_by_key(|(at, _)| *at);
    acts.into()
}
