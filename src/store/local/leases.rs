//! Locks and consumers on a connection.

use super::sql::Sql;
use super::sqlite::Param;
use super::txn::{LocalRead, LocalWrite};
use crate::error::Result;
use crate::store::lease::{Consumer, Lock};
use crate::store::{LeaseRead, LeaseWrite};

impl LeaseRead for LocalRead<'_> {
    fn lock(&mut self, name: &str) -> Result<Option<Lock>> {
        let mut rows = self.db.statement(Sql::Lock)?.query(&[name.into()])?;
        if !rows.next()? {
            return Ok(None);
        }
        Ok(Some(Lock { owner: rows.text(0)?.to_string(), token: rows.int(1), expires_at: rows.int(2) }))
    }

    fn consumer(&mut self, name: &str) -> Result<Option<Consumer>> {
        let mut rows = self.db.statement(Sql::Consumer)?.query(&[name.into()])?;
        if !rows.next()? {
            return Ok(None);
        }
        Ok(Some(Consumer {
            prefix: rows.blob(0).to_vec(),
            position: rows.int(1),
            lease: rows.int(2),
            locked_until: rows.optional_int(3),
            updated_at: rows.int(4),
        }))
    }
}

impl LeaseRead for LocalWrite<'_> {
    fn lock(&mut self, name: &str) -> Result<Option<Lock>> {
        self.read.lock(name)
    }

    fn consumer(&mut self, name: &str) -> Result<Option<Consumer>> {
        self.read.consumer(name)
    }
}

impl LocalWrite<'_> {
    fn run(&mut self, sql: Sql, params: &[Param<'_>]) -> Result<u64> {
        let db = &mut *self.read.db;
        db.statement(sql)?.run(params)?;
        Ok(db.connection.changes())
    }
}

impl LeaseWrite for LocalWrite<'_> {
    fn put_lock(&mut self, name: &str, lock: &Lock) -> Result<()> {
        let params = [name.into(), lock.owner.as_str().into(), lock.token.into(), lock.expires_at.into()];
        self.run(Sql::PutLock, &params).map(drop)
    }

    fn remove_lock(&mut self, name: &str) -> Result<()> {
        self.run(Sql::RemoveLock, &[name.into()]).map(drop)
    }

    fn sweep_locks(&mut self, limit: usize) -> Result<u64> {
        let (from_ms, to_ms) = self.read.gap.open(self.read.now_ms);
        self.run(Sql::SweepLocks, &[self.read.now_ms.into(), limit.into(), from_ms.into(), to_ms.into()])
    }

    fn put_consumer(&mut self, name: &str, consumer: &Consumer) -> Result<()> {
        if consumer.locked_until.is_none() {
            self.notice.add_consumer(name);
        }
        let params = [
            name.into(),
            consumer.prefix.as_slice().into(),
            consumer.position.into(),
            consumer.lease.into(),
            consumer.locked_until.into(),
            consumer.updated_at.into(),
        ];
        self.run(Sql::PutConsumer, &params).map(drop)
    }

    fn remove_consumer(&mut self, name: &str) -> Result<bool> {
        let removed = self.run(Sql::RemoveConsumer, &[name.into()])? > 0;
        if removed {
            self.notice.add_consumer(name);
        }
        Ok(removed)
    }
}
