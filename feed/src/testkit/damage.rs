//! COLD: one random damage of a frame or of a recorded line.

use crate::random::Random;

/// Changes, removes, repeats or swaps some bytes, by the next numbers of `random`; nothing where there are none.
pub fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    if bytes.is_empty() {
        return;
    }
    let at = (random.next_u64() % bytes.len() as u64) as usize;
    let other = (random.next_u64() % bytes.len() as u64) as usize;
    let likely = b"0123456789.\"[]{},:-eE \\aAbBuUpst@";
    match random.next_u64() % 9 {
        0 => bytes[at] ^= 1 << (random.next_u64() % 8),
        1 => bytes[at] = random.next_u64() as u8,
        2 | 3 => bytes[at] = likely[(random.next_u64() % likely.len() as u64) as usize],
        4 => drop(bytes.remove(at)),
        5 => bytes.insert(at, likely[(random.next_u64() % likely.len() as u64) as usize]),
        6 => bytes.swap(at, other),
        7 => bytes.truncate(at),
        _ => {
            let (from, to) = (at.min(other), (at.min(other) + 40).min(bytes.len()));
            let part = bytes[from..to].to_vec();
            bytes.splice(to..to, part);
        }
    }
}
