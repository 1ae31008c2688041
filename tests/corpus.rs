//! Runs the fuzzer's corpus once, so that a fault it found cannot come back.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::Path;

#[path = "../fuzz/targets.rs"]
mod targets;

fn run(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut seen = 0;
    for file in std::fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        println!("{}", path.display());
        target(&std::fs::read(path).unwrap());
        seen += 1;
    }
    assert!(seen > 0, "{} is empty", folder.display());
}

#[test]
fn keys() {
    run("keys", targets::keys);
}

#[test]
fn values() {
    run("values", targets::values);
}

#[test]
fn pages() {
    run("pages", targets::pages);
}

#[test]
fn cursors() {
    run("cursors", targets::cursors);
}

#[test]
fn words() {
    run("words", targets::words);
}

#[test]
fn filters() {
    run("filters", targets::filters);
}
