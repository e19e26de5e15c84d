//! HOT: masking keys of outgoing frames: from the system's strong source, drawn ahead (RFC 6455, 5.3).

use aws_lc_rs::rand;

use super::ConnectionError;

/// Keys drawn at once.
const KEYS: usize = 256;

/// Unused masking keys.
pub(super) struct Masks {
    keys: [[u8; 4]; KEYS],
    used: usize,
}

impl Masks {
    pub(super) fn new() -> Result<Masks, ConnectionError> {
        let mut masks = Masks { keys: [[0; 4]; KEYS], used: 0 };
        masks.draw()?;
        Ok(masks)
    }

    #[inline]
    pub(super) fn next(&mut self) -> Result<[u8; 4], ConnectionError> {
        if self.used == KEYS {
            self.draw()?;
        }
        self.used += 1;
        Ok(self.keys[self.used - 1])
    }

    #[cold]
    fn draw(&mut self) -> Result<(), ConnectionError> {
        rand::fill(self.keys.as_flattened_mut()).map_err(|_| ConnectionError::Random)?;
        self.used = 0;
        Ok(())
    }
}
