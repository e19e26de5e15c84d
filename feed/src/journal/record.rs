//! HOT: what a record says, as bytes and back. Writing one allocates nothing; reading is for starts and for people.

use spinbook_engine::event::ExecutionEvent;
use spinbook_engine::intent::Intent;
use spinbook_engine::types::{
    InstrumentId, Lots, Nanos, OrderId, QuoteAtoms, SlotId, Tick, TradeId, VenueCode, VenueId,
};

use super::bytes::{Put, Take};
use super::enums::Coded;
use crate::number::Scale;
use crate::venue::instrument::{Instrument, SYMBOL_BYTES_MAX, Symbol};
use crate::venue::order_ids::{CLIENT_ORDER_ID_MAX, ClientOrderId};

/// The longest text of a record, in bytes; a longer one is cut.
pub const RECORD_TEXT_BYTES_MAX: usize = 200;

/// An instrument as a record names it: enough to print prices and quantities of a journal that stands alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalInstrument {
    /// Its number in the records of this run.
    pub id: InstrumentId,
    /// The venue's name for it.
    pub symbol: Symbol,
    /// Ticks.
    pub price: Scale,
    /// Lots.
    pub quantity: Scale,
}

impl From<&Instrument> for JournalInstrument {
    fn from(instrument: &Instrument) -> JournalInstrument {
        let Instrument { id, symbol, price, quantity, .. } = *instrument;
        JournalInstrument { id, symbol, price, quantity }
    }
}

/// Whose word a position is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PositionMoment {
    /// As the account had it before the first order of the run.
    Start,
    /// As the engine had it after the last.
    End,
}

/// One record.
#[derive(Clone, Debug, PartialEq)]
pub enum JournalRecord {
    /// A run begins, or goes on in this part.
    RunStarted {
        /// Of the program.
        version: String,
        /// How orders are treated.
        mode: String,
        /// SHA-256 of the configuration in effect, in hexadecimal.
        configuration: String,
    },
    /// An instrument of the run.
    Instrument(JournalInstrument),
    /// What was held of an instrument.
    Position {
        /// Of which.
        instrument: InstrumentId,
        /// How much, negative if short.
        lots: Lots,
        /// When.
        moment: PositionMoment,
    },
    /// An order is about to be handed to the connection: written before, so that none leaves that is not here.
    Place {
        /// What was decided and why.
        intent: Intent,
        /// Its name at the venue.
        client_id: ClientOrderId,
    },
    /// The engine wants an order cancelled.
    CancelWanted(Intent),
    /// A cancel was handed to the connection.
    CancelSent {
        /// Of which order.
        order: OrderId,
        /// Of which instrument.
        instrument: InstrumentId,
        /// The how-manieth of this order, from 1.
        attempt: u32,
    },
    /// What the engine was told: answers, executions, ends, pauses, halts.
    Fact(ExecutionEvent),
    /// Trading stopped for good.
    Halted {
        /// Why.
        message: String,
    },
    /// An operator's word.
    Operator {
        /// Which: `kill`, `rearm`.
        word: String,
        /// Why.
        reason: String,
    },
    /// The run ended in order.
    RunEnded {
        /// Whether the venue confirmed that nothing is open.
        confirmed: bool,
        /// Orders open or unknown, as the gateway believed.
        open_orders: u32,
        /// Why it ended.
        why: String,
    },
}

/// Numbers of the kinds; none ever changes its meaning.
mod kind {
    pub(super) const RUN_STARTED: u8 = 1;
    pub(super) const INSTRUMENT: u8 = 2;
    pub(super) const POSITION: u8 = 3;
    pub(super) const PLACE: u8 = 4;
    pub(super) const CANCEL_WANTED: u8 = 5;
    pub(super) const CANCEL_SENT: u8 = 6;
    pub(super) const FACT: u8 = 7;
    pub(super) const HALTED: u8 = 8;
    pub(super) const OPERATOR: u8 = 9;
    pub(super) const RUN_ENDED: u8 = 10;
}

impl JournalRecord {
    /// The number of its kind.
    pub(super) const fn kind(&self) -> u8 {
        match self {
            JournalRecord::RunStarted { .. } => kind::RUN_STARTED,
            JournalRecord::Instrument(_) => kind::INSTRUMENT,
            JournalRecord::Position { .. } => kind::POSITION,
            JournalRecord::Place { .. } => kind::PLACE,
            JournalRecord::CancelWanted(_) => kind::CANCEL_WANTED,
            JournalRecord::CancelSent { .. } => kind::CANCEL_SENT,
            JournalRecord::Fact(_) => kind::FACT,
            JournalRecord::Halted { .. } => kind::HALTED,
            JournalRecord::Operator { .. } => kind::OPERATOR,
            JournalRecord::RunEnded { .. } => kind::RUN_ENDED,
        }
    }

    /// Everything behind the kind.
    pub(super) fn write(&self, out: &mut Put<'_>) {
        match self {
            JournalRecord::RunStarted { version, mode, configuration } => {
                [version, mode, configuration].iter().for_each(|text| out.text(text, RECORD_TEXT_BYTES_MAX));
            }
            JournalRecord::Instrument(instrument) => write_instrument(instrument, out),
            JournalRecord::Position { instrument, lots, moment } => {
                out.u16(instrument.0);
                out.i64(lots.0);
                out.u8(u8::from(*moment == PositionMoment::End));
            }
            JournalRecord::Place { intent, client_id } => {
                write_intent(intent, out);
                out.text(client_id.as_str(), CLIENT_ORDER_ID_MAX);
            }
            JournalRecord::CancelWanted(intent) => write_intent(intent, out),
            JournalRecord::CancelSent { order, instrument, attempt } => {
                out.u64(order.0);
                out.u16(instrument.0);
                out.u32(*attempt);
            }
            JournalRecord::Fact(event) => write_event(event, out),
            JournalRecord::Halted { message } => out.text(message, RECORD_TEXT_BYTES_MAX),
            JournalRecord::Operator { word, reason } => {
                out.text(word, RECORD_TEXT_BYTES_MAX);
                out.text(reason, RECORD_TEXT_BYTES_MAX);
            }
            JournalRecord::RunEnded { confirmed, open_orders, why } => {
                out.u8(u8::from(*confirmed));
                out.u32(*open_orders);
                out.text(why, RECORD_TEXT_BYTES_MAX);
            }
        }
    }

    /// The record of a kind; `None` if the bytes are not exactly one.
    pub(super) fn read(kind: u8, bytes: &[u8]) -> Option<JournalRecord> {
        let mut take = Take::new(bytes);
        let record = JournalRecord::take(kind, &mut take)?;
        take.is_empty().then_some(record)
    }

    // cold: records are read at a start and for people.
    fn take(kind: u8, take: &mut Take<'_>) -> Option<JournalRecord> {
        let text = |take: &mut Take<'_>| take.text(RECORD_TEXT_BYTES_MAX).map(str::to_owned); // cold: reading
        Some(match kind {
            kind::RUN_STARTED => {
                JournalRecord::RunStarted { version: text(take)?, mode: text(take)?, configuration: text(take)? }
            }
            kind::INSTRUMENT => JournalRecord::Instrument(take_instrument(take)?),
            kind::POSITION => JournalRecord::Position {
                instrument: InstrumentId(take.u16()?),
                lots: Lots(take.i64()?),
                moment: if take.bool()? { PositionMoment::End } else { PositionMoment::Start },
            },
            kind::PLACE => {
                let intent = take_intent(take)?;
                JournalRecord::Place { intent, client_id: ClientOrderId::from_text(take.text(CLIENT_ORDER_ID_MAX)?)? }
            }
            kind::CANCEL_WANTED => JournalRecord::CancelWanted(take_intent(take)?),
            kind::CANCEL_SENT => JournalRecord::CancelSent {
                order: OrderId(take.u64()?),
                instrument: InstrumentId(take.u16()?),
                attempt: take.u32()?,
            },
            kind::FACT => JournalRecord::Fact(take_event(take)?),
            kind::HALTED => JournalRecord::Halted { message: text(take)? },
            kind::OPERATOR => JournalRecord::Operator { word: text(take)?, reason: text(take)? },
            kind::RUN_ENDED => {
                JournalRecord::RunEnded { confirmed: take.bool()?, open_orders: take.u32()?, why: text(take)? }
            }
            _ => return None,
        })
    }
}

fn write_instrument(instrument: &JournalInstrument, out: &mut Put<'_>) {
    out.u16(instrument.id.0);
    for scale in [instrument.price, instrument.quantity] {
        out.u8(scale.decimals());
        out.u64(scale.step());
    }
    out.text(instrument.symbol.as_str(), SYMBOL_BYTES_MAX);
}

fn take_instrument(take: &mut Take<'_>) -> Option<JournalInstrument> {
    let id = InstrumentId(take.u16()?);
    let scale = |take: &mut Take<'_>| Scale::new(take.u8()?, take.u64()?);
    let (price, quantity) = (scale(take)?, scale(take)?);
    Some(JournalInstrument { id, symbol: Symbol::new(take.text(SYMBOL_BYTES_MAX)?)?, price, quantity })
}

/// All of an intent but the cycle counter, which means nothing in another run. A field that is added has to be here.
#[inline]
fn write_intent(intent: &Intent, out: &mut Put<'_>) {
    let Intent { order, replaces, tick, lots, book_sequence, decided, deadline, .. } = *intent;
    let Intent { origin_tsc: _, instrument, strategy, slot, kind, side, time_in_force, reason, .. } = *intent;
    [order.0, replaces.0, book_sequence].into_iter().for_each(|value| out.u64(value));
    [tick.0, lots.0, decided.0, deadline.0].into_iter().for_each(|value| out.i64(value));
    [instrument.0, strategy].into_iter().for_each(|value| out.u16(value));
    let codes = [slot.0, kind.code(), side.code(), time_in_force.code(), reason.code()];
    out.bytes(&codes);
}

fn take_intent(take: &mut Take<'_>) -> Option<Intent> {
    Some(Intent {
        order: OrderId(take.u64()?),
        replaces: OrderId(take.u64()?),
        book_sequence: take.u64()?,
        tick: Tick(take.i64()?),
        lots: Lots(take.i64()?),
        decided: Nanos(take.i64()?),
        deadline: Nanos(take.i64()?),
        origin_tsc: 0,
        instrument: InstrumentId(take.u16()?),
        strategy: take.u16()?,
        slot: SlotId(take.u8()?),
        kind: Coded::of(take.u8()?)?,
        side: Coded::of(take.u8()?)?,
        time_in_force: Coded::of(take.u8()?)?,
        reason: Coded::of(take.u8()?)?,
    })
}

/// All of an event. A field that is added does not compile until it is here.
fn write_event(event: &ExecutionEvent, out: &mut Put<'_>) {
    let ExecutionEvent {
        fee,
        order,
        trade,
        time,
        tick,
        lots,
        lots_cumulative,
        fee_lots,
        venue_code,
        instrument,
        venue,
        slot,
        kind,
        side,
        maker,
        fee_asset,
        local,
        overtaken,
    } = event;
    out.i128(fee.0);
    out.u128(trade.0);
    out.u64(order.0);
    [time.0, tick.0, lots.0, lots_cumulative.0, fee_lots.0].into_iter().for_each(|value| out.i64(value));
    out.u16(instrument.0);
    let codes = [venue.0, slot.0, kind.code(), side.code(), fee_asset.code(), local.code()];
    out.bytes(&codes);
    out.bytes(&[u8::from(*maker), u8::from(*overtaken)]);
    out.text(venue_code.as_str(), RECORD_TEXT_BYTES_MAX);
}

fn take_event(take: &mut Take<'_>) -> Option<ExecutionEvent> {
    Some(ExecutionEvent {
        fee: QuoteAtoms(take.i128()?),
        trade: TradeId(take.u128()?),
        order: OrderId(take.u64()?),
        time: Nanos(take.i64()?),
        tick: Tick(take.i64()?),
        lots: Lots(take.i64()?),
        lots_cumulative: Lots(take.i64()?),
        fee_lots: Lots(take.i64()?),
        instrument: InstrumentId(take.u16()?),
        venue: VenueId(take.u8()?),
        slot: SlotId(take.u8()?),
        kind: Coded::of(take.u8()?)?,
        side: Coded::of(take.u8()?)?,
        fee_asset: Coded::of(take.u8()?)?,
        local: Coded::of(take.u8()?)?,
        maker: take.bool()?,
        overtaken: take.bool()?,
        venue_code: VenueCode::from_text(take.text(RECORD_TEXT_BYTES_MAX)?),
    })
}
