//! COLD: writes a market as a recording of stamped lines, plain or compressed as the file's name says.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use spinbook_engine::types::Nanos;
use thiserror::Error;

use crate::venue::source::{MarketSource, RecordKind, SourceError};

/// How hard zstd tries: samples are written once and read often.
const ZSTD_LEVEL: i32 = 19;

/// How much was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WrittenRecording {
    /// Lines.
    pub lines: u64,
    /// Bytes before compression.
    pub bytes: u64,
    /// Time of the first line.
    pub first: Nanos,
    /// Time of the last line.
    pub last: Nanos,
}

/// Why a recording could not be written.
#[derive(Debug, Error)]
pub enum WriteRecordingError {
    /// The file exists, or cannot be written.
    #[error("{0}")]
    File(io::Error),
    /// The market broke.
    #[error("{0}")]
    Source(SourceError),
}

/// Writes `length` of a market's time into a new file: gzip for `.gz`, zstd for `.zst`, else plain lines.
///
/// A snapshot's line does not say whose it is: a market written so should have one symbol.
///
/// # Errors
/// The file exists already or cannot be written, or the market broke; then the file holds what came before.
pub fn write_recording(
    source: &mut dyn MarketSource,
    length: Nanos,
    path: &Path,
) -> Result<WrittenRecording, WriteRecordingError> {
    let file = OpenOptions::new().write(true).create_new(true).open(path).map_err(WriteRecordingError::File)?;
    let mut packed = Packed::new(file, path).map_err(WriteRecordingError::File)?;
    let written = write_lines(source, length, &mut packed)?;
    packed.finish().map_err(WriteRecordingError::File)?;
    Ok(written)
}

fn write_lines(
    source: &mut dyn MarketSource,
    length: Nanos,
    out: &mut dyn Write,
) -> Result<WrittenRecording, WriteRecordingError> {
    let mut written = WrittenRecording::default();
    while let Some(record) = source.next().map_err(WriteRecordingError::Source)? {
        if !matches!(record.kind, RecordKind::Stream | RecordKind::Snapshot { .. }) {
            continue;
        }
        let at = record.stamp.wall;
        if written.lines == 0 {
            written.first = at;
        }
        if at - written.first >= length {
            break;
        }
        let stamp = format!("{} ", at.0);
        let frame = &record.buffer[..record.length];
        for part in [stamp.as_bytes(), frame, b"\n"] {
            out.write_all(part).map_err(WriteRecordingError::File)?;
            written.bytes += part.len() as u64;
        }
        written.lines += 1;
        written.last = at;
    }
    Ok(written)
}

/// A file, compressed as its name says.
enum Packed {
    Plain(BufWriter<File>),
    Gzip(GzEncoder<BufWriter<File>>),
    Zstd(zstd::stream::write::Encoder<'static, File>),
}

impl Packed {
    fn new(file: File, path: &Path) -> io::Result<Packed> {
        Ok(match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => Packed::Gzip(GzEncoder::new(BufWriter::new(file), Compression::best())),
            Some("zst") => Packed::Zstd(zstd::stream::write::Encoder::new(file, ZSTD_LEVEL)?),
            _ => Packed::Plain(BufWriter::new(file)),
        })
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Packed::Plain(mut file) => file.flush(),
            Packed::Gzip(encoder) => encoder.finish()?.flush(),
            Packed::Zstd(encoder) => encoder.finish()?.flush(),
        }
    }
}

impl Write for Packed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Packed::Plain(file) => file.write(bytes),
            Packed::Gzip(encoder) => encoder.write(bytes),
            Packed::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Packed::Plain(file) => file.flush(),
            Packed::Gzip(encoder) => encoder.flush(),
            Packed::Zstd(encoder) => encoder.flush(),
        }
    }
}
