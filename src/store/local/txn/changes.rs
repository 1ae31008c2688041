//! Reads of the change log on a connection.

use super::read::{LocalRead, change_log, encoding};
use crate::base::error::{Error, Result};
use crate::store::rows::changes::{Change, ChangeLogState, ChangeScan};
use crate::store::sql::Sql;
use crate::store::sql::schema::{LAST_NUMBER, used_up};
use crate::store::{ChangeKind, ChangeRead, Flow};

impl ChangeRead for LocalRead<'_> {
    fn change_log_state(&mut self) -> Result<ChangeLogState> {
        let mut rows = self.db.statement(Sql::ChangeLogState)?.query(&[])?;
        rows.next()?;
        let given = rows.optional_int(1).unwrap_or(0);
        // If numbers were given out that no change has, a reader would wait for those changes for ever.
        let head = rows.optional_int(5).unwrap_or(given);
        if given.max(head) >= LAST_NUMBER {
            return Err(used_up());
        }
        Ok(ChangeLogState {
            mode: change_log(&rows, 0)?,
            head,
            first: rows.optional_int(2).unwrap_or(head + 1),
            newest_stamp: rows.text(3)?.to_string(),
            trimmed_stamp: rows.text(4)?.to_string(),
        })
    }

    fn scan_changes(
        &mut self,
        scan: ChangeScan,
        visit: &mut dyn FnMut(Change<'_>) -> Result<Flow>,
    ) -> Result<()> {
        let sql = if scan.values { Sql::ScanChanges } else { Sql::ScanChangeKeys };
        let mut rows = self.db.statement(sql)?.query(&[scan.after.into(), scan.limit.into()])?;
        while rows.next()? {
            if rows.int(0) >= LAST_NUMBER {
                return Err(used_up());
            }
            let change = Change {
                seq: rows.int(0),
                key: rows.blob(1),
                kind: kind(rows.text(2)?)?,
                versionstamp: rows.text(3)?,
                value: (!rows.is_null(4)).then(|| (encoding(rows.int(4)), rows.blob(5))),
            };
            if visit(change)? == Flow::Stop {
                break;
            }
        }
        Ok(())
    }
}

fn kind(op: &str) -> Result<ChangeKind> {
    match op {
        "create" => Ok(ChangeKind::Create),
        "update" => Ok(ChangeKind::Update),
        "delete" => Ok(ChangeKind::Delete),
        _ => Err(Error::corrupt("the change log holds an unknown operation")),
    }
}
