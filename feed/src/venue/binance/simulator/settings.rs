//! COLD: what a simulated exchange is made of, and making it.

use crate::number::{Scale, atoms_from_decimal};
use crate::sim::account::SimAccount;
use crate::sim::api::{AccountId, Listing, ListingSettings};
use crate::sim::fault_plan::FaultPlan;
use crate::sim::faults::Faults;
use crate::sim::fees::FeeRates;
use crate::sim::flow::SyntheticSymbol;
use crate::sim::limits::{RateLimits, WindowLimit, Windows};
use crate::sim::side::ExchangeSide;
use crate::sim::world::{Settlement, World};
use crate::venue::binance::Product;
use crate::venue::binance::simulator::frames::FrameReader;
use crate::venue::binance::simulator::market::Synthetic;
use crate::venue::binance::simulator::market_feed::MarketFeed;
use crate::venue::binance::simulator::{BinanceExchange, rules};
use crate::venue::instrument::Instrument;
use crate::venue::simulator_side::{
    AccountSettings, ChosenSymbol, KeptState, MarketForm, MarketStart, Play, PlaySpeed, SimSettings, SimulatorSide,
    SyntheticMarket,
};
use crate::venue::source::MarketSource;
use crate::venue::{ProductLine, binance};
use spinbook_engine::types::{Nanos, QUOTE_ATOMS_PER_UNIT, QuoteAtoms};

/// The first account's number on spot.
pub(super) const SPOT_ACCOUNT_FIRST: usize = 1_000_000;

/// As [`usual`], listing what a recording or an instrument list names. Where the increments of a
/// symbol are known here, orders keep those; the recording's own may be finer.
#[must_use]
pub fn for_instruments(product: ProductLine, instruments: &[Instrument]) -> SimSettings {
    let listing = |instrument: &Instrument| {
        let inferred = rules::listing_for(product, instrument);
        match rules::known_listing(product, instrument.symbol.as_str()) {
            None => inferred,
            Some(known) => ListingSettings { tick_unit: inferred.tick_unit, lot_size: inferred.lot_size, ..known },
        }
    };
    usual(product, instruments.iter().map(listing).collect())
}

/// A product line with its usual fees and windows, no accounts, the market in its own rhythm.
#[must_use]
pub fn usual(product: ProductLine, listings: Vec<ListingSettings>) -> SimSettings {
    let (maker_millionths, taker_millionths) = rules::fees(product);
    let [weight, orders_short, orders_long, connections] =
        rules::windows(product).map(|(limit, span)| WindowLimit { limit, span });
    SimSettings {
        product,
        listings,
        accounts: Vec::new(),
        withdrawing: Vec::new(),
        fees: FeeRates { maker_millionths, taker_millionths },
        limits: RateLimits { weight, orders_short, orders_long, connections },
        play: Play { speed: PlaySpeed::Thousandths(1000), starts: MarketStart::FirstStream, form: MarketForm::Present },
        leverage: 20,
        past_seed: None,
        faults: FaultPlan::default(),
        kept: KeptState::Nothing,
    }
}

/// Makes the exchange.
///
/// # Errors
/// Which setting is wrong, and how.
pub fn binance(settings: SimSettings, source: Box<dyn MarketSource>, now: Nanos) -> Result<BinanceExchange, String> {
    let product = settings.product;
    let listings: Vec<Listing> =
        settings.listings.iter().map(|listing| listing_of(listing, product)).collect::<Result<_, _>>()?;
    if listings.is_empty() {
        return Err("no symbol is listed".to_owned());
    }
    let mut accounts: Vec<SimAccount> = settings.accounts.into_iter().map(account_of).collect::<Result<_, _>>()?;
    for account in &mut accounts {
        account.may_withdraw = settings.withdrawing.contains(&account.api_key);
    }
    let settlement = if product == binance::SPOT {
        Settlement::Spot
    } else {
        Settlement::Perpetual { leverage: settings.leverage.max(1) }
    };
    let windows = Windows::new(settings.limits);
    let faults = Faults::new(settings.faults, now);
    let reader = FrameReader::new(product, &listings)?;
    let feed = MarketFeed::new(source, settings.play, reader, listings.len());
    let mut world = World::new(listings, accounts, settlement, settings.fees, windows, faults);
    if settings.play.form == MarketForm::Original {
        world.hide_own();
    }
    world.set_brackets(rules::brackets(product));
    if let Some(seed) = settings.past_seed {
        world.make_up_past(seed);
    }
    let misfit = |why: String| format!("the kept state does not fit: {why}");
    let mut beside = std::collections::BTreeMap::new();
    match settings.kept {
        KeptState::Nothing => {}
        KeptState::Fresh => world.keep_changes(),
        KeptState::Restored(mut saved) => {
            beside = std::mem::take(&mut saved.beside);
            world.restore(*saved, now).map_err(misfit)?;
            world.keep_changes();
        }
    }
    let mut exchange = BinanceExchange::new(product, world, feed, now);
    exchange.restore_beside(&beside).map_err(misfit)?;
    Ok(exchange)
}

fn account_of(settings: AccountSettings) -> Result<SimAccount, String> {
    let mut account = SimAccount::new(settings.api_key, settings.key);
    for (asset, amount) in settings.balances {
        let atoms = atoms_from_decimal(amount).ok().filter(|atoms| *atoms >= 0);
        account
            .credit(&asset, atoms.ok_or_else(|| format!("the start balance of {asset}, {amount}, is out of range"))?);
    }
    Ok(account)
}

/// A listing with its scales and rules.
///
/// # Errors
/// Which setting cannot be used.
pub fn listing_of(settings: &ListingSettings, product: ProductLine) -> Result<Listing, String> {
    let symbol = &settings.symbol;
    let wrong = |what: &str, text: &str| format!("{symbol}: the {what} {text:?} cannot be used");
    let scale = |what: &str, text: &str| {
        Scale::from_increment(text.as_bytes()).map_err(|error| format!("{}: {error}", wrong(what, text)))
    };
    let price = scale("tick", &settings.tick_unit)?;
    let quantity = scale("quantity unit", &settings.lot_size)?;
    let order_step_lots = quantity
        .parse(settings.order_step.as_bytes())
        .map_err(|error| format!("{}: {error}", wrong("order step", &settings.order_step)))?;
    if order_step_lots <= 0 {
        return Err(wrong("order step", &settings.order_step));
    }
    let tick_step = price
        .parse(settings.tick_size.as_bytes())
        .map_err(|error| format!("{}: {error}", wrong("tick size", &settings.tick_size)))?;
    let (tick_atoms, lot_atoms) = (price.unit_atoms(), quantity.unit_atoms());
    let product_atoms = tick_atoms.checked_mul(lot_atoms).ok_or_else(|| wrong("tick size", &settings.tick_size))?;
    let one = QUOTE_ATOMS_PER_UNIT.unsigned_abs();
    if product_atoms % one != 0 {
        return Err(wrong("tick size times quantity unit, finer than 10^-18,", &settings.tick_size));
    }
    let atoms = |value: u128| i128::try_from(value).map_err(|_| wrong("increment", &settings.tick_size));
    let notional_min = atoms_from_decimal(settings.notional_min)
        .map_err(|_| wrong("smallest value", &settings.notional_min.to_string()))?;
    let whole_lots = i64::try_from(one / lot_atoms.max(1)).unwrap_or(i64::MAX);
    let lots_max = whole_lots.saturating_mul(if product == binance::SPOT { 9000 } else { 1000 });
    Ok(Listing {
        symbol: symbol.clone(),
        base: settings.base.clone(),
        quote: settings.quote.clone(),
        price,
        quantity,
        tick_size: settings.tick_size.clone(),
        order_step: settings.order_step.clone(),
        tick_step: tick_step.max(1),
        order_step_lots,
        lots_min: order_step_lots,
        lots_max,
        tick_max: i64::try_from(1_000_000 * one / tick_atoms.max(1)).unwrap_or(i64::MAX),
        notional_min: QuoteAtoms(notional_min),
        atoms_per_lot: atoms(lot_atoms)?,
        atoms_per_tick_lot: atoms(product_atoms / one)?,
        percent_up_thousandths: if product == binance::SPOT { 5000 } else { 1050 },
        percent_down_thousandths: if product == binance::SPOT { 200 } else { 950 },
        open_orders_max: 200,
    })
}

/// What the venue answers of an account to say which it is: spot's `uid`, USD-M's `accountAlias`.
#[must_use]
pub(super) fn account_id(product: Product, account: AccountId) -> String {
    match product {
        Product::BinanceSpot => (SPOT_ACCOUNT_FIRST + account.0).to_string(),
        Product::BinanceUsdm => format!("sim{}", account.0),
    }
}

/// The venue's simulator, as the list of venues offers it.
pub struct BinanceSimulator;

impl SimulatorSide for BinanceSimulator {
    fn settings(&self, product: ProductLine, listings: Vec<ListingSettings>) -> SimSettings {
        usual(product, listings)
    }

    fn known_listing(&self, product: ProductLine, symbol: &str) -> Option<ListingSettings> {
        rules::known_listing(product, symbol)
    }

    fn listing(&self, product: ProductLine, symbol: &str, tick_size: &str, order_step: &str) -> ListingSettings {
        rules::listing(product, symbol, tick_size, order_step)
    }

    fn listing_for(&self, product: ProductLine, instrument: &Instrument) -> ListingSettings {
        rules::listing_for(product, instrument)
    }

    fn owns_path(&self, product: ProductLine, path: &str) -> bool {
        let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        match Product::of(product) {
            Product::BinanceSpot => ["api", "ws-api", "ws", "stream"].contains(&first),
            Product::BinanceUsdm => ["fapi", "ws-fapi", "public", "market", "private"].contains(&first),
        }
    }

    fn synthetic(
        &self,
        product: ProductLine,
        symbols: &[ChosenSymbol],
        seed: u64,
        start: Nanos,
    ) -> Result<SyntheticMarket, String> {
        let chosen: Vec<SyntheticSymbol> =
            symbols.iter().map(|chosen| rules::synthetic_symbol(product, chosen)).collect::<Result<_, _>>()?;
        let source = match chosen.is_empty() {
            true => Synthetic::bitcoin(product, seed, start)?,
            false => Synthetic::new(product, &chosen, seed, start)?,
        };
        Ok(SyntheticMarket { listings: source.listings(), source: Box::new(source) })
    }

    fn account_id(&self, product: ProductLine, place: usize) -> String {
        account_id(Product::of(product), AccountId(place))
    }

    fn exchange(
        &self,
        settings: SimSettings,
        source: Box<dyn MarketSource>,
        now: Nanos,
    ) -> Result<Box<dyn ExchangeSide>, String> {
        binance(settings, source, now).map(|exchange| -> Box<dyn ExchangeSide> { Box::new(exchange) })
    }
}
