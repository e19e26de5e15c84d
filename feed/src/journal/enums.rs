//! HOT: the small numbers that stand for kinds in a record; each list is whole, or it does not compile.

use spinbook_engine::event::{ExecutionKind, FeeAsset, LocalReject};
use spinbook_engine::intent::{IntentKind, Reason, TimeInForce};
use spinbook_engine::trace::{QuoteRule, TraceKind};
use spinbook_engine::types::Side;

use super::end::{EndProof, OrderEnd};
use crate::venue::order_side::OrderConnection;

/// A kind that is written as one byte.
pub(super) trait Coded: Sized {
    /// Its number, which never changes its meaning.
    fn code(self) -> u8;
    /// The kind of a number; `None` for a number that stands for none.
    fn of(code: u8) -> Option<Self>;
}

macro_rules! coded {
    ($($Kind:ident { $($Name:ident = $code:literal),+ $(,)? })+) => {
        $(impl Coded for $Kind {
            #[inline]
            fn code(self) -> u8 {
                match self { $($Kind::$Name => $code),+ }
            }

            fn of(code: u8) -> Option<$Kind> {
                match code { $($code => Some($Kind::$Name),)+ _ => None }
            }
        })+
    };
}

coded! {
    IntentKind { Place = 0, Cancel = 1, Replace = 2, Amend = 3 }
    TimeInForce { PostOnly = 0, ImmediateOrCancel = 1, GoodTilCancel = 2 }
    Reason { New = 0, Requote = 1, Unwanted = 2, BookNotLive = 3, TradingState = 4, Risk = 5, Shutdown = 6, Pause = 7 }
    Side { Bid = 0, Ask = 1 }
    ExecutionKind {
        Accepted = 0,
        Rejected = 1,
        Filled = 2,
        Canceled = 3,
        CancelRejected = 4,
        Expired = 5,
        Unknown = 6,
        GatewayReady = 7,
        GatewayDown = 8,
        Pause = 9,
        Halt = 10,
        Amended = 11,
        AmendRejected = 12,
        Income = 13,
        Transfer = 14,
        Liquidated = 15,
        Slow = 16,
    }
    FeeAsset { Quote = 0, Base = 1, Other = 2, Valued = 3 }
    TraceKind { Intent = 0, Denied = 1, Execution = 2, State = 3, Book = 4 }
    QuoteRule { Unsaid = 0, Distance = 1, Widened = 2, EdgeMin = 3, OppositeTouch = 4 }
    OrderConnection { Orders = 0, UserData = 1, Spare = 2 }
    OrderEnd { Filled = 0, Canceled = 1, Expired = 2, Rejected = 3 }
    EndProof {
        PlaceReply = 0,
        CancelReply = 1,
        UserData = 2,
        Question = 3,
        List = 4,
        CancelAllReply = 5,
        Executions = 6,
        NotKnown = 7,
        NextStart = 8,
    }
    LocalReject { None = 0, Late = 1, Throttled = 2, NotConnected = 3, Limit = 4, TableFull = 5, Journal = 6, Collar = 7 }
}
