//! COLD: memory at the start of a run: freed memory kept, books on huge pages, everything present and locked.
//!
//! The hot thread must never wait for a page. Three steps, each of which the system may refuse and none of which
//! changes what the program computes: [`keep_freed`] before the large allocations are made, [`use_huge_pages`] for
//! the books, then [`lock_all`], or where that is refused [`populate`]. Other systems than Linux refuse all of them.
#![allow(unsafe_code)]

use std::fs;
use std::hint::black_box;
use std::io;
use std::ops::Range;

/// Bytes of a huge page on every processor this is run on.
pub const HUGE_PAGE_BYTES: usize = 2 << 20;
/// Stack of a thread that [`touch_stack`] makes present.
const STACK_BYTES: usize = 256 << 10;
/// Room that a finite limit must leave beyond what is mapped, as later mappings count too and would be refused.
const LOCK_HEADROOM_BYTES: u64 = 1 << 30;
/// The bit of `CapEff` in `/proc/self/status` that stands for CAP_IPC_LOCK.
const CAPABILITY_IPC_LOCK: u64 = 1 << 14;

/// One line of `/proc/self/maps`: private memory that may be read and written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Its addresses.
    pub range: Range<usize>,
    /// Its file, `[heap]`, `[stack]`, or nothing.
    pub name: String,
}

/// The private, readable and writable mappings in a text of the form of `/proc/self/maps`; other lines are skipped.
#[must_use]
pub fn mappings(maps: &str) -> Vec<Mapping> {
    maps.lines().filter_map(mapping).collect()
}

fn mapping(line: &str) -> Option<Mapping> {
    let mut fields = line.split_whitespace();
    let (first, last) = fields.next()?.split_once('-')?;
    let range = usize::from_str_radix(first, 16).ok()?..usize::from_str_radix(last, 16).ok()?;
    let usable = fields.next()?.starts_with("rw") && line.split_whitespace().nth(1)?.ends_with('p');
    let name = fields.nth(3).unwrap_or_default().to_owned();
    (usable && range.start < range.end).then_some(Mapping { range, name })
}

/// The huge-page blocks that hold any of `ranges` and lie wholly within one mapping, ascending and distinct.
#[must_use]
pub fn huge_blocks(ranges: &[Range<usize>], mappings: &[Mapping]) -> Vec<Range<usize>> {
    let mut starts: Vec<usize> = ranges
        .iter()
        .filter(|range| !range.is_empty())
        .flat_map(|range| range.start / HUGE_PAGE_BYTES..=(range.end - 1) / HUGE_PAGE_BYTES)
        .map(|block| block * HUGE_PAGE_BYTES)
        .collect();
    starts.sort_unstable();
    starts.dedup();
    let blocks = starts.into_iter().map(|start| start..start + HUGE_PAGE_BYTES);
    let holds = |block: &Range<usize>| {
        mappings.iter().any(|mapping| mapping.range.start <= block.start && block.end <= mapping.range.end)
    };
    blocks.filter(holds).collect()
}

/// What became of the wish for huge pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HugePages {
    /// Bytes of the ranges given.
    pub wanted_bytes: usize,
    /// Bytes of them that lie on huge pages now, as far as the system says.
    pub huge_bytes: usize,
}

/// Asks for huge pages under `ranges` and makes them at once where the system can. Other memory in the same blocks
/// comes along. Nothing is promised: see the answer.
#[must_use]
pub fn use_huge_pages(ranges: &[Range<usize>]) -> HugePages {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let made: Vec<Range<usize>> = huge_blocks(ranges, &mappings(&maps)).into_iter().filter(make_huge).collect();
    let overlap = |range: &Range<usize>, block: &Range<usize>| {
        range.end.min(block.end).saturating_sub(range.start.max(block.start))
    };
    let huge_bytes = ranges.iter().map(|range| made.iter().map(|block| overlap(range, block)).sum::<usize>()).sum();
    HugePages { wanted_bytes: ranges.iter().map(Range::len).sum(), huge_bytes }
}

/// Puts one block on a huge page; false where the system has none to give or does not want to.
#[cfg(target_os = "linux")]
fn make_huge(block: &Range<usize>) -> bool {
    let address = std::ptr::with_exposed_provenance_mut::<libc::c_void>(block.start);
    // SAFETY: MADV_HUGEPAGE only marks a mapping and MADV_COLLAPSE only moves its content to another physical page:
    // no byte that the program sees changes, whichever addresses are given. The block lies within one mapping of
    // our own; were it gone meanwhile, the call would answer an error.
    unsafe {
        libc::madvise(address, block.len(), libc::MADV_HUGEPAGE) == 0
            && libc::madvise(address, block.len(), libc::MADV_COLLAPSE) == 0
    }
}

#[cfg(not(target_os = "linux"))]
fn make_huge(_block: &Range<usize>) -> bool {
    false
}

/// Bytes of huge pages in the mappings that hold any of `ranges`, from a text of the form of `/proc/self/smaps`.
#[must_use]
pub fn huge_bytes_of(ranges: &[Range<usize>], smaps: &str) -> u64 {
    let (mut sum, mut counts) = (0, false);
    for line in smaps.lines() {
        if let Some(kibibytes) = line.strip_prefix("AnonHugePages:") {
            let kibibytes = kibibytes.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0);
            sum += if counts { kibibytes << 10 } else { 0 };
        } else if let Some((first, last)) = line.split(' ').next().and_then(|field| field.split_once('-'))
            && let (Ok(first), Ok(last)) = (usize::from_str_radix(first, 16), usize::from_str_radix(last, 16))
        {
            counts = ranges.iter().any(|range| range.start < last && first < range.end);
        }
    }
    sum
}

/// Tells the allocator to keep what is freed and to take large blocks from one contiguous heap, which huge pages can
/// hold and which is present once it was. Call it before the first book is made. False where it cannot be told.
pub fn keep_freed() -> bool {
    let told = tell_allocator();
    if told {
        // Whatever is allocated from here on lies a whole huge page behind the heap's start, and so in whole blocks.
        std::mem::forget(black_box(Vec::<u8>::with_capacity(HUGE_PAGE_BYTES)));
    }
    told
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn tell_allocator() -> bool {
    const LARGEST_FROM_HEAP: libc::c_int = 32 << 20;
    const NEVER: libc::c_int = libc::c_int::MAX;
    const HEAP_STEP: libc::c_int = 4 << 20;
    // SAFETY: mallopt takes two numbers and may be called at any time; the allocator locks its own state.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGEST_FROM_HEAP) == 1
            && libc::mallopt(libc::M_TRIM_THRESHOLD, NEVER) == 1
            && libc::mallopt(libc::M_TOP_PAD, HEAP_STEP) == 1
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn tell_allocator() -> bool {
    false
}

/// Why memory was not locked.
#[derive(Debug, thiserror::Error)]
pub enum LockRefused {
    /// The limit would not hold what is mapped and what will be; nothing was tried.
    #[error("at most {limit_bytes} bytes may be locked and {mapped_bytes} are mapped")]
    Limit {
        /// RLIMIT_MEMLOCK, the soft one.
        limit_bytes: u64,
        /// What the process maps now.
        mapped_bytes: u64,
    },
    /// The system's answer.
    #[error("the system refused: {0}")]
    System(#[from] io::Error),
}

/// What decides whether locking is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockLimit {
    /// RLIMIT_MEMLOCK in bytes; `None`: unlimited, by the limit or by CAP_IPC_LOCK.
    pub limit_bytes: Option<u64>,
    /// Bytes the process maps.
    pub mapped_bytes: u64,
}

impl LockLimit {
    /// From texts of the form of `/proc/self/limits` and `/proc/self/status`; what they do not say counts as zero.
    #[must_use]
    pub fn read(limits: &str, status: &str) -> LockLimit {
        let status_field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let effective = status_field("CapEff:").and_then(|text| u64::from_str_radix(text, 16).ok()).unwrap_or(0);
        let mapped = status_field("VmSize:").and_then(|text| text.trim_end_matches("kB").trim().parse::<u64>().ok());
        let soft = limits.lines().find_map(|line| line.strip_prefix("Max locked memory"));
        let soft = soft.and_then(|text| text.split_whitespace().next()).unwrap_or("0");
        let free = effective & CAPABILITY_IPC_LOCK != 0 || soft == "unlimited";
        LockLimit { limit_bytes: (!free).then(|| soft.parse().unwrap_or(0)), mapped_bytes: mapped.unwrap_or(0) << 10 }
    }

    /// Whether everything may be locked, what comes later included.
    ///
    /// # Errors
    /// [`LockRefused::Limit`].
    pub fn check(self) -> Result<(), LockRefused> {
        match self.limit_bytes {
            Some(limit_bytes) if limit_bytes < self.mapped_bytes.saturating_add(LOCK_HEADROOM_BYTES) => {
                Err(LockRefused::Limit { limit_bytes, mapped_bytes: self.mapped_bytes })
            }
            _ => Ok(()),
        }
    }
}

/// Makes every page present and keeps it so, those of later mappings included. The answer is what is locked, in bytes.
///
/// A limit that would let this succeed and then refuse a later mapping is refused here: a run must not fail for it.
///
/// # Errors
/// The limit is too low, or the system refuses.
pub fn lock_all() -> Result<u64, LockRefused> {
    let status = fs::read_to_string("/proc/self/status")?;
    LockLimit::read(&fs::read_to_string("/proc/self/limits")?, &status).check()?;
    lock_everything()?;
    let status = fs::read_to_string("/proc/self/status")?;
    let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:"));
    let kibibytes = locked.and_then(|text| text.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    Ok(kibibytes.unwrap_or(0) << 10)
}

#[cfg(target_os = "linux")]
fn lock_everything() -> io::Result<()> {
    // SAFETY: mlockall takes flags alone; it makes pages present and changes none.
    let answer = unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(not(target_os = "linux"))]
fn lock_everything() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Makes the pages of heap, data and anonymous mappings present, without locking them; gives the bytes that are so
/// now. For where [`lock_all`] is refused: without memory pressure the pages stay.
#[must_use]
pub fn populate() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let ours = |mapping: &Mapping| mapping.name.is_empty() || mapping.name == "[heap]";
    mappings(&maps).iter().filter(|mapping| ours(mapping) && populate_one(&mapping.range)).map(|m| m.range.len()).sum()
}

#[cfg(target_os = "linux")]
fn populate_one(range: &Range<usize>) -> bool {
    let address = std::ptr::with_exposed_provenance_mut::<libc::c_void>(range.start);
    // SAFETY: MADV_POPULATE_WRITE makes pages present as if each were written with the bytes it holds: nothing that
    // the program sees changes. A mapping that is gone meanwhile is an error, not a fault.
    unsafe { libc::madvise(address, range.len(), libc::MADV_POPULATE_WRITE) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn populate_one(_range: &Range<usize>) -> bool {
    false
}

/// Makes the calling thread's stack present as deep as any work goes.
#[inline(never)]
pub fn touch_stack() {
    let mut pages = [0_u8; STACK_BYTES];
    black_box(&mut pages).fill(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
00400000-00800000 r-xp 00000000 fe:00 12 /usr/bin/spinbook
00800000-00e10000 rw-p 00000000 00:00 0 [heap]
01000000-01200000 rw-p 00000000 00:00 0
01200000-01400000 rw-s 00000000 00:05 9 /dev/shm/x y
01400000-01400000 rw-p 00000000 00:00 0
nonsense
7ffd0000-7ffe0000 rw-p 00000000 00:00 0 [stack]
";

    #[test]
    fn private_memory_that_may_be_written_is_found() {
        let found: Vec<(usize, String)> = mappings(MAPS).into_iter().map(|m| (m.range.start, m.name)).collect();
        let heap = (0x80_0000, "[heap]".to_owned());
        assert_eq!(found, [heap, (0x100_0000, String::new()), (0x7ffd_0000, "[stack]".to_owned())]);
        assert!(mappings("").is_empty() && mappings("12-zz rw-p\n").is_empty());
    }

    #[test]
    fn blocks_lie_wholly_within_a_mapping() {
        let of_all = |ranges: &[Range<usize>]| -> Vec<usize> {
            huge_blocks(ranges, &mappings(MAPS)).into_iter().map(|block| block.start).collect()
        };
        let of = |range: Range<usize>| of_all(std::slice::from_ref(&range));
        assert_eq!(of(0x80_1000..0x80_2000), [0x80_0000]);
        let both_twice = [0x9f_f000..0xa0_1000, 0x80_0000..0x80_0001, 0x9f_0000..0xa0_0000];
        assert_eq!(of_all(&both_twice), [0x80_0000, 0xa0_0000]);
        assert!(of(0xc0_0000..0xe0_0000).contains(&0xc0_0000));
        assert!(of(0xe0_0000..0xe1_0000).is_empty(), "the heap ends before the block does");
        assert!(of(0x40_0000..0x40_1000).is_empty(), "code is not ours to move");
        assert!(of(0x80_0000..0x80_0000).is_empty());
        assert_eq!(of(0x100_0000..0x120_0000), [0x100_0000]);
    }

    #[test]
    fn huge_pages_are_read_off_the_mappings_that_matter() {
        let smaps = "00800000-00e10000 rw-p 00000000 00:00 0 [heap]\nRss: 12 kB\nAnonHugePages:      4096 kB\n\
                     01000000-01200000 rw-p 00000000 00:00 0\nAnonHugePages:      2048 kB\nVmFlags: rd wr\n";
        let of = |range: Range<usize>, smaps: &str| huge_bytes_of(std::slice::from_ref(&range), smaps);
        assert_eq!(of(0x80_0000..0x80_0001, smaps), 4096 << 10);
        assert_eq!(huge_bytes_of(&[0x80_0000..0x80_0001, 0x110_0000..0x110_0008], smaps), 6144 << 10);
        assert_eq!(huge_bytes_of(&[0x70_0000..0x80_0000, 0xe1_0000..0xe2_0000], smaps), 0);
        assert_eq!(of(0x80_0000..0x80_0001, "AnonHugePages: many\n\n-\n"), 0);
    }

    #[test]
    fn a_lock_is_refused_that_a_later_mapping_would_pay_for() {
        let limits =
            |soft: &str| format!("Limit Soft Hard Units\nMax locked memory         {soft}  unlimited  bytes\n");
        let status = |capabilities: &str| format!("Name:\tx\nVmSize:\t  364196 kB\nCapEff:\t{capabilities}\n");
        let (none, all) = (status("0000000000000000"), status("000001ffffffffff"));
        let read = |soft: &str, status: &str| LockLimit::read(&limits(soft), status);
        assert_eq!(read("unlimited", &none).limit_bytes, None);
        assert_eq!(read("8388608", &all).limit_bytes, None);
        assert!(read("8388608", &all).check().is_ok());
        let low = read("8388608", &none);
        assert_eq!(low, LockLimit { limit_bytes: Some(8 << 20), mapped_bytes: 364_196 << 10 });
        let mapped = 364_196_u64 << 10;
        for (limit, allowed) in [(8 << 20, false), (mapped, false), (mapped + (1 << 30), true)] {
            assert_eq!(read(&limit.to_string(), &none).check().is_ok(), allowed, "{limit}");
        }
        assert_eq!(LockLimit::read("", "").limit_bytes, Some(0), "what is not said is not allowed");
        assert!(LockLimit::read("", "").check().is_err());
    }

    #[test]
    fn asking_for_huge_pages_changes_no_byte() {
        let memory: Vec<u64> = (0..(4 * HUGE_PAGE_BYTES as u64 / 8)).collect();
        let pointers = memory.as_ptr_range();
        let range = pointers.start.expose_provenance()..pointers.end.addr();
        let pages = use_huge_pages(std::slice::from_ref(&range));
        assert_eq!(pages.wanted_bytes, 4 * HUGE_PAGE_BYTES);
        assert!(pages.huge_bytes <= pages.wanted_bytes);
        let smaps = fs::read_to_string("/proc/self/smaps").unwrap_or_default();
        let seen = huge_bytes_of(std::slice::from_ref(&range), &smaps);
        println!("{pages:?}, the system shows {seen} bytes");
        assert!(memory.iter().zip(0..).all(|(held, written)| *held == written));
        assert_eq!(use_huge_pages(&[]), HugePages::default());
    }
}
