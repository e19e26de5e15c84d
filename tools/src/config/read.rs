//! COLD: takes typed values out of a document and collects every problem with its place.

use std::ops::RangeInclusive;
use std::path::Path;

use rust_decimal::Decimal;

use super::keys::{ConfigKey, Range, Table};
use super::tree::{Node, Origin, TomlValue};

/// Collects what is wrong with a document.
#[derive(Debug)]
pub struct Problems {
    file: String,
    list: Vec<String>,
}

impl Problems {
    /// None yet, for a document that is called `file` in messages.
    #[must_use]
    pub fn new(file: &str) -> Problems {
        Problems { file: file.to_owned(), list: Vec::new() }
    }

    /// Adds one, with its place.
    pub fn add(&mut self, origin: &Origin, message: impl AsRef<str>) {
        self.list.push(format!("{}: {}", origin.place(&self.file), message.as_ref()));
    }

    /// All of them.
    #[must_use]
    pub fn into_list(self) -> Vec<String> {
        self.list
    }

    /// How many so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.list.len()
    }
}

/// The nearest of `known` to `name`, if it is near enough to be a slip.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance * 5 <= 2 * candidate.len().max(name.len()))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// What is said of an unknown key. A value that may be a secret is not repeated.
fn unknown_key(path: &str, key: &str, value: &Node, known: &[&str]) -> String {
    let lower = key.to_ascii_lowercase();
    if ["key", "secret", "pass", "token"].iter().any(|word| lower.contains(word)) {
        return format!(
            "unknown key `{path}`: secrets never stand in the configuration; put them into a file of mode 0600 \
             and name it: credentials = \"keys/venue.toml\""
        );
    }
    let hint = nearest(key, known.iter().copied())
        .map_or_else(|| format!("expected one of {}", known.join(", ")), |near| format!("did you mean `{near}`?"));
    format!("unknown key `{path}` = {}: {hint}", shown(&value.value))
}

/// A value as messages repeat it: what stands before the `@` of an address is a secret.
fn shown(value: &TomlValue) -> String {
    let text = value.to_string();
    let authority = text.find("://").map(|at| at + "://".len());
    match authority.and_then(|start| Some((start, start + text[start..].rfind('@')?))) {
        Some((start, end)) => format!("{}***{}", &text[..start], &text[end..]),
        None => text,
    }
}

/// One table of the document, read key by key; what is not a key of it is a problem at once.
#[derive(Debug)]
pub struct Section<'a> {
    name: String,
    entries: &'a [(String, Node)],
    origin: Origin,
    table: Table,
    base: &'a Path,
}

impl<'a> Section<'a> {
    /// Opens a table of the document; relative paths in it start at `base`.
    pub fn open(name: &str, node: &'a Node, table: &Table, base: &'a Path, problems: &mut Problems) -> Self {
        let known: Vec<&str> = table.keys.iter().map(|key| key.name).collect();
        let entries = entries(name, node, &known, problems);
        Section { name: name.to_owned(), entries, origin: node.origin.clone(), table: *table, base }
    }

    /// What relative paths start at.
    #[must_use]
    pub fn base(&self) -> &Path {
        self.base
    }

    /// What the list says of a key.
    ///
    /// # Panics
    /// If the list has no such key.
    #[must_use]
    pub fn key(&self, name: &str) -> &'static ConfigKey {
        self.table.key(name).expect("a section is read by its own list of keys")
    }

    /// The key's full path.
    #[must_use]
    pub fn path(&self, key: &str) -> String {
        format!("{}.{key}", self.name)
    }

    /// Where the key stands, or else its table.
    #[must_use]
    pub fn origin(&self, key: &str) -> Origin {
        self.node(key).map_or_else(|| self.origin.clone(), |node| node.origin.clone())
    }

    /// The raw value of a key.
    #[must_use]
    pub fn node(&self, key: &str) -> Option<&'a Node> {
        self.entries.iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    /// Adds a problem with this key's value.
    pub fn refuse_value(&self, key: &str, node: &Node, problems: &mut Problems, why: &str) {
        problems.add(&node.origin, format!("`{}` = {}: {why}", self.path(key), shown(&node.value)));
    }

    /// Adds a problem with a key, at its value or else at its table.
    pub fn refuse(&self, key: &str, problems: &mut Problems, why: &str) {
        let value = self.node(key).map(|node| format!(" = {}", shown(&node.value))).unwrap_or_default();
        problems.add(&self.origin(key), format!("`{}`{value}: {why}", self.path(key)));
    }

    /// Adds that a key must be there.
    pub fn missing(&self, key: &str, problems: &mut Problems, expected: &str) {
        problems.add(&self.origin, format!("`{}` is missing: {expected}", self.path(key)));
    }

    /// A string that is not empty.
    pub fn text(&self, key: &str, node: &Node, problems: &mut Problems) -> Option<String> {
        match &node.value {
            TomlValue::Text(text) if !text.trim().is_empty() => Some(text.clone()),
            TomlValue::Text(_) => {
                self.refuse_value(key, node, problems, "is empty");
                None
            }
            other => {
                self.refuse_value(key, node, problems, &format!("is {}, expected a string", other.kind()));
                None
            }
        }
    }

    /// A whole number within a range, both ends included.
    pub fn whole(&self, key: &str, node: &Node, range: RangeInclusive<i64>, problems: &mut Problems) -> Option<i64> {
        let number = match &node.value {
            TomlValue::Number(text) => text.trim_start_matches('+').parse::<i64>().ok(),
            TomlValue::Text(text) => text.parse::<i64>().ok(),
            _ => None,
        };
        match number {
            Some(number) if range.contains(&number) => Some(number),
            _ => {
                let (low, high) = (range.start(), range.end());
                self.refuse_value(key, node, problems, &format!("expected a whole number from {low} to {high}"));
                None
            }
        }
    }

    /// A decimal, exact, from a string or a number, within a range.
    pub fn decimal(&self, key: &str, node: &Node, range: Range, problems: &mut Problems) -> Option<Decimal> {
        let text = match &node.value {
            TomlValue::Text(text) | TomlValue::Number(text) => text,
            other => {
                let why = format!("is {}, expected a decimal such as \"0.01\"", other.kind());
                self.refuse_value(key, node, problems, &why);
                return None;
            }
        };
        let Some(value) = exact_decimal(text) else {
            let why = "is not an exact decimal such as \"0.01\" (at most 28 digits)";
            self.refuse_value(key, node, problems, why);
            return None;
        };
        if range.contains(value) {
            return Some(value);
        }
        self.refuse_value(key, node, problems, &format!("expected {range}"));
        None
    }
}

/// The entries of a table whose only keys are `known`; every other key is a problem at once.
pub fn entries<'a>(name: &str, node: &'a Node, known: &[&str], problems: &mut Problems) -> &'a [(String, Node)] {
    let TomlValue::Table(entries) = &node.value else {
        problems.add(&node.origin, format!("`{name}` is {}, expected a table", node.value.kind()));
        return &[];
    };
    for (key, value) in entries.iter().filter(|(key, _)| !known.contains(&key.as_str())) {
        let path = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
        problems.add(&value.origin, unknown_key(&path, key, value, known));
    }
    entries
}

/// Reads a decimal exactly: no rounding, no overflow, no spaces, no NaN; an exponent is accepted.
#[must_use]
pub fn exact_decimal(text: &str) -> Option<Decimal> {
    let text = text.strip_prefix('+').unwrap_or(text);
    if text.contains(['e', 'E']) {
        return Decimal::from_scientific(text).ok();
    }
    if text.starts_with('+') || text.contains('_') {
        return None;
    }
    Decimal::from_str_exact(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_or_refused() {
        assert_eq!(exact_decimal("0.10").map(|value| value.to_string()), Some("0.10".to_owned()));
        assert_eq!(exact_decimal("1e-3").map(|value| value.to_string()), Some("0.001".to_owned()));
        for bad in ["", " 1", "1 ", "nan", "inf", "1,5", "0x10", "++1", "1_0", "0.00000000000000000000000000001"] {
            assert_eq!(exact_decimal(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_nearest_key_is_offered_only_when_it_is_near() {
        let known = ["position_max_base", "open_orders_max"];
        assert_eq!(nearest("positon_max_base", known.into_iter()), Some("position_max_base"));
        assert_eq!(nearest("colour", known.into_iter()), None);
    }
}
