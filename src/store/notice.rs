//! What may have happened, as it is told to those who wait for it. A notice says that a look is worth it, never that
//! there is something to see.

use std::collections::BTreeSet;
use std::ops::BitOrAssign;

/// A set of reasons to look, and which queues they are of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notice {
    bits: u8,
    queues: BTreeSet<String>,
}

impl Notice {
    /// Work of this process has ended, and nobody waits for what it did.
    pub const NONE: Self = Self::of(0);
    /// This process appended to the change log.
    pub const CHANGES: Self = Self::of(1);
    /// This process made a message ready, or another one free to go.
    const QUEUE: u8 = 2;
    /// Another process has committed something.
    pub const ELSEWHERE: Self = Self::of(4);
    /// The time that was waited for has come.
    pub const TIME: Self = Self::of(8);
    /// This process gave back the lease of a consumer.
    pub const LEASE: Self = Self::of(16);

    const fn of(bits: u8) -> Self {
        Self { bits, queues: BTreeSet::new() }
    }

    /// Reasons from their bits.
    #[must_use]
    pub fn from_bits(bits: u8) -> Self {
        Self::of(bits)
    }

    /// The reasons as bits.
    #[must_use]
    pub fn bits(&self) -> u8 {
        self.bits
    }

    /// Queues that have a message for somebody.
    pub fn queues(&self) -> impl Iterator<Item = &str> {
        self.queues.iter().map(String::as_str)
    }

    /// A queue has a message for somebody.
    pub fn add_queue(&mut self, name: &str) {
        self.bits |= Self::QUEUE;
        if !self.queues.contains(name) {
            self.queues.insert(name.to_string());
        }
    }

    /// Whether one of these reasons is among them.
    #[must_use]
    pub fn has(&self, any_of: &Self) -> bool {
        self.bits & any_of.bits != 0
    }

    /// Those of the reasons whose bits are given.
    #[must_use]
    pub fn only(&self, bits: u8) -> Self {
        let bits = self.bits & bits;
        let queues = if bits & Self::QUEUE == 0 { BTreeSet::new() } else { self.queues.clone() };
        Self { bits, queues }
    }
}

impl BitOrAssign for Notice {
    fn bitor_assign(&mut self, mut other: Self) {
        self.bits |= other.bits;
        self.queues.append(&mut other.queues);
    }
}
