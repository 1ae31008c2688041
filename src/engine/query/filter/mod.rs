//! `where` filters: conditions on stored values. The store's SQL may leave out rows that cannot match; the
//! decision is made here.

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
