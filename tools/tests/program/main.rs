//! COLD: the built program, command by command: what it prints, how it ends, what it leaves behind.

mod cli;
mod examples;
#[path = "../shared/no_secret.rs"]
mod no_secret;
mod tuning;
mod verify;
