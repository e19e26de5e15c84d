//! COLD: what must hold of the reader for any bytes: tried by `cargo test` on seeded random inputs, by `feed/fuzz` without end.

use std::path::Path;

use spinbook_feed::venue::ProductLine;

use super::effective::{self, EffectiveTable};
use super::sample::ConfigText;
use super::{Config, environment_and_sets, tables};
use crate::error::Failure;
use crate::outcome::Exit;

const FILE: &str = "spinbook.toml";

/// A file and, each behind a NUL, what overrides it: a variable where it begins as one, else an argument.
///
/// # Panics
/// Something does not hold.
pub fn check(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.split('\0');
    let file = parts.next().unwrap_or_default();
    let (environment, sets) = environment_and_sets(parts);
    match Config::from_text(file, FILE, Path::new("base"), &environment, &sets) {
        Ok(config) => accepted(&config),
        Err(failure) => refused(&failure, file.split('\n').count(), &environment, &sets),
    }
}

/// Inputs to begin from.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let sample = ConfigText::sample();
    let mut every = sample.clone();
    for table in tables::tables() {
        for key in table.keys {
            let path = if table.repeated {
                format!("{}.0.{}", table.name, key.name)
            } else {
                format!("{}.{}", table.name, key.name)
            };
            every.set(&path, key.sample.value()).expect("a key of the list");
        }
    }
    let mut two = sample.clone();
    let venue = ProductLine::all().map(ProductLine::name).last().expect("there are venues");
    two.set("market.1.venue", venue).expect("a key");
    two.set("market.1.ca_file", "keys/it is \"here\"\\.pem").expect("a key");
    let plain = sample.plain();
    let overridden = [
        "risk.open_orders_max=4\0SPINBOOK_RISK__POSITION_MAX_BASE=1e-1\0market.0.symbols=[\"ETHUSDT\"]",
        "market.0.nothing=1\0SPINBOOK_NOTHING__HERE=x\0novalue\0=\0.=",
        "market.7.venue=x\0strategy=1\0engine.state_dir=\"\"\0risk.loss_max_quote_per_day=NaN",
    ];
    let overridden = overridden.map(|rest| format!("{plain}\0{rest}"));
    let texts =
        [sample.commented(), plain, every.plain(), two.plain(), "market = []\n".to_owned(), "a = \"\n".to_owned()];
    texts.into_iter().chain(overridden).map(String::into_bytes).collect()
}

/// What is accepted is written as it is in effect, and read again as the very same.
fn accepted(config: &Config) {
    let told = |config: &Config| {
        format!("{:?}", (&config.engine, &config.markets, &config.strategy, &config.risk, &config.paper))
    };
    for text in [effective::to_text(&config.effective), written(&config.effective)] {
        let again = Config::from_text(&text, FILE, Path::new(""), &[], &[]);
        let again = again.unwrap_or_else(|failure| panic!("what was accepted is refused: {failure}\n{text}"));
        assert_eq!(told(config), told(&again), "{text}");
        assert_eq!(config.warnings, again.warnings, "{text}");
    }
    let _ = effective::to_json(&config.effective, |key| key.value.clone()).to_string();
}

/// The same as `config init --set` writes it.
fn written(tables: &[EffectiveTable]) -> String {
    let mut text = ConfigText::sample();
    let mut markets = 0;
    for table in tables {
        let name = table.table.name;
        let before = if table.table.repeated { format!("{name}.{markets}") } else { name.to_owned() };
        markets += usize::from(table.table.repeated);
        for key in table.keys.iter().filter(|key| !key.value.is_null()) {
            text.set(&format!("{before}.{}", key.name), &effective::toml_text(&key.value)).expect("a key of the list");
        }
    }
    text.plain()
}

/// A refusal says what, where and what next, and each problem has its place: a line of the file or what overrode it.
fn refused(failure: &Failure, lines: usize, environment: &[(String, String)], sets: &[String]) {
    assert_eq!((failure.exit, failure.place.as_deref()), (Exit::Usage, Some(FILE)), "{failure}");
    assert!(failure.next.as_ref().is_some_and(|next| !next.is_empty()), "what next? {failure}");
    assert!(!failure.problems.is_empty(), "why? {failure}");
    for problem in &failure.problems {
        let line = problem.strip_prefix(FILE).and_then(|rest| rest.strip_prefix(':')).and_then(|rest| {
            let (line, said) = rest.split_once(": ")?;
            (!said.is_empty()).then(|| line.parse::<usize>().ok()).flatten()
        });
        let is_line = line.is_some_and(|line| (1..=lines).contains(&line));
        let is_variable = environment.iter().any(|(name, _)| problem.starts_with(&format!("environment {name}: ")));
        let is_argument = sets.iter().any(|set| {
            let key = set.split_once('=').map_or(set.as_str(), |(key, _)| key.trim());
            problem.starts_with(&format!("--set {key}: "))
        });
        assert!(is_line || is_variable || is_argument, "a problem without its place: {problem}");
    }
    let _ = (failure.to_string(), failure.to_json().to_string());
}
