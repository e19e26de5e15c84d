//! COLD: the screen with its keys, on a pseudo-terminal that belongs to the program: what it shows, obeys and gives back.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::pty::{Winsize, openpty};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

use crate::desk::Desk;
use crate::rig::{Exchange, HANG, Setup, program, signal};

const WIDTH: usize = 100;
const HEIGHT: usize = 30;

/// What a terminal shows of the bytes that it was sent: positions and characters, no colours.
#[derive(Clone)]
struct Grid {
    cells: Vec<Vec<char>>,
    at: (usize, usize),
    /// Everything it was sent.
    sent: String,
    /// How much of it is shown.
    shown: usize,
}

impl Grid {
    fn new() -> Grid {
        Grid { cells: vec![vec![' '; WIDTH]; HEIGHT], at: (0, 0), sent: String::new(), shown: 0 }
    }

    /// Takes what was sent since; a sequence that is not whole waits for its rest.
    fn follow(&mut self) {
        while let Some(first) = self.sent[self.shown..].chars().next() {
            let rest = &self.sent[self.shown..];
            if let Some(sequence) = rest.strip_prefix("\u{1b}[") {
                let Some(end) = sequence.find(|letter: char| letter.is_ascii_alphabetic()) else { return };
                let (parameters, last) = (sequence[..end].to_owned(), sequence.as_bytes()[end]);
                self.shown += 2 + end + 1;
                self.control(&parameters, last);
                continue;
            }
            self.shown += first.len_utf8();
            match first {
                '\r' => self.at.1 = 0,
                '\n' => self.at.0 += 1,
                _ => {
                    if let Some(cell) = self.cells.get_mut(self.at.0).and_then(|row| row.get_mut(self.at.1)) {
                        *cell = first;
                    }
                    self.at.1 += 1;
                }
            }
        }
    }

    fn control(&mut self, parameters: &str, last: u8) {
        match last {
            b'H' => {
                let mut numbers = parameters.split(';').map(|number| number.parse().unwrap_or(1_usize));
                let mut next = || numbers.next().unwrap_or(1).saturating_sub(1);
                self.at = (next(), next());
            }
            b'J' => self.cells = vec![vec![' '; WIDTH]; HEIGHT],
            _ => {}
        }
    }

    fn text(&self) -> String {
        self.cells.iter().map(|row| row.iter().collect::<String>() + "\n").collect()
    }
}

/// A run that has a terminal of its own.
struct OnTerminal {
    process: Child,
    keys: File,
    terminal: OwnedFd,
    before: Termios,
    grid: Arc<Mutex<Grid>>,
    /// Whoever reads the terminal does not.
    is_unread: Arc<AtomicBool>,
}

impl OnTerminal {
    fn start(run: &Command) -> OnTerminal {
        let size = Winsize { ws_row: HEIGHT as u16, ws_col: WIDTH as u16, ws_xpixel: 0, ws_ypixel: 0 };
        let made = openpty(Some(&size), None).expect("a pseudo-terminal");
        let before = tcgetattr(&made.slave).expect("it is a terminal");
        // The terminal becomes the one that controls the program, as a shell would have it.
        let mut command = Command::new("setsid");
        command.arg("-c").arg(run.get_program()).args(run.get_args());
        command.current_dir(run.get_current_dir().expect("the rig sets it"));
        for (name, value) in run.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.env("TERM", "xterm-256color");
        let slave = || Stdio::from(made.slave.try_clone().expect("a descriptor more"));
        let process = command.stdin(slave()).stdout(slave()).stderr(slave()).spawn().expect("setsid starts");
        let (grid, mut out) = (Arc::new(Mutex::new(Grid::new())), File::from(made.master));
        let keys = out.try_clone().expect("a descriptor more");
        let (shown, is_unread) = (grid.clone(), Arc::new(AtomicBool::new(false)));
        let unread = is_unread.clone();
        // It ends with the test's process: a terminal whose other side is open has no end.
        std::thread::spawn(move || {
            let (mut held, mut bytes) = (Vec::new(), [0; 65_536]);
            while let Ok(count @ 1..) = out.read(&mut bytes) {
                while unread.load(Ordering::Acquire) {
                    std::thread::sleep(Duration::from_millis(10));
                }
                held.extend_from_slice(&bytes[..count]);
                // A character that is not whole waits for its rest.
                let whole = match std::str::from_utf8(&held) {
                    Ok(text) => text.len(),
                    Err(error) => error.valid_up_to(),
                };
                let text: Vec<u8> = held.drain(..whole).collect();
                let mut grid = shown.lock().expect("no reader panics");
                grid.sent.push_str(std::str::from_utf8(&text).expect("cut where it is whole"));
                grid.follow();
            }
        });
        OnTerminal { process, keys, terminal: made.slave, before, grid, is_unread }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("the terminal takes it");
    }

    fn shows(&self) -> String {
        self.grid.lock().expect("no reader panics").text()
    }

    #[track_caller]
    fn until(&mut self, what: &str, met: impl Fn(&str) -> bool) {
        let until = Instant::now() + HANG;
        while !met(&self.shows()) {
            assert_eq!(self.process.try_wait().expect("a child of ours"), None, "it ended:\n{}", self.shows());
            assert!(Instant::now() < until, "no {what} in time:\n{}", self.shows());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[track_caller]
    fn until_shown(&mut self, text: &str) {
        self.until(text, |shown| shown.contains(text));
    }

    fn input(&self) -> LocalFlags {
        tcgetattr(&self.terminal).expect("it is a terminal").local_flags
    }

    #[track_caller]
    fn until_keys_are_read(&mut self) {
        let until = Instant::now() + HANG;
        while self.input().intersects(LocalFlags::ICANON | LocalFlags::ECHO) {
            assert!(Instant::now() < until, "keys are not read:\n{}", self.shows());
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(self.input().contains(LocalFlags::ISIG), "Ctrl-C is a signal");
    }

    /// Waits for its end, of which the terminal shows nothing: its exit code, and what was written behind the screen.
    #[track_caller]
    fn end(mut self) -> (Option<i32>, String) {
        let until = Instant::now() + HANG;
        let code = loop {
            if let Some(status) = self.process.try_wait().expect("a child of ours") {
                break status.code();
            }
            assert!(Instant::now() < until, "it hangs:\n{}", self.shows());
            std::thread::sleep(Duration::from_millis(10));
        };
        assert_eq!(self.input(), self.before.local_flags, "the terminal is as it was");
        let last = if code == Some(130) { "hot allocations" } else { "this is a bug" };
        // What was written last may still be on its way through the terminal.
        loop {
            let sent = self.grid.lock().expect("no reader panics").sent.clone();
            if let Some((_, behind)) = sent.rsplit_once("\u{1b}[?1049l").filter(|(_, behind)| behind.contains(last)) {
                assert!(behind.contains("\u{1b}[?25h"), "no cursor: {behind}");
                return (code, behind.to_owned());
            }
            assert!(Instant::now() < until, "the screen is left and `{last}` is said:\n{}", sent.escape_debug());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn keys_help_pause_and_quit_and_the_terminal_is_given_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut run = program(folder.path());
    run.args(["demo", "--seconds", "600", "--seed", "7", "--unpinned"]);
    let mut demo = OnTerminal::start(&run);
    demo.until_shown("our orders: 2");
    demo.until_keys_are_read();
    demo.press("?");
    demo.until_shown("pause: pulls every quote");
    demo.press("\u{1b}");
    demo.until("end of help", |shown| !shown.contains("pause: pulls every quote"));
    demo.press("p");
    demo.until("pause without quotes", |shown| {
        shown.contains("trading paused") && shown.contains("our orders: 0") && shown.contains("WARN trading is paused")
    });
    // Stopped and continued: a shell has used the terminal meanwhile.
    signal(demo.process.id(), "STOP");
    tcsetattr(&demo.terminal, SetArg::TCSANOW, &demo.before).expect("set");
    signal(demo.process.id(), "CONT");
    demo.until_keys_are_read();
    demo.press("p");
    demo.until("quotes again", |shown| shown.contains("our orders: 2") && shown.contains("trading active"));
    demo.press("q");
    let (code, behind) = demo.end();
    assert_eq!(code, Some(130), "{behind}");
    for text in ["WARN the key q: cancelling everything", "interrupted: everything was cancelled", "pauses"] {
        assert!(behind.contains(text), "no `{text}` in:\n{behind}");
    }
}

#[test]
fn the_terminal_is_given_back_at_every_end() {
    let exchanges = ["", "TERM", "USR2"].map(|name| (name, Exchange::start("")));
    let setups = exchanges.each_ref().map(|(name, exchange)| (*name, Setup::on(exchange)));
    let live = ["run", "-c", "run.toml", "--mode", "live", "--account", "sim0", "--panic-on-user-signal"];
    let mut runs = setups.each_ref().map(|(name, setup)| (*name, OnTerminal::start(&setup.command(&live))));
    for (name, run) in &mut runs {
        run.until_shown("our orders: 2");
        run.until_keys_are_read();
        match *name {
            "" => run.press("\u{3}"),
            name => signal(run.process.id(), name),
        }
    }
    let [interrupted, terminated, panicked] = runs.map(|(_, run)| run.end());
    assert_eq!(interrupted.0, Some(130), "{}", interrupted.1);
    assert!(interrupted.1.contains("SIGINT: cancelling everything"), "Ctrl-C is a signal: {}", interrupted.1);
    assert_eq!(terminated.0, Some(130), "{}", terminated.1);
    assert_eq!(panicked.0, Some(1), "{}", panicked.1);
    assert!(panicked.1.contains("a bug: the thread"), "{}", panicked.1);
}

#[test]
fn a_terminal_that_nobody_reads_holds_up_neither_signal_nor_kill() {
    let exchanges = [Exchange::start(""), Exchange::start("")];
    let setups = exchanges.each_ref().map(Setup::on);
    let live = ["run", "-c", "run.toml", "--mode", "live", "--account", "sim0"];
    let mut runs = setups.each_ref().map(|setup| OnTerminal::start(&setup.command(&live)));
    for run in &mut runs {
        run.until_shown("our orders: 2");
        run.is_unread.store(true, Ordering::Release);
    }
    // Ctrl-S, or an ssh connection that is dead: a few pictures later the terminal takes no more.
    std::thread::sleep(Duration::from_secs(3));
    signal(runs[0].process.id(), "INT");
    // The verb waits for the engine's own word that nothing is open.
    setups[1].spinbook(&["kill", "-c", "run.toml"]).says(0, &[]);
    for (exchange, run) in exchanges.iter().zip(&runs) {
        Desk::of_the_engine(exchange).until("end of every order", |desk| desk.open_orders().is_empty());
        run.is_unread.store(false, Ordering::Release);
    }
    for (run, word) in runs.into_iter().zip(["SIGINT", "spinbook kill"]) {
        let (code, behind) = run.end();
        assert_eq!(code, Some(130), "{behind}");
        assert!(behind.contains(&format!("{word}: cancelling everything")), "{behind}");
    }
}
