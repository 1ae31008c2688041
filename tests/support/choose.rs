//! Random arguments; keys are few, so that operations meet often.

use std::ops::Range;

use keyval::codec::key::{Part, decode, descendants, encode, tree};
use keyval::codec::value::{ArrayText, Counter};
use keyval::engine::commit::arithmetic::Arithmetic;
use keyval::engine::commit::{Check, Commit, Mutation, Stamping};
use num_bigint::BigInt;

use super::model::Model;
use super::random::Random;

/// A range, and whether a key is in it: by the parts of the keys where that is possible, else by their bytes.
#[derive(Debug, Clone)]
pub enum Selected {
    All,
    Under(Vec<u8>),
    Tree(Vec<u8>),
    Between(Vec<u8>, Vec<u8>),
}

impl Selected {
    pub fn range(&self) -> Range<Vec<u8>> {
        match self {
            Self::All => vec![]..vec![0xff],
            Self::Under(key) => descendants(key),
            Self::Tree(key) => tree(key),
            Self::Between(start, end) => start.clone()..end.clone(),
        }
    }

    pub fn contains(&self, key: &[u8]) -> bool {
        let starts = |with: &[u8]| decode(key).unwrap().starts_with(&decode(with).unwrap());
        match self {
            Self::All => true,
            Self::Under(above) => starts(above) && key != above,
            Self::Tree(above) => starts(above),
            Self::Between(start, end) => start.as_slice() <= key && key < end.as_slice(),
        }
    }
}

/// The parent of stamped keys, so that they are deleted now and then.
fn log_key() -> Vec<u8> {
    encode(&[Part::String("log".into())]).unwrap()
}

/// Chooses.
pub struct Chooser(pub Random);

impl Chooser {
    pub fn key(&mut self) -> Vec<u8> {
        let length = 1 + self.0.below(3);
        let parts: Vec<_> = (0..length).map(|_| self.part()).collect();
        encode(&parts).unwrap()
    }

    fn part(&mut self) -> Part<'static> {
        let parts = [
            Part::String("a".into()),
            Part::String("a\0".into()),
            Part::Number(1.0),
            Part::String("t".into()),
            Part::Number(-10.5),
            Part::BigInt(BigInt::from(1)),
            Part::Bool(true),
            Part::Bytes(vec![0].into()),
            Part::String("".into()),
        ];
        // Mostly one of the first parts.
        let end = 1 + self.0.below(parts.len());
        self.0.pick(&parts[..end]).clone()
    }

    pub fn selected(&mut self) -> Selected {
        match self.0.below(5) {
            0 => Selected::All,
            1 => Selected::Tree(self.key()),
            2 => Selected::Under(log_key()),
            3 => Selected::Under(self.key()),
            _ => {
                let (a, b) = (self.key(), self.key());
                Selected::Between(a.clone().min(b.clone()), a.max(b))
            }
        }
    }

    fn value(&mut self) -> (u8, Vec<u8>) {
        let int = self.0.between(-50, 50);
        let json: &[&str] =
            &["null", "1.5", "\"t\"", "[]", "[1,\"],[\"]", "{\"a\":[1,2]}", "[[1,2],{\"b\":\"\\\"\"}]"];
        match self.0.below(12) {
            0..4 => (0, int.to_string().into_bytes()),
            4 => (1, format!(r#"{{"__type":"bigint","value":"{int}"}}"#).into_bytes()),
            5 => (1, br#"[{"__type":"date","value":5}]"#.to_vec()),
            6 => (1, br#"{"__type":"date","value":5}"#.to_vec()),
            7 => (3, (u64::MAX - self.0.next() % 3).to_le_bytes().to_vec()),
            8 => (2, (0..self.0.below(4)).map(|_| 255).collect()),
            9 if self.0.one_in(20) => (0, format!("\"{}\"", "v".repeat(300_000)).into_bytes()),
            _ => (0, self.0.pick(json).as_bytes().to_vec()),
        }
    }

    /// The binding refuses 0, and so nothing expires within the commit that wrote it.
    fn time_to_live(&mut self) -> Option<i64> {
        (self.0.one_in(3)).then(|| self.0.between(1, 80))
    }

    /// One of few keys, and of few values that a unique index may refuse.
    fn unique(&mut self) -> Mutation {
        let name = self.0.pick(&["a", "b", "c", "d"]).to_string();
        let key = encode(&[Part::String("u".into()), Part::String(name.into())]).unwrap();
        let value = match self.0.below(5) {
            0 => br#"{"v":1}"#.to_vec(),
            u => format!(r#"{{"u":{u}}}"#).into_bytes(),
        };
        let expires_in_ms = self.time_to_live();
        Mutation::Set { key, stamped: false, encoding: 0, value, expires_in_ms }
    }

    fn mutation(&mut self) -> Mutation {
        if self.0.one_in(10) {
            return self.unique();
        }
        let key = self.key();
        match self.0.below(16) {
            0..6 => {
                let (encoding, value) = self.value();
                let stamped = self.0.one_in(6);
                let key = if stamped { log_key() } else { key };
                Mutation::Set { key, stamped, encoding, value, expires_in_ms: self.time_to_live() }
            }
            6..9 => {
                let operation = *self.0.pick(&[Arithmetic::Sum, Arithmetic::Max, Arithmetic::Min]);
                let shift = if self.0.one_in(8) { 66 } else { 0 };
                let operand = if self.0.one_in(4) {
                    Counter::U64(self.0.below(9) as u64)
                } else {
                    Counter::Int(BigInt::from(self.0.between(-3, 9)) << shift)
                };
                Mutation::Arithmetic { key, operation, operand, expires_in_ms: self.time_to_live() }
            }
            9..12 => {
                let values = match self.0.below(3) {
                    0 => ArrayText { encoding: 1, text: br#"[{"__type":"bigint","value":"7"}]"#.to_vec() },
                    1 => ArrayText { encoding: 0, text: b"[]".to_vec() },
                    _ => ArrayText { encoding: 0, text: b"[1,[\"x\",2]]".to_vec() },
                };
                let front = self.0.one_in(2);
                Mutation::Append { key, front, values, expires_in_ms: self.time_to_live() }
            }
            12 => Mutation::Touch { key, expires_in_ms: self.0.between(1, 80) },
            13 | 14 => Mutation::Delete(key),
            _ => Mutation::DeleteRange(self.small_range()),
        }
    }

    /// Everything is deleted rarely, or operations would seldom meet.
    fn small_range(&mut self) -> Range<Vec<u8>> {
        match self.selected() {
            Selected::All | Selected::Between(..) if !self.0.one_in(8) => descendants(&log_key()),
            selected => selected.range(),
        }
    }

    fn check(&mut self, model: &Model) -> Check {
        let key = self.key();
        let current = model.live(&key).map(|row| row.versionstamp.clone());
        let wrong = Some("00000000-0000-7000-8000-000000000000".to_string());
        let versionstamp = match self.0.below(16) {
            0 => wrong,
            1 => None,
            // The versionstamp of an expired entry no longer passes a check.
            2 => model.rows.get(&key).map(|row| row.versionstamp.clone()),
            _ => current,
        };
        Check { key, versionstamp }
    }

    /// Checks mostly hold by the model; an earlier commit of the same group may make them fail.
    pub fn commit(&mut self, model: &Model) -> Commit {
        let many = if self.0.one_in(2) { 1 } else { 2 + self.0.below(5) };
        let mutations: Vec<_> = (0..many).map(|_| self.mutation()).collect();
        let checks: Vec<_> = (0..self.0.below(3)).map(|_| self.check(model)).collect();
        if self.0.one_in(20) {
            return Commit { checks, stamping: Stamping::Never, ..Commit::default() };
        }
        // Only what writes no value goes without a versionstamp.
        let writes = |one: &Mutation| {
            !matches!(one, Mutation::Delete(_) | Mutation::DeleteRange(_) | Mutation::Touch { .. })
        };
        let may = !mutations.iter().any(writes) && self.0.one_in(2);
        let stamping = if may { Stamping::IfChanged } else { Stamping::Always };
        Commit { checks, mutations, stamping }
    }
}
