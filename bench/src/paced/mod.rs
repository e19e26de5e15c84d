//! COLD: frame to order at a market's pace: the loop that ships, with pauses between the frames.
//!
//! Back to back a processor has everything at hand; between two frames of a market it forgets. Here the real hot loop
//! turns through real pauses, reads each frame from a real socket, and decides. `sender` writes the frames when they are
//! due, from another core; `hot` is the loop with a venue that answers at once; `table` makes figures of the samples.
//!
//! A recording is played as fast as it goes but for groups of frames whose last one causes an order: before each of a
//! group's frames lies the pause that was drawn for the group, and what keeps the loop warm was drawn as well. So all
//! cells meet the same frames and the same noise, in one process. Which frames cause orders is learned in a first pass.

pub mod cell;
mod hot;
mod play;
mod sender;
pub mod table;

pub use play::{PacedFigures, PacedSettings, figures, measure};
