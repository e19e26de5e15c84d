//! COLD: a TOML document as a tree that remembers where every value came from, numbers still as text.
//!
//! Numbers stay text so that a price or quantity is read exactly; a float never exists.

use std::fmt;

use toml::de::{DeTable, DeValue};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A line of the file, from 1.
    Line(usize),
    /// An environment variable.
    Environment(String),
    /// A `--set` argument.
    Set(String),
    /// It is not given: the key's default.
    Default,
}

impl Origin {
    /// For people: `FILE:LINE`, the variable, the argument, or that it is a default.
    #[must_use]
    pub fn place(&self, file: &str) -> String {
        match self {
            Origin::Line(line) => format!("{file}:{line}"),
            Origin::Environment(name) => format!("environment {name}"),
            Origin::Set(argument) => format!("--set {argument}"),
            Origin::Default => "default".to_owned(),
        }
    }
}

/// A value and where it came from.
#[derive(Clone, Debug)]
pub struct Node {
    /// The value.
    pub value: TomlValue,
    /// Where it came from.
    pub origin: Origin,
}

/// A TOML value; numbers and dates as written.
#[derive(Clone, Debug)]
pub enum TomlValue {
    /// Keys in the order of the file; the origin of each key is that of its value.
    Table(Vec<(String, Node)>),
    /// An array.
    Array(Vec<Node>),
    /// A quoted string.
    Text(String),
    /// An integer or float, as written.
    Number(String),
    /// `true` or `false`.
    Boolean(bool),
    /// A date or time, as written.
    Date(String),
}

impl TomlValue {
    /// What kind of value it is, with an article.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            TomlValue::Table(_) => "a table",
            TomlValue::Array(_) => "an array",
            TomlValue::Text(_) => "a string",
            TomlValue::Number(_) => "a number",
            TomlValue::Boolean(_) => "a boolean",
            TomlValue::Date(_) => "a date",
        }
    }
}

impl fmt::Display for TomlValue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TomlValue::Table(_) => out.write_str("{…}"),
            TomlValue::Array(items) => {
                let shown: Vec<String> = items.iter().map(|item| item.value.to_string()).collect();
                write!(out, "[{}]", shown.join(", "))
            }
            TomlValue::Text(text) => out.write_str(&quoted(text)),
            TomlValue::Number(text) | TomlValue::Date(text) => out.write_str(text),
            TomlValue::Boolean(value) => write!(out, "{value}"),
        }
    }
}

/// A text as a basic string of TOML, on one line.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(control))),
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

/// A document that is not TOML: line from 1 and the parser's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Line, from 1.
    pub line: usize,
    /// The parser's words.
    pub message: String,
}

/// Parses a document.
///
/// # Errors
/// The first place where it is not TOML (a key given twice included).
pub fn parse(text: &str) -> Result<Node, SyntaxError> {
    let lines = LineIndex::new(text);
    let table = DeTable::parse(text).map_err(|error| SyntaxError {
        line: error.span().map_or(1, |span| lines.line(span.start)),
        message: error.message().to_owned(),
    })?;
    Ok(Node { value: convert_table(table.get_ref(), &lines), origin: Origin::Line(1) })
}

/// Turns byte offsets into line numbers.
struct LineIndex {
    starts: Vec<usize>,
}

impl LineIndex {
    fn new(text: &str) -> LineIndex {
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        LineIndex { starts: std::iter::once(0).chain(newlines).collect() }
    }

    fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset)
    }
}

fn convert_table(table: &DeTable<'_>, lines: &LineIndex) -> TomlValue {
    let mut entries: Vec<(usize, (String, Node))> = table
        .iter()
        .map(|(key, value)| {
            let start = key.span().start;
            let node = Node { value: convert(value.get_ref(), lines), origin: Origin::Line(lines.line(start)) };
            (start, (key.get_ref().to_string(), node))
        })
        .collect();
    entries.sort_by_key(|(start, _)| *start);
    TomlValue::Table(entries.into_iter().map(|(_, entry)| entry).collect())
}

fn convert(value: &DeValue<'_>, lines: &LineIndex) -> TomlValue {
    match value {
        DeValue::String(text) => TomlValue::Text(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => TomlValue::Number(number.as_str().to_owned()),
        DeValue::Integer(number) => {
            let converted = i64::from_str_radix(number.as_str(), number.radix());
            TomlValue::Number(converted.map_or_else(|_| number.as_str().to_owned(), |value| value.to_string()))
        }
        DeValue::Float(number) => TomlValue::Number(number.as_str().to_owned()),
        DeValue::Boolean(value) => TomlValue::Boolean(*value),
        DeValue::Datetime(date) => TomlValue::Date(date.to_string()),
        DeValue::Array(items) => TomlValue::Array(
            items
                .iter()
                .map(|item| Node {
                    value: convert(item.get_ref(), lines),
                    origin: Origin::Line(lines.line(item.span().start)),
                })
                .collect(),
        ),
        DeValue::Table(table) => convert_table(table, lines),
    }
}

/// Sets one value by its dotted path (`risk.position_max_base`, `market.0.rest_url`).
///
/// The text is read as a TOML value where it is one, else as a string. Tables on the way are made.
///
/// # Errors
/// What is wrong with the path.
pub fn set(root: &mut Node, path: &[&str], text: &str, origin: &Origin) -> Result<(), String> {
    let Some((last, way)) = path.split_last() else {
        return Err("an empty key".to_owned());
    };
    let mut node = root;
    for part in way {
        node = step(node, part, origin)?;
    }
    let value = read_value(text);
    match &mut node.value {
        TomlValue::Table(entries) => {
            let new = Node { value, origin: origin.clone() };
            match entries.iter_mut().find(|(key, _)| key == last) {
                Some((_, old)) => *old = new,
                None => entries.push(((*last).to_owned(), new)),
            }
            Ok(())
        }
        TomlValue::Array(items) => {
            let item = last.parse::<usize>().ok().and_then(|index| items.get_mut(index));
            let Some(item) = item else {
                return Err(format!("there is no element `{last}`: the array counts from 0"));
            };
            *item = Node { value, origin: origin.clone() };
            Ok(())
        }
        other => Err(format!("`{}` is {}, not a table", way.join("."), other.kind())),
    }
}

/// One step of a dotted path: into a table (made where missing) or into an array's element.
fn step<'a>(node: &'a mut Node, part: &str, origin: &Origin) -> Result<&'a mut Node, String> {
    match &mut node.value {
        TomlValue::Table(entries) => {
            let found = entries.iter().position(|(key, _)| key == part);
            let index = match found {
                Some(index) => index,
                None => {
                    entries
                        .push((part.to_owned(), Node { value: TomlValue::Table(Vec::new()), origin: origin.clone() }));
                    entries.len() - 1
                }
            };
            Ok(&mut entries[index].1)
        }
        TomlValue::Array(items) => {
            let index: usize = part.parse().map_err(|_| format!("`{part}` is not an index, such as market.0"))?;
            let count = items.len();
            items.get_mut(index).ok_or_else(|| format!("there is no element {index}: the array has {count}"))
        }
        other => Err(format!("`{part}` lies below {}", other.kind())),
    }
}

/// A value as it is written in a file: a TOML value where it is one, else a string.
pub fn read_value(text: &str) -> TomlValue {
    let document = format!("value = {text}");
    match DeTable::parse(&document) {
        Ok(table) if table.get_ref().len() == 1 => {
            let lines = LineIndex::new(&document);
            table
                .get_ref()
                .values()
                .next()
                .map_or_else(|| TomlValue::Text(text.to_owned()), |value| convert(value.get_ref(), &lines))
        }
        _ => TomlValue::Text(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry<'a>(node: &'a Node, key: &str) -> &'a Node {
        let TomlValue::Table(entries) = &node.value else { panic!("{} is no table", node.value.kind()) };
        &entries.iter().find(|(name, _)| name == key).expect("the key is there").1
    }

    #[test]
    fn numbers_keep_their_text_and_values_their_line() {
        let root = parse("a = 1.10\n\n[b]\nc = \"x\"\nd = 1_000\n").expect("valid");
        assert_eq!(entry(&root, "a").value.to_string(), "1.10");
        let b = entry(&root, "b");
        assert_eq!(entry(b, "c").origin, Origin::Line(4));
        assert_eq!(entry(b, "d").value.to_string(), "1000");
    }

    #[test]
    fn overrides_reach_tables_arrays_and_new_keys() {
        let mut root = parse("[risk]\na = 1\n[[market]]\nvenue = \"x\"\n").expect("valid");
        let origin = Origin::Set("--set".into());
        set(&mut root, &["risk", "a"], "0.25", &origin).expect("known");
        set(&mut root, &["market", "0", "venue"], "binance-spot", &origin).expect("known");
        set(&mut root, &["engine", "hot_core"], "1", &origin).expect("made");
        assert_eq!(entry(entry(&root, "risk"), "a").value.to_string(), "0.25");
        let TomlValue::Array(markets) = &entry(&root, "market").value else { panic!("market is an array") };
        assert_eq!(entry(&markets[0], "venue").value.to_string(), "\"binance-spot\"");
        assert!(set(&mut root, &["market", "3", "venue"], "x", &origin).is_err());
        assert!(set(&mut root, &["risk", "a", "b"], "x", &origin).is_err());
    }

    #[test]
    fn a_broken_document_names_its_line() {
        let error = parse("a = 1\nb = = 2\n").expect_err("not TOML");
        assert_eq!(error.line, 2);
    }
}
