//! COLD: the text of a configuration, made from the list of keys: the sample, the demo's, and what tests trade with.

use super::keys::{Sample, Table};
use super::tables::tables;
use super::tree::read_value;

/// What stands above the first table.
const HEAD: &str = "\
# Spinbook configuration. Check it with: spinbook config check -c spinbook.toml
# Paths are relative to this file. Unknown keys are refused. Any key may be overridden by the environment
# (SPINBOOK_RISK__POSITION_MAX_BASE=0.1) or on the command line (--set risk.position_max_base=0.1).
# Keys never stand in this file: name a credentials file of mode 0600.
";
/// Where comments begin.
const COMMENT_COLUMN: usize = 34;

/// The sample of a credentials file, all comments: nothing in it is a key.
pub const CREDENTIALS: &str = r#"# Credentials of one account: a file of its own, mode 0600, owned by you, never a symbolic link.
# With Ed25519 (recommended: the private key never leaves this machine, one log-on per session):
#   api_key = "..."
#   private_key = """-----BEGIN PRIVATE KEY----- ... -----END PRIVATE KEY-----"""
# With HMAC:
#   api_key = "..."
#   secret = "..."
# Give the key no withdrawal permission and bind it to your IP address.
"#;

/// The values of one table: a text as in the file, and whether it stands in a comment.
#[derive(Clone, Debug)]
struct Filled {
    table: Table,
    values: Vec<(String, bool)>,
}

impl Filled {
    fn new(table: Table) -> Filled {
        let values = table.keys.iter().map(|key| match key.sample {
            Sample::Set(value) => (value.to_owned(), true),
            Sample::Comment(value) => (value.to_owned(), false),
        });
        Filled { table, values: values.collect() }
    }

    fn write(&self, text: &mut String, commented: bool) {
        let head = match self.table.repeated {
            true => format!("[[{}]]", self.table.name),
            false => format!("[{}]", self.table.name),
        };
        let mut line = |left: String, right: String| match commented {
            true => text.push_str(&format!("{left:<COMMENT_COLUMN$}# {right}\n")),
            false => text.push_str(&format!("{left}\n")),
        };
        line(head + " ", self.table.meaning.trim().to_owned());
        for (key, (value, set)) in self.table.keys.iter().zip(&self.values) {
            let mark = if *set { "" } else { "# " };
            if *set || commented {
                line(format!("{mark}{} = {value} ", key.name), key.explanation());
            }
        }
    }
}

/// A configuration that is being written.
#[derive(Clone, Debug)]
pub struct ConfigText {
    tables: Vec<Filled>,
}

impl ConfigText {
    /// The sample's values.
    #[must_use]
    pub fn sample() -> ConfigText {
        let mut seen = Vec::new();
        let mut first_of_a_name = |table: &Table| {
            let new = !seen.contains(&table.name);
            seen.push(table.name);
            new
        };
        ConfigText { tables: tables().into_iter().filter(|table| first_of_a_name(table)).map(Filled::new).collect() }
    }

    /// Sets a key by its path, as on the command line: `risk.position_max_base`, `market.1.venue`, which adds the
    /// market. A text that is no TOML value is taken as a string.
    ///
    /// # Errors
    /// There is no such key.
    pub fn set(&mut self, path: &str, value: &str) -> Result<(), String> {
        let parts: Vec<&str> = path.split('.').collect();
        let (name, index, key) = match parts[..] {
            [name, key] => (name, 0, key),
            [name, index, key] => (name, index.parse::<usize>().map_err(|_| format!("`{index}` is no index"))?, key),
            _ => return Err(format!("`{path}` is no key, such as risk.open_orders_max")),
        };
        let at = self.place(name, index)?;
        let filled = &mut self.tables[at];
        let position = filled.table.keys.iter().position(|known| known.name == key);
        let position = position.ok_or_else(|| format!("`{path}`: [{name}] has no such key"))?;
        filled.values[position] = (read_value(value).to_string(), true);
        Ok(())
    }

    /// Where the table with this number among those of its name stands; the next one of a repeated table is added.
    fn place(&mut self, name: &str, index: usize) -> Result<usize, String> {
        let all: Vec<usize> =
            self.tables.iter().enumerate().filter(|(_, filled)| filled.table.name == name).map(|(at, _)| at).collect();
        let last = *all.last().ok_or_else(|| format!("there is no table [{name}]"))?;
        match all.get(index) {
            Some(at) => Ok(*at),
            None if index == all.len() && self.tables[last].table.repeated => {
                self.tables.insert(last + 1, Filled::new(self.tables[last].table));
                Ok(last + 1)
            }
            None => Err(format!("there is no [{name}] number {index}: {} stand there", all.len())),
        }
    }

    /// With every key, its meaning, and those that are not set in comments.
    #[must_use]
    pub fn commented(&self) -> String {
        let mut text = HEAD.to_owned();
        for filled in &self.tables {
            text.push('\n');
            filled.write(&mut text, true);
        }
        text
    }

    /// What is set alone.
    #[must_use]
    pub fn plain(&self) -> String {
        let mut text = String::new();
        for filled in &self.tables {
            filled.write(&mut text, false);
        }
        text
    }
}
