//! HOT: frames by AVX2: the header against its template, where all commas are, then every level on its own.
//!
//! Price and quantity of a level are converted together, one in each half of a register, two levels at a
//! time. Every byte is checked: what lies around commas by comparison, what lies between by its length, digits
//! and the place of the dot inside the register.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod commas;
#[cfg(target_arch = "x86_64")]
mod kernel;

use spinbook_engine::limits::LEVELS_PER_MESSAGE_MAX;
use spinbook_engine::prefetch::prefetch;

use super::frame_template::{FrameTemplate, Numbers};
use super::layout::InstrumentLayout;
use super::{LevelScratch, Schema};

/// Commas behind a header: two a level, one between the sides.
const COMMAS_MAX: usize = 4 * LEVELS_PER_MESSAGE_MAX + 8;
/// Bytes looked at in one step of the search for commas.
const BLOCK: usize = 64;

/// The scanner's scratch; that it exists proves that the processor has AVX2, BMI1 and BMI2.
pub(crate) struct Avx2 {
    /// Offsets of commas from the frame's start, one entry before them, and room for a block of nothing else.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "never made on other processors"))]
    commas: Box<[u32]>,
}

impl core::fmt::Debug for Avx2 {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.write_str("Avx2")
    }
}

#[cfg(not(target_arch = "x86_64"))]
impl Avx2 {
    pub(crate) fn detect() -> Option<Avx2> {
        None
    }

    pub(crate) fn warm(&self) {
        prefetch(&*self.commas);
    }

    pub(crate) fn scan<S: Schema>(
        &mut self,
        _template: &FrameTemplate,
        _shapes: &InstrumentLayout,
        _padded: &[u8],
        _length: usize,
        _numbers: &mut Numbers,
        _levels: &mut LevelScratch,
    ) -> bool {
        false
    }
}

#[cfg(target_arch = "x86_64")]
impl Avx2 {
    /// The scanner, if this processor can run it (set-up).
    pub(crate) fn detect() -> Option<Avx2> {
        let able = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt");
        able.then(|| Avx2 { commas: vec![0; 1 + COMMAS_MAX + BLOCK].into_boxed_slice() })
    }

    /// Asks for the first places of the list of commas.
    pub(crate) fn warm(&self) {
        prefetch(&self.commas[..4 * BLOCK]);
    }

    /// Reads `padded[..length]`, if it fits the template and its numbers the layouts. False: another way must find
    /// out (levels and numbers are then undefined, but not applied).
    #[inline(always)]
    pub(crate) fn scan<S: Schema>(
        &mut self,
        template: &FrameTemplate,
        layouts: &InstrumentLayout,
        padded: &[u8],
        length: usize,
        numbers: &mut Numbers,
        levels: &mut LevelScratch,
    ) -> bool {
        let tail_start = length.wrapping_sub(template.tail.length);
        // The shortest middle is that of a best bid/ask, the shortest header is longer than two lanes.
        if template.head.length < 2 * super::layout::LANE
            || tail_start > length
            || template.head.length.wrapping_add(3) > tail_start
            || padded.len() < length.wrapping_add(BLOCK)
            || self.commas.len() < 1 + COMMAS_MAX + BLOCK
        {
            return false;
        }
        // SAFETY: `self` exists, so `detect` found the features; the bounds that the kernel names were just
        // checked.
        unsafe { kernel::scan::<S>(&mut self.commas, template, layouts, padded, tail_start, numbers, levels).is_some() }
    }
}
