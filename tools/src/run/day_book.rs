//! COLD: what was earned today and what stopped trading, kept in the state directory: a restart forgets neither.
//!
//! One entry a mode and quote asset: paper money is no real money. A stop or a halt stays, over restarts and midnights,
//! until a person re-arms it with a reason; until then no run of that mode starts. What a run leaves of a symbol is
//! kept with its last price: from there on it earns or loses in the next run's day.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};
use spinbook_engine::risk::{DayResult, StopCause};
use spinbook_engine::types::{Lots, Nanos, QuoteAtoms};
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::instrument::Instrument;

use super::plan::RunMode;
use crate::durable::replace_file;
use crate::error::Failure;
use crate::outcome::Exit;
use crate::ui::report::atoms_text;
use crate::ui::time::{day_text, utc_text};

/// Its owner writes it, others may look.
const FILE_MODE: u32 = 0o644;

/// The book's file in a state directory.
const BOOK_FILE: &str = "day.json";
/// The file that says who re-armed what, when and why.
pub(super) const REARM_FILE: &str = "rearmed.jsonl";
/// What a line of it says where something was re-armed. Lines of an earlier program say nothing and mean the same.
pub const REARMED: &str = "rearmed";
/// A changed result waits at most this long to be kept; a stop does not wait.
const KEEP_INTERVAL: Duration = Duration::from_secs(1);

const NANOS_PER_DAY: i64 = 86_400 * 1_000_000_000;

/// What was earned in one quote asset in one mode. Amounts are whole 10^-18 of the asset, as text: exact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    mode: String,
    asset: String,
    /// The UTC day, for people.
    date: String,
    /// The same, counted from the Unix epoch.
    day: i64,
    earned_atoms: String,
    /// What had been earned on that day when a person re-armed: the limit counts from there.
    rearmed_at_atoms: String,
    /// The daily loss limit stopped trading, and nobody has re-armed it.
    stopped: bool,
}

impl Entry {
    fn earned(&self) -> Option<i128> {
        self.earned_atoms.parse().ok()
    }

    fn rearmed_at(&self) -> Option<i128> {
        self.rearmed_at_atoms.parse().ok()
    }
}

/// What a run left of a symbol, beyond what counts as flat. Exact decimals, as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Left {
    mode: String,
    /// `venue:symbol`.
    symbol: String,
    /// In the base asset, signed.
    quantity: String,
    /// The mid at which it was valued last, in the quote asset.
    price: String,
}

/// Something else than a loss limit that stopped trading and was not re-armed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Halt {
    /// `demo`, `paper`, `shadow` or `live`.
    pub mode: String,
    /// Which control, by its name in reports.
    pub control: String,
    /// The symbol that it stopped; none where it stopped them all.
    pub symbol: Option<String>,
    /// Why, in a sentence.
    pub why: String,
    /// When it was seen first, UTC.
    pub time: String,
}

impl Halt {
    /// In a sentence, without its time.
    #[must_use]
    pub fn to_text(&self) -> String {
        let of = self.symbol.as_ref().map_or_else(String::new, |symbol| format!(" of {symbol}"));
        format!("{}{of} in {} mode: {}", self.control, self.mode, self.why)
    }
}

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pages {
    days: Vec<Entry>,
    left: Vec<Left>,
    halts: Vec<Halt>,
}

/// Everything that keeps a run from starting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stops {
    /// Daily loss limits.
    pub losses: Vec<LossStopped>,
    /// Everything else.
    pub halts: Vec<Halt>,
}

impl Stops {
    /// Whether nothing is stopped.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.losses.is_empty() && self.halts.is_empty()
    }
}

/// A daily loss limit that stopped trading and was not re-armed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LossStopped {
    /// `demo`, `paper`, `shadow` or `live`.
    pub mode: String,
    /// The quote asset.
    pub asset: String,
    /// The day of the loss, UTC.
    pub date: String,
    /// What had been earned on it: a loss is negative.
    pub earned_quote: String,
}

impl LossStopped {
    /// In a sentence.
    #[must_use]
    pub fn to_text(&self) -> String {
        let LossStopped { mode, asset, date, earned_quote } = self;
        format!("the loss stop of {asset} in {mode} mode: {earned_quote} {asset} were earned on {date} (UTC)")
    }
}

/// The results of the day as one run keeps them.
#[derive(Debug)]
pub struct DayBook {
    /// Where it is kept; nowhere for a run of which nothing is left.
    path: Option<PathBuf>,
    mode: &'static str,
    pages: Pages,
    kept: Pages,
    kept_at: Option<Instant>,
    failure: Option<String>,
}

impl DayBook {
    /// Reads the book of a state directory for one mode.
    ///
    /// # Errors
    /// It cannot be read, or is not what was written: a loss is not guessed.
    pub fn open(state_dir: &Path, mode: RunMode) -> Result<DayBook, Failure> {
        let path = state_dir.join(BOOK_FILE);
        let pages = read(&path)?;
        Ok(DayBook { path: Some(path), mode: mode.name(), kept: pages.clone(), pages, kept_at: None, failure: None })
    }

    /// A book that is kept nowhere: for runs in virtual time, whose days are made up.
    #[must_use]
    pub fn unkept(mode: RunMode) -> DayBook {
        let (pages, kept) = (Pages::default(), Pages::default());
        DayBook { path: None, mode: mode.name(), pages, kept, kept_at: None, failure: None }
    }

    /// # Errors
    /// A control stopped an earlier run of this mode, and nobody has re-armed it.
    pub fn refuse_stopped(&self) -> Result<(), Failure> {
        let stops = self.pages.stops();
        let losses = stops.losses.iter().filter(|stop| stop.mode == self.mode).map(LossStopped::to_text);
        let halts = stops.halts.iter().filter(|halt| halt.mode == self.mode);
        let halts = halts.map(|halt| format!("{}: {}", halt.time, halt.to_text()));
        let problems: Vec<String> = losses.chain(halts).collect();
        if problems.is_empty() {
            return Ok(());
        }
        let place = self.path.as_ref().map_or_else(String::new, |path| path.display().to_string());
        let mut failure = Failure::new(Exit::Stopped, "a control stopped trading here and nobody has re-armed it")
            .at(place)
            .because(format!("no {} run starts with this state directory until a person allows it", self.mode))
            .next("find out why; then: spinbook rearm -c FILE --reason TEXT");
        failure.problems = problems;
        Err(failure)
    }

    /// What the last run left of an instrument beyond what counts as flat, and twice the mid, in ticks, at which it was
    /// valued last.
    ///
    /// # Errors
    /// What is written is none of the instrument's quantities or prices.
    pub fn left(&self, instrument: &Instrument) -> Result<Option<(Lots, i64)>, Failure> {
        let symbol = symbol_of(instrument);
        let Some(left) = self.pages.left.iter().find(|left| left.mode == self.mode && left.symbol == symbol) else {
            return Ok(None);
        };
        let damaged = || {
            Failure::failed("cannot read what the last run left")
                .at(self.path.as_ref().map_or_else(String::new, |path| path.display().to_string()))
                .because(format!(
                    "{} of {symbol} at {} is none of its quantities and prices",
                    left.quantity, left.price
                ))
                .next("mend the file by hand: what was left is not guessed")
        };
        let number = |text: &str| text.parse::<Decimal>().ok();
        let lots = number(&left.quantity).and_then(|quantity| instrument.quantity.units_from_decimal(quantity));
        // Steps may have changed since: a price is only what it is valued at, so it is rounded.
        let tick = instrument.price.decimal(1);
        let ticks = number(&left.price).and_then(|price| (price * Decimal::TWO).checked_div(tick)?.round().to_i64());
        match (lots, ticks) {
            (Some(lots), Some(mid_doubled)) => Ok(Some((Lots(lots), mid_doubled))),
            _ => Err(damaged()),
        }
    }

    /// Notes what is held of an instrument beyond what counts as flat, and twice the mid, in ticks, that it is valued at.
    pub fn note_left(&mut self, instrument: &Instrument, lots: Lots, mid_doubled: i64) {
        let symbol = symbol_of(instrument);
        let place = self.pages.left.iter().position(|left| left.mode == self.mode && left.symbol == symbol);
        let left = (lots != Lots::ZERO).then(|| Left {
            mode: self.mode.to_owned(),
            symbol,
            quantity: instrument.quantity.decimal(lots.0).normalize().to_string(),
            price: (instrument.price.decimal(mid_doubled) / Decimal::TWO).normalize().to_string(),
        });
        match (place, left) {
            (Some(place), Some(left)) => self.pages.left[place] = left,
            (Some(place), None) => drop(self.pages.left.remove(place)),
            (None, Some(left)) => self.pages.left.push(left),
            (None, None) => {}
        }
    }

    /// Notes what stopped trading, once; `why` in other words takes the place of what was noted before.
    pub fn note_halt(&mut self, cause: StopCause, symbol: Option<&str>, why: &str, now: Nanos) {
        let (mode, control) = (self.mode, cause.name());
        let same = |halt: &&mut Halt| halt.mode == mode && halt.control == control && halt.symbol.as_deref() == symbol;
        match self.pages.halts.iter_mut().find(same) {
            Some(halt) => why.clone_into(&mut halt.why),
            None => self.pages.halts.push(Halt {
                mode: mode.to_owned(),
                control: control.to_owned(),
                symbol: symbol.map(str::to_owned),
                why: why.to_owned(),
                time: utc_text(now),
            }),
        }
    }

    fn entry(&self, asset: &str) -> Option<&Entry> {
        self.pages.days.iter().find(|entry| entry.mode == self.mode && entry.asset == asset)
    }

    /// What counts against the daily limit of an asset at the start of a run, and whether the limit has stopped an
    /// earlier one.
    #[must_use]
    pub fn before(&self, asset: &str) -> (DayResult, bool) {
        let Some(entry) = self.entry(asset) else { return (DayResult::default(), false) };
        let earned = entry.earned().unwrap_or(0).saturating_sub(entry.rearmed_at().unwrap_or(0));
        (DayResult { day: entry.day, earned: QuoteAtoms(earned) }, entry.stopped)
    }

    /// The same as it counts on the day of `now`: of an earlier day nothing does. None where nothing is known.
    #[must_use]
    pub fn resumed(&self, asset: &str, now: Nanos) -> Option<(DayResult, bool)> {
        let (before, stopped) = self.before(asset);
        let today = now.0.div_euclid(NANOS_PER_DAY);
        let counted = if before.day < today { DayResult { day: today, earned: QuoteAtoms::ZERO } } else { before };
        (before.day > 0).then_some((counted, stopped))
    }

    /// Notes what the engine says: `result` counts from the start of the day or from the last re-arming of it.
    pub fn note(&mut self, asset: &str, result: DayResult, stopped: bool) {
        let before = self.entry(asset).cloned();
        // Before the first price there is nothing to note, unless an earlier run left something.
        let result = match &before {
            None if result.day == 0 => return,
            Some(known) if result.day == 0 => self.before(&known.asset).0,
            _ => result,
        };
        let rearmed_at = before.as_ref().filter(|entry| entry.day == result.day).and_then(Entry::rearmed_at);
        let rearmed_at = rearmed_at.unwrap_or(0);
        let stopped = stopped || before.is_some_and(|entry| entry.stopped);
        let entry = Entry {
            mode: self.mode.to_owned(),
            asset: asset.to_owned(),
            date: day_text(result.day),
            day: result.day,
            earned_atoms: result.earned.0.saturating_add(rearmed_at).to_string(),
            rearmed_at_atoms: rearmed_at.to_string(),
            stopped,
        };
        match self.pages.days.iter_mut().find(|entry| entry.mode == self.mode && entry.asset == asset) {
            Some(known) => *known = entry,
            None => self.pages.days.push(entry),
        }
    }

    /// Writes what is not written yet: a stop at once, the rest once a second, or now.
    pub fn keep(&mut self, at_once: bool) {
        let Some(path) = self.path.as_ref().filter(|_| self.pages != self.kept) else {
            return;
        };
        let stops = |pages: &Pages| pages.halts.len() + pages.days.iter().filter(|entry| entry.stopped).count();
        let due = self.kept_at.is_none_or(|at| at.elapsed() >= KEEP_INTERVAL);
        if !at_once && !due && stops(&self.pages) == stops(&self.kept) {
            return;
        }
        self.kept_at = Some(Instant::now());
        match write(path, &self.pages) {
            Ok(()) => {
                self.kept.clone_from(&self.pages);
                self.failure = None;
            }
            Err(error) => {
                if self.failure.is_none() {
                    let path = path.display();
                    tracing::error!("the result of the day cannot be kept: a restart would forget it: {path}: {error}");
                }
                self.failure = Some(error.to_string());
            }
        }
    }

    /// What was earned on the day in an asset, all runs of the mode together.
    #[must_use]
    pub fn earned(&self, asset: &str) -> Option<QuoteAtoms> {
        self.entry(asset)?.earned().map(QuoteAtoms)
    }

    /// Why the last attempt to write it failed, if it did.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }
}

impl Pages {
    fn stops(&self) -> Stops {
        let stopped = self.days.iter().filter(|entry| entry.stopped).map(|entry| LossStopped {
            mode: entry.mode.clone(),
            asset: entry.asset.clone(),
            date: entry.date.clone(),
            earned_quote: atoms_text(QuoteAtoms(entry.earned().unwrap_or(0))),
        });
        Stops { losses: stopped.collect(), halts: self.halts.clone() }
    }
}

/// The stops of a state directory, in all modes.
///
/// # Errors
/// The book cannot be read.
pub fn stops(state_dir: &Path) -> Result<Stops, Failure> {
    Ok(read(&state_dir.join(BOOK_FILE))?.stops())
}

/// Ends every stop and halt of a state directory: the limits count from what has been earned by now.
///
/// # Errors
/// The book cannot be read or written.
pub fn rearm(state_dir: &Path) -> Result<(), Failure> {
    let path = state_dir.join(BOOK_FILE);
    let mut pages = read(&path)?;
    if pages == Pages::default() {
        return Ok(());
    }
    for entry in pages.days.iter_mut().filter(|entry| entry.stopped) {
        entry.stopped = false;
        entry.rearmed_at_atoms.clone_from(&entry.earned_atoms);
    }
    pages.halts.clear();
    write(&path, &pages)
        .map_err(|error| Failure::failed("cannot write the results of the day").at(path.display()).because(error))
}

/// Adds a line to the record of who re-armed what, and sees it on the disk.
///
/// # Errors
/// It cannot be written.
pub fn record_rearming(state_dir: &Path, line: &serde_json::Value) -> Result<PathBuf, Failure> {
    let path = state_dir.join(REARM_FILE);
    let failed =
        |error: io::Error| Failure::failed("cannot write down who re-arms and why").at(path.display()).because(error);
    let mut file = OpenOptions::new().append(true).create(true).open(&path).map_err(failed)?;
    writeln!(file, "{line}").and_then(|()| file.sync_all()).map_err(failed)?;
    Ok(path)
}

/// An instrument of any run in this directory.
fn symbol_of(instrument: &Instrument) -> String {
    let venue = ProductLine::from_venue_id(instrument.venue).map_or("", ProductLine::name);
    format!("{venue}:{}", instrument.symbol)
}

fn read(path: &Path) -> Result<Pages, Failure> {
    let damaged = |why: String| {
        Failure::failed("cannot read the results of the day")
            .at(path.display())
            .because(why)
            .next("a loss is not guessed: mend the file by hand, or move it away to begin the day from nothing")
    };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Pages::default()),
        Err(error) => return Err(damaged(error.to_string())),
    };
    // An earlier program kept the days alone.
    let parsed = match text.trim_start().starts_with('[') {
        true => serde_json::from_str(&text).map(|days| Pages { days, ..Pages::default() }),
        false => serde_json::from_str(&text),
    };
    let pages: Pages = parsed.map_err(|error| damaged(error.to_string()))?;
    match pages.days.iter().find(|entry| entry.earned().is_none() || entry.rearmed_at().is_none()) {
        Some(entry) => {
            Err(damaged(format!("`{}` or `{}` is no whole number", entry.earned_atoms, entry.rearmed_at_atoms)))
        }
        None => Ok(pages),
    }
}

fn write(path: &Path, pages: &Pages) -> io::Result<()> {
    let text = serde_json::to_string_pretty(pages).map_err(io::Error::other)?;
    replace_file(path, format!("{text}\n").as_bytes(), FILE_MODE).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(day: i64, earned: i128) -> DayResult {
        DayResult { day, earned: QuoteAtoms(earned) }
    }

    #[test]
    fn a_loss_and_its_stop_are_there_after_a_restart_and_each_mode_has_its_own() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut book = DayBook::open(folder.path(), RunMode::Live).expect("empty");
        assert_eq!(book.before("USDT"), (DayResult::default(), false));
        book.note("USDT", DayResult::default(), false);
        book.keep(true);
        assert!(!folder.path().join(BOOK_FILE).exists(), "nothing is known yet");
        book.note("USDT", result(20_000, -60), false);
        book.note("BTC", result(20_000, 5), false);
        book.keep(false);
        book.note("USDT", result(20_000, -70), false);
        book.keep(false);
        let read = || DayBook::open(folder.path(), RunMode::Live).expect("written");
        assert_eq!(read().before("USDT"), (result(20_000, -60), false), "within the same second");
        book.note("USDT", result(20_000, -71), true);
        book.keep(false);
        assert_eq!(read().before("USDT"), (result(20_000, -71), true), "a stop does not wait");
        assert_eq!(read().before("BTC"), (result(20_000, 5), false));
        let paper = DayBook::open(folder.path(), RunMode::Paper).expect("written");
        assert_eq!(paper.before("USDT"), (DayResult::default(), false));
        // The next day begins from nothing, and the stop stays.
        let mut next = read();
        next.note("USDT", result(20_001, -1), false);
        next.keep(true);
        assert_eq!(read().before("USDT"), (result(20_001, -1), true));
    }

    #[test]
    fn who_re_arms_begins_from_nothing_and_the_day_keeps_its_whole_result() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert!(stops(folder.path()).expect("nothing there").is_empty());
        let mut book = DayBook::open(folder.path(), RunMode::Live).expect("empty");
        book.note("USDT", result(20_000, -71), true);
        book.keep(true);
        let rearmed = stops(folder.path()).expect("written").losses;
        rearm(folder.path()).expect("written");
        assert_eq!(
            (rearmed[0].earned_quote.as_str(), rearmed[0].date.as_str()),
            ("-0.000000000000000071", "2024-10-04")
        );
        assert!(stops(folder.path()).expect("written").is_empty());
        let mut book = DayBook::open(folder.path(), RunMode::Live).expect("written");
        assert_eq!(book.before("USDT"), (result(20_000, 0), false));
        book.note("USDT", result(20_000, -20), false);
        assert_eq!(book.earned("USDT"), Some(QuoteAtoms(-91)));
        book.note("USDT", result(20_001, -3), false);
        assert_eq!(book.earned("USDT"), Some(QuoteAtoms(-3)), "another day");
    }

    #[test]
    fn a_damaged_book_is_refused_and_one_that_cannot_be_written_is_said() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for text in ["", "{}", "[{\"mode\":\"live\"}]", "{\"days\":[],\"left\":[],\"halts\":[1]}"] {
            fs::write(folder.path().join(BOOK_FILE), text).expect("writable");
            assert!(DayBook::open(folder.path(), RunMode::Live).is_err(), "`{text}`");
        }
        fs::remove_file(folder.path().join(BOOK_FILE)).expect("there");
        let mut book = DayBook::open(&folder.path().join("gone"), RunMode::Live).expect("empty");
        book.note("USDT", result(20_000, -71), true);
        book.keep(true);
        assert!(book.failure().is_some());
    }

    #[test]
    fn a_halt_keeps_every_later_run_of_its_mode_from_starting_until_a_person_re_arms() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let open = |mode| DayBook::open(folder.path(), mode).expect("written");
        let mut book = open(RunMode::Live);
        book.refuse_stopped().expect("nothing is stopped");
        let (first, second) = (Nanos(1_795_282_957_123_000_000), Nanos(1_795_282_958_000_000_000));
        book.note_halt(StopCause::RepeatedFills, Some("BTCUSDT"), "too many", first);
        book.note_halt(StopCause::Gateway, None, "halted", first);
        book.note_halt(StopCause::Gateway, None, "the API key is unknown", second);
        book.keep(false);
        open(RunMode::Paper).refuse_stopped().expect("another mode");
        let refused = open(RunMode::Live).refuse_stopped().expect_err("halted");
        assert_eq!(
            (refused.exit, refused.problems.as_slice()),
            (
                Exit::Stopped,
                [
                    "2026-11-21T17:42:37.123Z: repeated_fills of BTCUSDT in live mode: too many".to_owned(),
                    "2026-11-21T17:42:37.123Z: gateway in live mode: the API key is unknown".to_owned(),
                ]
                .as_slice()
            )
        );
        assert_eq!(stops(folder.path()).expect("written").halts.len(), 2);
        rearm(folder.path()).expect("written");
        open(RunMode::Live).refuse_stopped().expect("a person allowed it");
        // A loss stop keeps it from starting as well.
        let mut book = open(RunMode::Live);
        book.note("USDT", result(20_000, -71), true);
        book.keep(false);
        let refused = open(RunMode::Live).refuse_stopped().expect_err("stopped");
        assert!(refused.to_string().contains("-0.000000000000000071 USDT were earned on 2024-10-04"), "{refused}");
    }

    #[test]
    fn what_a_run_leaves_is_there_with_its_price_and_on_the_next_day_nothing_else_is() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let line = spinbook_feed::venue::binance::USDM;
        let instrument = |tick: &str| spinbook_feed::testkit::instrument(line, 0, "BTCUSDT", tick, "0.001");
        let mut book = DayBook::open(folder.path(), RunMode::Live).expect("empty");
        assert_eq!(book.left(&instrument("0.10")).expect("nothing"), None);
        book.note("USDT", result(20_000, -60), false);
        book.note_left(&instrument("0.10"), Lots(-3), 1_920_001);
        book.keep(true);
        let mut book = DayBook::open(folder.path(), RunMode::Live).expect("written");
        assert_eq!(book.left(&instrument("0.10")).expect("read"), Some((Lots(-3), 1_920_001)));
        assert_eq!(book.left(&instrument("0.05")).expect("read"), Some((Lots(-3), 3_840_002)), "another tick now");
        let at = |day: i64| Nanos(day * NANOS_PER_DAY + 5);
        assert_eq!(book.resumed("USDT", at(20_000)), Some((result(20_000, -60), false)));
        assert_eq!(book.resumed("USDT", at(20_001)), Some((result(20_001, 0), false)));
        assert_eq!(book.resumed("BTC", at(20_000)), None);
        book.note_left(&instrument("0.10"), Lots(0), 1_920_001);
        assert_eq!(book.left(&instrument("0.10")).expect("nothing"), None);
        let coarse = spinbook_feed::testkit::instrument(line, 0, "BTCUSDT", "0.10", "0.01");
        book.note_left(&instrument("0.10"), Lots(-3), 1_920_001);
        assert!(book.left(&coarse).is_err(), "no whole number of lots");
    }

    #[test]
    fn a_book_of_an_earlier_program_is_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let text = r#"[{"mode":"live","asset":"USDT","date":"2024-10-04","day":20000,"earned_atoms":"-71",
            "rearmed_at_atoms":"0","stopped":true}]"#;
        fs::write(folder.path().join(BOOK_FILE), text).expect("writable");
        let book = DayBook::open(folder.path(), RunMode::Live).expect("an earlier program wrote it");
        assert_eq!(book.before("USDT"), (result(20_000, -71), true));
        assert!(book.refuse_stopped().is_err());
    }
}
