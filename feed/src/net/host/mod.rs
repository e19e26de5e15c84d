//! COLD: the machine underneath: threads and their cores, the clocks, locked memory, counted allocations.

pub mod allocations;
pub mod clock;
pub mod memory;
pub mod threads;
