//! COLD: the house rules as tests; each checker is first shown a sample that breaks its rule.

mod rules;
mod source;

use std::collections::BTreeSet;

use rules::*;
use source::{Source, blank, project_files, root, sources};

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
        assert!(!recorded, "{path}: recordings and keys are not part of the project");
    }
}
