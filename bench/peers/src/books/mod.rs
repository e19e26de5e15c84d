//! COLD: other people's order books behind the book contest's interface.

mod barter;
mod hftbacktest;
mod nautilus;

use spinbook_bench::peer_book::PeerBook;
use spinbook_bench::plain::{Increment, Increments};
use spinbook_bench::workload::LevelStream;

/// Every peer's book in every set-up that might be its best, beside the stream.
pub fn all(stream: &LevelStream, increments: Increments) -> Vec<Box<dyn PeerBook + '_>> {
    let mut books = hftbacktest::all(stream, increments);
    books.extend(nautilus::all(stream, increments));
    books.extend(barter::all(stream, increments));
    books
}

/// The version of a library that this program is built with.
pub fn version(library: &str) -> String {
    let named = format!("name = \"{library}\"");
    let mut lines = include_str!("../../Cargo.lock").lines().skip_while(|line| *line != named);
    let version = lines.nth(1).and_then(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    version.unwrap_or("of unknown version").to_owned()
}

/// Units of an increment as the nearest float: both operands are exact, so the division rounds once, as reading the
/// decimal text does.
pub fn float(increment: Increment, units: i64) -> f64 {
    units as f64 * increment.step() as f64 / 10f64.powi(increment.decimals() as i32)
}

/// Units of an increment as a whole number of its last decimal.
pub fn mantissa(increment: Increment, units: i64) -> i64 {
    units * increment.step() as i64
}
