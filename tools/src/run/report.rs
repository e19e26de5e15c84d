//! COLD: the report of a finished run, and whether it may be called a success.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use spinbook_engine::counters::Counter;
use spinbook_engine::strategy::Strategy;
use spinbook_engine::types::{Lots, QuoteAtoms};
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::account::{Mids, VenueAccount, venue_account};
use spinbook_feed::venue::instrument::Instrument;

use super::plan::{Finished, FinishedMarket, Stop};
use crate::error::Failure;
use crate::outcome::{Done, Exit};
use crate::ui::report::{Account, HotAllocations, Percentiles, RunReport, VenueOrders, VenueReport};

/// Turns a finished run into what is printed, with its exit code.
///
/// # Errors
/// The venue's figures contradict each other or cannot be valued.
pub fn report<S: Strategy>(finished: &Finished<S>) -> Result<Done, Failure> {
    let report = figures(finished, venues(finished)?);
    for problem in problems(finished, &report) {
        tracing::error!("{problem}");
    }
    let exit = exit_of(finished, &report);
    let end = match (&finished.stop, finished.plan.seconds) {
        (Stop::Finished, _) => None,
        (Stop::Halted(reason), _) => Some(format!("halted: {reason}")),
        (Stop::Interrupted(_) | Stop::Killed, _) => Some("interrupted: everything was cancelled first".to_owned()),
        (Stop::MarketOver, Some(seconds)) => {
            Some(format!("the market was over before the {seconds} s that were asked for"))
        }
        (Stop::MarketOver, None) => Some("the market was over".to_owned()),
    };
    Ok(Done::new(report.to_text(end.as_deref()), report.to_json()).with_exit(exit))
}

fn figures<S: Strategy>(finished: &Finished<S>, venues: Vec<VenueReport>) -> RunReport {
    let Finished { plan, ended, elapsed, .. } = finished;
    let (engine, markets) = &ended.hot;
    let (hot, io) = (&ended.hot_shared, &ended.io_shared);
    let counters = engine.counters();
    let mut report = RunReport {
        mode: plan.mode.name().to_owned(),
        venue: plan.venue_name().to_owned(),
        symbols: finished.instruments().map(|instrument| plan.label(instrument)).collect(),
        seconds: (elapsed.as_secs_f64() * 1000.0).round() / 1000.0,
        quotes: counters.value(Counter::Quotes),
        fills: counters.value(Counter::Fills),
        decode_to_order_ns: Percentiles::of(&hot.decode_to_order.to_histogram()),
        wire_to_wire_ns: Percentiles::of(&io.wire_to_wire.to_histogram()),
        hot_allocations: HotAllocations {
            decision: hot.allocations_decision.load(Ordering::Relaxed),
            thread: hot.allocations_thread.load(Ordering::Relaxed),
        },
        seed: plan.seed,
        ended: finished.stop.ended(),
        ..RunReport::default()
    };
    for market in markets {
        let session = market.session().counters();
        report.frames += session.frames;
        report.events += session.events;
        report.levels += session.levels;
        report.scanned += session.scanned;
        report.fallback += session.fallback;
        report.books.gaps += session.gaps;
        report.books.resyncs += session.resyncs;
        report.books.live += market.session().live_count() as u64;
    }
    report.books.stale = (finished.instruments().count() as u64).saturating_sub(report.books.live);
    report.orders.filled = counters.value(Counter::OrdersFilled);
    report.orders.canceled = counters.value(Counter::OrdersCanceled);
    for venue in &venues {
        let (orders, theirs) = (&mut report.orders, &venue.orders);
        orders.sent += theirs.sent;
        orders.acked += theirs.acked;
        orders.rejected += theirs.rejected;
        orders.unknown += theirs.unknown;
        orders.open_at_exit += theirs.open_at_exit;
    }
    report.account = Account::sum(venues.iter().map(|venue| &venue.account));
    if venues.iter().all(|venue| venue.venue_account.is_some()) {
        report.venue_account = Some(Account::sum(venues.iter().filter_map(|venue| venue.venue_account.as_ref())));
    }
    let names = plan.markets.iter().map(|market| market.config.venue.name().to_owned());
    report.venues = names.zip(venues).collect();
    report
}

/// What came of each market, in the order of the plan.
fn venues<S: Strategy>(finished: &Finished<S>) -> Result<Vec<VenueReport>, Failure> {
    let places = finished.markets.iter().zip(&finished.plan.markets).zip(&finished.ended.gateways);
    places
        .map(|((market, plan), gateway)| {
            let counters = gateway.counters();
            let refused_here = counters.refused_late
                + counters.refused_throttled
                + counters.refused_not_connected
                + counters.refused_limit
                + counters.refused_table_full;
            let venue_open = market.venue.as_ref().map_or(0, |venue| venue.open_orders);
            Ok(VenueReport {
                orders: VenueOrders {
                    sent: counters.orders_sent,
                    acked: counters.orders_accepted,
                    rejected: counters.orders_refused + refused_here,
                    unknown: gateway.unknown_orders() as u64,
                    open_at_exit: gateway.open_orders().max(venue_open) as u64,
                },
                account: our_figures(finished, market),
                venue_account: venue_figures(finished, plan.config.venue, market)?,
            })
        })
        .collect()
}

/// A market's account as the engine reckons it.
fn our_figures<S: Strategy>(finished: &Finished<S>, market: &FinishedMarket) -> Account {
    let engine = &finished.ended.hot.0;
    let mut account = Account::default();
    let mut doubled: BTreeMap<String, (i128, QuoteAtoms)> = BTreeMap::new();
    for instrument in &market.instruments {
        let position = engine.position(instrument.id);
        let sums = doubled.entry(instrument.quote_asset.to_string()).or_default();
        sums.0 = sums.0.saturating_add(position.pnl_doubled().unwrap_or(0));
        sums.1 += position.fees();
        account.position.insert(finished.plan.label(instrument), quantity(instrument, position.lots()));
    }
    for (asset, (pnl_doubled, fees)) in doubled {
        account.pnl_quote.add(&asset, QuoteAtoms(pnl_doubled.div_euclid(2)));
        account.fees_quote.add(&asset, fees);
    }
    account
}

fn quantity(instrument: &Instrument, lots: Lots) -> String {
    instrument.quantity.decimal(lots.0).to_string()
}

/// The same three figures from what the venue answered alone, with our mids.
fn venue_figures<S: Strategy>(
    finished: &Finished<S>,
    line: ProductLine,
    market: &FinishedMarket,
) -> Result<Option<Account>, Failure> {
    let Some(venue) = &market.venue else { return Ok(None) };
    let instruments = &market.instruments;
    let engine = &finished.ended.hot.0;
    let mids: Vec<Option<Mids>> = instruments
        .iter()
        .map(|instrument| {
            let position = engine.position(instrument.id);
            Some(Mids { first_doubled: position.mid_doubled_first()?, last_doubled: position.mid_doubled_last()? })
        })
        .collect();
    let figures: VenueAccount = venue_account(line, instruments, &venue.start, &venue.end, &venue.trades, &mids)
        .map_err(|error| Failure::wrong("the venue's figures cannot be reconciled").at(line.name()).because(error))?;
    let mut account = Account::default();
    for instrument in instruments {
        let held = figures.positions.iter().find(|(id, _)| *id == instrument.id).map_or(Lots::ZERO, |(_, lots)| *lots);
        account.position.insert(finished.plan.label(instrument), quantity(instrument, held));
        // Figures that the venue's answers give are in one asset, as `venue_account` makes sure.
        let asset = instrument.quote_asset.to_string();
        if account.pnl_quote.is_empty() {
            account.pnl_quote.add(&asset, figures.pnl_quote);
            account.fees_quote.add(&asset, figures.fees_quote);
        }
    }
    Ok(Some(account))
}

/// What a person should know beside the figures.
fn problems<S: Strategy>(finished: &Finished<S>, report: &RunReport) -> Vec<String> {
    let mut problems = Vec::new();
    for (place, gateway) in finished.ended.gateways.iter().enumerate() {
        let market = &finished.markets[place];
        let name = finished.plan.markets[place].config.venue.name();
        let venue = &report.venues[name];
        if let Some(why) = gateway.halt_message() {
            problems.push(format!("{name}: trading was halted: {why}"));
        }
        if venue.orders.acked == 0
            && let Some(refusal) = gateway.last_refusal()
        {
            problems.push(format!("{name}: the venue's last refusal: {refusal}"));
        }
        if let Some(refusal) = gateway.rules_refusal() {
            problems.push(format!(
                "{name}: the venue refused {} requests for its price and quantity rules ({refusal}): they may have \
                 changed since the start; start again to fetch them anew",
                gateway.counters().instrument_refusals
            ));
        }
        if let Some(failure) = &market.venue_failure {
            problems.push(format!("{name}: the account could not be compared with the venue's: {failure}"));
        }
        if venue.venue_account.as_ref().is_some_and(|account| *account != venue.account) {
            problems.push(format!(
                "{name}: our account and the venue's differ: nothing was traded to align them; look at both"
            ));
        }
    }
    let bad_frames: u64 = finished.ended.hot.1.iter().map(|market| market.session().counters().bad_frames).sum();
    if bad_frames > 0 {
        problems.push(format!(
            "{bad_frames} market frames could not be read and were dropped; a lost depth frame is a gap"
        ));
    }
    if !finished.ended.gateway_end.confirmed {
        problems.push(format!(
            "the venue did not confirm in time that everything is cancelled; {} orders may be open: look at the account",
            report.orders.open_at_exit
        ));
    }
    if report.orders.unknown > 0 {
        problems.push(format!("{} orders have an unknown outcome: look at the account", report.orders.unknown));
    }
    if report.books.live == 0 && !silence_is_due(finished) {
        problems.push("no book was live at the end".to_owned());
    }
    problems
}

/// A book that was live goes stale when its market is over: that is no fault of it.
fn silence_is_due<S: Strategy>(finished: &Finished<S>) -> bool {
    let was_live = finished.ended.hot.0.counters().value(Counter::Snapshots) > 0;
    finished.stop == Stop::MarketOver && was_live
}

fn exit_of<S: Strategy>(finished: &Finished<S>, report: &RunReport) -> Exit {
    let differs = |venue: &VenueReport| venue.venue_account.as_ref().is_some_and(|account| *account != venue.account);
    if report.venues.values().any(differs) {
        return Exit::Wrong;
    }
    let open = report.orders.open_at_exit > 0 || report.orders.unknown > 0 || !finished.ended.gateway_end.confirmed;
    if open
        || matches!(finished.stop, Stop::Halted(_))
        || (report.books.live == 0 && !silence_is_due(finished))
        || finished.markets.iter().any(|market| market.venue_failure.is_some())
        || finished.ended.gateways.iter().any(|gateway| gateway.halt_message().is_some())
    {
        return Exit::Failed;
    }
    match finished.stop {
        Stop::Interrupted(_) | Stop::Killed => Exit::Interrupted,
        _ => Exit::Done,
    }
}
