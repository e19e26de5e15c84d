//! COLD: the way through a journal's file: each record in turn, the torn tail said, damage named.

use thiserror::Error;

use super::frame::{self, Entry, FRAME_ALIGNMENT, HeaderRead, JOURNAL_HEADER_BYTES, JOURNAL_VERSION, JournalHeader};

/// What is wrong with a journal. None of it is guessed around.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JournalDamage {
    /// The file does not begin like a journal.
    #[error("it is no journal of this program")]
    Foreign,
    /// The header has a wrong byte.
    #[error("its header is damaged: a byte of the first {JOURNAL_HEADER_BYTES} is not what was written")]
    Header,
    /// Another version of the format.
    #[error("it is of version {found} of the format; this program reads version {JOURNAL_VERSION}")]
    Version {
        /// Which.
        found: u32,
    },
    /// A record is wrong and others follow it.
    #[error("record {sequence} at byte {offset} is damaged: {what}")]
    Record {
        /// The number that it should have.
        sequence: u64,
        /// Where it begins, in bytes from the beginning of the file.
        offset: u64,
        /// What is wrong.
        what: String,
    },
}

/// How the records of a file end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalTail {
    /// Behind the last record is nothing, or room that was never used.
    Whole,
    /// Behind the last whole record lies the beginning of one more: it is not used.
    Torn {
        /// The number that it would have.
        sequence: u64,
        /// Where it begins.
        offset: u64,
    },
}

/// Goes through the records of one file.
#[derive(Debug)]
pub struct JournalReader<'a> {
    bytes: &'a [u8],
    header: JournalHeader,
    at: usize,
    /// The number of the next record; zero: the first one says it.
    next: u64,
    tail: JournalTail,
}

impl<'a> JournalReader<'a> {
    /// At the first record of a file.
    ///
    /// # Errors
    /// The header is damaged or none that is known.
    pub fn new(bytes: &'a [u8]) -> Result<JournalReader<'a>, JournalDamage> {
        let header = match JournalHeader::read(bytes) {
            HeaderRead::Known(header) => header,
            HeaderRead::OtherVersion(found) => return Err(JournalDamage::Version { found }),
            HeaderRead::Damaged => return Err(JournalDamage::Header),
            HeaderRead::Foreign => return Err(JournalDamage::Foreign),
        };
        // The first file of a run begins with its first record; a later one goes on from where the one before ended.
        let next = u64::from(header.part == 0);
        Ok(JournalReader { bytes, header, at: JOURNAL_HEADER_BYTES, next, tail: JournalTail::Whole })
    }

    /// What stands before the records.
    #[must_use]
    pub const fn header(&self) -> &JournalHeader {
        &self.header
    }

    /// Requires the next record to have this number: for a file that goes on from another.
    pub const fn expect(&mut self, sequence: u64) {
        self.next = sequence;
    }

    /// The number of the record behind the last one read; zero if none was read and any may come.
    #[must_use]
    pub const fn next_sequence(&self) -> u64 {
        self.next
    }

    /// Where the next record would begin: all before is read, and whole.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.at
    }

    /// How the records end; known once [`JournalReader::next_entry`] has answered `None`.
    #[must_use]
    pub const fn tail(&self) -> JournalTail {
        self.tail
    }

    /// The next record; `None` behind the last one.
    ///
    /// # Errors
    /// [`JournalDamage::Record`]: the record is wrong although others follow it, or is whole and says what cannot be.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, JournalDamage> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(found) = frame::whole_frame(rest) else {
            return self.end(rest);
        };
        let entry = frame::read_frame(found).ok_or_else(|| self.damage("it says nothing that is known"))?;
        if self.next != 0 && entry.sequence != self.next {
            return Err(self.damage(&format!("record {} stands in its place", entry.sequence)));
        }
        if entry.sequence == 0 || entry.sequence == u64::MAX {
            return Err(self.damage("it has a number that is never given"));
        }
        self.next = entry.sequence + 1;
        self.at += found.len();
        Ok(Some(entry))
    }

    /// Nothing whole stands here: the end, if nothing whole follows either.
    fn end(&mut self, rest: &[u8]) -> Result<Option<Entry>, JournalDamage> {
        if rest.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let places = (FRAME_ALIGNMENT..rest.len()).step_by(FRAME_ALIGNMENT);
        if let Some(place) = places.into_iter().find(|place| frame::whole_frame(&rest[*place..]).is_some()) {
            return Err(
                self.damage(&format!("its checksum does not hold, and byte {} begins another", self.at + place))
            );
        }
        self.tail = JournalTail::Torn { sequence: self.next, offset: self.at as u64 };
        Ok(None)
    }

    fn damage(&self, what: &str) -> JournalDamage {
        JournalDamage::Record { sequence: self.next, offset: self.at as u64, what: what.to_owned() }
    }
}
