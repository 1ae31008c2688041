//! Operations chosen by the fuzzer, against the model of `tests/model.rs`, alternately in memory and on a
//! file.
#![no_main]

#[allow(dead_code)]
#[path = "../../tests/model.rs"]
mod model;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some((first, choices)) = data.split_first() {
        model::follow(choices, first % 2 == 1);
    }
});
