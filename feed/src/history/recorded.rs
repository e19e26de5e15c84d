//! COLD: other people's recordings: `LOCAL_TIMESTAMP JSON` lines and `{"t":"recv",…}` JSON lines, compressed or not.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use serde::Deserialize;
use spinbook_engine::types::{Nanos, Stamp, VenueId};

use crate::number::{Scale, parse_integer};
use crate::venue::market::FRAME_PADDING;
use crate::venue::recordings::{RecordedReply, is_snapshot, product_of, reply_of};
use crate::venue::source::{MarketSource, Record, RecordKind, RecordPlace, SourceError};

const READ_BYTES: usize = 1 << 18;
/// Longest line: the longest instrument list is a few MiB.
const LINE_BYTES_MAX: usize = 64 << 20;

/// Files of recordings, one behind the other.
pub struct Recording {
    files: VecDeque<PathBuf>,
    current: Option<RecordedFile>,
    /// Files opened so far.
    opened: usize,
    lines: u64,
}

impl core::fmt::Debug for Recording {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(out, "Recording at line {}", self.lines)
    }
}

impl Recording {
    /// Reads these files in this order.
    #[must_use]
    pub fn new(files: &[PathBuf]) -> Recording {
        Recording { files: files.iter().cloned().collect(), current: None, opened: 0, lines: 0 }
    }

    /// Reads one text, as if it were a file of this name.
    ///
    /// # Errors
    /// [`SourceError::UnknownForm`].
    pub fn from_reader(name: &str, reader: Box<dyn Read + Send>) -> Result<Recording, SourceError> {
        let file = RecordedFile::new(name.to_owned(), reader)?;
        Ok(Recording { files: VecDeque::new(), current: Some(file), opened: 1, lines: 0 })
    }
}

impl MarketSource for Recording {
    fn next(&mut self) -> Result<Option<Record<'_>>, SourceError> {
        loop {
            if self.current.is_none() {
                let Some(path) = self.files.pop_front() else {
                    return Ok(None);
                };
                self.current = Some(RecordedFile::open(&path)?);
                self.opened += 1;
            }
            let file = self.current.as_mut().expect("it was just opened");
            let before = file.line;
            let step = file.advance();
            self.lines += file.line - before;
            match step? {
                Some(step) => {
                    let file = self.current.as_mut().expect("it was just read");
                    return Ok(Some(file.record(step, self.opened - 1)));
                }
                None => self.current = None,
            }
        }
    }

    fn lines(&self) -> u64 {
        self.lines
    }
}

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `LOCAL_TIMESTAMP JSON`.
    Stamped,
    /// One JSON record a line.
    Records,
}

/// What a step found; the frame lies in the file's buffer.
#[derive(Clone, Copy)]
struct Step {
    at: Nanos,
    kind: RecordKind,
    start: usize,
    length: usize,
}

/// A reply that was recorded apart from the stream and waits for its time.
struct Waiting {
    at: Nanos,
    kind: RecordKind,
    body: Vec<u8>,
}

struct RecordedFile {
    name: String,
    reader: Box<dyn BufRead + Send>,
    form: Form,
    venue: Option<VenueId>,
    buffer: Vec<u8>,
    line: u64,
    replies: VecDeque<Waiting>,
    held: Option<(Nanos, RecordKind, Vec<u8>)>,
    ended: bool,
}

impl RecordedFile {
    fn open(path: &Path) -> Result<RecordedFile, SourceError> {
        let name = path.display().to_string();
        let refused = |reason: String| SourceError::Open { file: name.clone(), reason };
        let file = File::open(path).map_err(|error| refused(error.to_string()))?;
        if file.metadata().is_ok_and(|found| found.is_dir()) {
            return Err(refused("it is a folder: name the files in it".to_owned()));
        }
        RecordedFile::new(name, Box::new(file))
    }

    fn new(name: String, reader: Box<dyn Read + Send>) -> Result<RecordedFile, SourceError> {
        let mut raw = BufReader::with_capacity(READ_BYTES, reader);
        let magic = peek(&mut raw, &name)?;
        let mut reader: Box<dyn BufRead + Send> = if magic.starts_with(&[0x1f, 0x8b]) {
            Box::new(BufReader::with_capacity(READ_BYTES, MultiGzDecoder::new(raw)))
        } else if magic.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            let decoder = zstd::stream::read::Decoder::with_buffer(raw)
                .map_err(|error| SourceError::Open { file: name.clone(), reason: error.to_string() })?;
            Box::new(BufReader::with_capacity(READ_BYTES, decoder))
        } else {
            Box::new(raw)
        };
        let start = peek(&mut reader, &name)?;
        let form = if start.first().is_some_and(u8::is_ascii_digit) {
            Form::Stamped
        } else if start.starts_with(b"{\"t\":") {
            Form::Records
        } else {
            let shown = String::from_utf8_lossy(&start[..start.len().min(24)]).into_owned();
            return Err(SourceError::UnknownForm { file: name, reason: format!("it begins with {shown:?}") });
        };
        Ok(RecordedFile {
            name,
            reader,
            form,
            venue: None,
            buffer: Vec::new(),
            line: 0,
            replies: VecDeque::new(),
            held: None,
            ended: false,
        })
    }

    /// Reads the next line into the buffer, without its end; `None` at the end of the file.
    fn read_line(&mut self) -> Result<Option<()>, SourceError> {
        self.buffer.clear();
        let mut limited = (&mut self.reader).take(LINE_BYTES_MAX as u64);
        match limited.read_until(b'\n', &mut self.buffer) {
            Ok(0) => Ok(None),
            Ok(_) => {
                while self.buffer.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
                    self.buffer.pop();
                }
                self.line += 1;
                Ok(Some(()))
            }
            Err(error) => Err(self.read_error(&error)),
        }
    }

    fn read_error(&self, error: &std::io::Error) -> SourceError {
        let (file, line, reason) = (self.name.clone(), self.line, error.to_string());
        if error.kind() == ErrorKind::UnexpectedEof {
            SourceError::CutShort { file, line, reason }
        } else {
            SourceError::Damaged { file, line, reason }
        }
    }

    fn advance(&mut self) -> Result<Option<Step>, SourceError> {
        match self.form {
            Form::Stamped => {
                let Some(()) = self.read_line()? else { return Ok(None) };
                Ok(Some(self.stamped_step()))
            }
            Form::Records => self.advance_records(),
        }
    }

    fn stamped_step(&mut self) -> Step {
        let malformed = Step { at: Nanos::ZERO, kind: RecordKind::Malformed, start: 0, length: self.buffer.len() };
        if self.buffer.iter().all(u8::is_ascii_whitespace) {
            return Step { kind: RecordKind::Other, ..malformed };
        }
        let Some(space) = self.buffer.iter().take(24).position(|byte| *byte == b' ') else {
            return malformed;
        };
        let Some(at) = local_time(&self.buffer[..space]) else {
            return malformed;
        };
        let frame = &self.buffer[space + 1..];
        let kind = if is_snapshot(frame) { RecordKind::Snapshot { symbol: None } } else { RecordKind::Stream };
        Step { at, kind, start: space + 1, length: frame.len() }
    }

    /// Replies recorded apart from the stream come first in such files: each waits for the first frame that
    /// was received after it.
    fn advance_records(&mut self) -> Result<Option<Step>, SourceError> {
        loop {
            if self.held.is_none() && !self.ended {
                if self.read_line()?.is_none() {
                    self.ended = true;
                } else {
                    match self.take_record() {
                        Some(RecordKind::Other) => {
                            return Ok(Some(self.step_of(Nanos::ZERO, RecordKind::Other, Vec::new())));
                        }
                        Some(RecordKind::Malformed) => {
                            let length = self.buffer.len();
                            return Ok(Some(Step { at: Nanos::ZERO, kind: RecordKind::Malformed, start: 0, length }));
                        }
                        _ => {}
                    }
                    if self.held.is_none() {
                        continue;
                    }
                }
            }
            let due = match (&self.held, self.replies.front()) {
                (Some((at, _, _)), Some(reply)) => reply.at <= *at,
                (None, Some(_)) => self.ended,
                (_, None) => false,
            };
            if due && let Some(reply) = self.replies.pop_front() {
                return Ok(Some(self.step_of(reply.at, reply.kind, reply.body)));
            }
            if let Some((at, kind, body)) = self.held.take() {
                return Ok(Some(self.step_of(at, kind, body)));
            }
            if self.ended {
                return Ok(None);
            }
        }
    }

    fn step_of(&mut self, at: Nanos, kind: RecordKind, body: Vec<u8>) -> Step {
        let length = body.len();
        self.buffer = body;
        Step { at, kind, start: 0, length }
    }

    /// Sorts the line in the buffer: a frame is held, a reply waits, the rest is said to be what it is.
    fn take_record(&mut self) -> Option<RecordKind> {
        if self.buffer.iter().all(u8::is_ascii_whitespace) {
            return Some(RecordKind::Other);
        }
        let Ok(line) = serde_json::from_slice::<Line<'_>>(&self.buffer) else {
            return Some(RecordKind::Malformed);
        };
        let at = line.ts.and_then(|seconds| seconds_to_nanos(&seconds.to_string())).unwrap_or(Nanos::ZERO);
        let venue = product_of(line.url.as_deref().or(line.addr.as_deref()), line.exchange.as_deref());
        if let Some(product) = venue {
            self.venue = Some(product.venue_id());
        }
        let Some(data) = line.data else {
            return Some(RecordKind::Other);
        };
        match line.t.as_ref() {
            "recv" => {
                self.held = Some((at, RecordKind::Stream, data.into_owned().into_bytes()));
                None
            }
            "http" => {
                let kind = reply_kind(line.url.as_deref().unwrap_or(""));
                let body = data.into_owned().into_bytes();
                self.replies.push_back(Waiting { at, kind, body });
                None
            }
            _ => Some(RecordKind::Other),
        }
    }

    fn record(&mut self, step: Step, number: usize) -> Record<'_> {
        self.buffer.resize(step.start + step.length + FRAME_PADDING, 0);
        Record {
            stamp: Stamp { wall: step.at, tsc: 0 },
            place: RecordPlace { file: number, line: self.line },
            venue: self.venue,
            kind: step.kind,
            buffer: &mut self.buffer[step.start..],
            length: step.length,
        }
    }
}

/// A line of a file of JSON records.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    t: std::borrow::Cow<'a, str>,
    #[serde(default)]
    ts: Option<serde_json::Number>,
    #[serde(borrow, default)]
    data: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow, default)]
    url: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow, default)]
    addr: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow, default)]
    exchange: Option<std::borrow::Cow<'a, str>>,
}

fn peek<'a>(reader: &'a mut (impl BufRead + ?Sized), name: &str) -> Result<&'a [u8], SourceError> {
    match reader.fill_buf() {
        Ok([]) => Err(SourceError::UnknownForm { file: name.to_owned(), reason: "it is empty".to_owned() }),
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Err(SourceError::CutShort { file: name.to_owned(), line: 0, reason: error.to_string() })
        }
        Err(error) => Err(SourceError::Damaged { file: name.to_owned(), line: 0, reason: error.to_string() }),
    }
}

/// Seconds with a fraction, as the records print them.
fn seconds_to_nanos(text: &str) -> Option<Nanos> {
    Scale::new(9, 1)?.parse(text.as_bytes()).ok().map(Nanos)
}

/// A local time in seconds, milliseconds, microseconds or nanoseconds, told apart by its digits.
fn local_time(text: &[u8]) -> Option<Nanos> {
    let factor = match text.len() {
        10 => 1_000_000_000,
        13 => 1_000_000,
        16 => 1_000,
        19 => 1,
        _ => return None,
    };
    i64::try_from(parse_integer(text).ok()?).ok()?.checked_mul(factor).map(Nanos)
}

fn reply_kind(url: &str) -> RecordKind {
    match reply_of(url) {
        Some(RecordedReply::Instruments) => RecordKind::Instruments,
        Some(RecordedReply::Snapshot { symbol }) => RecordKind::Snapshot { symbol },
        None => RecordKind::Other,
    }
}
