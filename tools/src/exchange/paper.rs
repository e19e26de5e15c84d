//! COLD: `run --mode paper`: a live market tapped into a simulated exchange of this very process.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;

use spinbook_engine::types::Nanos;
use spinbook_feed::net::connection::tls::LoopbackIdentity;
use spinbook_feed::net::connection::{ConnectionError, ConnectionLimits};
use spinbook_feed::net::exchange::paper::{TappedExchange, TappedFrames, run_tap};
use spinbook_feed::net::exchange::server::{Server, ServerSettings};
use spinbook_feed::net::host::clock::Clock;
use spinbook_feed::net::host::threads;
use spinbook_feed::net::hot::market_connections::MarketConnections;
use spinbook_feed::net::hot::snapshots;
use spinbook_feed::net::io::fetch::FetchError;
use spinbook_feed::session::MarketSession;
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::instrument::Instrument;

use crate::config::tables::MarketConfig;
use crate::error::Failure;
use crate::exchange::accounts::TestAccounts;
use crate::exchange::settings::{CaFile, make_paper};
use crate::run::addresses::{SessionUrls, VenueUrls, route, trust};
use crate::run::engine_settings;
use crate::run::keys::TestKeys;
use crate::run::market::{instruments, session_settings};
use crate::run::plan::Venue;
use crate::run::venue_rest::VenueRest;

/// The running exchange and tap.
pub struct PaperVenue {
    /// Where orders go.
    pub orders: Venue,
    /// Keys of its test accounts.
    pub keys: TestKeys,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    _ca_file: CaFile,
}

impl PaperVenue {
    /// Fetches the venue's instruments, starts the exchange over them, and taps the market. Orders meet it after
    /// `latency`.
    ///
    /// # Errors
    /// The venue cannot be reached, or a thread cannot be started.
    pub fn start(
        market: &MarketConfig,
        venue: &Venue,
        latency: Nanos,
        core: Option<usize>,
    ) -> Result<PaperVenue, Failure> {
        let fail = |error: &dyn std::fmt::Display| Failure::failed("the paper exchange cannot start").because(error);
        let (product, clock) = (market.venue, Clock::start());
        let market_trust = trust(venue.ca_file.as_ref())?;
        let rest = VenueRest::new(&market_trust, &venue.rest_url, product, None, 1_000, clock);
        let instruments = instruments(&rest, &rest.exchange_info()?, market)?;
        let fees = engine_settings::fees(market)?;
        let accounts = TestAccounts::fresh(false)?;
        let identity = LoopbackIdentity::generate().map_err(|error| fail(&error))?;
        let ca_file = CaFile::write(&identity.ca_pem)?;
        let stop = Arc::new(AtomicBool::new(false));
        let queue = TappedFrames::new();

        let (mailbox, worker) = snapshots::new(
            instruments.len().max(4),
            vec![rest.line.fetcher.clone()],
            SessionUrls(vec![VenueUrls::new(&venue.rest_url, product, &instruments)]),
            |error: &FetchError| tracing::warn!("a snapshot for the paper exchange could not be fetched: {error}"),
        );
        let session =
            MarketSession::new(product, &instruments, session_settings(market, 1)).map_err(|error| fail(&error))?;
        let streams = route(&venue.stream_url, "", &market_trust, ConnectionLimits::PUBLIC, "market.stream_url")?;
        let line = MarketConnections::new(session, streams, 0, |path, error: &ConnectionError| {
            tracing::warn!("paper market connection {path} ended: {error}");
        });

        let mut running = Vec::new();
        let told = stop.clone();
        running.push(
            threads::spawn("paper-fetch", core, |_| {}, move || worker.run(&told)).map_err(|error| fail(&error))?,
        );
        let (told, tapped) = (stop.clone(), queue.clone());
        let tap = move || {
            if let Err(error) = run_tap(line, &mailbox, &tapped, &clock, &told) {
                tracing::error!("the tap of the market stopped: {error}");
            }
        };
        running.push(threads::spawn("paper-tap", core, |_| {}, tap).map_err(|error| fail(&error))?);
        let serving =
            Serving { product, instruments, fees, accounts: accounts.clone(), latency, queue, identity, clock };
        let (address, thread) = serving.start(core, stop.clone())?;
        running.push(thread);
        let orders = Venue {
            rest_url: format!("https://{address}"),
            stream_url: format!("wss://{address}"),
            ws_api_url: format!("wss://{address}"),
            ca_file: Some(ca_file.path.clone()),
        };
        let keys = accounts.keys().expect("fresh accounts are of both kinds");
        Ok(PaperVenue { orders, keys, stop, threads: running, _ca_file: ca_file })
    }

    /// Whether every thread of it still runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.threads.iter().all(|thread| !thread.is_finished())
    }
}

impl Drop for PaperVenue {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A panic there was reported where it happened.
            let _ = thread.join();
        }
    }
}

/// What the exchange's thread is made of; the exchange itself is made on the thread it lives on.
struct Serving {
    product: ProductLine,
    instruments: Vec<Instrument>,
    fees: (i64, i64),
    accounts: TestAccounts,
    latency: Nanos,
    queue: TappedFrames,
    identity: LoopbackIdentity,
    clock: Clock,
}

impl Serving {
    fn start(self, core: Option<usize>, stop: Arc<AtomicBool>) -> Result<(SocketAddr, JoinHandle<()>), Failure> {
        let (say, hear) = mpsc::sync_channel(1);
        let work = move || {
            let clock = self.clock;
            let mut server = match self.make() {
                Ok(server) => server,
                Err(failure) => {
                    // Whoever started us waits for exactly this.
                    let _ = say.send(Err(failure));
                    return;
                }
            };
            let _ = say.send(Ok(server.address()));
            if let Err(error) = server.run(&clock, &stop) {
                tracing::error!("the paper exchange stopped: {error}");
            }
        };
        let thread = threads::spawn("paper-exchange", core, |_| {}, work)
            .map_err(|error| Failure::failed("the paper exchange cannot start").because(error))?;
        let address = hear.recv().map_err(|_| Failure::failed("the paper exchange ended at once"))??;
        Ok((address, thread))
    }

    fn make(self) -> Result<Server<TappedExchange>, Failure> {
        let exchange = make_paper(self.product, &self.instruments, self.fees, &self.accounts, self.clock.now())?;
        let settings = ServerSettings::on((Ipv4Addr::LOCALHOST, 0).into());
        Server::bind(settings, self.identity.server_config, TappedExchange::new(exchange, self.latency, self.queue))
            .map_err(|error| Failure::failed("the paper exchange cannot listen").because(error))
    }
}
