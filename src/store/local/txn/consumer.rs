//! Consumers on a connection.

use super::read::LocalRead;
use super::write::LocalWrite;
use crate::base::error::{Error, Result};
use crate::store::rows::consumer::Consumer;
use crate::store::sql::Sql;
use crate::store::{ConsumerRead, Step, StepResult};

impl ConsumerRead for LocalRead<'_> {
    fn consumer(&mut self, name: &str) -> Result<Option<Consumer>> {
        let mut rows = self.db.statement(Sql::Consumer)?.query(&[name.into()])?;
        if !rows.next()? {
            return Ok(None);
        }
        Ok(Some(Consumer {
            prefix: rows.blob(0).to_vec(),
            position: rows.int(1),
            lease: rows.int(2),
            locked_until: rows.optional_int(3).map(|until| self.gap.end_of(until)),
            updated_at: rows.int(4),
        }))
    }
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
            Step::RemoveConsumer(name) => {
                let removed = self.run(Sql::RemoveConsumer, &[(*name).into()])? > 0;
                if removed {
                    self.notice.add_consumer(name);
                }
                Ok(StepResult::Flag(removed))
            }
            _ => Err(Error::corrupt("a step of another kind")),
        }
    }
}
