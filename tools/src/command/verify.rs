//! COLD: `spinbook verify`.

use crate::cli::VerifyArgs;
use crate::command::{Context, Done};
use crate::error::Failure;

/// Runs `spinbook verify`.
///
/// # Errors
/// What it could not do.
pub fn run(arguments: &VerifyArgs, _context: Context) -> Result<Done, Failure> {
    Err(Failure::usage("`verify` is not part of this build").at(format!("{arguments:?}")))
}
