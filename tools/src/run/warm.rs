//! COLD: what keeps the hot thread's way to an order warm: an understudy of the run's first instrument.

use rust_decimal::{Decimal, RoundingStrategy};
use spinbook_engine::setup::{self, EngineSettings};
use spinbook_engine::types::{InstrumentId, Tick};
use spinbook_feed::net::host::clock::{Clock, CycleScale};
use spinbook_feed::net::hot::keep_warm::KeepWarm;
use spinbook_feed::net::hot::kernel_ping::KernelPing;
use spinbook_feed::net::hot::rehearsal_setup::{RehearsedMarket, rehearsal};
use spinbook_feed::venue::instrument::Instrument;

use super::market::{ToldMarket, session_settings};
use super::strategy::StrategySection;
use crate::config::Config;
use crate::config::value::KeepWarmChoice;

/// By how much of the price the made-up market moves at least, in millionths.
const MOVE_MILLIONTHS_MIN: i64 = 200;

/// The first instrument whose price is known, rehearsed; nothing where it is not wanted, or cannot be.
pub(super) fn keep_warm<C: StrategySection>(
    config: &Config,
    strategy: &C,
    settings: &EngineSettings,
    markets: &[ToldMarket<'_>],
    (net_of_own, clock, scale): (bool, Clock, CycleScale),
) -> Option<KeepWarm<C::Strategy>> {
    let choice = config.engine.keep_warm;
    if choice == KeepWarmChoice::Off {
        return None;
    }
    let priced = |market: &ToldMarket<'_>, instrument: &Instrument, best: &Option<(Decimal, Decimal)>| {
        let bid = tick(instrument, best.as_ref()?.0)?;
        let session = session_settings(market.config, settings.epoch);
        let own = Instrument { id: InstrumentId(0), ..*instrument };
        let made = strategy.make(&config.risk, &[own], net_of_own).ok()?;
        let understudy = setup::understudy(settings, instrument.id.index(), made).ok()?;
        let tolerance = settings.instruments[instrument.id.index()].quoter.refresh_tolerance_millionths;
        let move_millionths = tolerance.saturating_mul(3).max(MOVE_MILLIONTHS_MIN);
        let product = market.config.venue;
        let market = RehearsedMarket { product, instrument, session: &session, bid, move_millionths };
        rehearsal(understudy, &market, clock.now())
    };
    let rehearsal = markets.iter().find_map(|market| {
        market.instruments.iter().zip(market.best).find_map(|(instrument, best)| priced(market, instrument, best))
    });
    let Some(rehearsal) = rehearsal else {
        tracing::info!("the way to an order is not kept warm: no instrument's price is known, or none would be quoted");
        return None;
    };
    let ping = (choice == KeepWarmChoice::All).then(KernelPing::new).and_then(Result::ok);
    Some(KeepWarm::new(rehearsal, ping, scale))
}

/// A price in ticks, down to the instrument's step.
fn tick(instrument: &Instrument, price: Decimal) -> Option<Tick> {
    let unit = instrument.price.decimal(1);
    let units = price.checked_div(unit)?.round_dp_with_strategy(0, RoundingStrategy::ToZero);
    let step = instrument.tick_order_step.max(1);
    let ticks = i64::try_from(units).ok()?;
    Some(Tick(ticks - ticks % step))
}
