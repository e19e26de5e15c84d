//! COLD: an execution as the engine hears of it, with its fee in the asset that it was taken in.

use spinbook_engine::event::{ExecutionEvent, ExecutionKind, FeeAsset};
use spinbook_engine::types::QuoteAtoms;

use super::TableCounters;
use crate::venue::instrument::Instrument;
use crate::venue::orders::{Fee, Fill};

/// The event of a fill over what is the same in every event of its order.
pub(super) fn fill_event(
    base: ExecutionEvent,
    fill: &Fill,
    instrument: &Instrument,
    counters: &mut TableCounters,
) -> ExecutionEvent {
    let mut event = ExecutionEvent {
        trade: fill.trade,
        tick: fill.tick,
        lots: fill.lots,
        kind: ExecutionKind::Filled,
        maker: fill.maker,
        ..base
    };
    match fill.fee {
        Fee::None => {}
        Fee::Quote(amount) => event.fee = amount,
        Fee::Base(lots) => {
            event.fee_asset = FeeAsset::Base;
            event.fee_lots = lots;
            let value = i128::from(lots.0) * i128::from(fill.tick.0);
            event.fee = QuoteAtoms(value.saturating_mul(instrument.atoms_per_tick_lot));
        }
        Fee::Valued(worth) => {
            event.fee_asset = FeeAsset::Valued;
            event.fee = worth;
        }
        Fee::Other(..) => {
            counters.fees_other += 1;
            event.fee_asset = FeeAsset::Other;
        }
    }
    event
}
