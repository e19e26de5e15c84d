//! COLD: kills of a part: a symbol, a venue or a strategy, latched in the state directory until they are re-armed.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use spinbook_engine::types::Nanos;

use crate::durable::replace_file;
use crate::ui::time::utc_text;

/// The file in a state directory with one latched kill a line.
pub const KILLS_FILE: &str = "kills";

/// What a kill is about; what is not named is all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KillScope {
    /// Of this kind of strategy.
    pub strategy: Option<String>,
    /// On this venue.
    pub venue: Option<String>,
    /// In this symbol, as its venue spells it.
    pub symbol: Option<String>,
}

impl KillScope {
    /// Whether it is about everything.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == KillScope::default()
    }

    /// Whether a symbol of a venue that a strategy trades belongs to it.
    #[must_use]
    pub fn covers(&self, strategy: &str, venue: &str, symbol: &str) -> bool {
        let named = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        named(&self.strategy, strategy) && named(&self.venue, venue) && named(&self.symbol, symbol)
    }

    /// Whether the other one is about nothing that this one is not about.
    #[must_use]
    pub fn includes(&self, other: &KillScope) -> bool {
        let within = |wide: &Option<String>, narrow: &Option<String>| wide.is_none() || wide == narrow;
        within(&self.strategy, &other.strategy)
            && within(&self.venue, &other.venue)
            && within(&self.symbol, &other.symbol)
    }
}

impl fmt::Display for KillScope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [("strategy", &self.strategy), ("venue", &self.venue), ("symbol", &self.symbol)];
        let named: Vec<String> =
            parts.iter().filter_map(|(name, value)| value.as_ref().map(|value| format!("{name} {value}"))).collect();
        if named.is_empty() { out.write_str("everything") } else { out.write_str(&named.join(", ")) }
    }
}

/// A latched kill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopedKill {
    /// When it was asked for, in nanoseconds since the epoch.
    pub time_ns: u64,
    /// Who asked for it.
    pub who: String,
    /// What it is about.
    pub scope: KillScope,
}

impl ScopedKill {
    /// As a journal says it of one that holds from the start of a run on: which word, of what, why.
    #[must_use]
    pub fn held_text(&self) -> [String; 3] {
        let scope = if self.scope.is_all() { String::new() } else { self.scope.to_string() };
        let since = utc_text(Nanos(i64::try_from(self.time_ns).unwrap_or(i64::MAX)));
        ["kill".to_owned(), scope, format!("holds since {since} ({})", self.who)]
    }
}

/// Who types: the name that was logged on, also behind `sudo`.
#[must_use]
pub fn operator_name() -> String {
    let named = ["SUDO_USER", "LOGNAME", "USER"].iter().find_map(|name| std::env::var(name).ok());
    named.filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}

/// The kills that are latched in a state directory. A line that cannot be read stands for everything: nobody knows what
/// was meant to be stopped.
///
/// # Errors
/// The file is there and cannot be read.
pub fn latched(directory: &Path) -> io::Result<Vec<ScopedKill>> {
    let text = match fs::read(directory.join(KILLS_FILE)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        text => text?,
    };
    let unread = || ScopedKill { time_ns: 0, who: "a damaged line".to_owned(), scope: KillScope::default() };
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    Ok(lines.map(|line| serde_json::from_slice(line).unwrap_or_else(|_| unread())).collect())
}

/// Latches a kill; whether the same was latched already.
///
/// # Errors
/// The file cannot be written.
pub fn latch(directory: &Path, who: &str, scope: &KillScope) -> io::Result<bool> {
    if latched(directory)?.iter().any(|kill| kill.scope == *scope) {
        return Ok(true);
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let time_ns = u64::try_from(since).unwrap_or(u64::MAX);
    let kill = ScopedKill { time_ns, who: who.to_owned(), scope: scope.clone() };
    let line = serde_json::to_string(&kill).map_err(io::Error::other)? + "\n";
    let mut file = OpenOptions::new().create(true).append(true).open(directory.join(KILLS_FILE))?;
    // One write: two that kill at once do not mix their lines.
    file.write_all(line.as_bytes())?;
    file.sync_all()?;
    // The name is the folder's.
    File::open(directory)?.sync_all()?;
    Ok(false)
}

/// Takes away what `is_lifted` says; gives it back.
///
/// # Errors
/// The file cannot be written.
pub fn lift(directory: &Path, is_lifted: impl Fn(&KillScope) -> bool) -> io::Result<Vec<ScopedKill>> {
    let (gone, kept): (Vec<ScopedKill>, Vec<ScopedKill>) =
        latched(directory)?.into_iter().partition(|kill| is_lifted(&kill.scope));
    if gone.is_empty() {
        return Ok(gone);
    }
    let mut text = String::new();
    for kill in &kept {
        text.push_str(&serde_json::to_string(kill).map_err(io::Error::other)?);
        text.push('\n');
    }
    replace_file(&directory.join(KILLS_FILE), text.as_bytes(), 0o644)?;
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(strategy: Option<&str>, venue: Option<&str>, symbol: Option<&str>) -> KillScope {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        KillScope { strategy: owned(strategy), venue: owned(venue), symbol: owned(symbol) }
    }

    #[test]
    fn a_scope_covers_what_it_names_and_no_more() {
        let symbol = scope(None, None, Some("BTCUSDT"));
        assert!(symbol.covers("spread", "x", "BTCUSDT") && symbol.covers("spread", "y", "BTCUSDT"));
        assert!(!symbol.covers("spread", "x", "ETHUSDT"));
        let both = scope(None, Some("x"), Some("BTCUSDT"));
        assert!(both.covers("spread", "x", "BTCUSDT") && !both.covers("spread", "y", "BTCUSDT"));
        assert!(scope(Some("spread"), None, None).covers("spread", "y", "ETHUSDT"));
        assert!(!scope(Some("other"), None, None).covers("spread", "y", "ETHUSDT"));
        assert!(symbol.includes(&both) && !both.includes(&symbol) && KillScope::default().includes(&symbol));
        assert_eq!(both.to_string(), "venue x, symbol BTCUSDT");
        assert!(KillScope::default().is_all() && !both.is_all());
    }

    #[test]
    fn what_was_latched_stays_until_it_is_lifted() {
        let directory = tempfile::tempdir().expect("a folder");
        let path = directory.path();
        let (one, two) = (scope(None, None, Some("BTCUSDT")), scope(None, Some("x"), None));
        assert!(latched(path).expect("none").is_empty());
        assert!(!latch(path, "7", &one).expect("writable") && !latch(path, "8", &two).expect("writable"));
        assert!(latch(path, "9", &one).expect("writable"), "the same again");
        let found = |path| latched(path).expect("readable").into_iter().map(|kill| kill.scope).collect::<Vec<_>>();
        assert_eq!(found(path), [one.clone(), two.clone()]);
        assert!(lift(path, |_| false).expect("nothing to write").is_empty());
        let gone = lift(path, |scope| two.includes(scope)).expect("writable");
        assert_eq!((gone.len(), gone[0].who.as_str(), found(path)), (1, "8", vec![one]));
    }

    #[test]
    fn a_line_that_nobody_can_read_stands_for_everything() {
        let directory = tempfile::tempdir().expect("a folder");
        let whole = r#"{"time_ns":1,"who":"7","scope":{"strategy":null,"venue":null,"symbol":"BTCUSDT"}}"#;
        for damaged in ["{", "\u{0}\u{0}", &whole[..40], r#"{"time_ns":1,"who":"7","scope":{"symbl":"BTCUSDT"}}"#] {
            fs::write(directory.path().join(KILLS_FILE), format!("{whole}\n{damaged}")).expect("written");
            let kills = latched(directory.path()).expect("readable");
            assert_eq!((kills.len(), kills[1].scope.is_all()), (2, true), "{damaged}");
        }
    }
}
