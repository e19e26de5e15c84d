//! COLD: the book's invariants, for tests: never called while trading.
#![allow(clippy::disallowed_macros)]

use super::Book;
use crate::types::Side;

impl Book {
    /// Whether everything the book relies on holds; otherwise what does not. Takes about a tenth of a
    /// millisecond: for tests.
    ///
    /// # Errors
    /// The broken invariant, with the side it was found on.
    pub fn check(&self) -> Result<(), String> {
        for side in Side::BOTH {
            let ladder = self.ladder(side);
            if let Some(fault) = ladder.fault() {
                return Err(format!("{side:?}: {fault}"));
            }
            if self.is_live() && !ladder.is_placed() {
                return Err(format!("{side:?}: the best level is outside the window"));
            }
            let mut count = 0;
            let mut previous = None;
            for level in self.levels(side) {
                let ordered =
                    previous.is_none_or(|tick| if side == Side::Bid { level.tick < tick } else { level.tick > tick });
                if !ordered || level.lots.0 <= 0 {
                    return Err(format!("{side:?}: {level:?} does not belong after {previous:?}"));
                }
                previous = Some(level.tick);
                count += 1;
            }
            if count != self.level_count(side) {
                return Err(format!("{side:?}: {count} levels listed, {} counted", self.level_count(side)));
            }
        }
        Ok(())
    }
}
