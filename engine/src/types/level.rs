//! HOT: one price level as every decoder writes it and every book reads it.

use super::{Lots, Tick};

/// One price level: an absolute quantity at a price. Zero lots deletes the level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Level {
    /// Price in ticks.
    pub tick: Tick,
    /// Absolute quantity in lots; zero means the level is gone.
    pub lots: Lots,
}

const _: () = assert!(size_of::<Level>() == 16);
