//! COLD: recorded traffic as padded frames and as a stream of levels.

use std::path::PathBuf;

use spinbook_engine::types::{InstrumentId, Level, Lots, Nanos, Tick};
use spinbook_feed::history::infer::Inference;
use spinbook_feed::history::recorded;
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::instrument::{Instrument, Symbol};
use spinbook_feed::venue::source::{MarketSource, Record, RecordKind, SourceError};

use crate::frames::Frames;
use crate::markets::{increments, product, synthetic};
use crate::plain::{Increments, MessageKind, PlainDecoder, PlainMessage, SerdeJsonTyped, kind_of};
use crate::synthetic::{Shape, depth_frames, snapshot_body};

/// What a recorded line holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// A change of the order book.
    Depth,
    /// The best bid and ask.
    Touch,
    /// A REST snapshot.
    Snapshot,
    /// Anything else.
    Other,
}

/// One recorded chain of one instrument.
#[derive(Clone, Debug)]
pub struct Workload {
    /// As printed in tables.
    pub name: String,
    /// The product line it was recorded from.
    pub product: ProductLine,
    /// Its only instrument, inferred from all prices and quantities where the recording has no list.
    pub instrument: Instrument,
    /// All lines in order.
    pub frames: Frames,
    /// What each line is.
    pub kinds: Vec<LineKind>,
    /// When each line was received.
    pub received: Vec<Nanos>,
    /// Lines that are not of the recording's form.
    pub malformed: usize,
}

/// A recording's lines as they are read.
#[derive(Default)]
struct Lines {
    frames: Frames,
    kinds: Vec<LineKind>,
    symbols: Vec<Option<Symbol>>,
    received: Vec<Nanos>,
    malformed: usize,
}

impl Lines {
    fn push(&mut self, record: &Record<'_>) {
        let frame = &record.buffer[..record.length];
        let wrapped = if record.kind == RecordKind::Stream { combined(frame) } else { None };
        let frame = wrapped.as_deref().unwrap_or(frame);
        let (kind, symbol) = match (record.kind, kind_of(frame)) {
            (RecordKind::Snapshot { symbol }, _) => (LineKind::Snapshot, symbol),
            (RecordKind::Stream, MessageKind::Depth) => (LineKind::Depth, streamed_symbol(frame)),
            (RecordKind::Stream, MessageKind::Touch) => (LineKind::Touch, streamed_symbol(frame)),
            _ => (LineKind::Other, None),
        };
        self.malformed += usize::from(record.kind == RecordKind::Malformed);
        self.frames.push(frame);
        self.kinds.push(kind);
        self.symbols.push(symbol);
        self.received.push(record.stamp.wall);
    }
}

/// A source that keeps a copy of what is read from it, and ends after a span of time.
struct Copied<S> {
    source: S,
    span: Nanos,
    first: Option<Nanos>,
    lines: Lines,
}

impl<S: MarketSource> MarketSource for Copied<S> {
    fn next(&mut self) -> Result<Option<Record<'_>>, SourceError> {
        let Some(record) = self.source.next()? else { return Ok(None) };
        // Lines that are not of the market have no time.
        if record.stamp.wall > Nanos::ZERO {
            let first = *self.first.get_or_insert(record.stamp.wall);
            if record.stamp.wall - first > self.span {
                return Ok(None);
            }
        }
        self.lines.push(&record);
        Ok(Some(record))
    }

    fn lines(&self) -> u64 {
        self.source.lines()
    }
}

/// A raw stream's depth or best bid/ask frame as a combined connection, which is what the program opens, sends it;
/// `None` if it is one already or is neither.
fn combined(frame: &[u8]) -> Option<Vec<u8>> {
    if frame.starts_with(b"{\"stream\"") {
        return None;
    }
    let value: serde_json::Value = serde_json::from_slice(frame).ok()?;
    let channel = match value.get("e").and_then(serde_json::Value::as_str) {
        Some("depthUpdate") => "depth",
        Some("bookTicker") => "bookTicker",
        None if value.get("B").is_some() && value.get("A").is_some() => "bookTicker",
        _ => return None,
    };
    let symbol = value.get("s")?.as_str()?.to_lowercase();
    let mut wrapped = format!("{{\"stream\":\"{symbol}@{channel}\",\"data\":").into_bytes();
    wrapped.extend_from_slice(frame);
    wrapped.push(b'}');
    Some(wrapped)
}

/// One change of the book, as a part of [`LevelStream::levels`].
#[derive(Clone, Copy, Debug)]
pub struct LevelMessage {
    /// Update id.
    pub sequence: u64,
    /// Where its bids start.
    pub begin: usize,
    /// Where its asks start.
    pub middle: usize,
    /// Where its asks end.
    pub end: usize,
}

/// A snapshot and the changes after it, decoded: what a book is measured with.
#[derive(Clone, Debug, Default)]
pub struct LevelStream {
    /// Levels of all messages.
    pub levels: Vec<Level>,
    /// The first is the snapshot.
    pub messages: Vec<LevelMessage>,
}

impl LevelStream {
    /// Bids of a message.
    #[inline]
    #[must_use]
    pub fn bids(&self, message: &LevelMessage) -> &[Level] {
        &self.levels[message.begin..message.middle]
    }

    /// Asks of a message.
    #[inline]
    #[must_use]
    pub fn asks(&self, message: &LevelMessage) -> &[Level] {
        &self.levels[message.middle..message.end]
    }

    /// Changed levels after the snapshot.
    #[must_use]
    pub fn changed_levels(&self) -> usize {
        self.levels.len() - self.messages.first().map_or(0, |snapshot| snapshot.end)
    }

    fn append(&mut self, sequence: u64, bids: &[Level], asks: &[Level]) {
        let begin = self.levels.len();
        self.levels.extend_from_slice(bids);
        let middle = self.levels.len();
        self.levels.extend_from_slice(asks);
        self.messages.push(LevelMessage { sequence, begin, middle, end: self.levels.len() });
    }
}

impl Workload {
    /// Reads one chain of files. Of several symbols the one with the most depth frames is kept.
    ///
    /// # Errors
    /// A file cannot be read, or no symbol of a known product line is in it.
    pub fn read(name: &str, files: &[PathBuf]) -> Result<Workload, String> {
        Workload::read_until(name, files, Nanos::NEVER)
    }

    /// As [`Workload::read`], but no more than `span` from the first line on.
    ///
    /// # Errors
    /// As [`Workload::read`].
    pub fn read_until(name: &str, files: &[PathBuf], span: Nanos) -> Result<Workload, String> {
        Workload::from_source(name, recorded::Recording::new(files), span)
    }

    /// As [`Workload::read_until`], from any source.
    ///
    /// # Errors
    /// As [`Workload::read`].
    pub fn from_source(name: &str, source: impl MarketSource, span: Nanos) -> Result<Workload, String> {
        let mut inference = Inference::new(None);
        let mut copied = Copied { source, span, first: None, lines: Lines::default() };
        inference.look_at_all(&mut copied).map_err(|error| error.to_string())?;
        let Lines { frames, mut kinds, symbols, received, malformed } = copied.lines;
        // A snapshot before the first frame of its only symbol could not be understood on the way.
        for line in (0..kinds.len()).filter(|&line| kinds[line] == LineKind::Snapshot) {
            inference.observe_snapshot(symbols[line], frames.frame(line));
        }
        let product = inference.product().ok_or_else(|| format!("{name}: of no known product line"))?;
        let depth_frames = |instrument: &Instrument| {
            let symbol = Some(instrument.symbol.to_lowercase());
            (0..kinds.len()).filter(|&line| kinds[line] == LineKind::Depth && symbols[line] == symbol).count()
        };
        let instruments = inference.instruments();
        let is_alone = instruments.len() == 1;
        let most = instruments.into_iter().max_by_key(depth_frames);
        let kept = most.ok_or_else(|| format!("{name}: no depth frames"))?;
        let instrument = Instrument { id: InstrumentId(0), ..kept };
        for (kind, symbol) in kinds.iter_mut().zip(&symbols) {
            let is_its = symbol.map_or(is_alone, |symbol| symbol.to_lowercase() == instrument.symbol.to_lowercase());
            if !is_its {
                *kind = LineKind::Other;
            }
        }
        Ok(Workload { name: name.to_owned(), product, instrument, frames, kinds, received, malformed })
    }

    /// Whether a book can be built from it and every frame of its instrument decodes.
    ///
    /// # Errors
    /// There is no snapshot, or which line does not decode.
    pub fn check(&self) -> Result<(), String> {
        if !self.kinds.contains(&LineKind::Snapshot) {
            return Err(format!(
                "{}: no snapshot of {}: without one no book is live and nothing is decided; give the file that has it, \
                 too, in the order of recording",
                self.name,
                self.instrument.symbol.as_str()
            ));
        }
        let mut decoder = SerdeJsonTyped::new(self.increments());
        let (mut buffer, mut message) = (self.frames.buffer(), PlainMessage::default());
        for line in 0..self.frames.len() {
            if matches!(self.kinds[line], LineKind::Depth | LineKind::Touch) {
                let length = self.frames.copy_to(line, &mut buffer);
                let decoded = decoder.decode(&mut buffer, length, &mut message);
                decoded.map_err(|error| format!("{}: line {}: {error:?}", self.name, line + 1))?;
            }
        }
        Ok(())
    }

    /// A synthetic recording: a snapshot, then `count` depth frames of `levels` levels, a tenth of a second apart.
    #[must_use]
    pub fn synthetic(shape: Shape, levels: usize, count: usize, seed: u64) -> Workload {
        let mut frames = Frames::new();
        frames.push(snapshot_body(shape, 500, seed).as_bytes());
        let depth = depth_frames(shape, levels, count, seed);
        (0..depth.len()).for_each(|index| frames.push(depth.frame(index)));
        let mut kinds = vec![LineKind::Depth; frames.len()];
        kinds[0] = LineKind::Snapshot;
        Workload {
            name: format!("synthetic {}", shape.name()),
            product: product(shape),
            instrument: synthetic(shape),
            received: (0..frames.len() as i64).map(|line| Nanos::from_millis(1_700_000_000_000 + 100 * line)).collect(),
            frames,
            kinds,
            malformed: 0,
        }
    }

    /// What the plain decoders need to know of the instrument.
    #[must_use]
    pub fn increments(&self) -> Increments {
        increments(&self.instrument)
    }

    /// The lines of one kind.
    #[must_use]
    pub fn of_kind(&self, kind: LineKind) -> Frames {
        let mut frames = Frames::new();
        (0..self.frames.len())
            .filter(|&line| self.kinds[line] == kind)
            .for_each(|line| frames.push(self.frames.frame(line)));
        frames
    }

    /// The first snapshot and every change that follows it.
    ///
    /// # Errors
    /// A line cannot be decoded, or there is no snapshot.
    pub fn levels(&self) -> Result<LevelStream, String> {
        let mut stream = LevelStream::default();
        let mut decoder = SerdeJsonTyped::new(self.increments());
        let (mut buffer, mut message) = (self.frames.buffer(), PlainMessage::default());
        let mut early: Vec<PlainMessage> = Vec::new();
        for line in 0..self.frames.len() {
            match self.kinds[line] {
                LineKind::Snapshot if stream.messages.is_empty() => {
                    let (last, bids, asks) = snapshot(self.frames.frame(line), self.increments())?;
                    stream.append(last, &bids, &asks);
                    early.iter().filter(|m| m.last > last).for_each(|m| stream.append(m.last, &m.bids, &m.asks));
                }
                LineKind::Depth => {
                    let length = self.frames.copy_to(line, &mut buffer);
                    decoder
                        .decode(&mut buffer, length, &mut message)
                        .map_err(|error| format!("line {}: {error:?}", line + 1))?;
                    match stream.messages.first() {
                        None => early.push(message.clone()),
                        Some(first) if message.last > first.sequence => {
                            stream.append(message.last, &message.bids, &message.asks);
                        }
                        Some(_) => {}
                    }
                }
                _ => {}
            }
        }
        if stream.messages.is_empty() { Err(format!("{}: no snapshot", self.name)) } else { Ok(stream) }
    }
}

/// The symbol in a stream's name, in lower case as it stands there.
fn streamed_symbol(frame: &[u8]) -> Option<Symbol> {
    let name = frame.strip_prefix(b"{\"stream\":\"")?;
    let at = name.iter().position(|&byte| byte == b'@')?;
    Symbol::new(str::from_utf8(&name[..at]).ok()?)
}

#[derive(serde::Deserialize)]
struct SnapshotText<'a> {
    #[serde(rename = "lastUpdateId")]
    last: u64,
    #[serde(borrow)]
    bids: Vec<(&'a str, &'a str)>,
    #[serde(borrow)]
    asks: Vec<(&'a str, &'a str)>,
}

/// Reads a REST snapshot: its update id, bids and asks.
///
/// # Errors
/// It is no snapshot, or a number is off its increment.
pub fn snapshot(body: &[u8], increments: Increments) -> Result<(u64, Vec<Level>, Vec<Level>), String> {
    let text: SnapshotText<'_> = serde_json::from_slice(body).map_err(|error| format!("snapshot: {error}"))?;
    let side = |levels: &[(&str, &str)]| {
        let level = |&(price, quantity): &(&str, &str)| {
            Some(Level {
                tick: Tick(increments.price.parse(price.as_bytes())?),
                lots: Lots(increments.quantity.parse(quantity.as_bytes())?),
            })
        };
        levels.iter().map(level).collect::<Option<Vec<Level>>>().ok_or("snapshot: a number off its increment")
    };
    Ok((text.last, side(&text.bids)?, side(&text.asks)?))
}

#[cfg(test)]
mod tests {
    use spinbook_engine::types::{Nanos, Tick};
    use spinbook_feed::history::recorded;

    use super::{LineKind, Workload};
    use crate::markets::product;
    use crate::synthetic::Shape;

    /// A recording of raw (not combined) frames whose snapshot has finer prices than its frames.
    const RAW: &str = concat!(
        "1723161254.5 not a line\n",
        "1723161254206652067 {\"lastUpdateId\":10,\"bids\":[[\"100.05\",\"1\"]],\"asks\":[[\"100.20\",\"2\"]]}\n",
        "1723161254306652067 {\"e\":\"depthUpdate\",\"E\":1723161254300,\"s\":\"BTCUSDT\",\"U\":11,\"u\":12,",
        "\"b\":[[\"100.10\",\"3\"]],\"a\":[]}\n",
        "1723161254406652067 {\"u\":12,\"s\":\"BTCUSDT\",\"b\":\"100.10\",\"B\":\"3\",\"a\":\"100.20\",\"A\":\"2\"}\n",
        "1723161255906652067 {\"e\":\"depthUpdate\",\"E\":1723161255900,\"s\":\"BTCUSDT\",\"U\":13,\"u\":13,",
        "\"b\":[[\"100.10\",\"0\"]],\"a\":[]}\n",
    );

    fn read(text: &'static str, span: Nanos) -> Result<Workload, String> {
        let source = recorded::Recording::from_reader("raw", Box::new(text.as_bytes())).expect("it begins with a time");
        Workload::from_source("raw", source, span)
    }

    #[test]
    fn raw_frames_are_wrapped_and_the_snapshots_increments_count() {
        let recording = read(RAW, Nanos::NEVER).expect("it is a recording");
        assert_eq!((recording.product, recording.malformed), (product(Shape::Spot), 1));
        use LineKind::{Depth, Other, Snapshot, Touch};
        assert_eq!(recording.kinds, [Other, Snapshot, Depth, Touch, Depth]);
        assert!(recording.frames.frame(2).starts_with(b"{\"stream\":\"btcusdt@depth\",\"data\":{\"e\""));
        recording.check().expect("every frame decodes");
        let stream = recording.levels().expect("it has a snapshot");
        assert_eq!(stream.messages.len(), 3);
        assert_eq!(stream.bids(&stream.messages[0])[0].tick, Tick(10_005));
    }

    #[test]
    fn a_span_ends_a_recording_and_a_missing_snapshot_is_said() {
        let first_second = read(RAW, Nanos::from_seconds(1)).expect("it is a recording");
        assert_eq!(first_second.kinds.len(), 4);
        let without = RAW.split_inclusive('\n').filter(|line| !line.contains("lastUpdateId")).collect::<String>();
        let recording = read(without.leak(), Nanos::NEVER).expect("it is a recording");
        assert!(recording.check().expect_err("no book").contains("no snapshot of BTCUSDT"));
    }
}
