#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| logboom_tests::fuzz::compressed_records(data));
