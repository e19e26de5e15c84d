//! COLD: what is said of a configuration key, and of a table of them.

use rust_decimal::Decimal;

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct ConfigKey {
    /// Its name within its table.
    pub name: &'static str,
    /// What it means, in a sentence.
    pub meaning: &'static str,
    /// What its value may be.
    pub kind: Kind,
    /// The unit of its value; empty where there is none.
    pub unit: &'static str,
    /// Whether it may be omitted.
    pub presence: Presence,
    /// What the sample says.
    pub sample: Sample,
}

impl ConfigKey {
    /// The meaning, the unit, and what is so if it is omitted.
    #[must_use]
    pub fn explanation(&self) -> String {
        let meaning = self.meaning.trim().trim_end_matches('.');
        let unit = if self.unit.is_empty() { String::new() } else { format!(", in {}", self.unit) };
        match self.presence {
            Presence::Mandatory(_) => format!("{meaning}{unit}"),
            Presence::Default(value) if value == self.sample.value() => format!("{meaning}{unit}"),
            Presence::Default(value) => format!("{meaning}{unit}; omitted: {}", value.trim_matches('"')),
            Presence::Optional(words) => format!("{meaning}{unit}; omitted: {words}"),
        }
    }
}

/// What a value may be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// An exact decimal, as a number or a string.
    Decimal(Range),
    /// A whole number, both ends included.
    Whole(i64, i64),
    /// One of these words.
    Choice(fn() -> Vec<&'static str>),
    /// A text of this pattern (a regular expression for editors), checked and brought into its usual form.
    Text {
        /// The same for people.
        words: &'static str,
        /// What an editor may check: a regular expression, empty for any text.
        pattern: &'static str,
        /// What the reader checks.
        check: fn(&str) -> Result<String, String>,
    },
    /// A path; a relative one starts at the configuration's own folder.
    Path,
    /// An array of distinct texts, at least one.
    Texts,
}

impl Kind {
    /// For people.
    #[must_use]
    pub fn in_words(self) -> String {
        match self {
            Kind::Decimal(range) => format!("decimal, {range}"),
            Kind::Whole(low, high) => format!("whole number, {low} to {high}"),
            Kind::Choice(names) => names().iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or "),
            Kind::Text { words, .. } => words.to_owned(),
            Kind::Path => "path".to_owned(),
            Kind::Texts => "texts, at least one".to_owned(),
        }
    }
}

/// Whether a key may be omitted.
#[derive(Clone, Copy, Debug)]
pub enum Presence {
    /// It may not; the words say why, or what it looks like.
    Mandatory(&'static str),
    /// It may: then it has this value, written as in the file.
    Default(&'static str),
    /// It may: then this is so.
    Optional(&'static str),
}

/// What the sample says of a key.
#[derive(Clone, Copy, Debug)]
pub enum Sample {
    /// It is set to this, written as in the file.
    Set(&'static str),
    /// It stands in a comment, with this value.
    Comment(&'static str),
}

impl Sample {
    /// The value, written as in the file.
    #[must_use]
    pub const fn value(self) -> &'static str {
        match self {
            Sample::Set(value) | Sample::Comment(value) => value,
        }
    }
}

/// One table of the file.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// What it holds, in a sentence.
    pub meaning: &'static str,
    /// Whether it may stand several times, as `[[market]]`.
    pub repeated: bool,
    /// Its keys, in the order in which people read them.
    pub keys: &'static [ConfigKey],
}

impl Table {
    /// A key of it.
    #[must_use]
    pub fn key(&self, name: &str) -> Option<&'static ConfigKey> {
        self.keys.iter().find(|key| key.name == name)
    }
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
    /// Whether a value is one of them.
    #[must_use]
    pub fn contains(self, value: Decimal) -> bool {
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
