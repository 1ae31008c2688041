//! The begin of the log's index, which is in memory that all processes share: whether anybody has committed,
//! without a query, and whether the log is whole (`mend.rs`).

use std::sync::atomic::{Ordering, fence};

use super::connection::Connection;
use super::files::LogIndex;

/// The words of the header that every commit changes: it holds a counter of commits, the salts of the log and
/// its size (sqlite.org/walformat.html, "The WAL-Index File Format").
const HEADER_WORDS: usize = 12;

/// The header of the log's index after the newest commit to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitMark([u32; HEADER_WORDS]);

impl Connection {
    /// Finds what `newest_commit` looks at. To be called when a transaction has opened the log: then its
    /// index is in memory until the connection closes.
    pub fn find_commit_mark(&mut self) {
        if let Some(region) = self.database().and_then(|file| file.shared_memory()) {
            self.log_index = region.cast();
        }
    }

    /// The begin of the log's index; `None` if it is not known (in memory, or before `find_commit_mark`).
    pub(super) fn log_index(&self) -> Option<&LogIndex> {
        // SAFETY: null, or mapped for as long as `db` is open, and aligned: it is the begin of a page. Other
        // processes write words there, which are read as such.
        unsafe { self.log_index.as_ref() }
    }

    /// The newest commit to the file by any process; `None` if that is not known. The same one twice: nothing
    /// was committed in between.
    #[must_use]
    pub fn newest_commit(&self) -> Option<CommitMark> {
        let index = self.log_index()?;
        let mut words = [0; HEADER_WORDS];
        for (word, shared) in words.iter_mut().zip(index) {
            *word = shared.load(Ordering::Relaxed);
        }
        fence(Ordering::Acquire);
        Some(CommitMark(words))
    }
}
