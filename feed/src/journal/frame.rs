//! HOT: a record as it lies in a file, and the header before the first: lengths, checksums, numbers.
//!
//! A frame is length, CRC-32C, number, time, kind, padding, body: the checksum covers all of it but itself. Its length
//! is written last, so a frame that was being written when the program died is not there at all.

use spinbook_engine::types::Nanos;

use super::bytes::{Put, Take};
use super::record::JournalRecord;
use crate::venue::instrument::{SYMBOL_BYTES_MAX, Symbol};

/// Bytes of a file before its first record.
pub const JOURNAL_HEADER_BYTES: usize = 128;
/// The longest record with its frame, in bytes.
pub const FRAME_BYTES_MAX: usize = 768;
/// The version of the format that is written; older ones are read.
pub const JOURNAL_VERSION: u32 = 1;
/// Frames lie at multiples of this.
pub const FRAME_ALIGNMENT: usize = 8;

const MAGIC: [u8; 8] = *b"SPBKJRNL";
/// Length, checksum, number, time, kind, padding.
const FRAME_HEAD_BYTES: usize = 4 + 4 + 8 + 8 + 1 + 1;
/// The shortest frame.
const FRAME_BYTES_MIN: usize = FRAME_HEAD_BYTES.next_multiple_of(FRAME_ALIGNMENT);

/// What stands before the first record of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalHeader {
    /// The run's number: greater than that of every earlier run in its folder.
    pub run: u32,
    /// The run's 64 random bits.
    pub salt: u64,
    /// The how-manieth file of the run, from 0.
    pub part: u32,
    /// When the file was made.
    pub created: Nanos,
    /// The product line whose orders it tells of.
    pub venue: Symbol,
}

/// What the first bytes of a file turn out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderRead {
    /// A header of a version that is known.
    Known(JournalHeader),
    /// A whole header of another version.
    OtherVersion(u32),
    /// A header with a wrong byte.
    Damaged,
    /// Nothing of this program's.
    Foreign,
}

impl JournalHeader {
    /// As bytes.
    #[must_use]
    pub fn write(&self) -> [u8; JOURNAL_HEADER_BYTES] {
        let mut bytes = [0; JOURNAL_HEADER_BYTES];
        let mut out = Put::new(&mut bytes);
        out.bytes(&MAGIC);
        out.u32(JOURNAL_VERSION);
        out.u32(self.run);
        out.u64(self.salt);
        out.u32(self.part);
        out.i64(self.created.0);
        out.text(self.venue.as_str(), SYMBOL_BYTES_MAX);
        let check = crc32c::crc32c(&bytes[..JOURNAL_HEADER_BYTES - 4]);
        bytes[JOURNAL_HEADER_BYTES - 4..].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    pub(super) fn read(bytes: &[u8]) -> HeaderRead {
        let Some((head, check)) = bytes.get(..JOURNAL_HEADER_BYTES).and_then(|head| head.split_last_chunk::<4>())
        else {
            return HeaderRead::Foreign;
        };
        let whole = crc32c::crc32c(head) == u32::from_le_bytes(*check);
        let mut take = Take::new(head);
        match (take.bytes(MAGIC.len()) == Some(&MAGIC), whole, take.u32()) {
            (false, _, _) => HeaderRead::Foreign,
            (true, true, Some(JOURNAL_VERSION)) => {
                JournalHeader::take(&mut take).map_or(HeaderRead::Damaged, HeaderRead::Known)
            }
            (true, true, Some(version)) => HeaderRead::OtherVersion(version),
            _ => HeaderRead::Damaged,
        }
    }

    fn take(take: &mut Take<'_>) -> Option<JournalHeader> {
        Some(JournalHeader {
            run: take.u32()?,
            salt: take.u64()?,
            part: take.u32()?,
            created: Nanos(take.i64()?),
            venue: Symbol::new(take.text(SYMBOL_BYTES_MAX)?)?,
        })
    }
}

/// One record with its number and its time.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its number in the run, from 1.
    pub sequence: u64,
    /// When it was written, or for a fact when the venue says that it happened.
    pub time: Nanos,
    /// What it says.
    pub record: JournalRecord,
}

/// Writes a frame into `out` and gives its length, a multiple of [`FRAME_ALIGNMENT`]; `None` where it does not fit,
/// which no record does not.
#[inline]
pub(super) fn write_frame(
    record: &JournalRecord,
    sequence: u64,
    time: Nanos,
    out: &mut [u8; FRAME_BYTES_MAX],
) -> Option<usize> {
    let mut body = Put::new(&mut out[FRAME_HEAD_BYTES..]);
    record.write(&mut body);
    let used = FRAME_HEAD_BYTES + body.filled()?;
    let length = used.next_multiple_of(FRAME_ALIGNMENT);
    out.get_mut(used..length)?.fill(0);
    let mut head = Put::new(&mut out[..FRAME_HEAD_BYTES]);
    head.u32(length as u32);
    head.u32(0);
    head.u64(sequence);
    head.i64(time.0);
    head.u8(record.kind());
    head.u8((length - used) as u8);
    let check = checksum(&out[..length]);
    out[4..8].copy_from_slice(&check.to_le_bytes());
    Some(length)
}

/// Of a whole frame, its own place left out.
#[inline]
fn checksum(frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&frame[..4]), &frame[8..])
}

/// The frame that begins these bytes, if its length is one and its checksum holds.
pub(super) fn whole_frame(bytes: &[u8]) -> Option<&[u8]> {
    let length = u32::from_le_bytes(*bytes.first_chunk()?) as usize;
    let sane = (FRAME_BYTES_MIN..=FRAME_BYTES_MAX).contains(&length) && length.is_multiple_of(FRAME_ALIGNMENT);
    let frame = bytes.get(..length).filter(|_| sane)?;
    let check = u32::from_le_bytes(*frame[4..].first_chunk()?);
    (checksum(frame) == check).then_some(frame)
}

/// What a whole frame says; `None` if this program never wrote it.
pub(super) fn read_frame(frame: &[u8]) -> Option<Entry> {
    let mut take = Take::new(frame.get(8..)?);
    let (sequence, time) = (take.u64()?, Nanos(take.i64()?));
    let (kind, padding) = (take.u8()?, usize::from(take.u8()?));
    let (body, behind) =
        frame[FRAME_HEAD_BYTES..].split_at_checked(frame.len().checked_sub(FRAME_HEAD_BYTES + padding)?)?;
    let plain = padding < FRAME_ALIGNMENT && behind.iter().all(|byte| *byte == 0);
    Some(Entry { sequence, time, record: JournalRecord::read(kind, body).filter(|_| plain)? })
}
