//! COLD: Ctrl-C: the first asks for an orderly end, the second leaves at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};

/// Counts interrupts; to be asked now and then by the thread that waits.
#[derive(Debug)]
pub struct Interrupts {
    raised: Arc<AtomicBool>,
    count: u32,
}

impl Interrupts {
    /// Takes over SIGINT and SIGTERM.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub fn install() -> io::Result<Interrupts> {
        let raised = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGINT, raised.clone())?;
        signal_hook::flag::register(SIGTERM, raised.clone())?;
        Ok(Interrupts { raised, count: 0 })
    }

    /// How many there were. Two between two questions count as one.
    pub fn count(&mut self) -> u32 {
        if self.raised.swap(false, Ordering::Relaxed) {
            self.count += 1;
        }
        self.count
    }
}
