#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    rord_fuzz::properties::oasis::is_layout(bytes);
});
