//! Consumers on a connection.

use super::read::LocalRead;
use super::write::LocalWrite;
use crate::base::clock::Gap;
use crate::base::error::{Error, Result};
use crate::store::local::sqlite::Rows;
use crate::store::rows::consumer::{Consumer, Lease};
use crate::store::sql::Sql;
use crate::store::{ConsumerRead, Step, StepResult};

/// Rows of consumers that are not asked for, after which the next one is sought.
const PASSED_LEASES: usize = 8;

impl ConsumerRead for LocalRead<'_> {
    fn consumer(&mut self, name: &str) -> Result<Option<Consumer>> {
        let mut rows = self.db.statement(Sql::Consumer)?.query(&[name.into()])?;
        if !rows.next()? {
            return Ok(None);
        }
        stored(&rows, self.gap).map(Some).map_err(|_| {
            Error::corrupt("the stored consumer is damaged: delete it (consumer.delete()), or restore the file from a backup")
        })
    }

    fn leases(&mut self, names: &[&str]) -> Result<Vec<Lease>> {
        let mut leases = Vec::with_capacity(names.len());
        let statement = self.db.statement(Sql::ScanLeases)?;
        while let Some(from) = names.get(leases.len()) {
            let (mut rows, mut passed) = (statement.query(&[(*from).into()])?, 0);
            // The rows of others are cheaper to pass than a name is to seek, if they are few.
            while passed < PASSED_LEASES && leases.len() < names.len() {
                if !rows.next()? {
                    leases.resize(names.len(), Lease::default());
                    break;
                }
                let Ok(name) = rows.stored_text(0) else {
                    passed += 1;
                    continue;
                };
                let absent = names.iter().skip(leases.len()).take_while(|next| **next < name).count();
                leases.resize(leases.len() + absent, Lease::default());
                match names.get(leases.len()) {
                    Some(next) if *next == name => {
                        leases.push(stored_lease(&rows, self.gap).unwrap_or_default());
                        passed = 0;
                    }
                    _ => passed += 1,
                }
            }
        }
        Ok(leases)
    }
}

fn stored_lease(rows: &Rows<'_>, gap: Gap) -> Result<Lease> {
    Ok(Lease { number: rows.stored_int(1)?, until_ms: gap.end_of(rows.stored_int(2)?) })
}

/// A position of another kind would begin a consumer again at the first change.
fn stored(rows: &Rows<'_>, gap: Gap) -> Result<Consumer> {
    let (position, lease, updated_at) = (rows.stored_int(1)?, rows.stored_int(2)?, rows.stored_int(4)?);
    if position < 0 {
        return Err(Error::corrupt("a position before all changes"));
    }
    let locked_until = if rows.is_null(3) { None } else { Some(gap.end_of(rows.stored_int(3)?)) };
    Ok(Consumer { prefix: rows.blob(0).to_vec(), position, lease, locked_until, updated_at })
}

impl LocalWrite<'_> {
    /// A step of consumers.
    pub fn consumer_step(&mut self, step: &Step<'_>) -> Result<StepResult> {
        let now_ms = self.read.now_ms;
        match step {
            Step::PutConsumer { name, prefix, position, lease, lease_ms } => {
                let number = lease.unwrap_or_else(|| self.next_number());
                let until_ms = lease_ms.map(|ms| now_ms.saturating_add(ms));
                if until_ms.is_none() {
                    self.notice.add_consumer(name);
                }
                let params = [
                    (*name).into(),
                    (&**prefix).into(),
                    (*position).into(),
                    number.into(),
                    until_ms.into(),
                    now_ms.into(),
                ];
                self.run(Sql::PutConsumer, &params)?;
                Ok(StepResult::Lease { number, until_ms: until_ms.unwrap_or(now_ms) })
            }
            Step::DeleteConsumer(name) => {
                let deleted = self.run(Sql::DeleteConsumer, &[(*name).into()])? > 0;
                if deleted {
                    self.notice.add_consumer(name);
                }
                Ok(StepResult::Flag(deleted))
            }
            _ => Err(Error::corrupt("a step of another kind")),
        }
    }
}
