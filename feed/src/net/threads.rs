//! COLD: the only file that spawns or pins threads.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a named thread, pinned to `core` if one is given.
///
/// Where pinning is refused the thread runs all the same and `on_unpinned` is told the core, to warn.
///
/// # Errors
/// The system's refusal to make a thread.
pub fn spawn<T: Send + 'static>(
    name: &str,
    core: Option<usize>,
    on_unpinned: fn(usize),
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name.to_owned()).spawn(move || {
        if let Some(core) = core
            && !pin(core)
        {
            on_unpinned(core);
        }
        work()
    })
}

/// Pins the calling thread; false where the system refuses or the core does not exist.
#[must_use]
pub fn pin(core: usize) -> bool {
    // What the system says afterwards counts: the calling thread may have been pinned elsewhere before.
    core_affinity::set_for_current(core_affinity::CoreId { id: core }) && cores() == [core]
}

/// The cores the calling thread may run on, ascending; empty if unknown. Ask before anything is pinned.
#[must_use]
pub fn cores() -> Vec<usize> {
    let mut ids: Vec<usize> =
        core_affinity::get_core_ids().unwrap_or_default().into_iter().map(|core| core.id).collect();
    ids.sort_unstable();
    ids
}
