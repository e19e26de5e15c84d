//! HOT: whether bytes are UTF-8 text: the ASCII that nearly all of it is in wide steps, anything else by simdutf8.
#![allow(unsafe_code)]

use super::WebSocketError;

/// Bytes of a step: two registers of AVX2, four of SSE2.
const BLOCK: usize = 64;
/// Steps of a long text that are looked at together.
const LONG_BLOCKS: usize = 4;
/// A shorter text was decrypted so recently that its bytes are still on their way to the cache: narrow loads, of
/// which most lie within one of the cipher's stores, need not wait for that.
const SHORT_TEXT_BYTES: usize = 512;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// Whether bytes are UTF-8.
#[inline]
#[must_use]
pub fn is_text(bytes: &[u8]) -> bool {
    is_ascii(bytes) || simdutf8::basic::from_utf8(bytes).is_ok()
}

/// How many bytes are whole, valid characters; an error if what follows cannot become one.
pub(super) fn valid_prefix(bytes: &[u8]) -> Result<usize, WebSocketError> {
    if is_text(bytes) {
        return Ok(bytes.len());
    }
    match core::str::from_utf8(bytes) {
        Ok(_) => Ok(bytes.len()),
        Err(error) if error.error_len().is_none() => Ok(error.valid_up_to()),
        Err(_) => Err(WebSocketError::Utf8),
    }
}

#[inline]
fn is_ascii(bytes: &[u8]) -> bool {
    if bytes.len() < SHORT_TEXT_BYTES {
        return is_short_ascii(bytes);
    }
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2: it was asked just now.
        return unsafe { is_long_ascii_avx2(bytes) };
    }
    is_long_ascii(bytes)
}

/// No early end, and a last block that overlaps the one before it: a branch a block instead of one a byte.
#[inline]
fn is_short_ascii(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk::<BLOCK>() else {
        return bytes.is_ascii();
    };
    let mut all = [0u64; BLOCK / 8];
    gather(&mut all, last);
    bytes.as_chunks::<BLOCK>().0.iter().for_each(|block| gather(&mut all, block));
    has_no_high_bit(&all)
}

/// The same, compiled for AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn is_long_ascii_avx2(bytes: &[u8]) -> bool {
    is_long_ascii(bytes)
}

#[inline(always)]
fn is_long_ascii(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk::<BLOCK>() else {
        return bytes.is_ascii();
    };
    let mut all = [0u64; BLOCK / 8];
    let (long, rest) = bytes.as_chunks::<{ LONG_BLOCKS * BLOCK }>();
    for blocks in long {
        for block in blocks.as_chunks::<BLOCK>().0 {
            gather(&mut all, block);
        }
    }
    for block in rest.as_chunks::<BLOCK>().0 {
        gather(&mut all, block);
    }
    gather(&mut all, last);
    has_no_high_bit(&all)
}

#[inline(always)]
fn has_no_high_bit(all: &[u64; BLOCK / 8]) -> bool {
    all.iter().fold(0, |all, word| all | word) & HIGH_BITS == 0
}

#[inline(always)]
fn gather(all: &mut [u64; BLOCK / 8], block: &[u8; BLOCK]) {
    for (all, word) in all.iter_mut().zip(block.as_chunks::<8>().0) {
        *all |= u64::from_ne_bytes(*word);
    }
}

#[cfg(test)]
mod tests {
    use super::{is_ascii, is_long_ascii, is_short_ascii, is_text, valid_prefix};

    #[test]
    fn one_high_bit_is_found_wherever_it_stands() {
        for length in (0..=200).chain([255, 256, 257, 319, 320, 700]) {
            let mut bytes = vec![b'x'; length];
            for judge in [is_ascii, is_short_ascii, is_long_ascii, is_text] {
                assert!(judge(&bytes), "{length}");
            }
            for at in 0..length {
                bytes[at] = 0x80;
                for judge in [is_ascii, is_short_ascii, is_long_ascii, is_text] {
                    assert!(!judge(&bytes), "{at} of {length}");
                }
                bytes[at] = b'x';
            }
        }
    }

    #[test]
    fn a_character_cut_short_is_no_error_yet() {
        let text = "euro \u{20ac}".as_bytes();
        assert!(is_text(text));
        assert_eq!(valid_prefix(text), Ok(text.len()));
        assert_eq!(valid_prefix(&text[..text.len() - 1]), Ok(5));
        assert!(valid_prefix(&[b'a', 0xc0]).is_err());
    }
}
