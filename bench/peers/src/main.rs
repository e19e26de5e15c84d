//! COLD: runs every peer on the inputs of spinbook-bench and prints a table.

mod sonic;

use spinbook_bench::plain::PlainDecoder;
use spinbook_bench::synthetic::{Shape, depth_frames, touch_frames};

fn main() {
    for shape in Shape::ALL {
        let more = || vec![Box::new(sonic::SonicTyped::new(shape.increments())) as Box<dyn PlainDecoder>];
        let mut sets = vec![("bookTicker".to_owned(), touch_frames(shape, 400, 1))];
        sets.extend([2, 20, 200].map(|levels| (format!("depth {levels}"), depth_frames(shape, levels, 400, 1))));
        for (what, frames) in sets {
            match spinbook_bench::decode::plain(&frames, shape.increments(), 15, more) {
                Ok(times) => {
                    for time in times {
                        println!(
                            "{} {what:10} {:32} {:9.1} ns +-{:.1} %",
                            shape.name(),
                            time.name,
                            time.ns,
                            time.spread * 100.0
                        );
                    }
                }
                Err(error) => {
                    eprintln!("{} {what}: {error}", shape.name());
                    std::process::exit(1);
                }
            }
        }
    }
}
