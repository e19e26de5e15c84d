//! COLD: criterion, stage by stage, each contender by itself. For ratios see `targets`: single benchmarks follow one
//! another and meet different noise.

use std::time::{Duration, Instant};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use spinbook_bench::book::works;
use spinbook_bench::contest::Contender;
use spinbook_bench::decode::{OurDecoder, contender, our_contender};
use spinbook_bench::frames::Frames;
use spinbook_bench::inputs::{chain, chain_until};
use spinbook_bench::markets::PERP;
use spinbook_bench::markets::{increments, product, synthetic};
use spinbook_bench::pipeline::{Make, OurPipeline, Pipeline, Plain};
use spinbook_bench::plain::{SimdJsonTape, SimdJsonTyped, decoders};
use spinbook_bench::ring::{Pop, Push, array_queue, ours};
use spinbook_bench::synthetic::{Shape, depth_frames, touch_frames};
use spinbook_bench::trader::OUTER_LEVELS;
use spinbook_bench::workload::{LevelStream, LineKind, Workload};
use spinbook_bench::{receive, send};
use spinbook_engine::intent::Intent;
use spinbook_engine::types::{Nanos, Stamp};
use spinbook_feed::scan::ScannerChoice;
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::instrument::Instrument;

/// Does the work on the recording, if there is one.
fn with_recording(recording: Result<Option<Workload>, String>, work: impl FnOnce(&Workload)) {
    match recording {
        Ok(Some(recording)) => work(&recording),
        Ok(None) => println!("skipped: no recorded data"),
        Err(why) => panic!("{why}"),
    }
}

fn decode_frames(criterion: &mut Criterion, what: &str, frames: &Frames, of: (ProductLine, &Instrument)) {
    let mut group = criterion.benchmark_group(format!("decode/{what}"));
    group.throughput(Throughput::Elements(frames.len() as u64));
    let scanners = [ScannerChoice::Best, ScannerChoice::Portable];
    let mut contenders: Vec<Contender<'_>> =
        scanners.map(|choice| our_contender(OurDecoder::new(of.0, of.1, choice))).into_iter().collect();
    contenders.extend(decoders(increments(of.1)).into_iter().map(contender));
    for contender in &mut contenders {
        let id = BenchmarkId::from_parameter(contender.name.clone());
        group.bench_function(id, |bencher| {
            bencher.iter_batched_ref(|| frames.clone(), |fresh| (contender.run)(fresh), BatchSize::LargeInput);
        });
    }
    group.finish();
}

fn decode(criterion: &mut Criterion) {
    for shape in Shape::ALL {
        let (name, instrument) = (shape.name(), synthetic(shape));
        for levels in [2, 20, 200] {
            let frames = depth_frames(shape, levels, 50, 1);
            decode_frames(criterion, &format!("{name} {levels} levels"), &frames, (product(shape), &instrument));
        }
        let frames = touch_frames(shape, 50, 1);
        decode_frames(criterion, &format!("{name} best bid/ask"), &frames, (product(shape), &instrument));
    }
    with_recording(chain(PERP), |recording| {
        let depth = recording.of_kind(LineKind::Depth);
        let mut frames = Frames::new();
        (0..depth.len().min(500)).for_each(|index| frames.push(depth.frame(index)));
        decode_frames(criterion, "recorded perp depth", &frames, (recording.product, &recording.instrument));
    });
}

fn apply(criterion: &mut Criterion, what: &str, stream: &LevelStream) {
    let mut group = criterion.benchmark_group(format!("book/{what}"));
    group.throughput(Throughput::Elements(stream.changed_levels() as u64));
    for mut work in works(stream, OUTER_LEVELS) {
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
    let synthetic = Workload::synthetic(Shape::Usdm, 40, 1_000, 3).levels().expect("it begins with its snapshot");
    apply(criterion, "synthetic perp", &synthetic);
    with_recording(chain(PERP), |recording| {
        apply(criterion, "recorded perp", &recording.levels().expect("it has a snapshot"));
    });
}

fn play(recording: &Workload, pipeline: &mut dyn Pipeline, buffer: &mut [u8]) -> u64 {
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
fn frame_to_order(criterion: &mut Criterion, recording: &Workload) {
    let mut group = criterion.benchmark_group(format!("frame to order/{}", recording.name));
    group.throughput(Throughput::Elements(recording.frames.len() as u64));
    group.sample_size(10);
    let increments = recording.increments();
    let makers: [Make<'_>; 3] = [
        Box::new(|| Box::new(OurPipeline::new(recording, ScannerChoice::Best))),
        Box::new(|| Box::new(Plain::new(recording, SimdJsonTyped::new(increments)))),
        Box::new(|| Box::new(Plain::new(recording, SimdJsonTape::new(increments)))),
    ];
    let mut buffer = recording.frames.buffer();
    for make in makers {
        group.bench_function(BenchmarkId::from_parameter(make().name()), |bencher| {
            bencher.iter_batched_ref(
                &make,
                |pipeline| play(recording, pipeline.as_mut(), &mut buffer),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn quote(criterion: &mut Criterion) {
    frame_to_order(criterion, &Workload::synthetic(Shape::Usdm, 40, 500, 9));
    with_recording(chain_until(PERP, Nanos::from_seconds(60)), |recording| frame_to_order(criterion, recording));
}

/// A push and a pop on one thread. Two threads: `targets`.
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

/// Each iteration is a round of sealed frames: keys and record numbers move on, so none can be received twice.
fn receiving(criterion: &mut Criterion) {
    for layout in receive::LAYOUTS {
        let mut group = criterion.benchmark_group(format!("receive/{}", layout.name));
        group.throughput(Throughput::Elements(layout.frames as u64));
        for mut line in receive::lines() {
            let name = line.name.clone();
            group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
                bencher.iter_custom(|rounds| {
                    let mut spent = Duration::ZERO;
                    for _ in 0..rounds {
                        line.seal(layout);
                        let begun = Instant::now();
                        core::hint::black_box(line.receive());
                        spent += begun.elapsed();
                    }
                    spent
                });
            });
        }
        group.finish();
    }
}

fn sending(criterion: &mut Criterion) {
    for (what, steps) in send::steps() {
        let mut group = criterion.benchmark_group(format!("send/{what}"));
        for mut step in steps {
            group.bench_function(BenchmarkId::from_parameter(step.name), |bencher| bencher.iter(|| (step.run)()));
        }
        group.finish();
    }
}

criterion_group!(benches, decode, book, quote, rings, receiving, sending);
criterion_main!(benches);
