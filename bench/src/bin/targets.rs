//! COLD: measures every ratio and prints it beside its target.
use spinbook_bench::{book, decode, ring, workload::*};
fn main() {
    for place in 0..CHAINS.len() {
        let Some(recording) = Recording::chain(place).expect("readable") else {
            println!("skipped: no recorded data");
            continue;
        };
        println!(
            "{} {:?} lines {}",
            recording.name,
            recording.increments,
            recording.frames.len()
        );
        for (what, kind) in [("depth", LineKind::Depth), ("touch", LineKind::Touch)] {
            for t in decode::plain(&recording.of_kind(kind), recording.increments, 5, Vec::new).expect("equal") {
                println!("  {what} {:32} {:8.1} +-{:.1}%", t.name, t.ns, t.spread * 100.0);
            }
        }
        let stream = recording.levels().expect("levels");
        println!(
            "  messages {} levels {}",
            stream.messages.len(),
            stream.changed_levels()
        );
        for t in book::contest(&stream, 1 << 14, 9).expect("equal") {
            println!("  {:32} {:8.2} ns a level +-{:.1}%", t.name, t.ns, t.spread * 100.0);
        }
    }
    let o = ring::contest(&ring::Kind::usual(), 6, 40, 300_000);
    for t in o.one_way {
        println!("one way {:32} {:8.2} ns +-{:.1}%", t.name, t.ns, t.spread * 100.0);
    }
    for t in o.stream {
        println!("stream {:32} {:8.2} ns +-{:.1}%", t.name, t.ns, t.spread * 100.0);
    }
}
