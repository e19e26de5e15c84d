//! COLD: criterion: our book, a `BTreeMap` and a bare store on a stream of levels.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use spinbook_bench::book::works;
use spinbook_bench::synthetic::Shape;
use spinbook_bench::trader::FAR_LEVELS;
use spinbook_bench::workload::{LevelStream, Recording};

fn apply(criterion: &mut Criterion, what: &str, stream: &LevelStream) {
    let mut group = criterion.benchmark_group(format!("book/{what}"));
    group.throughput(Throughput::Elements(stream.changed_levels() as u64));
    for mut work in works(stream, FAR_LEVELS) {
        group.bench_function(BenchmarkId::from_parameter(work.name()), |bencher| {
            bencher.iter(|| {
                work.reset();
                work.run(0..stream.messages.len() - 1)
            });
        });
    }
    group.finish();
}

fn book(criterion: &mut Criterion) {
    let synthetic = Recording::synthetic(Shape::Usdm, 40, 1_000, 3).levels().expect("it begins with its snapshot");
    apply(criterion, "synthetic perp", &synthetic);
    match Recording::chain(0) {
        Ok(Some(recording)) => apply(criterion, "recorded perp", &recording.levels().expect("it has a snapshot")),
        Ok(None) => println!("skipped: no recorded data"),
        Err(why) => panic!("{why}"),
    }
}

criterion_group!(benches, book);
criterion_main!(benches);
