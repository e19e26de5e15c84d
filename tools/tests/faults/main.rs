//! COLD: every fault end to end: the built program against a real exchange process, both on loopback.

mod demo;
mod market;
mod orders;
mod rig;
mod start;
