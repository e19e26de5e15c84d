//! COLD: wire to wire by itself: a market frame leaves the exchange side, its order arrives there.

use std::path::PathBuf;
use std::process::ExitCode;

use spinbook_bench::alloc::CountingAllocator;
use spinbook_bench::threads;
use spinbook_bench::wire::handover;
use spinbook_bench::wire::table::{WireEffort, measure};
use spinbook_bench::workload::{CHAINS, Recording};
use spinbook_feed::venue::binance::Product;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const HELP: &str = "usage: wire [FILES...] [--quick]

Plays recordings over loopback, TLS and WebSocket, and times each order from when its frame was due.

  FILES    one chain of recordings, instead of the recorded Binance chains
  --quick  few rounds: shows that everything runs";

fn run() -> Result<(), String> {
    let (mut effort, mut files) = (WireEffort::FULL, Vec::new());
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--quick" => effort = WireEffort::QUICK,
            "--help" | "-h" => {
                println!("{HELP}");
                return Ok(());
            }
            flag if flag.starts_with('-') => return Err(format!("unknown option {flag}\n\n{HELP}")),
            file => files.push(PathBuf::from(file)),
        }
    }
    let mut recordings = Vec::new();
    if files.is_empty() {
        for place in [0, 2] {
            match Recording::chain(place)? {
                Some(recording) => recordings.push(recording),
                None => eprintln!("{}: no recorded data", CHAINS[place].0),
            }
        }
    } else {
        recordings.push(Recording::read(&files[0].display().to_string(), &files)?);
    }
    for product in [Product::BinanceUsdm, Product::BinanceSpot] {
        let table = threads::alone(|| handover::measure(product, 20_000)).map_err(|error| error.to_string())?;
        let mut text = format!("**{}**, a decision's way into the kernel, one thread\n\n", product.name());
        table.write_markdown(&mut text).map_err(|error| error.to_string())?;
        println!("{text}");
    }
    for recording in &recordings {
        let mut text = String::new();
        measure(recording, &effort)?.write_markdown(&mut text).map_err(|error| error.to_string())?;
        println!("{text}");
    }
    Ok(())
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
