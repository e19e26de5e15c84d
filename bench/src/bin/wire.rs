//! COLD: wire to wire by itself: a market frame leaves the exchange side, its order arrives there.

use std::path::PathBuf;
use std::process::ExitCode;

use spinbook_bench::alloc::CountingAllocator;
use spinbook_bench::wire::figures::measure;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const HELP: &str = "usage: wire [FILES...] [--quick] [--hgrm FOLDER]

Plays recordings over loopback, TLS and WebSocket, times each order from when its frame was due, and measures a
decision's way into the kernel: what `targets` measures, too, by itself.

  FILES    one chain of recordings, instead of the recorded Binance chains
  --quick  few rounds: shows that everything runs, its figures are rough
  --hgrm   writes the histograms as .hgrm files into this folder";

fn run() -> Result<(), String> {
    let (mut quick, mut files, mut folder) = (false, Vec::new(), None);
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        match argument.as_str() {
            "--quick" => quick = true,
            "--hgrm" => folder = Some(PathBuf::from(given.next().ok_or("--hgrm needs the name of a folder")?)),
            "--help" | "-h" => {
                println!("{HELP}");
                return Ok(());
            }
            flag if flag.starts_with('-') => return Err(format!("unknown option {flag}\n\n{HELP}")),
            file => files.push(PathBuf::from(file)),
        }
    }
    let figures = measure(&files, quick, &|what| eprintln!("measuring {what}"));
    let mut text = String::new();
    figures.write_markdown(&mut text, &[]).map_err(|error| error.to_string())?;
    println!("{text}");
    if let Some(folder) = folder {
        figures.write_histograms(&folder)?;
    }
    for target in figures.targets() {
        println!("{}: {} ({})", target.what, target.verdict(), target.note);
    }
    if figures.wire.is_empty() { Err(figures.skipped.join("\n")) } else { Ok(()) }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
