//! COLD: fuzz target: the program's own reader of configurations on whatever the fuzzer finds.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| spinbook::check_configuration(data));
