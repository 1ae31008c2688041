//! Law 2 for search indexes: whichever statement fails, an index is made, replaced, removed and updated
//! wholly or not at all.

use crate::support::atomicity::{all_or_nothing_of, all_or_nothing_write};
use crate::support::template::Template;
use crate::support::{commit, commit_ok, delete, key, set, sum, write};
use keyval::base::config::ChangeLog;
use keyval::engine::query::definition;
use keyval::engine::query::definition::Tokenizer;
use keyval::engine::query::filter::path_of;
use keyval::engine::request::Write;
use keyval::store::rows::index::SearchIndex;

fn index(field: &str) -> SearchIndex {
    let fields = [(field.to_string(), path_of(field.as_bytes()).unwrap())];
    definition::search_index(key(&["docs"]), &fields, Tokenizer::Unicode).unwrap()
}

fn create(index: SearchIndex) -> Write {
    Write::CreateSearchIndex(index)
}

/// Documents, and entries without words.
fn documents() -> Template {
    Template::new(ChangeLog::Keys).after(|kv| {
        let texts =
            [set(&["docs", "a"], r#"{"text":"one apple"}"#), set(&["docs", "b"], r#"{"text":"a pear"}"#)];
        commit_ok(kv, commit(texts.to_vec()));
        commit_ok(kv, commit(vec![set(&["docs", "list"], "[1]"), sum(&["docs", "count"], 5)]));
    })
}

fn indexed() -> Template {
    documents().after(|kv| drop(write(kv, create(index("text"))).unwrap()))
}

/// Seen to fail: with the error of a removed trigger passed over.
#[test]
fn indexes() {
    all_or_nothing_write("create", &documents(), &create(index("text")));
    all_or_nothing_write("replace", &indexed(), &create(index("title")));
    all_or_nothing_write("remove", &indexed(), &Write::RemoveIndexes(key(&["docs"]), None));
}

#[test]
fn entries() {
    let template = indexed();
    let fresh = r#"{"text":"fresh plum"}"#;
    all_or_nothing_of("a new one", &template, commit(vec![set(&["docs", "c"], fresh)]));
    let many = vec![
        set(&["docs", "a"], fresh),
        delete(&["docs", "b"]),
        set(&["docs", "b"], fresh),
        sum(&["docs", "count"], 1),
        delete(&["docs", "list"]),
        set(&["plain"], fresh),
    ];
    all_or_nothing_of("many", &template, commit(many));
}
