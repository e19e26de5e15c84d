//! COLD: criterion: a push and a pop on one thread, our ring beside crossbeam's queue. Two threads: `targets`.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use spinbook_bench::ring::{Pop, Push, array_queue, ours};
use spinbook_engine::intent::Intent;

fn push_pop(criterion: &mut Criterion, name: &str, mut producer: impl Push, mut consumer: impl Pop) {
    let mut group = criterion.benchmark_group("ring/push and pop, one thread");
    let mut message = 0u64;
    group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
        bencher.iter(|| {
            message += 1;
            let pushed = producer.push(Intent { book_sequence: message, ..Intent::default() });
            (pushed.is_ok(), consumer.pop().map(|intent| intent.book_sequence))
        });
    });
    group.finish();
}

fn rings(criterion: &mut Criterion) {
    let (producer, consumer) = ours();
    push_pop(criterion, "Spinbook ring", producer, consumer);
    let (producer, consumer) = array_queue();
    push_pop(criterion, "crossbeam ArrayQueue", producer, consumer);
}

criterion_group!(benches, rings);
criterion_main!(benches);
