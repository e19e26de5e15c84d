//! COLD: criterion: decoders on synthetic sizes and on recorded depth frames.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use spinbook_bench::contest::Contender;
use spinbook_bench::decode::{Ours, contender, our_contender};
use spinbook_bench::frames::Frames;
use spinbook_bench::instrument::{increments, product, synthetic};
use spinbook_bench::plain::decoders;
use spinbook_bench::synthetic::{Shape, depth_frames, touch_frames};
use spinbook_bench::workload::{LineKind, Recording};
use spinbook_feed::scan::ScannerChoice;
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::instrument::Instrument;

fn decode(criterion: &mut Criterion, what: &str, frames: &Frames, of: (ProductLine, &Instrument)) {
    let mut group = criterion.benchmark_group(format!("decode/{what}"));
    group.throughput(Throughput::Elements(frames.len() as u64));
    let scanners = [ScannerChoice::Best, ScannerChoice::Portable];
    let mut contenders: Vec<Contender<'_>> =
        scanners.map(|choice| our_contender(Ours::new(of.0, of.1, choice))).into_iter().collect();
    contenders.extend(decoders(increments(of.1)).into_iter().map(contender));
    for contender in &mut contenders {
        let id = BenchmarkId::from_parameter(contender.name.clone());
        group.bench_function(id, |bencher| {
            bencher.iter_batched_ref(|| frames.clone(), |fresh| (contender.run)(fresh), BatchSize::LargeInput);
        });
    }
    group.finish();
}

fn sizes(criterion: &mut Criterion) {
    for shape in Shape::ALL {
        let instrument = synthetic(shape);
        for levels in [2, 20, 200] {
            let frames = depth_frames(shape, levels, 50, 1);
            decode(criterion, &format!("{} {levels} levels", shape.name()), &frames, (product(shape), &instrument));
        }
        let frames = touch_frames(shape, 50, 1);
        decode(criterion, &format!("{} best bid/ask", shape.name()), &frames, (product(shape), &instrument));
    }
}

fn recorded(criterion: &mut Criterion) {
    match Recording::chain(0) {
        Ok(Some(recording)) => {
            let depth = recording.of_kind(LineKind::Depth);
            let mut frames = Frames::new();
            (0..depth.len().min(500)).for_each(|index| frames.push(depth.frame(index)));
            decode(criterion, "recorded perp depth", &frames, (recording.product, &recording.instrument));
        }
        Ok(None) => println!("skipped: no recorded data"),
        Err(why) => panic!("{why}"),
    }
}

criterion_group!(benches, sizes, recorded);
criterion_main!(benches);
