//! COLD: the house rules as functions of one source file; each answers with what it found.

use crate::source::{Source, words};

/// Rooms of the engine, left to right: a room imports only from groups before its own, or within it one way.
pub const ENGINE_ROOMS: &[&[&str]] = &[
    &["types", "limits"],
    &[
        "event",
        "intent",
        "counters",
        "unquoted",
        "trace",
        "latency",
        "prefetch",
        "ring_parts",
        "ring",
        "rate",
        "trades",
    ],
    &["book", "touch", "position", "working"],
    &["market"],
    &["strategy"],
    &["quoter", "risk", "telemetry"],
    &["engine"],
    &["understudy"],
    &["setup"],
];

/// Rooms of the feed, left to right.
pub const FEED_ROOMS: &[&[&str]] = &[
    &[
        "number",
        "calendar",
        "padding",
        "random",
        "json",
        "timer",
        "supervision",
        "backoff",
        "connect_budget",
        "error",
        "record",
        "websocket",
        "frame_buffer",
    ],
    &["sync", "crypto", "scan"],
    &["sim"],
    &["venue"],
    &["session", "journal"],
    &["gateway"],
    &["backtest"],
    &["history"],
    &["net", "testkit"],
];

/// Rooms of the program, left to right.
pub const TOOLS_ROOMS: &[&[&str]] = &[
    &["outcome", "output", "durable"],
    &["error"],
    &["alloc", "cli", "limits", "log"],
    &["config"],
    &["ui"],
    &["run"],
    &["exchange", "guard"],
    &["command"],
    &["lib"],
    &["main", "bin"],
];

/// Rooms of the measurements, left to right.
pub const BENCH_ROOMS: &[&[&str]] = &[
    &["alloc", "clock", "frames", "histogram", "plain", "text", "threads", "tls"],
    &["contest", "document", "journal", "machine", "plot", "synthetic", "target"],
    &["markets", "receive", "ring", "trader"],
    &["decode", "send", "workload"],
    &["book", "inputs"],
    &["peer_book", "pipeline"],
    &["pages", "percentiles", "risk_chain", "whole_path"],
    &["ratio", "stages", "wire"],
    &["paced"],
    &["gate", "measure"],
    &["peers", "report", "targets"],
];

/// The most lines of production code in a file, comments included, tests not.
pub const FILE_LINES_MAX: usize = 600;
/// The most lines of a file with its tests, or of a file of tests.
pub const FILE_WITH_TESTS_LINES_MAX: usize = 900;
/// The most lines of a function: about 70, and never more than this.
pub const FUNCTION_LINES_MAX: usize = 80;

/// Where `unsafe` may stand, each file with its reason.
pub const UNSAFE_FILES: &[(&str, &str)] = &[
    ("engine/src/ring.rs", "slots shared between two threads"),
    ("engine/src/prefetch.rs", "a hint to the processor"),
    ("feed/src/scan/avx2/mod.rs", "the way into the SIMD scanner"),
    ("feed/src/scan/avx2/kernel.rs", "SIMD scanner"),
    ("feed/src/scan/avx2/commas.rs", "SIMD scanner"),
    ("feed/src/websocket/text.rs", "looks through texts with AVX2"),
    ("feed/src/net/host/clock.rs", "time-stamp counter"),
    ("feed/src/net/host/allocations.rs", "counting allocator"),
    ("feed/src/net/host/memory.rs", "locked memory and huge pages"),
    ("feed/src/net/host/process.rs", "no core dumps"),
    ("feed/src/net/io/journal_files.rs", "files that are memory"),
    ("engine/tests/book_allocations.rs", "counting allocator"),
    ("bench/src/clock.rs", "time-stamp counter"),
    ("bench/tests/allocations/native.rs", "counts the C library's allocator"),
];

/// Where floats may stand outside the strategy, each with its reason: none of them is a price or a quantity.
pub const FLOAT_FILES: &[(&str, &str)] = &[
    ("engine/src/latency.rs", "percentiles"),
    ("feed/src/history/verify", "lines a second"),
    ("tools/src/cli/values.rs", "a speed factor"),
    ("tools/src/ui/", "seconds and ratios on the screen"),
    ("tools/src/command/", "seconds and speed factors"),
    ("bench/", "statistics"),
];

/// Line 1 names the temperature and the job.
pub fn temperature(source: &Source) -> Vec<String> {
    let first = source.lines.first().map_or("", String::as_str);
    let job = first.strip_prefix("//! HOT: ").or_else(|| first.strip_prefix("//! COLD: "));
    if job.is_some_and(|job| job.trim().len() >= 3) {
        return Vec::new();
    }
    vec![format!("{}:1: expected `//! HOT: job` or `//! COLD: job`", source.path)]
}

/// The rooms of its own package that a file imports, with the line.
fn imports(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let text: Vec<(usize, &str)> = source.production().map(|(line, code, _)| (line, code)).collect();
    for (position, (line, code)) in text.iter().enumerate() {
        let mut from = 0;
        while let Some(offset) = code[from..].find("crate::") {
            let start = from + offset + "crate::".len();
            from = start;
            let before = code[..start - "crate::".len()].chars().next_back();
            if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_') {
                continue;
            }
            let rest = &code[start..];
            if let Some(group) = rest.strip_prefix('{') {
                found.extend(group_rooms(group, &text[position + 1..]).into_iter().map(|room| (*line, room)));
            } else if let Some((_, room)) = words(rest).next() {
                found.push((*line, room.to_owned()));
            }
        }
    }
    found
}

/// The first names inside `use crate::{…}`, which may run over several lines.
fn group_rooms(first: &str, following: &[(usize, &str)]) -> Vec<String> {
    let mut text = first.to_owned();
    for (_, line) in following {
        if text.contains(';') {
            break;
        }
        text.push_str(line);
    }
    let (mut rooms, mut depth, mut fresh) = (Vec::new(), 1usize, true);
    for (at, letter) in text.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 1 => break,
            '}' => depth -= 1,
            ',' if depth == 1 => fresh = true,
            letter if fresh && depth == 1 && letter.is_alphanumeric() => {
                rooms.extend(words(&text[at..]).next().map(|(_, word)| word.to_owned()));
                fresh = false;
            }
            _ => {}
        }
    }
    rooms
}

/// Edges between rooms that break the order, and all edges for the search for circles.
pub fn import_order(source: &Source) -> (Vec<String>, Vec<(String, String)>) {
    let groups = match source.package() {
        "engine" => ENGINE_ROOMS,
        "feed" => FEED_ROOMS,
        "tools" => TOOLS_ROOMS,
        "bench" => BENCH_ROOMS,
        _ => return (Vec::new(), Vec::new()),
    };
    let place = |room: &str| groups.iter().position(|group| group.contains(&room));
    let room = source.room();
    if ["", "lib", "bin"].contains(&room) {
        return (Vec::new(), Vec::new());
    }
    let Some(own) = place(room) else {
        return (vec![format!("{}: the room `{room}` has no place in the import order", source.path)], Vec::new());
    };
    let (mut wrong, mut edges) = (Vec::new(), Vec::new());
    for (line, target) in imports(source).into_iter().filter(|(_, target)| target != room) {
        match place(&target) {
            Some(other) if other > own => {
                wrong.push(format!("{}:{line}: `{room}` imports `{target}`, which lies to its right", source.path));
            }
            _ => edges.push((room.to_owned(), target)),
        }
    }
    (wrong, edges)
}

/// HOT files of the feed never import files, sockets or the simulator.
pub fn hot_imports(source: &Source) -> Vec<String> {
    if source.package() != "feed" || !source.is_hot() {
        return Vec::new();
    }
    imports(source)
        .into_iter()
        .filter(|(_, target)| ["history", "net", "sim", "testkit"].contains(&target.as_str()))
        .filter(|(_, target)| target != source.room())
        .map(|(line, target)| format!("{}:{line}: HOT code imports `{target}`", source.path))
        .collect()
}

/// Who in the feed may import the simulator, and why: it is not on the way of a live order.
const SIM_IMPORTERS: &[(&str, &str)] = &[
    ("feed/src/venue/simulator_side.rs", "says what a room offers of its simulator"),
    ("feed/src/net/exchange/", "serves it"),
    ("feed/src/backtest/", "trades against it"),
];

/// Only a venue's simulator and the rooms that serve, feed or trade against one import the simulated world.
pub fn sim_importers(source: &Source) -> Vec<String> {
    let in_a_simulator = source.path.strip_prefix("feed/src/venue/").is_some_and(|path| path.contains("/simulator/"));
    let may = in_a_simulator || SIM_IMPORTERS.iter().any(|(path, _)| source.path.starts_with(path));
    if source.package() != "feed" || source.room() == "sim" || may {
        return Vec::new();
    }
    imports(source)
        .into_iter()
        .filter(|(_, target)| target == "sim")
        .map(|(line, _)| format!("{}:{line}: imports the simulator", source.path))
        .collect()
}

/// What HOT code does not call, with the reason.
const HOT_BANS: &[(&str, &str)] = &[
    (".push(", "may allocate"),
    (".push_str(", "may allocate"),
    (".extend(", "may allocate"),
    (".extend_from_slice(", "may allocate"),
    (".collect(", "allocates"),
    (".collect::", "allocates"),
    (".to_string(", "allocates"),
    (".to_owned(", "allocates"),
    (".to_vec(", "allocates"),
    ("Box::new(", "allocates"),
    ("String::from(", "allocates"),
    ("String::new(", "will allocate"),
    ("String::with_capacity(", "allocates"),
    ("Vec::with_capacity(", "allocates"),
    ("vec![", "allocates"),
    ("format!(", "allocates and formats"),
    ("print!(", "locks and writes"),
    ("println!(", "locks and writes"),
    ("Mutex", "locks"),
    ("RwLock", "locks"),
    ("HashMap", "allocates and hashes"),
    ("BTreeMap", "allocates"),
    ("Instant::now", "reads a clock"),
    ("SystemTime", "reads a clock"),
    ("thread::sleep", "blocks"),
];

/// HOT files of the feed make no banned call, outside functions that say why they are cold.
///
/// A constructor (`new`, `with_…`, `from_…` returning an owner, `build`) runs at set-up. Any other function is
/// exempt if a comment on its first line or right above says `cold: reason`, or its documentation `(set-up)` or
/// `Cold: reason`; a
/// single line if it ends with `// cold: reason` or `// bounded: reason`. In the net room a line that makes an
/// error is cold: it ends the connection. `net/host/clock.rs` is the clock.
pub fn hot_calls(source: &Source) -> Vec<String> {
    if source.package() != "feed" || !source.is_hot() {
        return Vec::new();
    }
    let cold: Vec<(usize, usize)> = source
        .functions()
        .iter()
        .filter(|function| is_setup(&function.name) || says_cold(source, function.first))
        .map(|function| (function.first, function.last))
        .collect();
    let mut found = Vec::new();
    for (line, code, raw) in source.production() {
        let ends_a_connection = source.room() == "net" && (code.contains("Err(") || code.contains("map_err("));
        let exempt = ends_a_connection || cold.iter().any(|(first, last)| (*first..=*last).contains(&line));
        if exempt || reasoned(raw, "cold: ") || reasoned(raw, "bounded: ") || code.trim_start().starts_with("use ") {
            continue;
        }
        let is_clock = source.path == "feed/src/net/host/clock.rs";
        let banned = HOT_BANS
            .iter()
            .filter(|(call, why)| calls(code, call) && !(is_clock && ["reads a clock", "blocks"].contains(why)));
        for (call, why) in banned {
            found.push(format!("{}:{line}: HOT code uses `{call}`: {why}", source.path));
        }
    }
    found
}

/// HOT files that may read a clock, and why.
pub const CLOCK_FILES: &[(&str, &str)] = &[
    ("feed/src/net/host/clock.rs", "is the clock"),
    ("feed/src/net/hot/reactor.rs", "is the loop: a test counts its reads"),
    ("feed/src/net/hot/keep_warm.rs", "times rehearsals, while nothing comes"),
    ("feed/src/net/connection/outgoing.rs", "stamps the moment at which bytes go into the kernel"),
];

/// Ways to read a clock.
const CLOCK_READS: &[&str] = &[
    "_rdtsc",
    "__rdtscp",
    "clock_gettime",
    "Instant::now",
    "SystemTime",
    ".elapsed(",
    "Clock::start",
    "clock.now(",
    "wall_drift(",
    "cycles()",
];

/// Whether any line of product code reads a clock.
pub fn reads_a_clock(source: &Source) -> bool {
    source.production().any(|(_, code, _)| CLOCK_READS.iter().any(|read| calls(code, read)))
}

/// HOT code gets the time as an argument: it reads no clock, whatever its name.
pub fn clock_reads(source: &Source) -> Vec<String> {
    if !source.is_hot() || CLOCK_FILES.iter().any(|(path, _)| source.path == *path) {
        return Vec::new();
    }
    source
        .production()
        .flat_map(|(line, code, _)| CLOCK_READS.iter().filter(|read| calls(code, read)).map(move |read| (line, *read)))
        .map(|(line, read)| format!("{}:{line}: HOT code reads a clock: `{read}`", source.path))
        .collect()
}

fn is_setup(name: &str) -> bool {
    name == "new" || name == "build" || name.starts_with("with_")
}

/// Whether the function's own line, or the comments and attributes right above, say `cold: reason`.
fn says_cold(source: &Source, first: usize) -> bool {
    let own = source.lines.get(first - 1).into_iter();
    let above = source.lines[..first - 1].iter().rev().take_while(|line| {
        let line = line.trim();
        line.starts_with("//") || line.starts_with("#[")
    });
    own.chain(above).any(|line| {
        reasoned(line, "cold: ")
            || (line.trim().starts_with("///") && ["(set-up)", "Cold: "].iter().any(|word| line.contains(word)))
    })
}

fn reasoned(raw: &str, marker: &str) -> bool {
    let comment = raw.split_once("//").map_or("", |(_, comment)| comment.trim_start_matches(['/', ' ']));
    comment.strip_prefix(marker).is_some_and(|reason| reason.trim().len() >= 5)
}

/// Whether `call` stands in `code` as a name of its own.
fn calls(code: &str, call: &str) -> bool {
    let starts_with_name = call.starts_with(|letter: char| letter.is_alphanumeric());
    code.match_indices(call).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !starts_with_name || !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
    })
}

/// Floats stand only where neither a price nor a quantity can be.
pub fn floats(source: &Source) -> Vec<String> {
    // Strategies reason in ratios.
    if source.path.starts_with("engine/src/strategy/")
        || FLOAT_FILES.iter().any(|(path, _)| source.path.starts_with(path))
    {
        return Vec::new();
    }
    source
        .production()
        .filter(|(_, code, raw)| {
            words(code).any(|(_, word)| word == "f64" || word == "f32") && !reasoned(raw, "float: ")
        })
        .map(|(line, _, _)| format!("{}:{line}: a float outside the strategy", source.path))
        .collect()
}

/// `unsafe` stands only in named files, which allow it for themselves, each with a `SAFETY:` comment.
pub fn unsafe_blocks(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let named = UNSAFE_FILES.iter().any(|(path, _)| source.path.starts_with(path));
    let allows = source.lines.iter().any(|line| line.trim().starts_with("#![allow(unsafe_code"));
    for (index, code) in source.code.iter().enumerate() {
        if !words(code).any(|(_, word)| word == "unsafe") {
            continue;
        }
        let line = index + 1;
        if !named {
            found.push(format!("{}:{line}: `unsafe` in a file that is not named for it", source.path));
        }
        if !allows {
            found.push(format!("{}:{line}: `unsafe` without `#![allow(unsafe_code)]` at the head", source.path));
        }
        let near = &source.lines[index.saturating_sub(8)..=index];
        if !near.iter().any(|line| line.contains("SAFETY:") || line.contains("# Safety")) {
            found.push(format!("{}:{line}: `unsafe` without a `// SAFETY:` comment", source.path));
        }
    }
    found
}

/// No `.unwrap()` outside tests.
pub fn unwraps(source: &Source) -> Vec<String> {
    source
        .production()
        .filter(|(_, code, _)| code.contains(".unwrap()"))
        .map(|(line, _, _)| {
            format!("{}:{line}: `.unwrap()` outside tests: use `expect(\"why it holds\")`", source.path)
        })
        .collect()
}

/// The file that writes to stdout and stderr.
pub const OUTPUT_FILE: &str = "tools/src/output.rs";

/// Ways to write to stdout and stderr: the macros panic where nobody reads, and locked streams wait for who does not.
const OUTPUT_CALLS: &[&str] =
    &["print!(", "println!(", "eprint!(", "eprintln!(", "dbg!(", "stdout().lock(", "stderr().lock("];

/// Nothing but one file writes to stdout and stderr; what helps tests may say what it skipped.
pub fn outputs(source: &Source) -> Vec<String> {
    let product = ["engine/src/", "feed/src/", "tools/src/"].iter().any(|folder| source.path.starts_with(folder));
    if !product || source.path == OUTPUT_FILE || source.path.starts_with("feed/src/testkit/") {
        return Vec::new();
    }
    source
        .production()
        .flat_map(|(line, code, _)| OUTPUT_CALLS.iter().filter(|call| calls(code, call)).map(move |call| (line, call)))
        .map(|(line, call)| format!("{}:{line}: `{call}`: {OUTPUT_FILE} writes, and counts what fails", source.path))
        .collect()
}

/// Files and functions stay short.
pub fn sizes(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let (production, all) = (source.production().count(), source.lines.len());
    if production > FILE_LINES_MAX {
        found.push(format!("{}: {production} lines, more than {FILE_LINES_MAX}: split it", source.path));
    }
    if all > FILE_WITH_TESTS_LINES_MAX {
        found.push(format!("{}: {all} lines with tests, more than {FILE_WITH_TESTS_LINES_MAX}", source.path));
    }
    for function in source.functions() {
        let length = function.last + 1 - function.first;
        if length > FUNCTION_LINES_MAX {
            let Source { path, .. } = source;
            let name = &function.name;
            found.push(format!(
                "{path}:{}: `{name}` has {length} lines, more than {FUNCTION_LINES_MAX}",
                function.first
            ));
        }
    }
    found
}

/// Words that say the work is not done.
pub fn unfinished(source: &Source) -> Vec<String> {
    let words: [(String, bool); 8] = [
        (["FIX", "ME"].concat(), true),
        (["TO", "DO"].concat(), true),
        (["XX", "X"].concat(), true),
        (["HA", "CK"].concat(), true),
        (["todo", "!("].concat(), true),
        (["unimplemented", "!("].concat(), true),
        (["for ", "now"].concat(), false),
        (["st", "ub"].concat(), true),
    ];
    let mut found = Vec::new();
    for (index, line) in source.lines.iter().enumerate() {
        for (word, whole) in &words {
            let hit = line.match_indices(word.as_str()).any(|(at, _)| {
                let name = |letter: char| letter.is_alphanumeric() || letter == '_';
                let before = line[..at].chars().next_back().is_some_and(name);
                let after = line[at + word.len()..].chars().next().is_some_and(name);
                !whole || !(before || after && !word.ends_with('('))
            });
            if hit {
                found.push(format!("{}:{}: `{word}`", source.path, index + 1));
            }
        }
    }
    found
}

/// Engine and protocol lane touch no socket, file, thread or clock.
pub fn sans_io(source: &Source) -> Vec<String> {
    let lane = match source.package() {
        "engine" => !source.room().is_empty(),
        "feed" => !["", "history", "net", "testkit"].contains(&source.room()),
        _ => false,
    };
    if !lane {
        return Vec::new();
    }
    let bans = ["std::net", "std::fs", "std::thread", "std::env", "std::process", "SystemTime", "Instant"];
    source
        .production()
        .flat_map(|(line, code, _)| bans.iter().filter(|ban| calls(code, ban)).map(move |ban| (line, *ban)))
        .map(|(line, ban)| format!("{}:{line}: `{ban}` in sans-IO code", source.path))
        .collect()
}

/// A venue's room never imports another venue's.
pub fn venues_apart(source: &Source, venues: &[String]) -> Vec<String> {
    let Some(own) =
        source.path.strip_prefix("feed/src/venue/").and_then(|rest| rest.split_once('/')).map(|(own, _)| own)
    else {
        return Vec::new();
    };
    source
        .production()
        .flat_map(|(line, code, _)| {
            venues
                .iter()
                .filter(|other| other.as_str() != own)
                .filter(|other| {
                    [format!("venue::{other}::"), format!("super::super::{other}")].iter().any(|path| calls(code, path))
                })
                .map(move |other| format!("{}:{line}: venue `{own}` imports venue `{other}`", source.path))
        })
        .collect()
}

/// Only `net/host/threads.rs` spawns threads in the feed and the tools.
pub fn threads(source: &Source) -> Vec<String> {
    if !["engine", "feed", "tools"].contains(&source.package()) || source.path == "feed/src/net/host/threads.rs" {
        return Vec::new();
    }
    source
        .production()
        .filter(|(_, code, _)| calls(code, "thread::spawn(") || calls(code, "thread::Builder"))
        .map(|(line, _, _)| format!("{}:{line}: spawns a thread; only feed/src/net/host/threads.rs does", source.path))
        .collect()
}

/// The files of rehearsals, whose orders must reach nobody.
pub const REHEARSAL_FILES: [&str; 3] =
    ["engine/src/understudy.rs", "feed/src/net/hot/rehearsal.rs", "feed/src/net/hot/rehearsal_setup.rs"];

/// Rehearsals have no way to a venue: they name no writing end of a ring, no gateway and no connection.
pub fn rehearsals(source: &Source) -> Vec<String> {
    if !REHEARSAL_FILES.contains(&source.path.as_str()) {
        return Vec::new();
    }
    let bans = ["Producer", "Gateway", "GatewayLoop", "Connection", "MarketConnections", "Connector", "TcpStream"];
    source
        .production()
        .flat_map(|(line, code, _)| words(code).map(move |(_, word)| (line, word)))
        .filter(|(_, word)| bans.contains(word))
        .map(|(line, word)| format!("{}:{line}: a rehearsal names `{word}`", source.path))
        .collect()
}
