//! COLD: frame to order at a market's pace, by itself: pauses between frames, and what keeps the loop warm through them.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use serde_json::json;
use spinbook_bench::document::Document;
use spinbook_bench::inputs::InputArgs;
use spinbook_bench::measure::Figures;
use spinbook_bench::paced::figures;
use spinbook_bench::report::paced_section;
use spinbook_bench::targets::{PACED_STAGE, targets};
use spinbook_bench::text::{exit_code, print};
use spinbook_feed::net::host::memory::keep_freed;

/// Plays recordings through the hot loop with pauses between the frames, `engine.keep_warm` off, "path" and "all" drawn at
/// random, and prints ns from the frame in hand to its order on the ring.
#[derive(Parser)]
#[command(after_help = "example: paced --seconds 300 btcusdt_20240718.gz btcusdt_20240719.gz")]
struct Args {
    #[command(flatten)]
    inputs: InputArgs,
    /// How long each recording is played; more shows more percentiles.
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: Option<u64>,
    /// Prints one JSON object instead of tables.
    #[arg(long)]
    json: bool,
}

fn run(args: &Args) -> Result<(), String> {
    let span = args.seconds.map_or(args.inputs.samples().paced, Duration::from_secs);
    keep_freed();
    let paced = figures(&args.inputs, span, &|what| eprintln!("measuring {what}"));
    paced.skipped.iter().for_each(|why| eprintln!("skipped: {why}"));
    let is_empty = paced.tables.is_empty();
    let all = Figures { paced, ..Figures::default() };
    let held: Vec<_> = targets(&all).into_iter().filter(|target| target.stage == PACED_STAGE).collect();
    if args.json {
        print(&format!("{}\n", json!({ "recordings": all.paced.tables, "targets": held })));
    } else {
        let mut document = Document::default();
        paced_section(&mut document, &all.paced.tables);
        for target in &held {
            let (measured, verdict) = (target.measured_text(), target.verdict());
            document.text(format!(
                "{}: {measured}, {}: {verdict} ({})",
                target.what(),
                target.limit_text(),
                target.note
            ));
        }
        print(&document.terminal());
    }
    if is_empty { Err("nothing was measured".into()) } else { Ok(()) }
}

fn main() -> ExitCode {
    exit_code(run(&Args::parse()))
}
