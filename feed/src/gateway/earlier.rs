//! COLD: orders of earlier runs by the venue's own names for them, which is all that a list of executions says of an order.

use spinbook_engine::types::{InstrumentId, OrderId};

use super::ids::{IdMap, id_map};
use crate::venue::order_ids::VenueOrderId;
use crate::venue::orders::OrderUpdate;

/// Names remembered besides those that the start knew.
const NAMES_MAX: usize = 4_096;

/// An order that an earlier run placed, as the venue told of it before the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EarlierOrder {
    /// Of what.
    pub instrument: InstrumentId,
    /// The venue's name for it.
    pub venue_order: VenueOrderId,
    /// Ours, of an earlier run.
    pub order: OrderId,
}

/// Their names, those of the start and those that were told since.
pub(super) struct EarlierOrders {
    /// This run.
    epoch: u32,
    names: IdMap<(InstrumentId, VenueOrderId), OrderId>,
}

impl EarlierOrders {
    pub(super) fn new(epoch: u32, known: &[EarlierOrder]) -> EarlierOrders {
        let mut names = id_map(known.len());
        names.extend(known.iter().map(|earlier| ((earlier.instrument, earlier.venue_order), earlier.order)));
        EarlierOrders { epoch, names }
    }

    /// The same update with our name of the order, where the venue's alone is in it and the two were seen together.
    pub(super) fn named(&mut self, mut update: OrderUpdate) -> OrderUpdate {
        let key = (update.instrument, update.venue_order);
        match update.order {
            None => update.order = self.names.get(&key).copied(),
            Some(order) if order.epoch() < self.epoch && self.names.len() < NAMES_MAX => {
                self.names.insert(key, order);
            }
            Some(_) => {}
        }
        update
    }

    pub(super) fn knows(&self, instrument: InstrumentId, venue_order: VenueOrderId) -> bool {
        self.names.contains_key(&(instrument, venue_order))
    }
}
