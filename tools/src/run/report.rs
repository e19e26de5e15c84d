//! COLD: the report of a finished run, and whether it may be called a success.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use spinbook_engine::counters::Counter;
use spinbook_engine::strategy::Strategy;
use spinbook_engine::types::{AssetGroupId, InstrumentId, Lots};
use spinbook_feed::gateway::{Gateway, GatewayCounters};
use spinbook_feed::venue::account::{Mids, VenueAccount, venue_account};
use spinbook_feed::venue::instrument::Instrument;

use crate::error::Failure;
use crate::outcome::Done;
use crate::outcome::Exit;
use crate::run::engine_settings::atoms_text;
use crate::run::plan::{Finished, Stop};
use crate::ui::report::{Account, Books, HotAllocations, Orders, Percentiles, RunReport};

/// Turns a finished run into what is printed, with its exit code.
///
/// # Errors
/// The venue's figures contradict each other or cannot be valued.
pub fn report<S: Strategy>(finished: &Finished<S>) -> Result<Done, Failure> {
    let venue_account = venue_figures(finished)?;
    let report = figures(finished, venue_account);
    for problem in problems(finished, &report) {
        tracing::error!("{problem}");
    }
    let exit = exit_of(finished, &report);
    let end = match (finished.stop, finished.plan.seconds) {
        (Stop::Due, _) => None,
        (Stop::Interrupted, _) => Some("interrupted: everything was cancelled first".to_owned()),
        (Stop::MarketOver, Some(seconds)) => {
            Some(format!("the market was over before the {seconds} s that were asked for"))
        }
        (Stop::MarketOver, None) => Some("the market was over".to_owned()),
    };
    Ok(Done::new(report.to_text(end.as_deref()), report.to_json()).with_exit(exit))
}

fn figures<S: Strategy>(finished: &Finished<S>, venue_account: Option<Account>) -> RunReport {
    let Finished { plan, instruments, ended, elapsed, .. } = finished;
    let (engine, lines) = &ended.hot;
    let (hot, io) = (&ended.hot_shared, &ended.io_shared);
    let counters = engine.counters();
    let gateway: GatewayCounters = ended.gateways.iter().map(Gateway::counters).sum();
    let mut report = RunReport {
        mode: plan.mode.name().to_owned(),
        venue: plan.product.name().to_owned(),
        symbols: instruments.iter().map(|instrument| instrument.symbol.to_string()).collect(),
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
        venue_account,
        ..RunReport::default()
    };
    let mut live = 0;
    for line in lines {
        let session = line.session().counters();
        report.frames += session.frames;
        report.events += session.events;
        report.levels += session.levels;
        report.scanned += session.scanned;
        report.fallback += session.fallback;
        report.books.gaps += session.gaps;
        report.books.resyncs += session.resyncs;
        live += line.session().live_count() as u64;
    }
    report.books = Books { live, stale: (instruments.len() as u64).saturating_sub(live), ..report.books };
    let refused_here = gateway.refused_late
        + gateway.refused_throttled
        + gateway.refused_not_connected
        + gateway.refused_limit
        + gateway.refused_table_full;
    let venue_open = finished.venue.as_ref().map_or(0, |venue| venue.open_orders);
    report.orders = Orders {
        sent: gateway.orders_sent,
        acked: gateway.orders_accepted,
        filled: counters.value(Counter::OrdersFilled),
        canceled: counters.value(Counter::OrdersCanceled),
        rejected: gateway.orders_refused + refused_here,
        unknown: ended.gateways.iter().map(Gateway::unknown_orders).sum::<usize>() as u64,
        open_at_exit: ended.gateways.iter().map(Gateway::open_orders).sum::<usize>().max(venue_open) as u64,
    };
    report.account = Account {
        position: positions(instruments, |id| engine.position(id).lots()),
        pnl_quote: atoms_text(engine.pnl(AssetGroupId(0))),
        fees_quote: atoms_text(engine.fees(AssetGroupId(0))),
    };
    report
}

fn positions(instruments: &[Instrument], lots: impl Fn(InstrumentId) -> Lots) -> BTreeMap<String, String> {
    let text = |instrument: &Instrument| {
        (instrument.symbol.to_string(), instrument.quantity.decimal(lots(instrument.id).0).to_string())
    };
    instruments.iter().map(text).collect()
}

/// The same three figures from what the venue answered alone, with our mids.
fn venue_figures<S: Strategy>(finished: &Finished<S>) -> Result<Option<Account>, Failure> {
    let Some(venue) = &finished.venue else { return Ok(None) };
    let instruments = &finished.instruments;
    let engine = &finished.ended.hot.0;
    let mids: Vec<Option<Mids>> = instruments
        .iter()
        .map(|instrument| {
            let position = engine.position(instrument.id);
            Some(Mids { first_doubled: position.mid_doubled_first()?, last_doubled: position.mid_doubled_last()? })
        })
        .collect();
    let figures: VenueAccount =
        venue_account(finished.plan.product, instruments, &venue.start, &venue.end, &venue.trades, &mids)
            .map_err(|error| Failure::wrong("the venue's figures cannot be reconciled").because(error))?;
    let held = |id| figures.positions.iter().find(|(other, _)| *other == id).map_or(Lots::ZERO, |(_, lots)| *lots);
    Ok(Some(Account {
        position: positions(instruments, held),
        pnl_quote: atoms_text(figures.pnl_quote),
        fees_quote: atoms_text(figures.fees_quote),
    }))
}

/// What a person should know beside the figures.
fn problems<S: Strategy>(finished: &Finished<S>, report: &RunReport) -> Vec<String> {
    let mut problems = Vec::new();
    for gateway in &finished.ended.gateways {
        if let Some(why) = gateway.halt_message() {
            problems.push(format!("trading was halted: {why}"));
        }
        if report.orders.acked == 0
            && let Some(refusal) = gateway.last_refusal()
        {
            problems.push(format!("the venue's last refusal: {refusal}"));
        }
        if let Some(refusal) = gateway.rules_refusal() {
            problems.push(format!(
                "the venue refused {} requests for its price and quantity rules ({refusal}): they may have changed since the \
                 start; start again to fetch them anew",
                gateway.counters().instrument_refusals
            ));
        }
    }
    let bad_frames: u64 = finished.ended.hot.1.iter().map(|line| line.session().counters().bad_frames).sum();
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
    if let Some(failure) = &finished.venue_failure {
        problems.push(format!("the account could not be compared with the venue's: {failure}"));
    }
    if report.orders.unknown > 0 {
        problems.push(format!("{} orders have an unknown outcome: look at the account", report.orders.unknown));
    }
    if report.books.live == 0 && !silence_is_due(finished) {
        problems.push("no book was live at the end".to_owned());
    }
    if report.venue_account.as_ref().is_some_and(|account| *account != report.account) {
        problems.push("our account and the venue's differ: nothing was traded to align them; look at both".to_owned());
    }
    problems
}

/// A book that was live goes stale when its market is over: that is no fault of it.
fn silence_is_due<S: Strategy>(finished: &Finished<S>) -> bool {
    let was_live = finished.ended.hot.0.counters().value(Counter::Snapshots) > 0;
    finished.stop == Stop::MarketOver && was_live
}

fn exit_of<S: Strategy>(finished: &Finished<S>, report: &RunReport) -> Exit {
    if report.venue_account.as_ref().is_some_and(|account| *account != report.account) {
        return Exit::Wrong;
    }
    let open = report.orders.open_at_exit > 0 || report.orders.unknown > 0 || !finished.ended.gateway_end.confirmed;
    if open
        || (report.books.live == 0 && !silence_is_due(finished))
        || finished.venue_failure.is_some()
        || finished.ended.gateways.iter().any(|gateway| gateway.halt_message().is_some())
    {
        return Exit::Failed;
    }
    if finished.stop == Stop::Interrupted { Exit::Interrupted } else { Exit::Done }
}
