//! COLD: runs one stage of the gate: once to warm it, once to be counted. The gate starts it under callgrind; with
//! `ratio` instead of a stage it times both pipelines and prints their ratios as JSON, with `chain` the risk controls.

use std::process::ExitCode;

use serde::Serialize;
use spinbook_bench::inputs::{InputArgs, SampleCount};
use spinbook_bench::risk_chain::{self, RiskTable};
use spinbook_bench::stages::{built_for, counted_by_the_gate, stage};

fn main() -> ExitCode {
    let Some(name) = std::env::args().nth(1) else {
        eprintln!("usage: stages NAME | ratio | chain");
        return ExitCode::from(2);
    };
    if name == "ratio" {
        return printed(spinbook_bench::ratio::measure());
    }
    if name == "chain" {
        return printed(chain());
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

/// The whole chain of risk controls on every recording that is there.
fn chain() -> Result<Vec<RiskTable>, String> {
    let recordings = InputArgs::default().recordings(&mut |name| eprintln!("skipped: {name}: no recorded data"))?;
    recordings.iter().map(|recording| risk_chain::measure(recording, SampleCount::FULL.step_rounds)).collect()
}

fn printed<T: Serialize>(measured: Result<T, String>) -> ExitCode {
    match measured.and_then(|figures| serde_json::to_string(&figures).map_err(|error| error.to_string())) {
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
