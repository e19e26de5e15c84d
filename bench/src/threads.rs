//! COLD: two measuring threads on two cores.

use std::sync::OnceLock;
use std::thread;

/// Cores that this process might use when it was first asked, by number; empty where the system does not say.
#[must_use]
pub fn cores() -> &'static [usize] {
    static CORES: OnceLock<Vec<usize>> = OnceLock::new();
    CORES.get_or_init(|| {
        let ids = core_affinity::get_core_ids().unwrap_or_default();
        ids.into_iter().map(|core| core.id).collect()
    })
}

/// Runs `work` on a thread tied to the last core, so that neither this thread nor what it starts is tied.
///
/// # Panics
/// If `work` panics.
pub fn alone<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    let last = cores().len().saturating_sub(1);
    thread::scope(|scope| {
        let pinned = scope.spawn(move || {
            pin(last);
            work()
        });
        pinned.join().expect("the measuring thread does not panic")
    })
}

/// Ties the calling thread to the `place`th core, if there are that many. False if it was not possible.
pub fn pin(place: usize) -> bool {
    cores().get(place).is_some_and(|&id| core_affinity::set_for_current(core_affinity::CoreId { id }))
}

/// Runs `other` on the first core and `here` on the second (where there are two), at the same time; gives back
/// what `here` found.
///
/// # Panics
/// If either panics.
pub fn beside<R: Send + 'static>(
    other: impl FnOnce() + Send + 'static,
    here: impl FnOnce() -> R + Send + 'static,
) -> R {
    let first = thread::spawn(move || {
        pin(0);
        other();
    });
    let second = thread::spawn(move || {
        pin(1);
        here()
    });
    let result = second.join().expect("the measuring thread does not panic");
    first.join().expect("the other thread does not panic");
    result
}
