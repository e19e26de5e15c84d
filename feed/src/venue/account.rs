//! COLD: an account as its venue states it over REST: what is asked, what the answers say, and the result recomputed.

use core::fmt;
use std::collections::HashSet;

use spinbook_engine::types::{InstrumentId, Lots, Nanos, QuoteAtoms, Side, Tick, TradeId};

use crate::crypto::credentials::Credentials;
use crate::error::{InstrumentError, RateLimitError};
use crate::venue::ProductLine;
use crate::venue::instrument::{Instrument, Symbol};
use crate::venue::order_ids::{ClientOrderId, RunName, VenueOrderId};
use crate::venue::order_side::Reaction;
use crate::venue::orders::{Fee, MoneyReason, OrderDecodeError, OrderUpdate, Refusal, WindowUsage};

/// One HTTP request without a body, complete. Printing it shows no key and no signature.
#[derive(Clone)]
pub struct RestRequest {
    /// Upper-case method.
    pub method: &'static str,
    /// Path and query, exactly as to be sent.
    pub target: String,
    /// Header names and values.
    pub headers: Vec<(&'static str, String)>,
    /// What it costs of the venue's request weight.
    pub weight: u32,
}

impl fmt::Debug for RestRequest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path);
        write!(out, "{} {path}", self.method)
    }
}

/// From where on trades are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TradesSince {
    /// From this time of the venue.
    Time(Nanos),
    /// From this trade on, itself included.
    Id(TradeId),
}

/// One asset of the account, in 10^-18 of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Which.
    pub asset: Symbol,
    /// Free to use (futures: the wallet balance).
    pub free: i128,
    /// Bound in open orders.
    pub locked: i128,
}

/// One of our executions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TradeRecord {
    /// Of what.
    pub instrument: InstrumentId,
    /// The venue's id.
    pub trade: TradeId,
    /// The venue's id of the order.
    pub venue_order: VenueOrderId,
    /// Which side we were on.
    pub side: Side,
    /// Price.
    pub tick: Tick,
    /// Quantity.
    pub lots: Lots,
    /// Fee.
    pub fee: Fee,
    /// Whether we were the maker.
    pub maker: bool,
    /// When.
    pub time: Nanos,
}

/// One line of the venue's list of what moved an account's money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IncomeRecord {
    /// Why.
    pub reason: MoneyReason,
    /// Of which of our instruments; none: of the account as a whole.
    pub instrument: Option<InstrumentId>,
    /// It is of an instrument that is not ours.
    pub is_of_another: bool,
    /// In which asset.
    pub asset: Symbol,
    /// By how much that changed, in 10^-18 of it; negative: it was paid.
    pub amount: i128,
    /// The venue's number of it, among those of its reason.
    pub number: u64,
    /// When.
    pub time: Nanos,
}

/// What a key may do beside reading and trading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRights {
    /// Take assets away from the venue.
    pub may_withdraw: bool,
    /// Whether it is taken from named addresses alone.
    pub is_bound_to_address: bool,
}

/// What a request of the account is signed with, and when.
#[derive(Clone, Copy, Debug)]
pub struct Signing<'a> {
    /// The account's key.
    pub credentials: &'a Credentials,
    /// The venue's clock now.
    pub venue_now: Nanos,
}

/// A venue's side of accounts: REST requests as data, and what the answers to them say. Sans-IO.
pub trait AccountSide {
    /// Asks for the venue's clock; answer: [`AccountSide::parse_time`].
    fn time(&self) -> RestRequest;
    /// Asks for instruments and rate windows; answers: [`AccountSide::find_instruments`] and
    /// [`AccountSide::parse_windows`].
    fn instrument_list(&self) -> RestRequest;
    /// Asks for the balances; answers: [`AccountSide::parse_balances`] and [`AccountSide::parse_account_id`].
    fn balances(&self, signing: Signing<'_>) -> RestRequest;
    /// Asks for the positions, where the product line has any; answer: [`AccountSide::parse_positions`].
    fn positions(&self, signing: Signing<'_>) -> Option<RestRequest>;
    /// Asks how the account keeps its positions, where that is its owner's choice; answer: [`AccountSide::check_mode`].
    fn mode(&self, signing: Signing<'_>) -> Option<RestRequest>;
    /// Asks for own trades of an instrument, oldest first, [`AccountSide::trades_per_reply`] at most; answer:
    /// [`AccountSide::parse_trades`].
    fn trades(&self, signing: Signing<'_>, instrument: &Instrument, since: TradesSince) -> RestRequest;
    /// Most trades that one answer lists; with as many, the rest is asked for from the last id on.
    fn trades_per_reply(&self) -> usize;
    /// Asks for what moved the account's money since a time of the venue, oldest first, [`AccountSide::incomes_per_reply`]
    /// at most; answer: [`AccountSide::parse_incomes`]. `None` where the venue lists no such thing.
    fn incomes(&self, signing: Signing<'_>, since: Nanos) -> Option<RestRequest>;
    /// Most of them that one answer lists; with as many, the rest is asked for from the time of the last on. Zero: the venue
    /// lists no such thing.
    fn incomes_per_reply(&self) -> usize;
    /// What moved the account's money.
    ///
    /// # Errors
    /// The body is not what was asked for, or a number is not exact.
    fn parse_incomes(&self, instruments: &[Instrument], body: &[u8]) -> Result<Vec<IncomeRecord>, OrderDecodeError>;
    /// Asks for the open orders of an instrument; answer: [`AccountSide::parse_open_orders`].
    fn open_orders(&self, signing: Signing<'_>, instrument: &Instrument) -> RestRequest;
    /// Asks what became of one order, by our name for it; answer: [`AccountSide::parse_order`].
    fn order_status(&self, signing: Signing<'_>, instrument: &Instrument, name: &ClientOrderId) -> RestRequest;
    /// Asks for the orders of an instrument since a time, closed ones too, as far as one answer lists them; answer:
    /// [`AccountSide::parse_open_orders`].
    fn orders_since(&self, signing: Signing<'_>, instrument: &Instrument, since: Nanos) -> RestRequest;
    /// Cancels every open order of an instrument.
    fn cancel_all(&self, signing: Signing<'_>, instrument: &Instrument) -> RestRequest;
    /// Has the venue itself cancel every open order of an instrument `within` from now, unless it is asked again before;
    /// zero: no longer. `None` where the venue has no such thing.
    fn cancel_all_later(&self, signing: Signing<'_>, instrument: &Instrument, within: Nanos) -> Option<RestRequest>;
    /// Asks what the key may do, at the card's `key_rights_url`; answer: [`AccountSide::parse_key_rights`]. `None` where
    /// the venue has no such question.
    fn key_rights(&self, signing: Signing<'_>) -> Option<RestRequest>;
    /// What the key may do.
    ///
    /// # Errors
    /// The body is not what was asked for.
    fn parse_key_rights(&self, body: &[u8]) -> Result<KeyRights, OrderDecodeError>;
    /// Asks for a key of user data, where that is asked for over REST.
    fn start_user_data(&self, signing: Signing<'_>) -> Option<RestRequest>;
    /// The venue's clock.
    ///
    /// # Errors
    /// The body is not what was asked for.
    fn parse_time(&self, body: &[u8]) -> Result<Nanos, OrderDecodeError>;
    /// The rate windows of an instrument list.
    ///
    /// # Errors
    /// The body has no list of them, or one of them cannot be kept.
    fn parse_windows(&self, body: &[u8]) -> Result<Vec<WindowUsage>, RateLimitError>;
    /// The named instruments of a list, numbered in the order of `symbols`.
    ///
    /// # Errors
    /// The list is unreadable, a symbol is not listed or more than once, or one of its rules is unusable.
    fn find_instruments(&self, body: &[u8], symbols: &[&str]) -> Result<Vec<Instrument>, InstrumentError>;
    /// Balances.
    ///
    /// # Errors
    /// The body is not what was asked for, or a number is not exact.
    fn parse_balances(&self, body: &[u8]) -> Result<Vec<Balance>, OrderDecodeError>;
    /// What the venue calls the account; `None` if the answer about balances does not say.
    fn parse_account_id(&self, body: &[u8]) -> Option<String>;
    /// Whether an account whose owner chose so can be traded.
    ///
    /// # Errors
    /// The body is not what was asked for, or the account keeps a position for each side of a symbol.
    fn check_mode(&self, body: &[u8]) -> Result<(), OrderDecodeError>;
    /// Net positions of our instruments, in lots.
    ///
    /// # Errors
    /// The body is not what was asked for, or a number is not exact.
    fn parse_positions(
        &self,
        instruments: &[Instrument],
        body: &[u8],
    ) -> Result<Vec<(InstrumentId, Lots)>, OrderDecodeError>;
    /// Orders of our instruments, as lists of open and of all orders print them. One whose name bears the number of one of
    /// `runs` and none of their random bits is of run [`OTHER_RUN`](crate::venue::order_ids::OTHER_RUN).
    ///
    /// # Errors
    /// The body is not what was asked for, or a number is not exact.
    fn parse_open_orders(
        &self,
        instruments: &[Instrument],
        runs: &[RunName],
        body: &[u8],
    ) -> Result<Vec<OrderUpdate>, OrderDecodeError>;
    /// One order, named as in [`AccountSide::parse_open_orders`]; `None` if it is of no instrument of ours.
    ///
    /// # Errors
    /// The body is not what was asked for, or a number is not exact.
    fn parse_order(
        &self,
        instruments: &[Instrument],
        runs: &[RunName],
        body: &[u8],
    ) -> Result<Option<OrderUpdate>, OrderDecodeError>;
    /// Our executions, as the venue lists them.
    ///
    /// # Errors
    /// The body is not what was asked for, or a number is not exact.
    fn parse_trades(&self, instruments: &[Instrument], body: &[u8]) -> Result<Vec<TradeRecord>, OrderDecodeError>;
    /// The refusal in an answer with this HTTP status; a body that is not understood keeps the status.
    fn parse_refusal(&self, status: u16, body: &[u8]) -> Refusal;
    /// What a refusal means.
    fn reaction(&self, refusal: &Refusal) -> Reaction;
    /// What a human should do about a refusal, where the venue's code says it.
    fn advice(&self, refusal: &Refusal) -> Option<&'static str>;
}

/// An amount of an instrument's base asset, in 10^-18 of it, as whole lots.
pub(crate) fn whole_lots(amount: i128, instrument: &Instrument) -> Option<Lots> {
    let lot = i128::try_from(instrument.quantity.unit_atoms()).ok().filter(|lot| *lot > 0)?;
    i64::try_from(amount.div_euclid(lot)).ok().map(Lots)
}

/// What the venue said of the account at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountPoint {
    /// Balances; an asset that is not listed is zero.
    pub balances: Vec<Balance>,
    /// Net positions (futures); an instrument that is not listed is zero.
    pub positions: Vec<(InstrumentId, Lots)>,
}

impl AccountPoint {
    /// Free and locked together, in 10^-18 of the asset; no account holds so much that the sum would not fit.
    #[must_use]
    pub fn total(&self, asset: Symbol) -> i128 {
        let of_asset = self.balances.iter().filter(|balance| balance.asset == asset);
        of_asset.fold(0, |sum, balance| sum.saturating_add(balance.free).saturating_add(balance.locked))
    }

    /// What is held of an instrument in whole lots, what is finer dropped; `None` beyond any account's range.
    #[must_use]
    pub fn whole_lots(&self, product: ProductLine, instrument: &Instrument) -> Option<Lots> {
        if !product.holds_inventory() {
            return Some(self.position(instrument.id));
        }
        whole_lots(self.total(instrument.base_asset), instrument)
    }

    /// The same before these executions, which it has: fees in a third asset aside.
    ///
    /// # Errors
    /// An amount out of range.
    pub fn before(
        &self,
        product: ProductLine,
        instruments: &[Instrument],
        trades: &[TradeRecord],
    ) -> Result<AccountPoint, AccountError> {
        let mut point = self.clone();
        for instrument in instruments {
            let sum = sum_trades(instrument, trades)?;
            if sum.count == 0 {
                continue;
            }
            if product.holds_inventory() {
                let lot = i128::try_from(instrument.quantity.unit_atoms()).map_err(|_| AccountError::Range)?;
                point.take(instrument.base_asset, i128::from(sum.lots) * lot);
                point.take(instrument.quote_asset, sum.cash);
                continue;
            }
            let held = point.position(instrument.id).0.checked_sub(sum.lots).ok_or(AccountError::Range)?;
            point.positions.retain(|(id, _)| *id != instrument.id);
            point.positions.push((instrument.id, Lots(held)));
        }
        Ok(point)
    }

    /// So much less of an asset is free.
    fn take(&mut self, asset: Symbol, atoms: i128) {
        match self.balances.iter_mut().find(|balance| balance.asset == asset) {
            Some(balance) => balance.free = balance.free.saturating_sub(atoms),
            None => self.balances.push(Balance { asset, free: atoms.saturating_neg(), locked: 0 }),
        }
    }

    fn position(&self, instrument: InstrumentId) -> Lots {
        self.positions.iter().find(|(id, _)| *id == instrument).map_or(Lots::ZERO, |(_, lots)| *lots)
    }

    /// What is held of an instrument: the base asset itself, or the net position, as the product line's card says.
    ///
    /// # Errors
    /// The balance is no whole number of lots.
    pub fn inventory(&self, product: ProductLine, instrument: &Instrument) -> Result<Lots, AccountError> {
        if !product.holds_inventory() {
            return Ok(self.position(instrument.id));
        }
        let lot = i128::try_from(instrument.quantity.unit_atoms()).map_err(|_| AccountError::Range)?;
        let total = self.total(instrument.base_asset);
        if total % lot != 0 {
            return Err(AccountError::Fraction(instrument.base_asset));
        }
        i64::try_from(total / lot).map(Lots).map_err(|_| AccountError::Range)
    }
}

/// The first and the last mid of an instrument as bid plus ask, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mids {
    /// When the account started.
    pub first_doubled: i64,
    /// Now.
    pub last_doubled: i64,
    /// Lots that were transferred times the mid at that moment less the first, doubled as those are: what the start is
    /// counted too low by.
    pub transfers_doubled: i128,
}

/// What moved an account beside its executions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MovedBeside {
    /// The venue's list of it, where it has one; a line that comes twice counts once.
    pub incomes: Vec<IncomeRecord>,
    /// What was transferred to the account, by asset, in 10^-18 of it.
    pub transfers: Vec<(Symbol, i128)>,
}

impl MovedBeside {
    fn transferred(&self, asset: Symbol) -> i128 {
        let of_asset = self.transfers.iter().filter(|(name, _)| *name == asset);
        of_asset.fold(0, |sum, (_, atoms)| sum.saturating_add(*atoms))
    }

    /// Fundings and charges in the quote asset.
    fn funding(&self, quote: Symbol) -> Option<i128> {
        let mut seen = HashSet::new();
        let counts = |row: &&IncomeRecord| {
            matches!(row.reason, MoneyReason::Funding | MoneyReason::Charge) && !row.is_of_another && row.asset == quote
        };
        let rows = self.incomes.iter().filter(counts);
        let mut news = rows.filter(|row| seen.insert((row.reason, row.instrument, row.amount, row.number, row.time)));
        news.try_fold(0i128, |sum, row| sum.checked_add(row.amount))
    }
}

/// The account's result as the venue's own figures say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VenueAccount {
    /// What is held of each instrument now.
    pub positions: Vec<(InstrumentId, Lots)>,
    /// Cash and inventory now at the last mid, less the start at the first mid; fees included.
    pub pnl_quote: QuoteAtoms,
    /// Fees paid less rebates; those in the base asset at the fill price.
    pub fees_quote: QuoteAtoms,
    /// What came beside executions, negative if it was paid: funding, and charges.
    pub funding_quote: QuoteAtoms,
    /// Executions, each once.
    pub trades: usize,
    /// Executions whose fee was in a third asset, not valued.
    pub fees_other: usize,
}

/// Why the account's result cannot be stated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// Holdings without a price.
    #[error("{0} is held and has no mid")]
    NoMid(Symbol),
    /// A balance finer than a lot.
    #[error("the balance of {0} is no whole number of lots")]
    Fraction(Symbol),
    /// Several quote assets, or a base asset that is also a quote asset: one figure would mix currencies.
    #[error("the instruments do not share one quote asset")]
    MixedAssets,
    /// The holdings did not change by what was traded: trades are missing, or assets were moved.
    #[error("{symbol}: holdings changed by {held} lots, trades say {traded}")]
    Drift {
        /// Of which instrument.
        symbol: Symbol,
        /// Change of the holdings in lots.
        held: i64,
        /// Sum of the trades in lots, base fees included.
        traded: i64,
    },
    /// Numbers beyond any account's.
    #[error("an amount is out of range")]
    Range,
}

/// What the trades of one instrument add up to.
#[derive(Default)]
struct Sum {
    lots: i64,
    cash: i128,
    fees: i128,
    count: usize,
    fees_other: usize,
}

fn sum_trades(instrument: &Instrument, trades: &[TradeRecord]) -> Result<Sum, AccountError> {
    let mut seen = HashSet::new();
    let mut sum = Sum::default();
    for trade in trades.iter().filter(|trade| trade.instrument == instrument.id) {
        // Pages overlap: each execution counts once.
        if !seen.insert(trade.trade) {
            continue;
        }
        let worth = |lots: i64| {
            (i128::from(lots) * i128::from(trade.tick.0))
                .checked_mul(instrument.atoms_per_tick_lot)
                .ok_or(AccountError::Range)
        };
        let signed = trade.side.sign() * trade.lots.0;
        sum.count += 1;
        sum.lots = sum.lots.checked_add(signed).ok_or(AccountError::Range)?;
        sum.cash = sum.cash.checked_sub(worth(signed)?).ok_or(AccountError::Range)?;
        match trade.fee {
            Fee::None => {}
            Fee::Quote(amount) => {
                sum.cash = sum.cash.checked_sub(amount.0).ok_or(AccountError::Range)?;
                sum.fees = sum.fees.checked_add(amount.0).ok_or(AccountError::Range)?;
            }
            Fee::Base(lots) => {
                sum.lots = sum.lots.checked_sub(lots.0).ok_or(AccountError::Range)?;
                sum.fees = sum.fees.checked_add(worth(lots.0)?).ok_or(AccountError::Range)?;
            }
            Fee::Other(..) | Fee::Valued(_) => sum.fees_other += 1,
        }
    }
    Ok(sum)
}

/// Recomputes the account's result from what the venue said at start and end and from all trades between.
///
/// Spot: the change of the quote balance, and the base balances at the last mid less those at the start at the
/// first. Futures: the trades' cash, funding, and the position at the last mid less that at the start at the first.
/// What was transferred counts as held from then on, and is no profit. `mids` belongs to `instruments`, place by place.
///
/// # Errors
/// Why it cannot be stated: see [`AccountError`].
pub fn venue_account(
    product: ProductLine,
    instruments: &[Instrument],
    start: &AccountPoint,
    end: &AccountPoint,
    trades: &[TradeRecord],
    beside: &MovedBeside,
    mids: &[Option<Mids>],
) -> Result<VenueAccount, AccountError> {
    let Some(quote) = instruments.first().map(|instrument| instrument.quote_asset) else {
        return Err(AccountError::MixedAssets);
    };
    let mixed = |instrument: &Instrument| instrument.quote_asset != quote || instrument.base_asset == quote;
    if instruments.iter().any(mixed) {
        return Err(AccountError::MixedAssets);
    }
    let mut account = VenueAccount {
        positions: Vec::new(),
        pnl_quote: QuoteAtoms::ZERO,
        fees_quote: QuoteAtoms::ZERO,
        funding_quote: QuoteAtoms(beside.funding(quote).ok_or(AccountError::Range)?),
        trades: 0,
        fees_other: 0,
    };
    let mut cash = account.funding_quote.0;
    let mut held_doubled = 0i128;
    for (place, instrument) in instruments.iter().enumerate() {
        let (mut before, after) = (start.inventory(product, instrument)?, end.inventory(product, instrument)?);
        if product.holds_inventory() {
            let moved = whole_lots(beside.transferred(instrument.base_asset), instrument).ok_or(AccountError::Range)?;
            before = Lots(before.0.checked_add(moved.0).ok_or(AccountError::Range)?);
        }
        let sum = sum_trades(instrument, trades)?;
        let held = after.0.checked_sub(before.0).ok_or(AccountError::Range)?;
        if held != sum.lots {
            return Err(AccountError::Drift { symbol: instrument.symbol, held, traded: sum.lots });
        }
        cash = cash.checked_add(sum.cash).ok_or(AccountError::Range)?;
        account.trades += sum.count;
        account.fees_other += sum.fees_other;
        account.fees_quote.0 = account.fees_quote.0.checked_add(sum.fees).ok_or(AccountError::Range)?;
        account.positions.push((instrument.id, after));
        if before.0 == 0 && after.0 == 0 && mids.get(place).copied().flatten().is_none() {
            continue;
        }
        let mid = mids.get(place).copied().flatten().ok_or(AccountError::NoMid(instrument.symbol))?;
        let now = i128::from(after.0) * i128::from(mid.last_doubled);
        let then = i128::from(before.0) * i128::from(mid.first_doubled);
        // Two products of two i64 each: their difference fits an i128.
        let gained = (now - then).checked_sub(mid.transfers_doubled).ok_or(AccountError::Range)?;
        let worth = gained.checked_mul(instrument.atoms_per_tick_lot).ok_or(AccountError::Range)?;
        held_doubled = held_doubled.checked_add(worth).ok_or(AccountError::Range)?;
    }
    if product.holds_inventory() {
        let change = end.total(quote).checked_sub(start.total(quote)).ok_or(AccountError::Range)?;
        cash = change.checked_sub(beside.transferred(quote)).ok_or(AccountError::Range)?;
    }
    let doubled = cash.checked_mul(2).and_then(|cash| cash.checked_add(held_doubled)).ok_or(AccountError::Range)?;
    account.pnl_quote = QuoteAtoms(doubled.div_euclid(2));
    Ok(account)
}
