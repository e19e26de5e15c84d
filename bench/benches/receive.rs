//! COLD: criterion: a socket's bytes to messages in hand; ours beside the bare cipher and tungstenite on rustls.

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use spinbook_bench::receive::{LAYOUTS, lines, measure};

/// Each iteration is a round of sealed frames: keys and record numbers move on, so none can be received twice.
fn receive(criterion: &mut Criterion) {
    for layout in LAYOUTS {
        let mut group = criterion.benchmark_group(format!("receive/{}", layout.name));
        group.throughput(Throughput::Elements(layout.frames as u64));
        for mut line in lines() {
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

/// The ratios, from rounds in turns: single benchmarks follow one another and meet different noise.
fn ratios(_criterion: &mut Criterion) {
    for layout in LAYOUTS {
        let table = measure(layout, 200);
        println!(
            "receive/{}: ours over bare {:.2}, best peer over ours {:.2}",
            layout.name, table.over_bare, table.peer_over_ours
        );
        for time in &table.times {
            println!("  {:40} {:8.1} ns ±{:.0} %", time.name, time.ns, time.spread * 100.0);
        }
    }
}

criterion_group!(benches, ratios, receive);
criterion_main!(benches);
