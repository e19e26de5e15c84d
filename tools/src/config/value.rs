//! COLD: how a value of each type is taken out of the file, and how it is shown again.

use std::path::PathBuf;

use rust_decimal::Decimal;
use serde_json::{Value as Json, json};
use spinbook_engine::intent::TimeInForce;
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::card::Environment;

use super::keys::{ConfigKey, Kind, Presence};
use super::read::{Problems, Section};
use super::tree::{self, Node, Origin, TomlValue};
use super::venues;

/// A type that a key may have.
pub trait KeyValue: Sized {
    /// Takes the value; `None` if it is wrong, which is then among the problems.
    fn take(key: &ConfigKey, node: &Node, section: &Section<'_>, problems: &mut Problems) -> Option<Self>;

    /// The value of an omitted key that has no default.
    #[must_use]
    fn omitted() -> Option<Self> {
        None
    }

    /// As programs read it.
    fn to_json(&self) -> Json;
}

/// Takes a key of a table: its value, else its default, else that it is omitted.
pub fn take<T: KeyValue>(section: &Section<'_>, name: &str, problems: &mut Problems) -> Option<T> {
    let key = section.key(name);
    match (section.node(name), key.presence) {
        (Some(node), _) => T::take(key, node, section, problems),
        (None, Presence::Default(text)) => {
            let node = Node { value: tree::read_value(text), origin: Origin::Default };
            T::take(key, &node, section, problems)
        }
        (None, Presence::Optional(_)) => T::omitted(),
        (None, Presence::Mandatory(why)) => {
            section.missing(name, problems, why);
            None
        }
    }
}

impl<T: KeyValue> KeyValue for Option<T> {
    fn take(key: &ConfigKey, node: &Node, section: &Section<'_>, problems: &mut Problems) -> Option<Self> {
        T::take(key, node, section, problems).map(Some)
    }

    fn omitted() -> Option<Self> {
        Some(None)
    }

    fn to_json(&self) -> Json {
        self.as_ref().map_or(Json::Null, KeyValue::to_json)
    }
}

impl KeyValue for Decimal {
    fn take(key: &ConfigKey, node: &Node, section: &Section<'_>, problems: &mut Problems) -> Option<Self> {
        let Kind::Decimal(range) = key.kind else { unreachable!("`{}` is no decimal", key.name) };
        section.decimal(key.name, node, range, problems)
    }

    fn to_json(&self) -> Json {
        json!(self.to_string())
    }
}

/// Whole numbers of each width: the ranges of the list are those of the type or narrower.
macro_rules! whole {
    ($($type:ty),+) => {$(
        impl KeyValue for $type {
            fn take(key: &ConfigKey, node: &Node, section: &Section<'_>, problems: &mut Problems) -> Option<Self> {
                let Kind::Whole(low, high) = key.kind else { unreachable!("`{}` is no whole number", key.name) };
                section.whole(key.name, node, low..=high, problems).and_then(|value| <$type>::try_from(value).ok())
            }

            fn to_json(&self) -> Json {
                json!(self)
            }
        }
    )+};
}
whole!(u32, usize);

impl KeyValue for String {
    fn take(key: &ConfigKey, node: &Node, section: &Section<'_>, problems: &mut Problems) -> Option<Self> {
        let Kind::Text { check, .. } = key.kind else { unreachable!("`{}` is no text", key.name) };
        let text = section.text(key.name, node, problems)?;
        check(&text).map_err(|why| section.refuse_value(key.name, node, problems, &why)).ok()
    }

    fn to_json(&self) -> Json {
        json!(self)
    }
}

impl KeyValue for PathBuf {
    fn take(key: &ConfigKey, node: &Node, section: &Section<'_>, problems: &mut Problems) -> Option<Self> {
        section.text(key.name, node, problems).map(|text| section.base().join(text))
    }

    fn to_json(&self) -> Json {
        json!(self.display().to_string())
    }
}

impl KeyValue for Vec<String> {
    fn take(key: &ConfigKey, node: &Node, section: &Section<'_>, problems: &mut Problems) -> Option<Self> {
        let TomlValue::Array(items) = &node.value else {
            let why = format!("is {}, expected an array of strings", node.value.kind());
            section.refuse_value(key.name, node, problems, &why);
            return None;
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            match &item.value {
                TomlValue::Text(text) => texts.push(text.clone()),
                other => problems.add(
                    &item.origin,
                    format!("`{}` holds {}, expected only strings", section.path(key.name), other.kind()),
                ),
            }
        }
        if items.is_empty() {
            section.refuse_value(key.name, node, problems, "is empty, expected at least one");
        }
        (!texts.is_empty() && texts.len() == items.len()).then_some(texts)
    }

    fn to_json(&self) -> Json {
        json!(self)
    }
}

/// Takes one of a few words.
fn choose(key: &ConfigKey, node: &Node, section: &Section<'_>, problems: &mut Problems) -> Option<&'static str> {
    let Kind::Choice(names) = key.kind else { unreachable!("`{}` is no choice", key.name) };
    let text = section.text(key.name, node, problems)?;
    let names = names();
    let found = names.iter().find(|name| **name == text).copied();
    if found.is_none() {
        section.refuse_value(key.name, node, problems, &format!("expected {}", alternatives(&names)));
    }
    found
}

/// `"a"`, `"a" or "b"`, `"a", "b" or "c"`.
#[must_use]
pub fn alternatives(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

/// Choices of our own: each word with what it means.
macro_rules! choice {
    ($(#[doc = $doc:literal])+ $type:ident { $($(#[doc = $meaning:literal])+ $variant:ident = $name:literal,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $type {
            $($(#[doc = $meaning])+ $variant,)+
        }

        impl $type {
            /// The words.
            #[must_use]
            pub fn names() -> Vec<&'static str> {
                vec![$($name),+]
            }

            /// As it is written.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $($type::$variant => $name,)+
                }
            }
        }

        impl KeyValue for $type {
            fn take(key: &ConfigKey, node: &Node, section: &Section<'_>, problems: &mut Problems) -> Option<Self> {
                match choose(key, node, section, problems)? {
                    $($name => Some($type::$variant),)+
                    _ => None,
                }
            }

            fn to_json(&self) -> Json {
                json!(self.name())
            }
        }
    };
}

choice! {
    /// What is done about pages that the system could take away.
    LockMemory {
        /// Locked where the limit allows it; otherwise made present, with a warning.
        Allowed = "allowed",
        /// Locked, or the run does not start.
        Required = "required",
        /// Left to the system.
        Never = "never",
    }
}

choice! {
    /// How a resting quote is brought to another price or quantity.
    RequoteWay {
        /// It is cancelled and, once that is answered, another is placed.
        CancelPlace = "cancel-place",
        /// By one request, where the venue has one: an amendment, or a cancel and a place at once.
        Amend = "amend",
    }
}

choice! {
    /// What becomes of orders where a venue, or our own way to it, is too slow.
    SlowAction {
        /// What is open at the venue is pulled for a while.
        Pull = "pull",
        /// Trading halts until it is re-armed.
        Halt = "halt",
    }
}

choice! {
    /// What becomes of orders of an earlier run that a live start finds open.
    AtStart {
        /// They are cancelled.
        Cancel = "cancel",
        /// Those that are what the journal tells go on as quotes of this run; the others are cancelled.
        Adopt = "adopt",
    }
}

choice! {
    /// What is kept warm while nothing comes.
    KeepWarmChoice {
        /// Nothing.
        Off = "off",
        /// The way from a frame to an order.
        Path = "path",
        /// And the kernel's way in.
        All = "all",
    }
}

choice! {
    /// Whether the engine may ask the system for something.
    Permission {
        /// It may.
        Allowed = "allowed",
        /// It may not.
        Never = "never",
    }
}

choice! {
    /// What is done where it is not known whether a key may withdraw.
    KeyRights {
        /// No start.
        Required = "required",
        /// A warning.
        Asked = "asked",
        /// Nobody asks.
        Never = "never",
    }
}

/// The worlds that a market may be in, as written.
const ENVIRONMENTS: [Environment; 3] = [Environment::Production, Environment::Testnet, Environment::Simulated];

/// Their words.
#[must_use]
pub fn environments() -> Vec<&'static str> {
    ENVIRONMENTS.map(Environment::name).to_vec()
}

impl KeyValue for Environment {
    fn take(key: &ConfigKey, node: &Node, section: &Section<'_>, problems: &mut Problems) -> Option<Self> {
        let chosen = choose(key, node, section, problems)?;
        ENVIRONMENTS.into_iter().find(|environment| environment.name() == chosen)
    }

    fn to_json(&self) -> Json {
        json!(self.name())
    }
}

/// How long an order may live, as written.
pub const TIMES_IN_FORCE: [(&str, TimeInForce); 2] =
    [("post-only", TimeInForce::PostOnly), ("ioc", TimeInForce::ImmediateOrCancel)];

/// The words for how long an order may live.
#[must_use]
pub fn times_in_force() -> Vec<&'static str> {
    TIMES_IN_FORCE.iter().map(|(name, _)| *name).collect()
}

impl KeyValue for TimeInForce {
    fn take(key: &ConfigKey, node: &Node, section: &Section<'_>, problems: &mut Problems) -> Option<Self> {
        let chosen = choose(key, node, section, problems)?;
        TIMES_IN_FORCE.iter().find(|(name, _)| *name == chosen).map(|(_, value)| *value)
    }

    fn to_json(&self) -> Json {
        json!(TIMES_IN_FORCE.iter().find(|(_, value)| value == self).map(|(name, _)| *name))
    }
}

impl KeyValue for ProductLine {
    fn take(key: &ConfigKey, node: &Node, section: &Section<'_>, problems: &mut Problems) -> Option<Self> {
        let text = section.text(key.name, node, problems)?;
        match venues::check_venue(&text) {
            Ok(line) => Some(line),
            Err(failure) => {
                let next = failure.next.clone().unwrap_or_default();
                section.refuse_value(key.name, node, problems, &format!("{}: {next}", failure.what));
                None
            }
        }
    }

    fn to_json(&self) -> Json {
        json!(self.name())
    }
}
