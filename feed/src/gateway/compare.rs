//! COLD: what the venue says is held against what our executions come to. A difference that lasts stops trading; nothing is
//! ever traded to remove it.

use rust_decimal::Decimal;
use spinbook_engine::types::{InstrumentId, Lots, Nanos, VenueCode};
use thiserror::Error;

use super::lifecycle::SessionStep;
use super::place::lots_moved;
use super::rest::{RestLane, RestPurpose};
use super::{Gateway, GatewaySettings};
use crate::venue::account::AccountPoint;
use crate::venue::instrument::{Instrument, Symbol};
use crate::venue::order_side::OrderSide;

/// Both sides rest this long before they are held against each other: a venue tells of a fill and of the position in two
/// messages.
const SETTLED_AFTER: Nanos = Nanos::from_seconds(2);
/// A difference that never went away for this long is one, however much is traded meanwhile.
const DIFFERENT_MAX: Nanos = Nanos::from_seconds(30);
/// The venue is asked for what is held this often, whatever it says by itself.
const ASK_INTERVAL: Nanos = Nanos::from_seconds(60);
/// A question about it that failed is repeated after this.
const ASK_RETRY: Nanos = Nanos::from_seconds(2);
/// Balances may be finer than a lot.
const TOLERANCE_LOTS: i128 = 1;

/// What halts trading where the venue says that something else is held than our executions come to, and asking again changed
/// nothing. Nobody can tell which it is but a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HoldingMismatch {
    /// User data, which tells of every transfer, ran all the time, or nothing of the kind can be transferred.
    #[error(
        "holding_mismatch: the venue says that {stated} of {symbol} is held, our executions come to {ours}: assets were \
         moved or executions are missing; compare with the venue and start again"
    )]
    Unexplained {
        /// Of which instrument.
        symbol: Symbol,
        /// The venue's word.
        stated: Decimal,
        /// Ours.
        ours: Decimal,
    },
    /// User data was away since both were the same, and this venue tells of transfers nowhere else: it may be one.
    #[error(
        "transfer_not_told: the venue says that {stated} of {symbol} is held, our executions come to {ours}: assets were \
         moved or executions are missing. User data was away meanwhile, and this venue tells of transfers nowhere else: if \
         {moved} {asset} was transferred, re-arm and start again, and the account counts as it is; if not, compare the \
         executions with the venue first"
    )]
    PerhapsTransferred {
        /// Of which instrument.
        symbol: Symbol,
        /// Its base asset.
        asset: Symbol,
        /// The venue's word.
        stated: Decimal,
        /// Ours.
        ours: Decimal,
        /// What would have been transferred to the account, negative from it.
        moved: Decimal,
    },
}

/// What is held of one instrument: by the venue's word, and how long that has been something else than ours.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Holding {
    /// At the start; `None`: not known, nothing is compared.
    start: Option<Lots>,
    /// The venue's latest word.
    pub(super) stated: Option<Lots>,
    stated_at: Nanos,
    /// What our executions came to at the last look, and since when.
    ours: i128,
    ours_since: Nanos,
    /// Since when the two have differed.
    different_since: Option<Nanos>,
    /// User data was away at some time since the two were the same.
    user_data_away: bool,
    /// The venue was asked about that: what it says after this moment counts.
    asked_again: Option<Nanos>,
}

impl Holding {
    pub(super) fn starting_with(start: Option<Lots>) -> Holding {
        // What was moved since the account was read, and before user data runs, nobody tells.
        Holding { start, user_data_away: true, ..Holding::default() }
    }

    /// Lots came to the account without a trade: what was held at the start counts with them.
    pub(super) fn transferred(&mut self, lots: Lots) {
        self.start = self.start.map(|start| Lots(start.0.saturating_add(lots.0)));
    }

    fn difference(&self) -> Option<i128> {
        let (start, stated) = (self.start?, self.stated?);
        Some(i128::from(stated.0) - i128::from(start.0) - self.ours)
    }

    /// When the difference, if there is one, is judged.
    fn judged_at(&self) -> Nanos {
        let Some(since) = self.different_since else { return Nanos::NEVER };
        let settled = since.max(self.ours_since).max(self.stated_at) + SETTLED_AFTER;
        settled.min(since + DIFFERENT_MAX)
    }
}

/// What was held of each instrument at the start, where that can be compared: an asset that two instruments of the
/// account move is compared with neither.
pub(super) fn holdings_at_start(settings: &GatewaySettings, instruments: &[Instrument], places: usize) -> Vec<Holding> {
    let mut holdings = vec![Holding::default(); places];
    for (id, lots) in &settings.held_at_start {
        let Some(instrument) = instruments.iter().find(|known| known.id == *id) else { continue };
        let shares = |other: &&Instrument| {
            other.id != *id && [other.base_asset, other.quote_asset].contains(&instrument.base_asset)
        };
        if !settings.product.holds_inventory() || instruments.iter().find(shares).is_none() {
            holdings[id.index()] = Holding::starting_with(Some(*lots));
        }
    }
    holdings
}

impl<O: OrderSide> Gateway<O> {
    /// Whether the account's holdings are compared at all.
    fn compares(&self) -> bool {
        self.can_ask_rest() && self.holdings.iter().any(|holding| holding.start.is_some())
    }

    /// The venue says what is held.
    pub(super) fn on_held(&mut self, rows: &[(InstrumentId, Lots)], now: Nanos) {
        for (instrument, lots) in rows {
            if let Some(holding) = self.holdings.get_mut(instrument.index()) {
                holding.stated = Some(*lots);
                holding.stated_at = now;
            }
        }
        self.compare_holdings(now);
    }

    /// What the venue said may be old by now: it is asked before orders are taken again.
    pub(super) fn forget_holdings(&mut self) {
        for holding in &mut self.holdings {
            (holding.stated, holding.different_since, holding.asked_again) = (None, None, None);
            holding.user_data_away = true;
        }
        self.transfers_missed |= self.was_ready && self.tells_transfers_once();
        self.ask_holdings = true;
    }

    /// Whether the venue has still to say what is held, or says something else than our executions.
    pub(super) fn lacks_holdings(&self) -> bool {
        self.compares() && (self.ask_holdings || self.holdings.iter().any(|holding| holding.different_since.is_some()))
    }

    /// Executions of an instrument that wait for the engine, and those that it has.
    fn moved(&self, instrument: InstrumentId) -> i128 {
        let waiting = self.events.iter().filter(|event| event.instrument == instrument).map(lots_moved);
        self.lots_moved.get(instrument.index()).copied().unwrap_or_default() + waiting.sum::<i128>()
    }

    /// Holds both sides against each other.
    pub(super) fn compare_holdings(&mut self, now: Nanos) {
        for place in 0..self.instruments.len() {
            let id = self.instruments[place].id;
            let ours = self.moved(id);
            let Some(holding) = self.holdings.get_mut(id.index()).filter(|holding| holding.start.is_some()) else {
                continue;
            };
            if holding.ours != ours {
                (holding.ours, holding.ours_since) = (ours, now);
            }
            match holding.difference() {
                Some(apart) if apart.abs() > TOLERANCE_LOTS => {
                    holding.different_since.get_or_insert(now);
                }
                same => {
                    (holding.different_since, holding.asked_again) = (None, None);
                    holding.user_data_away &= same.is_none();
                }
            }
            if now >= holding.judged_at() {
                self.judge_holding(place, now);
            }
        }
    }

    /// Both sides have rested and differ: executions and holdings are asked for once more, and if that changes nothing
    /// trading stops.
    fn judge_holding(&mut self, place: usize, now: Nanos) {
        let instrument = self.instruments[place];
        let holding = self.holdings[instrument.id.index()];
        let since = holding.different_since.unwrap_or(now);
        match holding.asked_again {
            None => {
                self.counters.position_mismatches += 1;
                self.holdings[instrument.id.index()].asked_again = Some(now);
                self.want_trades(instrument.id, since, true);
                self.ask_holdings = true;
            }
            Some(asked) if holding.stated_at > asked && !self.lacks_trades() => {
                let mismatch = self.mismatch(&instrument, &holding);
                let message = self.holding_mismatch.insert(mismatch).to_string();
                self.halt_with(VenueCode::NONE, message, now);
            }
            Some(_) => {}
        }
    }

    /// Whether assets are held that can be transferred, and user data alone tells of that, once.
    fn tells_transfers_once(&self) -> bool {
        self.settings.product.holds_inventory() && !self.lists_incomes()
    }

    /// Whether a transfer to or from the account may not have been told: user data was away, and nothing else tells of them.
    #[must_use]
    pub const fn may_miss_transfers(&self) -> bool {
        self.transfers_missed
    }

    /// The difference that halted trading, if one did.
    #[must_use]
    pub const fn holding_mismatch(&self) -> Option<&HoldingMismatch> {
        self.holding_mismatch.as_ref()
    }

    fn mismatch(&self, instrument: &Instrument, holding: &Holding) -> HoldingMismatch {
        let amount = |lots: i128| {
            let most = i64::try_from(lots.unsigned_abs()).unwrap_or(i64::MAX);
            let amount = instrument.quantity.decimal(most).normalize();
            if lots < 0 { -amount } else { amount }
        };
        let stated = holding.stated.map_or(0, |lots| i128::from(lots.0));
        let ours = i128::from(holding.start.unwrap_or(Lots::ZERO).0) + holding.ours;
        let (symbol, moved) = (instrument.symbol, amount(stated - ours));
        let (stated, ours) = (amount(stated), amount(ours));
        match holding.user_data_away && self.tells_transfers_once() {
            true => HoldingMismatch::PerhapsTransferred { symbol, asset: instrument.base_asset, stated, ours, moved },
            false => HoldingMismatch::Unexplained { symbol, stated, ours },
        }
    }

    /// When the venue is asked what is held; [`Nanos::NEVER`]: not now.
    fn holdings_ask_at(&self) -> Nanos {
        let free = self.clock.is_known() && self.rest.is_free(RestLane::Questions) && !self.lacks_trades();
        if !free || !self.compares() || self.halted.is_some() {
            return Nanos::NEVER;
        }
        let at = match self.step {
            SessionStep::Ready if !self.ask_holdings => self.holdings_asked + ASK_INTERVAL,
            SessionStep::Ready => Nanos::ZERO,
            // Everything is cancelled and every execution was booked.
            SessionStep::Resolve if self.ask_holdings && self.is_swept() => Nanos::ZERO,
            _ => return Nanos::NEVER,
        };
        at.max(self.holdings_not_before).max(self.quiet_until())
    }

    /// When something is due here.
    pub(super) fn holdings_due(&self) -> Nanos {
        if !self.compares() || self.halted.is_some() {
            return Nanos::NEVER;
        }
        let judged = |holding: &Holding| match holding.asked_again {
            // It waits for answers, which wake us.
            Some(asked) if holding.stated_at <= asked || self.lacks_trades() => Nanos::NEVER,
            _ => holding.judged_at(),
        };
        let judged = self.holdings.iter().map(judged).min().unwrap_or(Nanos::NEVER);
        judged.min(self.holdings_ask_at())
    }

    /// Asks what is due and compares what is known.
    pub(super) fn watch_holdings(&mut self, now: Nanos) {
        if !self.compares() || self.halted.is_some() {
            return;
        }
        self.compare_holdings(now);
        if now < self.holdings_ask_at() {
            return;
        }
        let asked = self.ask_rest(RestLane::Questions, RestPurpose::Holdings, now, |account, signing| {
            account.positions(signing).or_else(|| Some(account.balances(signing)))
        });
        match asked {
            Ok(()) => self.holdings_asked = now,
            Err(at) => self.holdings_not_before = at,
        }
    }

    /// The venue's list of what is held, asked for at `asked`.
    pub(super) fn holdings_listed(&mut self, body: &[u8], asked: Nanos, now: Nanos) {
        let Some(account) = &self.rest.account else { return };
        let product = self.settings.product;
        let point = if product.holds_inventory() {
            let balances = account.parse_balances(body);
            balances.map(|balances| AccountPoint { balances, positions: Vec::new() })
        } else {
            let positions = account.parse_positions(&self.instruments, body);
            positions.map(|positions| AccountPoint { balances: Vec::new(), positions })
        };
        let Ok(point) = point else {
            self.counters.bad_frames += 1;
            self.holdings_failed(now);
            return;
        };
        self.compare_holdings(now);
        let mut rows = Vec::with_capacity(self.instruments.len());
        let mut is_old = false;
        for instrument in &self.instruments {
            let Some(holding) = self.holdings.get(instrument.id.index()) else { continue };
            if holding.ours_since >= asked {
                // An execution came meanwhile: which of them the answer knows of cannot be said.
                is_old = true;
            } else if let Some(lots) = point.whole_lots(product, instrument) {
                rows.push((instrument.id, lots));
            }
        }
        self.ask_holdings = is_old;
        self.holdings_not_before = if is_old { now + ASK_RETRY } else { now };
        self.on_held(&rows, now);
    }

    /// It could not be had.
    pub(super) fn holdings_failed(&mut self, now: Nanos) {
        self.holdings_not_before = now + ASK_RETRY;
        self.ask_holdings = true;
    }
}
