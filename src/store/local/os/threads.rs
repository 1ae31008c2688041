//! The one place where threads begin. What runs in one may be at fault, and never ends the process for it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{Builder, JoinHandle};

/// Begins a thread; `at_fault` is called in it if `body` panics.
///
/// # Errors
/// Those of the system.
#[allow(clippy::disallowed_methods)]
pub fn spawn(
    name: &str,
    body: impl FnOnce() + Send + 'static,
    at_fault: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name.into()).spawn(move || {
        if catch_unwind(AssertUnwindSafe(body)).is_err() {
            let _ = catch_unwind(AssertUnwindSafe(at_fault));
        }
    })
}
