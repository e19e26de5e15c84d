//! COLD: margin of the simulated world's perpetuals: leverage, what positions and orders bind, where liquidation lies.

use super::{Settlement, World};
use crate::sim::api::{AccountId, ListingIndex, MarginBracket, PositionMargin, SimRefusal};
use spinbook_engine::types::{QUOTE_ATOMS_PER_UNIT, QuoteAtoms, Side, Tick};

fn whole_units(units: i64) -> i128 {
    i128::from(units) * QUOTE_ATOMS_PER_UNIT
}

impl World {
    /// Sets the venue's margin table, smallest positions first; without one nothing is bounded or maintained.
    pub fn set_brackets(&mut self, brackets: Vec<MarginBracket>) {
        self.brackets = brackets;
    }

    /// The venue's margin table.
    #[must_use]
    pub fn brackets(&self) -> &[MarginBracket] {
        &self.brackets
    }

    /// The leverage that an account chose on a listing, or the exchange's own.
    #[must_use]
    pub fn leverage(&self, account: AccountId, listing: ListingIndex) -> i64 {
        let usual = match self.settlement {
            Settlement::Spot => 1,
            Settlement::Perpetual { leverage } => leverage,
        };
        self.leverages.get(&(account, listing)).copied().unwrap_or(usual)
    }

    /// Chooses a leverage.
    ///
    /// # Errors
    /// [`SimRefusal::PositionLimit`] if position or orders are worth more than it allows,
    /// [`SimRefusal::InsufficientMargin`] if they would bind more than there is.
    pub fn set_leverage(&mut self, account: AccountId, listing: ListingIndex, leverage: i64) -> Result<(), SimRefusal> {
        self.setting_changed();
        let before = self.leverages.insert((account, listing), leverage);
        let refusal = self.leverage_refused(account, listing, leverage);
        if refusal.is_some() {
            match before {
                Some(before) => self.leverages.insert((account, listing), before),
                None => self.leverages.remove(&(account, listing)),
            };
        }
        refusal.map_or(Ok(()), Err)
    }

    fn leverage_refused(&self, account: AccountId, listing: ListingIndex, leverage: i64) -> Option<SimRefusal> {
        let margin = self.position_margin(account, listing);
        let exposed = margin.notional.0.abs() + margin.bid_notional.0.max(margin.ask_notional.0);
        if exposed > self.notional_max(leverage) {
            return Some(SimRefusal::PositionLimit);
        }
        (exposed > 0 && self.margin_available(account, listing) < 0).then_some(SimRefusal::InsufficientMargin)
    }

    /// Whether an account keeps a listing's margin apart.
    #[must_use]
    pub fn is_isolated(&self, account: AccountId, listing: ListingIndex) -> bool {
        self.isolated.contains(&(account, listing))
    }

    /// Keeps a listing's margin apart from the account's, or not.
    pub fn set_isolated(&mut self, account: AccountId, listing: ListingIndex, isolated: bool) {
        self.setting_changed();
        if isolated {
            self.isolated.insert((account, listing));
        } else {
            self.isolated.remove(&(account, listing));
        }
    }

    /// Largest position value at a leverage, in atoms.
    #[must_use]
    pub fn notional_max(&self, leverage: i64) -> i128 {
        let allows = |bracket: &&MarginBracket| bracket.leverage_max >= leverage;
        match self.brackets.iter().rev().find(allows) {
            Some(bracket) => whole_units(bracket.notional_max),
            None if self.brackets.is_empty() => i128::MAX,
            None => 0,
        }
    }

    /// Margin that is left for new orders in a listing's quote asset; below zero if more is bound than there is.
    fn margin_available(&self, account: AccountId, listing: ListingIndex) -> i128 {
        let (bound, unrealised) = self.margin(account);
        self.accounts[account.0].balance(&self.listings[listing].quote).free + unrealised.0 - bound.0
    }

    /// Whether an order of this value may be added.
    pub(super) fn check_margin(
        &self,
        account: AccountId,
        listing: ListingIndex,
        side: Side,
        value: QuoteAtoms,
    ) -> Result<(), SimRefusal> {
        let leverage = self.leverage(account, listing);
        let margin = self.position_margin(account, listing);
        let open = if side == Side::Bid { margin.bid_notional } else { margin.ask_notional };
        // What is held the other way is closed first.
        let exposed = margin.notional.0 * i128::from(side.sign()) + open.0 + value.0;
        if exposed > self.notional_max(leverage) {
            return Err(SimRefusal::PositionLimit);
        }
        if self.margin_available(account, listing) < value.0 / i128::from(leverage) {
            return Err(SimRefusal::InsufficientMargin);
        }
        Ok(())
    }

    /// Margin bound by positions and open orders, and profit not yet realised that counts for all of the account.
    #[must_use]
    pub fn margin(&self, account: AccountId) -> (QuoteAtoms, QuoteAtoms) {
        if self.settlement == Settlement::Spot {
            return (QuoteAtoms::ZERO, QuoteAtoms::ZERO);
        }
        let (mut bound, mut unrealised) = (QuoteAtoms::ZERO, QuoteAtoms::ZERO);
        for listing in 0..self.listings.len() {
            let margin = self.position_margin(account, listing);
            bound += margin.position_initial + margin.orders_initial;
            if !self.is_isolated(account, listing) {
                unrealised += margin.unrealised;
            }
        }
        (bound, unrealised)
    }

    /// What a position and the orders beside it bind.
    #[must_use]
    pub fn position_margin(&self, account: AccountId, listing: ListingIndex) -> PositionMargin {
        let position = self.accounts[account.0].position(listing);
        let notional = self.mark_value(listing, position.lots.0);
        let leverage = i128::from(self.leverage(account, listing).max(1));
        let open = |side: Side| {
            let resting = self.markets[listing].resting(side).iter().filter(|resting| resting.account == account);
            resting.map(|resting| self.listings[listing].value(resting.tick, resting.remaining).0).sum::<i128>()
        };
        let (bids, asks) = (open(Side::Bid), open(Side::Ask));
        PositionMargin {
            notional,
            unrealised: notional - position.cost,
            position_initial: QuoteAtoms(notional.0.abs() / leverage),
            orders_initial: QuoteAtoms((bids + asks) / leverage),
            maintenance: self.maintenance(notional.0.abs()),
            bid_notional: QuoteAtoms(bids),
            ask_notional: QuoteAtoms(asks),
            liquidation: self.liquidation(account, listing),
        }
    }

    fn bracket_of(&self, notional: i128) -> Option<&MarginBracket> {
        let fits = |bracket: &&MarginBracket| notional <= whole_units(bracket.notional_max);
        self.brackets.iter().find(fits).or(self.brackets.last())
    }

    fn maintenance(&self, notional: i128) -> QuoteAtoms {
        let bracket = self.bracket_of(notional);
        QuoteAtoms(bracket.map_or(0, |bracket| {
            let whole = notional * i128::from(bracket.maintenance_millionths) / 1_000_000;
            (whole - whole_units(bracket.deduction)).max(0)
        }))
    }

    /// The price at which wallet and profits have shrunk to what all positions must maintain, the others' prices and
    /// this position's bracket as they are.
    fn liquidation(&self, account: AccountId, listing: ListingIndex) -> Option<Tick> {
        let held = self.accounts[account.0].position(listing);
        let bracket = self.bracket_of(self.mark_value(listing, held.lots.0).0.abs())?;
        if held.lots.is_zero() {
            return None;
        }
        let mut spare = whole_units(bracket.deduction) - held.cost.0;
        if self.is_isolated(account, listing) {
            spare += held.cost.0.abs() / i128::from(self.leverage(account, listing).max(1));
        } else {
            spare += self.accounts[account.0].balance(&self.listings[listing].quote).free;
            for (other, position) in self.accounts[account.0].positions() {
                if other != listing {
                    let value = self.mark_value(other, position.lots.0);
                    spare += value.0 - position.cost.0 - self.maintenance(value.0.abs()).0;
                }
            }
        }
        // Per tick of price the position is worth lots more, and must maintain its share of that.
        let kept = i128::from(bracket.maintenance_millionths) * i128::from(held.lots.0.abs());
        let per_tick = (kept - 1_000_000 * i128::from(held.lots.0)) * self.listings[listing].atoms_per_tick_lot;
        let tick = i64::try_from(spare.checked_mul(1_000_000)? / per_tick).ok()?;
        (tick > 0).then_some(Tick(tick))
    }
}
