//! HOT: HMAC-SHA256 (RFC 2104) from kept states: both padded keys, and what a text always begins with, are hashed once.

use sha2::block_api::compress256;
use sha2::{Digest, Sha256};
use zeroize::Zeroize;

/// Bytes of a block of SHA-256.
const BLOCK: usize = 64;
/// SHA-256's state before the first block (FIPS 180-4, 5.3.3).
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];
/// Both hexadecimal digits of each byte.
const HEX: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    table
};

/// A key as the two states behind its padded blocks. They sign as the key does: wiped when dropped.
pub struct HmacStates {
    inner: [u32; 8],
    outer: [u32; 8],
}

/// The inner state behind the whole blocks of a text's constant beginning. Reveals no key, but signs with one.
#[derive(Clone)]
pub struct HmacPrefix {
    state: [u32; 8],
    bytes: usize,
}

impl Drop for HmacStates {
    fn drop(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
    }
}

impl Drop for HmacPrefix {
    fn drop(&mut self) {
        self.state.zeroize();
    }
}

impl HmacStates {
    /// Both states of a key of any length.
    #[must_use]
    pub fn new(key: &[u8]) -> HmacStates {
        let mut padded = [0u8; BLOCK];
        if key.len() > BLOCK {
            padded[..32].copy_from_slice(&Sha256::digest(key));
        } else {
            padded[..key.len()].copy_from_slice(key);
        }
        let behind = |pad: u8| {
            let mut block = padded.map(|byte| byte ^ pad);
            let mut state = INITIAL;
            compress256(&mut state, core::slice::from_ref(&block));
            block.zeroize();
            state
        };
        let states = HmacStates { inner: behind(0x36), outer: behind(0x5c) };
        padded.zeroize();
        states
    }

    /// The state behind what every text to come begins with.
    #[must_use]
    pub fn prefix(&self, beginning: &[u8]) -> HmacPrefix {
        let (blocks, _) = beginning.as_chunks::<BLOCK>();
        let mut state = self.inner;
        compress256(&mut state, blocks);
        HmacPrefix { state, bytes: blocks.len() * BLOCK }
    }

    /// The code of a whole text.
    #[inline]
    #[must_use]
    pub fn code(&self, text: &[u8]) -> [u8; 32] {
        self.finish(self.inner, text, text.len())
    }

    /// The code of a whole text that begins as `prefix` was told.
    #[inline]
    #[must_use]
    pub fn code_behind(&self, prefix: &HmacPrefix, text: &[u8]) -> [u8; 32] {
        let rest = text.get(prefix.bytes..).unwrap_or_default();
        self.finish(prefix.state, rest, text.len())
    }

    #[inline]
    fn finish(&self, mut state: [u32; 8], rest: &[u8], text_bytes: usize) -> [u8; 32] {
        let (blocks, tail) = rest.as_chunks::<BLOCK>();
        compress256(&mut state, blocks);
        let mut last = [[0u8; BLOCK]; 2];
        let flat = last.as_flattened_mut();
        flat[..tail.len()].copy_from_slice(tail);
        flat[tail.len()] = 0x80;
        let used = if tail.len() + 9 > BLOCK { 2 } else { 1 };
        let bits = (BLOCK + text_bytes) as u64 * 8;
        flat[used * BLOCK - 8..used * BLOCK].copy_from_slice(&bits.to_be_bytes());
        compress256(&mut state, &last[..used]);
        let mut block = [0u8; BLOCK];
        write_state(&state, &mut block);
        block[32] = 0x80;
        block[BLOCK - 8..].copy_from_slice(&((BLOCK as u64 + 32) * 8).to_be_bytes());
        let mut outer = self.outer;
        compress256(&mut outer, core::slice::from_ref(&block));
        let mut code = [0; 32];
        write_state(&outer, &mut code);
        code
    }
}

#[inline]
fn write_state(state: &[u32; 8], out: &mut [u8]) {
    for (word, bytes) in state.iter().zip(out.as_chunks_mut::<4>().0) {
        *bytes = word.to_be_bytes();
    }
}

/// A code in lower-case hexadecimal.
#[inline]
#[must_use]
pub fn hex(code: &[u8; 32]) -> [u8; 64] {
    let mut out = [0; 64];
    for (byte, digits) in code.iter().zip(out.as_chunks_mut::<2>().0) {
        *digits = HEX[usize::from(*byte)];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{HmacStates, hex};
    use hmac::{Hmac, KeyInit, Mac};
    use sha2::Sha256;

    #[test]
    fn agrees_with_the_library_for_every_length_of_key_text_and_prefix() {
        let text: Vec<u8> = (0..300u32).map(|at| (at * 7 + at / 3) as u8).collect();
        for key_bytes in [1, 32, 63, 64, 65, 130] {
            let key = &text[text.len() - key_bytes..];
            let states = HmacStates::new(key);
            for length in 0..text.len() {
                let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap();
                mac.update(&text[..length]);
                let expected: [u8; 32] = mac.finalize().into_bytes().into();
                assert_eq!(states.code(&text[..length]), expected, "{key_bytes} {length}");
                for beginning in [length / 3, length] {
                    let prefix = states.prefix(&text[..beginning]);
                    assert_eq!(states.code_behind(&prefix, &text[..length]), expected);
                }
            }
        }
    }

    #[test]
    fn rfc_4231_case_2() {
        let code = HmacStates::new(b"Jefe").code(b"what do ya want for nothing?");
        assert_eq!(
            core::str::from_utf8(&hex(&code)).unwrap(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
