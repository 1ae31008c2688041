//! Results on their way to JavaScript.

pub mod answers;
pub mod mailbox;
pub mod numbers;
pub mod text;
