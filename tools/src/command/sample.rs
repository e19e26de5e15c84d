//! COLD: `spinbook sample`: writes a short synthetic recording, to try what reads recordings.

use serde_json::json;
use spinbook_engine::types::Nanos;
use spinbook_feed::history::write::{WriteRecordingError, write_recording};

use crate::cli::SampleArgs;
use crate::config::venues::check_venue;
use crate::error::Failure;
use crate::outcome::Done;

/// When every sample begins, so that the same seed gives the same bytes: 2026-01-01 00:00:00 UTC.
const BEGIN: Nanos = Nanos::from_seconds(1_767_225_600);

/// Writes a market's time into a new file, as fast as it can be made.
///
/// # Errors
/// The file exists already or cannot be written, or the venue has no simulated exchange.
pub fn run(arguments: &SampleArgs) -> Result<Done, Failure> {
    let product = check_venue(&arguments.venue)?;
    let simulator =
        product.simulator().ok_or_else(|| Failure::usage(format!("{} has no synthetic market", product.name())))?;
    let mut market = simulator
        .synthetic(product, &[], arguments.seed, BEGIN)
        .map_err(|why| Failure::failed("cannot make the synthetic market").because(why))?;
    let length = Nanos::from_seconds(arguments.seconds.cast_signed());
    let path = &arguments.output;
    let written = write_recording(market.source.as_mut(), length, path).map_err(|error| {
        let failure = Failure::failed("cannot write the sample recording").at(path.display()).because(&error);
        match error {
            WriteRecordingError::File(_) => failure.next("name a file that does not exist yet, in a folder that does"),
            WriteRecordingError::Source(_) => failure,
        }
    })?;
    let text = format!(
        "wrote {}: {} s of a synthetic {} market, seed {}, {} lines\ntry: spinbook verify {0}",
        path.display(),
        arguments.seconds,
        product.name(),
        arguments.seed,
        written.lines,
    );
    let json = json!({
        "written": path.display().to_string(),
        "venue": product.name(),
        "seed": arguments.seed,
        "seconds": arguments.seconds,
        "lines": written.lines,
        "first_ns": written.first.0,
        "last_ns": written.last.0,
    });
    Ok(Done::new(text, json))
}
