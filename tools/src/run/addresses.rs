//! COLD: where a venue is: whom to trust, where connections lead, which URLs snapshots have.

use std::path::PathBuf;

use spinbook_engine::types::InstrumentId;
use spinbook_feed::net::connection::ConnectionLimits;
use spinbook_feed::net::connection::connector::Connector;
use spinbook_feed::net::connection::resolve::Endpoint;
use spinbook_feed::net::connection::tls::Trust;
use spinbook_feed::net::hot::snapshots::{SnapshotJob, SnapshotUrls};
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::instrument::Instrument;

use crate::error::Failure;

/// URLs of one venue's snapshots.
pub struct VenueUrls {
    base: String,
    symbols: Vec<(InstrumentId, String)>,
}

impl VenueUrls {
    /// Of these instruments, below a REST base URL.
    #[must_use]
    pub fn new(rest_url: &str, venue: ProductLine, instruments: &[Instrument]) -> VenueUrls {
        VenueUrls {
            base: format!("{}{}", rest_url.trim_end_matches('/'), venue.card().depth_path),
            symbols: instruments
                .iter()
                .map(|instrument| (instrument.id, percent_encoded(instrument.symbol.as_str())))
                .collect(),
        }
    }
}

impl VenueUrls {
    fn of(&self, job: SnapshotJob) -> String {
        let symbol = self.symbols.iter().find(|(id, _)| *id == job.instrument).map_or("", |(_, symbol)| symbol);
        format!("{}?symbol={symbol}&limit={}", self.base, job.levels)
    }
}

/// URLs of snapshots for each of the hot loop's sessions, in their order.
pub struct SessionUrls(pub Vec<VenueUrls>);

impl SnapshotUrls for SessionUrls {
    fn url(&self, job: SnapshotJob) -> String {
        self.0.get(job.session).map(|urls| urls.of(job)).unwrap_or_default()
    }
}

/// Whom to trust: a named authority alone, else the public ones.
///
/// # Errors
/// The file cannot be used.
pub fn trust(ca_file: Option<&PathBuf>) -> Result<Trust, Failure> {
    match ca_file {
        None => Ok(Trust::public()),
        Some(path) => Trust::from_file(path)
            .map_err(|error| Failure::usage("the CA file cannot be used").at("market.ca_file").because(error)),
    }
}

/// Where connections to a URL lead. A path at its end that is `target` itself is not repeated.
///
/// # Errors
/// The URL cannot be used, or its host is not found.
pub fn route(
    url: &str,
    target: &str,
    trust: &Trust,
    limits: ConnectionLimits,
    key: &str,
) -> Result<Connector, Failure> {
    let mut endpoint =
        Endpoint::parse(url).map_err(|error| Failure::usage("a URL cannot be used").at(key).because(error))?;
    // The venue's documents name the WebSocket API with its path; the gateway adds the path itself.
    if endpoint.prefix == target {
        endpoint.prefix.clear();
    }
    let tls = trust.client_config().map_err(|error| Failure::failed("TLS cannot be set up").because(error))?;
    Connector::new(endpoint, tls, limits)
        .map_err(|error| Failure::failed("the venue's address is not found").at(url).because(error))
}

fn percent_encoded(symbol: &str) -> String {
    let mut text = String::with_capacity(symbol.len());
    for byte in symbol.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' => text.push(char::from(byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}
