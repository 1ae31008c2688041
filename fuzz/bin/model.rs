//! Operations that the fuzzer chooses, against the model of `tests/model.rs`, in memory and on a file in
//! turn.
#![no_main]

#[allow(dead_code)]
#[path = "../../tests/model.rs"]
mod model;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some((first, choices)) = data.split_first() {
        model::follow(choices, first % 2 == 1);
    }
});
