//! COLD: what the packages are built from: every dependency is used where it is declared, and none is unwelcome.

use std::process::Command;

use crate::source::{Source, root};

/// The only place that a dependency may come from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Licences that ask for no more than to be named.
const LICENCES: &[&str] = &[
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "LLVM-exception",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// What the program is not linked with, each with its reason.
pub const UNWELCOME: &[(&str, &str)] = &[
    ("openssl", "rustls with aws-lc-rs is the one TLS"),
    ("openssl-sys", "rustls with aws-lc-rs is the one TLS"),
    ("native-tls", "rustls with aws-lc-rs is the one TLS"),
    ("ring", "a second provider makes rustls panic at its choice"),
    ("tokio", "threads own their connections: no scheduler between a frame and its order"),
    ("async-std", "threads own their connections: no scheduler between a frame and its order"),
    ("hyper", "the order lane writes its own bytes; what may block is ureq's"),
    ("reqwest", "the order lane writes its own bytes; what may block is ureq's"),
    ("chrono", "time is nanoseconds and an argument"),
    ("backoff", "unmaintained"),
];

/// A dependency as a manifest declares it.
#[derive(Debug, PartialEq, Eq)]
pub struct Declared {
    /// Its name.
    pub name: String,
    /// Whether only tests, examples and benchmarks have it.
    pub dev: bool,
}

/// The dependencies of a manifest.
pub fn declared(manifest: &str) -> Vec<Declared> {
    let (mut found, mut dev) = (Vec::new(), None);
    for line in manifest.lines() {
        if let Some(section) = line.strip_prefix('[') {
            let kind = section.trim_end_matches(']').rsplit('.').next().unwrap_or_default();
            dev = match kind {
                "dependencies" => Some(false),
                "dev-dependencies" => Some(true),
                _ => None,
            };
            continue;
        }
        let name: String =
            line.chars().take_while(|letter| letter.is_alphanumeric() || "-_".contains(*letter)).collect();
        if let Some(dev) = dev.filter(|_| !name.is_empty()) {
            found.push(Declared { name, dev });
        }
    }
    found
}

/// What is wrong with a package's declared dependencies, given its sources.
pub fn unused(package: &str, manifest: &str, sources: &[Source]) -> Vec<String> {
    let own: Vec<&Source> =
        sources.iter().filter(|source| source.package() == package && is_built(&source.path)).collect();
    let names = |code: &str, word: &str| {
        code.match_indices(word).any(|(at, _)| {
            let before = code[..at].chars().next_back();
            let behind = code[at + word.len()..].trim_start();
            !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
                && [":", ";", " as ", "{"].iter().any(|next| behind.starts_with(next))
        })
    };
    let mut wrong = Vec::new();
    for Declared { name, dev } in declared(manifest) {
        let word = name.replace('-', "_");
        let in_product = || own.iter().any(|source| source.production().any(|(_, code, _)| names(code, &word)));
        let anywhere = || own.iter().any(|source| source.code.iter().any(|code| names(code, &word)));
        if !dev && !in_product() {
            let only_tests = anywhere();
            let what = if only_tests { "only tests use it: a dev-dependency" } else { "nothing uses it" };
            wrong.push(format!("{package}: `{name}`: {what}"));
        } else if dev && !anywhere() {
            wrong.push(format!("{package}: `{name}`: no test uses it"));
        }
    }
    wrong
}

/// The fuzz targets and the peers are workspaces of their own.
fn is_built(path: &str) -> bool {
    !["feed/fuzz/", "bench/peers/"].iter().any(|other| path.starts_with(other))
}

/// The sources in a lock file that are not the registry.
pub fn foreign_sources(lock: &str) -> Vec<String> {
    let sources = lock.lines().filter_map(|line| line.strip_prefix("source = "));
    sources.filter(|source| source.trim_matches('"') != REGISTRY).map(str::to_owned).collect()
}

/// The parts of a licence expression that are not on the list.
pub fn unknown_licences(expression: &str) -> Vec<String> {
    let parts = expression.split(|letter: char| letter.is_whitespace() || "/()".contains(letter));
    let words = parts.filter(|part| !part.is_empty() && !["OR", "AND", "WITH"].contains(part));
    words.filter(|part| !LICENCES.contains(part)).map(str::to_owned).collect()
}

/// Name and licence of every package that `cargo tree` shows for these arguments, this project's apart.
pub fn tree(arguments: &[&str]) -> Vec<(String, String)> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--prefix", "none", "--format", "{p}|{l}"])
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let mut found: Vec<(String, String)> = text
        .lines()
        .filter_map(|line| line.trim_end_matches(" (*)").split_once('|'))
        .map(|(package, licence)| (package.split(' ').next().unwrap_or_default().to_owned(), licence.to_owned()))
        .collect();
    found.sort();
    found.dedup();
    assert!(found.len() > 30, "cargo tree showed {} packages", found.len());
    found
}
