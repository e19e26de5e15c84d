//! COLD: the simulated exchange: its market, its matching, its protocol and its faults, through the venue's own messages.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod clients;
mod clocked;
mod faults;
mod gateway;
mod lab;
mod market;
mod matching;
mod money;
mod order_features;
mod own_market;
mod protocol;
mod request_faults;
mod restart;
mod several;
mod signatures;
mod slow_reader;
mod verified;
