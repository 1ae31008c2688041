//! Node-API glue: convert in, call the core, convert out. The only module that names napi.

mod backup;
mod changes;
mod commit;
mod consumer;
mod functions;
mod handle;
mod index;
mod list;
mod lock;
mod notices;
mod queue;
mod results;
mod search;
mod values;
mod watch;
