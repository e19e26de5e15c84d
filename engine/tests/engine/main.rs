//! COLD: the engine from outside: book, ring, risk, strategy, working orders, and its turns as a whole.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods, reason = "a test may allocate")]

mod adopted;
mod amends;
mod book_edges;
mod book_market;
mod book_oracle;
mod book_top;
mod common;
mod engine_faults;
mod engine_invariants;
mod engine_turns;
mod engine_venues;
mod feed_lag;
mod incomes;
mod joint_limits;
mod rate_window;
mod rig;
mod ring_queue;
mod risk_controls;
mod safety;
mod second_reference;
mod slippage;
mod spread_strategy;
mod unquoted;
mod working_orders;
