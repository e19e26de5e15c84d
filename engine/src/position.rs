//! HOT: inventory, cash, fees and profit of one instrument, in integers that are checked, never wrapped.

use crate::event::FeeAsset;
use crate::types::{Lots, QuoteAtoms, Side, Tick};

/// The integers cannot hold the result: nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PositionFault {
    /// A sum or product left its range.
    #[error("position or cash out of range")]
    Overflow,
    /// The start was set after a fill.
    #[error("the start inventory must be set before the first fill")]
    Started,
}

/// One execution, as it moves the position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PositionFill {
    /// Which side we were on.
    pub side: Side,
    /// Price in ticks.
    pub tick: Tick,
    /// Quantity in lots.
    pub lots: Lots,
    /// Fee as the event gives it: exact in quote, or the value of `fee_lots` at the fill price.
    pub fee: QuoteAtoms,
    /// Fee taken from the base asset, in lots.
    pub fee_lots: Lots,
    /// Where the fee was taken.
    pub fee_asset: FeeAsset,
}

/// What we hold of one instrument, what it cost, and what it is worth.
///
/// `profit = cash + inventory x last mid - start inventory x first mid`: fees in the quote asset have left
/// the cash, fees in the base asset have left the inventory, so both are included; so is funding, which the cash has.
/// What is transferred to the account counts as held from then on: as start inventory at the mid of that moment.
///
/// Of the neutral inventory the profit holds the drift as well, which no quote caused. What trading did is
/// `cash + (inventory - neutral) x last mid - (start inventory - neutral) x first mid`: the loss stop judges that.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    atoms_per_tick_lot: i128,
    lots: Lots,
    lots_start: Lots,
    lots_neutral: Lots,
    /// What the quote balance gained, transfers aside, less the worth of the fees that were taken elsewhere.
    cash: QuoteAtoms,
    /// What of it came beside executions: funding and charges.
    funding: QuoteAtoms,
    /// Lots that came by transfers, times bid plus ask then less bid plus ask at first.
    transfers_doubled: i128,
    fees: QuoteAtoms,
    fee_lots: Lots,
    /// Twice what fills gained against the mid they met, before fees.
    spread_doubled: i128,
    mid_doubled_first: Option<i64>,
    mid_doubled_last: Option<i64>,
    fills: u64,
    fees_other: u64,
    /// Worth of the fees that were taken in a third asset: in the result, not in the quote balance.
    fees_valued: QuoteAtoms,
    /// What an earlier run left beyond the neutral inventory, and bid plus ask when it was valued there last.
    left: (Lots, i64),
    /// Inventory beyond the neutral one that trading is counted from, times bid plus ask; set with the first mid.
    start_doubled: i128,
    /// Trading begins with something that a price is needed for.
    starts_valued: bool,
}

impl Position {
    /// Nothing held; a tick times a lot is worth `atoms_per_tick_lot`.
    #[must_use]
    pub fn new(atoms_per_tick_lot: i128) -> Position {
        Position {
            atoms_per_tick_lot,
            lots: Lots::ZERO,
            lots_start: Lots::ZERO,
            lots_neutral: Lots::ZERO,
            cash: QuoteAtoms::ZERO,
            funding: QuoteAtoms::ZERO,
            transfers_doubled: 0,
            fees: QuoteAtoms::ZERO,
            fee_lots: Lots::ZERO,
            spread_doubled: 0,
            mid_doubled_first: None,
            mid_doubled_last: None,
            fills: 0,
            fees_other: 0,
            fees_valued: QuoteAtoms::ZERO,
            left: (Lots::ZERO, 0),
            start_doubled: 0,
            starts_valued: false,
        }
    }

    /// What the account holds at the start, and the inventory at which it counts as flat: its whole start for a
    /// spot account, zero for a derivative.
    ///
    /// # Errors
    /// [`PositionFault::Started`] once there was a fill.
    pub fn set_start(&mut self, lots_start: Lots, lots_neutral: Lots) -> Result<(), PositionFault> {
        if self.fills > 0 {
            return Err(PositionFault::Started);
        }
        self.lots = lots_start;
        self.lots_start = lots_start;
        self.lots_neutral = lots_neutral;
        self.count_from_start();
        Ok(())
    }

    /// What an earlier run left beyond the neutral inventory, and bid plus ask in ticks when it was valued last: from
    /// there to the first mid of this run it earns or loses as if it had been watched. Before the first mid.
    pub fn resume(&mut self, lots_left: Lots, mid_doubled: i64) {
        self.left = (lots_left, mid_doubled);
        self.count_from_start();
    }

    /// Where the result of trading begins: at the first mid, but for what an earlier run left.
    #[cold]
    fn count_from_start(&mut self) {
        let held = i128::from(self.lots_start.0) - i128::from(self.lots_neutral.0);
        let (left, left_mid) = (i128::from(self.left.0.0), i128::from(self.left.1));
        self.starts_valued = held != 0 || left != 0;
        if let Some(first) = self.mid_doubled_first.map(i128::from) {
            // Two products of an i64 with one of twice its range each: far below 2^127.
            self.start_doubled = held * first - left * (first - left_mid);
        }
    }

    /// Applies one execution, whole or not at all.
    ///
    /// # Errors
    /// [`PositionFault::Overflow`]: the position is as before and no longer the truth, so trading must halt.
    pub fn on_fill(&mut self, fill: &PositionFill) -> Result<(), PositionFault> {
        let fault = PositionFault::Overflow;
        let signed = fill.lots.0.checked_mul(fill.side.sign()).ok_or(fault)?;
        let mut lots = self.lots.0.checked_add(signed).ok_or(fault)?;
        let value = (i128::from(fill.tick.0) * i128::from(signed)).checked_mul(self.atoms_per_tick_lot).ok_or(fault)?;
        let mut cash = self.cash.0.checked_sub(value).ok_or(fault)?;
        let (mut fees, mut fee_lots, mut fees_valued) = (self.fees.0, self.fee_lots.0, self.fees_valued.0);
        if fill.fee_asset == FeeAsset::Valued {
            fees_valued = fees_valued.checked_add(fill.fee.0).ok_or(fault)?;
        }
        match fill.fee_asset {
            FeeAsset::Quote | FeeAsset::Valued => {
                cash = cash.checked_sub(fill.fee.0).ok_or(fault)?;
                fees = fees.checked_add(fill.fee.0).ok_or(fault)?;
            }
            FeeAsset::Base => {
                lots = lots.checked_sub(fill.fee_lots.0).ok_or(fault)?;
                fee_lots = fee_lots.checked_add(fill.fee_lots.0).ok_or(fault)?;
                fees = fees.checked_add(fill.fee.0).ok_or(fault)?;
            }
            FeeAsset::Other => self.fees_other += 1,
        }
        // The exposure is what limits are held against, so it must exist too.
        lots.checked_sub(self.lots_neutral.0).ok_or(fault)?;
        let spread_doubled = self.spread_after(fill, signed).ok_or(fault)?;
        self.lots = Lots(lots);
        self.cash = QuoteAtoms(cash);
        self.fees = QuoteAtoms(fees);
        self.fee_lots = Lots(fee_lots);
        self.fees_valued = QuoteAtoms(fees_valued);
        self.spread_doubled = spread_doubled;
        self.fills += 1;
        Ok(())
    }

    /// An execution that happened before the start was read and that no earlier run booked: what is held has it already, so
    /// it is the start that moves, and what it gained or lost counts. Before the first mid.
    ///
    /// # Errors
    /// [`PositionFault::Overflow`]: nothing was changed.
    #[cold]
    pub fn on_missed_fill(&mut self, fill: &PositionFill) -> Result<(), PositionFault> {
        let before = *self;
        let fault = PositionFault::Overflow;
        let signed = fill.lots.0.checked_mul(fill.side.sign()).ok_or(fault)?;
        let fee_lots = if fill.fee_asset == FeeAsset::Base { fill.fee_lots.0 } else { 0 };
        let net = signed.checked_sub(fee_lots).ok_or(fault)?;
        let less = |lots: Lots| lots.0.checked_sub(net).map(Lots).ok_or(fault);
        (self.lots, self.lots_start) = (less(self.lots)?, less(self.lots_start)?);
        let booked = self.on_fill(fill);
        match booked {
            Ok(()) => self.count_from_start(),
            Err(_) => *self = before,
        }
        booked
    }

    /// Money that came beside executions, negative if it was paid: it is part of the profit.
    ///
    /// # Errors
    /// [`PositionFault::Overflow`]: nothing was changed.
    #[cold]
    pub fn on_income(&mut self, amount: QuoteAtoms) -> Result<(), PositionFault> {
        let fault = PositionFault::Overflow;
        let cash = self.cash.0.checked_add(amount.0).ok_or(fault)?;
        self.funding = QuoteAtoms(self.funding.0.checked_add(amount.0).ok_or(fault)?);
        self.cash = QuoteAtoms(cash);
        Ok(())
    }

    /// Inventory that came without a trade, negative if it left: what counts as flat moves with it, and nothing is earned
    /// or lost by it.
    ///
    /// # Errors
    /// [`PositionFault::Overflow`]: nothing was changed.
    #[cold]
    pub fn on_transfer(&mut self, moved: Lots) -> Result<(), PositionFault> {
        let fault = PositionFault::Overflow;
        let add = |lots: Lots| lots.0.checked_add(moved.0).map(Lots).ok_or(fault);
        let (lots, lots_start, lots_neutral) = (add(self.lots)?, add(self.lots_start)?, add(self.lots_neutral)?);
        lots.0.checked_sub(lots_neutral.0).ok_or(fault)?;
        // Before the first mid it is as if it had been there all the time.
        if let (Some(first), Some(last)) = (self.mid_doubled_first, self.mid_doubled_last) {
            let since = i128::from(moved.0) * (i128::from(last) - i128::from(first));
            self.transfers_doubled = self.transfers_doubled.checked_add(since).ok_or(fault)?;
        }
        (self.lots, self.lots_start, self.lots_neutral) = (lots, lots_start, lots_neutral);
        Ok(())
    }

    /// [`Position::spread_doubled`] after a fill of `signed` lots: what reaches the inventory, a fee in lots taken
    /// off, times its distance from the mid. Before the first mid nothing is known to have been gained.
    fn spread_after(&self, fill: &PositionFill, signed: i64) -> Option<i128> {
        let Some(mid_doubled) = self.mid_doubled_last else { return Some(self.spread_doubled) };
        let kept = match fill.fee_asset {
            FeeAsset::Base => signed.checked_sub(fill.fee_lots.0)?,
            FeeAsset::Quote | FeeAsset::Other | FeeAsset::Valued => signed,
        };
        let distance_doubled = i128::from(mid_doubled) - 2 * i128::from(fill.tick.0);
        let gained = distance_doubled.checked_mul(i128::from(kept))?.checked_mul(self.atoms_per_tick_lot)?;
        self.spread_doubled.checked_add(gained)
    }

    /// Notes the best bid and ask of a book that may be quoted on; the first is what the start is counted at.
    /// Returns whether the mid is another than before.
    #[inline]
    pub fn on_best(&mut self, bid: Tick, ask: Tick) -> bool {
        let Some(doubled) = bid.0.checked_add(ask.0) else {
            return false;
        };
        if self.mid_doubled_last == Some(doubled) {
            return false;
        }
        self.mid_doubled_last = Some(doubled);
        if self.mid_doubled_first.is_none() {
            self.mid_doubled_first = Some(doubled);
            self.count_from_start();
        }
        true
    }

    /// Inventory, start included.
    #[inline]
    #[must_use]
    pub fn lots(&self) -> Lots {
        self.lots
    }

    /// Inventory the run started with, and what was transferred since.
    #[must_use]
    pub fn lots_start(&self) -> Lots {
        self.lots_start
    }

    /// Inventory beyond the neutral one, signed: what skews quotes and what limits are held against.
    #[inline]
    #[must_use]
    pub fn exposure(&self) -> Lots {
        Lots(self.lots.0.saturating_sub(self.lots_neutral.0))
    }

    /// Quote asset gained by selling less spent by buying and on quote fees, with [`Position::funding`].
    #[must_use]
    pub fn cash(&self) -> QuoteAtoms {
        QuoteAtoms(self.cash.0.saturating_add(self.fees_valued.0))
    }

    /// What came beside executions, negative if it was paid: funding, and charges of the venue.
    #[must_use]
    pub fn funding(&self) -> QuoteAtoms {
        self.funding
    }

    /// Lots that came by transfers, times bid plus ask at that moment less bid plus ask at first: what the start would
    /// otherwise be counted too low by.
    #[must_use]
    pub fn transfers_doubled(&self) -> i128 {
        self.transfers_doubled
    }

    /// Fees paid less rebates; those taken in the base asset at their value at the fill price, those in a third asset at
    /// the price that was given for it.
    #[must_use]
    pub fn fees(&self) -> QuoteAtoms {
        self.fees
    }

    /// Twice what the fills gained against the mid at which they were taken: the sum of (mid - price) x signed
    /// quantity, before fees, in atoms of the quote asset. The profit is half of it, plus the inventory carried
    /// through every change of the mid, less [`Position::fees`].
    #[must_use]
    pub fn spread_doubled(&self) -> i128 {
        self.spread_doubled
    }

    /// Fees taken in the base asset.
    #[must_use]
    pub fn fee_lots(&self) -> Lots {
        self.fee_lots
    }

    /// How many executions were applied.
    #[must_use]
    pub fn fills(&self) -> u64 {
        self.fills
    }

    /// Executions whose fee was taken in a third asset that has no price.
    #[must_use]
    pub fn fees_other(&self) -> u64 {
        self.fees_other
    }

    /// Bid plus ask when the first mid was seen.
    #[must_use]
    pub fn mid_doubled_first(&self) -> Option<i64> {
        self.mid_doubled_first
    }

    /// Bid plus ask of the last mid.
    #[must_use]
    pub fn mid_doubled_last(&self) -> Option<i64> {
        self.mid_doubled_last
    }

    /// Twice the profit, exact (a mid may lie half a tick between two prices). `None` while inventory has no
    /// price, or if it does not fit.
    #[inline]
    #[must_use]
    pub fn pnl_doubled(&self) -> Option<i128> {
        let cash = self.cash.0.checked_mul(2)?;
        if self.lots.0 == 0 && self.lots_start.0 == 0 && self.transfers_doubled == 0 {
            return Some(cash);
        }
        let (first, last) = (self.mid_doubled_first?, self.mid_doubled_last?);
        let now = i128::from(self.lots.0) * i128::from(last);
        let start = i128::from(self.lots_start.0) * i128::from(first);
        now.checked_sub(start)?
            .checked_sub(self.transfers_doubled)?
            .checked_mul(self.atoms_per_tick_lot)?
            .checked_add(cash)
    }

    /// Twice what trading earned, exact: the profit without the drift of the neutral inventory's value, and with what an
    /// earlier run's left inventory has earned since. `None` while inventory beyond the neutral one has no price, or if
    /// it does not fit.
    #[inline]
    #[must_use]
    pub fn trading_pnl_doubled(&self) -> Option<i128> {
        let cash = self.cash.0.checked_mul(2)?;
        let held = i128::from(self.lots.0) - i128::from(self.lots_neutral.0);
        if held == 0 && !self.starts_valued {
            return Some(cash);
        }
        // A difference of two i64 times a third stays below 2^127.
        let now = held * i128::from(self.mid_doubled_last?);
        now.checked_sub(self.start_doubled)?.checked_mul(self.atoms_per_tick_lot)?.checked_add(cash)
    }

    /// [`Position::trading_pnl_doubled`], rounded down to a whole atom.
    #[must_use]
    pub fn trading_pnl(&self) -> Option<QuoteAtoms> {
        self.trading_pnl_doubled().map(|doubled| QuoteAtoms(doubled.div_euclid(2)))
    }

    /// The profit, rounded down to a whole atom (10^-18 of the quote asset).
    #[must_use]
    pub fn pnl(&self) -> Option<QuoteAtoms> {
        self.pnl_doubled().map(|doubled| QuoteAtoms(doubled.div_euclid(2)))
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_macros)]
mod tests {
    use super::*;

    fn fill(side: Side, tick: i64, lots: i64, fee: i128) -> PositionFill {
        PositionFill { side, tick: Tick(tick), lots: Lots(lots), fee: QuoteAtoms(fee), ..PositionFill::default() }
    }

    #[test]
    fn a_round_trip_earns_the_spread_less_fees() {
        let mut position = Position::new(1_000);
        position.on_fill(&fill(Side::Bid, 100, 3, 7)).unwrap();
        position.on_fill(&fill(Side::Ask, 104, 3, 5)).unwrap();
        assert_eq!(position.lots(), Lots(0));
        assert_eq!(position.pnl(), Some(QuoteAtoms(3 * 4 * 1_000 - 12)));
        assert_eq!(position.fees(), QuoteAtoms(12));
    }

    #[test]
    fn inventory_is_worth_the_exact_mid_even_between_two_ticks() {
        let mut position = Position::new(1);
        position.on_fill(&fill(Side::Bid, 100, 3, 0)).unwrap();
        assert_eq!(position.pnl(), None, "no price yet");
        position.on_best(Tick(100), Tick(101));
        assert_eq!(position.pnl_doubled(), Some(3));
        assert_eq!(position.pnl(), Some(QuoteAtoms(1)));
    }

    #[test]
    fn a_spot_start_counts_at_the_first_mid_and_is_flat() {
        let mut position = Position::new(10);
        position.set_start(Lots(50), Lots(50)).unwrap();
        position.on_best(Tick(99), Tick(101));
        assert_eq!(position.pnl(), Some(QuoteAtoms(0)));
        assert_eq!(position.exposure(), Lots(0));
        position.on_best(Tick(109), Tick(111));
        assert_eq!(position.pnl(), Some(QuoteAtoms(50 * 10 * 10)));
        position.on_fill(&fill(Side::Ask, 110, 20, 0)).unwrap();
        assert_eq!(position.exposure(), Lots(-20));
        assert_eq!(position.pnl(), Some(QuoteAtoms(50 * 10 * 10)));
        assert_eq!(position.set_start(Lots(1), Lots(0)), Err(PositionFault::Started));
    }

    #[test]
    fn what_was_filled_before_the_start_was_read_counts_to_the_result_and_not_to_what_is_held() {
        // A run that held 5 at a mid of 100 was killed; 3 of them were sold at 90 before anybody looked again.
        let mut position = Position::new(10);
        position.set_start(Lots(2), Lots(0)).unwrap();
        position.resume(Lots(5), 200);
        position.on_missed_fill(&fill(Side::Ask, 90, 3, 7)).unwrap();
        assert_eq!((position.lots(), position.lots_start()), (Lots(2), Lots(5)));
        position.on_best(Tick(99), Tick(101));
        assert_eq!(position.trading_pnl(), Some(QuoteAtoms(-3 * 10 * 10 - 7)));
        assert_eq!((position.fees(), position.fills()), (QuoteAtoms(7), 1));
        // The same on a spot account, where what is held in the end counts as flat, with a fee in the base asset.
        let mut position = Position::new(10);
        position.set_start(Lots(49), Lots(49)).unwrap();
        let bought = PositionFill { fee_asset: FeeAsset::Base, fee_lots: Lots(1), ..fill(Side::Bid, 110, 10, 1_100) };
        position.on_missed_fill(&bought).unwrap();
        assert_eq!((position.lots(), position.lots_start(), position.exposure()), (Lots(49), Lots(40), Lots(0)));
        position.on_best(Tick(99), Tick(101));
        assert_eq!(position.trading_pnl(), Some(QuoteAtoms(9 * 100 * 10 - 10 * 110 * 10)));
        assert_eq!(position.pnl(), position.trading_pnl());
        let beyond = fill(Side::Ask, i64::MAX, i64::MAX, 0);
        assert_eq!(position.on_missed_fill(&beyond), Err(PositionFault::Overflow));
        assert_eq!((position.lots(), position.lots_start()), (Lots(49), Lots(40)), "nothing was changed");
    }

    #[test]
    fn funding_is_profit_or_loss_and_a_transfer_is_neither() {
        let mut position = Position::new(10);
        position.set_start(Lots(50), Lots(50)).unwrap();
        position.on_best(Tick(99), Tick(101));
        position.on_best(Tick(119), Tick(121));
        let before = (position.pnl(), position.trading_pnl());
        position.on_transfer(Lots(30)).unwrap();
        assert_eq!((position.pnl(), position.trading_pnl()), before, "nothing was earned by it");
        assert_eq!((position.lots(), position.exposure()), (Lots(80), Lots(0)));
        position.on_best(Tick(129), Tick(131));
        assert_eq!(position.pnl(), Some(QuoteAtoms(50 * 30 * 10 + 30 * 10 * 10)), "what came is held from then on");
        assert_eq!(position.trading_pnl(), Some(QuoteAtoms(0)));
        position.on_transfer(Lots(-80)).unwrap();
        assert_eq!(position.pnl(), Some(QuoteAtoms(50 * 30 * 10 + 30 * 10 * 10)), "all of it left");
        position.on_best(Tick(199), Tick(201));
        assert_eq!(position.pnl(), Some(QuoteAtoms(50 * 30 * 10 + 30 * 10 * 10)));
        position.on_income(QuoteAtoms(-700)).unwrap();
        position.on_income(QuoteAtoms(200)).unwrap();
        assert_eq!(position.funding(), QuoteAtoms(-500));
        assert_eq!(position.trading_pnl(), Some(QuoteAtoms(-500)), "the loss stop counts it");
        assert_eq!(position.pnl(), Some(QuoteAtoms(50 * 30 * 10 + 30 * 10 * 10 - 500)));
        assert_eq!(position.fees(), QuoteAtoms(0));
        assert_eq!(position.on_transfer(Lots(i64::MAX)).map(|()| position.lots()), Ok(Lots(i64::MAX)));
        assert_eq!(position.on_transfer(Lots(1)), Err(PositionFault::Overflow));
        assert_eq!(position.lots(), Lots(i64::MAX), "nothing was changed");
        assert_eq!(position.on_income(QuoteAtoms(i128::MIN)), Err(PositionFault::Overflow));
    }

    #[test]
    fn the_drift_of_the_neutral_inventory_is_no_result_of_trading() {
        let mut position = Position::new(10);
        position.set_start(Lots(50), Lots(50)).unwrap();
        assert_eq!(position.trading_pnl(), Some(QuoteAtoms(0)));
        assert!(position.on_best(Tick(99), Tick(101)));
        assert!(position.on_best(Tick(49), Tick(51)));
        assert!(!position.on_best(Tick(48), Tick(52)), "the same mid");
        assert_eq!(position.pnl(), Some(QuoteAtoms(-50 * 50 * 10)));
        assert_eq!(position.trading_pnl(), Some(QuoteAtoms(0)));
        // Bought at 51 with the mid at 50 and sold at 52: what trading did, wherever the mid goes meanwhile.
        position.on_fill(&fill(Side::Bid, 51, 20, 3)).unwrap();
        assert_eq!(position.trading_pnl(), Some(QuoteAtoms(-20 * 10 - 3)));
        position.on_best(Tick(39), Tick(41));
        assert_eq!(position.trading_pnl(), Some(QuoteAtoms(-20 * 11 * 10 - 3)));
        position.on_fill(&fill(Side::Ask, 52, 20, 3)).unwrap();
        assert_eq!(position.trading_pnl(), Some(QuoteAtoms(20 * 10 - 6)));
    }

    #[test]
    fn a_start_beyond_the_neutral_inventory_is_judged_from_the_first_mid() {
        let mut position = Position::new(10);
        position.set_start(Lots(70), Lots(50)).unwrap();
        assert_eq!(position.trading_pnl(), None, "20 lots without a price");
        position.on_best(Tick(99), Tick(101));
        assert_eq!(position.trading_pnl(), Some(QuoteAtoms(0)));
        position.on_best(Tick(89), Tick(91));
        assert_eq!(position.trading_pnl(), Some(QuoteAtoms(-20 * 10 * 10)));
        assert_eq!(position.pnl(), Some(QuoteAtoms(-70 * 10 * 10)));
    }

    #[test]
    fn what_an_earlier_run_left_earns_and_loses_from_its_last_price_on() {
        // A derivative: the position is still there. A spot account: what was left counts as flat from here on.
        for (lots_start, lots_neutral) in [(30, 0), (530, 530)] {
            let mut position = Position::new(10);
            position.set_start(Lots(lots_start), Lots(lots_neutral)).unwrap();
            position.resume(Lots(30), 2 * 120);
            assert_eq!(position.trading_pnl(), None, "no price yet");
            position.on_best(Tick(99), Tick(101));
            assert_eq!(position.trading_pnl(), Some(QuoteAtoms(-30 * 20 * 10)));
            assert_eq!(position.pnl(), Some(QuoteAtoms(0)), "the run itself has earned nothing");
            position.on_best(Tick(109), Tick(111));
            let held_on = (lots_start - lots_neutral) * 10 * 10;
            assert_eq!(position.trading_pnl(), Some(QuoteAtoms(i128::from(held_on) - 30 * 20 * 10)));
        }
        // What the account holds beside it begins at the first mid; what went meanwhile is counted up to there.
        for lots_start in [50, -50, 0] {
            let mut position = Position::new(10);
            position.resume(Lots(30), 2 * 90);
            position.set_start(Lots(lots_start), Lots(0)).unwrap();
            position.on_best(Tick(99), Tick(101));
            assert_eq!(position.trading_pnl(), Some(QuoteAtoms(30 * 10 * 10)), "{lots_start}");
        }
    }

    #[test]
    fn a_base_fee_leaves_the_inventory_and_is_reported_at_its_value() {
        let mut position = Position::new(1);
        let base = PositionFill { fee_lots: Lots(2), fee_asset: FeeAsset::Base, ..fill(Side::Bid, 100, 10, 200) };
        position.on_fill(&base).unwrap();
        position.on_best(Tick(100), Tick(100));
        assert_eq!(position.lots(), Lots(8));
        assert_eq!(position.cash(), QuoteAtoms(-1_000));
        assert_eq!(position.fees(), QuoteAtoms(200));
        assert_eq!(position.pnl(), Some(QuoteAtoms(-200)));
    }

    #[test]
    fn a_fee_in_a_third_asset_is_in_the_result_and_not_in_the_quote_balance() {
        let mut position = Position::new(1);
        let valued = PositionFill { fee_asset: FeeAsset::Valued, ..fill(Side::Bid, 100, 10, 7) };
        position.on_fill(&valued).unwrap();
        position.on_best(Tick(100), Tick(100));
        assert_eq!((position.cash(), position.fees()), (QuoteAtoms(-1_000), QuoteAtoms(7)));
        assert_eq!((position.pnl(), position.trading_pnl()), (Some(QuoteAtoms(-7)), Some(QuoteAtoms(-7))));
        assert_eq!(position.fees_other(), 0);
    }

    #[test]
    fn spread_inventory_and_fees_add_up_to_the_profit_for_any_run() {
        let mut state = 41_u64;
        println!("seed {state}");
        let mut draw = |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        for run in 0..200 {
            let mut position = Position::new(1 + i128::from(draw(1_000)));
            let start = draw(1_000) as i64;
            position.set_start(Lots(start), Lots(start)).unwrap();
            let (mut bid, mut inventory_doubled) = (10_000_i64, 0_i128);
            position.on_best(Tick(bid), Tick(bid + 1));
            for _ in 0..100 {
                let before = position.mid_doubled_last().unwrap();
                bid += draw(21) as i64 - 10;
                position.on_best(Tick(bid), Tick(bid + 1 + draw(4) as i64));
                let moved = position.mid_doubled_last().unwrap() - before;
                inventory_doubled += i128::from(moved) * i128::from(position.lots().0) * position.atoms_per_tick_lot;
                let (side, lots) = (if draw(2) == 0 { Side::Bid } else { Side::Ask }, 1 + draw(50) as i64);
                let tick = bid + draw(9) as i64 - 4;
                let fee_lots = draw(3) as i64;
                let (fee_asset, fee) = match draw(3) {
                    0 => (FeeAsset::Quote, i128::from(draw(500)) - 100),
                    1 => (FeeAsset::Valued, i128::from(draw(500))),
                    _ => (FeeAsset::Base, i128::from(fee_lots * tick) * position.atoms_per_tick_lot),
                };
                let fill_lots = if fee_asset == FeeAsset::Base { fee_lots } else { 0 };
                let one = PositionFill { fee_lots: Lots(fill_lots), fee_asset, ..fill(side, tick, lots, fee) };
                position.on_fill(&one).unwrap();
                let parts = position.spread_doubled() + inventory_doubled - 2 * position.fees().0;
                assert_eq!(position.pnl_doubled(), Some(parts), "run {run}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let mut position = Position::new(i128::MAX / 2);
        position.on_fill(&fill(Side::Bid, 1, 1, 0)).unwrap();
        let before = (position.lots(), position.cash(), position.fills());
        assert_eq!(position.on_fill(&fill(Side::Bid, 5, 5, 0)), Err(PositionFault::Overflow));
        assert_eq!(position.on_fill(&fill(Side::Bid, 0, i64::MAX, 0)), Err(PositionFault::Overflow));
        assert_eq!((position.lots(), position.cash(), position.fills()), before);
    }
}
