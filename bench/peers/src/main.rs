//! COLD: runs other people's libraries and ours on the same inputs, all compiled for this processor.

mod books;
mod rings;
mod sonic;

use std::path::PathBuf;
use std::process::ExitCode;

use spinbook_bench::command;
use spinbook_bench::instrument::increments;
use spinbook_bench::measure::{DecodeTable, Effort, PeerFigures, decode_recorded, decode_synthetic, ring_table};
use spinbook_bench::peer_book::{self, PeerBookTable};
use spinbook_bench::plain::PlainDecoder;
use spinbook_bench::trader::FAR_LEVELS;
use spinbook_bench::workload::{CHAINS, Recording};
use spinbook_bench::{ring, threads};

const HELP: &str = "usage: spinbook-peers [FILES...] [--json] [--quick] [--only decode|book|ring]

Other people's libraries beside ours on the same inputs. Start it in its folder with `cargo run --release`, so that
its flags count.

  FILES    one chain of recordings to measure on, instead of the recorded Binance chains
  --json   prints the figures as one JSON object, the form that `targets` reads
  --quick  few rounds: shows that everything runs, its figures are rough
  --only   one part instead of all three";

#[derive(Default)]
struct Arguments {
    files: Vec<PathBuf>,
    json: bool,
    quick: bool,
    only: Option<String>,
}

impl Arguments {
    fn wants(&self, part: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == part)
    }
}

fn arguments() -> Result<Option<Arguments>, String> {
    let mut parsed = Arguments::default();
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        match argument.as_str() {
            "--json" => parsed.json = true,
            "--quick" => parsed.quick = true,
            "--only" => match given.next() {
                Some(part) if ["decode", "book", "ring"].contains(&part.as_str()) => parsed.only = Some(part),
                _ => return Err("--only needs decode, book or ring".into()),
            },
            "--help" | "-h" => return Ok(None),
            flag if flag.starts_with('-') => return Err(format!("unknown option {flag}")),
            file => parsed.files.push(PathBuf::from(file)),
        }
    }
    Ok(Some(parsed))
}

/// The recordings to measure on; those that are not there are said and left out.
fn recordings(arguments: &Arguments) -> Result<Vec<Recording>, String> {
    if !arguments.files.is_empty() {
        let name = arguments.files[0].file_name().map_or("FILES".into(), |name| name.to_string_lossy().into_owned());
        return Ok(vec![Recording::read(&name, &arguments.files)?]);
    }
    let mut found = Vec::new();
    for (place, (name, _)) in CHAINS.iter().enumerate() {
        match Recording::chain(place)? {
            Some(recording) => found.push(recording),
            None => eprintln!("{name}: skipped: no recorded data"),
        }
    }
    Ok(found)
}

fn decode(arguments: &Arguments, recordings: &[Recording], effort: Effort) -> Result<Vec<DecodeTable>, String> {
    if !arguments.wants("decode") {
        return Ok(Vec::new());
    }
    let more = |instrument: &_| vec![Box::new(sonic::SonicTyped::new(increments(instrument))) as Box<dyn PlainDecoder>];
    eprintln!("peers: decode, synthetic sizes");
    let mut tables = decode_synthetic(effort, &more)?;
    for recording in recordings {
        eprintln!("peers: decode, {}", recording.name);
        tables.extend(decode_recorded(recording, effort, &more)?);
    }
    Ok(tables)
}

fn book(arguments: &Arguments, recordings: &[Recording], effort: Effort) -> Result<Vec<PeerBookTable>, String> {
    let mut tables = Vec::new();
    for recording in recordings.iter().filter(|_| arguments.wants("book")) {
        eprintln!("peers: book, {}", recording.name);
        match recording.levels() {
            Ok(stream) => {
                let peers = books::all(&stream, recording.increments());
                tables.push(peer_book::contest(&recording.name, &stream, FAR_LEVELS, effort.rounds, peers)?);
            }
            Err(why) => eprintln!("{}: the books are skipped: {why}", recording.name),
        }
    }
    Ok(tables)
}

fn measure(arguments: &Arguments) -> Result<PeerFigures, String> {
    let effort = if arguments.quick { Effort::QUICK } else { Effort::FULL };
    let recordings = recordings(arguments)?;
    let (decode, book) = threads::alone(|| {
        Ok::<_, String>((decode(arguments, &recordings, effort)?, book(arguments, &recordings, effort)?))
    })?;
    let mut kinds = ring::Kind::usual();
    kinds.push(ring::Kind::new("rtrb", rings::rtrb));
    let has_cores = threads::cores().len() >= 2 && arguments.wants("ring");
    if has_cores {
        eprintln!("peers: rings");
    }
    let ring = has_cores.then(|| ring_table(&kinds, effort));
    Ok(PeerFigures { decode, book, ring })
}

fn print_book(table: &PeerBookTable) {
    let PeerBookTable { what, messages, levels, ours, levels_end, peers } = table;
    println!("\nbook, {what}: {messages} messages, {levels} levels, {levels_end} held at the end; ns a level");
    println!("  {:86} {:8.2} +-{:4.1} %", ours.name, ours.ns, ours.spread * 100.0);
    for row in peers {
        let time = &row.time;
        let memory = row.about.memory_bytes.map_or(String::new(), |bytes| format!("; {} KiB", bytes / 1024));
        println!(
            "  {:86} {:8.2} +-{:4.1} % {:7.2}x\n    {} levels at the end; difference: {}; changes dropped: {}{memory}",
            time.name,
            time.ns,
            time.spread * 100.0,
            table.ratio(row),
            row.levels_end,
            row.difference.text(),
            row.about.dropped,
        );
    }
}

fn print(figures: &PeerFigures) {
    for table in &figures.decode {
        println!("\ndecode, {}: {} frames of {} bytes; ns a frame", table.what, table.frames, table.bytes_mean);
        for time in &table.times {
            println!("  {:40} {:10.1} +-{:4.1} %", time.name, time.ns, time.spread * 100.0);
        }
    }
    figures.book.iter().for_each(print_book);
    for (what, times) in figures.ring.iter().flat_map(|ring| [("one way", &ring.one_way), ("flat out", &ring.stream)]) {
        println!("\nring, {what}; ns a message");
        for time in times {
            println!("  {:40} {:10.1} +-{:4.1} %", time.name, time.ns, time.spread * 100.0);
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let figures = measure(arguments)?;
    if arguments.json {
        println!("{}", serde_json::to_string(&figures).map_err(|error| error.to_string())?);
    } else {
        print(&figures);
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments = match command::understood(HELP, arguments()) {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
