//! COLD: the system's limits of this process, and a word about those that leave too little before anything starts.
//!
//! A limit that is too small otherwise shows as a signal, or as a connection that never opens.

use std::fs;

use crate::error::Failure;

/// Stack of the main thread below which nothing works. Other threads have stacks of their own size.
const STACK_BYTES_MIN: u64 = 512 << 10;
/// Address space below which nothing works.
const ADDRESS_SPACE_BYTES_MIN: u64 = 64 << 20;
/// Address space that trading takes: books, stacks, and what the allocator sets aside for each thread.
const ADDRESS_SPACE_TRADING_BYTES_MIN: u64 = 512 << 20;
/// Largest file that trading writes, of the state folder alone.
const FILE_BYTES_MIN: u64 = 1 << 20;
/// Files of a process beside its markets: standard streams, logs, lock, polls, certificates being read.
const FILES_BASE: u64 = 24;
/// Files of each market: connections, those that take over from them, requests under way.
const FILES_PER_MARKET: u64 = 16;

/// One of the system's limits of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ProcessLimit {
    /// Its name in `/proc/self/limits`.
    name: &'static str,
    /// How a shell sets it, with the unit it counts in.
    shell: &'static str,
    /// Bytes or pieces of that unit.
    unit: u64,
    /// How a systemd unit sets it.
    systemd: &'static str,
}

const STACK: ProcessLimit =
    ProcessLimit { name: "Max stack size", shell: "ulimit -s", unit: 1024, systemd: "LimitSTACK" };
const ADDRESS_SPACE: ProcessLimit =
    ProcessLimit { name: "Max address space", shell: "ulimit -v", unit: 1024, systemd: "LimitAS" };
const FILE_SIZE: ProcessLimit =
    ProcessLimit { name: "Max file size", shell: "ulimit -f", unit: 1024, systemd: "LimitFSIZE" };
const OPEN_FILES: ProcessLimit =
    ProcessLimit { name: "Max open files", shell: "ulimit -n", unit: 1, systemd: "LimitNOFILE" };

impl ProcessLimit {
    /// The limit in force in a text of the form of `/proc/self/limits`; none where there is none, or no such text.
    fn in_force(&self, limits: &str) -> Option<u64> {
        let line = limits.lines().find_map(|line| line.strip_prefix(self.name))?;
        line.split_whitespace().next()?.parse().ok()
    }

    /// # Errors
    /// The limit is less than `needed`.
    fn check(&self, limits: &str, needed: u64, what: impl FnOnce(u64) -> String) -> Result<(), Failure> {
        match self.in_force(limits) {
            Some(limit) if limit < needed => Err(Failure::failed(what(limit))
                .at(self.name.to_lowercase().replace("max ", "the system's limit of the "))
                .next(format!(
                    "`{} {}` before the start, or {}= in the systemd unit; `unlimited` is fine",
                    self.shell,
                    needed.div_ceil(self.unit),
                    self.systemd
                ))),
            _ => Ok(()),
        }
    }
}

/// What no verb can do without. To be asked before anything else.
///
/// # Errors
/// Stack or address space are limited to less.
pub fn check_start() -> Result<(), Failure> {
    start(&read())
}

/// What trading on so many markets needs, an exchange for them included.
///
/// # Errors
/// A limit leaves less.
pub fn check_trading(markets: usize) -> Result<(), Failure> {
    trading(&read(), markets)
}

fn read() -> String {
    // Other systems have no such file, and say nothing here.
    fs::read_to_string("/proc/self/limits").unwrap_or_default()
}

fn start(limits: &str) -> Result<(), Failure> {
    let small = |what: &'static str, needed: u64| {
        move |limit: u64| format!("the {what} is limited to {} KiB: {} KiB needed", limit >> 10, needed >> 10)
    };
    STACK.check(limits, STACK_BYTES_MIN, small("stack", STACK_BYTES_MIN))?;
    ADDRESS_SPACE.check(limits, ADDRESS_SPACE_BYTES_MIN, small("address space", ADDRESS_SPACE_BYTES_MIN))
}

fn trading(limits: &str, markets: usize) -> Result<(), Failure> {
    let files = FILES_BASE + FILES_PER_MARKET * markets as u64;
    OPEN_FILES.check(limits, files, |limit| format!("too many open files: {files} needed, {limit} allowed"))?;
    ADDRESS_SPACE.check(limits, ADDRESS_SPACE_TRADING_BYTES_MIN, |limit| {
        format!(
            "the address space is limited to {} MiB: {} MiB needed to trade",
            limit >> 20,
            ADDRESS_SPACE_TRADING_BYTES_MIN >> 20
        )
    })?;
    FILE_SIZE.check(limits, FILE_BYTES_MIN, |limit| {
        format!(
            "files are limited to {} KiB each: {} KiB needed for the state folder",
            limit >> 10,
            FILE_BYTES_MIN >> 10
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "\
Limit                     Soft Limit           Hard Limit           Units     
Max file size             unlimited            unlimited            bytes     
Max stack size            8388608              unlimited            bytes     
Max open files            1024                 524288               files     
Max address space         unlimited            unlimited            bytes     
";

    #[test]
    fn what_is_too_small_is_named_with_what_is_needed() {
        assert_eq!((start(SAMPLE), trading(SAMPLE, 2), start(""), trading("", 9)), (Ok(()), Ok(()), Ok(()), Ok(())));
        let with = |name: &str, soft: &str| {
            let lines = SAMPLE.lines().map(|line| match line.starts_with(name) {
                true => format!("{name:26}{soft:21}unlimited            bytes     \n"),
                false => format!("{line}\n"),
            });
            lines.collect::<String>()
        };
        let cases = [
            (start(&with("Max stack size", "65536")), "the stack is limited to 64 KiB", "`ulimit -s 512`"),
            (start(&with("Max address space", "31457280")), "the address space is limited to", "`ulimit -v 65536`"),
            (trading(&with("Max open files", "10"), 1), "too many open files: 40 needed, 10 allowed", "`ulimit -n 40`"),
            (trading(&with("Max file size", "0"), 1), "files are limited to 0 KiB", "`ulimit -f 1024`"),
            (trading(&with("Max address space", "104857600"), 1), "100 MiB: 512 MiB needed", "LimitAS="),
        ];
        for (outcome, what, next) in cases {
            let failure = outcome.expect_err(what);
            assert!(failure.what.contains(what), "{failure}");
            assert!(failure.next.as_ref().is_some_and(|text| text.contains(next)), "{failure}");
        }
    }
}
