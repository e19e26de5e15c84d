//! COLD: `spinbook doctor`.
use crate::command::Done;
use crate::error::Failure;
/// Looks at this machine.
///
/// # Errors
/// None today.
pub fn run() -> Result<Done, Failure> {
    Ok(Done::new("", serde_json::json!({})))
}
