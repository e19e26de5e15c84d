//! COLD: the report of a finished run, and whether it may be called a success.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use rust_decimal::Decimal;
use spinbook_engine::counters::Counter;
use spinbook_engine::strategy::Strategy;
use spinbook_engine::types::{Lots, QuoteAtoms, Side};
use spinbook_engine::unquoted::{Unquoted, UnquotedTimes};
use spinbook_feed::gateway::Gateway;
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::account::{AccountError, Mids, MovedBeside, VenueAccount, venue_account};
use spinbook_feed::venue::instrument::Instrument;

use super::plan::{Finished, FinishedMarket, RunMode, Stop};
use crate::error::Failure;
use crate::outcome::{Done, Exit};
use crate::ui::report::{
    Account, Controls, HotAllocations, NotQuoting, Orders, Percentiles, PnlSplit, Rehearsals, RunReport, VenueReport,
};
use crate::ui::time::utc_text;

/// Turns a finished run into what is printed, with its exit code.
///
/// # Errors
/// None: what contradicts is said in it, and in the exit code.
pub fn report<S: Strategy>(finished: &Finished<S>) -> Result<Done, Failure> {
    let unproved = unproved(finished);
    let mut report = figures(finished, venues(finished));
    report.not_compared = unproved.reasons.clone();
    for problem in problems(finished, &report) {
        tracing::error!("{problem}");
    }
    for instrument in finished.instruments() {
        let left = finished.ended.hot.0.position(instrument.id).exposure();
        if left != Lots::ZERO {
            let label = finished.plan.label(instrument);
            tracing::warn!(
                "{label}: a position of {} is left: nothing was traded to close it",
                quantity(instrument, left)
            );
        }
    }
    let exit = exit_of(finished, &report, unproved.contradicts);
    let end = end_text(finished, &report);
    Ok(Done::new(report.to_text(end.as_deref()), report.to_json()).with_exit(exit))
}

/// Why it ended: a control that stopped trading comes before what ended the process.
fn ended_text<S: Strategy>(finished: &Finished<S>) -> String {
    match finished.stopped_by.first() {
        Some(control) => format!("risk:{}", control.control),
        None => finished.stop.ended(),
    }
}

/// The same for people, where it is worth a word. That everything is cancelled is said only as the venue confirmed it.
fn end_text<S: Strategy>(finished: &Finished<S>, report: &RunReport) -> Option<String> {
    let orders = &report.orders;
    let left = match finished.plan.mode {
        RunMode::Shadow => "nothing was ever sent".to_owned(),
        _ if finished.ended.gateway_end.confirmed && !orders.may_be_open() => {
            "everything was cancelled, as the venue confirmed".to_owned()
        }
        _ if !orders.may_be_open() => "it is not confirmed that everything was cancelled, and nothing is known to be \
                                       open"
            .to_owned(),
        _ => format!(
            "it is not confirmed that everything was cancelled: {} orders open, {} unknown",
            orders.open_at_exit.max(orders.open_at_venue.unwrap_or(0)),
            orders.unknown
        ),
    };
    let stop = match (&finished.stop, finished.plan.seconds) {
        (Stop::Finished, _) => None,
        (Stop::Halted(reason), _) => Some(format!("halted: {reason}")),
        (Stop::Interrupted(_) | Stop::Quit, _) => Some(format!("interrupted: {left}")),
        (Stop::Killed, _) => Some(format!("killed: {left}")),
        (Stop::MarketOver, Some(span)) => {
            Some(format!("the market was over before the {} s that were asked for", span.as_secs_f64()))
        }
        (Stop::MarketOver, None) => Some("the market was over".to_owned()),
    };
    let controls = report.stopped_by.iter().map(|stop| format!("trading was stopped by {}", stop.to_text()));
    let lines: Vec<String> = controls.chain(stop).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn figures<S: Strategy>(finished: &Finished<S>, venues: Vec<VenueReport>) -> RunReport {
    let Finished { plan, ended, elapsed, .. } = finished;
    let (engine, markets) = &ended.hot;
    let (hot, io) = (&ended.hot_shared, &ended.io_shared);
    let counters = engine.counters();
    let is_clocked = !plan.is_virtual;
    let mut report = RunReport {
        mode: plan.mode.name().to_owned(),
        venue: plan.venue_name().to_owned(),
        symbols: finished.instruments().map(|instrument| plan.label(instrument)).collect(),
        seconds: (elapsed.as_secs_f64() * 1000.0).round() / 1000.0,
        quotes: counters.value(Counter::Quotes),
        fills: counters.value(Counter::Fills),
        pauses: counters.value(Counter::OperatorPauses),
        controls: Controls {
            slippages: counters.value(Counter::Slippages),
            acks_slow: counters.value(Counter::AcksSlow),
            orders_slow: counters.value(Counter::OrdersSlow),
            venues_slow: counters.value(Counter::VenuesSlow),
            refused_collar: ended.gateways.iter().map(|gateway| gateway.counters().refused_collar).sum(),
        },
        pnl_split: pnl_split(finished),
        decode_to_order_ns: is_clocked.then(|| Percentiles::of(&hot.decode_to_order.to_histogram())),
        wire_to_wire_ns: is_clocked.then(|| Percentiles::of(&io.wire_to_wire.to_histogram())),
        kill_to_wire_ns: is_clocked.then(|| Percentiles::of(&io.kill_to_wire.to_histogram())),
        hot_allocations: is_clocked.then(|| HotAllocations {
            decision: hot.allocations_decision.load(Ordering::Relaxed),
            thread: hot.allocations_thread.load(Ordering::Relaxed),
        }),
        rehearsals: is_clocked.then(|| Rehearsals {
            count: hot.rehearsals.load(Ordering::Relaxed),
            void: hot.rehearsals_void.load(Ordering::Relaxed),
            ns_max: hot.rehearsal_ns_max.load(Ordering::Relaxed),
        }),
        seed: plan.seed,
        ended: ended_text(finished),
        stopped_by: finished.stopped_by.clone(),
        started: is_clocked.then(|| utc_text(finished.times[0])),
        stopped: is_clocked.then(|| utc_text(finished.times[1])),
        order_log: finished.order_log.clone(),
        repeats: plan.is_virtual,
        ..RunReport::default()
    };
    for market in markets {
        let session = market.counters();
        report.frames += session.frames;
        report.events += session.events;
        report.levels += session.levels;
        report.scanned += session.scanned;
        report.learned += session.learned;
        report.fallback += session.fallback;
        report.books.gaps += session.gaps;
        report.books.resyncs += session.resyncs;
        report.books.live += market.live_count() as u64;
    }
    report.books.stale = (finished.instruments().count() as u64).saturating_sub(report.books.live);
    report.orders = Orders::sum(venues.iter().map(|venue| &venue.orders));
    for instrument in finished.instruments() {
        let (label, position) = (plan.label(instrument), engine.position(instrument.id));
        report.start_position.insert(label.clone(), quantity(instrument, position.lots_start()));
        report.not_quoting.insert(label.clone(), not_quoting(engine.unquoted(instrument.id)));
        report.mark_price.insert(label, position.mid_doubled_last().map(|doubled| mid_text(instrument, doubled)));
    }
    for gateway in &ended.gateways {
        gateway.transfers().iter().for_each(|(asset, atoms)| report.transfers.add(asset.as_str(), *atoms));
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
fn venues<S: Strategy>(finished: &Finished<S>) -> Vec<VenueReport> {
    let places = finished.markets.iter().zip(&finished.plan.markets).zip(&finished.ended.gateways);
    places
        .map(|((market, plan), gateway)| {
            let asked = market.venue.as_ref().map(|venue| venue.open_orders as u64);
            VenueReport {
                orders: orders_of(gateway, finished.plan.mode, asked),
                account: our_figures(finished, market),
                venue_account: venue_figures(finished, plan.config.venue, market, gateway).ok().flatten(),
            }
        })
        .collect()
}

/// A gateway's orders by their states; `at_venue` is how many its venue lists as open.
fn orders_of(gateway: &Gateway, mode: RunMode, at_venue: Option<u64>) -> Orders {
    let (counts, counters) = (gateway.order_counts(), gateway.counters());
    let refused_here = counters.refused_late
        + counters.refused_throttled
        + counters.refused_not_connected
        + counters.refused_limit
        + counters.refused_collar
        + counters.refused_table_full
        + counters.refused_journal;
    if mode == RunMode::Shadow {
        return Orders { refused_here, not_sent: counts.sent, ..Orders::default() };
    }
    Orders {
        sent: counts.sent + counts.adopted,
        adopted: counters.orders_adopted,
        acked: counters.orders_accepted,
        filled: counts.filled,
        filled_fully: counts.filled_fully,
        canceled: counts.canceled,
        rejected: counts.rejected,
        expired: counts.expired,
        unknown: counts.unknown,
        open_at_exit: counts.open,
        open_at_venue: at_venue,
        cancels_refused: counters.cancels_refused,
        refused_here,
        not_sent: 0,
        amended: counts.amended + counters.orders_replaced,
    }
}

/// For how long which reason kept each side from being quoted; the end of the run is none.
fn not_quoting(times: &UnquotedTimes) -> NotQuoting {
    let millis = |side: Side| {
        let reasons = Unquoted::ALL.iter().filter(|reason| !matches!(reason, Unquoted::No | Unquoted::Shutdown));
        let held = reasons.map(|reason| (reason.name(), times.time(side, *reason).millis().unsigned_abs()));
        held.filter(|(_, millis)| *millis > 0).collect()
    };
    NotQuoting { bid_ms: millis(Side::Bid), ask_ms: millis(Side::Ask) }
}

/// A mid, given as bid plus ask in ticks, exactly.
fn mid_text(instrument: &Instrument, doubled: i64) -> String {
    (instrument.price.decimal(doubled) / Decimal::TWO).normalize().to_string()
}

/// A market's account as the engine reckons it.
fn our_figures<S: Strategy>(finished: &Finished<S>, market: &FinishedMarket) -> Account {
    let engine = &finished.ended.hot.0;
    let mut account = Account::default();
    let mut doubled: BTreeMap<String, (i128, QuoteAtoms, QuoteAtoms)> = BTreeMap::new();
    for instrument in &market.instruments {
        let position = engine.position(instrument.id);
        let sums = doubled.entry(instrument.quote_asset.to_string()).or_default();
        sums.0 = sums.0.saturating_add(position.pnl_doubled().unwrap_or(0));
        sums.1.0 = sums.1.0.saturating_add(position.fees().0);
        sums.2.0 = sums.2.0.saturating_add(position.funding().0);
        account.position.insert(finished.plan.label(instrument), quantity(instrument, position.lots()));
    }
    for (asset, (pnl_doubled, fees, funding)) in doubled {
        account.pnl_quote.add(&asset, QuoteAtoms(pnl_doubled.div_euclid(2)));
        account.fees_quote.add(&asset, fees);
        account.funding_quote.add(&asset, funding);
    }
    account
}

/// The profit of all markets by where it came from, in the same sums as [`our_figures`].
fn pnl_split<S: Strategy>(finished: &Finished<S>) -> PnlSplit {
    let engine = &finished.ended.hot.0;
    let mut split = PnlSplit::default();
    for market in &finished.markets {
        let mut doubled: BTreeMap<String, (i128, i128, QuoteAtoms, QuoteAtoms)> = BTreeMap::new();
        for instrument in &market.instruments {
            let position = engine.position(instrument.id);
            let sums = doubled.entry(instrument.quote_asset.to_string()).or_default();
            sums.0 = sums.0.saturating_add(position.pnl_doubled().unwrap_or(0));
            sums.1 = sums.1.saturating_add(position.spread_doubled());
            sums.2 += position.fees();
            sums.3 += position.funding();
        }
        for (asset, (pnl, spread, fees, funding)) in doubled {
            split.add(&asset, QuoteAtoms(pnl.div_euclid(2)), QuoteAtoms(spread.div_euclid(2)), fees, funding);
        }
    }
    split
}

fn quantity(instrument: &Instrument, lots: Lots) -> String {
    instrument.quantity.decimal(lots.0).to_string()
}

/// The same three figures from what the venue answered alone, with our mids.
fn venue_figures<S: Strategy>(
    finished: &Finished<S>,
    line: ProductLine,
    market: &FinishedMarket,
    gateway: &Gateway,
) -> Result<Option<Account>, Failure> {
    let Some(venue) = &market.venue else { return Ok(None) };
    let instruments = &market.instruments;
    let engine = &finished.ended.hot.0;
    let mids: Vec<Option<Mids>> = instruments
        .iter()
        .map(|instrument| {
            let position = engine.position(instrument.id);
            Some(Mids {
                first_doubled: position.mid_doubled_first()?,
                last_doubled: position.mid_doubled_last()?,
                transfers_doubled: position.transfers_doubled(),
            })
        })
        .collect();
    let beside = MovedBeside {
        // What came when the gateway had ended is the next run's.
        incomes: venue.incomes.iter().filter(|income| income.time < gateway.incomes_until()).copied().collect(),
        transfers: gateway.transfers().iter().map(|(asset, atoms)| (*asset, *atoms)).collect(),
    };
    let (start, end) = (&venue.start, &venue.end);
    let figures: VenueAccount =
        venue_account(line, instruments, start, end, &venue.trades, &beside, &mids).map_err(|error| match error {
            AccountError::NoMid(_) => Failure::failed("there is no price to value it at").because(error),
            _ => Failure::wrong("the venue's figures cannot be reconciled").because(error),
        })?;
    let mut account = Account::default();
    for instrument in instruments {
        let held = figures.positions.iter().find(|(id, _)| *id == instrument.id).map_or(Lots::ZERO, |(_, lots)| *lots);
        account.position.insert(finished.plan.label(instrument), quantity(instrument, held));
        // Figures that the venue's answers give are in one asset, as `venue_account` makes sure.
        let asset = instrument.quote_asset.to_string();
        if account.pnl_quote.is_empty() {
            account.pnl_quote.add(&asset, figures.pnl_quote);
            account.fees_quote.add(&asset, figures.fees_quote);
            account.funding_quote.add(&asset, figures.funding_quote);
        }
    }
    Ok(Some(account))
}

/// What could not be held against the venue's word.
#[derive(Default)]
struct Unproved {
    /// Of which market, and why.
    reasons: Vec<String>,
    /// What the venue did say contradicts ours, or itself.
    contradicts: bool,
}

/// Holds what can be held against each venue's word, and says what cannot.
fn unproved<S: Strategy>(finished: &Finished<S>) -> Unproved {
    let mut unproved = Unproved::default();
    for ((market, plan), gateway) in finished.markets.iter().zip(&finished.plan.markets).zip(&finished.ended.gateways) {
        let name = plan.config.venue.name();
        let failure = match (&market.venue_failure, venue_figures(finished, plan.config.venue, market, gateway)) {
            (Some(failure), _) => failure.clone(),
            (None, Err(failure)) => {
                unproved.contradicts |= failure.exit == Exit::Wrong;
                failure
            }
            (None, Ok(_)) => continue,
        };
        let why = failure.why.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
        let what = &failure.what;
        unproved.reasons.push(format!("{name}: the account could not be compared with the venue's: {what}{why}"));
        let ours = |instrument: &Instrument| finished.ended.hot.0.position(instrument.id).lots();
        for (instrument, held) in differing(&market.instruments, &market.held, ours) {
            unproved.contradicts = true;
            unproved.reasons.push(format!(
                "{}: the venue holds {}, we reckon {}: executions are missing here; look at the account",
                finished.plan.label(instrument),
                quantity(instrument, held),
                quantity(instrument, ours(instrument)),
            ));
        }
    }
    unproved
}

/// The instruments of which the venue holds something else than we do, with what it holds.
fn differing<'a>(
    instruments: &'a [Instrument],
    held: &'a [Option<Lots>],
    ours: impl Fn(&Instrument) -> Lots + 'a,
) -> impl Iterator<Item = (&'a Instrument, Lots)> {
    let known = instruments.iter().zip(held).filter_map(|(instrument, held)| held.map(|held| (instrument, held)));
    known.filter(move |(instrument, held)| ours(instrument) != *held)
}

/// What a person should know beside the figures.
fn problems<S: Strategy>(finished: &Finished<S>, report: &RunReport) -> Vec<String> {
    let mut problems = Vec::new();
    for (place, gateway) in finished.ended.gateways.iter().enumerate() {
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
        if venue.venue_account.as_ref().is_some_and(|account| *account != venue.account) {
            // What halts names it; in the quote asset nothing halts.
            let transfer = match gateway.may_miss_transfers() {
                true => ". User data was away, and this venue tells of transfers nowhere else: it may be one",
                false => "",
            };
            problems.push(format!(
                "{name}: our account and the venue's differ: nothing was traded to align them; look at both{transfer}"
            ));
        }
    }
    problems.extend(report.not_compared.iter().cloned());
    let bad_frames: u64 = finished.ended.hot.1.iter().map(|market| market.counters().bad_frames).sum();
    if bad_frames > 0 {
        problems.push(format!(
            "{bad_frames} market frames could not be read and were dropped; a lost depth frame is a gap"
        ));
    }
    if !finished.ended.gateway_end.confirmed {
        problems.push(unconfirmed_text(report.orders.open_at_exit + report.orders.unknown));
    }
    if report.orders.unknown > 0 {
        problems.push(format!("{} orders have an unknown outcome: look at the account", report.orders.unknown));
    }
    let (listed, believed) =
        (report.orders.open_at_venue.unwrap_or(0), report.orders.open_at_exit + report.orders.unknown);
    if listed > believed {
        problems.push(format!("the venue lists {listed} open orders, we know of {believed}: look at the account"));
    }
    if let Some(failure) = &finished.day_book_failure {
        problems.push(format!(
            "the result of the day could not be kept ({failure}): the next run does not know what was lost today"
        ));
    }
    if let Some(log) = &finished.order_log {
        if let Some(failure) = &log.failure {
            problems.push(format!("the journal {} failed: {failure}", log.path));
        }
        if log.lost > 0 {
            problems.push(format!("{} records are missing in the journal {}", log.lost, log.path));
        }
    }
    if report.books.live == 0 && !silence_is_due(finished) {
        problems.push("no book was live at the end".to_owned());
    }
    problems
}

/// That the end is not confirmed, and how many orders are known that may be open.
fn unconfirmed_text(may_be_open: u64) -> String {
    let known = match may_be_open {
        0 => "none is known to be open".to_owned(),
        1 => "1 order may be open".to_owned(),
        count => format!("{count} orders may be open"),
    };
    format!("the venue did not confirm in time that everything is cancelled; {known}: look at the account")
}

/// A book that was live goes stale when its market is over: that is no fault of it.
fn silence_is_due<S: Strategy>(finished: &Finished<S>) -> bool {
    let was_live = finished.ended.hot.0.counters().value(Counter::Snapshots) > 0;
    finished.stop == Stop::MarketOver && was_live
}

/// The gravest finding decides: orders that may be open, then contradicting accounts, then a control that stopped
/// trading, then what else failed.
fn exit_of<S: Strategy>(finished: &Finished<S>, report: &RunReport, contradicts: bool) -> Exit {
    let differs = |venue: &VenueReport| venue.venue_account.as_ref().is_some_and(|account| *account != venue.account);
    if report.orders.may_be_open() || !finished.ended.gateway_end.confirmed {
        return Exit::Failed;
    }
    if contradicts || report.venues.values().any(differs) {
        return Exit::Wrong;
    }
    let unwritten = finished.order_log.as_ref().is_some_and(|log| log.failure.is_some() || log.lost > 0);
    if !report.not_compared.is_empty() || finished.day_book_failure.is_some() || unwritten {
        return Exit::Failed;
    }
    if !finished.stopped_by.is_empty() {
        return Exit::Stopped;
    }
    let halted = matches!(finished.stop, Stop::Halted(_))
        || finished.ended.gateways.iter().any(|gateway| gateway.halt_message().is_some());
    if halted || (report.books.live == 0 && !silence_is_due(finished)) {
        return Exit::Failed;
    }
    match finished.stop {
        Stop::Interrupted(_) | Stop::Quit | Stop::Killed => Exit::Interrupted,
        _ => Exit::Done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_never_said_to_be_open() {
        let said = [0, 1, 2].map(unconfirmed_text);
        assert!(
            said.iter().all(|text| !text.contains("0 orders") && text.ends_with("look at the account")),
            "{said:?}"
        );
        assert!(
            said[0].contains("none is known") && said[1].contains("1 order may") && said[2].contains("2 orders may")
        );
    }

    #[test]
    fn positions_are_compared_also_where_the_executions_could_not_be_read() {
        let line = spinbook_feed::venue::binance::USDM;
        let listed = [0, 1, 2].map(|id| spinbook_feed::testkit::instrument(line, id, "BTCUSDT", "0.10", "0.001"));
        let ours = |instrument: &Instrument| Lots([5, 0, -3][instrument.id.index()]);
        let found = |held: &[Option<Lots>]| -> Vec<(usize, i64)> {
            differing(&listed, held, ours).map(|(instrument, held)| (instrument.id.index(), held.0)).collect()
        };
        assert_eq!(found(&[Some(Lots(5)), Some(Lots(0)), Some(Lots(-3))]), []);
        assert_eq!(found(&[Some(Lots(4)), None, Some(Lots(3))]), [(0, 4), (2, 3)]);
        assert_eq!(found(&[]), [], "the venue said nothing at all");
    }
}
