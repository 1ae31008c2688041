//! Whether anybody has committed, told without a query: by the header of the log's index, which all processes share.

use std::ffi::c_int;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering, fence};

use libsql::ffi;

use super::{Connection, MAIN};

/// The words of the header that every commit changes: it holds a counter of commits, the salts of the log and its size
/// (sqlite.org/walformat.html, "The WAL-Index File Format").
const LOG_INDEX_WORDS: usize = 12;
pub type LogIndexHeader = [AtomicU32; LOG_INDEX_WORDS];

/// What the newest commit of a file left in the header of the log's index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitMark([u32; LOG_INDEX_WORDS]);

impl Connection {
    /// Finds what `newest_commit` looks at. To be called in a read transaction: then the log is open, and its index is
    /// in memory until the connection closes.
    pub fn find_commit_mark(&mut self) {
        const REGION_BYTES: c_int = 32 * 1024;
        let mut file: *mut ffi::sqlite3_file = ptr::null_mut();
        let mut region = ptr::null_mut();
        // SAFETY: `db` is open and gives its file, whose methods SQLite documents. The first region of the index is asked
        // for in the size that SQLite uses, and not extended: it stays mapped until the log is closed, with `db`.
        unsafe {
            let out = (&raw mut file).cast();
            let code = ffi::sqlite3_file_control(self.db, MAIN.as_ptr(), ffi::SQLITE_FCNTL_FILE_POINTER, out);
            if code != ffi::SQLITE_OK || file.is_null() || (*file).pMethods.is_null() {
                return;
            }
            let methods = &*(*file).pMethods;
            if let Some(map) = methods.xShmMap.filter(|_| methods.iVersion >= 2)
                && map(file, 0, REGION_BYTES, 0, &raw mut region) == ffi::SQLITE_OK
            {
                self.log_index = region.cast();
            }
        }
    }

    /// The newest commit to the file by any process; `None` if that is not known (in memory, or before
    /// `find_commit_mark`). The same one twice: nothing was committed in between.
    #[must_use]
    pub fn newest_commit(&self) -> Option<CommitMark> {
        // SAFETY: null, or mapped for as long as `db` is open, and aligned: it is the begin of a page. Other processes
        // write words there, which are read as such.
        let header = unsafe { self.log_index.as_ref() }?;
        let mut words = [0; LOG_INDEX_WORDS];
        for (word, shared) in words.iter_mut().zip(header) {
            *word = shared.load(Ordering::Relaxed);
        }
        fence(Ordering::Acquire);
        Some(CommitMark(words))
    }
}
