//! The meaning of commits, implemented a second time: a sorted map, and the log rows that a commit must
//! leave.

use std::collections::BTreeMap;
use std::ops::Bound;

use keyval::base::error::Code;
use keyval::codec::key::{Part, decode, encode};
use keyval::codec::value::Counter;
use keyval::engine::commit::arithmetic::Arithmetic;
use keyval::engine::commit::{Check, Commit, Mutation, Outcome, Reply};
use num_bigint::BigInt;
use serde_json::Value;

/// A row, live or expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub versionstamp: String,
    pub expires_at: Option<i64>,
    pub encoding: u8,
    pub value: Vec<u8>,
}

/// The outcome of a commit, without its versionstamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Committed(Vec<Reply>),
    Conflict(Vec<(usize, Option<String>)>),
    Error(Code),
}

impl End {
    pub fn of(result: &Result<Outcome, keyval::base::error::Error>) -> Self {
        match result {
            Ok(Outcome::Committed { replies, .. }) => Self::Committed(replies.clone()),
            Ok(Outcome::Conflict(failed)) => Self::Conflict(failed.clone()),
            Err(error) => Self::Error(error.code),
        }
    }
}

/// The log row of one key: the operation, and the value afterwards.
pub type Logged = (&'static str, Option<(u8, Vec<u8>)>);

/// The rows of a commit in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedCommit {
    pub stamp: Option<String>,
    pub keys: BTreeMap<Vec<u8>, Logged>,
}

/// The store.
#[derive(Debug, Clone, Default)]
pub struct Model {
    pub rows: BTreeMap<Vec<u8>, Row>,
    pub now: i64,
    /// The expected rows of the log since the last comparison.
    pub log: Vec<LoggedCommit>,
    /// A unique index refused an entry of the commit.
    pub is_refused: bool,
}

type Applied<T> = Result<T, Code>;

impl Model {
    pub fn is_live(&self, row: &Row) -> bool {
        row.expires_at.is_none_or(|at| self.now < at)
    }

    pub fn live(&self, key: &[u8]) -> Option<&Row> {
        self.rows.get(key).filter(|row| self.is_live(row))
    }

    /// Applies a commit; `stamp` is the one that the store gave it.
    pub fn commit(&mut self, commit: &Commit, stamp: Option<&str>) -> End {
        let failed = self.failed(&commit.checks);
        if !failed.is_empty() {
            return End::Conflict(failed);
        }
        let before = self.rows.clone();
        let mut replies = Vec::new();
        let mut touched = Vec::new();
        for mutation in &commit.mutations {
            match self.mutate(mutation, stamp.unwrap_or("?"), &mut touched) {
                Ok(reply) => replies.push(reply),
                Err(code) => {
                    (self.rows, self.is_refused) = (before, false);
                    return End::Error(code);
                }
            }
        }
        // An error of any mutation is found before the store refuses the write of an earlier one.
        if std::mem::take(&mut self.is_refused) {
            self.rows = before;
            return End::Error(Code::Conflict);
        }
        self.log_changes(&before, touched, stamp);
        End::Committed(replies)
    }

    fn failed(&self, checks: &[Check]) -> Vec<(usize, Option<String>)> {
        let current = |check: &Check| self.live(&check.key).map(|row| row.versionstamp.clone());
        let all =
            checks.iter().enumerate().map(|(index, check)| (index, current(check), &check.versionstamp));
        all.filter(|(_, current, wanted)| current != *wanted)
            .map(|(index, current, _)| (index, current))
            .collect()
    }

    fn log_changes(&mut self, before: &BTreeMap<Vec<u8>, Row>, touched: Vec<Vec<u8>>, stamp: Option<&str>) {
        let mut keys = BTreeMap::new();
        for key in touched {
            let was_live = before.get(&key).is_some_and(|row| self.is_live(row));
            let kind = match (self.rows.get(&key), before.contains_key(&key)) {
                (Some(row), _) => {
                    let op = if was_live { "update" } else { "create" };
                    (op, Some((row.encoding, row.value.clone())))
                }
                (None, true) => ("delete", None),
                (None, false) => continue,
            };
            keys.insert(key, kind);
        }
        if !keys.is_empty() {
            self.log.push(LoggedCommit { stamp: stamp.map(str::to_string), keys });
        }
    }

    fn mutate(&mut self, mutation: &Mutation, stamp: &str, touched: &mut Vec<Vec<u8>>) -> Applied<Reply> {
        let (key, expires_in_ms, (encoding, value), reply) = match mutation {
            Mutation::Set { key, stamped, encoding, value, expires_in_ms } => {
                let key = if *stamped { with_part(key, stamp) } else { key.clone() };
                self.rows.remove(&key);
                (key, expires_in_ms, (*encoding, value.clone()), Reply::Done)
            }
            Mutation::Delete(key) => return Ok(self.delete(vec![key.clone()], touched)),
            Mutation::DeleteRange(range) => {
                let bounds = (Bound::Included(&range.start), Bound::Excluded(&range.end));
                let keys = if range.start < range.end {
                    self.rows.range::<Vec<u8>, _>(bounds).map(|(key, _)| key.clone()).collect()
                } else {
                    Vec::new()
                };
                return Ok(self.delete(keys, touched));
            }
            Mutation::Arithmetic { key, operation, operand, expires_in_ms } => {
                let counter = calculate(self.live(key), *operation, operand)?;
                (key.clone(), expires_in_ms, stored(&counter), Reply::Counter(counter))
            }
            Mutation::Append { key, front, values, expires_in_ms } => {
                let added = (values.encoding, values.text.clone());
                let (encoding, text) = append(self.live(key), added, *front)?;
                let length = members(&text).unwrap().len() as u64;
                (key.clone(), expires_in_ms, (encoding, text), Reply::Count(length))
            }
            Mutation::Touch { key, expires_in_ms } => {
                let (now, found) = (self.now, self.live(key).is_some());
                if let Some(row) = self.rows.get_mut(key).filter(|_| found) {
                    row.expires_at = Some(now + expires_in_ms);
                }
                return Ok(Reply::Found(found));
            }
            Mutation::DeleteMatching(..) | Mutation::Patch { .. } => {
                unreachable!("the model knows no filters and no patches")
            }
            Mutation::Enqueue(message) => return Ok(Reply::Id(message.id.clone())),
        };
        self.make_room(&key, encoding, &value, touched);
        let kept = self.live(&key).and_then(|row| row.expires_at);
        let expires_at = expires_in_ms.map(|ms| self.now + ms).or(kept);
        self.rows.insert(key.clone(), Row { versionstamp: stamp.into(), expires_at, encoding, value });
        touched.push(key);
        Ok(reply)
    }

    /// Entries under `["u"]` that have a `u` have different ones.
    fn make_room(&mut self, key: &[u8], encoding: u8, value: &[u8], touched: &mut Vec<Vec<u8>>) {
        let under = encode(&[Part::String("u".into())]).unwrap();
        let unique = |key: &[u8], encoding: u8, value: &[u8]| {
            let is_under = encoding == 0 && key.starts_with(&under) && key != under;
            let json = is_under.then(|| serde_json::from_slice::<Value>(value).unwrap());
            json.and_then(|json| json["u"].as_i64())
        };
        let Some(wanted) = unique(key, encoding, value) else { return };
        let holder = self
            .rows
            .iter()
            .find(|(other, row)| *other != key && unique(other, row.encoding, &row.value) == Some(wanted));
        match holder.map(|(key, row)| (key.clone(), self.is_live(row))) {
            Some((_, true)) => self.is_refused = true,
            Some((holder, false)) => {
                self.rows.remove(&holder);
                touched.push(holder);
            }
            None => {}
        }
    }

    fn delete(&mut self, keys: Vec<Vec<u8>>, touched: &mut Vec<Vec<u8>>) -> Reply {
        let mut live = 0;
        for key in keys {
            live += u64::from(self.live(&key).is_some());
            self.rows.remove(&key);
            touched.push(key);
        }
        Reply::Count(live)
    }

    /// Removes what has expired.
    pub fn sweep(&mut self) {
        let before = self.rows.clone();
        let gone: Vec<_> =
            before.iter().filter(|(_, row)| !self.is_live(row)).map(|(key, _)| key.clone()).collect();
        self.rows.retain(|key, _| !gone.contains(key));
        self.log_changes(&before, gone, None);
    }
}

fn with_part(key: &[u8], text: &str) -> Vec<u8> {
    let mut parts = decode(key).unwrap();
    parts.push(Part::String(text.to_string().into()));
    encode(&parts).unwrap()
}

fn stored(counter: &Counter) -> (u8, Vec<u8>) {
    match counter {
        Counter::Int(int) => (1, format!(r#"{{"__type":"bigint","value":"{int}"}}"#).into_bytes()),
        Counter::U64(int) => (3, int.to_le_bytes().to_vec()),
    }
}

/// A stored whole number, of those that the tests write.
fn whole(row: &Row) -> Applied<BigInt> {
    let json: Value = match row.encoding {
        0 | 1 => serde_json::from_slice(&row.value).unwrap(),
        _ => return Err(Code::TypeMismatch),
    };
    let tagged = json["value"].as_str().filter(|_| row.encoding == 1 && json["__type"] == "bigint");
    let digits = tagged.map(str::to_string).or_else(|| json.as_i64().map(|int| int.to_string()));
    digits.ok_or(Code::TypeMismatch).map(|digits| digits.parse().unwrap())
}

fn calculate(row: Option<&Row>, operation: Arithmetic, operand: &Counter) -> Applied<Counter> {
    let Some(row) = row else { return Ok(operand.clone()) };
    if row.encoding == 3 {
        let old = u64::from_le_bytes(row.value.as_slice().try_into().unwrap());
        let by = match operand {
            Counter::Int(operand) => u64::try_from(operand).map_err(|_| Code::InvalidArgument)?,
            Counter::U64(operand) => *operand,
        };
        return Ok(Counter::U64(match operation {
            Arithmetic::Sum => u64::try_from((u128::from(old) + u128::from(by)) % (1 << 64)).unwrap(),
            Arithmetic::Max => old.max(by),
            Arithmetic::Min => old.min(by),
        }));
    }
    let old = whole(row)?;
    let Counter::Int(operand) = operand else { return Err(Code::TypeMismatch) };
    Ok(Counter::Int(match operation {
        Arithmetic::Sum => old + operand,
        Arithmetic::Max if old > *operand => old,
        Arithmetic::Min if old < *operand => old,
        _ => operand.clone(),
    }))
}

fn members(text: &[u8]) -> Option<Vec<Value>> {
    serde_json::from_slice(text).ok()
}

fn append(row: Option<&Row>, added: (u8, Vec<u8>), front: bool) -> Applied<(u8, Vec<u8>)> {
    let old = row.map_or((0, b"[]".to_vec()), |row| (row.encoding, row.value.clone()));
    if old.0 > 1 || members(&old.1).is_none() {
        return Err(Code::TypeMismatch);
    }
    let encoding = old.0.max(added.0);
    let (first, second) = if front { (added.1, old.1) } else { (old.1, added.1) };
    let inner = |text: &[u8]| text[1..text.len() - 1].to_vec();
    let parts: Vec<_> = [inner(&first), inner(&second)].into_iter().filter(|part| !part.is_empty()).collect();
    Ok((encoding, [b"[".to_vec(), parts.join(&b','), b"]".to_vec()].concat()))
}
