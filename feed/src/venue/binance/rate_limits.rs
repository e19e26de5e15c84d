//! COLD: Binance's rate limits: those of an instrument list, kept exactly or refused, and the counts that replies carry.

use serde_json::Value;
use spinbook_engine::types::Nanos;

use crate::error::RateLimitError;
use crate::venue::orders::{WindowKind, WindowUsage};

/// Longest window that is kept: the venue has a day at most, and what is much longer is no window but nonsense.
const SPAN_MAX: Nanos = Nanos::from_seconds(31 * 86_400);
/// Most characters of a venue's value that a refusal repeats.
const VALUE_SHOWN_MAX: usize = 40;

/// The windows of an instrument list's body. Rows of kinds that do not concern orders or requests are skipped; of the
/// others every field must be usable, for a window that is left out is one that will be broken.
///
/// # Errors
/// [`RateLimitError`]: there is no list, or one of its rows cannot be kept.
pub fn parse_windows(body: &[u8]) -> Result<Vec<WindowUsage>, RateLimitError> {
    let value: Value = serde_json::from_slice(body).map_err(|_| RateLimitError::List)?;
    let rows = value.get("rateLimits").and_then(Value::as_array).ok_or(RateLimitError::List)?;
    rows.iter().filter_map(|row| kind_of(row).map(|(kind, name)| window(row, kind, name))).collect()
}

/// The rows of a reply's `rateLimits`, with their counts; rows that are not understood are skipped, for the windows
/// themselves were agreed on at the start.
pub(crate) fn usage(rows: &[Value]) -> Vec<WindowUsage> {
    let understood = |row: &Value| {
        let (kind, name) = kind_of(row)?;
        let window = window(row, kind, name).ok()?;
        let used = row.get("count").and_then(Value::as_u64).unwrap_or(0);
        Some(WindowUsage { used: u32::try_from(used).unwrap_or(u32::MAX), ..window })
    };
    rows.iter().filter_map(understood).collect()
}

/// What a row counts, with the venue's word for it; `None`: nothing that is kept here.
fn kind_of(row: &Value) -> Option<(WindowKind, &'static str)> {
    match row.get("rateLimitType")?.as_str()? {
        "REQUEST_WEIGHT" => Some((WindowKind::Weight, "REQUEST_WEIGHT")),
        "ORDERS" => Some((WindowKind::Orders, "ORDERS")),
        _ => None,
    }
}

fn window(row: &Value, kind: WindowKind, name: &'static str) -> Result<WindowUsage, RateLimitError> {
    let fail = |field: &'static str, problem: &'static str| RateLimitError::Field {
        kind: name,
        field,
        value: row.get(field).map_or_else(|| "missing".to_owned(), shown),
        problem,
    };
    let unit_seconds = match row.get("interval").and_then(Value::as_str) {
        Some("SECOND") => 1,
        Some("MINUTE") => 60,
        Some("HOUR") => 3_600,
        Some("DAY") => 86_400,
        _ => return Err(fail("interval", "no unit of time that is known")),
    };
    let number = row.get("intervalNum").and_then(Value::as_i64).filter(|number| *number > 0);
    let number = number.ok_or_else(|| fail("intervalNum", "not a whole number above zero"))?;
    let seconds = number.checked_mul(unit_seconds).filter(|seconds| *seconds <= SPAN_MAX.0 / 1_000_000_000);
    let seconds = seconds.ok_or_else(|| fail("intervalNum", "longer than a month"))?;
    let limit = row.get("limit").and_then(Value::as_u64).and_then(|limit| u32::try_from(limit).ok());
    match limit.ok_or_else(|| fail("limit", "not a whole number below 2^32"))? {
        0 => Err(fail("limit", "nothing could ever be sent")),
        limit => Ok(WindowUsage { kind, span: Nanos::from_seconds(seconds), limit, used: 0 }),
    }
}

/// A value of the venue for people.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(VALUE_SHOWN_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
