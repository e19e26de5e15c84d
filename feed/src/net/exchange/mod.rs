//! COLD: the simulated exchange on loopback: TLS, HTTP and WebSocket, its keys, and its market over a live feed.

mod http;
pub mod paper;
pub mod server;
mod server_client;
pub mod test_keys;
mod tls_stream;
