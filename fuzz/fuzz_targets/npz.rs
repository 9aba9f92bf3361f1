#![no_main]

// Any bytes as a file of tensors, each sample of each of which is read.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let path = std::env::temp_dir().join(format!("rord-fuzz-{}.npz", std::process::id()));
    if std::fs::write(&path, bytes).is_ok() {
        let _ = rord_data::tensors::read_all(&path);
    }
});
