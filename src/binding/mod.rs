//! Node-API glue: convert in, call the core, convert out. The only module that names napi.

mod answers;
mod backup;
mod commit;
mod functions;
mod handle;
mod leases;
mod mailbox;
mod numbers;
mod queue;
mod search;
mod text;
mod values;
mod watch;
