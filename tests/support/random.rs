//! Random choices that a seed repeats.

/// SplitMix64, or the bytes of a fuzzer as long as there are any.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
    bytes: Vec<u8>,
}

impl Random {
    pub fn new(seed: u64) -> Self {
        Self { state: seed, bytes: Vec::new() }
    }

    /// The choices of a fuzzer, two bytes each.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self { state: 0, bytes: bytes.iter().rev().copied().collect() }
    }

    pub fn is_over(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn next(&mut self) -> u64 {
        if let Some(low) = self.bytes.pop() {
            return u64::from(low) | u64::from(self.bytes.pop().unwrap_or(0)) << 8;
        }
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    pub fn between(&mut self, least: i64, most: i64) -> i64 {
        let span = u64::try_from(most - least + 1).unwrap();
        least + i64::try_from(self.next() % span).unwrap()
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Prints the seed if the test fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to repeat it: KEYVAL_SEED={}", self.0);
        }
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect(name))
}

/// Runs something with two seeds that are always the same and a new one, or with the one of `KEYVAL_SEED`;
/// and with a number of steps, or that of `KEYVAL_STEPS`.
pub fn with_seeds(steps: u64, run: impl Fn(u64, u64)) {
    let steps = number("KEYVAL_STEPS").unwrap_or(steps);
    let fresh = keyval::base::clock::new_id().as_u64_pair().1 >> 16;
    for seed in number("KEYVAL_SEED").map_or_else(|| vec![1, 2, fresh], |seed| vec![seed]) {
        let _print = Seed(seed);
        run(seed, steps);
    }
}
