//! Answers of the engine as JavaScript reads them: a page, or one JSON text.

use crate::base::error::Result;
use crate::codec::key_json;
use crate::codec::key_json::json_string;
use crate::codec::page::Page;
use crate::engine::answer::{Answer, Child, ChildCount, ConsumerLease, Dues, NamedIndex};
use crate::store::Info;
use crate::store::rows::index::IndexKind;
use crate::store::rows::lock::Lock;
use crate::store::rows::queue::QueueStats;

/// A serialised answer.
pub enum Written {
    /// A page.
    Page(Page),
    /// Any other answer, as JSON.
    Text(Vec<u8>),
    /// No answer: it would take long.
    WouldBlock,
}

/// Serialises an answer.
///
/// # Errors
/// `CORRUPT` if an index has a prefix that is no key.
pub fn written(answer: Answer) -> Result<Written> {
    let text = match answer {
        Answer::Page(page) => return Ok(Written::Page(page)),
        Answer::WouldBlock => return Ok(Written::WouldBlock),
        Answer::Done => "null".into(),
        Answer::Found(found) => found.to_string(),
        Answer::Count(count) => count.to_string(),
        Answer::Number(number) => number.to_string(),
        Answer::Due(due_ms) => number_or_null(due_ms),
        Answer::Id(id) => id.map_or("null".into(), |id| json_string(&id)),
        Answer::Children { children, more } => {
            let children = children.iter().map(child).collect::<Result<Vec<_>>>()?;
            format!("[{},[{}]]", u8::from(more), children.join(","))
        }
        Answer::Purged { count, more } => format!("[{count},{}]", u8::from(more)),
        Answer::Trimmed { count, more, up_to } => format!("[{count},{},{up_to}]", u8::from(more)),
        Answer::QueueStats(QueueStats { pending, processing, dead }) => {
            format!("[{pending},{processing},{dead}]")
        }
        Answer::Lock(lock) => lock.map_or("null".into(), |Lock { owner, token, expires_at }| {
            format!("[{},\"{token}\",{expires_at}]", json_string(&owner))
        }),
        Answer::LockTaken(token, until_ms) => {
            format!("[{},\"{}\",{until_ms}]", token.is_some(), token.unwrap_or(0))
        }
        Answer::ConsumerTaken(ConsumerLease::Held(until_ms)) => format!("[null,{until_ms}]"),
        Answer::ConsumerTaken(ConsumerLease::Taken { lease, position, prefix }) => {
            format!("[{lease},{position},{}]", key(&prefix)?)
        }
        Answer::Consumer { position, head, held_until_ms } => {
            format!("[{position},{head},{}]", number_or_null(held_until_ms))
        }
        Answer::Wakeups { more, ids } => {
            let ids: String = ids.iter().map(|id| format!(",{id}")).collect();
            format!("[{}{ids}]", u8::from(more))
        }
        Answer::Dues(Dues { queues, consumers, again_ms }) => {
            format!("[[{}],[{}],{}]", times(&queues), times(&consumers), number_or_null(again_ms))
        }
        Answer::Indexes(all) => {
            let all = all.iter().map(index).collect::<Result<Vec<_>>>()?;
            format!("[{}]", all.join(","))
        }
        Answer::Plan { index: Some((used, keys)), entries } => {
            format!("[{},{keys},{entries}]", index(&used)?)
        }
        Answer::Plan { index: None, entries } => format!("[null,{entries},{entries}]"),
        Answer::Info(info, entries) => self::info(&info, entries),
    };
    Ok(Written::Text(text.into_bytes()))
}

/// `[sqlite,schema,database,changeLog,retention,bytes,entries,deadLetterRetention]`
fn info(info: &Info, entries: u64) -> String {
    let Info { schema_version, retention_ms, size_bytes, .. } = info;
    let [sqlite, database, change_log] =
        [&info.sqlite_version, &info.database_id, &info.change_log].map(|text| json_string(text));
    let letters_ms = number_or_null(info.dead_letter_retention_ms);
    format!(
        "[{sqlite},{schema_version},{database},{change_log},{retention_ms},{size_bytes},{entries},{letters_ms}]"
    )
}

/// `[key,hasEntry,hasChildren,count]`; a count that ends is a text.
fn child(Child { key, has_entry, has_children, count }: &Child) -> Result<String> {
    let count = match count {
        None => "null".into(),
        Some(ChildCount::Exactly(count)) => count.to_string(),
        Some(ChildCount::MoreThan(count)) => format!("\"{count}+\""),
    };
    Ok(format!("[{},{},{},{count}]", self::key(key)?, u8::from(*has_entry), u8::from(*has_children)))
}

/// `[prefix,name,kind,spec,created]`
fn index(NamedIndex { name, row }: &NamedIndex) -> Result<String> {
    let kind = if row.kind == IndexKind::Ordered { "ordered" } else { "search" };
    let (prefix, name) = (key(&row.prefix)?, json_string(name));
    Ok(format!("[{prefix},{name},\"{kind}\",{},{}]", row.spec, row.created_at))
}

/// `name,time,…`
fn times(named: &[(String, i64)]) -> String {
    let all: Vec<_> = named.iter().map(|(name, ms)| format!("{},{ms}", json_string(name))).collect();
    all.join(",")
}

fn key(encoded: &[u8]) -> Result<String> {
    let mut text = Vec::new();
    key_json::write(encoded, &mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn number_or_null(number: Option<i64>) -> String {
    number.map_or("null".into(), |number| number.to_string())
}
