//! As `check`, with changes by whole tokens as well as by bytes.

#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use rord_fuzz::properties::{check, mutation::mutated};

/// Lends tokens and items to whatever is changed.
const OTHERS: [&str; 4] = [
    include_str!("../../pipelines/find.rord"),
    include_str!("../../pipelines/segment.rord"),
    include_str!("../../src/ops/std/maps.rord"),
    include_str!("../../src/ops/std/descriptors.rord"),
];

fuzz_target!(|bytes: &[u8]| check(bytes));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let text = std::str::from_utf8(&data[..size]).ok().filter(|_| seed % 5 != 0);
    let Some(text) = text else { return fuzzer_mutate(data, size, max_size) };
    let new = mutated(text, OTHERS[seed as usize / 5 % OTHERS.len()], u64::from(seed));
    let most = new.len().min(max_size).min(data.len());
    data[..most].copy_from_slice(&new.as_bytes()[..most]);
    most
});
