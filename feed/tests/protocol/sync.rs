//! COLD: the two sync algorithms of Binance, step by step, as its documentation gives them.

use spinbook_engine::types::{Level, Lots, Nanos, Tick};
use spinbook_feed::random::Random;
use spinbook_feed::sync::SequenceRule;
use spinbook_feed::sync::{BookSync, SnapshotStep, SyncSettings, SyncState, UpdateIds, UpdateStep, Verdict};
use spinbook_feed::venue::binance::sequence::BinanceSequence;

use BinanceSequence::{Spot, Usdm};

fn ids(first: u64, last: u64, previous: u64) -> UpdateIds {
    UpdateIds { first, last, previous }
}

fn level(tick: i64) -> Level {
    Level { tick: Tick(tick), lots: Lots(1) }
}

fn sync(rule: BinanceSequence) -> BookSync<BinanceSequence> {
    BookSync::new(rule, SyncSettings { updates_max: 8, levels_max: 16, keeps_updates: true })
}

fn update(sync: &mut BookSync<BinanceSequence>, ids: UpdateIds) -> UpdateStep {
    sync.on_update(ids, Nanos(1), &[level(ids.last as i64)], &[])
}

/// What is replayed behind a snapshot: the last ids of the updates.
fn replay(sync: &mut BookSync<BinanceSequence>) -> Vec<u64> {
    let mut replayed = Vec::new();
    while let Some(update) = sync.next_buffered() {
        assert_eq!(update.bids, [level(update.ids.last as i64)], "levels go with their update");
        assert!(update.asks.is_empty());
        replayed.push(update.ids.last);
    }
    replayed
}

#[test]
fn the_rules_as_tables() {
    use Verdict::{Accept, Gap, Old};
    // (rule, joined, last, update, verdict)
    let table = [
        // Spot, behind the snapshot and after: u <= last is old, U <= last + 1 follows, else a gap.
        (Spot, false, 100, ids(90, 99, 0), Old),
        (Spot, false, 100, ids(90, 100, 0), Old),
        (Spot, false, 100, ids(95, 105, 0), Accept),
        (Spot, false, 100, ids(101, 105, 0), Accept),
        (Spot, false, 100, ids(102, 105, 0), Gap),
        (Spot, true, 100, ids(101, 101, 0), Accept),
        (Spot, true, 100, ids(102, 103, 0), Gap),
        (Spot, true, 100, ids(90, 100, 0), Old),
        // USD-M, behind the snapshot: u < last is old; U <= last <= u or pu == last joins.
        (Usdm, false, 100, ids(90, 99, 80), Old),
        (Usdm, false, 100, ids(90, 100, 80), Accept),
        (Usdm, false, 100, ids(100, 105, 80), Accept),
        (Usdm, false, 100, ids(95, 105, 80), Accept),
        (Usdm, false, 100, ids(101, 105, 100), Accept),
        (Usdm, false, 100, ids(150, 160, 100), Accept),
        (Usdm, false, 100, ids(101, 105, 99), Gap),
        (Usdm, false, 100, ids(150, 160, 120), Gap),
        // USD-M afterwards: u <= last is tested before pu; then pu must be the last u, whatever U is.
        (Usdm, true, 100, ids(90, 100, 80), Old),
        (Usdm, true, 100, ids(90, 100, 100), Old),
        (Usdm, true, 100, ids(150, 160, 100), Accept),
        (Usdm, true, 100, ids(101, 160, 99), Gap),
        (Usdm, true, 100, ids(101, 160, 101), Gap),
    ];
    for (rule, joined, last, update, verdict) in table {
        let found = if joined { rule.follow(last, update) } else { rule.join(last, update) };
        assert_eq!(found, verdict, "{rule:?} joined {joined} at {last}: {update:?}");
    }
}

#[test]
fn ids_that_start_over_on_a_new_connection_rebuild_the_book() {
    for rule in [Spot, Usdm] {
        let mut sync = sync(rule);
        assert_eq!(update(&mut sync, ids(1_000_000, 1_000_001, 999_999)), UpdateStep::Buffered);
        assert_eq!(sync.on_snapshot(1_000_000), SnapshotStep::Replace);
        assert_eq!(replay(&mut sync), [1_000_001]);
        // On the same connection ids never run backwards: an older snapshot is no resync.
        sync.lose();
        assert_eq!(update(&mut sync, ids(1_000_002, 1_000_003, 1_000_001)), UpdateStep::Buffered);
        assert_eq!(sync.on_snapshot(999_000), SnapshotStep::Stale);
        // The connection ends; behind it the venue counts from one again.
        sync.lose();
        sync.restart();
        sync.check();
        assert_eq!(update(&mut sync, ids(11, 20, 10)), UpdateStep::Buffered);
        assert_eq!(sync.on_snapshot(5), SnapshotStep::Stale, "older than what the new connection sends");
        assert_eq!(sync.on_snapshot(15), SnapshotStep::Replace);
        assert_eq!((replay(&mut sync), sync.state(), sync.last()), (vec![20], SyncState::Live, 20));
        assert_eq!(update(&mut sync, ids(21, 30, 20)), UpdateStep::Apply);
    }
}

#[test]
fn updates_before_the_snapshot_are_buffered_and_joined() {
    for (rule, updates, snapshot, expected) in [
        (Spot, vec![ids(90, 95, 0), ids(96, 100, 0), ids(101, 104, 0), ids(105, 105, 0)], 100, vec![104, 105]),
        (Spot, vec![ids(90, 95, 0), ids(96, 102, 0), ids(103, 104, 0)], 100, vec![102, 104]),
        (Spot, vec![ids(101, 104, 0)], 100, vec![104]),
        (Spot, vec![ids(90, 95, 0)], 100, vec![]),
        (Usdm, vec![ids(80, 85, 70), ids(90, 95, 85), ids(98, 102, 95), ids(110, 111, 102)], 100, vec![102, 111]),
        (Usdm, vec![ids(90, 95, 80), ids(98, 100, 95), ids(110, 111, 100)], 100, vec![100, 111]),
        (Usdm, vec![ids(110, 111, 100)], 100, vec![111]),
    ] {
        let mut sync = sync(rule);
        assert_eq!(sync.state(), SyncState::Buffering);
        for ids in updates {
            assert_eq!(update(&mut sync, ids), UpdateStep::Buffered);
            assert_eq!(sync.state(), SyncState::AwaitingSnapshot);
        }
        assert_eq!(sync.on_snapshot(snapshot), SnapshotStep::Replace);
        assert_eq!(replay(&mut sync), expected);
        assert_eq!((sync.state(), sync.buffered()), (SyncState::Live, 0));
        assert_eq!(sync.counts().gaps, 0);
        assert_eq!(sync.on_snapshot(snapshot + 1_000), SnapshotStep::Unwanted);
    }
}

#[test]
fn a_stale_snapshot_is_refused_and_a_newer_one_taken() {
    for rule in [Spot, Usdm] {
        let mut sync = sync(rule);
        update(&mut sync, ids(110, 115, 105));
        assert_eq!(sync.on_snapshot(104), SnapshotStep::Stale);
        assert_eq!(sync.state(), SyncState::AwaitingSnapshot);
        update(&mut sync, ids(116, 120, 115));
        assert_eq!(sync.on_snapshot(112), SnapshotStep::Replace);
        assert_eq!(replay(&mut sync), [115, 120]);
        assert_eq!(sync.counts().snapshots_stale, 1);
    }
}

#[test]
fn a_gap_starts_over_and_a_later_snapshot_resyncs() {
    for rule in [Spot, Usdm] {
        let mut sync = sync(rule);
        assert_eq!(sync.on_snapshot(100), SnapshotStep::Replace, "nothing buffered: joined by what follows");
        assert!(replay(&mut sync).is_empty());
        assert_eq!(update(&mut sync, ids(101, 105, 100)), UpdateStep::Apply);
        assert_eq!(update(&mut sync, ids(101, 105, 100)), UpdateStep::Drop, "a duplicate is no gap");
        assert_eq!(update(&mut sync, ids(111, 115, 110)), UpdateStep::Gap);
        assert_eq!(sync.state(), SyncState::AwaitingSnapshot);
        assert_eq!(update(&mut sync, ids(106, 110, 105)), UpdateStep::Buffered, "the swapped neighbour");
        assert_eq!((sync.counts().gaps, sync.counts().duplicates), (1, 1));
        assert_eq!(sync.on_snapshot(104), SnapshotStep::Stale, "older than the book was");
        // The swapped pair does not chain: the snapshot must be newer than both.
        assert_eq!(sync.on_snapshot(115), SnapshotStep::Replace);
        assert!(replay(&mut sync).iter().all(|last| *last == 115));
        assert_eq!(update(&mut sync, ids(116, 118, 115)), UpdateStep::Apply);
        assert_eq!((sync.state(), sync.counts().resyncs), (SyncState::Live, 1));
    }
}

#[test]
fn a_gap_among_the_buffered_updates_asks_for_a_newer_snapshot() {
    for rule in [Spot, Usdm] {
        let mut sync = sync(rule);
        for ids in [ids(101, 105, 100), ids(106, 108, 105), ids(120, 125, 119), ids(126, 130, 125)] {
            update(&mut sync, ids);
        }
        assert_eq!(sync.on_snapshot(102), SnapshotStep::Replace);
        assert_eq!(replay(&mut sync), [105, 108]);
        assert_eq!(sync.state(), SyncState::AwaitingSnapshot);
        assert_eq!(sync.counts().gaps, 1);
        assert_eq!(sync.buffered(), 2, "what came behind the gap is kept");
        assert_eq!(sync.on_snapshot(110), SnapshotStep::Stale);
        assert_eq!(sync.on_snapshot(122), SnapshotStep::Replace);
        assert_eq!(replay(&mut sync), [125, 130]);
        assert_eq!(sync.state(), SyncState::Live);
    }
}

#[test]
fn a_message_with_a_wrong_last_id_is_found_by_the_next() {
    for rule in [Spot, Usdm] {
        let mut sync = sync(rule);
        sync.on_snapshot(100);
        update(&mut sync, ids(101, 105, 100));
        // 110 was damaged to 9_110: what follows is older than that, but ends inside it.
        assert_eq!(update(&mut sync, ids(106, 9_110, 105)), UpdateStep::Apply);
        assert_eq!(update(&mut sync, ids(111, 115, 110)), UpdateStep::Gap);
    }
}

#[test]
fn the_buffer_is_bounded_and_a_full_one_starts_over() {
    for rule in [Spot, Usdm] {
        let mut sync = sync(rule);
        for last in 1..=9 {
            update(&mut sync, ids(last, last, last - 1));
        }
        assert_eq!((sync.buffered(), sync.counts().overflows), (1, 1));
        assert_eq!(sync.on_snapshot(5), SnapshotStep::Stale, "the updates behind it were dropped");
        assert_eq!(sync.on_snapshot(8), SnapshotStep::Replace);
        assert_eq!(replay(&mut sync), [9]);
        // More levels in one update than the buffer holds: nothing is kept, nothing breaks.
        sync.lose();
        let many = [level(1); 17];
        assert_eq!(sync.on_update(ids(20, 20, 19), Nanos(1), &many, &[]), UpdateStep::Buffered);
        assert_eq!(sync.buffered(), 0);
    }
}

/// A venue in miniature: a stream of updates with random loss, repetition, reordering and late snapshots.
#[test]
fn a_live_book_has_seen_every_update_exactly_once() {
    let (mut applied, mut gaps, mut resyncs) = (0u64, 0, 0);
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let rule = if seed % 2 == 0 { Spot } else { Usdm };
        let mut sync = BookSync::new(rule, SyncSettings { updates_max: 32, levels_max: 64, keeps_updates: true });
        // The book is the last update it contains: contiguous application leaves no other way to be right.
        let mut book = 0u64;
        let mut last = 1_000u64;
        let mut history: Vec<UpdateIds> = Vec::new();
        let mut asked: Option<u64> = None;
        for _ in 0..2_000 {
            let skip = if rule == Usdm { random.next_u64() % 5 } else { 0 };
            let first = last + 1 + skip;
            let update = ids(first, first + random.next_u64() % 6, last);
            last = update.last;
            history.push(update);
            let chance = random.next_u64() % 100;
            let delivered: Vec<UpdateIds> = match chance {
                0 => vec![],
                1 => vec![update, update],
                2 if history.len() > 3 => vec![update, history[history.len() - 3]],
                _ => vec![update],
            };
            sync.check();
            for update in delivered {
                match sync.on_update(update, Nanos(1), &[], &[]) {
                    UpdateStep::Apply => {
                        assert!(update.last > book, "seed {seed}");
                        assert_eq!(before(&history, update), true_predecessor(&history, book, update), "seed {seed}");
                        book = update.last;
                        applied += 1;
                    }
                    UpdateStep::Buffered | UpdateStep::Gap | UpdateStep::Drop => {}
                }
            }
            if sync.state() == SyncState::AwaitingSnapshot && asked.is_none() {
                asked = Some(last.saturating_sub(random.next_u64() % 20));
            } else if random.next_u64().is_multiple_of(4)
                && let Some(at) = asked.take()
                && sync.on_snapshot(at) == SnapshotStep::Replace
            {
                book = at;
                while let Some(update) = sync.next_buffered() {
                    assert!(update.ids.last >= book, "seed {seed}");
                    book = update.ids.last;
                }
            }
        }
        gaps += sync.counts().gaps;
        resyncs += sync.counts().resyncs;
    }
    println!("seeds 0..60: {applied} applied, {gaps} gaps, {resyncs} resyncs");
    assert!(applied > 20_000 && gaps > 100 && resyncs > 100);
}

/// The end of the update before this one.
fn before(history: &[UpdateIds], update: UpdateIds) -> u64 {
    let at = history.iter().position(|one| *one == update).unwrap();
    at.checked_sub(1).map_or(1_000, |at| history[at].last)
}

/// What the end of the update before must be if the book at `book` is whole: the book is there already, or inside
/// the update (a snapshot may end in the middle of one), or between the two.
fn true_predecessor(history: &[UpdateIds], book: u64, update: UpdateIds) -> u64 {
    let end = before(history, update);
    if book >= end && book <= update.last { end } else { book }
}
