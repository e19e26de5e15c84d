//! COLD: HTTP requests that may block: snapshots, instrument lists, signed queries; never on the hot thread.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::net::connection::tls::{Trust, provider};

/// Bytes of an error's body that are kept.
const ERROR_BODY_BYTES_MAX: u64 = 64 * 1024;
/// Bytes of a reply's header that are accepted.
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// How long to wait after a rate limit that names no time, in seconds.
const RETRY_AFTER_DEFAULT_SECONDS: u64 = 60;

/// One request.
#[derive(Clone, Copy, Debug)]
pub struct HttpCall<'a> {
    /// Upper-case method.
    pub method: &'a str,
    /// Complete URL, percent-encoded.
    pub url: &'a str,
    /// Further headers.
    pub headers: &'a [(&'a str, &'a str)],
    /// Largest body accepted, in bytes.
    pub body_bytes_max: usize,
}

/// Why a request brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The venue limits our rate (429) or has banned the address (418): nothing is asked until the time is over.
    #[error("rate limited (HTTP {status}): nothing is asked for {retry_after_seconds} s")]
    RateLimited {
        /// 429 or 418.
        status: u16,
        /// How long to wait from now.
        retry_after_seconds: u64,
        /// The venue's words.
        body: Vec<u8>,
    },
    /// Another status than success.
    #[error("HTTP {status}: {}", String::from_utf8_lossy(&body[..body.len().min(300)]))]
    Status {
        /// HTTP status.
        status: u16,
        /// The venue's words.
        body: Vec<u8>,
    },
    /// A redirect; none is followed, because requests carry credentials.
    #[error("HTTP {status} redirects to {location:?}; redirects are not followed: correct the base URL")]
    Redirect {
        /// HTTP status.
        status: u16,
        /// Where to.
        location: String,
    },
    /// The body is larger than allowed.
    #[error("the body is larger than {bytes_max} bytes")]
    TooLarge {
        /// The cap.
        bytes_max: usize,
    },
    /// The whole request took too long.
    #[error("no complete reply in time ({0})")]
    Timeout(String),
    /// The host cannot be reached.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// TLS failed: a certificate that is not trusted, for another host, or expired.
    #[error("TLS: {0}")]
    Tls(String),
    /// The reply was cut short or is not HTTP.
    #[error("broken reply: {0}")]
    Broken(String),
    /// The request itself is malformed.
    #[error("request: {0}")]
    Request(String),
}

/// Sends requests, one at a time a caller; remembers when the venue asked for quiet. Clones share that memory.
#[derive(Clone)]
pub struct Fetcher {
    agent: ureq::Agent,
    started: Instant,
    quiet_until_ms: Arc<AtomicU64>,
}

impl Fetcher {
    /// A fetcher that trusts `trust` and gives every whole request `within`. Proxies of the environment are ignored.
    #[must_use]
    pub fn new(trust: &Trust, within: Duration) -> Fetcher {
        let roots = match trust.private_roots() {
            Some(certificates) => RootCerts::from(certificates.iter().map(|der| Certificate::from_der(der).to_owned())),
            None => RootCerts::WebPki,
        };
        let tls = TlsConfig::builder().root_certs(roots).unversioned_rustls_crypto_provider(provider()).build();
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            .https_only(true)
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .max_response_header_size(HEADER_BYTES_MAX)
            .user_agent("spinbook")
            .timeout_global(Some(within))
            .timeout_connect(Some(within.min(Duration::from_secs(5))))
            .build();
        Fetcher { agent: config.new_agent(), started: Instant::now(), quiet_until_ms: Arc::new(AtomicU64::new(0)) }
    }

    /// Sends one request and returns the body of a successful reply.
    ///
    /// # Errors
    /// Any status but 2xx, or no complete reply. While the venue asked for quiet, nothing is sent.
    pub fn call(&self, call: &HttpCall<'_>) -> Result<Vec<u8>, FetchError> {
        let elapsed_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let quiet_ms = self.quiet_until_ms.load(Ordering::Relaxed).saturating_sub(elapsed_ms);
        if quiet_ms > 0 {
            let retry_after_seconds = quiet_ms.div_ceil(1000);
            return Err(FetchError::RateLimited { status: 429, retry_after_seconds, body: Vec::new() });
        }
        let mut request = ureq::http::Request::builder().method(call.method).uri(call.url);
        for (name, value) in call.headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).map_err(|error| FetchError::Request(error.to_string()))?;
        let mut response = self.agent.run(request).map_err(explain)?;
        let status = response.status().as_u16();
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let retry_after = header("retry-after").and_then(|text| text.trim().parse::<u64>().ok());
        let location = header("location").unwrap_or_default().to_owned();
        match status {
            200..=299 => read_body(&mut response, call.body_bytes_max),
            300..=399 => Err(FetchError::Redirect { status, location }),
            429 | 418 => {
                let retry_after_seconds = retry_after.unwrap_or(RETRY_AFTER_DEFAULT_SECONDS);
                let until = elapsed_ms.saturating_add(retry_after_seconds.saturating_mul(1000));
                self.quiet_until_ms.fetch_max(until, Ordering::Relaxed);
                Err(FetchError::RateLimited { status, retry_after_seconds, body: read_error(&mut response) })
            }
            _ => Err(FetchError::Status { status, body: read_error(&mut response) }),
        }
    }

    /// `GET` without further headers.
    ///
    /// # Errors
    /// As [`Fetcher::call`].
    pub fn get(&self, url: &str, body_bytes_max: usize) -> Result<Vec<u8>, FetchError> {
        self.call(&HttpCall { method: "GET", url, headers: &[], body_bytes_max })
    }
}

fn read_body(response: &mut ureq::http::Response<ureq::Body>, bytes_max: usize) -> Result<Vec<u8>, FetchError> {
    let announced = response.body().content_length();
    if announced.is_some_and(|length| length > bytes_max as u64) {
        return Err(FetchError::TooLarge { bytes_max });
    }
    let mut body = Vec::with_capacity(usize::try_from(announced.unwrap_or(0)).unwrap_or(0));
    let mut reader = response.body_mut().as_reader().take(bytes_max as u64 + 1);
    reader.read_to_end(&mut body).map_err(|error| explain(error.into()))?;
    if body.len() > bytes_max {
        return Err(FetchError::TooLarge { bytes_max });
    }
    if announced.is_some_and(|length| length != body.len() as u64) {
        return Err(FetchError::Broken("shorter than its Content-Length".to_owned()));
    }
    Ok(body)
}

fn read_error(response: &mut ureq::http::Response<ureq::Body>) -> Vec<u8> {
    let mut body = Vec::new();
    // The status is what matters; as much of the words as came is good enough.
    let _ = response.body_mut().as_reader().take(ERROR_BODY_BYTES_MAX).read_to_end(&mut body);
    body
}

fn explain(error: ureq::Error) -> FetchError {
    use ureq::Error;
    match error {
        Error::Timeout(which) => FetchError::Timeout(which.to_string()),
        Error::Tls(what) => FetchError::Tls(what.to_owned()),
        Error::Rustls(error) => FetchError::Tls(error.to_string()),
        Error::HostNotFound => FetchError::Connect("host not found".to_owned()),
        Error::ConnectionFailed => FetchError::Connect("connection failed".to_owned()),
        Error::Http(error) => FetchError::Request(error.to_string()),
        Error::BadUri(what) | Error::RequireHttpsOnly(what) => FetchError::Request(what),
        Error::Io(error) => explain_io(&error),
        other => FetchError::Broken(other.to_string()),
    }
}

fn explain_io(error: &io::Error) -> FetchError {
    if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return FetchError::Tls(tls.to_string());
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            FetchError::Connect(error.to_string())
        }
        io::ErrorKind::TimedOut => FetchError::Timeout(error.to_string()),
        // The resolver's failures have no kind of their own, but the standard library's one beginning.
        _ if error.to_string().starts_with("failed to lookup address information") => {
            FetchError::Connect(error.to_string())
        }
        _ => FetchError::Broken(error.to_string()),
    }
}
