//! `cargo fuzz run csr`: certification requests.
#![no_main]

mod targets;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    targets::csr(input);
});
