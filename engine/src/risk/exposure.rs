//! HOT: R-3 over instruments: the exposure in one quote asset, and the net exposure in one base asset over all markets.
//!
//! Every instrument notes the worst that may come of its position and of what is open, unknown and owed: with every
//! order, with every fact about one, and some times a second for its price. An order is held against the sum of what
//! the others noted and of its own worst case with it. Sums are kept, so that an order pays for one instrument.

use crate::types::{Lots, QuoteAtoms};

use super::Denied;

/// What an instrument may come to at the worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorstCase {
    /// Exposure if every order that buys is filled, in lots, signed.
    pub bought: Lots,
    /// The same if every order that sells is filled.
    pub sold: Lots,
    /// The larger of the two by value, at the last mid; `None` without a price, or if it does not fit.
    pub gross: Option<QuoteAtoms>,
}

/// To which sums an instrument belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExposureMember {
    /// The place of its quote asset's limit in [`Exposures::new`].
    pub quote: usize,
    /// The place of its base asset; instruments of one base asset name the same.
    pub base: usize,
    /// What one lot is of the base asset, in 10^-18 of it; above zero.
    pub lot_atoms: i128,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    of: ExposureMember,
    noted: WorstCase,
}

#[derive(Clone, Copy, Debug, Default)]
struct Net {
    /// Sum of what is bought and of what is sold at the worst, in 10^-18 of the base asset.
    bought: i128,
    sold: i128,
}

#[derive(Clone, Copy, Debug)]
struct Gross {
    limit: QuoteAtoms,
    sum: i128,
    /// Instruments whose value is not known.
    unknown: u32,
}

/// The exposures of all instruments and their limits. Without limits there are no members, and nothing is denied.
#[derive(Clone, Debug, Default)]
pub struct Exposures {
    members: Box<[Member]>,
    gross: Box<[Gross]>,
    net: Box<[Net]>,
    /// The largest net exposure in a base asset, as a multiple of 10^-18 of it.
    net_max: i128,
}

impl Exposures {
    /// Limits: of the gross exposure by quote asset, and of the net exposure in any base asset, in 10^-18 of it; members
    /// by instrument id. A limit that is not wanted is the largest number there is.
    ///
    /// # Panics
    /// A member names a quote asset without a limit.
    #[allow(clippy::disallowed_methods)]
    #[must_use]
    pub fn new(members: &[ExposureMember], gross_max: &[QuoteAtoms], net_max: i128) -> Exposures {
        let bases = members.iter().map(|member| member.base + 1).max().unwrap_or(0);
        let mut gross: Box<[Gross]> = gross_max.iter().map(|&limit| Gross { limit, sum: 0, unknown: 0 }).collect();
        // Nothing is known of anybody before the first note.
        members.iter().for_each(|member| gross[member.quote].unknown += 1);
        let members = members.iter().map(|&of| Member { of, noted: WorstCase::default() });
        Exposures { members: members.collect(), gross, net: vec![Net::default(); bases].into_boxed_slice(), net_max }
    }

    /// Whether there is any limit.
    #[inline]
    #[must_use]
    pub fn is_limited(&self) -> bool {
        !self.members.is_empty()
    }

    /// Notes what an instrument may come to now.
    pub fn note(&mut self, instrument: usize, worst: WorstCase) {
        let member = &mut self.members[instrument];
        let before = core::mem::replace(&mut member.noted, worst);
        let (of, gross) = (member.of, &mut self.gross[member.of.quote]);
        gross.sum = gross.sum.saturating_sub(before.value()).saturating_add(worst.value());
        gross.unknown =
            (gross.unknown + u32::from(worst.gross.is_none())).saturating_sub(u32::from(before.gross.is_none()));
        let net = &mut self.net[of.base];
        net.bought = net.bought.saturating_add(difference(worst.bought, before.bought, of.lot_atoms));
        net.sold = net.sold.saturating_add(difference(worst.sold, before.sold, of.lot_atoms));
    }

    /// Whether an instrument may come to this, given what the others noted.
    ///
    /// # Errors
    /// A sum would be beyond its limit, or the value of another instrument of the quote asset is not known.
    pub fn check(&self, instrument: usize, worst: WorstCase) -> Result<(), Denied> {
        let member = &self.members[instrument];
        let gross = &self.gross[member.of.quote];
        let unknown = gross.unknown.saturating_sub(u32::from(member.noted.gross.is_none()));
        let sum = worst.gross.map(|own| gross.sum.saturating_sub(member.noted.value()).saturating_add(own.0));
        if unknown > 0 || sum.is_none_or(|sum| sum > gross.limit.0) {
            return Err(Denied::ExposureGross);
        }
        let (net, lot) = (&self.net[member.of.base], member.of.lot_atoms);
        let bought = net.bought.saturating_add(difference(worst.bought, member.noted.bought, lot));
        let sold = net.sold.saturating_add(difference(worst.sold, member.noted.sold, lot));
        // Only the way that the order goes: one that brings the sum nearer to nothing may leave.
        let (more_bought, more_sold) = (worst.bought > member.noted.bought, worst.sold < member.noted.sold);
        if (more_bought && bought > self.net_max) || (more_sold && sold < -self.net_max) {
            return Err(Denied::ExposureNet);
        }
        Ok(())
    }
}

impl WorstCase {
    fn value(&self) -> i128 {
        self.gross.map_or(0, |gross| gross.0)
    }
}

fn difference(now: Lots, before: Lots, lot_atoms: i128) -> i128 {
    (i128::from(now.0) - i128::from(before.0)).saturating_mul(lot_atoms)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worst(bought: i64, sold: i64, gross: i128) -> WorstCase {
        WorstCase { bought: Lots(bought), sold: Lots(sold), gross: Some(QuoteAtoms(gross)) }
    }

    /// Three instruments of one quote asset, the first two of one base asset, the second with lots ten times as large.
    fn three(gross_max: i128, net_max: i128) -> Exposures {
        let member = |base, lot_atoms| ExposureMember { quote: 0, base, lot_atoms };
        Exposures::new(&[member(0, 1), member(0, 10), member(1, 1)], &[QuoteAtoms(gross_max)], net_max)
    }

    #[test]
    fn the_gross_sum_ends_at_its_limit_and_an_unknown_value_of_another_denies() {
        let mut exposures = three(1_000, i128::MAX);
        assert_eq!(exposures.check(0, worst(1, 0, 1)), Err(Denied::ExposureGross), "nothing is known of the others");
        exposures.note(1, worst(3, -3, 300));
        assert_eq!(exposures.check(0, worst(1, 0, 1)), Err(Denied::ExposureGross));
        exposures.note(2, worst(4, -4, 400));
        assert_eq!(exposures.check(0, worst(3, 0, 300)), Ok(()));
        assert_eq!(exposures.check(0, worst(3, 0, 301)), Err(Denied::ExposureGross));
        exposures.note(0, worst(3, 0, 300));
        // Its own part is replaced, not added.
        assert_eq!(exposures.check(0, worst(3, 0, 300)), Ok(()));
        assert_eq!(exposures.check(2, worst(4, -4, 401)), Err(Denied::ExposureGross));
        exposures.note(1, worst(0, 0, 0));
        assert_eq!(exposures.check(2, worst(7, -7, 700)), Ok(()));
        exposures.note(1, WorstCase { gross: None, ..worst(3, 0, 0) });
        assert_eq!(exposures.check(2, worst(1, 0, 1)), Err(Denied::ExposureGross));
        assert_eq!(exposures.check(1, worst(1, 0, 1)), Ok(()), "its own is known now");
        assert!(exposures.is_limited() && !Exposures::default().is_limited());
    }

    #[test]
    fn the_net_sum_of_a_base_asset_counts_lots_of_every_size_and_the_other_way_may_always_leave() {
        let mut exposures = three(i128::MAX, 100);
        exposures.note(1, worst(6, 0, 0));
        exposures.note(2, worst(1_000, -1_000, 0));
        exposures.note(0, worst(0, 0, 0));
        assert_eq!(exposures.check(0, worst(40, 0, 0)), Ok(()));
        assert_eq!(exposures.check(0, worst(41, 0, 0)), Err(Denied::ExposureNet));
        // A hedge elsewhere makes room.
        exposures.note(0, worst(-20, -20, 0));
        assert_eq!(exposures.check(1, worst(12, 0, 0)), Ok(()));
        assert_eq!(exposures.check(1, worst(13, 0, 0)), Err(Denied::ExposureNet));
        // Beyond the limit already: what sells may leave, what buys more may not.
        exposures.note(1, worst(30, 30, 0));
        assert_eq!(exposures.check(1, worst(30, 20, 0)), Ok(()));
        assert_eq!(exposures.check(1, worst(31, 30, 0)), Err(Denied::ExposureNet));
        assert_eq!(exposures.check(0, worst(-20, -421, 0)), Err(Denied::ExposureNet));
        assert_eq!(exposures.check(0, worst(-20, -400, 0)), Ok(()));
    }
}
