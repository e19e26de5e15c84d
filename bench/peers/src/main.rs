//! COLD: runs other people's libraries and ours on the same inputs, all compiled for this processor.
//!
//! usage: `spinbook-peers [--json] [--quick]`, started in this folder so that its flags count.

mod rings;
mod sonic;

use std::process::ExitCode;

use spinbook_bench::instrument::increments;
use spinbook_bench::measure::{DecodeTable, Effort, PeerFigures, decode_recorded, decode_synthetic, ring_table};
use spinbook_bench::plain::PlainDecoder;
use spinbook_bench::workload::{CHAINS, Recording};
use spinbook_bench::{ring, threads};

fn measure(effort: Effort) -> Result<PeerFigures, String> {
    let more = |instrument: &_| vec![Box::new(sonic::SonicTyped::new(increments(instrument))) as Box<dyn PlainDecoder>];
    let decode = threads::alone(|| -> Result<Vec<DecodeTable>, String> {
        let mut tables = decode_synthetic(effort, &more)?;
        for place in 0..CHAINS.len() {
            if let Some(recording) = Recording::chain(place)? {
                tables.extend(decode_recorded(&recording, effort, &more)?);
            }
        }
        Ok(tables)
    })?;
    let mut kinds = ring::Kind::usual();
    kinds.push(ring::Kind::new("rtrb", rings::rtrb));
    let ring = (threads::cores().len() >= 2).then(|| ring_table(&kinds, effort));
    Ok(PeerFigures { decode, ring })
}

fn print(figures: &PeerFigures) {
    for table in &figures.decode {
        for time in &table.times {
            println!("{:36} {:32} {:10.1} ns +-{:.1} %", table.what, time.name, time.ns, time.spread * 100.0);
        }
    }
    for (what, times) in figures.ring.iter().flat_map(|ring| [("one way", &ring.one_way), ("flat out", &ring.stream)]) {
        for time in times {
            println!("ring, {what:30} {:32} {:10.1} ns +-{:.1} %", time.name, time.ns, time.spread * 100.0);
        }
    }
}

fn main() -> ExitCode {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| given.iter().any(|argument| argument == flag);
    let effort = if has("--quick") { Effort::QUICK } else { Effort::FULL };
    match measure(effort) {
        Ok(figures) if has("--json") => match serde_json::to_string(&figures) {
            Ok(text) => println!("{text}"),
            Err(why) => {
                eprintln!("{why}");
                return ExitCode::FAILURE;
            }
        },
        Ok(figures) => print(&figures),
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
