//! COLD: what a machine says about itself in files, below a root, and what a check makes of it.

use std::fs;
use std::path::PathBuf;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nothing to do.
    Ok,
    /// Something to change.
    Warn,
    /// The machine does not say.
    Unknown,
}

impl Status {
    /// As printed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Warn => "warn",
            Status::Unknown => "unknown",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its name, one of a fixed list.
    pub check: &'static str,
    /// How it ended.
    pub status: Status,
    /// The present value; for an unknown one what is missing.
    pub found: String,
    /// Why it matters.
    pub why: &'static str,
    /// What to do; empty if nothing.
    pub fix: String,
    /// The kernel arguments among it, if a boot is what it takes.
    pub kernel_arguments: Option<String>,
}

/// A check's name and why it matters, from which each of its findings is made.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// The check's name.
    pub check: &'static str,
    /// Why it matters.
    pub why: &'static str,
}

impl About {
    fn finding(self, status: Status, found: String, fix: String) -> Finding {
        Finding { check: self.check, status, found, why: self.why, fix, kernel_arguments: None }
    }

    /// Nothing to do.
    pub fn ok(self, found: impl Into<String>) -> Finding {
        self.finding(Status::Ok, found.into(), String::new())
    }

    /// Something to change.
    pub fn warn(self, found: impl Into<String>, fix: impl Into<String>) -> Finding {
        self.finding(Status::Warn, found.into(), fix.into())
    }

    /// Something to change with the next boot.
    pub fn boot(self, found: impl Into<String>, arguments: impl Into<String>) -> Finding {
        let arguments = arguments.into();
        let mut finding = self.warn(found, format!("boot with {arguments}"));
        finding.kernel_arguments = Some(arguments);
        finding
    }

    /// The machine does not say, with what is missing.
    pub fn unknown(self, found: impl Into<String>) -> Finding {
        self.finding(Status::Unknown, found.into(), String::new())
    }

    /// A file that is missing or empty, or says something that is not understood.
    pub fn unreadable(self, machine: &Machine, path: &str) -> Finding {
        match machine.read(path) {
            None => self.unknown(format!("/{path} is not there")),
            Some(text) => {
                let start: String = text.chars().filter(|letter| !letter.is_control()).take(24).collect();
                self.unknown(format!("/{path} says `{start}`, which is not understood"))
            }
        }
    }
}

/// The machine's own words about itself, below a root (`/`, or a folder of a test).
#[derive(Clone, Debug)]
pub struct Machine {
    /// Where `proc`, `sys` and `dev` are.
    pub root: PathBuf,
    /// The core that the hot thread has or is to have.
    pub hot: usize,
}

impl Machine {
    /// A file's text without the spaces around it.
    #[must_use]
    pub fn read(&self, path: &str) -> Option<String> {
        let bytes = fs::read(self.root.join(path)).ok()?;
        Some(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    /// A file that holds one whole number.
    #[must_use]
    pub fn number(&self, path: &str) -> Option<i64> {
        self.read(path)?.parse().ok()
    }

    /// A file that holds a list of cores.
    #[must_use]
    pub fn core_list(&self, path: &str) -> Option<Vec<usize>> {
        cores_of_list(&self.read(path)?)
    }

    /// Names in a folder, sorted; none if it is not there.
    #[must_use]
    pub fn names(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(self.root.join(path)).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// The kernel's command line argument of this name.
    #[must_use]
    pub fn argument(&self, key: &str) -> Option<String> {
        let line = self.read("proc/cmdline")?;
        line.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('=').map(str::to_owned))
    }

    /// Cores that are switched on, ascending; empty if the machine does not say.
    #[must_use]
    pub fn online(&self) -> Vec<usize> {
        self.core_list("sys/devices/system/cpu/online").unwrap_or_default()
    }

    /// All cores but the hot one, as a list such as `0-2,4`.
    #[must_use]
    pub fn others(&self) -> String {
        let others: Vec<usize> = self.online().into_iter().filter(|core| *core != self.hot).collect();
        if others.is_empty() { "0".to_owned() } else { list_of_cores(&others) }
    }

    /// A line `name: value` of a file such as `/proc/self/status`.
    #[must_use]
    pub fn field(&self, path: &str, name: &str) -> Option<String> {
        let text = self.read(path)?;
        text.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned()))
    }

    /// What the processor can do; empty if the machine does not say.
    #[must_use]
    pub fn processor_flags(&self) -> Vec<String> {
        let text = self.read("proc/cpuinfo").unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with("flags") || line.starts_with("Features"));
        let flags = line.and_then(|line| line.split_once(':')).map_or("", |(_, flags)| flags);
        flags.split_whitespace().map(str::to_owned).collect()
    }

    /// A soft limit of this process; the inner `None` is unlimited, the outer one unknown.
    #[must_use]
    pub fn limit(&self, name: &str) -> Option<Option<u64>> {
        let text = self.read("proc/self/limits")?;
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        match line.split_whitespace().next()? {
            "unlimited" => Some(None),
            number => number.parse().ok().map(Some),
        }
    }

    /// The name of a running process that is one of these.
    #[must_use]
    pub fn runs(&self, names: &[&str]) -> Option<String> {
        let processes = self.names("proc");
        let numbered = processes.iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
        numbered.filter_map(|id| self.read(&format!("proc/{id}/comm"))).find(|name| names.contains(&name.as_str()))
    }
}

/// The cores that a list such as `0-3,8` names, ascending; `None` for what is no list.
#[must_use]
pub fn cores_of_list(list: &str) -> Option<Vec<usize>> {
    const CORES_MAX: usize = 1 << 16;
    let mut cores = Vec::new();
    for part in list.trim().split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.trim().split_once('-').unwrap_or((part.trim(), part.trim()));
        let (first, last) = (first.parse::<usize>().ok()?, last.parse::<usize>().ok()?);
        if first > last || last >= CORES_MAX {
            return None;
        }
        cores.extend(first..=last);
    }
    cores.sort_unstable();
    cores.dedup();
    Some(cores)
}

/// The cores that a hexadecimal mask such as `ff,00000003` names, ascending; `None` for what is no mask.
#[must_use]
pub fn cores_of_mask(mask: &str) -> Option<Vec<usize>> {
    let mut cores = Vec::new();
    for (place, word) in mask.trim().rsplit(',').enumerate() {
        let bits = u32::from_str_radix(word, 16).ok()?;
        cores.extend((0..32).filter(|bit| bits >> bit & 1 == 1).map(|bit| place * 32 + bit));
    }
    Some(cores)
}

/// A hexadecimal mask of cores, as the kernel writes and reads it.
#[must_use]
pub fn mask_of_cores(cores: &[usize]) -> String {
    let words = cores.iter().max().map_or(1, |last| last / 32 + 1);
    let word = |place: usize| {
        let here = cores.iter().filter(|core| **core / 32 == place);
        here.fold(0_u32, |bits, core| bits | 1 << (core % 32))
    };
    let texts: Vec<String> = (0..words).rev().map(|place| format!("{:x}", word(place))).collect();
    texts.join(",")
}

/// A list of ascending cores as the kernel writes and reads it: `0-3,8`.
#[must_use]
pub fn list_of_cores(cores: &[usize]) -> String {
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for &core in cores {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == core => *last = core,
            _ => parts.push((core, core)),
        }
    }
    let part =
        |(first, last): (usize, usize)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    parts.into_iter().map(part).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
pub mod samples {
    //! Machines made of files, for the tests of every check.

    use super::{Finding, Machine, Status};
    use std::fs;

    /// A machine made of files, whose hot core is 1.
    pub fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, Machine) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (path, content) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("below the root")).expect("writable");
            fs::write(path, content).expect("writable");
        }
        let machine = Machine { root: folder.path().to_owned(), hot: 1 };
        (folder, machine)
    }

    /// One case of a check: the machine's files, how it must end, and a word of what must be found or done.
    pub type Case<'a> = (&'a [(&'a str, &'a str)], Status, &'a str);

    /// Lets a check judge each machine.
    pub fn judge(check: fn(&Machine) -> Finding, cases: &[Case<'_>]) {
        let endings: Vec<Status> = cases.iter().map(|case| case.1).collect();
        assert!(endings.contains(&Status::Ok) || endings.contains(&Status::Warn), "{endings:?}");
        for (files, status, word) in cases {
            let (_folder, machine) = machine(files);
            let finding = check(&machine);
            assert_eq!(finding.status, *status, "{files:?}: {finding:?}");
            let text = format!("{} {}", finding.found, finding.fix);
            assert!(text.contains(word), "no `{word}` in {finding:?}");
            assert_eq!(finding.fix.is_empty(), *status != Status::Warn, "{finding:?}");
            assert!(!finding.found.is_empty() && finding.why.len() > 20, "{finding:?}");
        }
        let (_folder, nothing) = machine(&[]);
        let finding = check(&nothing);
        assert_eq!(finding.status, Status::Unknown, "a machine that says nothing: {finding:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_masks_of_cores_go_both_ways() {
        for (list, cores) in [("0-3,8", vec![0, 1, 2, 3, 8]), ("0", vec![0]), ("", vec![]), ("2,0-1", vec![0, 1, 2])] {
            assert_eq!(cores_of_list(list), Some(cores));
        }
        for bad in ["3-1", "x", "0-", "-1", "0-99999999", "(null)", "1;2"] {
            assert_eq!(cores_of_list(bad), None, "{bad}");
        }
        assert_eq!(cores_of_mask("ff,00000003").map(|cores| cores.len()), Some(10));
        assert_eq!(cores_of_mask("3"), Some(vec![0, 1]));
        assert_eq!(cores_of_mask("1,0"), Some(vec![32]));
        for bad in ["", "xyz", "fffffffff", "1,,2"] {
            assert_eq!(cores_of_mask(bad), None, "{bad}");
        }
        assert_eq!((mask_of_cores(&[0, 2, 33]), mask_of_cores(&[])), ("2,5".to_owned(), "0".to_owned()));
        assert_eq!(list_of_cores(&[0, 1, 2, 4, 6, 7]), "0-2,4,6-7");
    }

    #[test]
    fn others_are_all_but_the_hot_core() {
        let (_folder, machine) = samples::machine(&[("sys/devices/system/cpu/online", "0-3\n")]);
        assert_eq!(machine.others(), "0,2-3");
    }

    #[test]
    fn limits_are_numbers_none_or_unknown() {
        let text = "Limit Soft Hard\nMax open files            1024    2048  files\nMax locked memory         unlimited  x  bytes\nMax nice priority many\n";
        let (_folder, machine) = samples::machine(&[("proc/self/limits", text)]);
        assert_eq!(machine.limit("Max open files"), Some(Some(1024)));
        assert_eq!(machine.limit("Max locked memory"), Some(None));
        assert_eq!(machine.limit("Max nice priority"), None);
        assert_eq!(machine.limit("Max realtime priority"), None);
    }
}
