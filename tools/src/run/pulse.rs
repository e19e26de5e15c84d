//! COLD: the pulse of a live run, told over a socket in its state directory to whoever watches over it.
//!
//! A line every [`TELL_EVERY`], without any disk between. An engine that is stopped tells nothing, one that has vanished
//! ends the connection, and one that ends in order says so first. Beside it lies the file [`TRADING_FILE`]: where it is
//! and no engine runs, orders may be open that nobody watches.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use spinbook_feed::net::host::threads;
use spinbook_feed::net::hot::hot_shared::HotShared;
use spinbook_feed::net::io::gateway_loop::GatewayShared;
use spinbook_feed::supervision::beat::{Beat, Heard};

use super::state_dir;

/// The socket in a state directory.
const SOCKET_FILE: &str = "pulse";
/// The file in a state directory that stands there while orders may be open.
pub const TRADING_FILE: &str = "trading";
/// How often the pulse is told.
pub const TELL_EVERY: Duration = Duration::from_millis(50);
/// Most watchers at once; whoever comes then is turned away.
const WATCHERS_MAX: usize = 8;

/// A socket's address may have some hundred bytes; through the open directory any path will do.
pub(super) fn socket_address(directory: &File, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{name}", directory.as_raw_fd()))
}

/// Opens a socket in a state directory, which the run holds, over one that a run before left there.
///
/// # Errors
/// The directory cannot be written, or the system refuses a socket.
pub(super) fn open_socket(directory: &Path, name: &str) -> io::Result<UnixListener> {
    let folder = File::open(directory)?;
    let address = socket_address(&folder, name);
    match fs::remove_file(&address) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Whether orders may be open of a run in this directory.
#[must_use]
pub fn is_trading(directory: &Path) -> bool {
    directory.join(TRADING_FILE).exists()
}

/// Puts up the sign that orders may be open: before the first one can be.
///
/// # Errors
/// The directory cannot be written.
pub fn mark_trading(directory: &Path) -> io::Result<()> {
    File::create(directory.join(TRADING_FILE))?.sync_all()
}

/// Takes the sign away that orders may be open.
///
/// # Errors
/// The system refuses.
pub fn clear_trading(directory: &Path) -> io::Result<()> {
    match fs::remove_file(directory.join(TRADING_FILE)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What is left to be said in the state directory of a live run that ends without its main thread.
#[derive(Clone, Debug)]
pub struct LastWord {
    /// The state directory.
    pub directory: PathBuf,
    /// Whether the venues confirmed that nothing is open.
    pub confirmed: bool,
    /// Orders that may be open.
    pub open_orders: usize,
}

impl LastWord {
    /// Takes the sign of trading away where nothing is open, and answers `spinbook kill`. The disk may stand still: it is
    /// waited for so long and no longer.
    pub fn say(self, within: Duration) {
        let write = move || {
            if self.confirmed
                && let Err(error) = clear_trading(&self.directory)
            {
                tracing::warn!("{}: cannot be removed: {error}", self.directory.join(TRADING_FILE).display());
            }
            state_dir::answer_kill(&self.directory, self.confirmed, self.open_orders);
        };
        let Ok(written) = threads::spawn("spinbook-last", None, |_| {}, write) else { return };
        let until = Instant::now() + within;
        while !written.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Tells the pulse of a run while it lives.
pub struct Pulse {
    directory: PathBuf,
    io: Arc<GatewayShared>,
    over: Arc<AtomicBool>,
}

impl Pulse {
    /// From here on, in this state directory, which the run holds.
    ///
    /// # Errors
    /// The directory cannot be written, or the system refuses a socket or a thread.
    pub fn start(directory: &Path, hot: Arc<HotShared>, io: Arc<GatewayShared>) -> io::Result<Pulse> {
        let listener = open_socket(directory, SOCKET_FILE)?;
        let over = Arc::new(AtomicBool::new(false));
        let pulse = Pulse { directory: directory.to_owned(), io: io.clone(), over: over.clone() };
        threads::spawn("spinbook-pulse", None, |_| {}, move || tell(&listener, &hot, &io, &over))?;
        Ok(pulse)
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        // Only where the venues confirmed it; otherwise whoever watches over the run has work to do.
        if self.io.confirmed.load(Ordering::Acquire)
            && let Err(error) = clear_trading(&self.directory)
        {
            tracing::warn!("{}: cannot be removed: {error}", self.directory.join(TRADING_FILE).display());
        }
        self.over.store(true, Ordering::Release);
        std::thread::sleep(TELL_EVERY * 2);
    }
}

fn tell(listener: &UnixListener, hot: &HotShared, io: &GatewayShared, over: &AtomicBool) {
    let mut watchers: Vec<UnixStream> = Vec::new();
    loop {
        let ended = over.load(Ordering::Acquire);
        while let Ok((watcher, _)) = listener.accept() {
            if watchers.len() < WATCHERS_MAX && watcher.set_nonblocking(true).is_ok() {
                watchers.push(watcher);
            }
        }
        let beat = match ended {
            true => Beat::Ended { confirmed: io.confirmed.load(Ordering::Acquire) },
            false => Beat::Alive {
                hot: hot.heartbeat.load(Ordering::Relaxed),
                io: io.heartbeat.load(Ordering::Relaxed),
                open_orders: io.open_orders.load(Ordering::Relaxed),
            },
        };
        let line = beat.line();
        // Who does not read is left behind, and comes again.
        watchers.retain_mut(|watcher| watcher.write_all(line.as_bytes()).is_ok());
        if ended {
            return;
        }
        std::thread::sleep(TELL_EVERY);
    }
}

/// The other end: what a run told last.
pub struct PulseReader {
    stream: UnixStream,
    part: Vec<u8>,
}

impl PulseReader {
    /// Connects to the run of a state directory; none where nobody listens.
    #[must_use]
    pub fn open(directory: &Path) -> Option<PulseReader> {
        let folder = File::open(directory).ok()?;
        let stream = UnixStream::connect(socket_address(&folder, SOCKET_FILE)).ok()?;
        stream.set_nonblocking(true).ok()?;
        Some(PulseReader { stream, part: Vec::new() })
    }

    /// What came since the last look.
    pub fn hear(&mut self) -> Heard {
        let mut heard = Heard::Nothing;
        loop {
            let mut bytes = [0; 4096];
            match self.stream.read(&mut bytes) {
                Ok(0) => return if heard == Heard::Nothing { Heard::Gone } else { heard },
                Ok(count) => {
                    self.part.extend_from_slice(&bytes[..count]);
                    if let Some(beat) = self.newest() {
                        heard = Heard::Beat(beat);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return heard,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return if heard == Heard::Nothing { Heard::Gone } else { heard },
            }
        }
    }

    /// The last whole line so far; what is behind it waits.
    fn newest(&mut self) -> Option<Beat> {
        let end = self.part.iter().rposition(|byte| *byte == b'\n')?;
        let whole = String::from_utf8_lossy(&self.part[..end]).into_owned();
        self.part.drain(..=end);
        whole.lines().last().and_then(Beat::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits for a line that is as wanted.
    fn until(reader: &mut PulseReader, wanted: impl Fn(Heard) -> bool) -> Heard {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let heard = reader.hear();
            if wanted(heard) {
                return heard;
            }
            assert!(Instant::now() < until, "{heard:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_run_tells_how_far_it_is_and_says_when_it_has_ended() {
        let root = tempfile::tempdir().expect("a folder");
        // Longer than any address of a socket.
        let directory = root.path().join("d".repeat(120));
        fs::create_dir(&directory).expect("made");
        assert!(PulseReader::open(&directory).is_none() && !is_trading(&directory));
        let (hot, io) = (Arc::new(HotShared::default()), Arc::new(GatewayShared::default()));
        hot.heartbeat.store(7, Ordering::Relaxed);
        mark_trading(&directory).expect("a writable folder");
        let pulse = Pulse::start(&directory, hot, io.clone()).expect("a writable folder");
        let mut reader = PulseReader::open(&directory).expect("it listens");
        let alive = Beat::Alive { hot: 7, io: 0, open_orders: 0 };
        assert_eq!(until(&mut reader, |heard| heard != Heard::Nothing), Heard::Beat(alive));
        assert!(is_trading(&directory));
        io.confirmed.store(true, Ordering::Release);
        drop(pulse);
        let ended = Heard::Beat(Beat::Ended { confirmed: true });
        assert_eq!(until(&mut reader, |heard| heard == ended), ended);
        assert_eq!(until(&mut reader, |heard| heard == Heard::Gone), Heard::Gone);
        assert!(!is_trading(&directory));
    }

    #[test]
    fn orders_that_nobody_confirmed_leave_their_sign_behind() {
        let directory = tempfile::tempdir().expect("a folder");
        for _ in 0..2 {
            let (hot, io) = (Arc::new(HotShared::default()), Arc::new(GatewayShared::default()));
            mark_trading(directory.path()).expect("a writable folder");
            drop(Pulse::start(directory.path(), hot, io).expect("also over the socket of a run before"));
            assert!(is_trading(directory.path()));
        }
        clear_trading(directory.path()).expect("it is there");
        clear_trading(directory.path()).expect("it is gone");
    }
}
