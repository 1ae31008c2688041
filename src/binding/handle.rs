//! What `lib/native.ts` calls: one `Handle` an open `Kv`, one `Scan` a list, and a few functions.
//!
//! A commit is built call by call (`begin`, `check`, `put`, …, `submit`), which JavaScript does without a pause, so
//! that no array of operations has to be made there and walked here.

use std::sync::atomic::AtomicU8;
use std::sync::{Arc, Weak};

use napi::Env;
use napi::bindgen_prelude::Uint8Array;
use napi_derive::napi;
use parking_lot::Mutex;

use super::convert::{self, Raw};
use super::mailbox::{Mailbox, Wake};
use super::text::{Packet, Text, thrown};
use crate::codec::value::ArrayText;
use crate::codec::{cursor, key, key_json};
use crate::config::{ChangeLog, Durability, Options};
use crate::engine::arithmetic::Arithmetic;
use crate::engine::atomic::{Check, Commit, Mutation, Stamping};
use crate::engine::range::{Selector, after_cursor};
use crate::engine::read::{Answer, Keys, ListQuery, Request};
use crate::error::{Error, Result};
use crate::kv::Kv;
use crate::limits::MAX_KEY_PARTS;

/// The name of an error's code; the attribute macro wants to read `Result` in a signature.
type CodeName = &'static str;

/// An open `Kv` of one environment.
#[napi]
pub struct Handle {
    kv: Option<Kv>,
    /// `None` when it is closed and read out: it holds the JavaScript objects that it wakes.
    mailbox: Option<Arc<Mailbox>>,
    keys: Keys,
    building: Commit,
}

/// A list: where it stands.
#[napi]
pub struct Scan {
    query: Arc<Mutex<ListQuery>>,
}

#[napi]
impl Handle {
    /// Opens. The arguments are those of `KvOptions`, one by one; `wake` is called when there is something to drain.
    #[napi(constructor)]
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        env: Env,
        url: Raw,
        durability: Raw,
        busy_timeout: Raw,
        sweep_interval: Raw,
        change_log: Raw,
        retention: Raw,
        wake: Wake,
    ) -> napi::Result<Self, CodeName> {
        let open = || {
            let choice = |value, name| {
                let given = !convert::is_absent(env, value);
                given.then(|| convert::text(env, value, name)).transpose()
            };
            let options = Options {
                durability: choice(durability, "durability")?
                    .map_or(Ok(Durability::default()), |text| Durability::parse(&text))?,
                busy_timeout_ms: convert::duration(env, busy_timeout, "busyTimeout")?,
                sweep_interval_ms: convert::duration(env, sweep_interval, "sweepInterval")?,
                change_log: choice(change_log, "changeLog")?
                    .map(|text| ChangeLog::parse(&text))
                    .transpose()?,
                retention_ms: convert::duration(env, retention, "retention")?,
                fault: None,
            };
            Kv::open(&convert::text(env, url, "url")?, &options)
        };
        let kv = open().map_err(thrown)?;
        let mailbox = Mailbox::new(wake);
        let weak: Weak<Mailbox> = Arc::downgrade(&mailbox);
        kv.on_finished(Box::new(move || weak.upgrade().inspect(|mailbox| mailbox.announce()).is_some()));
        Ok(Self { kv: Some(kv), mailbox: Some(mailbox), keys: Keys::default(), building: Commit::default() })
    }

    fn kv(&mut self) -> Result<&mut Kv> {
        self.kv.as_mut().ok_or_else(Error::closed)
    }

    fn mailbox(&self) -> Result<Arc<Mailbox>> {
        self.mailbox.clone().ok_or_else(Error::closed)
    }

    /// Adds a key to the reads of this tick.
    #[napi]
    pub fn read_key(&mut self, env: Env, key: Raw) -> napi::Result<(), CodeName> {
        self.keys.push_with(|out| convert::key(env, key, "key", out)).map_err(thrown)
    }

    /// Forgets all but the first `length` keys that were added.
    #[napi]
    pub fn truncate_reads(&mut self, length: u32) {
        self.keys.truncate(length as usize);
    }

    /// Answers the keys that were added: a page, or nothing if it comes by mail under `id`.
    #[napi]
    pub fn read_batch(&mut self, id: u32) -> napi::Result<Packet, CodeName> {
        let request = Request::Get(std::mem::take(&mut self.keys));
        let answer = self.kv().and_then(|kv| kv.read_now(&request));
        let later = matches!(answer, Ok(Answer::TakesLong));
        if later {
            self.read_later(id, request).map_err(thrown)?;
        } else if let Request::Get(mut keys) = request {
            keys.truncate(0);
            self.keys = keys;
        }
        match answer.map_err(thrown)? {
            Answer::Page(page) => Ok(Packet::new(page.text, page.bytes)),
            _ => Ok(Packet::Later),
        }
    }

    fn read_later(&mut self, id: u32, request: Request) -> Result<()> {
        let mailbox = self.mailbox()?;
        self.kv()?.read_later(request, Box::new(move |answer| mailbox.post_answer(id, answer)));
        Ok(())
    }

    /// Begins a list.
    #[napi]
    #[allow(clippy::too_many_arguments)]
    pub fn scan(
        &self,
        env: Env,
        prefix: Raw,
        start: Raw,
        end: Raw,
        cursor: String,
        reverse: bool,
        keys_only: bool,
        batch: u32,
    ) -> napi::Result<Scan, CodeName> {
        let range = selector(env, prefix, start, end).and_then(|selector| selector.range());
        let range = range.and_then(|range| after_cursor(range, &cursor, reverse)).map_err(thrown)?;
        let query = ListQuery { range, reverse, keys_only, limit: batch as usize };
        Ok(Scan { query: Arc::new(Mutex::new(query)) })
    }

    /// Reads the next page of at most `limit` entries, or nothing if it comes by mail under `id`.
    #[napi]
    pub fn scan_page(&mut self, scan: &Scan, limit: u32, id: u32) -> napi::Result<Packet, CodeName> {
        let query = ListQuery { limit: limit as usize, ..scan.query.lock().clone() };
        let request = Request::List(query);
        match self.kv().and_then(|kv| kv.read_now(&request)).map_err(thrown)? {
            Answer::Page(page) => {
                scan.advance(&page.last_key);
                Ok(Packet::new(page.text, page.bytes))
            }
            _ => {
                let (mailbox, query) = (self.mailbox().map_err(thrown)?, Arc::clone(&scan.query));
                let done = move |answer: Result<Answer>| {
                    if let Ok(Answer::Page(page)) = &answer {
                        Scan { query }.advance(&page.last_key);
                    }
                    mailbox.post_answer(id, answer);
                };
                self.kv().map_err(thrown)?.read_later(request, Box::new(done));
                Ok(Packet::Later)
            }
        }
    }

    /// Counts a range; the answer comes by mail under `id`.
    #[napi]
    pub fn count(
        &mut self,
        env: Env,
        id: u32,
        prefix: Raw,
        start: Raw,
        end: Raw,
    ) -> napi::Result<(), CodeName> {
        let range =
            selector(env, prefix, start, end).and_then(|selector| selector.range()).map_err(thrown)?;
        self.read_later(id, Request::Count(range)).map_err(thrown)
    }

    /// Stages a commit of one set; its outcome comes by mail under `id`.
    #[napi]
    #[allow(clippy::too_many_arguments)]
    pub fn set(
        &mut self,
        env: Env,
        id: u32,
        key: Raw,
        stamped: bool,
        data: Raw,
        encoding: u8,
        expires_in: Raw,
    ) -> napi::Result<(), CodeName> {
        let mutation = set_mutation(env, key, stamped, data, encoding, expires_in).map_err(thrown)?;
        self.stage(id, Commit::of(mutation)).map_err(thrown)
    }

    fn stage(&mut self, id: u32, commit: Commit) -> Result<()> {
        let mailbox = self.mailbox()?;
        self.kv()?.stage(commit, Box::new(move |outcome| mailbox.post_outcome(id, outcome)))
    }

    /// Hands what was staged in this tick to the writer.
    #[napi]
    pub fn flush(&mut self) {
        if let Some(kv) = &mut self.kv {
            kv.flush();
        }
    }

    /// Begins a commit.
    #[napi]
    pub fn begin(&mut self) {
        self.building = Commit::default();
    }

    /// Adds a precondition.
    #[napi]
    pub fn check(&mut self, env: Env, key: Raw, versionstamp: Raw) -> napi::Result<(), CodeName> {
        let check =
            || Ok(Check { key: one_key(env, key)?, versionstamp: convert::versionstamp(env, versionstamp)? });
        let index = self.building.checks.len();
        self.building
            .checks
            .push(check().map_err(|error: Error| thrown(error.at(&format!("checks[{index}]: "))))?);
        Ok(())
    }

    fn add(&mut self, mutation: Result<Mutation>) -> napi::Result<(), CodeName> {
        self.building.mutations.push(mutation.map_err(thrown)?);
        Ok(())
    }

    /// Adds a set.
    #[napi]
    pub fn put(
        &mut self,
        env: Env,
        key: Raw,
        stamped: bool,
        data: Raw,
        encoding: u8,
        expires_in: Raw,
    ) -> napi::Result<(), CodeName> {
        self.add(set_mutation(env, key, stamped, data, encoding, expires_in))
    }

    /// Adds a delete of one key.
    #[napi]
    pub fn remove(&mut self, env: Env, key: Raw) -> napi::Result<(), CodeName> {
        self.add(one_key(env, key).map(Mutation::Delete))
    }

    /// Adds a delete of a key and its descendants.
    #[napi]
    pub fn remove_tree(&mut self, env: Env, key: Raw) -> napi::Result<(), CodeName> {
        self.add(one_key(env, key).map(|key| Mutation::DeleteRange(key::tree(&key))))
    }

    /// Adds a delete of a range.
    #[napi]
    pub fn remove_range(
        &mut self,
        env: Env,
        prefix: Raw,
        start: Raw,
        end: Raw,
    ) -> napi::Result<(), CodeName> {
        self.add(
            selector(env, prefix, start, end)
                .and_then(|selector| selector.range())
                .map(Mutation::DeleteRange),
        )
    }

    /// Adds a sum (0), max (1) or min (2).
    #[napi]
    pub fn arithmetic(
        &mut self,
        env: Env,
        operation: u8,
        key: Raw,
        operand: Raw,
        expires_in: Raw,
    ) -> napi::Result<(), CodeName> {
        let operation = match operation {
            0 => Arithmetic::Sum,
            1 => Arithmetic::Max,
            _ => Arithmetic::Min,
        };
        let mutation = || {
            let key = one_key(env, key)?;
            let (operand, expires_in_ms) =
                (convert::integer(env, operand)?, convert::expires_in(env, expires_in)?);
            Ok(Mutation::Arithmetic { key, operation, operand, expires_in_ms })
        };
        self.add(mutation())
    }

    /// Adds values to an array, in front or at the end.
    #[napi]
    pub fn splice(
        &mut self,
        env: Env,
        front: bool,
        key: Raw,
        data: Raw,
        encoding: u8,
        expires_in: Raw,
    ) -> napi::Result<(), CodeName> {
        let mutation = || {
            let values = ArrayText { encoding, text: convert::data(env, data) };
            Ok(Mutation::Splice {
                key: one_key(env, key)?,
                front,
                values,
                expires_in_ms: convert::expires_in(env, expires_in)?,
            })
        };
        self.add(mutation())
    }

    /// Adds a new time to live.
    #[napi]
    pub fn touch(&mut self, env: Env, key: Raw, expires_in: Raw) -> napi::Result<(), CodeName> {
        let mutation = || {
            let key = one_key(env, key)?;
            let missing = || Error::invalid("expiresIn: it is missing; give a duration");
            Ok(Mutation::Touch {
                key,
                expires_in_ms: convert::expires_in(env, expires_in)?.ok_or_else(missing)?,
            })
        };
        self.add(mutation())
    }

    /// Stages the commit that was built; its outcome comes by mail under `id`. It issues a versionstamp always (0), if
    /// something is changed (1), or never (2).
    #[napi]
    pub fn submit(&mut self, id: u32, stamping: u8) -> napi::Result<(), CodeName> {
        let stamping = match stamping {
            0 => Stamping::Always,
            1 => Stamping::IfChanged,
            _ => Stamping::Never,
        };
        let commit = Commit { stamping, ..std::mem::take(&mut self.building) };
        self.stage(id, commit).map_err(thrown)
    }

    /// Takes the completions.
    #[napi]
    pub fn drain(&self) -> Packet {
        self.mailbox.as_ref().map_or(Packet::Later, |mailbox| mailbox.drain())
    }

    /// Keeps the process alive, or lets it end.
    #[napi]
    pub fn hold(&self, env: Env, pending: bool) {
        if let Some(mailbox) = &self.mailbox {
            mailbox.hold(env, pending);
        }
    }

    /// Milliseconds since the epoch, by the store's clock.
    #[napi]
    #[allow(clippy::cast_precision_loss)]
    pub fn now(&mut self) -> napi::Result<f64, CodeName> {
        self.kv().map(|kv| kv.now_ms() as f64).map_err(thrown)
    }

    /// For tests: freezes the store's clock, or lets it run.
    #[napi]
    #[allow(clippy::cast_possible_truncation)]
    pub fn freeze_clock(&mut self, at_ms: Option<f64>) -> napi::Result<(), CodeName> {
        self.kv().map(|kv| kv.freeze_clock(at_ms.map(|ms| ms as i64))).map_err(thrown)
    }

    /// Sweeps now; its end comes by mail under `id`.
    #[napi]
    pub fn sweep(&mut self, id: u32) -> napi::Result<(), CodeName> {
        let mailbox = self.mailbox().map_err(thrown)?;
        self.kv().map(|kv| kv.sweep(Box::new(move |result| mailbox.post_done(id, result)))).map_err(thrown)
    }

    /// Closes; its end comes by mail under `id`.
    #[napi]
    pub fn close(&mut self, id: u32) {
        if let (Some(kv), Some(mailbox)) = (self.kv.take(), self.mailbox.clone()) {
            kv.close(Box::new(move || {
                mailbox.post_done(id, Ok(()));
                mailbox.announce();
            }));
        }
    }

    /// After the end of `close` was read: lets go of JavaScript.
    #[napi]
    pub fn release(&mut self) {
        self.mailbox = None;
    }
}

impl Scan {
    fn advance(&self, last_key: &[u8]) {
        if !last_key.is_empty() {
            let mut query = self.query.lock();
            *query = query.after(last_key);
        }
    }
}

fn one_key(env: Env, value: Raw) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(64);
    convert::key(env, value, "key", &mut out)?;
    Ok(out)
}

fn set_mutation(
    env: Env,
    key: Raw,
    stamped: bool,
    data: Raw,
    encoding: u8,
    expires_in: Raw,
) -> Result<Mutation> {
    let mut out = Vec::with_capacity(64);
    // The placeholder of the versionstamp was taken off: it counts as a part.
    let parts = convert::prefix(env, key, "key", &mut out)? as usize + usize::from(stamped);
    if parts == 0 {
        return Err(Error::invalid(format!("key: it is empty; give 1 to {MAX_KEY_PARTS} parts")));
    }
    if parts > MAX_KEY_PARTS {
        return Err(Error::limit("key", parts, MAX_KEY_PARTS, "parts"));
    }
    let expires_in_ms = convert::expires_in(env, expires_in)?;
    Ok(Mutation::Set { key: out, stamped, encoding, value: convert::data(env, data), expires_in_ms })
}

fn selector(env: Env, prefix: Raw, start: Raw, end: Raw) -> Result<Selector> {
    let bound = |value: Raw, name: &str| {
        if convert::is_absent(env, value) {
            return Ok(None);
        }
        let mut out = Vec::new();
        convert::prefix(env, value, name, &mut out).map(|_| Some(out))
    };
    Ok(Selector { prefix: bound(prefix, "prefix")?, start: bound(start, "start")?, end: bound(end, "end")? })
}

/// The cursor that goes on after an entry.
#[napi]
pub fn cursor_after(env: Env, key: Raw, reverse: bool) -> napi::Result<String, CodeName> {
    Ok(cursor::encode(&one_key(env, key).map_err(thrown)?, reverse))
}

/// The encoding of a key.
#[napi]
pub fn encode_key(env: Env, key: Raw) -> napi::Result<Uint8Array, CodeName> {
    one_key(env, key).map(Uint8Array::from).map_err(thrown)
}

/// The JSON text of an encoded key.
#[napi]
pub fn decode_key(bytes: Uint8Array) -> napi::Result<Text, CodeName> {
    let mut out = Vec::new();
    key::decode(&bytes).and_then(|_| key_json::write(&bytes, &mut out)).map_err(thrown)?;
    Ok(Text(out))
}

/// Milliseconds of a duration.
#[napi]
#[allow(clippy::cast_precision_loss)]
pub fn duration_ms(env: Env, value: Raw, name: String) -> napi::Result<f64, CodeName> {
    let missing = || Error::invalid(format!("{name}: it is missing; give a duration"));
    let ms = convert::duration(env, value, &name).and_then(|ms| ms.ok_or_else(missing)).map_err(thrown)?;
    Ok(ms as f64)
}

/// A new UUIDv7.
#[napi]
pub fn uuidv7() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// Which file a URL means, if it exists; it is looked at, not opened.
#[napi]
pub fn file_id(env: Env, url: Raw) -> napi::Result<Option<String>, CodeName> {
    convert::text(env, url, "url").and_then(|url| crate::kv::file_id(&url)).map_err(thrown)
}

/// Which loaded copy of the addon this is: every copy has its own statics.
#[napi]
pub fn copy_id() -> String {
    static MARK: AtomicU8 = AtomicU8::new(0);
    format!("{:p}", &raw const MARK)
}
