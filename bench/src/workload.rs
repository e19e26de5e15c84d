//! COLD: recorded traffic as padded frames and as a stream of levels.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use spinbook_engine::types::{Level, Lots, Tick};

use crate::frames::Frames;
use crate::plain::{Increment, Increments, Message, MessageKind, PlainDecoder, SerdeJsonTyped, kind_of};

/// The recorded chains that the tables are made from, as folders and files under the data folder.
pub const CHAINS: [(&str, &[&str]); 3] = [
    (
        "perp 2024",
        &["binance-usdm/btcusdt_20240718.gz", "binance-usdm/btcusdt_20240719.gz"],
    ),
    (
        "perp 2023",
        &[
            "binance-usdm/btcusdt_20230404.dat.gz",
            "binance-usdm/btcusdt_20230405.dat.gz",
        ],
    ),
    (
        "spot 2024",
        &["binance-spot/btcusdt_20240808.gz", "binance-spot/btcusdt_20240809.gz"],
    ),
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
    /// All lines in order.
    pub frames: Frames,
    /// What each line is.
    pub kinds: Vec<LineKind>,
    /// When each line was received, in ns.
    pub received: Vec<i64>,
    /// Increments inferred from all prices and quantities.
    pub increments: Increments,
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
        self.messages.push(LevelMessage {
            sequence,
            begin,
            middle,
            end: self.levels.len(),
        });
    }
}

impl Recording {
    /// Reads one chain of files.
    ///
    /// # Errors
    /// A file cannot be read or holds a line that is no recording's.
    pub fn read(name: &str, files: &[PathBuf]) -> Result<Recording, String> {
        let mut frames = Frames::new();
        let (mut kinds, mut received) = (Vec::new(), Vec::new());
        let mut digits = Digits::default();
        for file in files {
            let opened = std::fs::File::open(file).map_err(|error| format!("{}: {error}", file.display()))?;
            let reader = BufReader::with_capacity(1 << 20, flate2::read::MultiGzDecoder::new(opened));
            for line in reader.split(b'\n') {
                let line = line.map_err(|error| format!("{}: {error}", file.display()))?;
                let Some(space) = line.iter().position(|&byte| byte == b' ') else {
                    continue;
                };
                let (stamp, frame) = (&line[..space], &line[space + 1..]);
                let stamp: i64 = str::from_utf8(stamp)
                    .ok()
                    .and_then(|text| text.parse().ok())
                    .unwrap_or(0);
                let kind = match kind_of(frame) {
                    MessageKind::Depth => LineKind::Depth,
                    MessageKind::Touch => LineKind::Touch,
                    MessageKind::Other if frame.starts_with(b"{\"lastUpdateId\"") => LineKind::Snapshot,
                    MessageKind::Other => LineKind::Other,
                };
                digits.see(frame, kind);
                frames.push(frame);
                kinds.push(kind);
                received.push(if stamp < 100_000_000_000_000_000 {
                    stamp * 1_000
                } else {
                    stamp
                });
            }
        }
        Ok(Recording {
            name: name.to_owned(),
            frames,
            kinds,
            received,
            increments: digits.increments(),
        })
    }

    /// One of [`CHAINS`] by its place; `None` where there is no recorded data.
    ///
    /// # Errors
    /// As [`Recording::read`].
    pub fn chain(place: usize) -> Result<Option<Recording>, String> {
        let (name, files) = CHAINS[place];
        let files: Vec<PathBuf> = files.iter().map(|file| data_folder().join(file)).collect();
        if files.iter().any(|file| !file.exists()) {
            return Ok(None);
        }
        Recording::read(name, &files).map(Some)
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
        let mut decoder = SerdeJsonTyped::new(self.increments);
        let (mut buffer, mut message) = (self.frames.buffer(), Message::default());
        let mut early: Vec<Message> = Vec::new();
        for line in 0..self.frames.len() {
            match self.kinds[line] {
                LineKind::Snapshot if stream.messages.is_empty() => {
                    let (last, bids, asks) = snapshot(self.frames.frame(line), self.increments)?;
                    stream.append(last, &bids, &asks);
                    early
                        .iter()
                        .filter(|m| m.last > last)
                        .for_each(|m| stream.append(m.last, &m.bids, &m.asks));
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
        if stream.messages.is_empty() {
            Err(format!("{}: no snapshot", self.name))
        } else {
            Ok(stream)
        }
    }
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

fn snapshot(body: &[u8], increments: Increments) -> Result<(u64, Vec<Level>, Vec<Level>), String> {
    let text: SnapshotText<'_> = serde_json::from_slice(body).map_err(|error| format!("snapshot: {error}"))?;
    let side = |levels: &[(&str, &str)]| {
        let level = |&(price, quantity): &(&str, &str)| {
            Some(Level {
                tick: Tick(increments.price.parse(price.as_bytes())?),
                lots: Lots(increments.quantity.parse(quantity.as_bytes())?),
            })
        };
        levels
            .iter()
            .map(level)
            .collect::<Option<Vec<Level>>>()
            .ok_or("snapshot: a number off its increment")
    };
    Ok((text.last, side(&text.bids)?, side(&text.asks)?))
}

/// The most decimals that any price or quantity uses.
#[derive(Debug, Default)]
struct Digits {
    price: u32,
    quantity: u32,
}

impl Digits {
    /// Looks at every decimal text: they alternate, price first.
    fn see(&mut self, frame: &[u8], kind: LineKind) {
        if kind == LineKind::Other {
            return;
        }
        let mut is_price = true;
        for text in frame
            .split(|&byte| byte == b'"')
            .filter(|text| text.first().is_some_and(u8::is_ascii_digit))
        {
            let Some(dot) = text.iter().position(|&byte| byte == b'.') else {
                continue;
            };
            let zeros = text.iter().rev().take_while(|&&byte| byte == b'0').count();
            let decimals = (text.len() - dot - 1).saturating_sub(zeros) as u32;
            let most = if is_price { &mut self.price } else { &mut self.quantity };
            *most = decimals.max(*most);
            is_price = !is_price;
        }
    }

    fn increments(&self) -> Increments {
        Increments {
            price: Increment::new(self.price, 1),
            quantity: Increment::new(self.quantity, 1),
        }
    }
}
