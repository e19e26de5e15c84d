//! COLD: runs other people's libraries and ours on the same inputs, all compiled for this processor.

mod books;
mod rings;
mod sonic;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use spinbook_bench::inputs::{InputArgs, SampleCount};
use spinbook_bench::markets::increments;
use spinbook_bench::measure::{DecodeTable, PeerFigures, decode_recorded, decode_synthetic, ring_table};
use spinbook_bench::peer_book::{self, PeerBookTable};
use spinbook_bench::plain::PlainDecoder;
use spinbook_bench::text::exit_code;
use spinbook_bench::trader::OUTER_LEVELS;
use spinbook_bench::workload::Workload;
use spinbook_bench::{ring, threads};

/// Other people's libraries beside ours on the same inputs. Start it in its folder with `cargo run --release`, so that
/// its flags count.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    inputs: InputArgs,
    /// Prints the figures as one JSON object, the form that `targets` reads.
    #[arg(long)]
    json: bool,
    /// One part instead of all three.
    #[arg(long)]
    only: Option<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Decode,
    Book,
    Ring,
}

impl Args {
    fn wants(&self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
    }
}

fn decode(args: &Args, recordings: &[Workload], samples: SampleCount) -> Result<Vec<DecodeTable>, String> {
    if !args.wants(Part::Decode) {
        return Ok(Vec::new());
    }
    let more = |instrument: &_| vec![Box::new(sonic::SonicTyped::new(increments(instrument))) as Box<dyn PlainDecoder>];
    eprintln!("peers: decode, synthetic sizes");
    let mut tables = decode_synthetic(samples, &more)?;
    for recording in recordings {
        eprintln!("peers: decode, {}", recording.name);
        tables.extend(decode_recorded(recording, samples, &more)?);
    }
    Ok(tables)
}

fn book(args: &Args, recordings: &[Workload], samples: SampleCount) -> Result<Vec<PeerBookTable>, String> {
    let mut tables = Vec::new();
    for recording in recordings.iter().filter(|_| args.wants(Part::Book)) {
        eprintln!("peers: book, {}", recording.name);
        match recording.levels() {
            Ok(stream) => {
                let peers = books::all(&stream, recording.increments());
                tables.push(peer_book::contest(&recording.name, &stream, OUTER_LEVELS, samples.rounds, peers)?);
            }
            Err(why) => eprintln!("{}: the books are skipped: {why}", recording.name),
        }
    }
    Ok(tables)
}

fn measure(args: &Args) -> Result<PeerFigures, String> {
    let samples = args.inputs.samples();
    let recordings = args.inputs.recordings(&mut |name| eprintln!("{name}: skipped: no recorded data"))?;
    let (decode, book) = threads::alone(|| {
        Ok::<_, String>((decode(args, &recordings, samples)?, book(args, &recordings, samples)?))
    })?;
    let mut kinds = ring::RingKind::usual();
    kinds.push(ring::RingKind::new("rtrb", rings::rtrb));
    let has_cores = threads::cores().len() >= 2 && args.wants(Part::Ring);
    if has_cores {
        eprintln!("peers: rings");
    }
    let ring = has_cores.then(|| ring_table(&kinds, samples));
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
            println!("  {:40} {}", time.name, time.text());
        }
    }
    figures.book.iter().for_each(print_book);
    for (what, times) in figures.ring.iter().flat_map(|ring| [("one way", &ring.one_way), ("flat out", &ring.stream)]) {
        println!("\nring, {what}; ns a message");
        for time in times {
            println!("  {:40} {}", time.name, time.text());
        }
    }
}

fn run(args: &Args) -> Result<(), String> {
    let figures = measure(args)?;
    if args.json {
        println!("{}", serde_json::to_string(&figures).map_err(|error| error.to_string())?);
    } else {
        print(&figures);
    }
    Ok(())
}

fn main() -> ExitCode {
    exit_code(run(&Args::parse()))
}
