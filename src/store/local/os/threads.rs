//! The only place that starts threads. A panic in one is reported, and never ends the process.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{Builder, JoinHandle};

use crate::base::error::{Code, Error, Result, SystemError};

/// Begins a thread; `at_fault` is called in it if `body` panics.
///
/// # Errors
/// `UNAVAILABLE` where the system has no thread left.
#[allow(clippy::disallowed_methods)]
pub fn spawn(
    name: &str,
    body: impl FnOnce() + Send + 'static,
    at_fault: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>> {
    let begun = Builder::new().name(name.into()).spawn(move || {
        if catch_unwind(AssertUnwindSafe(body)).is_err() {
            let _ = catch_unwind(AssertUnwindSafe(at_fault));
        }
    });
    begun.map_err(|error| {
        let message = format!("a thread cannot be started: {error}");
        Error::new(Code::Unavailable, message).because(SystemError::of(&error, "spawn", None))
    })
}
