//! `cargo fuzz run question`: OCSP requests.
#![no_main]

mod targets;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    targets::question(input);
});
