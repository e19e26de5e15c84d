//! COLD: takes typed values out of a document and collects every problem with its place.

use rust_decimal::Decimal;

use super::tree::{Node, Origin, Value};

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
        let place = match origin {
            Origin::Line(line) => format!("{}:{line}", self.file),
            Origin::Environment(name) => format!("environment {name}"),
            Origin::Set(argument) => format!("--set {argument}"),
        };
        self.list.push(format!("{place}: {}", message.as_ref()));
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
             and name it: credentials = \"keys/binance.toml\""
        );
    }
    let hint = nearest(key, known.iter().copied())
        .map_or_else(|| format!("expected one of {}", known.join(", ")), |near| format!("did you mean `{near}`?"));
    format!("unknown key `{path}` = {}: {hint}", value.value)
}

/// One table of the document, read key by key; what is left over at the end is unknown.
#[derive(Debug)]
pub struct Section<'a> {
    name: String,
    entries: &'a [(String, Node)],
    origin: Origin,
    known: &'static [&'static str],
}

impl<'a> Section<'a> {
    /// Opens a table whose only keys are `known`; every other key is a problem at once.
    pub fn open(name: &str, node: &'a Node, known: &'static [&'static str], problems: &mut Problems) -> Self {
        let entries: &[(String, Node)] = match &node.value {
            Value::Table(entries) => entries,
            other => {
                problems.add(&node.origin, format!("`{name}` is {}, expected a table", other.kind()));
                &[]
            }
        };
        for (key, value) in entries.iter().filter(|(key, _)| !known.contains(&key.as_str())) {
            let path = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
            problems.add(&value.origin, unknown_key(&path, key, value, known));
        }
        Section { name: name.to_owned(), entries, origin: node.origin.clone(), known }
    }

    /// The key's full path.
    #[must_use]
    pub fn path(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    /// Where the key stands, or else its table.
    #[must_use]
    pub fn origin(&self, key: &str) -> Origin {
        self.node(key).map_or_else(|| self.origin.clone(), |node| node.origin.clone())
    }

    /// The raw value of a key.
    #[must_use]
    pub fn node(&self, key: &str) -> Option<&'a Node> {
        debug_assert!(self.known.contains(&key), "{key} is not among the section's keys");
        self.entries.iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    /// Adds a problem with this key's value.
    pub fn refuse(&self, key: &str, problems: &mut Problems, why: &str) {
        let value = self.node(key).map(|node| format!(" = {}", node.value)).unwrap_or_default();
        problems.add(&self.origin(key), format!("`{}`{value}: {why}", self.path(key)));
    }

    /// A key that must be there.
    pub fn required(&self, key: &str, problems: &mut Problems, expected: &str) -> Option<&'a Node> {
        let node = self.node(key);
        if node.is_none() {
            problems.add(&self.origin, format!("`{}` is missing: {expected}", self.path(key)));
        }
        node
    }

    /// A string.
    pub fn text(&self, key: &str, problems: &mut Problems) -> Option<String> {
        match &self.node(key)?.value {
            Value::Text(text) if !text.trim().is_empty() => Some(text.clone()),
            Value::Text(_) => {
                self.refuse(key, problems, "is empty");
                None
            }
            other => {
                self.refuse(key, problems, &format!("is {}, expected a string", other.kind()));
                None
            }
        }
    }

    /// A non-empty array of distinct strings.
    pub fn texts(&self, key: &str, problems: &mut Problems) -> Option<Vec<(String, Origin)>> {
        let node = self.node(key)?;
        let Value::Array(items) = &node.value else {
            self.refuse(key, problems, &format!("is {}, expected an array of strings", node.value.kind()));
            return None;
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            match &item.value {
                Value::Text(text) => texts.push((text.clone(), item.origin.clone())),
                other => problems
                    .add(&item.origin, format!("`{}` holds {}, expected only strings", self.path(key), other.kind())),
            }
        }
        if items.is_empty() {
            self.refuse(key, problems, "is empty, expected at least one");
        }
        Some(texts)
    }

    /// A whole number within a range, both ends included.
    pub fn whole(&self, key: &str, range: std::ops::RangeInclusive<i64>, problems: &mut Problems) -> Option<i64> {
        let node = self.node(key)?;
        let number = match &node.value {
            Value::Number(text) => text.trim_start_matches('+').parse::<i64>().ok(),
            Value::Text(text) => text.parse::<i64>().ok(),
            _ => None,
        };
        match number {
            Some(number) if range.contains(&number) => Some(number),
            _ => {
                let (low, high) = (range.start(), range.end());
                self.refuse(key, problems, &format!("expected a whole number from {low} to {high}"));
                None
            }
        }
    }

    /// A decimal, exact, from a string or a number, within a range.
    pub fn decimal(&self, key: &str, range: Range, problems: &mut Problems) -> Option<Decimal> {
        let node = self.node(key)?;
        let text = match &node.value {
            Value::Text(text) | Value::Number(text) => text,
            other => {
                self.refuse(key, problems, &format!("is {}, expected a decimal such as \"0.01\"", other.kind()));
                return None;
            }
        };
        let Some(value) = exact_decimal(text) else {
            self.refuse(key, problems, "is not an exact decimal such as \"0.01\" (at most 28 digits)");
            return None;
        };
        if range.contains(value) {
            return Some(value);
        }
        self.refuse(key, problems, &format!("expected {range}"));
        None
    }
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

/// The values a decimal may take.
#[derive(Clone, Copy, Debug)]
pub enum Range {
    /// Above zero.
    Positive,
    /// Zero or more, at most this.
    UpTo(u32),
    /// Above zero, at most this.
    PositiveUpTo(u32),
    /// At least this (inclusive) and at most that.
    Between(i64, i64),
}

impl Range {
    fn contains(self, value: Decimal) -> bool {
        match self {
            Range::Positive => value > Decimal::ZERO,
            Range::UpTo(high) => value >= Decimal::ZERO && value <= Decimal::from(high),
            Range::PositiveUpTo(high) => value > Decimal::ZERO && value <= Decimal::from(high),
            Range::Between(low, high) => value >= Decimal::from(low) && value <= Decimal::from(high),
        }
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Range::Positive => out.write_str("more than 0"),
            Range::UpTo(high) => write!(out, "0 to {high}"),
            Range::PositiveUpTo(high) => write!(out, "more than 0, at most {high}"),
            Range::Between(low, high) => write!(out, "{low} to {high}"),
        }
    }
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
