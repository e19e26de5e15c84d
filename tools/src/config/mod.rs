//! COLD: the configuration: what it holds, and how it is read, overridden and checked.
//!
//! Every problem is reported at once, each with its place, its value and what was expected. Prices and
//! quantities are exact decimals; the TOML never holds a secret.

mod check;
pub mod credentials;
pub mod effective;
pub mod forms;
#[cfg(any(test, feature = "testkit"))]
pub mod fuzzed;
pub mod keys;
mod read;
pub mod sample;
pub mod schema;
pub mod strategies;
mod table;
pub mod tables;
mod tree;
pub mod value;
pub mod venues;

use std::path::{Path, PathBuf};

use spinbook_feed::venue::ProductLine;

use self::effective::EffectiveTable;
use self::read::{Problems, Section, entries};
use self::strategies::StrategyConfig;
use self::tables::{EngineConfig, MarketConfig, PaperConfig, RiskConfig};
use self::tree::{Node, Origin, TomlValue};
use crate::error::Failure;

/// The state folder where none is named, relative to the file.
pub const DEFAULT_STATE_DIR: &str = "state";

/// Everything a run is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// How it was called in messages: the file's path as given.
    pub file: String,
    /// The engine and this machine.
    pub engine: EngineConfig,
    /// The markets, in the order of the file; at least one.
    pub markets: Vec<MarketConfig>,
    /// The strategy.
    pub strategy: StrategyConfig,
    /// The risk limits, every one of them given.
    pub risk: RiskConfig,
    /// How paper trading fills orders.
    pub paper: PaperConfig,
    /// Every value with the place it came from.
    pub effective: Vec<EffectiveTable>,
    /// What is allowed but worth a word.
    pub warnings: Vec<String>,
}

impl Config {
    /// Reads a file, applies `SPINBOOK_SECTION__KEY` of the environment and then `sets`, and checks everything.
    ///
    /// # Errors
    /// Wrong configuration with every problem, or a file that cannot be read.
    pub fn load(path: &Path, sets: &[String]) -> Result<Config, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::usage("cannot read the configuration")
                .at(path.display())
                .because(error)
                .next("check the path, or write a sample with `spinbook config init --output FILE`")
        })?;
        let base = path.parent().unwrap_or_else(|| Path::new(""));
        Config::from_text(&text, &path.display().to_string(), base, &environment(), sets)
    }

    /// The state folder alone, also of a file that is wrong elsewhere: whoever stops an engine has no time to mend its
    /// configuration.
    ///
    /// # Errors
    /// The file cannot be read, or is not TOML.
    pub fn state_dir(path: &Path, sets: &[String]) -> Result<PathBuf, Failure> {
        let refuse = |why: String| {
            Failure::usage("the state folder cannot be found by this configuration")
                .at(path.display())
                .because(why)
                .next("name the folder itself: --state-dir DIR, as `engine.state_dir` says relative to the file")
        };
        let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
        let mut root = tree::parse(&text).map_err(|error| refuse(format!("line {}: {}", error.line, error.message)))?;
        apply_overrides(&mut root, &environment(), sets, &mut Problems::new(""));
        let table = |node: &Node, name: &str| match &node.value {
            TomlValue::Table(entries) => entries.iter().find(|(key, _)| key == name).map(|(_, node)| node.clone()),
            _ => None,
        };
        let named = table(&root, "engine").and_then(|engine| table(&engine, "state_dir"));
        let name = match named.map(|node| node.value) {
            Some(TomlValue::Text(name)) => name,
            Some(other) => return Err(refuse(format!("`engine.state_dir` is {}", other.kind()))),
            None => DEFAULT_STATE_DIR.to_owned(),
        };
        Ok(path.parent().unwrap_or_else(|| Path::new("")).join(name))
    }

    /// The same from a text; paths in it are relative to `base`.
    ///
    /// # Errors
    /// Wrong configuration, with every problem.
    pub fn from_text(
        text: &str,
        file: &str,
        base: &Path,
        environment: &[(String, String)],
        sets: &[String],
    ) -> Result<Config, Failure> {
        let mut problems = Problems::new(file);
        let root = match tree::parse(text) {
            Ok(mut root) => {
                apply_overrides(&mut root, environment, sets, &mut problems);
                root
            }
            Err(error) => {
                problems.add(&Origin::Line(error.line), format!("is not TOML: {}", error.message));
                return Err(refusal(file, problems));
            }
        };
        match read_config(&root, file, base, &mut problems) {
            Some(config) if problems.count() == 0 => Ok(config),
            _ => Err(refusal(file, problems)),
        }
    }
}

/// What of the environment overrides keys.
fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| is_override(name))
        .collect()
}

fn refusal(file: &str, problems: Problems) -> Failure {
    let list = problems.into_list();
    let mut failure = Failure::usage(match list.len() {
        1 => "1 problem in the configuration".to_owned(),
        count => format!("{count} problems in the configuration"),
    })
    .at(file)
    .next("correct them and run `spinbook config check`; `spinbook config init` prints a commented sample");
    failure.problems = list;
    failure
}

/// Whether an environment variable overrides a key: `SPINBOOK_SECTION__KEY`.
fn is_override(name: &str) -> bool {
    name.strip_prefix("SPINBOOK_").is_some_and(|rest| rest.contains("__"))
}

/// What overrides keys, told apart by its form: variables and arguments.
#[cfg(any(test, feature = "testkit"))]
fn environment_and_sets<'a>(all: impl Iterator<Item = &'a str>) -> (Vec<(String, String)>, Vec<String>) {
    let (mut environment, mut sets) = (Vec::new(), Vec::new());
    for one in all {
        match one.split_once('=').filter(|(name, _)| is_override(name)) {
            Some((name, value)) => environment.push((name.to_owned(), value.to_owned())),
            None => sets.push(one.to_owned()),
        }
    }
    (environment, sets)
}

fn apply_overrides(root: &mut Node, environment: &[(String, String)], sets: &[String], problems: &mut Problems) {
    for (name, value) in environment.iter().filter(|(name, _)| is_override(name)) {
        let path = name.trim_start_matches("SPINBOOK_").to_ascii_lowercase();
        let parts: Vec<&str> = path.split("__").collect();
        let origin = Origin::Environment(name.clone());
        if let Err(why) = tree::set(root, &parts, value, &origin) {
            problems.add(&origin, why);
        }
    }
    for argument in sets {
        let Some((path, value)) = argument.split_once('=') else {
            problems.add(&Origin::Set(argument.clone()), "expected KEY=VALUE, such as risk.open_orders_max=4");
            continue;
        };
        let parts: Vec<&str> = path.trim().split('.').collect();
        let origin = Origin::Set(path.trim().to_owned());
        if let Err(why) = tree::set(root, &parts, value.trim(), &origin) {
            problems.add(&origin, why);
        }
    }
}

fn read_config(root: &Node, file: &str, base: &Path, problems: &mut Problems) -> Option<Config> {
    let top = entries("", root, &["engine", "market", "strategy", "risk", "paper"], problems);
    let node = |name: &str| top.iter().find(|(key, _)| key == name).map(|(_, node)| node);
    let nothing = Node { value: TomlValue::Table(Vec::new()), origin: root.origin.clone() };
    let mut effective = Vec::new();

    let engine_section =
        Section::open("engine", node("engine").unwrap_or(&nothing), &EngineConfig::TABLE, base, problems);
    let engine = EngineConfig::read(&engine_section, problems);
    if let Some(engine) = &engine {
        check::cores(&engine_section, engine, problems);
        effective.push(EffectiveTable::new(EngineConfig::TABLE, engine.effective(), node("engine"), file));
    }
    let mut missing =
        |name: &str, expected: &str| problems.add(&root.origin, format!("`{name}` is missing: {expected}"));
    if node("market").is_none() {
        missing("market", "at least one [[market]]");
    }
    if node("strategy").is_none() {
        missing("strategy", "a [strategy] table");
    }
    if node("risk").is_none() {
        missing("risk", "a [risk] table with every limit; without limits there is no trading");
    }
    let markets = node("market").and_then(|node| read_markets(node, file, base, &mut effective, problems));
    let strategy = node("strategy").and_then(|node| read_strategy(node, base, problems));
    let risk = node("risk").and_then(|node| {
        let section = Section::open("risk", node, &RiskConfig::TABLE, base, problems);
        RiskConfig::read(&section, problems).map(|risk| (section, risk))
    });
    if let (Some(strategy), Some(risk)) = (&strategy, &risk) {
        check::cross((&strategy.0, &strategy.1), (&risk.0, &risk.1), problems);
    }
    let paper_section = Section::open("paper", node("paper").unwrap_or(&nothing), &PaperConfig::TABLE, base, problems);
    let paper = PaperConfig::read(&paper_section, problems);
    let (engine, markets, (_, strategy), (_, risk), paper) = (engine?, markets?, strategy?, risk?, paper?);
    effective.push(EffectiveTable::new(strategy.table(), strategy.effective(), node("strategy"), file));
    effective.push(EffectiveTable::new(RiskConfig::TABLE, risk.effective(), node("risk"), file));
    effective.push(EffectiveTable::new(PaperConfig::TABLE, paper.effective(), node("paper"), file));
    let warnings = check::warnings(&engine, &markets, &strategy, &risk);
    Some(Config { file: file.to_owned(), engine, markets, strategy, risk, paper, effective, warnings })
}

fn read_markets(
    node: &Node,
    file: &str,
    base: &Path,
    effective: &mut Vec<EffectiveTable>,
    problems: &mut Problems,
) -> Option<Vec<MarketConfig>> {
    let TomlValue::Array(items) = &node.value else {
        problems.add(&node.origin, format!("`market` is {}, expected [[market]]", node.value.kind()));
        return None;
    };
    if items.is_empty() {
        problems.add(&node.origin, "`market` is empty, expected at least one [[market]]");
    }
    let mut taken: Vec<(ProductLine, String)> = Vec::new();
    let mut markets = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let section = Section::open(&format!("market.{index}"), item, &MarketConfig::TABLE, base, problems);
        let Some(market) = MarketConfig::read(&section, problems) else { continue };
        check::symbols(&section, &market, &mut taken, problems);
        check::channels(&section, &market, problems);
        check::environment(&section, &market, problems);
        effective.push(EffectiveTable::new(MarketConfig::TABLE, market.effective(), Some(item), file));
        markets.push(market);
    }
    if markets.len() < items.len() {
        return None;
    }
    check::markets(items, &markets, problems);
    (!markets.is_empty()).then_some(markets)
}

/// The table is that of its kind; without a known kind there is nothing to hold its other keys against.
fn read_strategy<'a>(node: &'a Node, base: &'a Path, problems: &mut Problems) -> Option<(Section<'a>, StrategyConfig)> {
    let kind = strategies::kind_of(node).unwrap_or(strategies::NAMES[0]);
    let section = Section::open("strategy", node, &StrategyConfig::table_of(kind), base, problems);
    let strategy = StrategyConfig::read(kind, &section, problems)?;
    Some((section, strategy))
}

#[cfg(test)]
mod tests;
