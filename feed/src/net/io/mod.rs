//! COLD: what may wait: the I/O thread with the order connections, and HTTP requests that block.

pub mod fetch;
pub mod gateway_loop;
mod gateway_shared;
pub mod journal_files;
mod order_connections;
pub mod rest_calls;
