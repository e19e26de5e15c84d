//! COLD: the built program, command by command: what it prints, how it ends, what it leaves behind.

mod cli;
mod examples;
mod tuning;
mod verify;
