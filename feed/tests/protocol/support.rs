//! COLD: what the feed's tests share: where recordings lie, frames of them, and random damage.
#![allow(dead_code, unused_imports, clippy::unwrap_used, reason = "each test program uses its own part, and may fail")]

use std::path::PathBuf;

use spinbook_feed::history::recorded::Recording;
use spinbook_feed::venue::source::{MarketSource, RecordKind};

pub use spinbook_feed::testkit::{damage, instrument, recorded};

pub const USDM_2024: [&str; 2] = ["binance-usdm/btcusdt_20240718.gz", "binance-usdm/btcusdt_20240719.gz"];
pub const USDM_2023: [&str; 2] = ["binance-usdm/btcusdt_20230404.dat.gz", "binance-usdm/btcusdt_20230405.dat.gz"];
pub const SPOT_2024: [&str; 2] = ["binance-spot/btcusdt_20240808.gz", "binance-spot/btcusdt_20240809.gz"];
pub const USDM_ALTS: [&str; 1] = ["binance-usdm/BINANCE_FUTURES.jsonl.zst"];

/// The first `most` stream frames of recordings.
pub fn frames(files: &[PathBuf], most: usize) -> Vec<Vec<u8>> {
    let records = records(files, most).into_iter();
    records.filter(|(kind, _)| *kind == RecordKind::Stream).map(|(_, bytes)| bytes).collect()
}

/// The first `most` records of recordings.
pub fn records(files: &[PathBuf], most: usize) -> Vec<(RecordKind, Vec<u8>)> {
    let mut recording = Recording::new(files);
    let mut records = Vec::new();
    while records.len() < most
        && let Some(record) = recording.next().unwrap()
    {
        records.push((record.kind, record.buffer[..record.length].to_vec()));
    }
    records
}

/// The lines of recordings, decompressed, up to `most`.
pub fn lines(files: &[PathBuf], most: usize) -> Vec<Vec<u8>> {
    use std::io::{BufRead, BufReader};
    let mut lines = Vec::new();
    for file in files {
        let reader = BufReader::new(flate2::read::MultiGzDecoder::new(std::fs::File::open(file).unwrap()));
        for line in reader.split(b'\n') {
            if lines.len() == most {
                return lines;
            }
            lines.push(line.unwrap());
        }
    }
    lines
}
