//! COLD: recorded markets: where frames come from, and the player that drives decoders and books with them.

pub mod infer;
pub mod player;
pub mod recorded;
pub mod verify;
pub mod verify_report;
mod wholeness;
pub mod write;

pub use infer::recorded_instruments;
pub use verify::{VerifyOutcome, verify};
pub use verify_report::{ProblemKind, Shortcoming, SymbolReport, VerifyProblem, VerifyReport, Wholeness};
