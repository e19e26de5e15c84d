//! HOT: what a record says, as bytes and back. Writing one allocates nothing; reading is for starts and for people.

use spinbook_engine::engine::AdoptedOrder;
use spinbook_engine::event::ExecutionEvent;
use spinbook_engine::intent::{Intent, IntentKind, MidSent};
use spinbook_engine::trace::TraceRecord;
use spinbook_engine::types::{
    InstrumentId, Lots, Nanos, OrderId, QuoteAtoms, SlotId, Tick, TradeId, VenueCode, VenueId,
};
use spinbook_engine::unquoted::Unquoted;

use super::bytes::{Put, Take};
use super::end::ProvedEnd;
use super::enums::Coded;
use crate::number::Scale;
use crate::venue::instrument::{Instrument, SYMBOL_BYTES_MAX, Symbol};
use crate::venue::order_ids::{CLIENT_ORDER_ID_MAX, ClientOrderId};
use crate::venue::order_side::OrderConnection;

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
    /// An order is about to be handed to the connection that takes the place of another.
    Replace {
        /// What was decided and why; it names the other.
        intent: Intent,
        /// Its name at the venue.
        client_id: ClientOrderId,
    },
    /// Another price and quantity for an order is about to be handed to the connection.
    Amend(Intent),
    /// An order of an earlier run, found open at the start, is from here on this run's: as it is then.
    Adopted {
        /// Which; it keeps its id.
        order: AdoptedOrder,
        /// Its name at the venue.
        client_id: ClientOrderId,
    },
    /// The kernel took an order or a cancel. Whoever is killed between the two has an order that may be on its way and is
    /// not said to be sent.
    Sent {
        /// Which order.
        order: OrderId,
        /// A place or a cancel.
        kind: IntentKind,
        /// Over which connection.
        connection: OrderConnection,
    },
    /// It is proved how an order ended.
    Ended(ProvedEnd),
    /// What the engine decided and on what: an order or a cancel that left, a denial, a stop, a book that was lost. It comes
    /// a moment after what it is about.
    Decision(TraceRecord),
    /// The engine wants an order cancelled.
    CancelWanted(Intent),
    /// A cancel was written for the connection.
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
        /// What it is about, such as a symbol; empty: everything.
        scope: String,
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
    /// Without a scope, as the first journals had it.
    pub(super) const OPERATOR_OF_ALL: u8 = 9;
    pub(super) const RUN_ENDED: u8 = 10;
    pub(super) const SENT: u8 = 11;
    pub(super) const ENDED: u8 = 12;
    pub(super) const OPERATOR: u8 = 13;
    pub(super) const DECISION: u8 = 14;
    pub(super) const REPLACE: u8 = 15;
    pub(super) const AMEND: u8 = 16;
    pub(super) const ADOPTED: u8 = 17;
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
            JournalRecord::Sent { .. } => kind::SENT,
            JournalRecord::Ended(_) => kind::ENDED,
            JournalRecord::Decision(_) => kind::DECISION,
            JournalRecord::Replace { .. } => kind::REPLACE,
            JournalRecord::Amend(_) => kind::AMEND,
            JournalRecord::Adopted { .. } => kind::ADOPTED,
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
            JournalRecord::Place { intent, client_id } | JournalRecord::Replace { intent, client_id } => {
                write_intent(intent, out);
                out.text(client_id.as_str(), CLIENT_ORDER_ID_MAX);
            }
            JournalRecord::Adopted { order, client_id } => {
                write_adopted(order, out);
                out.text(client_id.as_str(), CLIENT_ORDER_ID_MAX);
            }
            JournalRecord::CancelWanted(intent) | JournalRecord::Amend(intent) => write_intent(intent, out),
            JournalRecord::CancelSent { order, instrument, attempt } => {
                out.u64(order.0);
                out.u16(instrument.0);
                out.u32(*attempt);
            }
            JournalRecord::Fact(event) => write_event(event, out),
            JournalRecord::Halted { message } => out.text(message, RECORD_TEXT_BYTES_MAX),
            JournalRecord::Operator { word, scope, reason } => {
                [word, scope, reason].iter().for_each(|text| out.text(text, RECORD_TEXT_BYTES_MAX));
            }
            JournalRecord::Sent { order, kind, connection } => {
                out.u64(order.0);
                out.bytes(&[kind.code(), connection.code()]);
            }
            JournalRecord::Decision(decision) => write_decision(decision, out),
            JournalRecord::Ended(ProvedEnd { order, instrument, end, proof, lots_filled }) => {
                out.u64(order.0);
                out.u16(instrument.0);
                out.i64(lots_filled.0);
                out.bytes(&[end.code(), proof.code()]);
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
            kind::REPLACE => {
                let intent = take_intent(take)?;
                JournalRecord::Replace { intent, client_id: ClientOrderId::from_text(take.text(CLIENT_ORDER_ID_MAX)?)? }
            }
            kind::AMEND => JournalRecord::Amend(take_intent(take)?),
            kind::ADOPTED => {
                let order = take_adopted(take)?;
                JournalRecord::Adopted { order, client_id: ClientOrderId::from_text(take.text(CLIENT_ORDER_ID_MAX)?)? }
            }
            kind::CANCEL_WANTED => JournalRecord::CancelWanted(take_intent(take)?),
            kind::CANCEL_SENT => JournalRecord::CancelSent {
                order: OrderId(take.u64()?),
                instrument: InstrumentId(take.u16()?),
                attempt: take.u32()?,
            },
            kind::FACT => JournalRecord::Fact(take_event(take)?),
            kind::HALTED => JournalRecord::Halted { message: text(take)? },
            kind::OPERATOR => JournalRecord::Operator { word: text(take)?, scope: text(take)?, reason: text(take)? },
            kind::OPERATOR_OF_ALL => {
                JournalRecord::Operator { word: text(take)?, scope: String::new(), reason: text(take)? } // cold: reading
            }
            kind::SENT => JournalRecord::Sent {
                order: OrderId(take.u64()?),
                kind: Coded::of(take.u8()?)?,
                connection: Coded::of(take.u8()?)?,
            },
            kind::DECISION => JournalRecord::Decision(take_decision(take)?),
            kind::ENDED => JournalRecord::Ended(ProvedEnd {
                order: OrderId(take.u64()?),
                instrument: InstrumentId(take.u16()?),
                lots_filled: Lots(take.i64()?),
                end: Coded::of(take.u8()?)?,
                proof: Coded::of(take.u8()?)?,
            }),
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

/// All of an intent but the cycle counter, which means nothing in another run, and the mid, which its decision's record
/// tells. A field that is added has to be here.
#[inline]
fn write_intent(intent: &Intent, out: &mut Put<'_>) {
    let Intent { order, replaces, tick, lots, book_sequence, decided, deadline, .. } = *intent;
    let Intent { origin_tsc: _, mid: _, instrument, strategy, slot, kind, side, time_in_force, reason, .. } = *intent;
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
        mid: MidSent::default(),
    })
}

/// All of an order that was taken over. A field that is added does not compile until it is here.
fn write_adopted(adopted: &AdoptedOrder, out: &mut Put<'_>) {
    let AdoptedOrder { order, instrument, slot, side, time_in_force, tick, lots, filled } = *adopted;
    out.u64(order.0);
    [tick.0, lots.0, filled.0].into_iter().for_each(|value| out.i64(value));
    out.u16(instrument.0);
    out.bytes(&[slot.0, side.code(), time_in_force.code()]);
}

fn take_adopted(take: &mut Take<'_>) -> Option<AdoptedOrder> {
    Some(AdoptedOrder {
        order: OrderId(take.u64()?),
        tick: Tick(take.i64()?),
        lots: Lots(take.i64()?),
        filled: Lots(take.i64()?),
        instrument: InstrumentId(take.u16()?),
        slot: SlotId(take.u8()?),
        side: Coded::of(take.u8()?)?,
        time_in_force: Coded::of(take.u8()?)?,
    })
}

/// All of a decision.
fn write_decision(decision: &TraceRecord, out: &mut Put<'_>) {
    let TraceRecord { now, book_sequence, order, tick, lots, best_bid, best_ask, exposure, .. } = *decision;
    let TraceRecord { book_age_us, imbalance_millionths, instrument, kind, detail, reason, .. } = *decision;
    let TraceRecord { slot, side, rule, limit, .. } = *decision;
    [now.0, tick.0, lots.0, best_bid.0, best_ask.0, exposure.0].into_iter().for_each(|value| out.i64(value));
    [book_sequence, order.0].into_iter().for_each(|value| out.u64(value));
    [book_age_us, imbalance_millionths as u32].into_iter().for_each(|value| out.u32(value));
    out.u16(instrument.0);
    out.bytes(&[kind.code(), detail, reason, slot, side, rule.code(), limit as u8]);
}

fn take_decision(take: &mut Take<'_>) -> Option<TraceRecord> {
    Some(TraceRecord {
        now: Nanos(take.i64()?),
        tick: Tick(take.i64()?),
        lots: Lots(take.i64()?),
        best_bid: Tick(take.i64()?),
        best_ask: Tick(take.i64()?),
        exposure: Lots(take.i64()?),
        book_sequence: take.u64()?,
        order: OrderId(take.u64()?),
        book_age_us: take.u32()?,
        imbalance_millionths: take.u32()? as i32,
        instrument: InstrumentId(take.u16()?),
        kind: Coded::of(take.u8()?)?,
        detail: take.u8()?,
        reason: take.u8()?,
        slot: take.u8()?,
        side: take.u8()?,
        rule: Coded::of(take.u8()?)?,
        limit: Unquoted::ALL.get(usize::from(take.u8()?)).copied()?,
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
