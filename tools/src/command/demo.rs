//! COLD: `spinbook demo`.

use crate::cli::DemoArgs;
use crate::command::{Context, Done};
use crate::error::Failure;

/// Runs `spinbook demo`.
///
/// # Errors
/// What it could not do.
pub fn run(arguments: &DemoArgs, _context: Context) -> Result<Done, Failure> {
    Err(Failure::usage("`demo` is not part of this build").at(format!("{arguments:?}")))
}
