//! COLD: memory at the start of a run: books on huge pages, everything present and locked, before any thread runs.

use std::ops::Range;

use spinbook_engine::engine::Engine;
use spinbook_feed::net::host::memory::{self, HugePages, LockRefused};

use crate::config::tables::EngineConfig;
use crate::config::value::{LockMemory, Permission};
use crate::error::Failure;

/// What to do about a refused lock.
const LOCK_FIX: &str = "`ulimit -l unlimited` before the start, or LimitMEMLOCK=infinity in the systemd unit";

/// Prepares the memory of everything that has been made: called once, after set-up and before the threads start.
/// What the system refuses is said once.
///
/// # Errors
/// Memory must be locked, by `engine.lock_memory`, and cannot be.
pub fn prepare<S>(config: &EngineConfig, engine: &Engine<S>) -> Result<(), Failure> {
    if config.huge_pages == Permission::Allowed {
        let books: Vec<Range<usize>> = engine.address_ranges().collect();
        let text = huge_text(memory::use_huge_pages(&books));
        let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap_or_default();
        let seen = memory::huge_bytes_of(&books, &smaps) >> 10;
        tracing::debug!("{text}; their mappings have {seen} KiB of them");
    }
    let locked = match config.lock_memory {
        LockMemory::Never => return Ok(()),
        LockMemory::Allowed | LockMemory::Required => memory::lock_all(),
    };
    match (locked, config.lock_memory) {
        (Ok(bytes), _) => {
            tracing::debug!("{} MiB of memory are locked: no page of ours can be taken away", bytes >> 20)
        }
        (Err(refused), LockMemory::Required) => {
            return Err(Failure::failed("memory cannot be locked, and engine.lock_memory = \"required\"")
                .because(refused_text(&refused))
                .next(format!("{LOCK_FIX}; or engine.lock_memory = \"allowed\"")));
        }
        (Err(refused), _) => {
            let present = memory::populate();
            tracing::warn!(
                "memory is not locked ({}): pages may be taken away; {} MiB were made present; {LOCK_FIX}",
                refused_text(&refused),
                present >> 20
            );
        }
    }
    Ok(())
}

fn refused_text(refused: &LockRefused) -> String {
    match refused {
        LockRefused::Limit { limit_bytes, mapped_bytes } => format!(
            "RLIMIT_MEMLOCK is {} KiB, {} KiB are mapped and more will be",
            limit_bytes >> 10,
            mapped_bytes >> 10
        ),
        LockRefused::System(error) => format!("the system refuses: {error}"),
    }
}

fn huge_text(pages: HugePages) -> String {
    let (wanted, huge) = (pages.wanted_bytes >> 10, pages.huge_bytes >> 10);
    match pages.huge_bytes {
        0 => format!("books: none of {wanted} KiB on huge pages; `spinbook doctor` says whether they are allowed"),
        _ => format!("books: {huge} of {wanted} KiB on huge pages"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_limit() {
        let text = refused_text(&LockRefused::Limit { limit_bytes: 8 << 20, mapped_bytes: 100 << 20 });
        assert_eq!(text, "RLIMIT_MEMLOCK is 8192 KiB, 102400 KiB are mapped and more will be");
    }

    #[test]
    fn what_became_of_huge_pages_is_said() {
        assert!(huge_text(HugePages { wanted_bytes: 4096, huge_bytes: 0 }).contains("none of 4 KiB"));
        assert!(huge_text(HugePages { wanted_bytes: 8192, huge_bytes: 4096 }).contains("4 of 8 KiB"));
    }
}
