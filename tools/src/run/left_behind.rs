//! COLD: what the runs before left behind, as their journals tell and as the venue then says.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use spinbook_engine::types::{Lots, Nanos, QuoteAtoms, Side};
use spinbook_feed::gateway::earlier::EarlierOrder;
use spinbook_feed::journal::end::{EndProof, OrderEnd, ProvedEnd};
use spinbook_feed::journal::reader::JournalTail;
use spinbook_feed::journal::recover::{KnownTrade, LeftOrder, Recovery};
use spinbook_feed::net::io::journal_files::{part_files, remove_unfinished};
use spinbook_feed::venue::account::{IncomeRecord, TradeRecord};
use spinbook_feed::venue::instrument::{Instrument, Symbol};
use spinbook_feed::venue::order_ids::RunName;
use spinbook_feed::venue::orders::{Fee, MoneyReason, OrderStatus, OrderUpdate};

use super::day_book::{REARM_FILE, REARMED};
use super::journals::{ReadPart, folder, read_parts, run_of};
use super::old_journals::{JournalKeeping, remove_old};
use super::plan::{MarketPlan, Plan, RunMode};
use super::venue_rest::{VenueLine, VenueRest};
use crate::error::Failure;
use crate::ui::report::atoms_text;
use crate::ui::time::utc_text;

/// An order of a run that was killed may still be accepted for so long beyond its window after it was written down.
const LATE_ORDER_MAX: Nanos = Nanos::from_millis(500);
/// What lies further back is not asked for any more: it is not open, and the account holds what came of it.
const ASKED_BACK_MAX: Nanos = Nanos::from_seconds(24 * 3600);
/// Executions are asked for from so long before the last that a journal tells of.
const OVERLAP: Nanos = Nanos::from_seconds(60);
const NANOS_PER_DAY: i64 = 86_400 * 1_000_000_000;
/// Our clock and the venue's may differ by less than this.
const CLOCK_MARGIN: Nanos = Nanos::from_seconds(2);

/// What the runs before left of one venue.
pub struct LeftBehind {
    /// Which.
    venue: String,
    /// What their journals tell.
    recovery: Recovery,
    /// When the last of them began.
    pub last_run: Option<Nanos>,
    /// Until then an order of theirs may still be accepted.
    late_until: Nanos,
    /// What became of their orders, once the venue was asked.
    pub ends: Vec<ProvedEnd>,
    /// Executions that the venue has and no journal tells of.
    untold: Vec<TradeRecord>,
    /// Their orders under the venue's names, as it listed them.
    named: Vec<EarlierOrder>,
}

/// Reads what the runs before left, of each venue, back to the last that ended with nothing open, and says what it finds.
///
/// # Errors
/// A journal is damaged: nothing is traded on a guess.
pub fn look_back(plan: &Plan) -> Result<Vec<LeftBehind>, Failure> {
    let folder = folder(&plan.config.engine.state_dir, plan.mode);
    let cannot =
        |error: std::io::Error| Failure::failed("cannot read the journals").at(folder.display()).because(error);
    remove_unfinished(&folder);
    let files = part_files(&folder).map_err(cannot)?;
    let engine = &plan.config.engine;
    let keeping = JournalKeeping {
        span: Duration::from_secs(u64::from(engine.journal_keep_days) * 24 * 3_600),
        files_max: engine.journal_keep_files.map(|most| most as usize),
    };
    let at = |market| {
        let (left, unneeded) = look_back_at(plan, market, &files)?;
        let gone = remove_old(&unneeded, &left.venue, keeping, SystemTime::now());
        if !gone.is_empty() {
            tracing::info!("{}: {} old journal files were removed from {}", left.venue, gone.len(), folder.display());
        }
        Ok(left)
    };
    plan.markets.iter().map(at).collect()
}

/// The parts of one venue's runs from the last that ended with nothing open, told in order; and the files before them, which
/// no start needs any more.
fn look_back_at(plan: &Plan, market: &MarketPlan, files: &[PathBuf]) -> Result<(LeftBehind, Vec<PathBuf>), Failure> {
    let venue = market.config.venue.name();
    let of_venue: Vec<&PathBuf> = files.iter().filter(|path| run_of(path, venue).is_some()).collect();
    let mut first = of_venue.len();
    while first > 0 {
        let run = run_of(of_venue[first - 1], venue);
        let begin = of_venue[..first].partition_point(|path| run_of(path, venue) < run);
        let parts: Vec<PathBuf> = of_venue[begin..first].iter().map(|path| (*path).clone()).collect();
        first = begin;
        let read = read_parts(&parts, |_, _| Ok(()))?;
        read.iter().for_each(give_room_back);
        if read.iter().rev().find(|part| part.records > 0).is_some_and(|part| part.ended_clean) {
            break;
        }
    }
    let wanted: Vec<PathBuf> =
        of_venue[first..].iter().filter(|path| path.exists()).map(|path| (*path).clone()).collect();
    let mut recovery = Recovery::default();
    let read = read_parts(&wanted, |_, entry| {
        recovery.take(entry);
        Ok(())
    })?;
    for part in &read {
        if let JournalTail::Torn { sequence, offset } = part.tail {
            let path = part.path.display();
            tracing::warn!("{path}: record {sequence} at byte {offset} was not written to its end and is not used");
        }
    }
    let becomes = match plan.adopts() {
        true => "what is open and fits goes on, the rest is cancelled",
        false => "whatever is open is cancelled before anything is quoted",
    };
    say_left(venue, &recovery, becomes);
    let validity = Nanos::from_millis(i64::from(market.config.receive_window_ms)) + LATE_ORDER_MAX;
    // A simulated venue of a run without real orders dies with it.
    let is_over = plan.mode != RunMode::Live || recovery.ended();
    let unneeded = of_venue[..first].iter().map(|path| (*path).clone()).collect();
    let left = LeftBehind {
        venue: venue.to_owned(),
        late_until: if is_over { Nanos::ZERO } else { recovery.last_placed() + validity },
        last_run: read.last().map(|part| part.header.created),
        recovery,
        ends: Vec::new(),
        untold: Vec::new(),
        named: Vec::new(),
    };
    Ok((left, unneeded))
}

/// Room that a killed run had asked for and not used.
fn give_room_back(part: &ReadPart) {
    if part.tail != JournalTail::Whole {
        return;
    }
    // Only room is at stake: a file that cannot be shortened is as good as one that was.
    let _ = match part.records {
        0 if part.header.part > 0 => fs::remove_file(&part.path),
        _ => OpenOptions::new().write(true).open(&part.path).and_then(|file| file.set_len(part.used)),
    };
}

fn say_left(venue: &str, recovery: &Recovery, becomes: &str) {
    let left: Vec<_> = recovery.left().collect();
    if left.is_empty() {
        return;
    }
    let names: Vec<&str> = left.iter().take(5).map(|order| order.client_id.as_str()).collect();
    let more = if left.len() > names.len() { ", …" } else { "" };
    tracing::warn!(
        "{venue}: the last run left {} orders whose end its journal does not tell ({}{more}): {becomes}",
        left.len(),
        names.join(", "),
    );
}

/// Who re-armed since a time: word, what of, why and who; for the journal. What cannot be read is left out: the file itself
/// stays.
pub(super) fn rearmings_since(state_dir: &Path, since: Nanos) -> Vec<[String; 3]> {
    let text = fs::read_to_string(state_dir.join(REARM_FILE)).unwrap_or_default();
    let since = utc_text(since);
    let word = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        let of = |key: &str| line[key].as_str().map(str::to_owned);
        let reason = format!("{} ({})", of("reason")?, of("who")?);
        // What was asked for, or came to nothing, re-armed nothing.
        let was_done = of("event").is_none_or(|event| event == REARMED);
        (was_done && of("time")? >= since).then(|| ["rearm".to_owned(), of("scope").unwrap_or_default(), reason])
    };
    text.lines().filter_map(word).collect()
}

/// How an order ended, as the venue lists it; none while it may live.
const fn end_of(status: OrderStatus) -> Option<OrderEnd> {
    match status {
        OrderStatus::Filled => Some(OrderEnd::Filled),
        OrderStatus::Canceled => Some(OrderEnd::Canceled),
        OrderStatus::Expired => Some(OrderEnd::Expired),
        OrderStatus::Rejected => Some(OrderEnd::Rejected),
        OrderStatus::Live | OrderStatus::Unknown => None,
    }
}

/// An order of one of our runs under the venue's name.
fn named(row: &OrderUpdate, ours: &[RunName]) -> Option<EarlierOrder> {
    let order = row.order.filter(|order| ours.iter().any(|earlier| earlier.run == order.epoch()))?;
    Some(EarlierOrder { instrument: row.instrument, venue_order: row.venue_order, order })
}

/// What an execution moves the position by.
fn moved(trade: &TradeRecord) -> i64 {
    let fee = if let Fee::Base(lots) = trade.fee { lots.0 } else { 0 };
    let lots = if trade.side == Side::Bid { trade.lots.0 } else { -trade.lots.0 };
    lots.saturating_sub(fee)
}

fn lots_of<'a>(trades: impl Iterator<Item = &'a TradeRecord>) -> Lots {
    Lots(trades.fold(0i64, |lots, trade| lots.saturating_add(moved(trade))))
}

/// Of a list those before `until` that count and were not booked; one is booked where time and amount are the same.
fn untold_incomes<'a>(
    booked: &[(Nanos, QuoteAtoms)],
    listed: &'a [IncomeRecord],
    until: Nanos,
) -> impl Iterator<Item = &'a IncomeRecord> {
    let mut booked = booked.to_vec();
    listed.iter().filter(move |income| {
        let counts = matches!(income.reason, MoneyReason::Funding | MoneyReason::Charge) && income.time < until;
        let same = booked.iter().position(|known| *known == (income.time, QuoteAtoms(income.amount)));
        if let Some(place) = same {
            booked.swap_remove(place);
        }
        counts && same.is_none()
    })
}

impl LeftBehind {
    /// How long an order of the last run may still be on its way.
    #[must_use]
    pub fn late_for(&self, now: Nanos) -> Nanos {
        let wait = self.late_until - now;
        // Whatever a clock says that was set back meanwhile: no window is as long.
        let window = self.late_until - self.recovery.last_placed();
        wait.max(Nanos::ZERO).min(window.max(Nanos::ZERO))
    }

    /// Asks the venue what became of every order whose end no journal tells, and for executions that none tells of. Nothing
    /// of this decides what is traded: the account's own figures do. Whether everything was answered.
    pub(super) fn ask<L: VenueLine>(
        &mut self,
        rest: &VenueRest<L>,
        instruments: &[Instrument],
        ours: &[RunName],
    ) -> bool {
        let mut is_complete = true;
        self.ends.clear();
        self.untold.clear();
        self.named.clear();
        for instrument in instruments {
            let left: Vec<LeftOrder> =
                self.recovery.left().filter(|left| left.symbol == Some(instrument.symbol)).copied().collect();
            let Some(first) = left.iter().map(|left| left.placed).min() else { continue };
            let since = first.max(rest.venue_time() - ASKED_BACK_MAX) - CLOCK_MARGIN;
            match rest.orders_since(instrument, ours, since) {
                Ok(rows) => {
                    self.named.extend(rows.iter().filter_map(|row| named(row, ours)));
                    self.decide(instrument, &left, since, &rows);
                }
                Err(failure) => {
                    is_complete = false;
                    tracing::warn!("{}: what became of the last run's orders: {failure}", instrument.symbol);
                }
            }
            // A message that was lost may be of an execution before the last that was heard of.
            let last = self.recovery.last_trade(instrument.symbol).map_or(since, |last| since.max(last - OVERLAP));
            match rest.trades_since(instrument, last) {
                Ok(trades) => self.compare_trades(instrument, &trades),
                Err(failure) => {
                    is_complete = false;
                    tracing::warn!("{}: executions of the last run: {failure}", instrument.symbol);
                }
            }
        }
        is_complete
    }

    /// Fundings and charges of the day of `until` and before it that the last run did not book, since it was over: by quote
    /// asset. They count to the day's result, as they would have if it had gone on.
    ///
    /// # Errors
    /// The venue cannot be reached or refuses: what was lost today is not guessed.
    pub(super) fn incomes_until<L: VenueLine>(
        &self,
        until: Nanos,
        rest: &VenueRest<L>,
        instruments: &[Instrument],
    ) -> Result<BTreeMap<Symbol, QuoteAtoms>, Failure> {
        let mut sums = BTreeMap::new();
        let Some(last_run) = self.last_run else { return Ok(sums) };
        let midnight = Nanos(until.0.div_euclid(NANOS_PER_DAY) * NANOS_PER_DAY);
        let listed = rest.incomes_since(instruments, last_run.max(midnight))?;
        for income in untold_incomes(self.recovery.incomes(), &listed, until) {
            let of_asset = |instrument: &&Instrument| instrument.quote_asset == income.asset;
            if income.is_of_another || instruments.iter().find(of_asset).is_none() {
                continue;
            }
            let sum: &mut QuoteAtoms = sums.entry(income.asset).or_default();
            sum.0 = sum.0.saturating_add(income.amount);
        }
        for (asset, sum) in &sums {
            let text = atoms_text(*sum);
            tracing::info!("{}: {text} {asset} of funding came since the last run: counted to the day", self.venue);
        }
        Ok(sums)
    }

    fn decide(&mut self, instrument: &Instrument, left: &[LeftOrder], since: Nanos, rows: &[OrderUpdate]) {
        let (mut ends, mut undecided) = ([0; 4], 0);
        for left in left {
            let order = left.intent.order;
            let row = rows.iter().find(|row| row.order == Some(order));
            let (end, lots_filled) = match row {
                Some(row) => (end_of(row.status), row.lots_cumulative),
                // Its window is over, and it never came to be; one from before the list may be anything that is not open.
                None if left.placed >= since => (Some(OrderEnd::Rejected), Lots::ZERO),
                None => (None, left.lots_filled),
            };
            let Some(end) = end else {
                undecided += 1;
                continue;
            };
            ends[end as usize] += 1;
            let (instrument, proof) = (instrument.id, EndProof::NextStart);
            self.ends.push(ProvedEnd { order, instrument, end, proof, lots_filled });
        }
        let [filled, canceled, expired, rejected] = ends;
        tracing::info!(
            "{}: the venue says of the orders that the last run left: {filled} filled, {canceled} cancelled, {expired} \
             expired, {rejected} never accepted, {undecided} not said",
            instrument.symbol
        );
    }

    fn compare_trades(&mut self, instrument: &Instrument, trades: &[TradeRecord]) {
        let symbol = instrument.symbol;
        let untold = trades.iter().filter(|trade| !self.recovery.knows(symbol, trade.trade, trade.side));
        let untold: Vec<TradeRecord> = untold.copied().collect();
        if !untold.is_empty() {
            let (count, lots) = (untold.len(), lots_of(untold.iter()));
            let text = instrument.quantity.decimal(lots.0).normalize();
            tracing::warn!(
                "{symbol}: {count} executions of the last run are not in its journal, {text} in all: booked now"
            );
            self.untold.extend(untold);
        }
    }

    /// Orders of the runs before whose end no journal tells.
    #[must_use]
    pub fn orders(&self) -> Vec<LeftOrder> {
        self.recovery.left().copied().collect()
    }

    /// Executions of the runs before that none of them booked: what is held has them, and no result yet.
    #[must_use]
    pub fn untold(&self) -> &[TradeRecord] {
        &self.untold
    }

    /// Orders of the runs before under the venue's names, those that it listed.
    #[must_use]
    pub fn named(&self) -> &[EarlierOrder] {
        &self.named
    }

    /// What those of an instrument moved.
    #[must_use]
    pub fn untold_lots(&self, instrument: &Instrument) -> Lots {
        lots_of(self.untold.iter().filter(|trade| trade.instrument == instrument.id))
    }

    /// Executions that the runs before booked: of which symbol, which, and when.
    #[must_use]
    pub fn known_trades(&self) -> &[KnownTrade] {
        self.recovery.trades()
    }

    /// Says where the account differs from what the journals end with and the venue added.
    pub(super) fn compare(&self, instruments: &[Instrument], held: impl Fn(&Instrument) -> Option<Lots>) {
        for instrument in instruments {
            let (Some(told), Some(held)) = (self.recovery.positions().get(&instrument.symbol), held(instrument)) else {
                continue;
            };
            let untold = self.untold_lots(instrument);
            let told = Lots(told.0.saturating_add(untold.0));
            if told != held {
                let text = |lots: Lots| instrument.quantity.decimal(lots.0).normalize();
                tracing::warn!(
                    "{} on {}: the account holds {}, the journal ended with {}: filled, moved or traded elsewhere \
                     meanwhile; the account's word is taken",
                    instrument.symbol,
                    self.venue,
                    text(held),
                    text(told)
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_re_armed_counts_as_such_and_a_word_that_came_to_nothing_does_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let line = |event: &str, reason: &str| {
            let time = utc_text(Nanos::from_seconds(1_800_000_000));
            let mut line = serde_json::json!({ "time": time, "who": "desk", "reason": reason, "scope": "" });
            if !event.is_empty() {
                line["event"] = event.into();
            }
            format!("{line}\n")
        };
        let text: String = [
            line("", "of an earlier program"),
            line("asked", "first"),
            line("not_rearmed", "first"),
            line("asked", "second"),
            line("unanswered", "second"),
            line("asked", "third"),
            line("rearmed", "third"),
        ]
        .concat();
        fs::write(folder.path().join(REARM_FILE), text).expect("writable");
        let reasons: Vec<String> =
            rearmings_since(folder.path(), Nanos::ZERO).into_iter().map(|[.., reason]| reason).collect();
        assert_eq!(reasons, ["of an earlier program (desk)", "third (desk)"]);
    }

    #[test]
    fn what_was_booked_is_not_counted_again_and_what_equals_it_is() {
        let asset = Symbol::new("USDT").expect("a name");
        let income = |reason: MoneyReason, at: i64, amount: i128, number: u64| IncomeRecord {
            reason,
            instrument: None,
            is_of_another: false,
            asset,
            amount,
            number,
            time: Nanos(at),
        };
        let funding = |at: i64, amount: i128, number: u64| income(MoneyReason::Funding, at, amount, number);
        let listed = [
            funding(10, -5, 1),
            funding(10, -5, 2),
            funding(20, -7, 3),
            income(MoneyReason::Transfer, 20, 1_000, 4),
            income(MoneyReason::Charge, 30, -11, 5),
            funding(40, -13, 6),
        ];
        let booked = [(Nanos(10), QuoteAtoms(-5)), (Nanos(40), QuoteAtoms(-13))];
        let untold: Vec<u64> = untold_incomes(&booked, &listed, Nanos(40)).map(|income| income.number).collect();
        assert_eq!(untold, [2, 3, 5], "one of two equal ones was booked; transfers and what comes later do not count");
    }
}
