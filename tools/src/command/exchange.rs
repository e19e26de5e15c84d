//! COLD: `spinbook exchange`.

use crate::cli::ExchangeArgs;
use crate::command::{Context, Done};
use crate::error::Failure;

/// Runs `spinbook exchange`.
///
/// # Errors
/// What it could not do.
pub fn run(arguments: &ExchangeArgs, _context: Context) -> Result<Done, Failure> {
    Err(Failure::usage("`exchange` is not part of this build").at(format!("{arguments:?}")))
}
