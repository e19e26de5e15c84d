//! COLD: the measuring programs, run as a user runs them.

mod gate;
mod paced;
mod wire;
