//! COLD: `spinbook run`.

use crate::cli::RunArgs;
use crate::command::{Context, Done};
use crate::error::Failure;

/// Runs `spinbook run`.
///
/// # Errors
/// What it could not do.
pub fn run(arguments: &RunArgs, _context: Context) -> Result<Done, Failure> {
    Err(Failure::usage("`run` is not part of this build").at(format!("{arguments:?}")))
}
