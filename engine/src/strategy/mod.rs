//! HOT: strategies: a view over all markets in, target quotes out, nothing else. One file a strategy.

pub mod spread;
mod targets;
mod view;

pub use crate::market::Best;
pub use spread::{Spread, SpreadSettings};
pub use targets::{Quote, Quotes, Targets};
pub use view::{StrategyInputs, View};

use crate::trace::QuoteBasis;
use crate::types::{InstrumentId, Side};
use crate::unquoted::Unquoted;

/// Decides quotes. It sees everything and can do nothing but write targets: whether, when and how they become
/// orders is the quoter's and the risk chain's business.
pub trait Strategy {
    /// The market or position of `changed` is new: rewrite the targets of every instrument that depends on it.
    ///
    /// Must not allocate, block or read a clock. An instrument whose targets are not rewritten keeps them; one
    /// that may not be quoted on ([`View::best`] is `None`) has its quotes pulled, also where targets are written for it.
    fn on_change(&mut self, view: &View<'_>, changed: InstrumentId, targets: &mut Targets);

    /// What its quotes on a side follow from: asked where an order leaves and somebody keeps what was decided and why.
    fn basis(&self, _view: &View<'_>, _instrument: InstrumentId, _side: Side) -> QuoteBasis {
        QuoteBasis::default()
    }

    /// Why it wants no quote on a side of an instrument that may be quoted on: asked now and then, for people.
    fn why_unquoted(&self, _view: &View<'_>, _instrument: InstrumentId, _side: Side) -> Unquoted {
        Unquoted::Unwanted
    }

    /// Asks for what deciding on an instrument reads of the strategy's own memory outside of itself
    /// ([`crate::prefetch::prefetch`]): called while nothing comes.
    fn warm(&self, _instrument: InstrumentId) {}
}
