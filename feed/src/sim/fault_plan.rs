//! COLD: plans of faults as they are written: what goes wrong with frames, requests, connections and the clock, and when.

use serde::Deserialize;
use spinbook_engine::types::Nanos;

use crate::sim::api::{FrameKind, SimRequestKind};
use crate::sim::hostile::{AnswerFaultPlan, ExecutionFaultPlan};
use crate::sim::money_plan::{FundingPlan, LiquidationPlan, RegularFunding, TransferPlan};

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
    /// Random faults of requests over the WebSocket API.
    pub random_requests: Option<RandomRequests>,
    /// Random faults of user data's messages.
    pub random_user_data: Option<RandomUserData>,
    /// Spans in which user data's messages are lost or late.
    pub user_data: Vec<UserDataFault>,
    /// The server's clock is ahead by this much (behind if negative).
    pub clock_ahead_ms: i64,
    /// Later it is ahead by something else, or drifts; in order.
    pub clock_steps: Vec<ClockStep>,
    /// Shutdowns that the venue announces.
    pub shutdowns: Vec<PlannedShutdown>,
    /// Moments, in milliseconds, at which the address is banned for what somebody else at it does: 2 minutes the first
    /// time, then twice as long each time, 3 days at the most.
    pub bans_after_ms: Vec<u64>,
    /// Funding at regular times; default none.
    pub funding: Option<RegularFunding>,
    /// Fundings out of turn.
    pub fundings: Vec<FundingPlan>,
    /// Transfers to accounts and from them.
    pub transfers: Vec<TransferPlan>,
    /// Positions that the venue closes itself.
    pub liquidations: Vec<LiquidationPlan>,
    /// The exchange dies after this long: every connection is cut, every request unanswered.
    pub kill_after_ms: Option<u64>,
}

/// The venue says that it closes every connection that stands, and does so a while later.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct PlannedShutdown {
    /// When it says so.
    pub after_ms: u64,
    /// How long after that the connections are closed; default ten minutes.
    #[serde(default = "ten_minutes_ms")]
    pub notice_ms: u64,
}

fn ten_minutes_ms() -> u64 {
    600_000
}

/// What the venue does to all its clients at a moment of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VenueAct {
    /// It announces a shutdown.
    Announce,
    /// It closes what stood when it announced it.
    Close {
        /// When it did.
        announced: Nanos,
    },
    /// It bans the address.
    Ban,
    /// Every position pays or receives its funding.
    FundAll,
    /// The funding at this place of the plan.
    Fund(usize),
    /// The transfer at this place.
    Transfer(usize),
    /// The liquidation at this place.
    Liquidate(usize),
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
    pub(super) fn matches(self, kind: FrameKind) -> bool {
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
    /// The server's clock; it counts as another request too.
    Time,
    /// User data's subscription over the WebSocket API.
    UserData,
    /// Anything else.
    Other,
}

impl RequestName {
    pub(super) fn matches(self, kind: SimRequestKind) -> bool {
        match kind {
            SimRequestKind::Place => self == RequestName::Place,
            SimRequestKind::Cancel => self == RequestName::Cancel,
            SimRequestKind::Snapshot => self == RequestName::Snapshot,
            SimRequestKind::Time => matches!(self, RequestName::Time | RequestName::Other),
            SimRequestKind::UserData => self == RequestName::UserData,
            SimRequestKind::Other => self == RequestName::Other,
        }
    }
}

/// From a moment on the server's clock is ahead by something else.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct ClockStep {
    /// From when.
    pub after_ms: u64,
    /// How far ahead it is then (behind if negative).
    pub ahead_ms: i64,
    /// How much farther it goes ahead from there on, in millionths of the time.
    pub drift_millionths: i64,
}

/// Random faults of requests over the WebSocket API, in millionths of the requests. Those of orders, cancels, questions
/// and the clock alike.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct RandomRequests {
    /// Never handled, never answered.
    pub lose_request_millionths: u32,
    /// Handled, never answered.
    pub lose_reply_millionths: u32,
    /// Handled late, and so answered late; a request about the same order may be handled before.
    pub delay_request_millionths: u32,
    /// Handled in time, answered late.
    pub delay_reply_millionths: u32,
    /// Answered twice.
    pub duplicate_reply_millionths: u32,
    /// Refused, because the venue is busy: not handled.
    pub busy_millionths: u32,
    /// Handled, and answered that the outcome is not known.
    pub unknown_millionths: u32,
    /// The longest delay.
    pub delay_ms_max: u32,
    /// They end this long after the start of the exchange; default never.
    pub until_ms: Option<u64>,
}

/// Random faults of user data's messages, in millionths of them.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct RandomUserData {
    /// Lost.
    pub drop_millionths: u32,
    /// Sent twice.
    pub duplicate_millionths: u32,
    /// Sent late, after what follows it.
    pub delay_millionths: u32,
    /// The longest delay.
    pub delay_ms_max: u32,
    /// They end this long after the start of the exchange; default never.
    pub until_ms: Option<u64>,
}

/// What happens to user data's messages in a span.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct UserDataFault {
    /// From when.
    pub after_ms: u64,
    /// How long.
    pub for_ms: u64,
    /// How late they are sent; default never.
    #[serde(default)]
    pub delay_ms: Option<u32>,
}

/// What becomes of one message of user data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserDataFate {
    /// Sent.
    Sent,
    /// Lost.
    Lost,
    /// Sent twice.
    Twice,
    /// Sent this late.
    Late(Nanos),
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
    /// Requests count only from then on; default from the start.
    #[serde(default)]
    pub after_ms: u64,
    /// ... and only for so long; default for ever.
    #[serde(default)]
    pub for_ms: Option<u64>,
}

fn one() -> u64 {
    1
}

fn bad_request() -> u16 {
    400
}
