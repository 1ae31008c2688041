//! JavaScript values on their way in.

pub mod codes;
pub mod convert;
pub mod raw;
mod wording;
