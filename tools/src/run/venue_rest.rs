//! COLD: what is asked of a venue over REST: instruments, clock, account; with answers for people when it refuses.

use std::time::Duration;

use rust_decimal::Decimal;
use serde_json::Value;
use spinbook_engine::types::{Nanos, TradeId};
use spinbook_feed::crypto::credentials::Credentials;
use spinbook_feed::net::connection::tls::Trust;
use spinbook_feed::net::host::clock::Clock;
use spinbook_feed::net::io::fetch::{FetchError, Fetcher, HttpCall};
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::binance::account::{
    self, AccountPoint, AccountRest, RestRequest, TRADES_PER_REPLY, TradeRecord, TradesSince,
};
use spinbook_feed::venue::instrument::Instrument;
use spinbook_feed::venue::order_side::Reaction;
use spinbook_feed::venue::orders::OrderUpdate;

use crate::error::Failure;

/// Largest reply accepted; instrument lists of the venue have some 20 MiB.
const BODY_BYTES_MAX: usize = 64 << 20;
/// How long a request may take.
const WITHIN: Duration = Duration::from_secs(10);
/// A clock farther off is not traded with.
const CLOCK_OFFSET_MAX: Nanos = Nanos::from_millis(500);
/// Samples of the venue's clock; the one with the shortest way counts.
const CLOCK_SAMPLES: usize = 3;

/// One account's REST side.
pub struct VenueRest {
    /// Sends the requests; clones of it keep quiet together.
    pub fetcher: Fetcher,
    base: String,
    product: ProductLine,
    credentials: Option<Credentials>,
    receive_window_ms: i64,
    clock: Clock,
    offset: Nanos,
}

impl VenueRest {
    /// For requests to `base`. Without credentials only public ones can be made.
    #[must_use]
    pub fn new(
        trust: &Trust,
        base: &str,
        product: ProductLine,
        credentials: Option<Credentials>,
        receive_window_ms: i64,
        clock: Clock,
    ) -> VenueRest {
        VenueRest {
            fetcher: Fetcher::new(trust, WITHIN),
            base: base.trim_end_matches('/').to_owned(),
            product,
            credentials,
            receive_window_ms,
            clock,
            offset: Nanos::ZERO,
        }
    }

    fn send(&self, request: &RestRequest) -> Result<Vec<u8>, Failure> {
        let url = format!("{}{}", self.base, request.target);
        let headers: Vec<(&str, &str)> = request.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let call = HttpCall { method: request.method, url: &url, headers: &headers, body_bytes_max: BODY_BYTES_MAX };
        self.fetcher.call(&call).map_err(|error| explain(self.product, request, &self.base, &error))
    }

    fn get(&self, path: &str) -> Result<Vec<u8>, Failure> {
        self.send(&RestRequest { method: "GET", target: path.to_owned(), headers: Vec::new() })
    }

    /// The instrument list, as the venue sends it.
    ///
    /// # Errors
    /// The venue cannot be reached or refuses.
    pub fn exchange_info(&self) -> Result<Vec<u8>, Failure> {
        self.get(self.product.card().instruments_path)
    }

    /// Best bid and best ask as the venue prints them; `None` where a side is empty.
    ///
    /// # Errors
    /// The venue cannot be reached or refuses, or its answer is not understood.
    pub fn best_prices(&self, symbol: &str) -> Result<Option<(Decimal, Decimal)>, Failure> {
        let body = self.get(&format!("{}?symbol={symbol}&limit=5", self.product.card().depth_path))?;
        let depth: Value = serde_json::from_slice(&body).map_err(|error| self.not_understood("depth", error))?;
        let best = |side: &str| depth[side][0][0].as_str().and_then(|price| price.parse::<Decimal>().ok());
        Ok(best("bids").zip(best("asks")))
    }

    /// Measures the venue's clock and refuses to go on if ours is too far from it.
    ///
    /// # Errors
    /// The venue cannot be reached, or the clocks disagree.
    pub fn measure_clock(&mut self) -> Result<Nanos, Failure> {
        let mut best: Option<(Nanos, Nanos)> = None;
        for _ in 0..CLOCK_SAMPLES {
            let sent = self.clock.now();
            let body = self.get(self.product.card().time_path)?;
            let received = self.clock.now();
            let venue = account::parse_time(&body).map_err(|error| self.not_understood("time", error))?;
            let round_trip = received - sent;
            // The venue's clock has whole milliseconds: half of one is the best guess for the rest.
            let offset = venue + Nanos(500_000) - sent - Nanos(round_trip.0 / 2);
            if best.is_none_or(|(shortest, _)| round_trip < shortest) {
                best = Some((round_trip, offset));
            }
        }
        let offset = best.map_or(Nanos::ZERO, |(_, offset)| offset);
        if offset.0.abs() > CLOCK_OFFSET_MAX.0 {
            return Err(Failure::failed("this machine's clock disagrees with the venue's")
                .at(&self.base)
                .because(format!(
                    "it is {} ms {} the venue's, {} ms are allowed",
                    offset.millis().abs(),
                    if offset > Nanos::ZERO { "behind" } else { "ahead of" },
                    CLOCK_OFFSET_MAX.millis()
                ))
                .next(
                    "synchronise it (chrony, systemd-timesyncd) and start again; `spinbook doctor` shows its state",
                ));
        }
        self.offset = offset;
        Ok(offset)
    }

    fn account(&self) -> Result<AccountRest<'_>, Failure> {
        let credentials =
            self.credentials.as_ref().ok_or_else(|| Failure::usage("there are no credentials to ask with"))?;
        Ok(AccountRest::new(self.product, credentials, self.receive_window_ms))
    }

    fn venue_now(&self) -> Nanos {
        self.clock.now() + self.offset
    }

    fn not_understood(&self, what: &str, error: impl std::fmt::Display) -> Failure {
        Failure::failed(format!("the venue's answer about {what} is not understood")).at(&self.base).because(error)
    }

    /// Balances, positions and the account's id.
    ///
    /// # Errors
    /// The venue cannot be reached or refuses.
    pub fn point(&self, instruments: &[Instrument]) -> Result<(AccountPoint, Option<String>), Failure> {
        let account = self.account()?;
        let body = self.send(&account.balances(self.venue_now()))?;
        let balances =
            account::parse_balances(self.product, &body).map_err(|error| self.not_understood("balances", error))?;
        let id = account::parse_account_id(self.product, &body);
        let positions = match account.positions(self.venue_now()) {
            None => Vec::new(),
            Some(request) => account::parse_positions(instruments, &self.send(&request)?)
                .map_err(|error| self.not_understood("positions", error))?,
        };
        Ok((AccountPoint { balances, positions }, id))
    }

    /// The account's executions of an instrument since a time, oldest first.
    ///
    /// # Errors
    /// The venue cannot be reached or refuses.
    pub fn trades_since(&self, instrument: &Instrument, start: Nanos) -> Result<Vec<TradeRecord>, Failure> {
        let account = self.account()?;
        let mut since = TradesSince::Time(start);
        let mut trades: Vec<TradeRecord> = Vec::new();
        loop {
            let body = self.send(&account.trades(instrument, since, self.venue_now()))?;
            let page = account::parse_trades(std::slice::from_ref(instrument), &body)
                .map_err(|error| self.not_understood("trades", error))?;
            let (count, last) = (page.len(), page.iter().map(|trade| trade.trade).max());
            trades.extend(page);
            match last {
                Some(last) if count >= TRADES_PER_REPLY => since = TradesSince::Id(TradeId(last.0 + 1)),
                _ => return Ok(trades),
            }
        }
    }

    /// The account's open orders in an instrument.
    ///
    /// # Errors
    /// The venue cannot be reached or refuses.
    pub fn open_orders(&self, instrument: &Instrument) -> Result<Vec<OrderUpdate>, Failure> {
        let body = self.send(&self.account()?.open_orders(instrument, self.venue_now()))?;
        account::parse_open_orders(std::slice::from_ref(instrument), &body)
            .map_err(|error| self.not_understood("open orders", error))
    }

    /// The venue's clock now, as far as it was measured.
    #[must_use]
    pub fn venue_time(&self) -> Nanos {
        self.venue_now()
    }
}

/// A refusal for people: what, where, why, what next.
fn explain(product: ProductLine, request: &RestRequest, base: &str, error: &FetchError) -> Failure {
    let path = request.target.split('?').next().unwrap_or_default();
    let what = format!("{} {path} failed", request.method);
    let failure = |failure: Failure| failure.at(base).because(error);
    match error {
        FetchError::Status { status, body } => {
            let refusal = account::parse_refusal(*status, body);
            let why = format!("HTTP {status}, code {}: {}", refusal.code, refusal.message);
            match account::reaction(product, &refusal) {
                Reaction::Halt => Failure::usage("the venue does not accept the credentials")
                    .at(base)
                    .because(why)
                    .next("check key, secret, permissions and IP binding: `spinbook keys check -c FILE`"),
                Reaction::ResyncClock => Failure::failed(what)
                    .at(base)
                    .because(why)
                    .next("synchronise this machine's clock; `spinbook doctor` shows its state"),
                Reaction::Configuration => Failure::usage("the venue does not know a symbol")
                    .at(base)
                    .because(why)
                    .next("check market.symbols"),
                _ => Failure::failed(what).at(base).because(why),
            }
        }
        FetchError::RateLimited { retry_after_seconds, .. } => {
            failure(Failure::failed(what)).next(format!("wait {retry_after_seconds} s before anything is asked again"))
        }
        FetchError::Connect(_) | FetchError::Timeout(_) => failure(Failure::failed(what))
            .next("check the base URL, this machine's network, and that the exchange runs"),
        FetchError::Tls(_) => failure(Failure::failed(what))
            .next("check the host name and, for a private exchange, market.ca_file; certificates are always checked"),
        FetchError::Redirect { .. } | FetchError::Request(_) => {
            failure(Failure::usage(what)).next("correct market.rest_url")
        }
        FetchError::TooLarge { .. } | FetchError::Broken(_) => failure(Failure::failed(what)),
    }
}
