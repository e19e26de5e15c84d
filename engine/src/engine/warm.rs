//! HOT: keeps the engine's memory near the core while nothing comes: asks for lines, changes nothing.

use crate::prefetch::prefetch;
use crate::strategy::Strategy;
use crate::types::InstrumentId;

use super::Engine;

impl<S: Strategy> Engine<S> {
    /// Asks for the lines that a message about `instrument` and an order that follows from it most likely need, some
    /// two hundred. Nothing is read into the program, and nothing changes.
    pub fn warm(&self, instrument: InstrumentId) {
        let index = instrument.index();
        let Some(slot) = self.instrument_slots.get(index) else { return };
        prefetch(self);
        prefetch(slot);
        prefetch(&self.inputs.instruments[index]);
        prefetch(&self.inputs.positions[index]);
        prefetch(&self.inputs.quotable[index]);
        prefetch(&self.inputs.tolerances_millionths[index]);
        self.inputs.markets[index].warm();
        self.inputs.working[index].warm();
        prefetch(&self.quoters[index]);
        prefetch(&self.risks[index]);
        prefetch(&self.previous[index]);
        prefetch(&self.groups[slot.group]);
        prefetch(&self.venues[slot.venue]);
        prefetch(&*self.counters);
        self.targets.warm(instrument);
        self.strategy.warm(instrument);
        self.orders.warm();
        self.cancels.warm();
        if let Some(trace) = &self.trace {
            trace.warm();
        }
    }
}
