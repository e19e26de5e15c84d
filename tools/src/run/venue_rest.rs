//! COLD: what is asked of a venue over REST: instruments, clock, account; with answers for people when it refuses.

use std::time::Duration;

use rust_decimal::Decimal;
use serde_json::Value;
use spinbook_engine::types::{Nanos, TradeId};
use spinbook_feed::crypto::credentials::Credentials;
use spinbook_feed::error::InstrumentError;
use spinbook_feed::gateway::clock::{CLOCK_OFFSET_MAX, VenueClock};
use spinbook_feed::net::connection::tls::Trust;
use spinbook_feed::net::host::clock::Clock;
use spinbook_feed::net::io::fetch::{FetchError, Fetcher, HttpCall};
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::account::{
    AccountPoint, AccountSide, IncomeRecord, KeyRights, RestRequest, Signing, TradeRecord, TradesSince,
};
use spinbook_feed::venue::any_account::AnyAccount;
use spinbook_feed::venue::card::RateWindow;
use spinbook_feed::venue::instrument::Instrument;
use spinbook_feed::venue::order_ids::RunName;
use spinbook_feed::venue::order_side::Reaction;
use spinbook_feed::venue::orders::{MoneyReason, OrderDecodeError, OrderUpdate};

use crate::error::Failure;

/// Largest reply accepted; instrument lists of the venue have some 20 MiB.
const BODY_BYTES_MAX: usize = 64 << 20;
/// How long a request may take.
const WITHIN: Duration = Duration::from_secs(10);

/// What carries requests to a venue and tells the time: sockets, or an exchange in this very thread.
pub trait VenueLine {
    /// Sends a request and waits for the body of its answer.
    ///
    /// # Errors
    /// There was no answer, or a refusal.
    fn call(&self, request: &RestRequest) -> Result<Vec<u8>, FetchError>;
    /// The moment on our own clock.
    fn now(&self) -> Nanos;
    /// Where the venue is, for messages.
    fn place(&self) -> &str;
}

/// A venue behind sockets.
pub struct SocketLine {
    /// Sends the requests; clones of it keep quiet together.
    pub fetcher: Fetcher,
    base: String,
    clock: Clock,
}

impl SocketLine {
    /// What tells its time.
    #[must_use]
    pub const fn clock(&self) -> Clock {
        self.clock
    }
}

impl VenueLine for SocketLine {
    fn call(&self, request: &RestRequest) -> Result<Vec<u8>, FetchError> {
        let url = format!("{}{}", self.base, request.target);
        let headers: Vec<(&str, &str)> = request.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let call = HttpCall { method: request.method, url: &url, headers: &headers, body_bytes_max: BODY_BYTES_MAX };
        self.fetcher.call(&call)
    }

    fn now(&self) -> Nanos {
        self.clock.now()
    }

    fn place(&self) -> &str {
        &self.base
    }
}

/// One account's REST side.
pub struct VenueRest<L = SocketLine> {
    /// Carries the requests.
    pub line: L,
    product: ProductLine,
    /// `None` where the product line takes no orders.
    side: Option<AnyAccount>,
    credentials: Option<Credentials>,
    venue_clock: VenueClock,
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
        let base = base.trim_end_matches('/').to_owned();
        let line = SocketLine { fetcher: Fetcher::new(trust, WITHIN), base, clock };
        VenueRest::over(line, product, credentials, receive_window_ms)
    }
}

impl<L: VenueLine> VenueRest<L> {
    /// For requests that `line` carries.
    #[must_use]
    pub fn over(
        line: L,
        product: ProductLine,
        credentials: Option<Credentials>,
        receive_window_ms: i64,
    ) -> VenueRest<L> {
        let side = AnyAccount::new(product, receive_window_ms);
        VenueRest { line, product, side, credentials, venue_clock: VenueClock::default() }
    }

    fn send(&self, request: &RestRequest) -> Result<Vec<u8>, Failure> {
        self.line.call(request).map_err(|error| explain(self.side.as_ref(), request, self.line.place(), &error))
    }

    fn get(&self, path: &str) -> Result<Vec<u8>, Failure> {
        self.send(&RestRequest { method: "GET", target: path.to_owned(), headers: Vec::new(), weight: 0 })
    }

    /// Takes over what another one measured of the venue's clock, on the same clock of ours.
    pub fn take_clock_of(&mut self, other: &VenueRest<L>) {
        self.venue_clock = other.venue_clock;
    }

    /// The instrument list, as the venue sends it.
    ///
    /// # Errors
    /// The venue cannot be reached or refuses.
    pub fn exchange_info(&self) -> Result<Vec<u8>, Failure> {
        self.get(self.product.card().instruments_path)
    }

    /// The named instruments of a list, numbered from 0 in the order of `symbols`.
    ///
    /// # Errors
    /// The list is unreadable, a symbol is not listed, or one of its rules is unusable.
    pub fn find_instruments(&self, list: &[u8], symbols: &[&str]) -> Result<Vec<Instrument>, Failure> {
        self.side()?.find_instruments(list, symbols).map_err(|error| match error {
            InstrumentError::Unknown { .. } => Failure::usage("an instrument cannot be traded")
                .at("market.symbols")
                .because(error)
                .next("name it as the venue's instrument list does"),
            InstrumentError::Repeated { .. } | InstrumentError::Field { .. } => {
                Failure::usage("an instrument cannot be traded")
                    .at("market.symbols")
                    .because(error)
                    .next("leave it out until the venue's instrument list is right")
            }
            InstrumentError::List(_) => self.not_understood("instruments", error),
        })
    }

    /// The venue's windows, as its instrument list states them.
    ///
    /// # Errors
    /// The list has none, or one that cannot be kept: without it the venue would be sent too much.
    pub fn windows(&self, list: &[u8]) -> Result<Vec<RateWindow>, Failure> {
        let windows = self.side()?.parse_windows(list).map_err(|error| {
            Failure::failed("the venue's rate limits cannot be kept")
                .at(self.line.place())
                .because(error)
                .next("nothing is traded without them: ask the venue, or check that market.rest_url is the venue's")
        })?;
        Ok(windows
            .iter()
            .map(|window| RateWindow { kind: window.kind, span: window.span, limit: window.limit })
            .collect())
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

    /// Measures by how much the venue's clock is ahead of ours.
    ///
    /// # Errors
    /// The venue cannot be reached, or its answer is not understood.
    pub fn clock_offset(&mut self) -> Result<Nanos, Failure> {
        self.venue_clock.restart();
        while self.venue_clock.wants_samples() {
            let sent = self.line.now();
            let body = self.get(self.product.card().time_path)?;
            let received = self.line.now();
            let venue = self.side()?.parse_time(&body).map_err(|error| self.not_understood("time", error))?;
            self.venue_clock.sample(venue, sent, received);
        }
        Ok(self.venue_clock.offset())
    }

    /// Measures the venue's clock, as [`VenueRest::clock_offset`], and refuses to go on if ours is too far from it.
    ///
    /// # Errors
    /// The venue cannot be reached, or the clocks disagree.
    pub fn measure_clock(&mut self) -> Result<Nanos, Failure> {
        let offset = self.clock_offset()?;
        if self.venue_clock.is_beyond(CLOCK_OFFSET_MAX) {
            return Err(Failure::failed("this machine's clock disagrees with the venue's")
                .at(self.line.place())
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
        Ok(offset)
    }

    fn side(&self) -> Result<&AnyAccount, Failure> {
        let name = self.product.name();
        self.side.as_ref().ok_or_else(|| Failure::usage(format!("{name} has no accounts: it is market data alone")))
    }

    fn signing(&self) -> Result<Signing<'_>, Failure> {
        let credentials =
            self.credentials.as_ref().ok_or_else(|| Failure::usage("there are no credentials to ask with"))?;
        Ok(Signing { credentials, venue_now: self.venue_now() })
    }

    fn venue_now(&self) -> Nanos {
        self.venue_clock.venue_time(self.line.now())
    }

    fn not_understood(&self, what: &str, error: impl std::fmt::Display) -> Failure {
        Failure::failed(format!("the venue's answer about {what} is not understood"))
            .at(self.line.place())
            .because(error)
    }

    /// Whether the account keeps its positions as they are reckoned here.
    ///
    /// # Errors
    /// It does not, or the venue does not say.
    pub fn check_mode(&self) -> Result<(), Failure> {
        let side = self.side()?;
        let Some(request) = side.mode(self.signing()?) else { return Ok(()) };
        side.check_mode(&self.send(&request)?).map_err(|error| self.positions_refused(error))
    }

    fn positions_refused(&self, error: OrderDecodeError) -> Failure {
        match error {
            OrderDecodeError::HedgeMode { advice, .. } | OrderDecodeError::HedgeModeSet { advice, .. } => {
                Failure::usage("the account cannot be traded: it keeps two positions of one symbol")
                    .at(self.line.place())
                    .because(&error)
                    .next(advice)
            }
            _ => self.not_understood("positions", error),
        }
    }

    /// Balances, positions and the account's id.
    ///
    /// # Errors
    /// The venue cannot be reached or refuses, its answer is not understood, or the account is one that is not traded.
    pub fn point(&self, instruments: &[Instrument]) -> Result<(AccountPoint, Option<String>), Failure> {
        let side = self.side()?;
        let body = self.send(&side.balances(self.signing()?))?;
        let balances = side.parse_balances(&body).map_err(|error| self.not_understood("balances", error))?;
        let id = side.parse_account_id(&body);
        let positions = match side.positions(self.signing()?) {
            None => Vec::new(),
            Some(request) => side
                .parse_positions(instruments, &self.send(&request)?)
                .map_err(|error| self.positions_refused(error))?,
        };
        Ok((AccountPoint { balances, positions }, id))
    }

    /// The account's executions of an instrument since a time, oldest first.
    ///
    /// # Errors
    /// The venue cannot be reached or refuses.
    pub fn trades_since(&self, instrument: &Instrument, start: Nanos) -> Result<Vec<TradeRecord>, Failure> {
        let side = self.side()?;
        let mut since = TradesSince::Time(start);
        let mut trades: Vec<TradeRecord> = Vec::new();
        loop {
            let body = self.send(&side.trades(self.signing()?, instrument, since))?;
            let page = side
                .parse_trades(std::slice::from_ref(instrument), &body)
                .map_err(|error| self.not_understood("trades", error))?;
            let (count, last) = (page.len(), page.iter().map(|trade| trade.trade).max());
            trades.extend(page);
            match last {
                Some(last) if count >= side.trades_per_reply() => since = TradesSince::Id(TradeId(last.0 + 1)),
                _ => return Ok(trades),
            }
        }
    }

    /// What moved the account's money since a time, oldest first; nothing where the venue lists no such thing.
    ///
    /// # Errors
    /// The venue cannot be reached or refuses.
    pub fn incomes_since(&self, instruments: &[Instrument], start: Nanos) -> Result<Vec<IncomeRecord>, Failure> {
        let side = self.side()?;
        let (mut since, mut incomes): (Nanos, Vec<IncomeRecord>) = (start, Vec::new());
        loop {
            let Some(request) = side.incomes(self.signing()?, since) else { return Ok(incomes) };
            let body = self.send(&request)?;
            let page = side.parse_incomes(instruments, &body).map_err(|error| self.not_understood("incomes", error))?;
            let (count, last) = (page.len(), page.iter().map(|income| income.time).max());
            // Those with the last stamp come again; of executions there are many, and they are known otherwise.
            let counts = |income: &IncomeRecord| income.reason != MoneyReason::Trade && income.time >= start;
            for income in page.into_iter().filter(counts) {
                if !incomes.contains(&income) {
                    incomes.push(income);
                }
            }
            match last {
                Some(last) if count >= side.incomes_per_reply() => since = last.max(since + Nanos::from_millis(1)),
                _ => return Ok(incomes),
            }
        }
    }

    /// The account's open orders in an instrument. What bears the number of one of `runs` and is none of theirs, is of run
    /// [`OTHER_RUN`](spinbook_feed::venue::order_ids::OTHER_RUN).
    ///
    /// # Errors
    /// The venue cannot be reached or refuses.
    pub fn open_orders(&self, instrument: &Instrument, runs: &[RunName]) -> Result<Vec<OrderUpdate>, Failure> {
        let side = self.side()?;
        let body = self.send(&side.open_orders(self.signing()?, instrument))?;
        side.parse_open_orders(std::slice::from_ref(instrument), runs, &body)
            .map_err(|error| self.not_understood("open orders", error))
    }

    /// The account's orders in an instrument since a time, closed ones too; as [`VenueRest::open_orders`].
    ///
    /// # Errors
    /// The venue cannot be reached or refuses.
    pub fn orders_since(
        &self,
        instrument: &Instrument,
        runs: &[RunName],
        since: Nanos,
    ) -> Result<Vec<OrderUpdate>, Failure> {
        let side = self.side()?;
        let body = self.send(&side.orders_since(self.signing()?, instrument, since))?;
        side.parse_open_orders(std::slice::from_ref(instrument), runs, &body)
            .map_err(|error| self.not_understood("orders", error))
    }

    /// Cancels every open order of an instrument.
    ///
    /// # Errors
    /// The venue cannot be reached or refuses; some call it a refusal that there is nothing to cancel.
    pub fn cancel_all(&self, instrument: &Instrument) -> Result<(), Failure> {
        self.send(&self.side()?.cancel_all(self.signing()?, instrument)).map(|_| ())
    }

    /// What the key may do.
    ///
    /// # Errors
    /// The venue cannot be reached, refuses, or does not say.
    pub fn key_rights(&self) -> Result<KeyRights, Failure> {
        let side = self.side()?;
        let silent = || Failure::failed("the venue does not say what a key may do").at(self.line.place());
        let request = side.key_rights(self.signing()?).ok_or_else(silent)?;
        side.parse_key_rights(&self.send(&request)?).map_err(|error| self.not_understood("the key's rights", error))
    }

    /// Has the venue cancel every open order of an instrument after a time, unless asked again; zero: no longer. Whether
    /// the venue can.
    ///
    /// # Errors
    /// The venue cannot be reached or refuses.
    pub fn cancel_all_later(&self, instrument: &Instrument, within: Nanos) -> Result<bool, Failure> {
        match self.side()?.cancel_all_later(self.signing()?, instrument, within) {
            Some(request) => self.send(&request).map(|_| true),
            None => Ok(false),
        }
    }

    /// The venue's clock now, as far as it was measured.
    #[must_use]
    pub fn venue_time(&self) -> Nanos {
        self.venue_now()
    }
}

/// A refusal for people: what, where, why, what next.
fn explain(side: Option<&AnyAccount>, request: &RestRequest, base: &str, error: &FetchError) -> Failure {
    let path = request.target.split('?').next().unwrap_or_default();
    let what = format!("{} {path} failed", request.method);
    let failure = |failure: Failure| failure.at(base).because(error);
    match error {
        FetchError::Status { status, body } => {
            let Some(side) = side else { return failure(Failure::failed(what)) };
            let refusal = side.parse_refusal(*status, body);
            let why = format!("HTTP {status}, code {}: {}", refusal.code, refusal.message);
            match side.reaction(&refusal) {
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
                _ if *status >= 500 => Failure::failed(what).at(base).because(why).passing().next(
                    "the venue is busy or under repair: try again later; engine.start_retry_seconds waits longer",
                ),
                _ if *status == 404 => Failure::failed(what)
                    .at(base)
                    .because(why)
                    .next("check market.rest_url and market.venue: that host does not serve what this venue does"),
                _ => Failure::failed(what).at(base).because(why),
            }
        }
        FetchError::RateLimited { retry_after_seconds, .. } => {
            failure(Failure::failed(what)).next(format!("wait {retry_after_seconds} s before anything is asked again"))
        }
        FetchError::Connect(_) | FetchError::Timeout(_) => failure(Failure::failed(what))
            .passing()
            .next("check the base URL, this machine's network, and that the exchange runs"),
        // A record that was damaged on its way; a certificate does not get better by being asked again.
        FetchError::Tls(why) if !why.contains("certificate") => failure(Failure::failed(what))
            .passing()
            .next("check this machine's network, and what stands between it and the exchange"),
        FetchError::Tls(_) => failure(Failure::failed(what))
            .next("check the host name and, for a private exchange, market.ca_file; certificates are always checked"),
        FetchError::Redirect { .. } | FetchError::Request(_) => {
            failure(Failure::usage(what)).next("correct market.rest_url")
        }
        FetchError::Broken(_) => failure(Failure::failed(what))
            .passing()
            .next("check this machine's network and name service, and what stands between it and the exchange"),
        FetchError::TooLarge { .. } => failure(Failure::failed(what)),
    }
}

#[cfg(test)]
mod tests {
    use spinbook_feed::venue::binance;

    use super::*;

    fn rest() -> VenueRest {
        let trust = Trust::public();
        VenueRest::new(&trust, "https://venue.example/", binance::USDM, None, 1_000, Clock::start())
    }

    fn list(limit: &str, symbols: &[&str]) -> Vec<u8> {
        let filters =
            r#"[{"filterType":"PRICE_FILTER","tickSize":"0.10"},{"filterType":"LOT_SIZE","stepSize":"0.001"}]"#;
        let row = |symbol: &&str| {
            format!(
                r#"{{"symbol":"{symbol}","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","filters":{filters}}}"#
            )
        };
        let rows: Vec<String> = symbols.iter().map(row).collect();
        let limit = format!(r#"{{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":{limit}}}"#);
        format!(r#"{{"rateLimits":[{limit}],"symbols":[{}]}}"#, rows.join(",")).into_bytes()
    }

    #[test]
    fn rate_limits_that_cannot_be_kept_end_the_start_with_the_reason() {
        let rest = rest();
        assert_eq!(rest.windows(&list("300", &[])).expect("kept")[0].limit, 300);
        for limit in ["0", "9223372036854775807", "null"] {
            let refused = rest.windows(&list(limit, &[])).expect_err("refused");
            let text = refused.to_string();
            for part in ["rate limits cannot be kept", "https://venue.example", &format!("limit is {limit}"), "next"] {
                assert!(text.contains(part), "no {part} in {text}");
            }
        }
    }

    #[test]
    fn a_symbol_listed_twice_ends_the_start_and_is_not_called_unknown() {
        let rest = rest();
        rest.find_instruments(&list("300", &["BTCUSDT"]), &["BTCUSDT"]).expect("listed once");
        let refused = rest.find_instruments(&list("300", &["BTCUSDT", "BTCUSDT"]), &["BTCUSDT"]).expect_err("refused");
        let text = refused.to_string();
        assert!(text.contains("BTCUSDT is listed 2 times") && text.contains("leave it out"), "{text}");
    }

    #[test]
    fn hedge_mode_is_refused_with_how_to_leave_it() {
        let body = br#"[{"symbol":"BTCUSDT","positionSide":"LONG","positionAmt":"1"}]"#;
        let error = binance::account::parse_positions(&[], body).expect_err("refused");
        let refused = rest().positions_refused(error);
        assert_eq!(refused.exit, crate::outcome::Exit::Usage);
        let text = refused.to_string();
        assert!(text.contains("hedge mode") && text.contains("one-way mode"), "{text}");
    }
}
