//! COLD: which orders of earlier runs may be taken over: what their journals tell, held against what the venue lists.

use core::fmt;

use spinbook_engine::engine::AdoptedOrder;
use spinbook_engine::types::{Lots, OrderId, Side, Tick};

use crate::journal::recover::LeftOrder;
use crate::venue::instrument::Instrument;
use crate::venue::order_ids::VenueOrderId;
use crate::venue::orders::{OrderStatus, OrderUpdate};

/// An order of an earlier run that may be taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdoptableOrder {
    /// What it is, as the start found it. What is filled of it is in the position, and in the executions that are known.
    pub order: AdoptedOrder,
    /// The venue's own name for it.
    pub venue_order: VenueOrderId,
}

/// What an order has to keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdoptionRules {
    /// Quote levels a side that are configured.
    pub levels: usize,
    /// The largest order.
    pub lots_max: Lots,
    /// Best bid and ask; none where they are not known: then nothing is taken over.
    pub best: Option<(Tick, Tick)>,
    /// How far a price may lie from the middle between them, in millionths of it.
    pub price_collar_millionths: i64,
    /// What may still be bought, and sold, until the position is at its limit.
    pub room: [Lots; 2],
}

/// Why an open order is not taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// No journal of this state folder tells of it.
    NotJournaled,
    /// Side, symbol or how long it may live are other than the journal tells, or it may not be live.
    Changed,
    /// Its level is not configured any more, or not its side's.
    Level,
    /// Another one stands for the same side and level.
    Doubled,
    /// It is larger than an order may be.
    Quantity,
    /// Its price is too far from the market's, or the market's is not known.
    Price,
    /// With it the orders of its side could take the position beyond its limit.
    Position,
}

impl fmt::Display for Misfit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Misfit::NotJournaled => "no journal here tells of it",
            Misfit::Changed => "it is not what the journal tells",
            Misfit::Level => "its level is not configured",
            Misfit::Doubled => "a newer one stands for its level",
            Misfit::Quantity => "it is larger than risk.order_quantity_max_base",
            Misfit::Price => "its price is not within risk.price_collar_bps of a known market",
            Misfit::Position => "its side could take the position beyond risk.position_max_base",
        })
    }
}

impl AdoptionRules {
    fn price_is_near(&self, tick: Tick) -> bool {
        let Some((bid, ask)) = self.best else { return false };
        let mid_doubled = i128::from(bid.0) + i128::from(ask.0);
        let distance_doubled = (2 * i128::from(tick.0) - mid_doubled).abs();
        tick.0 > 0 && distance_doubled * 1_000_000 <= mid_doubled * i128::from(self.price_collar_millionths)
    }

    /// What a row is taken over as.
    fn judge(&self, left: &[LeftOrder], row: &OrderUpdate, instrument: &Instrument) -> Result<AdoptableOrder, Misfit> {
        let is_it = |left: &&LeftOrder| Some(left.intent.order) == row.order;
        let left = left.iter().find(is_it).ok_or(Misfit::NotJournaled)?;
        let level = row.in_force.ok_or(Misfit::Changed)?;
        let order = AdoptedOrder {
            order: left.intent.order,
            instrument: instrument.id,
            slot: left.intent.slot,
            side: row.side,
            time_in_force: left.intent.time_in_force,
            tick: level.tick,
            lots: level.lots,
            filled: row.lots_cumulative,
        };
        let is_same = left.symbol == Some(instrument.symbol)
            && row.instrument == instrument.id
            && row.status == OrderStatus::Live
            && row.side == left.intent.side
            && row.time_in_force == Some(left.intent.time_in_force)
            && row.lots_cumulative >= left.lots_filled
            && row.lots_cumulative < level.lots;
        if !is_same {
            return Err(Misfit::Changed);
        }
        if order.level().is_none_or(|level| level >= self.levels) {
            return Err(Misfit::Level);
        }
        if level.lots > self.lots_max {
            return Err(Misfit::Quantity);
        }
        if !self.price_is_near(level.tick) {
            return Err(Misfit::Price);
        }
        Ok(AdoptableOrder { order, venue_order: row.venue_order })
    }

    /// Which of the open orders of an instrument may be taken over, at most one a side and level, the newest; and those that
    /// may not, each with why.
    #[must_use]
    pub fn choose(
        &self,
        left: &[LeftOrder],
        rows: &[OrderUpdate],
        instrument: &Instrument,
    ) -> (Vec<AdoptableOrder>, Vec<(VenueOrderId, Misfit)>) {
        let (mut chosen, mut misfits): (Vec<AdoptableOrder>, Vec<_>) = (Vec::new(), Vec::new());
        for row in rows {
            let one = match self.judge(left, row, instrument) {
                Ok(one) => one,
                Err(misfit) => {
                    misfits.push((row.venue_order, misfit));
                    continue;
                }
            };
            match chosen.iter_mut().find(|known| known.order.slot == one.order.slot) {
                None => chosen.push(one),
                Some(known) => {
                    let is_newer = one.order.order > known.order.order;
                    let older = if is_newer { std::mem::replace(known, one) } else { one };
                    misfits.push((older.venue_order, Misfit::Doubled));
                }
            }
        }
        for side in Side::BOTH {
            let open = |one: &AdoptableOrder| i128::from(one.order.lots.0) - i128::from(one.order.filled.0);
            let of_side = |one: &&AdoptableOrder| one.order.side == side;
            let all: i128 = chosen.iter().filter(of_side).map(open).sum();
            if all > i128::from(self.room[side as usize].0) {
                misfits.extend(chosen.iter().filter(of_side).map(|one| (one.venue_order, Misfit::Position)));
                chosen.retain(|one| one.order.side != side);
            }
        }
        (chosen, misfits)
    }
}

/// The runs that orders are of, the newest first.
#[must_use]
pub fn runs_of(orders: &[AdoptableOrder]) -> Vec<u32> {
    let mut runs: Vec<u32> = orders.iter().map(|one| OrderId::epoch(one.order.order)).collect();
    runs.sort_unstable_by(|one, other| other.cmp(one));
    runs.dedup();
    runs
}

#[cfg(test)]
mod tests {
    use spinbook_engine::intent::{Intent, TimeInForce};
    use spinbook_engine::types::{InstrumentId, Level, Nanos, SlotId};

    use super::*;
    use crate::testkit::instrument;
    use crate::venue::ProductLine;
    use crate::venue::order_ids::ClientIdFormat;

    const RULES: AdoptionRules = AdoptionRules {
        levels: 2,
        lots_max: Lots(100),
        best: Some((Tick(9_990), Tick(10_010))),
        price_collar_millionths: 10_000,
        room: [Lots(1_000); 2],
    };

    fn btc() -> Instrument {
        instrument(ProductLine::all().next().expect("a venue"), 0, "BTCUSDT", "0.01", "0.00001")
    }

    fn left(counter: u32, slot: u8) -> LeftOrder {
        let order = OrderId::new(7, counter);
        let side = if slot < 8 { Side::Bid } else { Side::Ask };
        let intent =
            Intent { order, side, slot: SlotId(slot), tick: Tick(9_950), lots: Lots(100), ..Intent::default() };
        LeftOrder {
            intent,
            client_id: ClientIdFormat::Dashed.write(order),
            symbol: Some(btc().symbol),
            placed: Nanos(1),
            accepted: true,
            lots_filled: Lots(10),
        }
    }

    fn row(left: &LeftOrder) -> OrderUpdate {
        OrderUpdate {
            instrument: InstrumentId(0),
            order: Some(left.intent.order),
            venue_order: VenueOrderId::from_number(left.intent.order.counter().into()),
            side: left.intent.side,
            status: OrderStatus::Live,
            lots_cumulative: Lots(10),
            lots_ordered: Lots(100),
            in_force: Some(Level { tick: Tick(9_950), lots: Lots(100) }),
            time_in_force: Some(TimeInForce::PostOnly),
            fill: None,
            time: Nanos(5),
        }
    }

    /// Why this row is not taken over; none: it is.
    fn judged(rules: AdoptionRules, left: LeftOrder, row: OrderUpdate) -> Option<Misfit> {
        let (chosen, misfits) = rules.choose(&[left], &[row], &btc());
        assert_eq!(chosen.len() + misfits.len(), 1);
        misfits.first().map(|(_, misfit)| *misfit)
    }

    #[test]
    fn an_order_that_is_what_the_journal_tells_may_be_taken_over_and_keeps_everything() {
        let one = left(3, 1);
        // Its price and quantity are the venue's: it may have been amended and nobody heard.
        let amended = OrderUpdate { in_force: Some(Level { tick: Tick(9_960), lots: Lots(60) }), ..row(&one) };
        let (chosen, misfits) = RULES.choose(&[one], &[amended], &btc());
        assert!(misfits.is_empty());
        let expected = AdoptedOrder {
            order: OrderId::new(7, 3),
            instrument: InstrumentId(0),
            slot: SlotId(1),
            side: Side::Bid,
            time_in_force: TimeInForce::PostOnly,
            tick: Tick(9_960),
            lots: Lots(60),
            filled: Lots(10),
        };
        assert_eq!(chosen, [AdoptableOrder { order: expected, venue_order: VenueOrderId::from_number(3) }]);
    }

    #[test]
    fn each_thing_that_does_not_fit_has_its_reason() {
        let (one, fits) = (left(3, 1), row(&left(3, 1)));
        assert_eq!(judged(RULES, one, fits), None);
        let other = |change: &dyn Fn(&mut OrderUpdate)| {
            let mut row = fits;
            change(&mut row);
            judged(RULES, one, row)
        };
        assert_eq!(other(&|row| row.order = None), Some(Misfit::NotJournaled));
        assert_eq!(other(&|row| row.order = Some(OrderId::new(6, 3))), Some(Misfit::NotJournaled));
        assert_eq!(other(&|row| row.side = Side::Ask), Some(Misfit::Changed));
        assert_eq!(other(&|row| row.status = OrderStatus::Unknown), Some(Misfit::Changed));
        assert_eq!(other(&|row| row.time_in_force = Some(TimeInForce::GoodTilCancel)), Some(Misfit::Changed));
        assert_eq!(other(&|row| row.time_in_force = None), Some(Misfit::Changed));
        assert_eq!(other(&|row| row.in_force = None), Some(Misfit::Changed));
        assert_eq!(other(&|row| row.lots_cumulative = Lots(9)), Some(Misfit::Changed), "less than was heard of");
        assert_eq!(other(&|row| row.lots_cumulative = Lots(100)), Some(Misfit::Changed), "nothing is left of it");
        let level = |tick: i64, lots: i64| Some(Level { tick: Tick(tick), lots: Lots(lots) });
        assert_eq!(other(&|row| row.in_force = level(9_950, 101)), Some(Misfit::Quantity));
        assert_eq!(other(&|row| row.in_force = level(9_900, 100)), None, "one percent is the bound");
        assert_eq!(other(&|row| row.in_force = level(9_899, 100)), Some(Misfit::Price));
        assert_eq!(other(&|row| row.in_force = level(10_101, 100)), Some(Misfit::Price));
        let unpriced = AdoptionRules { best: None, ..RULES };
        assert_eq!(judged(unpriced, one, fits), Some(Misfit::Price));
        for slot in [2, 7, 10, 16, 255] {
            let other = LeftOrder { intent: Intent { slot: SlotId(slot), ..one.intent }, ..one };
            assert_eq!(judged(RULES, other, fits), Some(Misfit::Level), "slot {slot}");
        }
        let full = AdoptionRules { room: [Lots(89), Lots(1_000)], ..RULES };
        assert_eq!(judged(full, one, fits), Some(Misfit::Position), "90 lots of it are open");
        assert_eq!(judged(AdoptionRules { room: [Lots(90), Lots(0)], ..RULES }, one, fits), None);
        let elsewhere = LeftOrder { symbol: None, ..one };
        assert_eq!(judged(RULES, elsewhere, fits), Some(Misfit::Changed));
    }

    #[test]
    fn of_two_for_one_level_the_newer_is_taken_over() {
        let (older, newer, ask) = (left(3, 1), left(9, 1), left(4, 8));
        for rows in [[row(&older), row(&newer), row(&ask)], [row(&ask), row(&newer), row(&older)]] {
            let (chosen, misfits) = RULES.choose(&[older, newer, ask], &rows, &btc());
            let mut counters: Vec<u32> = chosen.iter().map(|one| one.order.order.counter()).collect();
            counters.sort_unstable();
            assert_eq!(counters, [4, 9]);
            assert_eq!(misfits, [(VenueOrderId::from_number(3), Misfit::Doubled)]);
        }
    }
}
