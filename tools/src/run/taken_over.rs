//! COLD: a start that goes on with the orders of the last run: what is open, held and executed, read until nothing changed
//! between two looks.

use spinbook_engine::types::{Lots, Side, Tick};
use spinbook_feed::gateway::adoptable::{AdoptionRules, runs_of};
use spinbook_feed::venue::instrument::Instrument;
use spinbook_feed::venue::order_ids::{EARLIER_RUNS_MAX, RunName};
use spinbook_feed::venue::orders::OrderUpdate;

use super::engine_settings::{lots, millionths};
use super::lease;
use super::left_behind::LeftBehind;
use super::market::{AskedMarket, TakenOver};
use super::venue_rest::{VenueLine, VenueRest};
use crate::config::Config;
use crate::error::Failure;

/// Looks, of which two one after the other have to be equal.
const LOOKS_MAX: u32 = 4;

/// Reads what is open, the account, and what was executed, until two lists of what is open are equal; then everything
/// before the second is known. What of it fits is taken over. Where nothing does, or the lists go on differing, all of it
/// is cancelled and the account is read after that.
///
/// # Errors
/// The venue cannot be reached or refuses.
pub(super) fn look(
    config: &Config,
    left: &mut LeftBehind,
    market: &mut AskedMarket<'_>,
    ours: &[RunName],
) -> Result<(), Failure> {
    let mut open = open_orders(&market.rest, &market.instruments, ours)?;
    for _ in 0..LOOKS_MAX {
        market.read_account()?;
        let is_complete = left.ask(&market.rest, &market.instruments, ours);
        let again = open_orders(&market.rest, &market.instruments, ours)?;
        let is_equal = open == again;
        open = again;
        if is_equal && is_complete {
            market.taken_over = choose(config, left, market, &open, ours)?;
            break;
        }
    }
    if market.taken_over.orders.is_empty() && open.iter().any(|row| row.order.is_some()) {
        tracing::warn!(
            "{}: nothing that is open is taken over: all of it is cancelled",
            market.plan.config.venue.name()
        );
        lease::clear_late(&market.rest, &market.instruments, ours)?;
        market.read_account()?;
        left.ask(&market.rest, &market.instruments, ours);
    }
    Ok(())
}

/// What is open on these instruments.
fn open_orders<L: VenueLine>(
    rest: &VenueRest<L>,
    instruments: &[Instrument],
    ours: &[RunName],
) -> Result<Vec<OrderUpdate>, Failure> {
    let mut open = Vec::new();
    for instrument in instruments {
        let mut rows = rest.open_orders(instrument, ours)?;
        rows.sort_by(|one, other| one.venue_order.as_str().cmp(other.venue_order.as_str()));
        open.extend(rows);
    }
    Ok(open)
}

/// What of it fits, and why the rest does not.
fn choose(
    config: &Config,
    left: &LeftBehind,
    market: &AskedMarket<'_>,
    open: &[OrderUpdate],
    ours: &[RunName],
) -> Result<TakenOver, Failure> {
    let journaled = left.orders();
    let mut orders = Vec::new();
    for (instrument, best) in market.instruments.iter().zip(&market.best) {
        let tick = |price| instrument.price.units_from_decimal(price).map(Tick);
        let best = best.and_then(|(bid, ask)| tick(bid).zip(tick(ask)));
        let rules = rules(config, instrument, best, market.exposure(instrument))?;
        let rows: Vec<OrderUpdate> = open.iter().filter(|row| row.instrument == instrument.id).copied().collect();
        let (chosen, misfits) = rules.choose(&journaled, &rows, instrument);
        for (order, misfit) in misfits {
            tracing::warn!("{}: open order {order} is cancelled: {misfit}", instrument.symbol);
        }
        orders.extend(chosen);
    }
    let mut runs: Vec<RunName> =
        runs_of(&orders).into_iter().filter_map(|run| ours.iter().rfind(|name| name.run == run).copied()).collect();
    runs.truncate(EARLIER_RUNS_MAX);
    orders.retain(|one| runs.iter().any(|name| name.run == one.order.order.epoch()));
    for instrument in &market.instruments {
        let names: Vec<&str> = journaled
            .iter()
            .filter(|known| orders.iter().any(|one| one.order.order == known.intent.order))
            .filter(|known| known.symbol == Some(instrument.symbol))
            .map(|known| known.client_id.as_str())
            .collect();
        if !names.is_empty() {
            tracing::info!("{}: {} open orders go on: {}", instrument.symbol, names.len(), names.join(", "));
        }
    }
    Ok(TakenOver { orders, runs })
}

fn rules(
    config: &Config,
    instrument: &Instrument,
    best: Option<(Tick, Tick)>,
    exposure: Lots,
) -> Result<AdoptionRules, Failure> {
    let (risk, quantity, symbol) = (&config.risk, &instrument.quantity, instrument.symbol.as_str());
    let position_max = lots(risk.position_max_base, quantity, "risk.position_max_base", symbol)?;
    let room = |side: Side| Lots(position_max.0.saturating_sub(exposure.0.saturating_mul(side.sign())));
    Ok(AdoptionRules {
        levels: config.strategy.levels(),
        lots_max: lots(risk.order_quantity_max_base, quantity, "risk.order_quantity_max_base", symbol)?,
        best,
        price_collar_millionths: millionths(risk.price_collar_bps, "risk.price_collar_bps")?,
        room: Side::BOTH.map(room),
    })
}
