//! Types that every layer shares. They call nothing above them.

pub mod clock;
pub mod config;
pub mod duration;
pub mod error;
pub mod limits;
pub mod metrics;
