//! COLD: `spinbook journal`: reads a journal back.

use crate::cli::JournalArgs;
use crate::error::Failure;
use crate::outcome::Done;

/// Answers that journals come with the orders work.
///
/// # Errors
/// Always, until there are journals to read: wrong usage.
pub fn run(arguments: &JournalArgs) -> Result<Done, Failure> {
    Err(Failure::usage("`journal` is reserved, not built yet")
        .at(arguments.file.display())
        .because("this version writes no journals")
        .next("see `spinbook --help` for the verbs that work"))
}
