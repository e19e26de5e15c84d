//! COLD: criterion: frame to order, our path beside the plain ones, on a synthetic and a recorded stream.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use spinbook_bench::pipeline::{Make, Ours, Pipeline, Plain};
use spinbook_bench::plain::{SimdJsonTape, SimdJsonTyped};
use spinbook_bench::synthetic::Shape;
use spinbook_bench::workload::{LineKind, Recording};
use spinbook_engine::types::{Nanos, Stamp};
use spinbook_feed::scan::ScannerChoice;

fn play(recording: &Recording, pipeline: &mut dyn Pipeline, buffer: &mut [u8]) -> u64 {
    for line in 0..recording.frames.len() {
        let length = recording.frames.copy_to(line, buffer);
        let received = Stamp { wall: recording.received[line], tsc: 0 };
        match recording.kinds[line] {
            LineKind::Snapshot => pipeline.snapshot(buffer, length, received),
            LineKind::Other => {}
            LineKind::Depth | LineKind::Touch => pipeline.frame(buffer, length, received),
        }
        pipeline.trader().answer(received.wall, |_| {});
    }
    pipeline.trader().intents_pushed()
}

/// Includes the copy of each frame and the venue's answers: for these, alike in all, see the `latency` binary.
fn frame_to_order(criterion: &mut Criterion, recording: &Recording) {
    let mut group = criterion.benchmark_group(format!("frame to order/{}", recording.name));
    group.throughput(Throughput::Elements(recording.frames.len() as u64));
    group.sample_size(10);
    let increments = recording.increments();
    let makers: [Make<'_>; 3] = [
        Box::new(|| Box::new(Ours::new(recording, ScannerChoice::Best))),
        Box::new(|| Box::new(Plain::new(recording, SimdJsonTyped::new(increments)))),
        Box::new(|| Box::new(Plain::new(recording, SimdJsonTape::new(increments)))),
    ];
    let mut buffer = recording.frames.buffer();
    for make in makers {
        group.bench_function(BenchmarkId::from_parameter(make().name()), |bencher| {
            bencher.iter_batched_ref(
                &make,
                |pipeline| play(recording, pipeline.as_mut(), &mut buffer),
                criterion::BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn quote(criterion: &mut Criterion) {
    frame_to_order(criterion, &Recording::synthetic(Shape::Usdm, 40, 500, 9));
    match Recording::chain_until(0, Nanos::from_seconds(60)) {
        Ok(Some(recording)) => frame_to_order(criterion, &recording),
        Ok(None) => println!("skipped: no recorded data"),
        Err(why) => panic!("{why}"),
    }
}

criterion_group!(benches, quote);
criterion_main!(benches);
