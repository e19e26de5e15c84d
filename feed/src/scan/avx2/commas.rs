//! HOT: where a byte is in 64, and where all commas between a header and a tail are.
#![allow(unsafe_code)]

use core::arch::x86_64::*;

use super::{BLOCK, COMMAS_MAX};

/// Which of the 64 bytes of two registers are `byte`.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[inline]
pub(super) fn equal((low, high): (__m256i, __m256i), byte: u8) -> u64 {
    let byte = _mm256_set1_epi8(byte as i8);
    let low = _mm256_movemask_epi8(_mm256_cmpeq_epi8(low, byte)) as u32;
    let high = _mm256_movemask_epi8(_mm256_cmpeq_epi8(high, byte)) as u32;
    u64::from(low) | (u64::from(high) << 32)
}

/// # Safety
/// The processor has the features; 64 bytes can be read.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[inline]
pub(super) unsafe fn block_at(at: *const u8) -> (__m256i, __m256i) {
    // SAFETY: the caller's promise.
    unsafe { (_mm256_loadu_si256(at.cast()), _mm256_loadu_si256(at.add(BLOCK / 2).cast())) }
}

/// Writes the places of the bits of `mask`, counted from `at`; gives how many there are.
///
/// # Safety
/// The processor has the features; `target` has room for `BLOCK`.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[inline]
unsafe fn write_places(target: *mut u32, at: usize, mut mask: u64) -> usize {
    let count = mask.count_ones() as usize;
    let mut index = 0;
    // Blocks hold three to seven commas: write eight without asking, more in steps.
    loop {
        for step in 0..8 {
            let comma = (at as u32).wrapping_add(_tzcnt_u64(mask) as u32);
            // Volatile, so that the compiler does not gather eight of them in a vector first.
            // SAFETY: index + step < BLOCK, because index < count <= 64 in steps of eight, or zero.
            unsafe { target.add(index | step).write_volatile(comma) };
            mask = _blsr_u64(mask);
        }
        index += 8;
        if index >= count {
            return count;
        }
    }
}

/// Offsets of all commas in `start..end` go to `commas`; gives how many there are and the index of the last one before
/// `letter`, which is above all bytes of a level. `None` if there are too many, or none before a letter.
///
/// A second letter is found where the bytes between the commas are compared.
///
/// # Safety
/// The processor has the features; start is before the end, behind which 64 bytes can be read; `commas` has room for
/// `COMMAS_MAX + BLOCK`.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[inline]
pub(super) unsafe fn find_commas(
    commas: *mut u32,
    base: *const u8,
    (start, end): (usize, usize),
    letter: u8,
) -> Option<(usize, usize)> {
    let below = _mm256_set1_epi8(letter.wrapping_sub(1) as i8);
    let (mut found, mut at) = (0usize, start);
    // Where the letter is, and how many commas are before its block.
    let mut of_letter = (usize::MAX, 0);
    while end - at > BLOCK {
        // SAFETY: at < end and 64 bytes lie behind it.
        let block = unsafe { block_at(base.add(at)) };
        let larger = _mm256_cmpgt_epi8(_mm256_max_epu8(block.0, block.1), below);
        // No branch: nobody could foretell in which block it is.
        of_letter = core::hint::select_unpredictable(_mm256_movemask_epi8(larger) != 0, (at, found), of_letter);
        // SAFETY: `found` is at most COMMAS_MAX and a block writes at most BLOCK entries.
        found = found.wrapping_add(unsafe { write_places(commas.add(found), at, equal(block, b',')) });
        if found > COMMAS_MAX {
            return None;
        }
        at = at.wrapping_add(BLOCK);
    }
    let rest = (end - at) as u32;
    // SAFETY: as above.
    let block = unsafe { block_at(base.add(at)) };
    let (letters, last) = (_bzhi_u64(equal(block, letter), rest), _bzhi_u64(equal(block, b','), rest));
    let before = if letters != 0 {
        found.wrapping_add((last & _blsmsk_u64(letters)).count_ones() as usize)
    } else if of_letter.0 != usize::MAX {
        // SAFETY: it is one of the blocks above.
        let block = unsafe { block_at(base.add(of_letter.0)) };
        let before = equal(block, b',') & _blsmsk_u64(equal(block, letter));
        of_letter.1.wrapping_add(before.count_ones() as usize)
    } else {
        return None;
    };
    // SAFETY: as above.
    found = found.wrapping_add(unsafe { write_places(commas.add(found), at, last) });
    (before > 0 && found <= COMMAS_MAX).then_some((found, before.wrapping_sub(1)))
}
