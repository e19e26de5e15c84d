//! COLD: what the system may do with this process's memory: never write it to a disk, never show it to another one.
#![allow(unsafe_code)]

use std::io;

/// From here on the process leaves no core dump, and no other process of its user may look into its memory: for
/// whoever holds keys. Profilers and debuggers then need the rights of root.
///
/// # Errors
/// The system refuses; what it did not refuse is in effect.
#[cfg(target_os = "linux")]
pub fn keep_memory_private() -> io::Result<()> {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: setrlimit reads the structure behind the pointer, which lives until it returns, and changes a limit.
    let no_core = unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
    let no_core = if no_core == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
    // SAFETY: this option takes one number and changes a flag of the process; no memory is touched.
    let private = unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) };
    let private = if private == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
    no_core.and(private)
}

/// The same where the system has no such thing.
///
/// # Errors
/// Always: nothing is promised here.
#[cfg(not(target_os = "linux"))]
pub fn keep_memory_private() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn no_core_is_dumped_and_nobody_looks_in() {
        keep_memory_private().expect("lowering a limit needs no right");
        let limits = std::fs::read_to_string("/proc/self/limits").expect("every Linux has it");
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("it is listed");
        assert_eq!(core.split_whitespace().filter(|word| *word == "0").count(), 2, "{core}");
        // SAFETY: this option takes nothing and answers a flag.
        assert_eq!(unsafe { libc::prctl(libc::PR_GET_DUMPABLE, 0, 0, 0, 0) }, 0);
        // What the engine itself reads of itself is still there.
        for file in ["maps", "smaps", "status", "limits"] {
            assert!(std::fs::read(format!("/proc/self/{file}")).is_ok(), "{file}");
        }
    }
}
