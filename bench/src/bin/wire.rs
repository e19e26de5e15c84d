//! COLD: wire to wire by itself: a market frame leaves the exchange side, its order arrives there.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use spinbook_bench::alloc::CountingAllocator;
use spinbook_bench::document::Document;
use spinbook_bench::inputs::InputArgs;
use spinbook_bench::measure::Figures;
use spinbook_bench::report::wire_section;
use spinbook_bench::targets::targets;
use spinbook_bench::text::{exit_code, print};
use spinbook_bench::wire::figures::measure;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Plays recordings over loopback, TLS and WebSocket, times each order from when its frame was due, and measures a
/// decision's way into the kernel: what `targets` measures, too, by itself.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    inputs: InputArgs,
    /// Writes the histograms as .hgrm files into this folder.
    #[arg(long, value_name = "FOLDER")]
    hgrm: Option<PathBuf>,
}

fn run(args: &Args) -> Result<(), String> {
    let wire = measure(&args.inputs, &|what| eprintln!("measuring {what}"));
    let mut document = Document::default();
    wire_section(&mut document, &wire, &[]);
    print(&document.markdown());
    if let Some(folder) = &args.hgrm {
        for table in &wire.wire {
            table.plot().write_histograms(folder, &["wire", &table.what])?;
        }
    }
    wire.skipped.iter().for_each(|why| eprintln!("skipped: {why}"));
    let is_empty = wire.wire.is_empty();
    for target in targets(&Figures { wire, ..Figures::default() }) {
        println!("{}, {}: {} ({})", target.stage, target.what(), target.verdict(), target.note);
    }
    if is_empty { Err("no wire was measured".into()) } else { Ok(()) }
}

fn main() -> ExitCode {
    exit_code(run(&Args::parse()))
}
