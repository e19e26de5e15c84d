//! COLD: an operator's word while a run trades: over the kill socket at once, and from the files beside it.
//!
//! Two threads hear it: one that only knows the socket, and one that looks at the disk, which may stand still. What is
//! to be cancelled is told to the trading threads by flags; the answer follows when the venue has confirmed it.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::{Deserialize, Serialize};
use spinbook_engine::types::InstrumentId;
use spinbook_feed::net::host::threads;
use spinbook_feed::net::hot::hot_shared::HotShared;
use spinbook_feed::net::io::gateway_loop::{GatewayShared, OperatorWord};

use super::kills::{self, KillScope};
use super::news::{self, Weight};
use super::pulse::{open_socket, socket_address};
use crate::outcome::KILL_FILE;

/// The socket in a state directory.
const SOCKET_FILE: &str = "kill.socket";
/// How often it is looked at the files, and whether something is confirmed.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Operators at once; whoever comes then is turned away, and has the files.
const OPERATORS_MAX: usize = 16;
/// The longest request.
const REQUEST_BYTES_MAX: usize = 4_096;

/// One symbol that is traded.
#[derive(Clone, Debug)]
pub struct KillTarget {
    /// Its number.
    pub id: InstrumentId,
    /// Its venue's name.
    pub venue: String,
    /// As its venue spells it.
    pub symbol: String,
    /// As reports name it.
    pub label: String,
}

/// What an operator says over the socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "word")]
pub enum SocketWord {
    /// Cancels what the scope is about, and places nothing of it any more.
    Kill {
        /// What it is about; without a part, the end of the run.
        scope: KillScope,
        /// Who says it.
        who: String,
    },
    /// Trades again what was killed.
    Rearm {
        /// What it is about.
        scope: KillScope,
        /// Kills that stay: what one of them is about is not re-armed.
        left: Vec<KillScope>,
        /// Who says it.
        who: String,
        /// Why.
        reason: String,
    },
}

/// What is said over the socket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketAnswer {
    /// The symbols that the word is about: those that are re-armed, or all that were killed.
    pub symbols: Vec<String>,
    /// Whether the venue has confirmed that nothing of them is open; to a re-arm, whether they trade again.
    pub confirmed: bool,
    /// Orders that may be open of the whole run; none where only a part was killed.
    pub open_orders: Option<usize>,
    /// What is traded, where the word is about nothing of it.
    pub traded: Vec<String>,
}

/// Carries an operator's word to the trading threads. Clones carry it to the same ones.
#[derive(Clone)]
pub struct KillWord {
    hot: Arc<HotShared>,
    io: Arc<GatewayShared>,
    strategy: String,
    targets: Arc<[KillTarget]>,
    /// Raised where everything is to end.
    all: Arc<AtomicBool>,
}

impl KillWord {
    /// Over what is traded; `all` is raised by a word that is about everything.
    #[must_use]
    pub fn new(
        (hot, io): (Arc<HotShared>, Arc<GatewayShared>),
        strategy: &str,
        targets: Vec<KillTarget>,
        all: Arc<AtomicBool>,
    ) -> KillWord {
        KillWord { hot, io, strategy: strategy.to_owned(), targets: targets.into(), all }
    }

    /// What of it a scope is about.
    fn targets(&self, scope: &KillScope) -> Vec<&KillTarget> {
        self.targets.iter().filter(|target| scope.covers(&self.strategy, &target.venue, &target.symbol)).collect()
    }

    /// Stops what a scope is about, has it written down who said so, and says what that is.
    pub fn stop(&self, scope: &KillScope, who: &str) -> Vec<&KillTarget> {
        let targets = self.targets(scope);
        let ids: Vec<InstrumentId> = targets.iter().map(|target| target.id).collect();
        if ids.iter().any(|id| !self.io.stopped.contains(*id)) {
            // The thread that owns the orders first: its door is shut before the other one hears of it.
            self.io.stop_instruments(&ids);
            self.hot.stopped.add(&ids);
            let labels: Vec<&str> = targets.iter().map(|target| target.label.as_str()).collect();
            news::tell(Weight::Alarm, kill_text(scope, &labels));
            self.note("kill", scope, who.to_owned(), ids);
        }
        targets
    }

    /// What of it a re-arm would let trade again: what is stopped, and by no kill that stays.
    fn held(&self, scope: &KillScope, left: &[KillScope]) -> Vec<&KillTarget> {
        let is_left =
            |target: &KillTarget| left.iter().any(|kill| kill.covers(&self.strategy, &target.venue, &target.symbol));
        let mut targets = self.targets(scope);
        targets.retain(|target| self.io.stopped.contains(target.id) && !is_left(target));
        targets
    }

    /// Has a word written down.
    fn note(&self, word: &'static str, scope: &KillScope, reason: String, instruments: Vec<InstrumentId>) {
        let scope = if scope.is_all() { String::new() } else { scope.to_string() };
        if !self.io.said.say(OperatorWord { word, scope, reason, instruments }) {
            news::tell(Weight::Alarm, format!("a {word} is not in the journal: too many words at once"));
        }
    }

    /// Everything is cancelled, and the run ends.
    fn stop_all(&self) {
        self.io.begin_drain();
        self.hot.drain.store(true, Ordering::Release);
        self.all.store(true, Ordering::Release);
    }

    /// The answer to a word about some targets as it stands now; none while it is not confirmed.
    fn confirmed(&self, ids: &[InstrumentId]) -> bool {
        ids.iter().all(|id| self.io.stopped_confirmed.contains(*id))
    }
}

/// Somebody at the socket.
struct Operator {
    stream: UnixStream,
    part: Vec<u8>,
    asked: Option<Asked>,
}

/// What was asked for.
enum Asked {
    /// The end of the run.
    All,
    /// A part, with its names.
    Some(Vec<InstrumentId>, Vec<String>),
    /// That a part trades again.
    Again(Rearming),
}

/// A part that is to trade again.
struct Rearming {
    scope: KillScope,
    ids: Vec<InstrumentId>,
    symbols: Vec<String>,
    /// Why, and who says so.
    reason: String,
    /// The thread that owns the orders was told.
    is_told: bool,
}

/// Where that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RearmStep {
    /// What was cancelled is not confirmed yet, or its orders are not taken yet.
    Waits,
    /// It trades again.
    Trades,
    /// Somebody killed it again meanwhile.
    KilledAgain,
}

impl Rearming {
    /// Goes on: nothing is placed before the venue has confirmed what the kill cancelled, and before its orders are taken.
    fn go_on(&mut self, word: &KillWord) -> RearmStep {
        let (io, hot) = (&word.io, &word.hot);
        if !self.is_told {
            if !word.confirmed(&self.ids) {
                return RearmStep::Waits;
            }
            self.is_told = true;
            io.allow_instruments(&self.ids);
        }
        let is_killed = || self.ids.iter().any(|id| io.stopped.contains(*id));
        if is_killed() {
            return RearmStep::KilledAgain;
        }
        if self.ids.iter().any(|id| io.stopped_confirmed.contains(*id)) {
            return RearmStep::Waits;
        }
        hot.stopped.remove(&self.ids);
        if is_killed() {
            // Between the two looks: what is killed stays so for both threads.
            hot.stopped.add(&self.ids);
            return RearmStep::KilledAgain;
        }
        let text = format!("re-armed: {} ({}): quoted again", self.scope, self.symbols.join(", "));
        news::tell(Weight::Warning, text);
        word.note("rearm", &self.scope, self.reason.clone(), self.ids.clone());
        RearmStep::Trades
    }
}

impl Operator {
    /// Reads the request and carries it out; whether to go on with this one.
    fn hear(&mut self, word: &KillWord) -> bool {
        let mut bytes = [0; 512];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return false,
                Ok(count) => self.part.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
            if self.part.len() > REQUEST_BYTES_MAX {
                return false;
            }
        }
        let Some(end) = self.part.iter().position(|byte| *byte == b'\n') else { return true };
        if self.asked.is_some() {
            return true;
        }
        // Who says something else is no operator of this program.
        let Ok(said) = serde_json::from_slice::<SocketWord>(&self.part[..end]) else { return false };
        let targets = match &said {
            SocketWord::Kill { scope, .. } if scope.is_all() => {
                word.stop_all();
                self.asked = Some(Asked::All);
                return true;
            }
            SocketWord::Kill { scope, who } => word.stop(scope, who),
            SocketWord::Rearm { scope, left, .. } => word.held(scope, left),
        };
        if targets.is_empty() {
            let traded = word.targets.iter().map(|target| format!("{}:{}", target.venue, target.symbol)).collect();
            self.say(&SocketAnswer { traded, ..SocketAnswer::default() });
            return false;
        }
        let symbols = targets.iter().map(|target| target.label.clone()).collect();
        let ids = targets.iter().map(|target| target.id).collect();
        self.asked = Some(match said {
            SocketWord::Kill { .. } => Asked::Some(ids, symbols),
            SocketWord::Rearm { scope, who, reason, .. } => {
                Asked::Again(Rearming { scope, ids, symbols, reason: format!("{reason} ({who})"), is_told: false })
            }
        });
        true
    }

    /// Answers once there is something to say; whether it still waits.
    fn answer(&mut self, word: &KillWord) -> bool {
        let answer = match &mut self.asked {
            None => return true,
            Some(Asked::Again(rearming)) => {
                let step = rearming.go_on(word);
                if step == RearmStep::Waits {
                    return true;
                }
                let symbols = std::mem::take(&mut rearming.symbols);
                SocketAnswer { symbols, confirmed: step == RearmStep::Trades, ..SocketAnswer::default() }
            }
            Some(Asked::Some(ids, _)) if !word.confirmed(ids) => return true,
            Some(Asked::Some(_, symbols)) => {
                SocketAnswer { symbols: symbols.clone(), confirmed: true, ..SocketAnswer::default() }
            }
            Some(Asked::All) if !word.io.ended.load(Ordering::Acquire) => return true,
            Some(Asked::All) => {
                let confirmed = word.io.confirmed.load(Ordering::Acquire);
                if !confirmed {
                    // Another way may still confirm it: the files tell.
                    return false;
                }
                let symbols = word.targets.iter().map(|target| target.label.clone()).collect();
                SocketAnswer { symbols, confirmed, open_orders: Some(0), ..SocketAnswer::default() }
            }
        };
        self.say(&answer);
        false
    }

    fn say(&mut self, answer: &SocketAnswer) {
        let text = serde_json::to_string(answer).expect("a struct of plain values is JSON");
        let _ = self.stream.write_all((text + "\n").as_bytes());
    }
}

/// What is said of a kill of these symbols.
#[must_use]
pub fn kill_text(scope: &KillScope, labels: &[&str]) -> String {
    format!("killed: {scope} ({}): every order is cancelled, and none placed until it is re-armed", labels.join(", "))
}

/// The open kill socket; with this it is taken away.
pub struct KillSocket {
    path: PathBuf,
    over: Arc<AtomicBool>,
}

impl KillSocket {
    /// From here on, in this state directory, which the run holds.
    ///
    /// # Errors
    /// The directory cannot be written, or the system refuses a socket or a thread.
    pub fn open(directory: &Path, word: KillWord) -> io::Result<KillSocket> {
        let listener = open_socket(directory, SOCKET_FILE)?;
        let over = Arc::new(AtomicBool::new(false));
        let ends = over.clone();
        let work = move || {
            let mut operators: Vec<Operator> = Vec::new();
            while !ends.load(Ordering::Acquire) {
                wait(&listener, &operators);
                while let Ok((stream, _)) = listener.accept() {
                    if operators.len() < OPERATORS_MAX && stream.set_nonblocking(true).is_ok() {
                        operators.push(Operator { stream, part: Vec::new(), asked: None });
                    }
                }
                operators.retain_mut(|operator| operator.hear(&word) && operator.answer(&word));
            }
            // Who is told nothing looks at the files.
            operators.iter_mut().for_each(|operator| _ = operator.answer(&word));
        };
        threads::spawn("spinbook-kill", None, |_| {}, work)?;
        Ok(KillSocket { path: directory.join(SOCKET_FILE), over })
    }
}

impl Drop for KillSocket {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        let _ = fs::remove_file(&self.path);
        std::thread::sleep(LOOK_EVERY * 2);
    }
}

/// Until somebody comes or says something, and no longer than [`LOOK_EVERY`].
fn wait(listener: &UnixListener, operators: &[Operator]) {
    let fresh = operators.iter().filter(|operator| operator.asked.is_none());
    let streams = fresh.map(|operator| operator.stream.as_fd());
    let mut files: Vec<PollFd<'_>> =
        std::iter::once(listener.as_fd()).chain(streams).map(|file| PollFd::new(file, PollFlags::POLLIN)).collect();
    let within = PollTimeout::try_from(LOOK_EVERY).unwrap_or(PollTimeout::ZERO);
    if poll(&mut files, within).is_err() {
        // A signal, or a system that refuses: it is looked again, but not without any pause.
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Looks at the files of a state directory: the kill file, and the kills of parts.
#[derive(Debug, Default)]
pub struct KillFiles {
    directory: PathBuf,
    /// Length of the file of parts as it was read last.
    read: Option<u64>,
}

impl KillFiles {
    /// Of this state directory.
    #[must_use]
    pub fn new(directory: &Path) -> KillFiles {
        KillFiles { directory: directory.to_owned(), read: None }
    }

    /// Carries out what stands there; whether everything is to end.
    pub fn look(&mut self, word: &KillWord) -> bool {
        if self.directory.join(KILL_FILE).exists() {
            return true;
        }
        let length = fs::metadata(self.directory.join(kills::KILLS_FILE)).map_or(0, |found| found.len());
        if self.read.is_none_or(|read| read != length) && length > 0 {
            // A file that cannot be read may say anything: everything is stopped.
            match kills::latched(&self.directory) {
                Ok(kills) => kills.iter().for_each(|kill| _ = word.stop(&kill.scope, &kill.who)),
                Err(_) => _ = word.stop(&KillScope::default(), "a file of kills that cannot be read"),
            }
        }
        self.read = Some(length);
        false
    }
}

/// A request at the kill socket of a run.
pub struct KillCall {
    stream: UnixStream,
    part: Vec<u8>,
}

impl KillCall {
    /// Says it to the run of a state directory; none where nobody listens.
    #[must_use]
    pub fn say(directory: &Path, word: &SocketWord) -> Option<KillCall> {
        let folder = File::open(directory).ok()?;
        let mut stream = UnixStream::connect(socket_address(&folder, SOCKET_FILE)).ok()?;
        let text = serde_json::to_string(word).ok()? + "\n";
        stream.write_all(text.as_bytes()).ok()?;
        Some(KillCall { stream, part: Vec::new() })
    }

    /// Waits for the answer; none came until then, or the run is gone.
    pub fn answer(&mut self, until: Instant) -> Option<SocketAnswer> {
        let mut bytes = [0; 4096];
        loop {
            if let Some(end) = self.part.iter().position(|byte| *byte == b'\n') {
                return serde_json::from_slice(&self.part[..end]).ok();
            }
            let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.stream.set_read_timeout(Some(left)).ok()?;
            match self.stream.read(&mut bytes) {
                Ok(0) => return None,
                Ok(count) => self.part.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word() -> (KillWord, Arc<HotShared>, Arc<GatewayShared>) {
        let (hot, io) = (Arc::new(HotShared::default()), Arc::new(GatewayShared::default()));
        let target = |id, venue: &str, symbol: &str| KillTarget {
            id: InstrumentId(id),
            venue: venue.to_owned(),
            symbol: symbol.to_owned(),
            label: format!("{venue}:{symbol}"),
        };
        let targets = vec![target(0, "x", "BTCUSDT"), target(1, "x", "ETHUSDT"), target(2, "y", "BTCUSDT")];
        (KillWord::new((hot.clone(), io.clone()), "spread", targets, Arc::default()), hot, io)
    }

    fn symbol(name: &str) -> KillScope {
        KillScope { symbol: Some(name.to_owned()), ..KillScope::default() }
    }

    fn kill(scope: KillScope) -> SocketWord {
        SocketWord::Kill { scope, who: "somebody".to_owned() }
    }

    fn rearm(scope: KillScope, left: &[KillScope]) -> SocketWord {
        let text = |text: &str| text.to_owned();
        SocketWord::Rearm { scope, left: left.to_vec(), who: text("somebody"), reason: text("looked at it") }
    }

    fn stopped(io: &GatewayShared) -> Vec<u16> {
        (0..9).filter(|id| io.stopped.contains(InstrumentId(*id))).collect()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn a_word_over_the_socket_stops_its_part_and_is_answered_when_it_is_confirmed() {
        let directory = tempfile::tempdir().expect("a folder");
        assert!(KillCall::say(directory.path(), &kill(symbol("BTCUSDT"))).is_none(), "nobody listens");
        let (word, hot, io) = word();
        let socket = KillSocket::open(directory.path(), word).expect("a writable folder");
        let mut call = KillCall::say(directory.path(), &kill(symbol("BTCUSDT"))).expect("it listens");
        while stopped(&io).len() < 2 {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(stopped(&io), [0, 2]);
        assert!(hot.stopped.contains(InstrumentId(2)) && !hot.stopped.contains(InstrumentId(1)));
        assert_ne!(io.word_tsc.load(Ordering::Acquire), 0, "from here on its way is measured");
        io.stopped_confirmed.add(&[InstrumentId(0)]);
        assert_eq!(call.answer(Instant::now() + Duration::from_millis(50)), None, "one of them is not confirmed");
        io.stopped_confirmed.add(&[InstrumentId(2)]);
        let answer = call.answer(soon()).expect("confirmed");
        assert_eq!((answer.symbols, answer.confirmed), (vec!["x:BTCUSDT".to_owned(), "y:BTCUSDT".to_owned()], true));
        let mut wrong = KillCall::say(directory.path(), &kill(symbol("BTCUSD"))).expect("it listens");
        let answer = wrong.answer(soon()).expect("an answer");
        assert_eq!(
            (answer.symbols.len(), answer.confirmed, answer.traded.len()),
            (0, false, 3),
            "nothing of that name"
        );
        assert!(!io.drain.load(Ordering::Acquire), "the rest trades on");
        drop(socket);
        assert!(KillCall::say(directory.path(), &kill(symbol("BTCUSDT"))).is_none(), "nobody listens any more");
    }

    #[test]
    fn a_word_about_everything_ends_the_run() {
        let directory = tempfile::tempdir().expect("a folder");
        let (word, _hot, io) = word();
        let _socket = KillSocket::open(directory.path(), word.clone()).expect("a writable folder");
        let mut call = KillCall::say(directory.path(), &kill(KillScope::default())).expect("it listens");
        while !word.all.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(io.drain.load(Ordering::Acquire));
        io.confirmed.store(true, Ordering::Release);
        io.ended.store(true, Ordering::Release);
        let answer = call.answer(soon()).expect("it has ended");
        assert_eq!((answer.confirmed, answer.open_orders, answer.symbols.len()), (true, Some(0), 3));
    }

    /// Carries out what the I/O thread would: `act` until it holds.
    fn until(holds: impl Fn() -> bool) {
        let limit = soon();
        while !holds() {
            assert!(Instant::now() < limit, "it never holds");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn what_was_killed_trades_again_when_it_is_confirmed_its_orders_are_taken_and_nothing_else_holds_it() {
        let directory = tempfile::tempdir().expect("a folder");
        let (word, hot, io) = word();
        let _socket = KillSocket::open(directory.path(), word).expect("a writable folder");
        let say = |word: &SocketWord| KillCall::say(directory.path(), word).expect("it listens");
        let answer = say(&rearm(symbol("BTCUSDT"), &[])).answer(soon()).expect("an answer");
        assert_eq!((answer.symbols.len(), answer.confirmed), (0, false), "nothing of it is killed");
        let _killed = say(&kill(symbol("BTCUSDT")));
        until(|| stopped(&io) == [0, 2]);
        // Another kill holds one of the two.
        let venue = KillScope { venue: Some("y".to_owned()), ..KillScope::default() };
        let mut call = say(&rearm(symbol("BTCUSDT"), &[venue]));
        assert_eq!(call.answer(Instant::now() + Duration::from_millis(50)), None, "orders may be open");
        assert_eq!(stopped(&io), [0, 2]);
        io.stopped_confirmed.add(&[InstrumentId(0), InstrumentId(2)]);
        until(|| stopped(&io) == [2]);
        assert_eq!(call.answer(Instant::now() + Duration::from_millis(50)), None, "none is taken yet");
        assert!(hot.stopped.contains(InstrumentId(0)), "so none is placed");
        io.stopped_confirmed.remove(&[InstrumentId(0)]);
        let answer = call.answer(soon()).expect("it trades");
        assert_eq!((answer.symbols, answer.confirmed), (vec!["x:BTCUSDT".to_owned()], true));
        assert!(!hot.stopped.contains(InstrumentId(0)) && hot.stopped.contains(InstrumentId(2)));
    }

    #[test]
    fn what_is_killed_again_before_it_trades_is_not_re_armed() {
        let directory = tempfile::tempdir().expect("a folder");
        let (word, hot, io) = word();
        let _socket = KillSocket::open(directory.path(), word.clone()).expect("a writable folder");
        word.stop(&symbol("ETHUSDT"), "7");
        io.stopped_confirmed.add(&[InstrumentId(1)]);
        let mut call = KillCall::say(directory.path(), &rearm(symbol("ETHUSDT"), &[])).expect("it listens");
        until(|| stopped(&io).is_empty());
        word.stop(&symbol("ETHUSDT"), "8");
        let answer = call.answer(soon()).expect("an answer");
        assert_eq!((answer.symbols.len(), answer.confirmed), (1, false));
        assert!(io.stopped.contains(InstrumentId(1)) && hot.stopped.contains(InstrumentId(1)));
    }

    #[test]
    fn what_is_latched_is_carried_out_once_and_a_damaged_line_stops_everything() {
        let directory = tempfile::tempdir().expect("a folder");
        let (word, _hot, io) = word();
        let mut files = KillFiles::new(directory.path());
        assert!(!files.look(&word) && stopped(&io).is_empty());
        kills::latch(directory.path(), "7", &symbol("ETHUSDT")).expect("writable");
        assert!(!files.look(&word));
        assert_eq!(stopped(&io), [1]);
        let version = io.stopped.version();
        assert!(!files.look(&word) && io.stopped.version() == version, "it is not said again");
        fs::write(directory.path().join(kills::KILLS_FILE), "what").expect("written");
        assert!(!files.look(&word));
        assert_eq!(stopped(&io), [0, 1, 2]);
        fs::write(directory.path().join(KILL_FILE), "halt 7").expect("written");
        assert!(files.look(&word), "and this one is the end");
    }
}
