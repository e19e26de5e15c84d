//! COLD: the simulated exchange as this program uses it: its settings, as a child process, within a paper run.

pub mod child;
pub mod paper;
pub mod settings;
