//! COLD: the gateway's own check of every new order, independent of the engine's risk.

use spinbook_engine::event::LocalReject;
use spinbook_engine::intent::Intent;
use spinbook_engine::types::{Lots, QuoteAtoms};

use crate::venue::instrument::{Instrument, InstrumentStatus};

/// What one instrument's orders may not exceed. Every field is mandatory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderLimits {
    /// Largest quantity of one order.
    pub lots_max: Lots,
    /// Largest price times quantity of one order.
    pub notional_max: QuoteAtoms,
    /// Most orders that may be open at once, those of unknown outcome included.
    pub open_orders_max: u32,
    /// Largest position either way if all that is open fills.
    pub position_lots_max: Lots,
    /// The position at the start, beyond what counts as flat.
    pub position_lots_start: Lots,
    /// Farthest that a price may lie from the mid that comes with the order, in millionths of that mid; an order without one
    /// is refused. `None`: prices are not judged here.
    pub price_collar_millionths: Option<i64>,
}

/// What an instrument's orders have come to, as the gateway itself has seen it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrdersSoFar {
    /// Orders open now, those of unknown outcome included.
    pub open_orders: usize,
    /// What is not filled of those on the side of the new order, in lots.
    pub lots_open: i128,
    /// Lots bought less lots sold since the start, fees in lots taken off.
    pub lots_moved: i128,
}

/// Why the gateway itself refused an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitBreach {
    /// Price or quantity is zero or negative.
    #[error("price and quantity must be positive")]
    NotPositive,
    /// The price is not a multiple of the venue's order increment, or outside its range.
    #[error("the price is off the venue's tick or outside its range")]
    Price,
    /// The quantity is not a multiple of the venue's order step, or outside its range.
    #[error("the quantity is off the venue's step or outside its range")]
    Quantity,
    /// Price times quantity is below the venue's minimum.
    #[error("price times quantity is below the venue's minimum")]
    NotionalMin,
    /// Above the configured largest quantity.
    #[error("the quantity is above the configured maximum")]
    LotsMax,
    /// Above the configured largest price times quantity.
    #[error("price times quantity is above the configured maximum")]
    NotionalMax,
    /// The position could become larger than configured.
    #[error("the position could exceed the configured maximum if all that is open fills")]
    Position,
    /// Too many are open.
    #[error("the configured number of open orders is reached")]
    OpenOrders,
    /// The price is too far from the mid that came with the order.
    #[error("the price is farther than configured from the mid that came with the order")]
    Collar,
    /// No mid came with the order.
    #[error("no mid came with the order, so its price cannot be judged")]
    MidMissing,
    /// The instrument is not trading.
    #[error("the instrument takes no orders now")]
    Status,
}

impl From<LimitBreach> for LocalReject {
    fn from(breach: LimitBreach) -> LocalReject {
        match breach {
            LimitBreach::Collar | LimitBreach::MidMissing => LocalReject::Collar,
            LimitBreach::NotPositive
            | LimitBreach::Price
            | LimitBreach::Quantity
            | LimitBreach::NotionalMin
            | LimitBreach::LotsMax
            | LimitBreach::NotionalMax
            | LimitBreach::Position
            | LimitBreach::OpenOrders
            | LimitBreach::Status => LocalReject::Limit,
        }
    }
}

/// R-2 once more: the price against the mid that was sent with it. This gateway has no book of its own.
#[inline(always)]
fn check_collar(intent: &Intent, limits: &OrderLimits) -> Result<(), LimitBreach> {
    let Some(collar) = limits.price_collar_millionths else { return Ok(()) };
    let mid_doubled = i128::from(intent.mid.doubled().ok_or(LimitBreach::MidMissing)?);
    let distance_doubled = (2 * i128::from(intent.tick.0) - mid_doubled).abs();
    if distance_doubled * 1_000_000 > mid_doubled * i128::from(collar) { Err(LimitBreach::Collar) } else { Ok(()) }
}

/// Checks one new order against what its instrument's orders have come to.
///
/// # Errors
/// The first limit that it would break.
#[inline(always)]
pub fn check(
    intent: &Intent,
    instrument: &Instrument,
    limits: &OrderLimits,
    so_far: &OrdersSoFar,
) -> Result<(), LimitBreach> {
    let (tick, lots) = (intent.tick.0, intent.lots.0);
    if instrument.status != InstrumentStatus::Trading {
        return Err(LimitBreach::Status);
    }
    if tick <= 0 || lots <= 0 {
        return Err(LimitBreach::NotPositive);
    }
    let tick_step = instrument.tick_order_step.max(1);
    let above = instrument.tick_order_max.0 > 0 && tick > instrument.tick_order_max.0;
    if tick % tick_step != 0 || tick < instrument.tick_order_min.0 || above {
        return Err(LimitBreach::Price);
    }
    check_collar(intent, limits)?;
    let large = instrument.lots_order_max.0 > 0 && lots > instrument.lots_order_max.0;
    if lots % instrument.lots_order_step.max(1) != 0 || lots < instrument.lots_order_min.0 || large {
        return Err(LimitBreach::Quantity);
    }
    if lots > limits.lots_max.0 {
        return Err(LimitBreach::LotsMax);
    }
    // Two i64 factors fit an i128; the instrument's factor may push a absurd pair out of range.
    let notional = (i128::from(tick) * i128::from(lots))
        .checked_mul(instrument.atoms_per_tick_lot)
        .ok_or(LimitBreach::NotionalMax)?;
    if notional > limits.notional_max.0 {
        return Err(LimitBreach::NotionalMax);
    }
    if notional < instrument.notional_min.0 {
        return Err(LimitBreach::NotionalMin);
    }
    if so_far.open_orders >= limits.open_orders_max as usize {
        return Err(LimitBreach::OpenOrders);
    }
    let held = (i128::from(limits.position_lots_start.0) + so_far.lots_moved) * i128::from(intent.side.sign());
    if held + so_far.lots_open + i128::from(lots) > i128::from(limits.position_lots_max.0) {
        return Err(LimitBreach::Position);
    }
    Ok(())
}
