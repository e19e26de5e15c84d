//! COLD: whose an order is, told by its client order id.

use spinbook_engine::types::OrderId;

/// Where an order on the account came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderOrigin {
    /// This run placed it.
    ThisRun(OrderId),
    /// An earlier run of this program placed it and left it open.
    EarlierRun(OrderId),
    /// A later epoch than ours: another copy of this program trades on the account.
    LaterRun(OrderId),
    /// Another program's or a human's: no name of ours.
    ThirdParty,
}

impl OrderOrigin {
    /// Of an order whose client order id was read as `order`, seen by run `epoch`.
    #[must_use]
    pub fn of(order: Option<OrderId>, epoch: u32) -> OrderOrigin {
        match order {
            None => OrderOrigin::ThirdParty,
            Some(order) if order.epoch() == epoch => OrderOrigin::ThisRun(order),
            Some(order) if order.epoch() < epoch => OrderOrigin::EarlierRun(order),
            Some(order) => OrderOrigin::LaterRun(order),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_epoch_decides() {
        assert_eq!(OrderOrigin::of(None, 7), OrderOrigin::ThirdParty);
        assert_eq!(OrderOrigin::of(Some(OrderId::new(7, 1)), 7), OrderOrigin::ThisRun(OrderId::new(7, 1)));
        assert_eq!(OrderOrigin::of(Some(OrderId::new(6, 1)), 7), OrderOrigin::EarlierRun(OrderId::new(6, 1)));
        assert_eq!(OrderOrigin::of(Some(OrderId::new(8, 1)), 7), OrderOrigin::LaterRun(OrderId::new(8, 1)));
    }
}
