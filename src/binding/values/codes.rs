//! Numbers that stand for words on their way from JavaScript: the constants of `lib/wire/codes.ts`, which a
//! test compares with these by name.

use crate::base::error::{Error, Result};
use crate::engine::awaited::Kind;
use crate::engine::changes::followers::Reach;
use crate::engine::commit::Stamping;
use crate::engine::commit::arithmetic::Arithmetic;
use crate::engine::queue::settle::End;

const STAMP_ALWAYS: u8 = 0;
const STAMP_IF_CHANGED: u8 = 1;
const STAMP_NEVER: u8 = 2;

const ARITHMETIC_SUM: u8 = 0;
const ARITHMETIC_MAX: u8 = 1;
const ARITHMETIC_MIN: u8 = 2;

const REACH_EXACT: u8 = 0;
const REACH_TREE: u8 = 1;
const REACH_UNDER: u8 = 2;

const END_DONE: u8 = 0;
const END_FAILED: u8 = 1;
const END_RETURNED: u8 = 2;
const END_RELEASED: u8 = 3;
const END_UNREADABLE: u8 = 4;

const WAIT_QUEUE: u8 = 0;
const WAIT_LEASE: u8 = 1;

fn unknown<T>(name: &'static str, code: u8) -> Result<T> {
    Err(Error::invalid(format!("there is no {code}")).at(name))
}

/// When a commit issues a versionstamp.
pub fn stamping(code: u8) -> Result<Stamping> {
    match code {
        STAMP_ALWAYS => Ok(Stamping::Always),
        STAMP_IF_CHANGED => Ok(Stamping::IfChanged),
        STAMP_NEVER => Ok(Stamping::Never),
        _ => unknown("stamping", code),
    }
}

/// The kind of a counter mutation.
pub fn arithmetic(code: u8) -> Result<Arithmetic> {
    match code {
        ARITHMETIC_SUM => Ok(Arithmetic::Sum),
        ARITHMETIC_MAX => Ok(Arithmetic::Max),
        ARITHMETIC_MIN => Ok(Arithmetic::Min),
        _ => unknown("operation", code),
    }
}

/// The reach of a watched key.
pub fn reach(code: u8) -> Result<Reach> {
    match code {
        REACH_EXACT => Ok(Reach::Exact),
        REACH_TREE => Ok(Reach::Tree),
        REACH_UNDER => Ok(Reach::Under),
        _ => unknown("reach", code),
    }
}

/// The end of an attempt to handle a message; `error`: of its handler.
pub fn end(code: u8, error: String) -> Result<End> {
    match code {
        END_DONE => Ok(End::Done),
        END_FAILED => Ok(End::Failed(error)),
        END_RETURNED => Ok(End::Returned),
        END_RELEASED => Ok(End::Released),
        END_UNREADABLE => Ok(End::Damaged(error)),
        _ => unknown("end", code),
    }
}

/// The kind of an awaited name.
pub fn wait(code: u8) -> Result<Kind> {
    match code {
        WAIT_QUEUE => Ok(Kind::Queue),
        WAIT_LEASE => Ok(Kind::Consumer),
        _ => unknown("kind", code),
    }
}
