//! What may have happened, as it is told to those who wait for it. A notice says that a look is worth it, never that
//! there is something to see.

use std::ops::{BitOr, BitOrAssign};

/// A set of reasons to look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Notice(u8);

impl Notice {
    /// Work of this process has ended, and nobody waits for what it did.
    pub const NONE: Self = Self(0);
    /// This process appended to the change log.
    pub const CHANGES: Self = Self(1);
    /// This process made a message ready, or another one free to go.
    pub const QUEUE: Self = Self(2);
    /// Another process has committed something.
    pub const ELSEWHERE: Self = Self(4);
    /// The time that was waited for has come.
    pub const TIME: Self = Self(8);

    /// This process gave back the lease of a consumer.
    pub const LEASE: Self = Self(16);

    /// The reasons as bits.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.0
    }

    /// Reasons from their bits.
    #[must_use]
    pub fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// Whether one of these reasons is among them.
    #[must_use]
    pub fn has(self, any_of: Self) -> bool {
        self.0 & any_of.0 != 0
    }
}

impl BitOr for Notice {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Notice {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}
