//! COLD: the net lane: the only sockets, threads and clocks of the feed, a folder a thread.
//!
//! `connection` is one client connection from connect to close, `hot` what the hot thread runs, `io` what the I/O and
//! fetching threads run, `exchange` the simulated exchange's side on loopback, `host` the machine: threads, clock, memory.

pub mod connection;
pub mod exchange;
pub mod host;
pub mod hot;
pub mod io;
