//! COLD: where a venue is: whom to trust, where connections lead, which URLs snapshots have.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use spinbook_engine::types::InstrumentId;
use spinbook_feed::net::connection::ConnectionLimits;
use spinbook_feed::net::connection::attempts::ConnectAttempts;
use spinbook_feed::net::connection::connector::Connector;
use spinbook_feed::net::connection::resolve::Endpoint;
use spinbook_feed::net::connection::tls::Trust;
use spinbook_feed::net::hot::snapshots::{SnapshotJob, SnapshotUrls};
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::instrument::Instrument;

use crate::error::Failure;

/// All but letters, digits and these three is escaped in a query's value.
const QUERY_VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'-').remove(b'.');

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
                .map(|instrument| {
                    (instrument.id, utf8_percent_encode(instrument.symbol.as_str(), QUERY_VALUE).to_string())
                })
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
        Some(path) => Trust::from_file(path).map_err(|error| {
            Failure::usage("the CA file cannot be used")
                .at(format!("market.ca_file = {}", path.display()))
                .because(error)
                .next("`spinbook exchange` prints where its own lies; paths are relative to the configuration")
        }),
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

/// One for each venue by its title, for all of this process.
static ATTEMPTS: Mutex<Vec<(&'static str, Arc<ConnectAttempts>)>> = Mutex::new(Vec::new());

/// The attempts to connect of this process at a venue, whichever of its product lines asks: the venue counts them by
/// our address.
pub fn attempts_at(product: ProductLine) -> Arc<ConnectAttempts> {
    let card = product.card();
    let mut all = ATTEMPTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, known)) = all.iter().find(|(title, _)| *title == card.title) {
        return known.clone();
    }
    let made = Arc::new(ConnectAttempts::new(card.connects));
    all.push((card.title, made.clone()));
    made
}

#[cfg(test)]
mod tests {
    use spinbook_feed::testkit::instrument;
    use spinbook_feed::venue::binance;
    use spinbook_feed::venue::instrument::Symbol;

    use super::*;

    #[test]
    fn a_symbol_stands_percent_encoded_in_the_url_of_its_snapshot() {
        for (symbol, written) in [
            ("BTCUSDT_260925", "BTCUSDT_260925"),
            ("A-b.c_9", "A-b.c_9"),
            ("A&B=C/~ +%", "A%26B%3DC%2F%7E%20%2B%25"),
            ("币", "%E5%B8%81"),
        ] {
            let mut listed = instrument(binance::SPOT, 3, "BTCUSDT", "0.01", "0.001");
            listed.symbol = Symbol::new(symbol).expect("a short name");
            let urls = VenueUrls::new("https://host/", binance::SPOT, &[listed]);
            let url = urls.of(SnapshotJob { session: 0, instrument: listed.id, levels: 100, outer_levels: None });
            assert_eq!(url, format!("https://host/api/v3/depth?symbol={written}&limit=100"));
        }
    }
}
