//! COLD: a source file as the rules see it: its text, its code without comments and literals, its tests.

use std::path::{Path, PathBuf};
use std::process::Command;

/// One Rust source file.
pub struct Source {
    /// Path from the project's root, with `/`.
    pub path: String,
    /// The text, line by line.
    pub lines: Vec<String>,
    /// The same lines with comments, strings and character literals blanked.
    pub code: Vec<String>,
    /// Whether a line belongs to test code.
    pub test: Vec<bool>,
}

impl Source {
    /// Reads a text as if it lay at `path`.
    pub fn new(path: &str, text: &str) -> Source {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let code: Vec<String> = blank(text).lines().map(str::to_owned).collect();
        let whole_file_is_test = path.contains("/tests/")
            || path.contains("/benches/")
            || path.ends_with("/tests.rs")
            || path.ends_with("_tests.rs");
        let test = if whole_file_is_test { vec![true; lines.len()] } else { test_lines(&code) };
        Source { path: path.to_owned(), lines, code, test }
    }

    /// Whether line 1 says HOT.
    pub fn is_hot(&self) -> bool {
        self.lines.first().is_some_and(|line| line.starts_with("//! HOT"))
    }

    /// The package folder: `engine`, `feed`, `tools` or `bench`.
    pub fn package(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }

    /// The room: the first name below `src`, without `.rs`; empty for anything outside `src`.
    pub fn room(&self) -> &str {
        let mut parts = self.path.split('/').skip(1);
        match parts.next() {
            Some("src") => parts.next().unwrap_or_default().trim_end_matches(".rs"),
            _ => "",
        }
    }

    /// Lines of code that are not tests: number from 1, blanked code, raw text.
    pub fn production(&self) -> impl Iterator<Item = (usize, &str, &str)> {
        let raw = self.lines.iter();
        self.code
            .iter()
            .zip(raw)
            .zip(&self.test)
            .enumerate()
            .filter(|(_, (_, test))| !**test)
            .map(|(index, ((code, raw), _))| (index + 1, code.as_str(), raw.as_str()))
    }

    /// Functions outside tests.
    pub fn functions(&self) -> Vec<Function> {
        functions(&self.code).into_iter().filter(|function| !self.test[function.first - 1]).collect()
    }
}

/// A function's extent.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Line of `fn`, from 1.
    pub first: usize,
    /// Line of the closing brace.
    pub last: usize,
}

/// Replaces everything in comments, strings and character literals by spaces, keeping the lines.
pub fn blank(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < letters.len() {
        let end = literal_end(&letters, at);
        if end == at {
            out.push(letters[at]);
            at += 1;
            continue;
        }
        out.extend(letters[at..end].iter().map(|letter| if *letter == '\n' { '\n' } else { ' ' }));
        at = end;
    }
    out
}

/// Where the comment or literal that starts at `at` ends; `at` itself if none starts there.
fn literal_end(letters: &[char], at: usize) -> usize {
    let next = letters.get(at + 1).copied();
    match (letters[at], next) {
        ('/', Some('/')) => scan(letters, at, |rest| rest[0] == '\n'),
        ('/', Some('*')) => block_comment_end(letters, at),
        ('"', _) => string_end(letters, at),
        ('r', Some('"' | '#')) if !follows_a_name(letters, at) => raw_string_end(letters, at),
        ('b', Some('\'')) if !follows_a_name(letters, at) => character_end(letters, at + 1),
        ('\'', _) => character_end(letters, at),
        _ => at,
    }
}

/// A raw string may follow `b` or `c`, but not another name's letters.
fn follows_a_name(letters: &[char], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).map(|index| letters[index]);
    let is_name = |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
    match before(1) {
        Some('b' | 'c') => is_name(before(2)),
        letter => is_name(letter),
    }
}

fn scan(letters: &[char], from: usize, stop: impl Fn(&[char]) -> bool) -> usize {
    (from..letters.len()).find(|index| stop(&letters[*index..])).unwrap_or(letters.len())
}

fn block_comment_end(letters: &[char], at: usize) -> usize {
    let (mut depth, mut index) = (0usize, at);
    while index < letters.len() {
        match (letters[index], letters.get(index + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                index += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                index += 2;
                if depth == 0 {
                    return index;
                }
            }
            _ => index += 1,
        }
    }
    letters.len()
}

fn string_end(letters: &[char], at: usize) -> usize {
    let mut index = at + 1;
    while index < letters.len() {
        match letters[index] {
            '\\' => index += 2,
            '"' => return index + 1,
            _ => index += 1,
        }
    }
    letters.len()
}

fn raw_string_end(letters: &[char], at: usize) -> usize {
    let hashes = letters[at + 1..].iter().take_while(|letter| **letter == '#').count();
    let open = at + 1 + hashes;
    if letters.get(open) != Some(&'"') {
        return at;
    }
    let closes = |rest: &[char]| rest[0] == '"' && rest.len() > hashes && rest[1..=hashes].iter().all(|l| *l == '#');
    (scan(letters, open + 1, closes) + 1 + hashes).min(letters.len())
}

/// A character literal's end; a lifetime is none.
fn character_end(letters: &[char], at: usize) -> usize {
    if letters.get(at + 1) == Some(&'\\') {
        return (scan(letters, at + 3, |rest| rest[0] == '\'') + 1).min(letters.len());
    }
    if letters.get(at + 2) == Some(&'\'') { at + 3 } else { at }
}

/// Marks what stands below `#[cfg(test)]` or `#[test]`: an item with braces, or one that ends with `;`.
fn test_lines(code: &[String]) -> Vec<bool> {
    let mut test = vec![false; code.len()];
    let mut index = 0;
    while index < code.len() {
        let line = code[index].trim();
        if line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(all(test") || line.starts_with("#[test]") {
            let last = item_end(code, index);
            test[index..=last].fill(true);
            index = last;
        }
        index += 1;
    }
    test
}

/// Last line of the item that starts at `from` (attributes included).
fn item_end(code: &[String], from: usize) -> usize {
    let mut depth = 0usize;
    for (index, line) in code.iter().enumerate().skip(from) {
        for letter in line.chars() {
            match letter {
                '{' => depth += 1,
                '}' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return index;
                    }
                }
                ';' if depth == 0 => return index,
                _ => {}
            }
        }
    }
    code.len().saturating_sub(1)
}

fn functions(code: &[String]) -> Vec<Function> {
    let mut found = Vec::new();
    for (index, line) in code.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let last = item_end(code, index);
        found.push(Function { name, first: index + 1, last: last + 1 });
    }
    found
}

fn function_name(line: &str) -> Option<String> {
    let at = words(line).find(|(_, word)| *word == "fn")?.0;
    let name: String = line[at + 2..].trim_start().chars().take_while(|l| l.is_alphanumeric() || *l == '_').collect();
    (!name.is_empty()).then_some(name)
}

/// The identifiers of a line with their byte offsets.
pub fn words(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + line[at..].find(is_name)?;
        let end = line[start..].find(|letter| !is_name(letter)).map_or(line.len(), |length| start + length);
        at = end;
        Some((start, &line[start..end]))
    })
}

/// The project's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tools lies in the root").to_owned()
}

/// Every file of the project: what git tracks or would, else what lies there without build output.
pub fn project_files() -> Vec<String> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .current_dir(root())
        .output();
    if let Ok(output) = listed
        && output.status.success()
    {
        let text = String::from_utf8(output.stdout).expect("paths are UTF-8");
        let exists = |path: &&str| !path.is_empty() && root().join(path).exists();
        return text.split('\0').filter(exists).map(str::to_owned).collect();
    }
    let mut files = Vec::new();
    walk(&root(), "", &mut files);
    files
}

fn walk(folder: &Path, prefix: &str, files: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == "target" || name == ".git" {
            continue;
        }
        let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        if entry.path().is_dir() {
            walk(&entry.path(), &path, files);
        } else {
            files.push(path);
        }
    }
}

/// Every Rust source of the four packages.
pub fn sources() -> Vec<Source> {
    let mut sources: Vec<Source> = project_files()
        .iter()
        .filter(|path| path.ends_with(".rs"))
        .map(|path| {
            let text = std::fs::read_to_string(root().join(path)).expect("sources are readable UTF-8");
            Source::new(path, &text)
        })
        .collect();
    sources.sort_by(|left, right| left.path.cmp(&right.path));
    assert!(sources.len() > 20, "the sources were not found");
    sources
}
