//! Notices: events that may have happened, as they are reported to waiters. A notice says that polling is
//! worthwhile, never that there is something to see.

use std::collections::BTreeSet;
use std::ops::BitOrAssign;

/// A set of reasons to look, and the names of what they are of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notice {
    bits: u8,
    /// Queues in the order of their names, and how often there was a reason to look at each.
    queues: Vec<(String, u32)>,
    consumers: BTreeSet<String>,
    /// The last number of before the commit, and its own last one, if it took any (`ReadTxn::last_number`).
    numbers: Option<(i64, i64)>,
}

impl Notice {
    /// Work of this process has ended, and nobody waits for what it did.
    pub const NONE: Self = Self::of(0);
    /// This process appended to the change log.
    pub const CHANGES: Self = Self::of(1);
    /// This process made messages ready, or others free to go.
    const QUEUE: u8 = 2;
    /// Another process has committed something.
    pub const ELSEWHERE: Self = Self::of(4);
    /// The time that was waited for has come.
    pub const TIME: Self = Self::of(8);
    /// This process gave back the leases of consumers.
    const LEASE: u8 = 16;

    const fn of(bits: u8) -> Self {
        Self { bits, queues: Vec::new(), consumers: BTreeSet::new(), numbers: None }
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

    /// Queues that have messages for somebody, and how many looks are worth it.
    pub fn queues(&self) -> impl Iterator<Item = (&str, u32)> {
        self.queues.iter().map(|(name, looks)| (name.as_str(), *looks))
    }

    /// Consumers whose lease was given back.
    pub fn consumers(&self) -> impl Iterator<Item = &str> {
        self.consumers.iter().map(String::as_str)
    }

    /// A queue has a message for somebody.
    pub fn add_queue(&mut self, name: &str) {
        self.bits |= Self::QUEUE;
        match self.place_of(name) {
            Ok(found) => self.add_looks(found, 1),
            Err(place) => self.queues.insert(place, (name.to_string(), 1)),
        }
    }

    /// Where a queue is among them, or would be.
    fn place_of(&self, name: &str) -> std::result::Result<usize, usize> {
        self.queues.binary_search_by(|(known, _)| known.as_str().cmp(name))
    }

    fn add_looks(&mut self, place: usize, more: u32) {
        if let Some((_, looks)) = self.queues.get_mut(place) {
            *looks = looks.saturating_add(more);
        }
    }

    /// The lease of a consumer was given back.
    pub fn add_consumer(&mut self, name: &str) {
        self.bits |= Self::LEASE;
        if !self.consumers.contains(name) {
            self.consumers.insert(name.to_string());
        }
    }

    /// Whether one of these reasons is among them.
    #[must_use]
    pub fn has(&self, any_of: &Self) -> bool {
        self.bits & any_of.bits != 0
    }

    /// The numbers that the commit took, which all that it concerns is told of: after the first one, up to
    /// the second.
    #[must_use]
    pub fn numbers(&self) -> Option<(i64, i64)> {
        self.numbers
    }

    /// See `numbers`.
    pub fn took_numbers(&mut self, after: i64, up_to: i64) {
        self.numbers = Some((after, up_to));
    }

    /// It concerns somebody by the name of a queue or a consumer.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.bits & (Self::QUEUE | Self::LEASE) != 0
    }

    /// Those of the reasons whose bits are given, and of the names those that somebody waits for.
    #[must_use]
    pub fn only(
        &self,
        bits: u8,
        waits_for_queue: impl Fn(&str) -> bool,
        waits_for_consumer: impl Fn(&str) -> bool,
    ) -> Self {
        let mut only = Self::of(self.bits & bits & !(Self::QUEUE | Self::LEASE));
        if self.bits & bits & Self::QUEUE != 0 {
            let awaited = self.queues.iter().filter(|(name, _)| waits_for_queue(name));
            only.queues = awaited.map(|(name, looks)| (name.clone(), *looks)).collect();
            only.bits |= if only.queues.is_empty() { 0 } else { Self::QUEUE };
        }
        if self.bits & bits & Self::LEASE != 0 {
            let awaited = self.consumers.iter().filter(|name| waits_for_consumer(name));
            only.consumers = awaited.cloned().collect();
            only.bits |= if only.consumers.is_empty() { 0 } else { Self::LEASE };
        }
        only
    }
}

impl BitOrAssign for Notice {
    fn bitor_assign(&mut self, mut other: Self) {
        self.bits |= other.bits;
        for (name, looks) in other.queues {
            match self.place_of(&name) {
                Ok(found) => self.add_looks(found, looks),
                Err(place) => self.queues.insert(place, (name, looks)),
            }
        }
        self.consumers.append(&mut other.consumers);
        self.numbers = self.numbers.or(other.numbers);
    }
}
