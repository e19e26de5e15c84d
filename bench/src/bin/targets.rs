//! COLD: measures every ratio and prints it beside its target.
use spinbook_bench::{book, pipeline::*, plain::*, workload::*};
use spinbook_feed::venue::binance::decode::ScannerChoice;
fn main() {
    for place in 0..CHAINS.len() {
        let Some(r) = Recording::chain(place).expect("readable") else {
            println!("skipped: no recorded data");
            continue;
        };
        println!("{} {:?} lines {}", r.name, r.increments(), r.frames.len());
        let makers: Vec<Make<'_>> = vec![
            Box::new(|| Box::new(Ours::new(&r, ScannerChoice::Best))),
            Box::new(|| Box::new(Plain::new(&r, SimdJsonTyped::new(r.increments())))),
            Box::new(|| Box::new(Plain::new(&r, SimdJsonTape::new(r.increments())))),
        ];
        let o = contest(&r, 5, &makers).expect("agree");
        println!(
            "timed {} ordered {}",
            o.timed.lines.len(),
            o.timed.ordered.iter().filter(|o| **o).count()
        );
        for (what, pick) in [("depth", 0), ("touch", 1), ("ordered", 2)] {
            for t in &o.times {
                let mut ps = vec![vec![]; 3];
                for round in &t.rounds {
                    let mut v: Vec<f32> = round
                        .iter()
                        .enumerate()
                        .filter(|(i, _)| match pick {
                            0 => o.timed.kinds[*i] == LineKind::Depth,
                            1 => o.timed.kinds[*i] == LineKind::Touch,
                            _ => o.timed.ordered[*i],
                        })
                        .map(|(_, v)| *v)
                        .collect();
                    v.sort_unstable_by(f32::total_cmp);
                    for (k, p) in [0.5, 0.99, 0.999].iter().enumerate() {
                        ps[k].push(v[((v.len() - 1) as f64 * p) as usize] as f64);
                    }
                }
                let m: Vec<f64> = ps
                    .iter_mut()
                    .map(|p| spinbook_bench::contest::median_and_spread(p).0)
                    .collect();
                println!(
                    "  {what} {:40} p50 {:8.0} p99 {:8.0} p99.9 {:8.0}",
                    t.name, m[0], m[1], m[2]
                );
            }
        }
        let stream = r.levels().expect("levels");
        for t in book::contest(&stream, 1 << 14, 9).expect("equal") {
            println!("  {:32} {:8.2} ns a level +-{:.1}%", t.name, t.ns, t.spread * 100.0);
        }
    }
}
