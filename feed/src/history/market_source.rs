//! COLD: recordings as the market of a simulated exchange: frames verbatim, each at its recorded time.

use std::path::PathBuf;

use spinbook_engine::types::Nanos;

use super::infer::Inference;
use super::recorded::Recording;
use super::{RecordKind, Source};
use crate::sim::side::{MarketFrame, MarketSource};
use crate::venue::ProductLine;
use crate::venue::instrument::Instrument;

/// Recorded files as a [`MarketSource`].
///
/// Stream frames and REST snapshot bodies come as they were recorded; a snapshot is a frame of its own.
#[derive(Debug)]
pub struct RecordedMarket {
    recording: Recording,
    last: Nanos,
    malformed: u64,
}

impl RecordedMarket {
    /// Plays these files in this order.
    #[must_use]
    pub fn new(files: &[PathBuf]) -> RecordedMarket {
        RecordedMarket { recording: Recording::new(files), last: Nanos::ZERO, malformed: 0 }
    }

    /// Lines that were no records and were left out.
    #[must_use]
    pub fn malformed(&self) -> u64 {
        self.malformed
    }
}

impl MarketSource for RecordedMarket {
    fn next_frame(&mut self) -> Result<Option<MarketFrame>, String> {
        loop {
            let Some(record) = self.recording.next().map_err(|error| error.to_string())? else {
                return Ok(None);
            };
            match record.kind {
                RecordKind::Stream | RecordKind::Snapshot { .. } => {
                    // Receive clocks step back now and then; a market's time does not.
                    self.last = self.last.max(record.stamp.wall);
                    let bytes = record.buffer[..record.length].to_vec();
                    return Ok(Some(MarketFrame { at: self.last, bytes }));
                }
                RecordKind::Malformed => self.malformed += 1,
                RecordKind::Instruments | RecordKind::Other => {}
            }
        }
    }
}

/// Product line and instruments of recordings, from their list if they have one, else inferred from all their
/// numbers.
///
/// # Errors
/// What is wrong with the files, or that no product line can be told from them.
pub fn recorded_instruments(
    files: &[PathBuf],
    product: Option<ProductLine>,
) -> Result<(ProductLine, Vec<Instrument>), String> {
    let mut inference = Inference::new(product);
    inference.look_at_all(&mut Recording::new(files)).map_err(|error| error.to_string())?;
    let product = inference.product().ok_or("no venue can be told from the recording; name it with --venue")?;
    Ok((product, inference.instruments()))
}
