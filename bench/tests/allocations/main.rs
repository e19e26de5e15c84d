//! COLD: what the hot path takes from an allocator: Rust's counted in one module, the C library's in the other.

mod native;
mod rust;
