//! COLD: the machine underneath: threads and their cores, the clocks, locked memory, counted allocations, what others may see.

pub mod allocations;
pub mod clock;
pub mod instrument_set;
pub mod memory;
pub mod process;
pub mod threads;
