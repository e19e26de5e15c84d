//! COLD: the simulated exchange as this program uses it: its settings, as a child process, within a paper run.

pub mod accounts;
pub mod child;
pub mod hosts;
pub mod paper;
pub mod settings;
pub mod state;
