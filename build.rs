//! Link arguments of a Node-API addon. On Linux they hold the library in memory (`nodelete`): a worker thread
//! that was its last user must not unload code that the writer thread still runs.

fn main() {
    napi_build::setup();
}
