//! COLD: recorded traffic as padded frames and as a stream of levels.

use std::path::{Path, PathBuf};

use spinbook_engine::types::{InstrumentId, Level, Lots, Nanos, Tick};
use spinbook_feed::history::infer::Inference;
use spinbook_feed::history::{RecordKind, Source, recorded};
use spinbook_feed::venue::binance::Product;
use spinbook_feed::venue::instrument::{Instrument, Symbol};

use crate::frames::Frames;
use crate::instrument::{increments, product, synthetic};
use crate::plain::{Increments, Message, MessageKind, PlainDecoder, SerdeJsonTyped, kind_of};
use crate::synthetic::{Shape, depth_frames, snapshot_body};

/// The recorded chains that the tables are made from, as folders and files under the data folder.
pub const CHAINS: [(&str, &[&str]); 3] = [
    ("perp 2024", &["binance-usdm/btcusdt_20240718.gz", "binance-usdm/btcusdt_20240719.gz"]),
    ("perp 2023", &["binance-usdm/btcusdt_20230404.dat.gz", "binance-usdm/btcusdt_20230405.dat.gz"]),
    ("spot 2024", &["binance-spot/btcusdt_20240808.gz", "binance-spot/btcusdt_20240809.gz"]),
];

/// Where recordings are looked for: `SPINBOOK_DATA`, else `../shared/data` from the project's root.
#[must_use]
pub fn data_folder() -> PathBuf {
    match std::env::var_os("SPINBOOK_DATA") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
    }
}

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
pub struct Recording {
    /// As printed in tables.
    pub name: String,
    /// The product line it was recorded from.
    pub product: Product,
    /// Its only instrument, inferred from all prices and quantities where the recording has no list.
    pub instrument: Instrument,
    /// All lines in order.
    pub frames: Frames,
    /// What each line is.
    pub kinds: Vec<LineKind>,
    /// When each line was received.
    pub received: Vec<Nanos>,
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

impl Recording {
    /// Reads one chain of files. Of several symbols the one with the most depth frames is kept.
    ///
    /// # Errors
    /// A file cannot be read, or no symbol of a known product line is in it.
    pub fn read(name: &str, files: &[PathBuf]) -> Result<Recording, String> {
        Recording::read_until(name, files, Nanos::NEVER)
    }

    /// As [`Recording::read`], but no more than `span` from the first line on.
    ///
    /// # Errors
    /// As [`Recording::read`].
    pub fn read_until(name: &str, files: &[PathBuf], span: Nanos) -> Result<Recording, String> {
        let mut frames = Frames::new();
        let (mut kinds, mut received, mut symbols) = (Vec::new(), Vec::new(), Vec::new());
        let mut inference = Inference::new(None);
        let mut source = recorded::Recording::new(files);
        while let Some(record) = source.next().map_err(|error| error.to_string())? {
            if received.first().is_some_and(|&first| record.stamp.wall - first > span) {
                break;
            }
            let frame = &record.buffer[..record.length];
            let (kind, symbol) = match (record.kind, kind_of(frame)) {
                (RecordKind::Snapshot { symbol }, _) => (LineKind::Snapshot, symbol),
                (RecordKind::Stream, MessageKind::Depth) => (LineKind::Depth, streamed_symbol(frame)),
                (RecordKind::Stream, MessageKind::Touch) => (LineKind::Touch, streamed_symbol(frame)),
                _ => (LineKind::Other, None),
            };
            inference.observe(frame);
            frames.push(frame);
            kinds.push(kind);
            symbols.push(symbol);
            received.push(record.stamp.wall);
        }
        let product = inference.product().ok_or_else(|| format!("{name}: of no known product line"))?;
        let depth_frames = |instrument: &Instrument| {
            let symbol = Some(instrument.symbol.to_lowercase());
            (0..kinds.len()).filter(|&line| kinds[line] == LineKind::Depth && symbols[line] == symbol).count()
        };
        let most = inference.instruments().into_iter().max_by_key(depth_frames);
        let kept = most.ok_or_else(|| format!("{name}: no depth frames"))?;
        let instrument = Instrument { id: InstrumentId(0), ..kept };
        for (kind, symbol) in kinds.iter_mut().zip(&symbols) {
            if symbol.is_some_and(|symbol| symbol.to_lowercase() != instrument.symbol.to_lowercase()) {
                *kind = LineKind::Other;
            }
        }
        Ok(Recording { name: name.to_owned(), product, instrument, frames, kinds, received })
    }

    /// A synthetic recording: a snapshot, then `count` depth frames of `levels` levels, a tenth of a second apart.
    #[must_use]
    pub fn synthetic(shape: Shape, levels: usize, count: usize, seed: u64) -> Recording {
        let mut frames = Frames::new();
        frames.push(snapshot_body(shape, 500, seed).as_bytes());
        let depth = depth_frames(shape, levels, count, seed);
        (0..depth.len()).for_each(|index| frames.push(depth.frame(index)));
        let mut kinds = vec![LineKind::Depth; frames.len()];
        kinds[0] = LineKind::Snapshot;
        Recording {
            name: format!("synthetic {}", shape.name()),
            product: product(shape),
            instrument: synthetic(shape),
            received: (0..frames.len() as i64).map(|line| Nanos::from_millis(1_700_000_000_000 + 100 * line)).collect(),
            frames,
            kinds,
        }
    }

    /// What the plain decoders need to know of the instrument.
    #[must_use]
    pub fn increments(&self) -> Increments {
        increments(&self.instrument)
    }

    /// One of [`CHAINS`] by its place; `None` where there is no recorded data.
    ///
    /// # Errors
    /// As [`Recording::read`].
    pub fn chain(place: usize) -> Result<Option<Recording>, String> {
        Recording::chain_until(place, Nanos::NEVER)
    }

    /// The first `span` of one of [`CHAINS`].
    ///
    /// # Errors
    /// As [`Recording::read`].
    pub fn chain_until(place: usize, span: Nanos) -> Result<Option<Recording>, String> {
        let (name, files) = CHAINS[place];
        let files: Vec<PathBuf> = files.iter().map(|file| data_folder().join(file)).collect();
        if files.iter().any(|file| !file.exists()) {
            return Ok(None);
        }
        Recording::read_until(name, &files, span).map(Some)
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
        let (mut buffer, mut message) = (self.frames.buffer(), Message::default());
        let mut early: Vec<Message> = Vec::new();
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
