//! COLD: measures every ratio and prints it beside its target.
use spinbook_bench::{book, decode, ring, workload::*};
fn main() {
    use spinbook_bench::{instrument, synthetic::*};
    for shape in Shape::ALL {
        let mut sets = vec![("bookTicker".to_owned(), touch_frames(shape, 400, 1))];
        sets.extend([2, 20, 200].map(|levels| (format!("depth {levels}"), depth_frames(shape, levels, 400, 1))));
        for (what, frames) in sets {
            let times = decode::contest(
                &frames,
                instrument::product(shape),
                &instrument::synthetic(shape),
                15,
                Vec::new,
            )
            .expect("equal");
            for t in &times {
                println!(
                    "{} {what:10} {:32} {:9.1} ns +-{:.1} % {:.2}x",
                    shape.name(),
                    t.name,
                    t.ns,
                    t.spread * 100.0,
                    t.ns / times[0].ns
                );
            }
        }
    }
    if std::env::args().len() > 1 {
        return;
    }

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
            for t in Ok::<Vec<spinbook_bench::contest::Time>, ()>(Vec::new()).expect("equal") {
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
