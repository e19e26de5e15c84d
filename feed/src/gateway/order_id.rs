//! COLD: whose an order is, told by its client order id.

use spinbook_engine::types::OrderId;

/// Where an order on the account came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This run placed it.
    ThisRun(OrderId),
    /// An earlier run of this program placed it: a stray.
    EarlierRun(OrderId),
    /// A later epoch than ours: another copy of this program trades on the account.
    LaterRun(OrderId),
    /// Somebody else's.
    Foreign,
}

impl Origin {
    /// Of an order whose client order id was read as `order`, seen by run `epoch`.
    #[must_use]
    pub fn of(order: Option<OrderId>, epoch: u32) -> Origin {
        match order {
            None => Origin::Foreign,
            Some(order) if order.epoch() == epoch => Origin::ThisRun(order),
            Some(order) if order.epoch() < epoch => Origin::EarlierRun(order),
            Some(order) => Origin::LaterRun(order),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_epoch_decides() {
        assert_eq!(Origin::of(None, 7), Origin::Foreign);
        assert_eq!(Origin::of(Some(OrderId::new(7, 1)), 7), Origin::ThisRun(OrderId::new(7, 1)));
        assert_eq!(Origin::of(Some(OrderId::new(6, 1)), 7), Origin::EarlierRun(OrderId::new(6, 1)));
        assert_eq!(Origin::of(Some(OrderId::new(8, 1)), 7), Origin::LaterRun(OrderId::new(8, 1)));
    }
}
