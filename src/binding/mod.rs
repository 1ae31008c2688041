//! Node-API glue: convert in, call the core, convert out. The only module that names napi.

mod convert;
mod handle;
mod mailbox;
mod text;
