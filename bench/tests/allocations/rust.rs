//! COLD: from a frame's bytes to intents on the ring nothing is allocated or freed, and the decoders that may are seen.

use spinbook_bench::alloc::{CountingAllocator, count, is_installed};
use spinbook_bench::inputs::chain;
use spinbook_bench::markets::CHAINS;
use spinbook_bench::measure::path_allocations;
use spinbook_bench::plain::{PlainDecoder, PlainMessage, SimdJsonTyped};
use spinbook_bench::synthetic::{Shape, depth_frames};
use spinbook_bench::workload::Workload;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

#[test]
fn frame_to_order_allocates_nothing_once_the_book_is_live() {
    assert!(is_installed(), "the counter counts");
    for shape in Shape::ALL {
        let recording = Workload::synthetic(shape, 60, 500, 4);
        assert_eq!(path_allocations(&recording), 0, "{}", recording.name);
    }
    for (place, (name, _)) in CHAINS.iter().enumerate() {
        match chain(place).expect("the recordings can be read") {
            Some(recording) => assert_eq!(path_allocations(&recording), 0, "{name}"),
            None => println!("skipped: no recorded data"),
        }
    }
    let frames = depth_frames(Shape::Usdm, 20, 10, 4);
    let mut buffer = frames.buffer();
    let (mut plain, mut message) = (SimdJsonTyped::new(Shape::Usdm.increments()), PlainMessage::default());
    let mut calls = 0;
    for index in 0..frames.len() {
        let length = frames.copy_to(index, &mut buffer);
        calls += count(|| plain.decode(&mut buffer, length, &mut message).expect("a synthetic frame")).1;
    }
    assert!(calls > 0, "a decoder that collects levels into vectors is seen to allocate");
}
