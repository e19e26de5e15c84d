//! HOT: which prepared text a request is written from, and the values for its gaps.

use spinbook_engine::intent::TimeInForce;
use spinbook_engine::types::{InstrumentId, Nanos, Side};

use crate::number::TEXT_MAX;
use crate::venue::instrument::{Instrument, Symbol};
use crate::venue::order_ids::ClientIds;
use crate::venue::orders::{AmendedOrder, NewOrder, OrderName, Request, RequestId};
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
    /// The one request that gives an order another price, where its own id at the venue names it: spot's by side and time
    /// in force, or that of futures by side.
    pub(super) replace: Option<[[Template; TIMES_IN_FORCE.len()]; SIDES.len()]>,
    pub(super) amend: Option<[Template; SIDES.len()]>,
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
    #[inline(always)]
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
            Request::Replace { former, order } => {
                let set = self.set(order.instrument, logged_on)?;
                set.write_replace(number, former, order, (ids, &time), signer, out)
            }
            Request::Amend(amended) => {
                self.set(amended.name.instrument, logged_on)?.write_amend(number, amended, &time, signer, out)
            }
            _ => None,
        }
    }
}

impl Set {
    /// Never inlined: it would take registers of every order.
    #[cold]
    #[inline(never)]
    fn write_replace(
        &self,
        number: u64,
        former: &OrderName<'_>,
        order: &NewOrder<'_>,
        (ids, time): (&ClientIds, &Decimal),
        signer: &Signer<'_>,
        out: &mut [u8],
    ) -> Option<usize> {
        let side = SIDES.iter().position(|side| *side == order.side)?;
        let lives = TIMES_IN_FORCE.iter().position(|time| *time == order.time_in_force)?;
        let template = &self.replace.as_ref()?[side][lives];
        if former.venue_order.is_none() {
            return None;
        }
        let (mut price, mut quantity) = ([0; TEXT_MAX], [0; TEXT_MAX]);
        let name = ids.write(order.order);
        let values = [
            former.venue_order.as_bytes(),
            name.as_bytes(),
            order.instrument.price.format(order.tick.0, &mut price).as_bytes(),
            order.instrument.quantity.format(order.lots.0, &mut quantity).as_bytes(),
            time.as_bytes(),
        ];
        template.write(Decimal::with_letter(b'r', number).as_bytes(), &values, signer, out)
    }

    /// The same for an amendment.
    #[cold]
    #[inline(never)]
    fn write_amend(
        &self,
        number: u64,
        amended: &AmendedOrder<'_>,
        time: &Decimal,
        signer: &Signer<'_>,
        out: &mut [u8],
    ) -> Option<usize> {
        let (name, side) = (&amended.name, SIDES.iter().position(|side| *side == amended.side)?);
        let template = &self.amend.as_ref()?[side];
        if name.venue_order.is_none() {
            return None;
        }
        let (mut price, mut quantity) = ([0; TEXT_MAX], [0; TEXT_MAX]);
        let values = [
            name.venue_order.as_bytes(),
            name.instrument.price.format(amended.tick.0, &mut price).as_bytes(),
            name.instrument.quantity.format(amended.lots.0, &mut quantity).as_bytes(),
            time.as_bytes(),
        ];
        template.write(Decimal::with_letter(b'm', number).as_bytes(), &values, signer, out)
    }

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
