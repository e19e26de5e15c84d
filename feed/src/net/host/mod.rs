//! COLD: the machine underneath: threads and their cores, the clocks, locked memory.

pub mod clock;
pub mod memory;
pub mod threads;
