//! COLD: seeded faults: what goes wrong with frames, replies, connections and the clock, and when.

use crate::sim::api::{FrameFault, FrameKind, RequestFault, SimRequestKind};
use crate::sim::hostile::{AnswerFaultPlan, ExecutionFaultPlan, Hostile, ToldExecution};
use serde::Deserialize;
use spinbook_engine::types::Nanos;

use crate::random::Random;

/// Everything that shall go wrong. Times count from the start of the exchange.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct FaultPlan {
    /// Seed of the random faults.
    pub seed: u64,
    /// Faults of single market frames, by count.
    pub frames: Vec<FrameFaultPlan>,
    /// Random faults of market frames.
    pub random_frames: Option<RandomFrames>,
    /// Spans without market frames.
    pub silences: Vec<Silence>,
    /// Faults of single requests, by count.
    pub requests: Vec<RequestFaultPlan>,
    /// Executions that user data tells wrongly, or not at all.
    pub executions: Vec<ExecutionFaultPlan>,
    /// Answers over REST that are replaced.
    pub answers: Vec<AnswerFaultPlan>,
    /// Each stream connection is cut after this many market frames; `cuts_max` times in all.
    pub cut_after_frames: Option<u64>,
    /// How many connections are cut so; default one.
    pub cuts_max: Option<u64>,
    /// No connection is cut before clients have requested this many orders; default zero.
    pub cut_after_orders: u64,
    /// How many subscription acknowledgements are lost, from the first on.
    pub acknowledgements_lost: u32,
    /// The server's clock is ahead by this much (behind if negative).
    pub clock_ahead_ms: i64,
    /// The exchange dies after this long: every connection is cut, every request unanswered.
    pub kill_after_ms: Option<u64>,
}

/// Which frames a fault names.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum StreamName {
    /// Depth updates.
    Depth,
    /// Best bid/ask.
    BookTicker,
    /// Trades.
    Trade,
}

impl StreamName {
    fn matches(self, kind: FrameKind) -> bool {
        matches!(
            (self, kind),
            (StreamName::Depth, FrameKind::Depth)
                | (StreamName::BookTicker, FrameKind::Touch)
                | (StreamName::Trade, FrameKind::Trade)
        )
    }
}

/// What happens to one frame.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum FrameAction {
    /// Lost.
    Drop,
    /// Sent twice.
    Duplicate,
    /// Sent after the next one of its stream.
    Swap,
    /// Cut short.
    Malform,
    /// Blown up to `bytes`.
    Oversize,
}

/// A fault of the `nth` frame (from 1) of a stream.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct FrameFaultPlan {
    /// Which frame of its kind, from 1.
    pub nth: u64,
    /// What happens to it.
    pub action: FrameAction,
    /// Of which stream; default depth.
    #[serde(default = "depth")]
    pub stream: StreamName,
    /// Of which symbol; default any (then `nth` counts over all).
    #[serde(default)]
    pub symbol: Option<String>,
    /// Size of an oversized frame.
    #[serde(default = "oversize_bytes")]
    pub bytes: usize,
    /// Frames count only once clients have requested this many orders; default zero.
    #[serde(default)]
    pub after_orders: u64,
}

fn depth() -> StreamName {
    StreamName::Depth
}

fn oversize_bytes() -> usize {
    2 << 20
}

/// Random faults of depth frames, in millionths.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct RandomFrames {
    /// Lost.
    pub drop_millionths: u32,
    /// Sent twice.
    pub duplicate_millionths: u32,
    /// Swapped with the next.
    pub swap_millionths: u32,
    /// They end this long after the start of the exchange; default never.
    pub until_ms: Option<u64>,
}

/// A span without frames of a symbol, a stream, or all.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Silence {
    /// Of which symbol; default all.
    #[serde(default)]
    pub symbol: Option<String>,
    /// Of which stream; default all.
    #[serde(default)]
    pub stream: Option<StreamName>,
    /// From when.
    pub after_ms: u64,
    /// How long.
    pub for_ms: u64,
    /// `after_ms` counts from the first frame after clients have requested this many orders; default zero: from
    /// the start.
    #[serde(default)]
    pub after_orders: u64,
}

/// Kinds of request that a fault names.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum RequestName {
    /// A new order.
    Place,
    /// A cancel.
    Cancel,
    /// A depth snapshot.
    Snapshot,
    /// Anything else.
    Other,
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum RequestAction {
    /// Refused with `status`, `code`, `message`.
    Refuse,
    /// Handled, never answered.
    LoseReply,
    /// Answered `delay_ms` late.
    DelayReply,
}

/// A fault of the `nth` request (from 1) of its kind, and of `count` in a row.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct RequestFaultPlan {
    /// Kind of request.
    pub on: RequestName,
    /// Which, from 1.
    pub nth: u64,
    /// How many from there on.
    #[serde(default = "one")]
    pub count: u64,
    /// What happens.
    pub action: RequestAction,
    /// HTTP status of a refusal.
    #[serde(default = "bad_request")]
    pub status: u16,
    /// The venue's code of a refusal.
    #[serde(default)]
    pub code: i64,
    /// Text of a refusal.
    #[serde(default)]
    pub message: String,
    /// `Retry-After` of a refusal.
    #[serde(default)]
    pub retry_after_seconds: Option<u64>,
    /// How late a delayed answer comes.
    #[serde(default)]
    pub delay_ms: i64,
    /// Requests count only once clients have requested this many orders; default zero.
    #[serde(default)]
    pub after_orders: u64,
}

fn one() -> u64 {
    1
}

fn bad_request() -> u16 {
    400
}

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
            plan,
        }
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
    pub fn request(&mut self, kind: SimRequestKind) -> RequestFault {
        let name = match kind {
            SimRequestKind::Place => RequestName::Place,
            SimRequestKind::Cancel => RequestName::Cancel,
            SimRequestKind::Snapshot => RequestName::Snapshot,
            SimRequestKind::Other => RequestName::Other,
        };
        let orders_before = self.orders;
        self.orders += u64::from(name == RequestName::Place);
        let mut hit = None;
        for (fault, count) in self.plan.requests.iter().zip(&mut self.request_counts) {
            if fault.on != name || orders_before < fault.after_orders {
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

    /// How far the server's clock is ahead.
    #[must_use]
    pub fn clock_ahead(&self) -> Nanos {
        Nanos::from_millis(self.plan.clock_ahead_ms)
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
        if kill > now { kill } else { Nanos::NEVER }
    }
}
