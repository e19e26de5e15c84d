//! COLD: the program.
fn main() {}
