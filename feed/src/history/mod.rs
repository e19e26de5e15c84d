//! COLD: recorded markets: where frames come from, and the player that drives decoders and books with them.

pub mod infer;
pub mod player;
pub mod recorded;
pub mod verify;

pub use infer::recorded_instruments;
pub use verify::{ProblemKind, SymbolReport, VerifyOutcome, VerifyProblem, VerifyReport, verify};
