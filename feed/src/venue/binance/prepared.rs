//! HOT: which prepared text a request is written from, and the values for its gaps.

use spinbook_engine::intent::TimeInForce;
use spinbook_engine::types::{InstrumentId, Nanos, Side};

use crate::number::TEXT_MAX;
use crate::venue::instrument::{Instrument, Symbol};
use crate::venue::order_ids::ClientIds;
use crate::venue::orders::{NewOrder, OrderName, Request, RequestId};
use crate::venue::request_template::{Decimal, Signer, Template};

/// Orders' times in force, each with its template.
pub(super) const TIMES_IN_FORCE: [TimeInForce; 3] =
    [TimeInForce::PostOnly, TimeInForce::ImmediateOrCancel, TimeInForce::GoodTilCancel];
/// Orders' sides, each with its templates.
pub(super) const SIDES: [Side; 2] = [Side::Bid, Side::Ask];

/// The templates of one instrument, for signed requests or for those of a session that is logged on.
pub(super) struct Set {
    /// By side, then by time in force.
    pub(super) place: [[Template; TIMES_IN_FORCE.len()]; SIDES.len()],
    /// Our own id names the order.
    pub(super) cancel_ours: Template,
    /// The venue's id names the order.
    pub(super) cancel_venue: Template,
}

/// All templates of one instrument.
pub(super) struct PreparedInstrument {
    pub(super) id: InstrumentId,
    pub(super) symbol: Symbol,
    pub(super) signed: Set,
    pub(super) session: Set,
}

/// The templates of every instrument that was prepared.
#[derive(Default)]
pub(super) struct Prepared(pub(super) Vec<PreparedInstrument>);

impl Prepared {
    fn set(&self, instrument: &Instrument, logged_on: bool) -> Option<&Set> {
        let found = self.0.iter().find(|it| it.id == instrument.id)?;
        // An instrument that was renamed since is not written under its old name.
        (found.symbol == instrument.symbol).then_some(if logged_on { &found.session } else { &found.signed })
    }

    /// Writes a request into `out` and gives its length; `None` where no template fits.
    #[inline]
    pub(super) fn write(
        &self,
        id: RequestId,
        request: &Request<'_>,
        (ids, venue_now): (&ClientIds, Nanos),
        logged_on: bool,
        signer: &Signer<'_>,
        out: &mut [u8],
    ) -> Option<usize> {
        let number = id.0.min(i64::MAX.unsigned_abs());
        let time = Decimal::new(u64::try_from(venue_now.millis()).ok()?);
        let signer = if logged_on { &Signer::Session } else { signer };
        match request {
            Request::Place(order) => {
                let template = self.set(order.instrument, logged_on)?.placing(order)?;
                let (mut price, mut quantity) = ([0; TEXT_MAX], [0; TEXT_MAX]);
                let name = ids.write(order.order);
                let values = [
                    name.as_bytes(),
                    order.instrument.price.format(order.tick.0, &mut price).as_bytes(),
                    order.instrument.quantity.format(order.lots.0, &mut quantity).as_bytes(),
                    time.as_bytes(),
                ];
                template.write(Decimal::with_letter(b'p', number).as_bytes(), &values, signer, out)
            }
            Request::Cancel(name) => {
                let set = self.set(name.instrument, logged_on)?;
                let id = Decimal::with_letter(b'c', number);
                set.cancel((ids, name), id.as_bytes(), &time, signer, out)
            }
            _ => None,
        }
    }
}

impl Set {
    #[inline]
    fn placing(&self, order: &NewOrder<'_>) -> Option<&Template> {
        let side = SIDES.iter().position(|side| *side == order.side)?;
        let time = TIMES_IN_FORCE.iter().position(|time| *time == order.time_in_force)?;
        Some(&self.place[side][time])
    }

    #[inline]
    fn cancel(
        &self,
        (ids, name): (&ClientIds, &OrderName<'_>),
        id: &[u8],
        time: &Decimal,
        signer: &Signer<'_>,
        out: &mut [u8],
    ) -> Option<usize> {
        if name.venue_order.is_none() {
            let order = ids.write(name.order);
            self.cancel_ours.write(id, &[order.as_bytes(), time.as_bytes()], signer, out)
        } else {
            self.cancel_venue.write(id, &[name.venue_order.as_bytes(), time.as_bytes()], signer, out)
        }
    }
}
