//! COLD: the list of keys against everything that is made of it: reader, sample, schema, README's table.

use std::collections::BTreeSet;

use rust_decimal::Decimal;
use serde_json::{Value as Json, json};

use super::super::keys::{ConfigKey, Kind, Presence, Range, Sample, Table};
use super::super::sample::ConfigText;
use super::super::tables::tables;
use super::super::{schema, value};
use super::*;

/// Every key with its table and its path in a document of one market.
fn every_key() -> Vec<(Table, &'static ConfigKey, String)> {
    let path = |table: &Table, key: &ConfigKey| match table.repeated {
        true => format!("{}.0.{}", table.name, key.name),
        false => format!("{}.{}", table.name, key.name),
    };
    tables().iter().flat_map(|table| table.keys.iter().map(|key| (*table, key, path(table, key)))).collect()
}

fn read_text(text: &ConfigText) -> Config {
    read(&text.plain()).unwrap_or_else(|failure| panic!("{failure}\n{}", text.plain()))
}

/// Another value that the key may have; none where there is only one.
fn other_value(key: &ConfigKey) -> Option<String> {
    let sample = key.sample.value();
    let bare = sample.trim_matches('"');
    Some(match key.kind {
        Kind::Decimal(_) => {
            let value: Decimal = bare.parse().expect("a decimal");
            let smaller = value * Decimal::new(9, 1);
            if smaller == value { "1".to_owned() } else { smaller.to_string() }
        }
        Kind::Whole(..) => match bare.parse::<i64>().expect("a whole number") {
            even if even > 0 && even % 2 == 0 => (even / 2).to_string(),
            odd => (odd + 1).to_string(),
        },
        Kind::Choice(names) => (*names().iter().find(|name| **name != bare)?).to_owned(),
        Kind::Text { .. } if bare.contains("9443") => bare.replace("9443", "9444"),
        Kind::Text { .. } => bare.replace("100", "500"),
        Kind::Path => format!("{bare}.other"),
        Kind::Texts => "[\"ETHUSDT\"]".to_owned(),
    })
}

#[test]
fn changing_any_key_changes_what_a_run_is_told_and_nothing_else() {
    let base = ConfigText::sample();
    let typed = |config: &Config| {
        format!("{:?}", (&config.engine, &config.markets, &config.strategy, &config.risk, &config.paper))
    };
    let values = |config: &Config| -> Vec<(&str, &str, Json)> {
        let keys = config.effective.iter().flat_map(|table| table.keys.iter().map(|key| (table.table.name, key)));
        keys.map(|(table, key)| (table, key.name, key.value.clone())).collect()
    };
    let before = read_text(&base);
    let (mut changed_keys, mut single) = (0, Vec::new());
    for (table, key, path) in every_key() {
        let Some(value) = other_value(key) else {
            single.push(path);
            continue;
        };
        let mut text = base.clone();
        text.set(&path, &value).expect("a key of the list");
        let after = read_text(&text);
        assert_ne!(typed(&before), typed(&after), "`{path}` = {value} is not read");
        let (before, after) = (values(&before), values(&after));
        let changed: Vec<_> = before.iter().zip(&after).filter(|(before, after)| before != after).collect();
        assert_eq!(changed.len(), 1, "`{path}` = {value}: {changed:?}");
        assert_eq!((changed[0].1.0, changed[0].1.1), (table.name, key.name), "{changed:?}");
        changed_keys += 1;
    }
    assert_eq!(single, ["strategy.kind"], "keys of which there is only one value");
    assert!(changed_keys >= 30, "{changed_keys}");
}

#[test]
fn the_sample_names_every_key_with_its_meaning_and_what_is_omitted_has_its_default() {
    let text = sample_text();
    for (_, key, path) in every_key() {
        let mark = if matches!(key.sample, Sample::Set(_)) { "" } else { "# " };
        let start = format!("{mark}{} = {} ", key.name, key.sample.value());
        let line = text.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("no `{start}`\n{text}"));
        assert!(line.contains(key.meaning.trim().trim_end_matches('.')), "{path}: {line}");
        assert!(line.len() <= 160, "{line}");
    }
    // Every key that has a default, left out: the default is in effect.
    let mandatory = every_key().into_iter().filter(|(_, key, _)| matches!(key.presence, Presence::Mandatory(_)));
    let kept: BTreeSet<&str> = mandatory.map(|(_, key, _)| key.name).collect();
    let lines = text.lines().filter(|line| {
        line.starts_with('[') || line.split(" = ").next().is_some_and(|name| kept.contains(name.trim()))
    });
    let config = read(&lines.collect::<Vec<_>>().join("\n")).unwrap_or_else(|failure| panic!("{failure}"));
    for table in &config.effective {
        for shown in &table.keys {
            let key = table.table.key(shown.name).expect("of the list");
            match key.presence {
                Presence::Mandatory(_) => assert!(shown.place.starts_with(FILE), "{shown:?}"),
                Presence::Default(_) => assert_eq!(shown.place, "default", "{shown:?}"),
                Presence::Optional(_) => assert_eq!((&shown.value, &*shown.place), (&Json::Null, "not set")),
            }
        }
    }
    assert_eq!(spread(&config).levels, 1);
    assert_eq!(spread(&config).imbalance_widening.to_string(), "1.5");
}

#[test]
fn every_value_says_where_it_came_from() {
    let environment = [("SPINBOOK_RISK__OPEN_ORDERS_MAX".to_owned(), "7".to_owned())];
    let sets = ["market.0.receive_window_ms=2000".to_owned()];
    let config = Config::from_text(&sample_text(), FILE, Path::new(""), &environment, &sets).expect("valid");
    let place = |table: &str, key: &str| {
        let table = config.effective.iter().find(|found| found.table.name == table).expect("a table");
        table.keys.iter().find(|found| found.name == key).expect("a key").place.clone()
    };
    assert_eq!(place("risk", "open_orders_max"), "environment SPINBOOK_RISK__OPEN_ORDERS_MAX");
    assert_eq!(place("market", "receive_window_ms"), "--set market.0.receive_window_ms");
    assert_eq!(place("market", "venue"), format!("{FILE}:{}", line_of("venue")));
    assert_eq!(place("engine", "lock_memory"), "default");
    assert_eq!(place("engine", "hot_core"), "not set");
    let text = effective::to_text(&config.effective);
    assert!(text.contains("[[market]]\nvenue = \"binance-usdm\""), "{text}");
    assert!(
        text.lines().any(|line| line.starts_with("open_orders_max = 7") && line.contains("# environment")),
        "{text}"
    );
    assert!(!text.contains("hot_core"), "{text}");
}

/// Whether a value fits a schema, for the words of JSON Schema that ours uses; any other word is a failure.
fn judge(value: &Json, schema: &Json, path: &str) -> Result<(), String> {
    let refuse = |why: String| Err(format!("{path}: {value}: {why}"));
    let is = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        other => panic!("unknown type {other}"),
    };
    let number = value.as_f64();
    for (word, wanted) in schema.as_object().expect("a schema is an object") {
        let fits = match (word.as_str(), wanted) {
            ("$schema" | "title" | "description" | "default", _) => true,
            ("type", Json::String(kind)) => is(kind),
            ("type", Json::Array(kinds)) => kinds.iter().any(|kind| is(kind.as_str().expect("a name"))),
            ("enum", Json::Array(values)) => values.contains(value),
            ("pattern", Json::String(pattern)) => {
                let pattern = regex::Regex::new(pattern).expect("a regular expression");
                value.as_str().is_none_or(|text| pattern.is_match(text))
            }
            ("minimum", low) => number.is_none_or(|number| number >= low.as_f64().expect("a number")),
            ("maximum", high) => number.is_none_or(|number| number <= high.as_f64().expect("a number")),
            ("exclusiveMinimum", low) => number.is_none_or(|number| number > low.as_f64().expect("a number")),
            ("minLength", least) => {
                value.as_str().is_none_or(|text| text.len() as u64 >= least.as_u64().expect("a count"))
            }
            ("minItems", least) => {
                value.as_array().is_none_or(|items| items.len() as u64 >= least.as_u64().expect("a count"))
            }
            ("uniqueItems", Json::Bool(true)) => value
                .as_array()
                .is_none_or(|items| items.iter().enumerate().all(|(at, item)| !items[..at].contains(item))),
            ("items", schema) => {
                for (at, item) in value.as_array().into_iter().flatten().enumerate() {
                    judge(item, schema, &format!("{path}.{at}"))?;
                }
                true
            }
            ("required", Json::Array(names)) => {
                names.iter().all(|name| value.get(name.as_str().expect("a name")).is_some())
            }
            ("additionalProperties", Json::Bool(false)) => {
                let known = schema["properties"].as_object().expect("properties");
                value.as_object().is_none_or(|keys| keys.keys().all(|key| known.contains_key(key)))
            }
            ("properties", Json::Object(properties)) => {
                for (name, schema) in properties {
                    if let Some(value) = value.get(name) {
                        judge(value, schema, &format!("{path}.{name}"))?;
                    }
                }
                true
            }
            (word, _) => panic!("the schema uses {word}, which this check does not know"),
        };
        if !fits {
            return refuse(format!("{word} {wanted}"));
        }
    }
    Ok(())
}

/// A configuration as an editor sees it.
fn document(text: &str) -> Json {
    let table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"));
    serde_json::to_value(table).expect("TOML is JSON here")
}

#[test]
fn the_sample_fits_its_own_schema_and_so_does_each_key_it_comments_out() {
    let schema = schema::schema();
    judge(&document(&sample_text()), &schema, "").unwrap_or_else(|why| panic!("{why}"));
    let mut all = ConfigText::sample();
    for (_, key, path) in every_key() {
        all.set(&path, key.sample.value()).expect("a key of the list");
    }
    judge(&document(&all.plain()), &schema, "").unwrap_or_else(|why| panic!("{why}"));
    read(&all.plain()).unwrap_or_else(|failure| panic!("{failure}"));
}

/// Values at and beyond the edge of what a key may be.
fn edges(key: &ConfigKey) -> Vec<String> {
    let texts = |values: &[i64]| values.iter().map(i64::to_string).collect();
    match key.kind {
        Kind::Whole(low, high) => texts(&[low - 1, low, high, high + 1]),
        Kind::Decimal(Range::Positive) => texts(&[-1, 0, 1]),
        Kind::Decimal(Range::UpTo(high)) => texts(&[-1, 0, i64::from(high), i64::from(high) + 1]),
        Kind::Decimal(Range::PositiveUpTo(high)) => texts(&[-1, 0, 1, i64::from(high), i64::from(high) + 1]),
        Kind::Decimal(Range::Between(low, high)) => texts(&[low - 1, low, high, high + 1]),
        Kind::Choice(names) => {
            names().into_iter().map(str::to_owned).chain(["nothing-of-the-kind".to_owned()]).map(quoted).collect()
        }
        Kind::Text { .. } => ["https://host", "wss://host:1/x", "http://host", "depth", "depth@100ms", "depth5"]
            .map(|text| quoted(text.to_owned()))
            .to_vec(),
        Kind::Path => vec![quoted("x".to_owned()), "1".to_owned()],
        Kind::Texts => ["[]", "[\"BTCUSDT\"]", "\"BTCUSDT\"", "[1]"].map(str::to_owned).to_vec(),
    }
}

fn quoted(text: String) -> String {
    format!("\"{text}\"")
}

#[test]
fn reader_and_schema_refuse_the_same_values() {
    let schema = schema::schema();
    let (mut accepted, mut refused) = (0, 0);
    for (_, key, path) in every_key() {
        for value in edges(key) {
            let mut text = ConfigText::sample();
            text.set(&path, &value).expect("a key of the list");
            let read = match read(&text.plain()) {
                Ok(_) => Ok(()),
                Err(failure) => {
                    let message = failure.to_string();
                    // Relations between keys are beyond a schema: they name another key, or what the venue serves.
                    let relation = ["above ", "below ", "half of", "accepts only ", "has no such stream"]
                        .iter()
                        .any(|word| message.contains(word));
                    if relation { Ok(()) } else { Err(message) }
                }
            };
            let judged = judge(&document(&text.plain()), &schema, "");
            assert_eq!(read.is_ok(), judged.is_ok(), "{path} = {value}: {read:?} {judged:?}");
            if judged.is_ok() { accepted += 1 } else { refused += 1 }
        }
    }
    assert!(accepted > 50 && refused > 50, "{accepted} {refused}");
}

#[test]
fn the_schema_describes_every_key_and_knows_which_are_mandatory() {
    let schema = schema::schema();
    assert_eq!(schema["required"], json!(["market", "strategy", "risk"]));
    for (table, key, path) in every_key() {
        let table_schema = &schema["properties"][table.name];
        let table_schema = if table.repeated { &table_schema["items"] } else { table_schema };
        let found = &table_schema["properties"][key.name];
        assert_eq!(found["description"], key.explanation(), "{path}");
        let mandatory = table_schema["required"].as_array().expect("a list").contains(&json!(key.name));
        assert_eq!(mandatory, matches!(key.presence, Presence::Mandatory(_)), "{path}");
        if let Presence::Default(default) = key.presence {
            assert_eq!(found["default"], schema::value_json(default), "{path}");
        }
    }
}

#[test]
fn the_table_of_readme_is_the_generated_one() {
    let readme = include_str!("../../../../README.md");
    let (_, rest) = readme
        .split_once("<!-- configuration keys: printed by `spinbook config schema --markdown` -->\n")
        .expect("README has the marker");
    let (table, _) = rest.split_once("<!-- end of configuration keys -->").expect("README has the end marker");
    assert!(table.trim() == schema::markdown().trim(), "run `spinbook config schema --markdown` and put it there");
}

#[test]
fn a_configuration_of_two_markets_is_written_and_read_back() {
    let mut text = ConfigText::sample();
    text.set("market.1.venue", "binance-spot").expect("a second market");
    text.set("market.1.symbols", "[\"BTCUSDT\", \"ETHUSDT\"]").expect("a key");
    for text in [text.plain(), text.commented()] {
        let config = read(&text).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(config.markets.len(), 2);
        assert_eq!(config.markets[1].venue.name(), "binance-spot");
        assert_eq!(config.markets[1].symbols, ["BTCUSDT", "ETHUSDT"]);
    }
    assert!(text.set("market.3.venue", "binance-spot").is_err(), "a gap in the numbers");
    assert!(text.set("risk.1.open_orders_max", "1").is_err(), "there is one [risk]");
    assert!(text.set("risk.position_max", "1").is_err(), "no such key");
    assert!(text.set("position_max_base", "1").is_err(), "no such path");
}

#[test]
fn alternatives_are_words() {
    assert_eq!(value::alternatives(&["a"]), "\"a\"");
    assert_eq!(value::alternatives(&["a", "b", "c"]), "\"a\", \"b\" or \"c\"");
}
