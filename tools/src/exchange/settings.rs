//! COLD: makes the simulated exchange that `exchange` serves and `run --mode paper` trades against.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rust_decimal::Decimal;
use spinbook_engine::types::Nanos;
use spinbook_feed::history::recorded::Recording;
use spinbook_feed::history::{VerifyProblem, recorded_instruments};
use spinbook_feed::net::exchange::paper::NoMarket;
use spinbook_feed::net::exchange::test_keys::random_seed;
use spinbook_feed::sim::api::ListingSettings;
use spinbook_feed::sim::fault_plan::FaultPlan;
use spinbook_feed::sim::fees::FeeRates;
use spinbook_feed::sim::side::ExchangeSide;
use spinbook_feed::venue::instrument::Instrument;
use spinbook_feed::venue::simulator_side::{ChosenSymbol, KeptState, MarketForm, MarketStart, Play, PlaySpeed};
use spinbook_feed::venue::source::MarketSource;
use spinbook_feed::venue::{ProductLine, SimulatorSide};

use crate::cli::{Speed, StartBalance};
use crate::error::Failure;
use crate::exchange::accounts::TestAccounts;

/// What market to play.
#[derive(Clone, Debug)]
pub struct MarketChoice {
    /// The product line.
    pub product: ProductLine,
    /// Recordings; none: a synthetic market.
    pub data: Vec<PathBuf>,
    /// How fast.
    pub speed: Speed,
    /// From when on.
    pub starts: MarketStart,
    /// In what form.
    pub form: MarketForm,
    /// Seed of the synthetic market; drawn if none is given.
    pub seed: Option<u64>,
    /// Faults to inject.
    pub faults: FaultPlan,
    /// What accounts start with instead of the usual.
    pub balances: Vec<StartBalance>,
    /// Symbols of a synthetic market; none: the usual one.
    pub symbols: Vec<ChosenSymbol>,
    /// What outlives the process.
    pub kept: KeptState,
}

impl MarketChoice {
    /// The market of an exchange that is served in virtual time, in the thread of its one client: it waits for that.
    #[must_use]
    pub fn in_process(product: ProductLine, data: Vec<PathBuf>) -> MarketChoice {
        MarketChoice {
            product,
            data,
            speed: Speed::Times(1.0),
            starts: MarketStart::FirstStream,
            form: MarketForm::Present,
            seed: None,
            faults: FaultPlan::default(),
            balances: Vec::new(),
            symbols: Vec::new(),
            kept: KeptState::Nothing,
        }
    }
}

/// The exchange and what is to be said about it.
pub struct Simulated {
    /// The exchange.
    pub exchange: Box<dyn ExchangeSide>,
    /// Symbols it lists.
    pub symbols: Vec<String>,
    /// Seed, if the market is synthetic.
    pub seed: Option<u64>,
    /// The market in words.
    pub market: String,
}

/// Reads a fault file.
///
/// # Errors
/// It cannot be read or is not a fault plan.
pub fn read_faults(path: &Path) -> Result<FaultPlan, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage("cannot read the faults").at(path.display()).because(error))?;
    toml::from_str(&text).map_err(|error| {
        Failure::usage("this is not a fault plan").at(path.display()).because(error.to_string().trim())
    })
}

/// Makes the exchange at `now`.
///
/// # Errors
/// A recording that cannot be read or is another venue's, or a setting that cannot be used.
pub fn make(choice: MarketChoice, test: &TestAccounts, now: Nanos) -> Result<Simulated, Failure> {
    let product = choice.product;
    let simulator = simulator_of(product)?;
    let (listings, source, seed, market) = if choice.data.is_empty() {
        synthetic(product, &choice.symbols, choice.seed, now)?
    } else {
        recorded(product, &choice.data)?
    };
    let symbols: Vec<String> = listings.iter().map(|listing| listing.symbol.clone()).collect();
    let mut settings = simulator.settings(product, listings);
    settings.accounts = test.settings(&settings.listings, product, &choice.balances);
    settings.withdrawing = test.withdrawing();
    settings.faults = choice.faults;
    settings.past_seed = seed;
    settings.kept = choice.kept;
    let speed = match choice.speed {
        Speed::Max => PlaySpeed::Max,
        Speed::Times(times) => PlaySpeed::Thousandths(((times * 1000.0).round() as u64).max(1)),
    };
    settings.play = Play { speed, starts: choice.starts, form: choice.form };
    let exchange = simulator
        .exchange(settings, source, now)
        .map_err(|why| Failure::failed("cannot make the simulated exchange").because(why))?;
    if let Some(why) = exchange.status().market_error {
        return Err(Failure::wrong("the recording cannot be played").because(why));
    }
    Ok(Simulated { exchange, symbols, seed, market })
}

type Market = (Vec<ListingSettings>, Box<dyn MarketSource>, Option<u64>, String);

fn synthetic(product: ProductLine, symbols: &[ChosenSymbol], seed: Option<u64>, now: Nanos) -> Result<Market, Failure> {
    let seed = match seed {
        Some(seed) => seed,
        None => random_seed().map_err(|error| Failure::failed("cannot draw a seed").because(error))?,
    };
    let market = simulator_of(product)?.synthetic(product, symbols, seed, now).map_err(|why| {
        Failure::usage("cannot make the synthetic market")
            .at("--symbols")
            .because(why)
            .next("write --symbols BTCUSDT,ETHUSDT,FOOUSDT=1.25")
    })?;
    let symbols: Vec<&str> = market.listings.iter().map(|listing| listing.symbol.as_str()).collect();
    let words = format!("synthetic {} {}, seed {seed}", product.name(), symbols.join(" "));
    Ok((market.listings, market.source, Some(seed), words))
}

/// The simulator of a product line's venue.
fn simulator_of(product: ProductLine) -> Result<&'static dyn SimulatorSide, Failure> {
    product.simulator().ok_or_else(|| Failure::usage(format!("{} has no simulated exchange", product.name())))
}

fn recorded(product: ProductLine, files: &[PathBuf]) -> Result<Market, Failure> {
    let refuse = |why: String| {
        Failure::wrong("the recording cannot be played").because(why).next("`spinbook verify FILE` says more about it")
    };
    let unusable = |problem: VerifyProblem| Failure::of_recording("the recording cannot be played", &problem);
    let (found, instruments) = recorded_instruments(files, None).map_err(unusable)?;
    if found != product {
        return Err(Failure::usage(format!("the recording is of {}, not of {}", found.name(), product.name()))
            .at("--venue")
            .next(format!("use --venue {}", found.name())));
    }
    if instruments.is_empty() {
        return Err(refuse("no market frame was found in it".to_owned()));
    }
    let simulator = simulator_of(product)?;
    let listings = instruments.iter().map(|instrument| listing_of(simulator, product, instrument)).collect();
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    Ok((listings, Box::new(Recording::new(files)), None, format!("recorded: {}", names.join(" "))))
}

/// A paper exchange over a live market's instruments: it lists what the venue lists, with our fees.
///
/// # Errors
/// An instrument that cannot be listed.
pub fn make_paper(
    product: ProductLine,
    instruments: &[Instrument],
    (maker_millionths, taker_millionths): (i64, i64),
    test: &TestAccounts,
    now: Nanos,
) -> Result<Box<dyn ExchangeSide>, Failure> {
    let listings = instruments.iter().map(listing_as_traded).collect();
    let simulator = simulator_of(product)?;
    let mut settings = simulator.settings(product, listings);
    settings.accounts = test.settings(&settings.listings, product, &[]);
    settings.fees = FeeRates { maker_millionths, taker_millionths };
    // Whoever trades on it has the market from the venue itself.
    settings.play.form = MarketForm::Original;
    simulator
        .exchange(settings, Box::new(NoMarket), now)
        .map_err(|why| Failure::failed("cannot make the paper exchange").because(why))
}

/// A listing exactly as the venue's own list has it.
fn listing_as_traded(instrument: &Instrument) -> ListingSettings {
    let quote_units = Decimal::from_i128_with_scale(instrument.notional_min.0, 18).normalize();
    ListingSettings {
        symbol: instrument.symbol.to_string(),
        base: instrument.base_asset.to_string(),
        quote: instrument.quote_asset.to_string(),
        tick_size: instrument.price.decimal(instrument.tick_order_step.max(1)).to_string(),
        tick_unit: instrument.price.decimal(1).to_string(),
        lot_size: instrument.quantity.decimal(1).to_string(),
        order_step: instrument.quantity.decimal(instrument.lots_order_step.max(1)).to_string(),
        notional_min: quote_units,
    }
}

/// The venue's own increments where they are known, else what the recording's numbers need.
fn listing_of(simulator: &dyn SimulatorSide, product: ProductLine, instrument: &Instrument) -> ListingSettings {
    let symbol = instrument.symbol.as_str();
    simulator.known_listing(product, symbol).unwrap_or_else(|| {
        let tick = instrument.price.decimal(instrument.tick_order_step.max(1)).to_string();
        let step = instrument.quantity.decimal(instrument.lots_order_step.max(1)).to_string();
        simulator.listing(product, symbol, &tick, &step)
    })
}

/// The authority's certificate in a file of its own, removed in the end.
pub struct CaFile {
    /// Where it is.
    pub path: PathBuf,
}

impl CaFile {
    /// Writes it.
    ///
    /// # Errors
    /// The directory for such files cannot be written.
    pub fn write(pem: &str) -> Result<CaFile, Failure> {
        // One process may serve several exchanges, each with an authority of its own.
        static WRITTEN: AtomicU32 = AtomicU32::new(0);
        let (process, number) = (std::process::id(), WRITTEN.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(format!("spinbook-exchange-{process}-{number}-ca.pem"));
        std::fs::write(&path, pem)
            .map_err(|error| Failure::failed("cannot write the CA file").at(path.display()).because(error))?;
        Ok(CaFile { path })
    }
}

impl Drop for CaFile {
    fn drop(&mut self) {
        // It is only a certificate; one that cannot be removed does no harm.
        let _ = std::fs::remove_file(&self.path);
    }
}
