//! Notices: hints that something may have happened. A notice says that it is worth looking, never that there
//! is something to find.

use std::collections::BTreeSet;
use std::ops::BitOrAssign;

/// A set of reasons to look, and the names of the queues and consumers that they concern.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notice {
    bits: u8,
    /// Queues in the order of their names, and the number of reasons to look at each.
    queues: Vec<(String, u32)>,
    /// The queues among them with a message that was stored before the commit.
    released: BTreeSet<String>,
    consumers: BTreeSet<String>,
    /// The last number before the commit, and the last number of the commit, if it took any
    /// (`ReadTxn::last_number`).
    numbers: Option<(i64, i64)>,
}

impl Notice {
    /// Operations of this process have ended, and concern no waiter.
    pub const NONE: Self = Self::of(0);
    /// This process appended to the change log.
    pub const CHANGES: Self = Self::of(1);
    /// This process made messages ready, or unblocked others.
    const QUEUE: u8 = 2;
    /// Another process has committed something.
    pub const ELSEWHERE: Self = Self::of(4);
    /// An awaited time has come.
    pub const TIME: Self = Self::of(8);
    /// This process gave back the leases of consumers.
    const LEASE: u8 = 16;

    const fn of(bits: u8) -> Self {
        Self {
            bits,
            queues: Vec::new(),
            released: BTreeSet::new(),
            consumers: BTreeSet::new(),
            numbers: None,
        }
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

    /// Queues that have messages for a listener, and how many looks are worth it.
    pub fn queues(&self) -> impl Iterator<Item = (&str, u32)> {
        self.queues.iter().map(|(name, looks)| (name.as_str(), *looks))
    }

    /// Consumers whose lease was given back.
    pub fn consumers(&self) -> impl Iterator<Item = &str> {
        self.consumers.iter().map(String::as_str)
    }

    /// A queue has a message for a listener.
    pub fn add_queue(&mut self, name: &str) {
        self.bits |= Self::QUEUE;
        match self.place_of(name) {
            Ok(found) => self.add_looks(found, 1),
            Err(place) => self.queues.insert(place, (name.to_string(), 1)),
        }
    }

    /// A message that was stored before the commit becomes ready.
    pub fn release_queue(&mut self, name: &str) {
        self.add_queue(name);
        if !self.released.contains(name) {
            self.released.insert(name.to_string());
        }
    }

    /// The queues with messages that were stored before the commit and become ready.
    pub fn released_queues(&self) -> impl Iterator<Item = &str> {
        self.released.iter().map(String::as_str)
    }

    /// Whether it releases stored messages or leases of consumers.
    #[must_use]
    pub fn is_of_release(&self) -> bool {
        !self.released.is_empty() || !self.consumers.is_empty()
    }

    /// The index of a queue, or the one to insert it at.
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

    /// Whether it has one of these reasons.
    #[must_use]
    pub fn has(&self, any_of: &Self) -> bool {
        self.bits & any_of.bits != 0
    }

    /// The numbers that the commit took: after the first one, up to the second. The notice names everything
    /// that they concern.
    #[must_use]
    pub fn numbers(&self) -> Option<(i64, i64)> {
        self.numbers
    }

    /// See `numbers`.
    pub fn took_numbers(&mut self, after: i64, up_to: i64) {
        self.numbers = Some((after, up_to));
    }

    /// Whether it names a queue or a consumer.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.bits & (Self::QUEUE | Self::LEASE) != 0
    }

    /// The reasons with the given bits, and the names that are awaited.
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
        self.released.append(&mut other.released);
        self.consumers.append(&mut other.consumers);
        self.numbers = self.numbers.or(other.numbers);
    }
}
