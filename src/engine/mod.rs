//! What reads and commits mean, on any store. Whatever asks the store fails with its errors too; the others
//! are named.

pub mod answer;
pub mod awaited;
pub mod changes;
pub mod commit;
pub mod get;
pub mod lock;
pub mod query;
pub mod queue;
pub mod read;
pub mod request;
pub mod sweep;
pub mod write;
