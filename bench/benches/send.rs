//! COLD: criterion: a decision to the sealed record of its order, each step beside its yardstick.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use spinbook_bench::send::{encoding, sealing, signing, tables, whole};

fn send(criterion: &mut Criterion) {
    let steps = [
        ("encode and sign an order", encoding()),
        ("HMAC-SHA256 of 200 B", signing()),
        ("frame and seal 300 B", sealing()),
        ("whole", vec![whole()]),
    ];
    for (what, steps) in steps {
        let mut group = criterion.benchmark_group(format!("send/{what}"));
        for mut step in steps {
            group.bench_function(BenchmarkId::from_parameter(step.name), |bencher| bencher.iter(|| (step.run)()));
        }
        group.finish();
    }
}

/// The ratios, from rounds in turns: single benchmarks follow one another and meet different noise.
fn ratios(_criterion: &mut Criterion) {
    for table in tables(400) {
        println!("send/{}: ours over the yardstick {:.2}", table.what, table.over_yardstick);
        for time in &table.times {
            println!("  {:40} {:8.1} ns ±{:.0} %", time.name, time.ns, time.spread * 100.0);
        }
    }
}

criterion_group!(benches, ratios, send);
criterion_main!(benches);
