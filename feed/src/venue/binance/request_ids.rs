//! COLD: how ids of orders and of requests are spelled here, written and read back.

use crate::venue::order_ids::ClientIdFormat;
use crate::venue::orders::{RequestId, RequestKind};

/// How our ids are spelled here: spot wants `^[a-zA-Z0-9-_]{1,36}$`, futures `^[\.A-Z\:/a-z0-9_-]{1,36}$`.
pub const CLIENT_IDS: ClientIdFormat = ClientIdFormat::Dashed;

/// The letter that starts a request's id, one a kind.
pub(super) const fn kind_letter(kind: RequestKind) -> char {
    match kind {
        RequestKind::ServerTime => 't',
        RequestKind::LogOn => 'l',
        RequestKind::SubscribeUserData => 'u',
        RequestKind::StartUserData => 's',
        RequestKind::KeepUserData => 'k',
        RequestKind::OpenOrders => 'o',
        RequestKind::CancelAll => 'a',
        RequestKind::Place => 'p',
        RequestKind::Cancel => 'c',
        RequestKind::OrderStatus => 'q',
        RequestKind::Fills => 'f',
        RequestKind::Replace => 'r',
        RequestKind::Amend => 'm',
    }
}

/// Reads a request's id back.
pub(crate) fn parse_request_id(text: &str) -> Option<(RequestKind, RequestId)> {
    const KINDS: [RequestKind; 13] = [
        RequestKind::ServerTime,
        RequestKind::LogOn,
        RequestKind::SubscribeUserData,
        RequestKind::StartUserData,
        RequestKind::KeepUserData,
        RequestKind::OpenOrders,
        RequestKind::CancelAll,
        RequestKind::Place,
        RequestKind::Cancel,
        RequestKind::OrderStatus,
        RequestKind::Fills,
        RequestKind::Replace,
        RequestKind::Amend,
    ];
    let letter = text.chars().next()?;
    let kind = KINDS.into_iter().find(|kind| kind_letter(*kind) == letter)?;
    let number = text.get(1..).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some((kind, RequestId(number.parse().ok()?)))
}
