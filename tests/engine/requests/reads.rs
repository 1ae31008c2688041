//! Requests of reads.

use std::sync::Arc;

use super::{Counted, evens, index_of_evens, is_even, many, names};
use crate::support::{close, commit, commit_ok, key, keys_of, read, set};
use keyval::codec::key::descendants;
use keyval::codec::value::JSON;
use keyval::engine::answer::Answer;
use keyval::engine::awaited::Kind;
use keyval::engine::changes::feed::ChangesQuery;
use keyval::engine::changes::followers::{Reach, Target};
use keyval::engine::changes::watch::WatchRequest;
use keyval::engine::commit::Mutation;
use keyval::engine::query::definition::{Tokenizer, search_index};
use keyval::engine::query::filter::{Filter, path_of};
use keyval::engine::query::list::ListQuery;
use keyval::engine::query::search::SearchQuery;
use keyval::engine::queue::enqueue::NewMessage;
use keyval::engine::request::{Request, Write};

fn list(filter: Option<Filter>) -> Request {
    Request::List(ListQuery {
        range: descendants(&key(&["m"])),
        prefix_bytes: 0,
        reverse: false,
        keys_only: false,
        limit: 100,
        filter: filter.map(Arc::new),
        found: Default::default(),
        checks_values: false,
    })
}

/// Seen to fail: with keys, and the entries of an index, read one by one: 10 requests for 10 keys.
#[test]
fn reads() {
    let mut store = Counted::new();
    commit_ok(&mut store.kv, many(is_even));
    store.assert_read("get", 1, Request::Get(keys_of(&[&["a"]])));
    let keys = names(10);
    let parts: Vec<[&str; 2]> = keys.iter().map(|name| ["m", name.as_str()]).collect();
    let keys: Vec<&[&str]> = parts.iter().map(|parts| parts.as_slice()).collect();
    store.assert_read("10 keys", 1, Request::Get(keys_of(&keys)));
    store.assert_read("a page of a list", 1, list(None));
    store.assert_read("a page by a filter, the first time", 2, list(Some(evens())));
    store.assert_read("a page by a filter", 1, list(Some(evens())));
    store.assert_read("a count", 1, Request::Count(descendants(&key(&["m"])), None));
    index_of_evens(&mut store);
    // The remembered definitions are older than this index, so the range is read; the result is the same.
    store.assert_read("a page by an index that is not known yet", 1, list(Some(evens())));
    let Answer::Page(page) = store.assert_read("a page by an index", 2, list(Some(evens()))) else {
        panic!("no page")
    };
    assert_eq!(page.len(), 5);
    let range = descendants(&key(&["m"]));
    store.assert_read("how a filter is answered", 1, Request::Explain(range, Arc::new(evens())));
    store.assert_read("what the store is", 1, Request::Info);
    store.assert_read("indexes", 1, Request::Indexes);
    store.assert_read("messages", 1, Request::QueueStats(None));
    close(store.kv);
}

/// Seen to fail: with entries read one by one, and words checked again one by one.
#[test]
fn searches() {
    let mut store = Counted::new();
    let prefix = key(&["m"]);
    let fields = [("t".to_string(), path_of(b"t").unwrap())];
    let index = search_index(prefix.clone(), &fields, Tokenizer::Unicode).unwrap();
    store.assert_write("createIndex", 2, Write::CreateSearchIndex(index));
    commit_ok(&mut store.kv, many(|name| set(&["m", name], "{\"t\":\"word\"}")));
    let search = |wanted| SearchQuery {
        prefix: prefix.clone(),
        range: descendants(&prefix),
        words: "word".into(),
        filter: None,
        offset: 0,
        wanted,
        ranked: Arc::default(),
    };
    store.assert_read("a search, the first time", 2, Request::Search(Box::new(search(10))));
    store.assert_read("a search", 1, Request::Search(Box::new(search(10))));
    let long = search(2000);
    store.assert_read("the first page of a long one", 2, Request::Search(Box::new(long.clone())));
    commit_ok(&mut store.kv, many(|name| set(&["m", name], "{\"t\":\"word again\"}")));
    store.assert_read("a page of what was written since", 2, Request::Search(Box::new(long)));
    close(store.kv);
}

/// Seen to fail: with the log, its state and each entry read one after another: 12 requests for 10 keys.
#[test]
fn changes() {
    let mut store = Counted::new();
    store.kv.awaited().add(Kind::Queue, "none".into());
    let target = |name: &str, reach| Target { key: key(&["m", name]), reach };
    let exact: Vec<_> = names(10).iter().map(|name| target(name, Reach::Exact)).collect();
    let all = vec![Target { key: key(&["m"]), reach: Reach::Under }];
    for (name, targets) in [("a prefix", all), ("10 keys", exact)] {
        commit_ok(&mut store.kv, many(|name| set(&["m", name], "1")));
        let from = commit_ok(&mut store.kv, commit(vec![set(&["o"], "1")])).0;
        let request = |emit_initial, from| WatchRequest {
            targets: targets.clone(),
            emit_initial,
            from,
            buffer_keys: None,
            drop_newest: false,
        };
        let (watch, requests) = store.of(|kv| {
            let watch = kv.watch(request(true, None)).unwrap();
            let first = read(kv, Request::Watch(Arc::clone(&watch)));
            assert!(matches!(&first, Answer::Page(page) if page.len() == 10), "{first:?}");
            watch
        });
        assert!(requests <= 3, "{name}: its beginning and the current state: {requests}");
        commit_ok(&mut store.kv, many(|name| set(&["m", name], "2")));
        let batch = store.assert_read(name, 2, Request::Watch(Arc::clone(&watch)));
        assert!(matches!(&batch, Answer::Page(page) if page.len() == 10), "{batch:?}");
        store.assert_read("nothing more", 1, Request::Watch(Arc::clone(&watch)));
        let followers = store.kv.followers();
        store.assert_read("whom changes concern", 1, Request::Wakeups(followers));
        watch.stop();
        let (resumed, requests) = store.of(|kv| {
            let watch = kv.watch(request(false, Some(from))).unwrap();
            let batch = read(kv, Request::Watch(Arc::clone(&watch)));
            assert!(matches!(&batch, Answer::Page(page) if page.len() == 10), "{batch:?}");
            watch
        });
        // The first batch may be asked for before the watch has its position: then the batch takes it.
        assert!(requests <= 5, "{name}: its place, and what has changed since: {requests}");
        resumed.stop();
    }
    // The commit waits for the beginning of the watch, which may come after the request for its first batch.
    commit_ok(&mut store.kv, commit(vec![set(&["o"], "2")]));
    let feed = ChangesQuery { after: Some(0), prefix: Vec::new(), limit: 500, follower: None };
    store.assert_read("a page of the feed", 1, Request::Changes(feed));
    store.assert_read("the newest change", 1, Request::Head);
    close(store.kv);
}

/// Seen to fail: without reading announced rows ahead: 4 requests.
#[test]
fn waiting() {
    let mut store = Counted::new();
    for name in names(10) {
        store.kv.awaited().add(Kind::Queue, name.clone());
        store.kv.awaited().add(Kind::Consumer, name.clone());
        let message = NewMessage { queue: name, ..NewMessage::of(JSON, b"1".to_vec()) };
        commit_ok(&mut store.kv, commit(vec![Mutation::Enqueue(Box::new(message))]));
    }
    let awaited = store.kv.awaited();
    let Answer::Dues(dues) = store.assert_read("10 queues and 10 leases", 2, Request::Dues(awaited)) else {
        panic!()
    };
    assert_eq!((dues.queues.len(), dues.consumers.len()), (10, 10));
    let awaited = store.kv.awaited();
    store.assert_read("the same, where nothing was written since", 1, Request::Dues(awaited));
    store.assert_read("when a queue is due", 1, Request::QueueDue("00".into()));
    close(store.kv);
}
