//! COLD: `spinbook keys check`: loads every market's credentials and says what may be said of them.

use serde_json::json;

use crate::cli::ConfigCheckArgs;
use crate::config::Config;
use crate::config::credentials;
use crate::error::Failure;
use crate::outcome::Done;

/// Keys of every venue are longer; a shorter one may be a simulated exchange's.
const KEY_CHARACTERS_MIN: usize = 16;

/// Checks the file, owner, mode and form of every key; asks no venue.
///
/// # Errors
/// Wrong configuration, or the first key that cannot be used.
pub fn check(arguments: &ConfigCheckArgs) -> Result<Done, Failure> {
    let config = Config::load(&arguments.config, &arguments.set)?;
    let mut text = String::new();
    let mut rows = Vec::new();
    for market in &config.markets {
        let mut found = credentials::load(market, &|name| std::env::var(name).ok())?;
        text.push_str(&format!(
            "{}: key {} ({}), from {}\n",
            market.venue.name(),
            found.credentials.api_key.masked(),
            found.credentials.kind(),
            found.source
        ));
        let characters = found.credentials.api_key.as_str().len();
        if characters < KEY_CHARACTERS_MIN {
            found.warnings.push(format!("the API key has only {characters} characters: is it a whole one?"));
        }
        for warning in &found.warnings {
            text.push_str(&format!("  warning: {warning}\n"));
        }
        rows.push(json!({
            "venue": market.venue.name(),
            "key": found.credentials.api_key.masked(),
            "method": found.credentials.kind(),
            "source": found.source,
            "warnings": found.warnings,
        }));
    }
    text.push_str("the keys are well formed; permissions and IP binding are checked by the venue when a run starts\n");
    Ok(Done::new(text, json!({ "keys": rows })))
}
