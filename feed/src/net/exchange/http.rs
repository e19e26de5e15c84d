//! COLD: HTTP/1.1 requests and replies of the exchange side, as bytes: no socket inside.

use std::fmt::Write;

use spinbook_engine::types::Nanos;

use crate::calendar::{CalendarDate, date_of};
use crate::sim::side::{HttpRequest, HttpResponse};

/// Bytes of a request's header that are accepted.
pub(crate) const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Header lines of a request that are accepted.
pub(crate) const HEADERS_MAX: usize = 64;
/// Bytes of a request's body that are accepted.
pub(crate) const BODY_BYTES_MAX: usize = 1 << 20;

/// What the bytes so far amount to.
pub(crate) enum Parsed<'a> {
    /// More bytes are needed.
    Partial,
    /// More bytes are needed, and the client sends them when it is told to go on.
    Continue,
    /// A complete request.
    Request {
        /// Method, target, headers and body.
        request: HttpRequest<'a>,
        /// How many bytes it took.
        bytes: usize,
        /// Whether the connection stays open after the reply.
        keep_alive: bool,
        /// The client's key, if it asks for a WebSocket.
        websocket_key: Option<&'a str>,
    },
    /// A request that gets this status and the connection closed.
    Refused(u16, &'static str),
}

/// Parses one request from the front of `bytes`; `headers` is scratch for its header lines, `joined` for a body that
/// comes in chunks.
pub(crate) fn parse<'a>(
    bytes: &'a [u8],
    raw: &'a mut [httparse::Header<'a>; HEADERS_MAX],
    headers: &'a mut Vec<(&'a str, &'a str)>,
    joined: &'a mut Vec<u8>,
) -> Parsed<'a> {
    let mut request = httparse::Request::new(raw);
    let head_bytes = match request.parse(bytes) {
        Ok(httparse::Status::Complete(head_bytes)) => head_bytes,
        Ok(httparse::Status::Partial) if bytes.len() > HEADER_BYTES_MAX => {
            return Parsed::Refused(431, "request header too large");
        }
        Ok(httparse::Status::Partial) => return Parsed::Partial,
        Err(httparse::Error::TooManyHeaders) => return Parsed::Refused(431, "too many header lines"),
        Err(_) => return Parsed::Refused(400, "not an HTTP request"),
    };
    if head_bytes > HEADER_BYTES_MAX {
        return Parsed::Refused(431, "request header too large");
    }
    let (Some(method), Some(target)) = (request.method, request.path) else {
        return Parsed::Refused(400, "not an HTTP request");
    };
    let version = request.version;
    for header in request.headers.iter() {
        let Ok(value) = std::str::from_utf8(header.value) else {
            return Parsed::Refused(400, "a header value is not UTF-8");
        };
        headers.push((header.name, value));
    }
    let headers: &'a [(&'a str, &'a str)] = headers;
    let find = |name: &str| headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
    let waits = find("expect").is_some_and(|value| value.trim().eq_ignore_ascii_case("100-continue"));
    let more = || if waits && bytes.len() == head_bytes { Parsed::Continue } else { Parsed::Partial };
    let (body, body_bytes): (&'a [u8], usize) = match find("transfer-encoding") {
        Some(coding) if !coding.trim().eq_ignore_ascii_case("chunked") => {
            return Parsed::Refused(501, "the only transfer encoding taken is chunked");
        }
        Some(_) if find("content-length").is_some() => {
            return Parsed::Refused(400, "Content-Length beside a transfer encoding");
        }
        Some(_) => match join_chunks(&bytes[head_bytes..], joined) {
            Ok(None) => return more(),
            Ok(Some(body_bytes)) => (joined, body_bytes),
            Err((status, message)) => return Parsed::Refused(status, message),
        },
        None => match content_length(headers) {
            Err((status, message)) => return Parsed::Refused(status, message),
            Ok(length) => match bytes.get(head_bytes..head_bytes + length) {
                None => return more(),
                Some(body) => (body, length),
            },
        },
    };
    let connection = find("connection").unwrap_or_default();
    let closes = connection.split(',').any(|token| token.trim().eq_ignore_ascii_case("close"));
    let upgrades = find("upgrade").is_some_and(|value| value.trim().eq_ignore_ascii_case("websocket"));
    Parsed::Request {
        request: HttpRequest { method, target, headers, body },
        bytes: head_bytes + body_bytes,
        keep_alive: version == Some(1) && !closes,
        websocket_key: if upgrades { find("sec-websocket-key") } else { None },
    }
}

/// Length of the body; several lines of it must agree.
fn content_length(headers: &[(&str, &str)]) -> Result<usize, (u16, &'static str)> {
    let mut lengths = headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case("content-length"));
    let Some((_, text)) = lengths.next() else { return Ok(0) };
    if lengths.any(|(_, other)| other.trim() != text.trim()) {
        return Err((400, "two different Content-Length"));
    }
    match text.trim().parse::<usize>() {
        Ok(length) if length <= BODY_BYTES_MAX => Ok(length),
        Ok(_) => Err((413, "request body too large")),
        Err(_) => Err((400, "Content-Length is not a number")),
    }
}

/// Joins the chunks of a body, trailers left out; how many bytes they took, `None` while some are missing.
fn join_chunks(bytes: &[u8], joined: &mut Vec<u8>) -> Result<Option<usize>, (u16, &'static str)> {
    let mut at = 0;
    loop {
        let (start, length) = match httparse::parse_chunk_size(&bytes[at..]) {
            Ok(httparse::Status::Partial) => return Ok(None),
            Ok(httparse::Status::Complete((head, length))) => {
                (at + head, usize::try_from(length).unwrap_or(usize::MAX))
            }
            Err(_) => return Err((400, "a chunk's size is not a number")),
        };
        if length > BODY_BYTES_MAX - joined.len() {
            return Err((413, "request body too large"));
        }
        if length == 0 {
            let mut trailers = [httparse::EMPTY_HEADER; HEADERS_MAX];
            return match httparse::parse_headers(&bytes[start..], &mut trailers) {
                Ok(httparse::Status::Complete((taken, _))) => Ok(Some(start + taken)),
                Ok(httparse::Status::Partial) => Ok(None),
                Err(_) => Err((400, "a trailer is no header line")),
            };
        }
        let end = start + length;
        let Some(chunk) = bytes.get(start..end + 2) else { return Ok(None) };
        if &chunk[length..] != b"\r\n" {
            return Err((400, "a chunk is longer than it says"));
        }
        joined.extend_from_slice(&chunk[..length]);
        at = end + 2;
    }
}

/// What a client is told that asks whether to send its body.
pub(crate) const GO_ON: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A refusal of what is no request that could be handled.
pub(crate) fn refusal(status: u16, message: &str) -> HttpResponse {
    let body = serde_json::json!({"code": -1000, "msg": message}).to_string().into_bytes();
    HttpResponse { status, headers: Vec::new(), body }
}

/// The bytes of a reply.
pub(crate) fn reply(response: &HttpResponse, keep_alive: bool, now: Nanos) -> Vec<u8> {
    let mut head = String::with_capacity(256);
    // Writing to a String cannot fail.
    let _ = write!(head, "HTTP/1.1 {} {}\r\n", response.status, reason(response.status));
    let mut typed = false;
    for (name, value) in &response.headers {
        typed |= name.eq_ignore_ascii_case("content-type");
        let _ = write!(head, "{name}: {value}\r\n");
    }
    if !typed {
        head.push_str("Content-Type: application/json;charset=UTF-8\r\n");
    }
    let connection = if keep_alive { "keep-alive" } else { "close" };
    let length = response.body.len();
    let _ = write!(head, "Content-Length: {length}\r\nConnection: {connection}\r\nDate: {}\r\n\r\n", http_date(now));
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(&response.body);
    bytes
}

/// The reply that accepts a WebSocket.
pub(crate) fn websocket_accepted(key: &str) -> Vec<u8> {
    let accept = tungstenite::handshake::derive_accept_key(key.trim().as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    )
    .into_bytes()
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        413 => "Content Too Large",
        418 => "I'm a teapot",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}

/// A date as HTTP writes it.
fn http_date(now: Nanos) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = now.0.max(0) / 1_000_000_000;
    let (days, second_of_day) = (seconds / 86_400, seconds % 86_400);
    let weekday = DAYS[(days % 7) as usize];
    let CalendarDate { year, month, day } = date_of(days);
    let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
    format!("{weekday}, {day:02} {} {year} {hour:02}:{minute:02}:{second:02} GMT", MONTHS[month as usize - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_text(text: &str) -> (u16, usize, bool, bool) {
        let mut raw = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let (mut headers, mut joined) = (Vec::new(), Vec::new());
        match parse(text.as_bytes(), &mut raw, &mut headers, &mut joined) {
            Parsed::Partial => (0, 0, false, false),
            Parsed::Continue => (100, 0, false, false),
            Parsed::Request { bytes, keep_alive, websocket_key, .. } => {
                (200, bytes, keep_alive, websocket_key.is_some())
            }
            Parsed::Refused(status, _) => (status, 0, false, false),
        }
    }

    #[test]
    fn a_request_is_complete_only_with_its_body() {
        let text = "POST /api/v3/order HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\na=1&";
        assert_eq!(parse_text(text), (200, text.len(), true, false));
        for cut in 0..text.len() {
            assert_eq!(parse_text(&text[..cut]).0, 0, "cut at {cut}");
        }
    }

    #[test]
    fn limits_are_enforced() {
        let many: String = (0..70).map(|i| format!("h{i}: v\r\n")).collect();
        assert_eq!(parse_text(&format!("GET / HTTP/1.1\r\n{many}\r\n")).0, 431);
        assert_eq!(parse_text(&format!("GET /{} HTTP/1.1\r\n", "x".repeat(20_000))).0, 431);
        assert_eq!(parse_text("POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n").0, 413);
        assert_eq!(parse_text("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n").0, 400);
        assert_eq!(parse_text("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n").0, 501);
        assert_eq!(parse_text("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab").0, 400);
        assert_eq!(parse_text("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na").0, 200);
        let both = "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        assert_eq!(parse_text(both).0, 400);
        let large = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n";
        assert_eq!(parse_text(large).0, 413);
        assert_eq!(parse_text("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n").0, 400);
        assert_eq!(parse_text("\u{1}\u{2}\u{3}\r\n\r\n").0, 400);
    }

    #[test]
    fn a_chunked_body_is_joined_and_complete_only_with_its_last_chunk() {
        let head = "POST /api/v3/order HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n";
        let text = format!("{head}4\r\na=1&\r\n3;x=y\r\nb=2\r\n0\r\nChecked: no\r\n\r\n");
        assert_eq!(parse_text(&text), (200, text.len(), true, false));
        for cut in 0..text.len() {
            assert_eq!(parse_text(&text[..cut]).0, 0, "cut at {cut}");
        }
        let mut raw = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let (mut headers, mut joined) = (Vec::new(), Vec::new());
        let Parsed::Request { request, .. } = parse(text.as_bytes(), &mut raw, &mut headers, &mut joined) else {
            panic!("a request");
        };
        assert_eq!(request.body, b"a=1&b=2");
    }

    #[test]
    fn a_client_that_asks_is_told_to_go_on_before_its_body_alone() {
        let head = "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
        assert_eq!(parse_text(head).0, 100);
        assert_eq!(parse_text(&format!("{head}a=")).0, 0);
        assert_eq!(parse_text(&format!("{head}a=1")).0, 200);
    }

    #[test]
    fn refusals_are_json() {
        let body: serde_json::Value = serde_json::from_slice(&refusal(413, "too \"large\"").body).expect("JSON");
        assert_eq!(body["msg"], "too \"large\"");
    }

    #[test]
    fn an_upgrade_is_recognised() {
        let text = "GET /ws HTTP/1.1\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: k\r\n\r\n";
        assert!(parse_text(text).3);
    }

    #[test]
    fn dates_are_the_calendar_s() {
        assert_eq!(http_date(Nanos(0)), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(Nanos::from_seconds(951_782_400)), "Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(http_date(Nanos::from_seconds(1_721_347_199)), "Thu, 18 Jul 2024 23:59:59 GMT");
    }
}
