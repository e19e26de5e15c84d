//! COLD: the only file that spawns or pins threads.

use std::io;
use std::sync::Mutex;
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

/// Does `work` for every item with its place, all at once, and returns when each is done. The first is done by the calling
/// thread, and behind it whatever the system refuses a thread for; the others by threads of this name.
pub fn each_at_once<T: Send>(name: &str, items: &mut [T], work: impl Fn(usize, &mut T) + Sync) {
    let items: Vec<Mutex<&mut T>> = items.iter_mut().map(Mutex::new).collect();
    let (items, work) = (&items, &work);
    let turn = move |place: usize| {
        // Each is taken once: nobody else holds it, and none is poisoned.
        if let Ok(mut item) = items[place].lock() {
            work(place, &mut item);
        }
    };
    std::thread::scope(|scope| {
        let mut own = Vec::new();
        for place in 0..items.len() {
            let thread = || Builder::new().name(name.to_owned()).spawn_scoped(scope, move || turn(place));
            if place == 0 || thread().is_err() {
                own.push(place);
            }
        }
        own.into_iter().for_each(turn);
    });
}

/// Pins the calling thread; false where the system refuses or the core does not exist.
#[must_use]
pub fn pin(core: usize) -> bool {
    // What the system says afterwards counts: the calling thread may have been pinned elsewhere before.
    core_affinity::set_for_current(core_affinity::CoreId { id: core }) && cores() == [core]
}

/// Makes the calling thread's sleeps end when they should: by default the system may prolong each by 50 µs.
/// Where it refuses nothing changes.
pub fn sleep_precisely() {
    // The path names the thread: the system reads a thread's id where it expects a process's.
    let thread = std::fs::read_link("/proc/thread-self").ok();
    if let Some(id) = thread.as_deref().and_then(std::path::Path::file_name) {
        let _ = std::fs::write(std::path::Path::new("/proc").join(id).join("timerslack_ns"), "1");
    }
}

/// The cores the calling thread may run on, ascending; empty if unknown. Ask before anything is pinned.
#[must_use]
pub fn cores() -> Vec<usize> {
    let mut ids: Vec<usize> =
        core_affinity::get_core_ids().unwrap_or_default().into_iter().map(|core| core.id).collect();
    ids.sort_unstable();
    ids
}

/// The cores that the system's scheduler leaves alone, ascending: what runs there owns its core.
#[must_use]
pub fn isolated_cores() -> Vec<usize> {
    core_list(&std::fs::read_to_string("/sys/devices/system/cpu/isolated").unwrap_or_default())
}

/// The numbers of a list of the form `2-3,8`; what is no number is left out.
fn core_list(text: &str) -> Vec<usize> {
    const CORES_MAX: usize = 4_096;
    let ranges = text.trim().split(',').filter_map(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse::<usize>().ok()?..=last.parse::<usize>().ok()?.min(CORES_MAX))
    });
    ranges.flatten().collect()
}

/// Whether a thread of ours may be pinned to `core`, also where it is not among [`cores`]: cores that the system's
/// scheduler leaves alone (`isolcpus`) are in nobody's mask and may be asked for. Pins nothing that lasts.
#[must_use]
pub fn can_pin(core: usize) -> bool {
    // Above this the system's own set of cores has no place for it.
    const CORES_MAX: usize = 1024;
    core < CORES_MAX
        && Builder::new().spawn(move || pin(core)).is_ok_and(|thread| thread.join().is_ok_and(|pinned| pinned))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn cores_of_the_mask_can_be_pinned_to_and_others_cannot() {
        let mask = cores();
        assert!(mask.iter().all(|core| can_pin(*core)), "{mask:?}");
        assert!(!can_pin(1023) && !can_pin(1024) && !can_pin(usize::MAX));
        assert_eq!(cores(), mask, "asking pins nothing");
    }

    #[test]
    fn isolated_cores_are_read_off_the_systems_list() {
        assert_eq!(core_list("2-3,8\n"), [2, 3, 8]);
        assert!(core_list("\n").is_empty() && core_list("x,-,3-").is_empty());
    }

    #[test]
    fn precise_sleeps_are_short() {
        let shortest = |precise: bool| {
            let measure = move || {
                if precise {
                    sleep_precisely();
                }
                let mut shortest = Duration::MAX;
                for _ in 0..50 {
                    let begun = Instant::now();
                    std::thread::sleep(Duration::from_micros(20));
                    shortest = shortest.min(begun.elapsed());
                }
                shortest
            };
            std::thread::spawn(measure).join().expect("it only sleeps")
        };
        let (precise, ordinary) = (shortest(true), shortest(false));
        println!("a sleep of 20 us takes {precise:?}, by default {ordinary:?}");
        assert!(precise >= Duration::from_micros(20));
        assert!(precise <= ordinary + Duration::from_micros(20), "{precise:?} against {ordinary:?}");
    }
}
