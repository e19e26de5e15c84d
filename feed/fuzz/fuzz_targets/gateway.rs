//! COLD: fuzz target: `gateway::check` on whatever the fuzzer finds.
#![no_main]

#[path = "../../tests/protocol/fuzzed/checks/mod.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::gateway::check(data));
