//! COLD: who may name a venue, and that a public type's name means one thing in the whole project.

use std::collections::BTreeMap;

use crate::source::{Source, words};

/// The venues that have a room or will have one.
const VENUES: [&str; 4] = ["binance", "okx", "bybit", "htx"];

/// Product files outside the venues' rooms that name a venue, each with its reason.
pub const VENUE_FILES: &[(&str, &str)] = &[
    ("bench/src/markets.rs", "the markets that are measured"),
    ("bench/src/plain/mod.rs", "parses one venue's frames, as its peers do"),
    ("tools/src/cli.rs", "help texts"),
    ("tools/src/config/tables.rs", "samples and help texts of the configuration"),
];

/// Names that several public types have, each with its reason.
pub const SHARED_NAMES: &[(&str, &str)] = &[];

/// Whether the file is where venues are named: a venue's own room, or the list of all. The peers play other people's
/// libraries on recordings of one venue.
fn is_venue_room(path: &str) -> bool {
    path.starts_with("bench/peers/")
        || path == "feed/src/venue/mod.rs"
        || VENUES.iter().any(|venue| path.starts_with(&format!("feed/src/venue/{venue}/")))
}

/// The lines of product code, comments included, that name a venue outside the venues' rooms.
pub fn venue_words(source: &Source) -> Vec<String> {
    if is_venue_room(&source.path) {
        return Vec::new();
    }
    source
        .production()
        .filter_map(|(line, _, raw)| {
            let lower = raw.to_lowercase();
            let venue = VENUES.iter().find(|venue| lower.contains(**venue))?;
            Some(format!("{}:{line}: names `{venue}`", source.path))
        })
        .collect()
}

/// Public types of product code: name, and where each stands.
pub fn public_types(sources: &[Source]) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in sources {
        for (line, code, _) in source.production() {
            let Some(item) = code.trim_start().strip_prefix("pub ") else { continue };
            let mut names = words(item).map(|(_, word)| word).skip_while(|word| *word == "unsafe");
            let kind = names.next().unwrap_or_default();
            if ["struct", "enum", "trait", "type", "union"].contains(&kind)
                && let Some(name) = names.next()
            {
                found.entry(name.to_owned()).or_default().push(format!("{}:{line}", source.path));
            }
        }
    }
    found
}
