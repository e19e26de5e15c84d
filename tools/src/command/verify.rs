//! COLD: `spinbook verify`.

use crate::cli::VerifyArgs;
use crate::command::{Context, Done};
use crate::error::Failure;

/// Runs `spinbook verify`.
///
/// # Errors
/// What it could not do.
pub fn run(arguments: &VerifyArgs, _context: Context) -> Result<Done, Failure> {
    if let Some(venue) = &arguments.venue {
        super::check_venue(venue)?;
    }
    Err(Failure::usage("`verify` is not part of this build").at(format!("{arguments:?}")))
}
