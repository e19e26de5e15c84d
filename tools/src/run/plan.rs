//! COLD: what a run is told, and what it leaves: the plan before it and the result after it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use spinbook_engine::types::{Lots, Nanos};
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::account::{AccountPoint, IncomeRecord, TradeRecord};
use spinbook_feed::venue::instrument::Instrument;

use super::keys::KeySource;
use super::kill_word::KillTarget;
use super::signals::{StopRequest, StopSignal};
use super::topology::{Cores, Ended};
use crate::config::Config;
use crate::config::tables::MarketConfig;
use crate::config::value::AtStart;
use crate::error::Failure;
use crate::ui::report::{OrderRecord, StoppedBy};

/// How orders are treated, as reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunMode {
    /// Sent to the simulated exchange, market included.
    Demo,
    /// Live market, orders to the simulated exchange.
    Paper,
    /// Built and never sent.
    Shadow,
    /// Sent.
    Live,
}

impl RunMode {
    /// As reported.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            RunMode::Demo => "demo",
            RunMode::Paper => "paper",
            RunMode::Shadow => "shadow",
            RunMode::Live => "live",
        }
    }

    /// How long cancels are repeated that the venue does not confirm; without end where the venue is real. An exchange
    /// of our own ends with us.
    #[must_use]
    pub const fn patience(self) -> Option<Duration> {
        match self {
            RunMode::Live => None,
            RunMode::Demo | RunMode::Paper | RunMode::Shadow => Some(Duration::from_secs(10)),
        }
    }
}

/// Where a venue is.
#[derive(Clone, Debug)]
pub struct Venue {
    /// Base URL of REST.
    pub rest_url: String,
    /// Base URL of streams.
    pub stream_url: String,
    /// Base URL of the WebSocket API.
    pub ws_api_url: String,
    /// A private exchange's authority.
    pub ca_file: Option<PathBuf>,
}

impl Venue {
    /// Nowhere: an exchange in this very thread is not reached by addresses.
    #[must_use]
    pub const fn in_process() -> Venue {
        Venue { rest_url: String::new(), stream_url: String::new(), ws_api_url: String::new(), ca_file: None }
    }
}

/// What is to be run.
pub struct Plan {
    /// How orders are treated.
    pub mode: RunMode,
    /// The configuration.
    pub config: Config,
    /// The markets, one a venue, at least one.
    pub markets: Vec<MarketPlan>,
    /// Who runs on which core.
    pub cores: Cores,
    /// How long; without it until interrupted.
    pub seconds: Option<Duration>,
    /// Seed of a synthetic market, for the report.
    pub seed: Option<u64>,
    /// Whether a journal is kept in the state directory; in live trading one always is.
    pub log_orders: bool,
    /// Whether another engine's orders on an account are taken for those of one that is gone.
    pub take_over: bool,
    /// Whether it runs in virtual time, so that it repeats; nothing is then measured on a clock.
    pub is_virtual: bool,
}

/// One market of a run.
#[derive(Clone, Debug)]
pub struct MarketPlan {
    /// Its configuration: venue and symbols.
    pub config: MarketConfig,
    /// Where the market comes from.
    pub market: Venue,
    /// Where orders go.
    pub orders: Venue,
    /// Whose orders.
    pub keys: KeySource,
    /// For live: must be what the venue answers.
    pub account: Option<String>,
}

impl Plan {
    /// Whether a start goes on with the orders that it finds of earlier runs, rather than cancelling them.
    #[must_use]
    pub fn adopts(&self) -> bool {
        self.mode == RunMode::Live && !self.take_over && self.config.engine.at_start == AtStart::Adopt
    }

    /// The venue's name, or `all` where there are several.
    #[must_use]
    pub fn venue_name(&self) -> &'static str {
        match self.markets.as_slice() {
            [only] => only.config.venue.name(),
            _ => "all",
        }
    }

    /// What an operator may kill of it.
    #[must_use]
    pub fn kill_target(&self, instrument: &Instrument) -> KillTarget {
        KillTarget {
            id: instrument.id,
            venue: ProductLine::from_venue_id(instrument.venue).map_or("", ProductLine::name).to_owned(),
            symbol: instrument.symbol.to_string(),
            label: self.label(instrument),
        }
    }

    /// A symbol as reports name it: alone, or `venue:symbol` where there are several venues.
    #[must_use]
    pub fn label(&self, instrument: &Instrument) -> String {
        match self.markets.len() {
            1 => instrument.symbol.to_string(),
            _ => {
                let venue = ProductLine::from_venue_id(instrument.venue).map_or("", ProductLine::name);
                format!("{venue}:{}", instrument.symbol)
            }
        }
    }
}

/// Whether the market that a run trades on is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarketLife {
    /// It is.
    Running,
    /// It has been played to its end: so the run ends, in order.
    Ended,
}

/// Asked every few milliseconds while a run works, by the thread that waits for its end; a failure ends the run.
pub type MarketCheck<'a> = &'a mut dyn FnMut() -> Result<MarketLife, Failure>;

/// Why a run stopped trading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Its time was over.
    Finished,
    /// The market was over.
    MarketOver,
    /// A signal asked for it.
    Interrupted(StopSignal),
    /// A key of the screen asked for it.
    Quit,
    /// `spinbook kill` asked for it.
    Killed,
    /// Trading was halted, or what it needs broke: why.
    Halted(String),
}

impl Stop {
    /// As reports say it: `finished`, `interrupted`, `killed` or `halted:REASON`.
    #[must_use]
    pub fn ended(&self) -> String {
        match self {
            Stop::Finished | Stop::MarketOver => "finished".to_owned(),
            Stop::Interrupted(_) | Stop::Quit => "interrupted".to_owned(),
            Stop::Killed => "killed".to_owned(),
            Stop::Halted(reason) => format!("halted:{reason}"),
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Finished => out.write_str("its time is over"),
            Stop::MarketOver => out.write_str("the market is over"),
            Stop::Interrupted(signal) => out.write_str(signal.name()),
            Stop::Quit => out.write_str("the key q"),
            Stop::Killed => out.write_str("spinbook kill"),
            Stop::Halted(reason) => write!(out, "halted: {reason}"),
        }
    }
}

impl From<StopRequest> for Stop {
    fn from(request: StopRequest) -> Stop {
        match request {
            StopRequest::Signal(signal) => Stop::Interrupted(signal),
            StopRequest::QuitKey => Stop::Quit,
            StopRequest::KillFile => Stop::Killed,
        }
    }
}

/// A run that is over, with everything the report is made from.
pub struct Finished<S> {
    /// What was planned.
    pub plan: Plan,
    /// What came of each market, in the order of the plan.
    pub markets: Vec<FinishedMarket>,
    /// What the threads left; its gateways are in the order of the markets.
    pub ended: Ended<S>,
    /// From the first connection to the last.
    pub elapsed: Duration,
    /// When trading began and when the last thread had ended.
    pub times: [Nanos; 2],
    /// Why it stopped trading.
    pub stop: Stop,
    /// The controls that had stopped trading by the end.
    pub stopped_by: Vec<StoppedBy>,
    /// Why the result of the day could not be kept, if it could not.
    pub day_book_failure: Option<String>,
    /// The record of orders, where one was wanted.
    pub order_log: Option<OrderRecord>,
}

/// What came of one market.
pub struct FinishedMarket {
    /// What was traded.
    pub instruments: Vec<Instrument>,
    /// Account at the start and at the end, and every execution between; none where the venue is not asked.
    pub venue: Option<VenueSide>,
    /// What the venue says is held of each instrument in the end, by place, where it said at least that.
    pub held: Vec<Option<Lots>>,
    /// Why the venue, which was to be asked in the end, did not answer.
    pub venue_failure: Option<Failure>,
}

impl<S> Finished<S> {
    /// Everything that was traded, by its id.
    pub fn instruments(&self) -> impl Iterator<Item = &Instrument> {
        self.markets.iter().flat_map(|market| &market.instruments)
    }
}

/// What the venue says about the account.
pub struct VenueSide {
    /// Before the first order.
    pub start: AccountPoint,
    /// After the last.
    pub end: AccountPoint,
    /// Executions between.
    pub trades: Vec<TradeRecord>,
    /// What moved the account's money between, where the venue lists it.
    pub incomes: Vec<IncomeRecord>,
    /// Orders still open.
    pub open_orders: usize,
}
