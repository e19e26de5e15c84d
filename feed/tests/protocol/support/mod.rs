//! COLD: what the feed's tests share: where recordings lie, frames of them, and random damage.
#![allow(dead_code, unused_imports, clippy::unwrap_used, reason = "each test program uses its own part, and may fail")]

mod instrument;

use std::path::PathBuf;

use spinbook_feed::backoff::Jitter;
use spinbook_feed::history::recorded::Recording;
use spinbook_feed::history::{RecordKind, Source};

pub use instrument::instrument;

pub const USDM_2024: [&str; 2] = ["binance-usdm/btcusdt_20240718.gz", "binance-usdm/btcusdt_20240719.gz"];
pub const USDM_2023: [&str; 2] = ["binance-usdm/btcusdt_20230404.dat.gz", "binance-usdm/btcusdt_20230405.dat.gz"];
pub const SPOT_2024: [&str; 2] = ["binance-spot/btcusdt_20240808.gz", "binance-spot/btcusdt_20240809.gz"];
pub const USDM_ALTS: [&str; 1] = ["binance-usdm/BINANCE_FUTURES.jsonl.zst"];

/// Paths of recordings; `None` (with a word about it) where there are none.
pub fn recorded(names: &[&str]) -> Option<Vec<PathBuf>> {
    let folder = std::env::var_os("SPINBOOK_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from);
    if folder.is_dir() {
        return Some(names.iter().map(|name| folder.join(name)).collect());
    }
    println!("skipped: no recorded data");
    None
}

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

/// One random damage of a frame or line.
pub fn damage(bytes: &mut Vec<u8>, random: &mut Jitter) {
    if bytes.is_empty() {
        return;
    }
    let at = (random.next_u64() % bytes.len() as u64) as usize;
    let other = (random.next_u64() % bytes.len() as u64) as usize;
    let likely = b"0123456789.\"[]{},:-eE \\aAbBuUpst@";
    match random.next_u64() % 9 {
        0 => bytes[at] ^= 1 << (random.next_u64() % 8),
        1 => bytes[at] = random.next_u64() as u8,
        2 | 3 => bytes[at] = likely[(random.next_u64() % likely.len() as u64) as usize],
        4 => drop(bytes.remove(at)),
        5 => bytes.insert(at, likely[(random.next_u64() % likely.len() as u64) as usize]),
        6 => bytes.swap(at, other),
        7 => bytes.truncate(at),
        _ => {
            let (from, to) = (at.min(other), (at.min(other) + 40).min(bytes.len()));
            let part = bytes[from..to].to_vec();
            bytes.splice(to..to, part);
        }
    }
}
