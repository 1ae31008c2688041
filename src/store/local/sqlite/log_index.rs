//! The begin of the log's index (sqlite.org/walformat.html, "The WAL-Index File Format").

use std::sync::atomic::AtomicU32;

/// The header, its copy, and the state of checkpoints, in words.
pub type LogIndex = [AtomicU32; 34];
