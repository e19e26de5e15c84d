//! COLD: engine, gateway and exchange together: trading days in virtual time, and the hot loop on real sockets.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod adoption;
mod dead_threads;
mod judge;
mod matrix;
mod oracle;
mod outages;
mod paper_trading;
mod reactor_clock;
mod rehearsals;
mod sabotage;
mod seeds;
mod setup;
mod trading_day;
mod truth;
mod watchers;
mod world;
