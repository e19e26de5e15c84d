//! COLD: a journal that is cut, flipped, doubled or full: found every time, and never a wrong record.

use spinbook_engine::engine::AdoptedOrder;
use spinbook_engine::event::{ExecutionEvent, ExecutionKind, FeeAsset, LocalReject};
use spinbook_engine::intent::{Intent, IntentKind, Reason, TimeInForce};
use spinbook_engine::trace::{QuoteRule, TraceKind, TraceRecord};
use spinbook_engine::types::VenueId;
use spinbook_engine::types::{InstrumentId, Lots, Nanos, OrderId, QuoteAtoms, Side, SlotId, Tick, TradeId, VenueCode};
use spinbook_engine::unquoted::Unquoted;

use super::end::{EndProof, OrderEnd, ProvedEnd};
use super::frame::{Entry, FRAME_BYTES_MAX, JOURNAL_HEADER_BYTES, JournalHeader};
use super::reader::{JournalDamage, JournalReader, JournalTail};
use super::record::{JournalInstrument, JournalRecord, PositionMoment, RECORD_TEXT_BYTES_MAX};
use super::recover::Recovery;
use super::store::{JournalStore, MemoryStore};
use super::writer::{Journal, JournalRefusal, JournalWriter};
use crate::number::Scale;
use crate::random::Random;
use crate::venue::instrument::Symbol;
use crate::venue::order_ids::{ClientIdFormat, ClientOrderId};
use crate::venue::order_side::OrderConnection;

fn header(part: u32) -> JournalHeader {
    let venue = Symbol::new("some-venue").expect("a name");
    JournalHeader { run: 1_795_282_957, salt: 0x0123_4567_89ab_cdef, part, created: Nanos(17), venue }
}

fn intent(counter: u32) -> Intent {
    Intent {
        order: OrderId::new(7, counter),
        tick: Tick(640_001),
        lots: Lots(4),
        book_sequence: u64::MAX,
        decided: Nanos(-1),
        deadline: Nanos(i64::MAX),
        instrument: InstrumentId(3),
        strategy: 2,
        slot: SlotId(9),
        kind: IntentKind::Place,
        side: Side::Ask,
        time_in_force: TimeInForce::GoodTilCancel,
        reason: Reason::Requote,
        ..Intent::default()
    }
}

fn event(kind: ExecutionKind, counter: u32, cumulative: i64) -> ExecutionEvent {
    ExecutionEvent {
        fee: QuoteAtoms(i128::MIN),
        order: OrderId::new(7, counter),
        trade: TradeId(u128::MAX),
        time: Nanos(5),
        tick: Tick(640_002),
        lots: Lots(2),
        lots_cumulative: Lots(cumulative),
        fee_lots: Lots(1),
        venue_code: VenueCode::from_text(&"x".repeat(60)),
        instrument: InstrumentId(3),
        venue: VenueId(4),
        slot: SlotId(9),
        kind,
        side: Side::Bid,
        maker: true,
        fee_asset: FeeAsset::Base,
        local: LocalReject::None,
        overtaken: true,
    }
}

fn instrument() -> JournalInstrument {
    JournalInstrument {
        id: InstrumentId(3),
        symbol: Symbol::new("BTCUSDT").expect("a name"),
        price: Scale::new(2, 10).expect("a scale"),
        quantity: Scale::new(3, 1).expect("a scale"),
    }
}

fn place(counter: u32) -> JournalRecord {
    JournalRecord::Place { intent: intent(counter), client_id: ClientIdFormat::Dashed.write(OrderId::new(7, counter)) }
}

fn decision() -> TraceRecord {
    TraceRecord {
        now: Nanos(-7),
        book_sequence: 77,
        order: OrderId::new(7, 1),
        tick: Tick(640_001),
        lots: Lots(4),
        best_bid: Tick(i64::MAX),
        best_ask: Tick(i64::MIN),
        exposure: Lots(-9),
        book_age_us: u32::MAX,
        imbalance_millionths: -1_000_000,
        instrument: InstrumentId(3),
        kind: TraceKind::Denied,
        detail: 1,
        reason: 2,
        slot: 3,
        side: 1,
        rule: QuoteRule::OppositeTouch,
        limit: Unquoted::PositionMax,
    }
}

fn ended(counter: u32, end: OrderEnd) -> JournalRecord {
    let (order, instrument) = (OrderId::new(7, counter), InstrumentId(3));
    JournalRecord::Ended(ProvedEnd { order, instrument, end, proof: EndProof::UserData, lots_filled: Lots(2) })
}

/// One of each kind, the longest texts included.
fn all_kinds() -> Vec<JournalRecord> {
    let long = "é".repeat(RECORD_TEXT_BYTES_MAX / 2);
    let text = |text: &str| text.to_owned();
    vec![
        JournalRecord::RunStarted { version: long.clone(), mode: long.clone(), configuration: long.clone() },
        JournalRecord::Instrument(instrument()),
        JournalRecord::Position { instrument: InstrumentId(3), lots: Lots(-5), moment: PositionMoment::Start },
        place(1),
        adopted(),
        JournalRecord::Fact(event(ExecutionKind::Filled, 1, 2)),
        JournalRecord::CancelWanted(intent(1)),
        JournalRecord::CancelSent { order: OrderId::new(7, 1), instrument: InstrumentId(3), attempt: 4 },
        JournalRecord::Fact(event(ExecutionKind::Canceled, 1, 2)),
        JournalRecord::Halted { message: long.clone() },
        JournalRecord::Operator { word: long.clone(), scope: long.clone(), reason: long },
        JournalRecord::Sent { order: OrderId::new(7, 1), kind: IntentKind::Cancel, connection: OrderConnection::Spare },
        ended(1, OrderEnd::Canceled),
        JournalRecord::Decision(decision()),
        JournalRecord::Position { instrument: InstrumentId(3), lots: Lots(7), moment: PositionMoment::End },
        JournalRecord::RunEnded { confirmed: true, open_orders: 3, why: text("its time is over") },
    ]
}

fn adopted() -> JournalRecord {
    let order = AdoptedOrder {
        order: OrderId::new(6, 3),
        instrument: InstrumentId(3),
        slot: SlotId(9),
        side: Side::Ask,
        time_in_force: TimeInForce::GoodTilCancel,
        tick: Tick(-4),
        lots: Lots(9),
        filled: Lots(2),
    };
    JournalRecord::Adopted { order, client_id: ClientOrderId::from_text("sb6-x-3").expect("a name") }
}

fn writer(bytes: usize) -> JournalWriter {
    JournalWriter::new(Box::new(MemoryStore::new(&header(0).write(), bytes)), Vec::new(), Nanos(1))
}

/// A file with these records and `unused` bytes behind them; the offset of each record.
fn file(records: &[JournalRecord], unused: usize) -> (Vec<u8>, Vec<usize>) {
    let mut journal = Journal::On(Box::new(writer(JOURNAL_HEADER_BYTES + records.len() * FRAME_BYTES_MAX)));
    let mut offsets = vec![];
    let mut used = JOURNAL_HEADER_BYTES;
    for record in records {
        journal.note(record, Nanos(1_000));
        offsets.push(used);
        used = end(journal.part());
    }
    let mut bytes = journal.part()[..used].to_vec();
    bytes.resize(used + unused, 0);
    (bytes, offsets)
}

/// Where the records end.
fn end(bytes: &[u8]) -> usize {
    let mut reader = JournalReader::new(bytes).expect("a header");
    while reader.next_entry().expect("whole").is_some() {}
    reader.offset()
}

fn read(bytes: &[u8]) -> Result<(Vec<Entry>, JournalTail), JournalDamage> {
    let mut reader = JournalReader::new(bytes)?;
    let mut entries = vec![];
    while let Some(entry) = reader.next_entry()? {
        entries.push(entry);
    }
    Ok((entries, reader.tail()))
}

#[test]
fn every_kind_comes_back_as_it_was_written() {
    let records = all_kinds();
    let (bytes, _) = file(&records, 4096);
    let (entries, tail) = read(&bytes).expect("whole");
    assert_eq!(tail, JournalTail::Whole);
    assert!(entries.iter().map(|entry| &entry.record).eq(&records));
    assert!(entries.iter().map(|entry| entry.sequence).eq(1..=records.len() as u64));
    assert_eq!(JournalReader::new(&bytes).expect("a header").header(), &header(0));
}

#[test]
fn a_file_cut_at_any_byte_gives_its_whole_records_and_says_that_it_is_torn() {
    let records = all_kinds();
    let (bytes, offsets) = file(&records, 64);
    let (whole, _) = read(&bytes).expect("whole");
    let ends: Vec<usize> = offsets[1..].iter().copied().chain([bytes.len() - 64]).collect();
    for cut in 0..bytes.len() {
        let read = read(&bytes[..cut]);
        if cut < JOURNAL_HEADER_BYTES {
            assert_eq!(read, Err(JournalDamage::Foreign), "{cut}");
            continue;
        }
        let count = ends.iter().filter(|end| **end <= cut).count();
        let (entries, tail) = read.unwrap_or_else(|damage| panic!("{cut}: {damage}"));
        assert_eq!(entries, whole[..count], "{cut}");
        let torn = count < ends.len() && offsets[count] < cut;
        let expected = match torn {
            true => JournalTail::Torn { sequence: count as u64 + 1, offset: offsets[count] as u64 },
            false => JournalTail::Whole,
        };
        assert_eq!(tail, expected, "{cut}");
    }
}

#[test]
fn every_flipped_bit_is_found_and_no_record_is_ever_a_wrong_one() {
    let records = all_kinds();
    let (bytes, offsets) = file(&records, 64);
    let (whole, _) = read(&bytes).expect("whole");
    let last = *offsets.last().expect("records");
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let at = bit / 8;
        match read(&flipped) {
            Err(damage) if at < JOURNAL_HEADER_BYTES => {
                assert!(!matches!(damage, JournalDamage::Record { .. }), "{bit}")
            }
            Err(JournalDamage::Record { sequence, offset, .. }) => {
                let hit = offsets.iter().rposition(|offset| *offset <= at).expect("behind the header");
                assert_eq!((sequence, offset), (hit as u64 + 1, offsets[hit] as u64), "bit {bit}: the record is named");
                assert!(at < last, "bit {bit}: nothing follows the last");
            }
            Ok((entries, JournalTail::Torn { offset, .. })) => {
                assert!(at >= last && offset <= at as u64, "bit {bit}: only the last record may be cut");
                assert_eq!(entries, whole[..entries.len()], "bit {bit}");
                assert!(entries.len() + 1 >= whole.len(), "bit {bit}");
            }
            other => panic!("bit {bit} was not found: {other:?}"),
        }
    }
}

#[test]
fn a_record_that_stands_twice_or_is_missing_is_damage() {
    let (bytes, offsets) = file(&all_kinds(), 0);
    let twice = [&bytes[..offsets[5]], &bytes[offsets[4]..]].concat();
    let missing = [&bytes[..offsets[4]], &bytes[offsets[5]..]].concat();
    let moved = [&bytes[..offsets[4]], &bytes[offsets[5]..offsets[6]], &bytes[offsets[4]..offsets[5]]].concat();
    for (name, wrong, at) in [("twice", twice, 6), ("missing", missing, 5), ("moved", moved, 5)] {
        match read(&wrong) {
            Err(JournalDamage::Record { sequence, offset, .. }) => {
                assert_eq!((sequence, offset), (at, offsets[at as usize - 1] as u64), "{name}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    assert_eq!(read(&[]), Err(JournalDamage::Foreign));
    assert_eq!(read(&[0; 4096]), Err(JournalDamage::Foreign));
    assert_eq!(read(&bytes[..JOURNAL_HEADER_BYTES]), Ok((vec![], JournalTail::Whole)), "a run that wrote nothing");
}

#[test]
fn another_version_is_refused_by_its_number_and_bytes_of_any_kind_are_no_journal() {
    let mut bytes = header(0).write().to_vec();
    bytes[8] = 2;
    let check = crc32c::crc32c(&bytes[..JOURNAL_HEADER_BYTES - 4]);
    bytes[JOURNAL_HEADER_BYTES - 4..].copy_from_slice(&check.to_le_bytes());
    assert_eq!(read(&bytes), Err(JournalDamage::Version { found: 2 }));
    let mut random = Random::new(20_261_121);
    for _ in 0..2_000 {
        let mut noise: Vec<u8> = (0..random.next_u64() % 600).map(|_| random.next_u64() as u8).collect();
        assert!(read(&noise).is_err());
        // Behind a true header noise is a torn tail or damage, never a record.
        noise.splice(0..0, header(0).write());
        assert!(read(&noise).map_or(true, |(entries, _)| entries.is_empty()));
    }
}

/// Parts of a size, made at once up to a number.
struct Parts {
    parts: Vec<Vec<u8>>,
    ready: usize,
    bytes: usize,
}

impl JournalStore for Parts {
    fn part(&mut self) -> &mut [u8] {
        self.parts.last_mut().expect("one at least")
    }

    fn advance(&mut self) -> bool {
        let made = self.parts.len();
        if made < self.ready {
            let mut part = header(made as u32).write().to_vec();
            part.resize(self.bytes, 0);
            self.parts.push(part);
        }
        made < self.ready
    }

    fn is_failing(&self) -> bool {
        false
    }

    fn written(&mut self, _: usize) {}

    fn finish(&mut self, _: usize) {}
}

#[test]
fn a_full_journal_refuses_orders_first_and_cancels_and_fills_still_have_room() {
    let bytes = 128 << 10;
    let store = Parts { parts: vec![header(0).write().to_vec()], ready: 2, bytes };
    let mut store = store;
    store.parts[0].resize(bytes, 0);
    let preamble = vec![JournalRecord::Instrument(instrument())];
    let mut journal = Journal::On(Box::new(JournalWriter::new(Box::new(store), preamble, Nanos(1))));
    let name = ClientIdFormat::Dashed.write(OrderId::new(7, 1));
    let mut placed = 0;
    while journal.place(&intent(placed + 1), || name, Nanos(2)).is_ok() {
        placed += 1;
        assert!(placed < 100_000, "two parts are full some time");
    }
    assert!(journal.refuses());
    assert_eq!(journal.place(&intent(1), || name, Nanos(2)), Err(JournalRefusal));
    let before = journal.counters();
    for counter in 1..=100 {
        journal.cancel_wanted(&intent(counter), Nanos(3));
        journal.cancel_sent(OrderId::new(7, counter), InstrumentId(3), 1, Nanos(3));
        journal.fact(&event(ExecutionKind::Canceled, counter, 0));
    }
    let after = journal.counters();
    assert_eq!((after.lost, after.records), (0, before.records + 300), "what tells of open orders has room");
    assert_eq!(after.refused, 2);
    // The second part stands alone: it begins with the instruments, and its numbers go on.
    let (entries, tail) = read(journal.part()).expect("whole");
    assert_eq!((&entries[0].record, tail), (&JournalRecord::Instrument(instrument()), JournalTail::Whole));
    assert!(entries[0].sequence > 100 && entries.last().map(|entry| entry.sequence) == Some(after.records));
}

#[test]
fn a_failing_disk_refuses_orders_and_nothing_else() {
    let store = MemoryStore::new(&header(0).write(), 256 << 10);
    let failure = store.failure();
    let mut journal = Journal::On(Box::new(JournalWriter::new(Box::new(store), Vec::new(), Nanos(1))));
    let name = ClientIdFormat::Dashed.write(OrderId::new(7, 1));
    assert_eq!(journal.place(&intent(1), || name, Nanos(2)), Ok(()));
    failure.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(journal.place(&intent(2), || name, Nanos(2)), Err(JournalRefusal));
    journal.cancel_wanted(&intent(1), Nanos(3));
    assert_eq!((journal.counters().records, journal.counters().refused, journal.counters().lost), (2, 1, 0));
    failure.store(false, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(journal.place(&intent(3), || name, Nanos(4)), Ok(()));
}

#[test]
fn what_is_left_open_is_told_by_the_records_alone() {
    let mut records = vec![
        JournalRecord::RunStarted { version: String::new(), mode: String::new(), configuration: String::new() },
        JournalRecord::Instrument(instrument()),
        JournalRecord::Position { instrument: InstrumentId(3), lots: Lots(10), moment: PositionMoment::Start },
    ];
    records.extend((1..=5).map(place));
    records.push(JournalRecord::Fact(event(ExecutionKind::Accepted, 1, 0)));
    records.push(JournalRecord::Fact(event(ExecutionKind::Filled, 2, 2)));
    records.push(JournalRecord::Fact(event(ExecutionKind::Filled, 3, 4)));
    records.push(JournalRecord::Fact(event(ExecutionKind::Rejected, 4, 0)));
    let (bytes, _) = file(&records, 128);
    let mut recovery = Recovery::default();
    read(&bytes).expect("whole").0.iter().for_each(|entry| recovery.take(entry));
    let left: Vec<_> =
        recovery.left().map(|left| (left.intent.order.counter(), left.accepted, left.lots_filled)).collect();
    assert_eq!(left, [(1, true, Lots(0)), (2, true, Lots(2)), (5, false, Lots(0))]);
    assert_eq!(
        recovery.positions()[&instrument().symbol],
        Lots(10 + 2 + 2 - 1 - 1),
        "two buys of 2, each with a fee of 1"
    );
    assert_eq!((recovery.trades().len(), recovery.last_placed(), recovery.ended()), (2, Nanos(1_000), false));
    let end = JournalRecord::RunEnded { confirmed: true, open_orders: 0, why: String::new() };
    recovery.take(&Entry { sequence: 99, time: Nanos(3), record: end });
    assert!(recovery.ended() && recovery.left().next().is_none(), "the venue confirmed that nothing is open");
}

#[test]
fn an_operators_word_of_the_first_journals_is_still_read() {
    use super::bytes::Put;
    let mut body = [0; 64];
    let mut put = Put::new(&mut body);
    put.text("rearm", RECORD_TEXT_BYTES_MAX);
    put.text("why", RECORD_TEXT_BYTES_MAX);
    let used = put.filled().expect("room");
    let word = JournalRecord::Operator { word: "rearm".to_owned(), scope: String::new(), reason: "why".to_owned() };
    assert_eq!(JournalRecord::read(9, &body[..used]), Some(word));
}

#[test]
fn an_order_taken_for_refused_that_shows_life_is_left_open_until_its_end_is_proved() {
    let start = [JournalRecord::Instrument(instrument()), place(1), place(2), place(3)];
    let refused = (1..=3).map(|counter| JournalRecord::Fact(event(ExecutionKind::Rejected, counter, 0)));
    let life = [
        JournalRecord::Fact(event(ExecutionKind::Accepted, 1, 0)),
        JournalRecord::Fact(event(ExecutionKind::Filled, 2, 2)),
    ];
    let left = |records: &[JournalRecord]| {
        let mut recovery = Recovery::default();
        for (number, record) in (1..).zip(records) {
            recovery.take(&Entry { sequence: number, time: Nanos(1), record: record.clone() });
        }
        recovery.left().map(|left| (left.intent.order.counter(), left.lots_filled)).collect::<Vec<_>>()
    };
    let refused: Vec<_> = start.into_iter().chain(refused).collect();
    assert_eq!(left(&refused), []);
    let alive: Vec<_> = refused.into_iter().chain(life).collect();
    assert_eq!(left(&alive), [(1, Lots(0)), (2, Lots(2))], "evidence of life opens it again");
    let over: Vec<_> =
        alive.iter().cloned().chain([ended(1, OrderEnd::Rejected), ended(2, OrderEnd::Filled)]).collect();
    assert_eq!(left(&over), [], "a proof is the end, whether the engine heard of it or not");
    let again: Vec<_> = over.into_iter().chain([JournalRecord::Fact(event(ExecutionKind::Unknown, 1, 0))]).collect();
    assert_eq!(left(&again), [(1, Lots(2))]);
}

#[test]
fn an_order_that_was_taken_over_is_left_as_it_was_then() {
    let taken_over = |records: &[JournalRecord]| {
        let mut recovery = Recovery::default();
        for (number, record) in (1..).zip(records) {
            recovery.take(&Entry { sequence: number, time: Nanos(1), record: record.clone() });
        }
        recovery.left().map(|left| (left.intent.order, left.intent.lots, left.accepted, left.lots_filled)).collect()
    };
    let order = OrderId::new(6, 3);
    let instrument = JournalRecord::Instrument(instrument());
    let found: Vec<_> = taken_over(&[instrument.clone(), adopted()]);
    assert_eq!(found, [(order, Lots(9), true, Lots(2))], "no other journal is needed");
    let canceled = JournalRecord::Fact(ExecutionEvent { order, ..event(ExecutionKind::Canceled, 3, 2) });
    assert!(Vec::is_empty(&taken_over(&[instrument, adopted(), canceled])));
}
