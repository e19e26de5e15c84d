//! COLD: the net lane: the only sockets, threads and clocks of the feed.
//!
//! `connection` is one client connection from connect to close, `server` the exchange side on loopback,
//! `reactor` the hot loop, `gateway_loop` the I/O thread, `fetch` the requests that may block.

pub mod clock;
pub mod threads;
pub mod tls;

mod pipe;

pub mod connection;
pub mod fetch;
pub mod gateway_loop;
pub mod hot_shared;
pub mod kernel;
pub mod link;
pub mod market_line;
pub mod memory;
pub mod paper;
pub mod reactor;
pub mod resolve;
pub mod server;
mod server_client;
pub mod snapshots;
pub mod test_keys;

mod http;
