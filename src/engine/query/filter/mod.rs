//! `where` filters: what a stored value must be like. The store's SQL may leave rows out that cannot match;
//! whether one matches is decided here.

mod advice;
pub mod decimal;
mod matches;
mod one_of;
mod operand;
mod parse;
pub mod typed;

pub use matches::{Anchor, Filter, Path, Step, Test};
pub use operand::Operand;
pub use parse::{parse, path_of};
