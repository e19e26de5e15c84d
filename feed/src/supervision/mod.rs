//! COLD: who watches over a run: by heartbeats from inside, by its pulse from outside. Functions of what was seen, and when.

pub mod beat;
pub mod heartbeats;
pub mod supervisor;
pub mod vigil;
