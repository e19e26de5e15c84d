//! COLD: the order gateway: what it writes, what it believes, and what it does when a venue says nothing.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod account;
mod adoption;
mod amend;
mod amend_permutations;
mod backfill;
mod cancel_path;
mod compare;
mod door;
mod encode;
mod exchange;
mod incomes;
mod journaled;
mod order_sides;
mod permutations;
mod prepared;
mod rest_proofs;
mod safety;
mod scenarios;
mod scripted_venue;
mod sessions;
mod sign;
mod signs_of_life;
mod spare;
mod stopped;
mod third_way;
mod truth;
