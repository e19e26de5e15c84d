//! COLD: what is in effect after file, environment and arguments, each value with the place it came from.

use serde_json::{Map, Value as Json};

use super::keys::Table;
use super::tree::{Node, Origin, TomlValue, quoted};

/// One table as it is in effect; nothing in it is secret.
#[derive(Clone, Debug)]
pub struct EffectiveTable {
    /// What the file says of it.
    pub table: Table,
    /// Its keys, in the order of the list.
    pub keys: Vec<EffectiveKey>,
}

/// One key as it is in effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectiveKey {
    /// Its name within the table.
    pub name: &'static str,
    /// Its value; null if it is not set and has no default.
    pub value: Json,
    /// `FILE:LINE`, the variable, the argument, `default`, or `not set`.
    pub place: String,
}

impl EffectiveTable {
    /// Of a table whose typed section says `values`, and which stands in the document at `node`.
    #[must_use]
    pub fn new(table: Table, values: Vec<(&'static str, Json)>, node: Option<&Node>, file: &str) -> EffectiveTable {
        let entries: &[(String, Node)] = match node.map(|node| &node.value) {
            Some(TomlValue::Table(entries)) => entries,
            _ => &[],
        };
        let place = |name: &str, value: &Json| match entries.iter().find(|(key, _)| key == name) {
            Some((_, node)) => node.origin.place(file),
            None if value.is_null() => "not set".to_owned(),
            None => Origin::Default.place(file),
        };
        let keys = values.into_iter().map(|(name, value)| EffectiveKey { name, place: place(name, &value), value });
        EffectiveTable { table, keys: keys.collect() }
    }
}

/// For people: as in the file, each line with where it came from; what is not set is left out.
#[must_use]
pub fn to_text(tables: &[EffectiveTable]) -> String {
    let mut text = String::new();
    for table in tables {
        let name = table.table.name;
        let head = if table.table.repeated { format!("[[{name}]]") } else { format!("[{name}]") };
        text.push_str(&format!("\n{head}\n"));
        for key in table.keys.iter().filter(|key| !key.value.is_null()) {
            let line = format!("{} = {}", key.name, toml_text(&key.value));
            text.push_str(&format!("{line:<40} # {}\n", key.place));
        }
    }
    text
}

/// A value as the file writes it.
pub(super) fn toml_text(value: &Json) -> String {
    match value {
        Json::String(text) => quoted(text),
        Json::Array(items) => format!("[{}]", items.iter().map(toml_text).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

/// For programs: `pick` of each key, below its table; repeated tables as arrays.
#[must_use]
pub fn to_json(tables: &[EffectiveTable], pick: impl Fn(&EffectiveKey) -> Json) -> Json {
    let mut top = Map::new();
    for table in tables {
        let keys: Map<String, Json> = table.keys.iter().map(|key| (key.name.to_owned(), pick(key))).collect();
        let name = table.table.name.to_owned();
        match (table.table.repeated, top.get_mut(&name)) {
            (true, Some(Json::Array(items))) => items.push(Json::Object(keys)),
            (true, _) => drop(top.insert(name, Json::Array(vec![Json::Object(keys)]))),
            (false, _) => drop(top.insert(name, Json::Object(keys))),
        }
    }
    Json::Object(top)
}
