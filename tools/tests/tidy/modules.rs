//! COLD: which file of a package needs which: paths are followed through re-exports to where an item is defined.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::Source;

/// How many re-exports a path is followed through.
const RE_EXPORTS_MAX: usize = 8;

/// A file as a module: its place, what it declares to be elsewhere, what it names.
struct Module {
    path: String,
    /// Name in this module, and the path that it stands for; `*` for everything below a path.
    bindings: Vec<(String, Vec<String>)>,
    /// Every path that the production code names, with its line; not those that are only passed on.
    uses: Vec<(usize, Vec<String>)>,
}

/// The modules of one package's library or program.
pub struct Package {
    /// By module path below the crate's root.
    modules: BTreeMap<Vec<String>, Module>,
}

/// A file needs another, at a line.
pub struct Edge {
    /// Who needs it.
    pub from: String,
    /// Where.
    pub line: usize,
    /// What is needed.
    pub to: String,
}

impl Package {
    /// The package in `folder`, without its programs below `src/bin`.
    pub fn new<'a>(folder: &str, sources: impl IntoIterator<Item = &'a Source>) -> Package {
        let root = format!("{folder}/src/");
        let mut modules = BTreeMap::new();
        for source in sources {
            let Some(below) = source.path.strip_prefix(&root).filter(|below| !below.starts_with("bin/")) else {
                continue;
            };
            modules.insert(module_path(below), Module::read(source));
        }
        Package { modules }
    }

    /// Every file that a file needs, apart from a `mod.rs` above it: a folder's files may share what it declares.
    pub fn edges(&self) -> Vec<Edge> {
        let mut edges = Vec::new();
        for (own, module) in &self.modules {
            for (line, path) in &module.uses {
                let Some(target) = self.resolve(own, path, RE_EXPORTS_MAX) else { continue };
                if !own.starts_with(target) {
                    let to = self.modules[target].path.clone();
                    edges.push(Edge { from: module.path.clone(), line: *line, to });
                }
            }
        }
        edges
    }

    /// The module in which what a path names is defined.
    fn resolve<'a>(&'a self, own: &[String], path: &[String], re_exports: usize) -> Option<&'a [String]> {
        let (mut at, mut rest) = (own.to_vec(), path);
        match rest.first()?.as_str() {
            "crate" => at.clear(),
            "self" => {}
            "super" => {
                at.pop()?;
            }
            name if self.has_child(own, name) => at.push(name.to_owned()),
            _ => return None,
        }
        rest = &rest[1..];
        while let Some((name, behind)) = rest.split_first() {
            if name == "super" {
                at.pop()?;
            } else if self.has_child(&at, name) {
                at.push(name.clone());
            } else if let Some(found) = self.follow(&at, name, re_exports) {
                return Some(found);
            } else {
                break;
            }
            rest = behind;
        }
        self.modules.get_key_value(&at).map(|(key, _)| key.as_slice()).filter(|key| !key.is_empty())
    }

    /// Where a name that a module has from elsewhere is defined.
    fn follow<'a>(&'a self, at: &[String], name: &str, re_exports: usize) -> Option<&'a [String]> {
        let module = self.modules.get(at).filter(|_| re_exports > 0)?;
        let named = module.bindings.iter().find(|(bound, _)| bound == name);
        if let Some((_, path)) = named {
            return self.resolve(at, path, re_exports - 1);
        }
        None
    }

    fn has_child(&self, at: &[String], name: &str) -> bool {
        let child: Vec<String> = at.iter().cloned().chain([name.to_owned()]).collect();
        self.modules.contains_key(&child)
    }
}

impl Module {
    fn read(source: &Source) -> Module {
        let tokens = tokens(source);
        let (mut bindings, mut uses) = (Vec::new(), Vec::new());
        let mut at = 0;
        while at < tokens.len() {
            let (line, word) = &tokens[at];
            if word == "use" {
                let public = at > 0 && ["pub", ")"].contains(&tokens[at - 1].1.as_str());
                let mut found = Vec::new();
                at = use_tree(&tokens, at + 1, &[], &mut found);
                for (name, path) in found {
                    if !public {
                        uses.push((*line, path.clone()));
                    }
                    bindings.push((name, path));
                }
                continue;
            }
            let starts = is_name(word) && (at == 0 || tokens[at - 1].1 != "::");
            if starts && tokens.get(at + 1).is_some_and(|(_, next)| next == "::") {
                let mut path = vec![word.clone()];
                let mut next = at + 1;
                while tokens.get(next).is_some_and(|(_, token)| token == "::")
                    && let Some((_, name)) = tokens.get(next + 1).filter(|(_, name)| is_name(name))
                {
                    path.push(name.clone());
                    next += 2;
                }
                uses.push((*line, path));
                at = next;
                continue;
            }
            at += 1;
        }
        Module { path: source.path.clone(), bindings, uses }
    }
}

/// The paths of one `use`, each with the name it gets here; the position behind it.
fn use_tree(
    tokens: &[(usize, String)],
    mut at: usize,
    before: &[String],
    found: &mut Vec<(String, Vec<String>)>,
) -> usize {
    let mut path = before.to_vec();
    while let Some((_, token)) = tokens.get(at) {
        match token.as_str() {
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|(_, token)| token != "}") {
                    at = use_tree(tokens, at, &path, found);
                    if tokens.get(at).is_some_and(|(_, token)| token == ",") {
                        at += 1;
                    }
                }
                return at + 1;
            }
            "}" | "," | ";" => break,
            "::" => {}
            "as" => {
                let name = tokens.get(at + 1).map_or(String::new(), |(_, name)| name.clone());
                found.push((name, path));
                return at + 2;
            }
            name => path.push(name.to_owned()),
        }
        at += 1;
    }
    if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
        path.pop();
    }
    if let Some(last) = path.last().cloned().filter(|_| path.len() > before.len() || !before.is_empty()) {
        found.push((last, path));
    }
    if tokens.get(at).is_some_and(|(_, token)| token == ";") { at + 1 } else { at }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|letter: char| letter.is_alphabetic() || letter == '_')
}

/// Names, `::` and single letters of the production code, each with its line.
fn tokens(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (line, code, _) in source.production() {
        let mut rest = code;
        while let Some(first) = rest.chars().next() {
            let length = if first.is_alphanumeric() || first == '_' {
                rest.find(|letter: char| !(letter.is_alphanumeric() || letter == '_')).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            if !first.is_whitespace() {
                found.push((line, rest[..length].to_owned()));
            }
            rest = &rest[length..];
        }
    }
    found
}

/// `net/hot/mod.rs` is `net::hot`; `lib.rs` and `main.rs` are the root.
fn module_path(below: &str) -> Vec<String> {
    let name = below.trim_end_matches(".rs");
    let name = name.strip_suffix("/mod").unwrap_or(name);
    if ["lib", "main", "mod"].contains(&name) {
        return Vec::new();
    }
    name.split('/').map(str::to_owned).collect()
}

/// The circles among files: each a set of files that all need each other, directly or through others.
pub fn circles(edges: &[Edge]) -> Vec<BTreeSet<String>> {
    let mut needs: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for edge in edges {
        needs.entry(&edge.from).or_default().insert(&edge.to);
    }
    let reach = |from: &str| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(file) = open.pop() {
            for next in needs.get(file).into_iter().flatten() {
                if seen.insert(*next) {
                    open.push(next);
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&str, BTreeSet<&str>> = needs.keys().map(|file| (*file, reach(file))).collect();
    let mut found: BTreeSet<BTreeSet<String>> = BTreeSet::new();
    for (file, all) in &reached {
        if all.contains(file) {
            let circle = all.iter().filter(|other| reached.get(*other).is_some_and(|back| back.contains(file)));
            found.insert(circle.map(|file| (*file).to_owned()).collect());
        }
    }
    found.into_iter().collect()
}
