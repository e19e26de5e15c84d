//! COLD: runs one stage of the gate: once to warm it, once to be counted. The gate starts it under callgrind; with
//! `ratio` instead of a stage it times both pipelines and prints their ratios as JSON.

use std::process::ExitCode;

use spinbook_bench::stages::{built_for, counted_by_the_gate, stage};

fn main() -> ExitCode {
    let Some(name) = std::env::args().nth(1) else {
        eprintln!("usage: stages NAME | ratio");
        return ExitCode::from(2);
    };
    if name == "ratio" {
        return ratios();
    }
    match stage(&name) {
        Ok(Some(mut stage)) => {
            // A stage that counts its inner part is counted in both runs, and has twice the units.
            let (first, second, runs) = if stage.counts_inner {
                ((stage.run)(), (stage.run)(), 2)
            } else {
                ((stage.run)(), counted_by_the_gate(&mut stage.run), 1)
            };
            core::hint::black_box((first, second));
            println!("{} {} {}", stage.units * runs, stage.unit, built_for());
            ExitCode::SUCCESS
        }
        Ok(None) => {
            println!("skipped: no recorded data");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn ratios() -> ExitCode {
    let measured = spinbook_bench::ratio::measure();
    match measured.and_then(|ratios| serde_json::to_string(&ratios).map_err(|error| error.to_string())) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
