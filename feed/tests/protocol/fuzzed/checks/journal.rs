//! COLD: journals: any bytes give records that were written, a torn tail or named damage, and never a record of their own.

use spinbook_engine::types::Nanos;
use spinbook_feed::journal::frame::{Entry, JOURNAL_HEADER_BYTES, JournalHeader};
use spinbook_feed::journal::reader::{JournalDamage, JournalReader, JournalTail};
use spinbook_feed::journal::recover::Recovery;
use spinbook_feed::journal::store::MemoryStore;
use spinbook_feed::journal::writer::{Journal, JournalWriter};
use spinbook_feed::venue::instrument::Symbol;

/// What a file of these tests begins with.
pub fn header() -> [u8; JOURNAL_HEADER_BYTES] {
    let venue = Symbol::new("some-venue").expect("a name");
    JournalHeader { run: 7, salt: 9, part: 0, created: Nanos(1), venue }.write()
}

/// The input as a file, and as what follows a true header.
pub fn check(data: &[u8]) {
    read(data);
    read(&[&header(), data].concat());
}

fn read(bytes: &[u8]) {
    let mut reader = match JournalReader::new(bytes) {
        Ok(reader) => reader,
        Err(damage) => {
            assert!(!matches!(damage, JournalDamage::Record { .. }), "{damage}");
            return;
        }
    };
    let mut entries = Vec::new();
    let outcome = loop {
        match reader.next_entry() {
            Ok(Some(entry)) => entries.push(entry),
            Ok(None) => break Ok(reader.tail()),
            Err(damage) => break Err(damage),
        }
    };
    let first = entries.first().map_or(1, |entry: &Entry| entry.sequence);
    assert!(entries.iter().zip(first..).all(|(entry, number)| entry.sequence == number), "numbers follow each other");
    assert!(reader.offset() <= bytes.len() && reader.offset() >= JOURNAL_HEADER_BYTES);
    match outcome {
        Ok(JournalTail::Torn { offset, .. }) => assert_eq!(offset, reader.offset() as u64),
        Ok(JournalTail::Whole) => assert!(bytes[reader.offset()..].iter().all(|byte| *byte == 0)),
        Err(JournalDamage::Record { offset, .. }) => assert_eq!(offset, reader.offset() as u64),
        Err(other) => panic!("damage behind the header: {other}"),
    }
    written_again(&entries);
    let mut recovery = Recovery::default();
    entries.iter().for_each(|entry| recovery.take(entry));
    assert!(recovery.left().count() <= entries.len());
}

/// What was read is written as the very same, record by record.
fn written_again(entries: &[Entry]) {
    let store = MemoryStore::new(&header(), JOURNAL_HEADER_BYTES + 768 * (entries.len() + 1));
    let mut journal = Journal::On(Box::new(JournalWriter::new(Box::new(store), Vec::new(), Nanos(1))));
    entries.iter().for_each(|entry| journal.note(&entry.record, entry.time));
    assert_eq!(journal.counters().lost, 0, "whatever was read fits");
    let mut again = JournalReader::new(journal.part()).expect("a header");
    for entry in entries {
        let read = again.next_entry().expect("whole").expect("as many");
        assert_eq!((&read.record, read.time), (&entry.record, entry.time));
    }
    assert_eq!(again.next_entry(), Ok(None));
}
