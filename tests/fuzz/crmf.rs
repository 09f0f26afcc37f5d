//! `cargo fuzz run crmf`: certificate request messages.
#![no_main]

mod targets;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    targets::crmf(input);
});
