//! COLD: Ctrl-C and the kill file: the first asks for an orderly end, the second leaves at once.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};

/// While nothing is ordered, Ctrl-C ends the program at once with 130, however slow the venue is. Said to the system
/// explicitly: a program that was started in the background may have inherited that interrupts are ignored.
#[derive(Debug)]
pub struct EarlyExit(Arc<AtomicBool>);

impl EarlyExit {
    /// Takes over SIGINT and SIGTERM until [`EarlyExit::end`].
    ///
    /// # Errors
    /// The system refuses a handler.
    pub fn install() -> io::Result<EarlyExit> {
        let active = Arc::new(AtomicBool::new(true));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register_conditional_shutdown(signal, 130, active.clone())?;
        }
        Ok(EarlyExit(active))
    }

    /// From here on an interrupt is somebody else's.
    pub fn end(self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Counts interrupts; to be asked now and then by the thread that waits.
#[derive(Debug)]
pub struct Interrupts {
    raised: Arc<AtomicBool>,
    count: u32,
    /// The file that `spinbook kill` leaves, until it was seen.
    kill_file: Option<PathBuf>,
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
        Ok(Interrupts { raised, count: 0, kill_file: None })
    }

    /// Counts the appearance of this file, too, as one interrupt.
    #[must_use]
    pub fn or_file(mut self, kill_file: PathBuf) -> Interrupts {
        self.kill_file = Some(kill_file);
        self
    }

    /// How many there were. Two between two questions count as one.
    pub fn count(&mut self) -> u32 {
        if self.raised.swap(false, Ordering::Relaxed) {
            self.count += 1;
        }
        if let Some(path) = self.kill_file.take_if(|path| path.exists()) {
            tracing::error!("{} is there: cancelling everything and ending", path.display());
            self.count += 1;
        }
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kill_file_counts_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("kill");
        let mut interrupts =
            Interrupts { raised: Arc::new(AtomicBool::new(false)), count: 0, kill_file: None }.or_file(path.clone());
        assert_eq!(interrupts.count(), 0);
        std::fs::write(&path, "halt\n").expect("writable");
        assert_eq!((interrupts.count(), interrupts.count()), (1, 1));
        interrupts.raised.store(true, Ordering::Relaxed);
        assert_eq!(interrupts.count(), 2);
    }
}
