//! COLD: money that moves beside executions: funding, charges of the venue, transfers. Each is booked once.
//!
//! Where the venue lists them, its list is what is booked and a message of user data only says that there is something new
//! on it: the list names symbol and number, has what an outage hid, and tells nothing twice. Elsewhere the message is booked.

use std::collections::{BTreeMap, HashSet, VecDeque};

use spinbook_engine::event::{ExecutionEvent, ExecutionKind, FeeAsset};
use spinbook_engine::types::{InstrumentId, Lots, Nanos, OrderId, QuoteAtoms, VenueCode};

use super::Gateway;
use super::lifecycle::SessionStep;
use super::rest::{RestLane, RestPurpose};
use crate::venue::account::{IncomeRecord, whole_lots};
use crate::venue::instrument::Symbol;
use crate::venue::order_side::OrderSide;
use crate::venue::orders::{MoneyMoved, MoneyReason, OrderUpdate};

/// The list is asked for this often, whatever user data tells.
const ASK_INTERVAL: Nanos = Nanos::from_seconds(600);
/// It is asked for from so long before the last one that was had: a line may be listed late.
const OVERLAP: Nanos = Nanos::from_seconds(60);
/// The same where nothing said that there is something new.
const OVERLAP_UNTOLD: Nanos = Nanos::from_seconds(900);
/// A list that could not be had, or that lacks what was told, is asked for again after this, doubled each time.
const RETRY_FIRST: Nanos = Nanos::from_millis(250);
/// The longest of these pauses.
const RETRY_MAX: Nanos = Nanos::from_seconds(30);
/// What was told has to be listed within this, or the result of the day is not known.
const LISTED_WITHIN: Nanos = Nanos::from_seconds(600);
/// A line is stamped no earlier than this before the message about it.
const STAMP_MARGIN: Nanos = Nanos::from_seconds(5);
/// Lines remembered against double booking.
const LINES_KEPT: usize = 4096;

/// What tells one movement from another.
type Line = (MoneyReason, Option<InstrumentId>, Symbol, i128, u64, Nanos);

/// A movement that user data told of and that no list has shown yet.
#[derive(Clone, Copy, Debug)]
struct Told {
    reason: MoneyReason,
    asset: Symbol,
    /// The venue's time of it.
    time: Nanos,
    /// Ours, when it was told.
    at: Nanos,
}

/// Where the asking for what moved stands.
#[derive(Debug, Default)]
pub(super) struct Incomes {
    /// There is, or may be, something new.
    wanted: bool,
    /// Everything before this time of the venue was listed.
    complete_until: Nanos,
    /// The newest that was booked, and a moment more.
    booked_until: Nanos,
    /// What is being asked for: from where on, and when that was asked first, in the venue's time.
    asking: Option<(Nanos, Nanos)>,
    asked: Nanos,
    not_before: Nanos,
    attempts: u32,
    told: Vec<Told>,
    /// Every movement in the list that is being read, by reason and asset.
    listed: Vec<(MoneyReason, Symbol, Nanos)>,
    booked: HashSet<Line>,
    booked_order: VecDeque<Line>,
    /// Sums by asset, in 10^-18 of it.
    transfers: BTreeMap<Symbol, i128>,
}

impl Incomes {
    /// Nothing before this time of the venue counts: there is nothing to ask for yet.
    pub(super) fn begin(&mut self, from: Nanos, now: Nanos) {
        (self.complete_until, self.asked, self.wanted) = (from, now, false);
    }

    /// Whether something was told that no list has shown.
    pub(super) fn lacks_told(&self) -> bool {
        !self.told.is_empty()
    }

    fn is_new(&mut self, line: Line) -> bool {
        if !self.booked.insert(line) {
            return false;
        }
        self.booked_order.push_back(line);
        if self.booked_order.len() > LINES_KEPT
            && let Some(oldest) = self.booked_order.pop_front()
        {
            self.booked.remove(&oldest);
        }
        true
    }

    fn again_at(&mut self, at: Nanos) {
        self.asking = None;
        self.listed.clear();
        self.wanted = true;
        self.not_before = at;
    }

    fn pause(&mut self) -> Nanos {
        let pause = Nanos((RETRY_FIRST.0 << self.attempts.min(8)).min(RETRY_MAX.0));
        self.attempts += 1;
        pause
    }
}

impl<O: OrderSide> Gateway<O> {
    /// What was transferred to the account since the start, by asset, in 10^-18 of it; negative: from it.
    #[must_use]
    pub fn transfers(&self) -> &BTreeMap<Symbol, i128> {
        &self.incomes.transfers
    }

    /// Up to when, in the venue's time, everything that its list has was booked.
    #[must_use]
    pub fn incomes_until(&self) -> Nanos {
        self.incomes.complete_until.max(self.incomes.booked_until)
    }

    /// Whether the venue lists what moves.
    pub(super) fn lists_incomes(&self) -> bool {
        self.can_ask_rest() && self.rest.account.as_ref().is_some_and(|account| account.incomes_per_reply() > 0)
    }

    /// Something may have moved that nobody told of.
    pub(super) fn want_incomes(&mut self) {
        self.incomes.wanted = true;
    }

    /// User data tells that money moved.
    pub(super) fn money_moved(&mut self, moved: &MoneyMoved, now: Nanos) {
        if !moved.positions.is_empty() {
            self.on_held(&moved.positions, now);
        }
        let time = if moved.time == Nanos::ZERO { self.clock.venue_time(now) } else { moved.time };
        if moved.time != Nanos::ZERO && self.trades_floor != Nanos::NEVER && time < self.trades_floor {
            return;
        }
        for (asset, amount) in moved.changes.iter().copied().filter(|(_, amount)| *amount != 0) {
            if self.lists_incomes() {
                self.want_incomes();
                self.incomes.told.push(Told { reason: moved.reason, asset, time, at: now });
            } else {
                let (reason, instrument) = (moved.reason, None);
                let line = IncomeRecord {
                    reason,
                    instrument,
                    is_of_another: false,
                    asset,
                    amount,
                    number: 0,
                    time: moved.time,
                };
                self.book_income(&line, now);
            }
        }
    }

    /// When the list is asked for next; [`Nanos::NEVER`]: not now.
    pub(super) fn incomes_due(&self) -> Nanos {
        let may_ask = self.lists_incomes() && self.clock.is_known() && self.rest.is_free(RestLane::Questions);
        if !may_ask || self.trades_floor == Nanos::NEVER || self.lacks_trades() {
            return Nanos::NEVER;
        }
        let incomes = &self.incomes;
        let at = match self.step {
            _ if incomes.asking.is_some() => Nanos::ZERO,
            SessionStep::Ready if incomes.wanted => Nanos::ZERO,
            SessionStep::Ready => incomes.asked + ASK_INTERVAL,
            SessionStep::Draining if incomes.lacks_told() => Nanos::ZERO,
            _ => return Nanos::NEVER,
        };
        at.max(incomes.not_before).max(self.quiet_until())
    }

    /// Asks for the list where that is due.
    pub(super) fn ask_incomes(&mut self, now: Nanos) {
        if now < self.incomes_due() {
            return;
        }
        let overlap = if self.incomes.wanted { OVERLAP } else { OVERLAP_UNTOLD };
        let first = (self.incomes.complete_until - overlap).max(self.trades_floor);
        let (since, begun) = self.incomes.asking.unwrap_or((first, self.clock.venue_time(now)));
        let asked = self.ask_rest(RestLane::Questions, RestPurpose::Incomes, now, |account, signing| {
            account.incomes(signing, since)
        });
        let incomes = &mut self.incomes;
        match asked {
            Ok(()) => {
                incomes.asking = Some((since, begun));
                incomes.asked = now;
                incomes.wanted = false;
            }
            Err(at) => incomes.not_before = at,
        }
    }

    /// The venue's list of what moved.
    pub(super) fn incomes_listed(&mut self, body: &[u8], now: Nanos) {
        let Some(account) = &self.rest.account else { return };
        let most = account.incomes_per_reply();
        let Ok(rows) = account.parse_incomes(&self.instruments, body) else {
            self.counters.bad_frames += 1;
            self.incomes_failed(now);
            return;
        };
        let floor = self.trades_floor;
        for row in rows.iter().filter(|row| row.reason != MoneyReason::Trade && row.time >= floor) {
            self.incomes.listed.push((row.reason, row.asset, row.time));
            self.incomes.booked_until = self.incomes.booked_until.max(row.time + Nanos(1));
            self.book_income(row, now);
        }
        let last = rows.iter().map(|row| row.time).max();
        let incomes = &mut self.incomes;
        let Some((since, begun)) = incomes.asking else { return };
        if let Some(last) = last.filter(|_| rows.len() >= most) {
            // What has the same stamp comes again, and is known. A thousand with one stamp there cannot be.
            let next = if last > since { last } else { since + Nanos::from_millis(1) };
            (incomes.asking, incomes.not_before) = (Some((next, begun)), now);
            return;
        }
        let listed = std::mem::take(&mut incomes.listed);
        let is_listed = |told: &Told| {
            let same =
                |(reason, asset, _): &&(MoneyReason, Symbol, Nanos)| (*reason, *asset) == (told.reason, told.asset);
            listed.iter().filter(same).any(|(.., time)| *time + STAMP_MARGIN >= told.time)
        };
        incomes.told.retain(|told| !is_listed(told));
        let oldest = incomes.told.iter().min_by_key(|told| told.at).copied();
        incomes.asking = None;
        let Some(oldest) = oldest else {
            incomes.complete_until = begun;
            incomes.attempts = 0;
            return;
        };
        // It may be listed a moment late.
        let pause = incomes.pause();
        incomes.again_at(now + pause);
        if now - oldest.at >= LISTED_WITHIN {
            let message = format!(
                "the venue said that {} of the account was moved and does not list it: the result of the day is not known; \
                 compare with the venue",
                oldest.asset
            );
            self.halt_with(VenueCode::NONE, message, now);
        }
    }

    /// It could not be had.
    pub(super) fn incomes_failed(&mut self, now: Nanos) {
        let pause = self.incomes.pause();
        self.incomes.again_at(now + pause);
    }

    /// Books a movement that is not booked yet.
    fn book_income(&mut self, row: &IncomeRecord, now: Nanos) {
        if row.is_of_another {
            self.counters.incomes_of_others += 1;
            return;
        }
        if !self.incomes.is_new((row.reason, row.instrument, row.asset, row.amount, row.number, row.time)) {
            return;
        }
        match row.reason {
            MoneyReason::Trade => {}
            MoneyReason::Transfer => self.book_transfer(row, now),
            MoneyReason::Funding | MoneyReason::Charge => {
                let of_asset = self.instruments.iter().find(|instrument| instrument.quote_asset == row.asset);
                let named = row.instrument.and_then(|id| self.instruments.iter().find(|known| known.id == id));
                let Some(instrument) = named.or(of_asset).or(self.instruments.first()) else { return };
                let mut event = ExecutionEvent {
                    kind: ExecutionKind::Income,
                    order: OrderId::NONE,
                    instrument: instrument.id,
                    fee: QuoteAtoms(-row.amount),
                    time: row.time,
                    ..ExecutionEvent::default()
                };
                if instrument.quote_asset != row.asset {
                    let price = self.settings.fee_prices.iter().find(|price| price.asset == row.asset);
                    match price.and_then(|price| price.worth(-row.amount)) {
                        Some(worth) => event.fee = worth,
                        // Nobody knows what it is worth; what was paid of it is missing in the result.
                        None if row.amount < 0 => event.fee_asset = FeeAsset::Other,
                        None => return,
                    }
                }
                self.counters.incomes += 1;
                self.events.push_back(event);
            }
        }
    }

    /// A transfer: no profit and no loss, but what is held is compared with what is held with it.
    fn book_transfer(&mut self, row: &IncomeRecord, now: Nanos) {
        self.counters.transfers += 1;
        let sum = self.incomes.transfers.entry(row.asset).or_default();
        let before = *sum;
        *sum = sum.saturating_add(row.amount);
        let after = *sum;
        if !self.settings.product.holds_inventory() {
            return;
        }
        for instrument in self.instruments.iter().filter(|instrument| instrument.base_asset == row.asset) {
            let (Some(before), Some(after)) = (whole_lots(before, instrument), whole_lots(after, instrument)) else {
                continue;
            };
            let lots = Lots(after.0.saturating_sub(before.0));
            if let Some(holding) = self.holdings.get_mut(instrument.id.index()) {
                holding.transferred(lots);
            }
            self.events.push_back(ExecutionEvent {
                kind: ExecutionKind::Transfer,
                instrument: instrument.id,
                lots,
                time: row.time,
                ..ExecutionEvent::default()
            });
        }
        self.compare_holdings(now);
    }

    /// The venue itself made an order to close a position. Its executions count, and nothing is traded after it: it does
    /// so where the margin is used up, and what it will do next nobody here knows.
    pub(super) fn venue_order(&mut self, update: &OrderUpdate, now: Nanos) {
        let Some(instrument) = self.instruments.iter().find(|known| known.id == update.instrument).copied() else {
            return;
        };
        if self.orders.on_venue_fill(update, &instrument, now, &mut self.events) {
            self.counters.liquidations += 1;
        }
        let message = format!(
            "the venue itself closes a position of {} (its order {}): by liquidation, deleveraging or settlement; look at \
             margin and position, nothing was traded to restore them",
            instrument.symbol, update.venue_order
        );
        self.halt_with(VenueCode::NONE, message, now);
    }
}
