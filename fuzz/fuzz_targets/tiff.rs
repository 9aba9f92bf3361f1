#![no_main]

use rord_data::images::{Images, from_bytes};

// Any picture, in colors and with a range where the first byte is odd.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let odd = first % 2 == 1;
    let images = Images { color: odd, range: odd.then_some((0.0, 4095.0)), ..Images::default() };
    if let Ok(pages) = from_bytes("fuzz.tif".as_ref(), bytes, &images) {
        for page in pages {
            let pixels = page.width * page.height;
            assert!(page.planes.iter().all(|(_, samples)| samples.len() == pixels));
        }
    }
});
