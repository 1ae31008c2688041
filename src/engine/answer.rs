//! What a read or a task found.

use super::page::Page;

/// An answer on its way to JavaScript.
#[derive(Debug)]
pub enum Answer {
    /// Entries.
    Page(Page),
    /// A count.
    Count(u64),
    /// JSON.
    Text(Vec<u8>),
    /// It would take long: ask where that does no harm.
    TakesLong,
}

impl Answer {
    /// JSON.
    #[must_use]
    pub fn json(text: impl Into<String>) -> Self {
        Self::Text(text.into().into_bytes())
    }
}
