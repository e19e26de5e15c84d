//! COLD: the list of keys as a JSON Schema for editors, and as the table that README shows.

use rust_decimal::prelude::ToPrimitive;
use serde_json::{Map, Value as Json, json};

use super::keys::{ConfigKey, Kind, Presence, Range, Table};
use super::tables::tables;
use super::tree;

/// How an exact decimal is written in a string.
const DECIMAL_PATTERN: &str = "^[+-]?[0-9]*\\.?[0-9]+([eE][+-]?[0-9]+)?$";

/// The schema of the whole file, JSON Schema draft 2020-12.
#[must_use]
pub fn schema() -> Json {
    let mut properties = Map::new();
    let mut required = Vec::new();
    let tables = tables();
    for table in &tables {
        if properties.contains_key(table.name) {
            continue;
        }
        let same: Vec<Json> = tables.iter().filter(|other| other.name == table.name).map(table_schema).collect();
        let one = match <[Json; 1]>::try_from(same) {
            Ok([only]) => only,
            Err(several) => json!({ "oneOf": several }),
        };
        let schema = match table.repeated {
            true => json!({ "type": "array", "minItems": 1, "items": one }),
            false => one,
        };
        if table.keys.iter().any(|key| matches!(key.presence, Presence::Mandatory(_))) {
            required.push(table.name);
        }
        properties.insert(table.name.to_owned(), schema);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Spinbook configuration",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn table_schema(table: &Table) -> Json {
    let properties: Map<String, Json> = table.keys.iter().map(|key| (key.name.to_owned(), key_schema(key))).collect();
    let required: Vec<&str> =
        table.keys.iter().filter(|key| matches!(key.presence, Presence::Mandatory(_))).map(|key| key.name).collect();
    json!({
        "type": "object",
        "description": table.meaning.trim(),
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn key_schema(key: &ConfigKey) -> Json {
    let mut schema = match key.kind {
        Kind::Decimal(range) => decimal_schema(range),
        // The environment and `--set` may quote them, and so may the file.
        Kind::Whole(low, high) => {
            json!({ "type": ["integer", "string"], "minimum": low, "maximum": high, "pattern": "^[+-]?[0-9]+$" })
        }
        Kind::Choice(names) => json!({ "type": "string", "enum": names() }),
        Kind::Text { pattern, .. } => json!({ "type": "string", "pattern": pattern }),
        Kind::Path => json!({ "type": "string", "minLength": 1 }),
        Kind::Texts => {
            json!({ "type": "array", "items": { "type": "string" }, "minItems": 1, "uniqueItems": true })
        }
    };
    schema["description"] = json!(key.explanation());
    if let Presence::Default(value) = key.presence {
        schema["default"] = value_json(value);
    }
    schema
}

fn decimal_schema(range: Range) -> Json {
    let mut schema = json!({ "type": ["number", "string"], "pattern": DECIMAL_PATTERN });
    let mut bound = |name: &str, value: i64| schema[name] = json!(value);
    match range {
        Range::Positive => bound("exclusiveMinimum", 0),
        Range::UpTo(high) => {
            bound("minimum", 0);
            bound("maximum", i64::from(high));
        }
        Range::PositiveUpTo(high) => {
            bound("exclusiveMinimum", 0);
            bound("maximum", i64::from(high));
        }
        Range::Between(low, high) => {
            bound("minimum", low);
            bound("maximum", high);
        }
    }
    schema
}

/// A value as it is written in a configuration, for a schema: whole numbers as such, other numbers as strings, so that
/// none is ever a binary fraction.
#[must_use]
pub fn value_json(text: &str) -> Json {
    match tree::read_value(text) {
        tree::TomlValue::Number(number) => match number.parse::<rust_decimal::Decimal>() {
            Ok(value) if value.is_integer() => value.to_i64().map_or_else(|| json!(number), |whole| json!(whole)),
            _ => json!(number),
        },
        tree::TomlValue::Text(text) => json!(text),
        tree::TomlValue::Boolean(value) => json!(value),
        other => json!(other.to_string()),
    }
}

/// The table of README: every key, what it may be, its default, its meaning.
#[must_use]
pub fn markdown() -> String {
    let mut text = "| key | value | if omitted | meaning |\n|---|---|---|---|\n".to_owned();
    for table in tables() {
        let dots = if table.repeated { "[]" } else { "" };
        for key in table.keys {
            let omitted = match key.presence {
                Presence::Mandatory(_) => "mandatory".to_owned(),
                Presence::Default(value) => format!("`{}`", value.trim_matches('"')),
                Presence::Optional(words) => words.to_owned(),
            };
            let unit = if key.unit.is_empty() { String::new() } else { format!(", {}", key.unit) };
            text.push_str(&format!(
                "| `{}{dots}.{}` | {}{unit} | {omitted} | {} |\n",
                table.name,
                key.name,
                key.kind.in_words(),
                key.meaning.trim()
            ));
        }
    }
    text
}
