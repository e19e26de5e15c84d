//! COLD: the house rules as tests; each checker is first shown a sample that breaks its rule.

mod modules;
mod names;
mod packages;
mod rules;
mod source;

use std::collections::BTreeSet;

use names::*;
use rules::*;
use source::{Source, blank, project_files, root, sources};

/// The folders of the four packages.
const PACKAGES: [&str; 4] = ["engine", "feed", "tools", "bench"];

/// Fails with every finding of one rule over the whole project.
fn check(rule: impl Fn(&Source) -> Vec<String>) {
    let found: Vec<String> = sources().iter().flat_map(rule).collect();
    assert!(found.is_empty(), "{} findings:\n{}", found.len(), found.join("\n"));
}

/// The checker must answer the bad sample and pass the good one.
fn bites(rule: impl Fn(&Source) -> Vec<String>, path: &str, bad: &str, good: &str) {
    assert!(!rule(&Source::new(path, bad)).is_empty(), "passed: {bad}");
    let found = rule(&Source::new(path, good));
    assert!(found.is_empty(), "refused: {good}\n{}", found.join("\n"));
}

#[test]
fn comments_strings_and_characters_are_blanked() {
    let cases = [
        ("a // b\nc", "a     \nc"),
        ("a /* /* b */ c */ d", "a                 d"),
        ("f(\"x\\\"y\") + 1", "f(      ) + 1"),
        ("r#\"a\"b\"# + 'x' + b'\\'' ", "         +     +       "),
        ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
        ("'\\u{1F600}' z", "            z"),
    ];
    for (text, expected) in cases {
        assert_eq!(blank(text).trim_end(), expected.trim_end(), "{text}");
    }
}

#[test]
fn tests_are_told_from_production_code() {
    let source = Source::new("feed/src/x.rs", "fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() {}\n}\nfn c() {}\n");
    let production: Vec<usize> = source.production().map(|(line, _, _)| line).collect();
    assert_eq!(production, [1, 6]);
    let names: Vec<String> = source.functions().into_iter().map(|function| function.name).collect();
    assert_eq!(names, ["a", "c"]);
}

#[test]
fn line_1_names_the_temperature() {
    bites(temperature, "feed/src/x.rs", "//! A parser.\n", "//! HOT: parses.\n");
    bites(temperature, "feed/src/x.rs", "//! HOT\n", "//! COLD: reads files.\n");
    check(temperature);
}

#[test]
fn rooms_import_only_from_their_left() {
    let rule = |source: &Source| import_order(source).0;
    bites(rule, "engine/src/book/mod.rs", "use crate::strategy::View;", "use crate::types::Tick;");
    bites(rule, "engine/src/ring.rs", "use crate::{types::Tick,\n  risk::Gate};", "use crate::{types::{Lots, Tick}};");
    bites(rule, "feed/src/venue/mod.rs", "fn f(x: crate::gateway::Gateway) {}", "use crate::number::Scale;");
    check(rule);
    circles();
}

/// Two rooms of one group may not import each other.
fn circles() {
    let edges: BTreeSet<(String, String)> = sources()
        .iter()
        .flat_map(|source| {
            let package = source.package().to_owned();
            import_order(source)
                .1
                .into_iter()
                .map(move |(from, to)| (format!("{package}/{from}"), format!("{package}/{to}")))
        })
        .collect();
    let both: Vec<_> =
        edges.iter().filter(|(from, to)| from < to && edges.contains(&(to.clone(), from.clone()))).collect();
    assert!(both.is_empty(), "rooms import each other: {both:?}");
}

/// Files of a package as a rule sees them, made up for one test.
fn package(folder: &str, files: &[(&str, &str)]) -> Vec<modules::Edge> {
    let sources: Vec<Source> =
        files.iter().map(|(path, text)| Source::new(&format!("{folder}/src/{path}"), text)).collect();
    modules::Package::new(folder, &sources).edges()
}

#[test]
fn no_files_need_each_other_in_a_circle() {
    let bad = package(
        "feed",
        &[
            ("lib.rs", "pub mod a;\npub mod b;"),
            ("a.rs", "use crate::b::Name;\npub struct Other;"),
            ("b/mod.rs", "mod c;\npub use self::c::Name;"),
            ("b/c.rs", "pub struct Name(\n    crate::a::Other,\n);"),
        ],
    );
    assert_eq!(modules::circles(&bad).len(), 1, "through a re-export");
    let good = package(
        "feed",
        &[
            ("lib.rs", "pub mod a;"),
            ("a/mod.rs", "mod b;\nuse b::{self, Name as Known};\npub struct Shared;"),
            ("a/b.rs", "use super::Shared;\n#[cfg(test)]\nmod tests { use crate::a::c; }"),
        ],
    );
    assert_eq!(modules::circles(&good).len(), 0, "a folder's files share what it declares");
    let all = sources();
    let mut found = Vec::new();
    for folder in PACKAGES {
        let edges = modules::Package::new(folder, &all).edges();
        assert!(edges.len() > 100, "{folder}: {} edges", edges.len());
        for circle in modules::circles(&edges) {
            let inside = |edge: &&modules::Edge| circle.contains(&edge.from) && circle.contains(&edge.to);
            let lines: BTreeSet<String> = edges
                .iter()
                .filter(inside)
                .map(|edge| format!("  {}:{} needs {}", edge.from, edge.line, edge.to))
                .collect();
            found.push(lines.into_iter().collect::<Vec<_>>().join("\n"));
        }
    }
    assert!(found.is_empty(), "files in a circle:\n{}", found.join("\n\n"));
}

#[test]
fn only_the_venues_rooms_name_a_venue() {
    bites(venue_words, "feed/src/session/mod.rs", "// as Binance does", "// as the venue does");
    bites(venue_words, "tools/src/run/mod.rs", "let line = binance::SPOT;", "#[test]\nfn f() { binance(); }");
    assert!(venue_words(&Source::new("feed/src/venue/okx/mod.rs", "// OKX")).is_empty());
    let mut offenders = BTreeSet::new();
    let mut found = Vec::new();
    for source in sources() {
        let lines = venue_words(&source);
        if !lines.is_empty() && VENUE_FILES.iter().any(|(path, _)| source.path == *path) {
            offenders.insert(source.path.clone());
        } else {
            found.extend(lines);
        }
    }
    assert!(found.is_empty(), "{} findings:\n{}", found.len(), found.join("\n"));
    let stale: Vec<_> = VENUE_FILES.iter().filter(|(path, _)| !offenders.contains(*path)).collect();
    assert!(stale.is_empty(), "these name no venue any more, take them out: {stale:?}");
}

#[test]
fn a_public_type_has_its_name_alone() {
    let two = [Source::new("feed/src/a.rs", "pub struct Line;"), Source::new("bench/src/b.rs", "pub enum Line {}")];
    assert_eq!(public_types(&two)["Line"].len(), 2);
    let one =
        [Source::new("feed/src/a.rs", "pub struct Line;\nstruct Line2;\n#[cfg(test)]\nmod t { pub struct Line; }")];
    assert_eq!(public_types(&one).len(), 1);
    let types = public_types(&sources());
    assert!(types.len() > 200, "{} types", types.len());
    let shared = |name: &str| types.get(name).is_some_and(|places| places.len() > 1);
    let found: Vec<_> = types
        .iter()
        .filter(|(name, places)| places.len() > 1 && !SHARED_NAMES.iter().any(|(known, _)| known == name))
        .collect();
    assert!(found.is_empty(), "{found:#?}");
    let stale: Vec<_> = SHARED_NAMES.iter().filter(|(name, _)| !shared(name)).collect();
    assert!(stale.is_empty(), "these stand once now, take them out: {stale:?}");
}

#[test]
fn the_rules_own_lists_hold_nothing_that_is_not_needed() {
    let all = sources();
    let mut stale = Vec::new();
    for (package, rooms) in
        [("engine", ENGINE_ROOMS), ("feed", FEED_ROOMS), ("tools", TOOLS_ROOMS), ("bench", BENCH_ROOMS)]
    {
        let exists = |room: &str| all.iter().any(|source| source.package() == package && source.room() == room);
        stale.extend(
            rooms
                .iter()
                .flat_map(|group| group.iter())
                .filter(|room| !exists(room))
                .map(|room| format!("{package}: no room `{room}`")),
        );
    }
    let without = |path: &str, word: &[&str]| {
        !all.iter()
            .filter(|source| source.path.starts_with(path))
            .any(|source| source.code.iter().any(|code| source::words(code).any(|(_, found)| word.contains(&found))))
    };
    stale.extend(
        UNSAFE_FILES
            .iter()
            .filter(|(path, _)| without(path, &["unsafe"]))
            .map(|(path, _)| format!("{path}: nothing unsafe")),
    );
    stale.extend(
        FLOAT_FILES
            .iter()
            .filter(|(path, _)| without(path, &["f32", "f64"]))
            .map(|(path, _)| format!("{path}: no float")),
    );
    let reads = |path: &str| all.iter().filter(|source| source.path == path).any(reads_a_clock);
    stale
        .extend(CLOCK_FILES.iter().filter(|(path, _)| !reads(path)).map(|(path, _)| format!("{path}: reads no clock")));
    assert!(stale.is_empty(), "{}", stale.join("\n"));
}

#[test]
fn every_dependency_is_used_where_it_is_declared() {
    let manifest = "[dependencies]\nserde.workspace = true\nhmac = \"1\"\n[dev-dependencies]\nproptest = \"1\"\n";
    let source = [Source::new("feed/src/a.rs", "use serde::Deserialize;\n#[cfg(test)]\nmod t { use hmac::Mac; }")];
    assert_eq!(packages::unused("feed", manifest, &source).len(), 2, "one belongs to the tests, one to nobody");
    let all = sources();
    let mut found = Vec::new();
    for package in PACKAGES {
        let manifest = std::fs::read_to_string(root().join(package).join("Cargo.toml")).expect("the manifest");
        assert!(packages::declared(&manifest).len() > 3, "{package}");
        found.extend(packages::unused(package, &manifest, &all));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn dependencies_come_from_the_registry_under_licences_that_only_want_to_be_named() {
    assert_eq!(packages::foreign_sources("source = \"git+https://example.com/x\"\n").len(), 1);
    assert_eq!(packages::unknown_licences("(MIT OR GPL-3.0) AND Unicode-3.0"), ["GPL-3.0"]);
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).expect("the lock file");
    assert_eq!(packages::foreign_sources(&lock), Vec::<String>::new());
    for (package, licence) in packages::tree(&["--workspace", "--edges", "normal,build,dev"]) {
        assert!(!licence.is_empty(), "{package} has no licence");
        assert_eq!(packages::unknown_licences(&licence), Vec::<String>::new(), "{package}: {licence}");
    }
}

#[test]
fn the_program_is_not_linked_with_what_the_house_does_without() {
    let linked = packages::tree(&["--package", "spinbook", "--edges", "normal"]);
    assert!(linked.iter().any(|(name, _)| name == "rustls"), "the tree is the program's");
    for (name, reason) in packages::UNWELCOME {
        assert!(!linked.iter().any(|(found, _)| found == name), "`{name}` is linked: {reason}");
    }
}

#[test]
fn hot_code_imports_neither_files_nor_sockets_nor_the_simulator() {
    let bad = "//! HOT: x.\nuse crate::sim::Faults;";
    bites(hot_imports, "feed/src/session.rs", bad, "//! HOT: x.\nuse crate::sync::BookSync;");
    bites(hot_imports, "feed/src/session.rs", bad, "//! COLD: x.\nuse crate::sim::Faults;");
    check(hot_imports);
}

#[test]
fn the_simulated_world_is_imported_by_simulators_and_their_drivers_alone() {
    let bad = "//! COLD: x.\nuse crate::sim::world::World;";
    bites(sim_importers, "feed/src/gateway/mod.rs", bad, "//! COLD: x.\nuse crate::venue::ProductLine;");
    for path in ["feed/src/venue/okx/simulator/mod.rs", "feed/src/backtest/driver.rs", "feed/src/sim/matching.rs"] {
        assert!(sim_importers(&Source::new(path, bad)).is_empty(), "{path}");
    }
    check(sim_importers);
}

#[test]
fn hot_code_makes_no_banned_call() {
    let path = "feed/src/session.rs";
    bites(hot_calls, path, "//! HOT: x.\nfn f() { v.push(1); }", "//! HOT: x.\nfn new() { v.push(1); }");
    bites(
        hot_calls,
        path,
        "//! HOT: x.\nfn f() { format!(\"\"); }",
        "//! HOT: x.\n// cold: only at start\nfn f() { format!(\"\"); }",
    );
    bites(
        hot_calls,
        path,
        "//! HOT: x.\nfn f() {\n v.push(1); // cold:\n}",
        "//! HOT: x.\nfn f() {\n v.push(1); // bounded: a fixed array\n}",
    );
    bites(
        hot_calls,
        path,
        "//! HOT: x.\nfn f() { Instant::now(); }",
        "//! HOT: x.\n#[cfg(test)]\nmod t { fn f() { Instant::now(); } }",
    );
    check(hot_calls);
}

#[test]
fn hot_code_gets_the_time_and_reads_no_clock() {
    let good = "//! HOT: x.\nfn f(now: Nanos, stall: Cycles) { g(now, stall.cycles_max) } // Instant::now";
    for read in [
        "core::arch::x86_64::_rdtsc()",
        "__rdtscp(&mut core)",
        "libc::clock_gettime(0, &mut t)",
        "Instant::now()",
        "std::time::SystemTime::now()",
        "self.begun.elapsed()",
        "Clock::start()",
        "self.clock.now()",
        "clock.wall_drift()",
        "cycles()",
    ] {
        let bad = format!("//! HOT: x.\nfn f() {{ let t = {read}; }}");
        for path in ["engine/src/risk/mod.rs", "feed/src/session/mod.rs", "feed/src/net/hot/market_connections.rs"] {
            bites(clock_reads, path, &bad, good);
            bites(clock_reads, path, &bad, &bad.replace("HOT", "COLD"));
        }
        assert!(clock_reads(&Source::new("feed/src/net/host/clock.rs", &bad)).is_empty(), "the clock itself");
    }
    check(clock_reads);
}

#[test]
fn floats_are_no_prices() {
    bites(
        floats,
        "feed/src/session.rs",
        "let price: f64 = 1.0;",
        "// f64 in a comment\nlet rate: f64 = x; // float: a share of frames",
    );
    check(floats);
}

#[test]
fn unsafe_stands_in_named_files_with_its_reason() {
    let head = "//! HOT: x.\n#![allow(unsafe_code)]\n";
    let good = format!("{head}// SAFETY: one writer.\nunsafe {{ f() }}");
    bites(unsafe_blocks, "engine/src/ring.rs", &format!("{head}unsafe {{ f() }}"), &good);
    assert!(!unsafe_blocks(&Source::new("engine/src/risk.rs", &good)).is_empty());
    check(unsafe_blocks);
}

#[test]
fn nothing_unwraps_outside_tests() {
    bites(unwraps, "feed/src/x.rs", "let a = b.unwrap();", "#[test]\nfn t() { b.unwrap(); }");
    check(unwraps);
}

#[test]
fn one_file_writes_to_the_standard_streams() {
    let good = "//! COLD: x.\n// eprintln!()\nfn f() { ERR.line(text); }\n#[test]\nfn t() { println!(\"{seed}\"); }";
    for bad in ["eprintln!(\"{x}\")", "print!(\"x\")", "io::stdout().lock().write_all(b)"] {
        bites(outputs, "tools/src/run/mod.rs", &format!("fn f() {{ {bad}; }}"), good);
        assert!(outputs(&Source::new(OUTPUT_FILE, &format!("fn f() {{ {bad}; }}"))).is_empty());
    }
    check(outputs);
}

#[test]
fn files_and_functions_are_short() {
    let long_file = "\n".repeat(FILE_LINES_MAX + 1);
    bites(sizes, "feed/src/x.rs", &long_file, "fn f() {\n}\n");
    let long_function = format!("fn f() {{\n{}}}\n", "x();\n".repeat(FUNCTION_LINES_MAX));
    bites(sizes, "feed/src/x.rs", &long_function, "fn f() {\n}\n");
    check(sizes);
}

#[test]
fn nothing_says_it_is_unfinished() {
    let bad = format!("// {}: later", ["TO", "DO"].concat());
    bites(unfinished, "feed/src/x.rs", &bad, "// the method, stubborn");
    check(unfinished);
}

#[test]
fn the_protocol_lane_touches_no_socket_file_thread_or_clock() {
    bites(sans_io, "feed/src/gateway/mod.rs", "use std::net::TcpStream;", "use crate::timer::Timer;");
    bites(sans_io, "engine/src/risk.rs", "let t = Instant::now();", "let t = now;");
    bites(sans_io, "engine/src/risk.rs", "std::fs::read(p)", "// std::fs is not used");
    check(sans_io);
}

#[test]
fn venues_do_not_import_each_other() {
    let venues = ["binance".to_owned(), "okx".to_owned()];
    let rule = |source: &Source| venues_apart(source, &venues);
    let path = "feed/src/venue/okx/decode.rs";
    bites(rule, path, "use crate::venue::binance::Card;", "use crate::venue::okx::Card;");
    let present: BTreeSet<String> = project_files()
        .iter()
        .filter_map(|path| Some(path.strip_prefix("feed/src/venue/")?.split_once('/')?.0.to_owned()))
        .collect();
    let present: Vec<String> = present.into_iter().collect();
    check(|source| venues_apart(source, &present));
}

#[test]
fn one_file_spawns_threads() {
    bites(threads, "tools/src/run/topology.rs", "std::thread::spawn(f);", "threads::start(f);");
    check(threads);
}

#[test]
fn rehearsals_have_no_way_to_a_venue() {
    bites(rehearsals, "feed/src/net/hot/rehearsal.rs", "orders: Producer<Intent>,", "orders: Consumer<Intent>,");
    for path in REHEARSAL_FILES {
        assert!(root().join(path).is_file(), "{path} is gone");
    }
    check(rehearsals);
}

#[test]
fn tools_and_bench_do_not_import_each_other() {
    for (manifest, other) in [("tools/Cargo.toml", "spinbook-bench"), ("bench/Cargo.toml", "path = \"../tools\"")] {
        let text = std::fs::read_to_string(root().join(manifest)).expect("the manifest is there");
        assert!(!text.contains(other), "{manifest} names {other}");
    }
    let bench = std::fs::read_to_string(root().join("bench/Cargo.toml")).expect("the manifest is there");
    assert!(
        !bench.lines().any(|line| line.starts_with("spinbook.") || line.starts_with("spinbook ")),
        "bench imports tools"
    );
}

/// What may lie at the top, beside dotfiles.
const TOP: [&str; 9] =
    ["Cargo.toml", "Cargo.lock", "engine", "feed", "bench", "tools", "README.md", "BENCHMARKS.md", "LICENSE"];

#[test]
fn the_top_level_is_fixed() {
    let stray = |path: &str| {
        let top = path.split('/').next().unwrap_or_default();
        !(top.starts_with('.') || top == "rustfmt.toml" || TOP.contains(&top))
    };
    assert!(stray("docs/a.md") && stray("src/main.rs") && !stray("engine/src/lib.rs") && !stray(".ci/run"));
    let found: Vec<String> = project_files().into_iter().filter(|path| stray(path)).collect();
    assert!(found.is_empty(), "{found:?}");
    for name in ["Cargo.toml", "Cargo.lock", "README.md", "LICENSE", ".gitignore", ".ci/run"] {
        assert!(root().join(name).exists(), "{name} is missing");
    }
}

/// Whether a line names a folder of somebody's machine.
fn names_a_machine_path(line: &str) -> bool {
    let folders = [["/ho", "me/"], ["/ro", "ot/"], ["/wo", "rk/"], ["/Us", "ers/"], ["/tm", "p/"]];
    folders.iter().map(|parts| parts.concat()).any(|folder| {
        line.match_indices(&folder).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            !before.is_some_and(|letter| letter.is_alphanumeric() || "._-~}/*".contains(letter))
        })
    })
}

#[test]
fn no_file_names_a_machine_path() {
    assert!(names_a_machine_path(&format!("open(\"{}me/x\")", "/ho")));
    assert!(!names_a_machine_path("https://example.com/home/x"));
    let mut found = Vec::new();
    for path in project_files() {
        let Ok(text) = std::fs::read_to_string(root().join(&path)) else {
            continue;
        };
        let hits = text.lines().enumerate().filter(|(_, line)| names_a_machine_path(line));
        found.extend(hits.map(|(index, line)| format!("{path}:{}: {}", index + 1, line.trim())));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn nothing_large_or_recorded_is_tracked() {
    for path in project_files() {
        let bytes = std::fs::metadata(root().join(&path)).expect("a tracked file").len();
        assert!(bytes < 1 << 20, "{path} has {bytes} bytes");
        let recorded = [".gz", ".zst", ".pem", ".key"].iter().any(|ending| path.ends_with(ending));
        // Made up by `spinbook sample`, not recorded: a test makes the same bytes.
        let sample = path == "tools/samples/binance-spot.zst";
        assert!(!recorded || sample, "{path}: recordings and keys are not part of the project");
    }
}
