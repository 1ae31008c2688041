//! Rows that are kept and given again.

use keyval::base::error::Result;
use keyval::store::rows::changes::Change;
use keyval::store::{ChangeKind, Flow, ReadTxn, Row, Visit, is_live};

/// A row that is kept. Whether it is live is part of the answer: it may expire before the steps are applied.
#[derive(Debug, Clone)]
pub struct Kept {
    key: Vec<u8>,
    versionstamp: String,
    expires_at: Option<i64>,
    encoding: u8,
    value: Vec<u8>,
    withheld: bool,
    #[allow(dead_code, reason = "compared as part of the answer's text")]
    live: bool,
}

impl Kept {
    pub fn of(row: &Row<'_>, now_ms: i64) -> Self {
        Self {
            key: row.key.to_vec(),
            versionstamp: row.versionstamp.to_string(),
            expires_at: row.expires_at,
            encoding: row.encoding,
            value: row.value.to_vec(),
            withheld: row.withheld,
            live: row.is_live(now_ms),
        }
    }

    pub fn row(&self) -> Row<'_> {
        Row {
            key: &self.key,
            versionstamp: &self.versionstamp,
            expires_at: self.expires_at,
            encoding: self.encoding,
            value: &self.value,
            withheld: self.withheld,
        }
    }
}

pub fn kept_of(
    txn: &mut dyn ReadTxn,
    read: impl FnOnce(&mut dyn ReadTxn, Visit<'_>) -> Result<()>,
) -> Result<Option<Kept>> {
    let (now_ms, mut kept) = (txn.now_ms(), None);
    read(txn, &mut |row| {
        kept = row.map(|row| Kept::of(&row, now_ms));
        Ok(())
    })?;
    Ok(kept)
}

pub fn show(rows: &[Kept], visit: &mut dyn FnMut(Row<'_>) -> Result<Flow>) -> Result<()> {
    for row in rows {
        if visit(row.row())? == Flow::Stop {
            break;
        }
    }
    Ok(())
}

/// A change that is kept.
#[derive(Debug, Clone)]
pub struct KeptChange {
    seq: i64,
    key: Vec<u8>,
    kind: ChangeKind,
    versionstamp: String,
    value: Option<(u8, Vec<u8>)>,
}

impl KeptChange {
    pub fn of(change: &Change<'_>) -> Self {
        Self {
            seq: change.seq,
            key: change.key.to_vec(),
            kind: change.kind,
            versionstamp: change.versionstamp.to_string(),
            value: change.value.map(|(encoding, value)| (encoding, value.to_vec())),
        }
    }

    pub fn change(&self) -> Change<'_> {
        let Self { seq, key, kind, versionstamp, value } = self;
        let value = value.as_ref().map(|(encoding, value)| (*encoding, value.as_slice()));
        Change { seq: *seq, key, kind: *kind, versionstamp, value }
    }
}

/// A lease is kept with whether it still runs, as a row is.
pub fn with_life<T>(txn: &dyn ReadTxn, lease: T, ends: Option<i64>) -> (T, bool) {
    (lease, is_live(ends, txn.now_ms()))
}
