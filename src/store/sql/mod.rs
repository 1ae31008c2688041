//! Every statement but those that are made for an index.

mod live;

/// A statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sql {
    /// Opens a read transaction at its first read.
    Begin,
    /// Takes the write lock.
    BeginImmediate,
    /// Ends a transaction.
    Commit,
    /// Undoes a transaction.
    Rollback,
    /// Begins one operation of a group.
    Savepoint,
    /// Keeps the operation.
    Release,
    /// Undoes the operation.
    RollbackTo,
    /// Every setting that openers share.
    Settings,
    /// Notes the last versionstamp.
    SetClock,
    SetTime,
    /// One entry.
    Get,
    /// The same, where an index has it.
    GetAt,
    /// Entries of a range.
    Scan,
    /// The same, from the end.
    ScanReverse,
    /// Keys of a range.
    ScanKeys,
    /// The same, from the end.
    ScanKeysReverse,
    /// Live entries of a range.
    Count,
    /// Writes over an entry that expires after a time.
    Update,
    /// The same, and leaves the expiry as it is.
    UpdateKeeping,
    /// Writes where nothing stands.
    Insert,
    /// Another expiry for a live entry.
    SetExpiry,
    /// One key.
    Remove,
    /// A range, naming what goes.
    RemoveRange,
    /// Notes a range as deleted.
    LogRange,
    /// Expired entries of a range.
    CountExpired,
    /// A range.
    DropRange,
    /// One change.
    Log,
    /// Expired entries.
    Sweep,
    /// Removes the expired entries of a range.
    SweepRange,
    /// Whether something has expired.
    HasExpired,
    /// The number of the last change, and the commit, that goes when the log is trimmed.
    TrimCut,
    /// Changes up to a number.
    TrimLog,
    /// Notes of which commit changes may be missing.
    SetTrimmed,
    /// The position that the log is kept for.
    OldestPosition,
    /// Where the log stands.
    LogState,
    /// Changes in order.
    ScanLog,
    /// The same, without values.
    ScanLogKeys,
    /// The last number that was given out.
    Sequence,
    /// Notes it.
    SetSequence,
    /// Whether a claim would ever look at messages, of some.
    CheckMessages,
    MessageAt,
    SetAside,
    RemoveRow,
    /// When a queue has something to do.
    QueueDue,
    NextQueue,
    /// Counts of all queues.
    AllQueueStats,
    /// Counts of one queue.
    QueueStats,
    /// The message with a deduplication key.
    StandingMessage,
    /// Adds a message.
    InsertMessage,
    /// Messages whose lease ran out.
    LapsedMessages,
    /// Messages that are ready.
    ReadyMessages,
    /// Whether an ordering key is taken.
    IsKeyBusy,
    /// Whether a new message comes after another one of its ordering key.
    IsBehindKey,
    /// Puts aside what comes after a new message of its ordering key.
    BlockLater,
    /// A message under a lease.
    LeasedMessage,
    /// Begins an attempt of a message.
    Claim,
    /// Puts a message aside.
    Block,
    /// Gives a message back.
    Return,
    /// Removes a message under a lease.
    RemoveLeased,
    /// Extends a lease.
    ExtendLease,
    /// Frees the first message behind an ordering key.
    Unblock,
    /// Makes a message a dead letter.
    Bury,
    /// Dead letters of all queues.
    ScanAllDeadLetters,
    /// Dead letters of one queue.
    ScanDeadLetters,
    /// One dead letter.
    DeadLetter,
    DeadLetterAt,
    DeadLetterIds,
    /// Removes one.
    RemoveDeadLetter,
    RemoveDeadLetterAt,
    /// Removes some.
    PurgeAllDeadLetters,
    PurgeDeadLetters,
    /// Which of some are old.
    OldDeadLetters,
    /// A lock.
    Lock,
    /// Writes a lock.
    PutLock,
    /// Removes a lock.
    RemoveLock,
    /// Removes expired ones.
    SweepLocks,
    /// A consumer.
    Consumer,
    /// Writes a consumer.
    PutConsumer,
    /// Removes a consumer.
    RemoveConsumer,
    /// All indexes.
    Indexes,
    /// Notes an index.
    InsertIndex,
    /// The number of the index that was noted last.
    LastIndex,
    /// Forgets an index.
    RemoveIndex,
    /// What the store is.
    Info,
    /// Changes when another connection commits.
    DataVersion,
}

/// How many there are.
pub const STATEMENTS: usize = Sql::DataVersion as usize + 1;

impl Sql {
    /// The text. `length(value)` does not load the value; a large one is withheld where the caller asks for it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Begin => "BEGIN",
            Self::BeginImmediate => "BEGIN IMMEDIATE",
            Self::Commit => "COMMIT",
            Self::Rollback => "ROLLBACK",
            Self::Savepoint => "SAVEPOINT operation",
            Self::Release => "RELEASE operation",
            Self::RollbackTo => "ROLLBACK TO operation",
            Self::Settings => "SELECT key, value FROM kv_meta WHERE key IN ('change_log', 'clock', 'dead_letter_retention_ms', 'retention_ms', 'sequence', 'time')",
            Self::SetTime => {
                "INSERT INTO kv_meta (key, value) VALUES ('time', ?1) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
            }
            Self::SetClock => "UPDATE kv_meta SET value = ?1 WHERE key = 'clock'",
            Self::Get => {
                "SELECT versionstamp, expires_at, encoding, length(value) > ?2,
                   CASE WHEN length(value) <= ?2 THEN value END
                 FROM kv_entries WHERE key = ?1"
            }
            Self::GetAt => {
                "SELECT versionstamp, expires_at, encoding, length(value) > ?2,
                   CASE WHEN length(value) <= ?2 THEN value END
                 FROM kv_entries WHERE rowid = ?3 AND key = ?1"
            }
            Self::Scan => {
                "SELECT versionstamp, expires_at, encoding, length(value) > ?5,
                   CASE WHEN length(value) <= ?5 THEN value END, key
                 FROM kv_entries
                 WHERE key >= ?1 AND key < ?2 AND (expires_at IS NULL OR expires_at > ?3)
                 ORDER BY key LIMIT ?4"
            }
            Self::ScanReverse => {
                "SELECT versionstamp, expires_at, encoding, length(value) > ?5,
                   CASE WHEN length(value) <= ?5 THEN value END, key
                 FROM kv_entries
                 WHERE key >= ?1 AND key < ?2 AND (expires_at IS NULL OR expires_at > ?3)
                 ORDER BY key DESC LIMIT ?4"
            }
            Self::ScanKeys => {
                "SELECT versionstamp, expires_at, 0, 0, NULL, key FROM kv_entries
                 WHERE key >= ?1 AND key < ?2 AND (expires_at IS NULL OR expires_at > ?3)
                 ORDER BY key LIMIT ?4"
            }
            Self::ScanKeysReverse => {
                "SELECT versionstamp, expires_at, 0, 0, NULL, key FROM kv_entries
                 WHERE key >= ?1 AND key < ?2 AND (expires_at IS NULL OR expires_at > ?3)
                 ORDER BY key DESC LIMIT ?4"
            }
            // The first count reads the index of the keys alone, the second the index of the expiries.
            Self::Count => {
                "SELECT (SELECT count(*) FROM kv_entries WHERE key >= ?1 AND key < ?2)
                      - (SELECT count(*) FROM kv_entries INDEXED BY kv_entries_expiry
                         WHERE expires_at <= ?3 AND key >= ?1 AND key < ?2)"
            }
            Self::Update => {
                "UPDATE kv_entries SET versionstamp = ?2, expires_at = ?3, encoding = ?4, value = ?5
                 WHERE key = ?1 AND (expires_at IS NULL OR expires_at > ?6)"
            }
            Self::UpdateKeeping => {
                "UPDATE kv_entries SET versionstamp = ?2, encoding = ?4, value = ?5
                 WHERE key = ?1 AND ?3 IS NULL AND (expires_at IS NULL OR expires_at > ?6)"
            }
            Self::Insert => {
                "INSERT INTO kv_entries (key, versionstamp, expires_at, encoding, value) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (key) DO NOTHING"
            }
            Self::SetExpiry => {
                "UPDATE kv_entries SET expires_at = ?2
                 WHERE key = ?1 AND (expires_at IS NULL OR expires_at > ?3)"
            }
            Self::Remove => "DELETE FROM kv_entries WHERE key = ?1 RETURNING expires_at",
            Self::RemoveRange => "DELETE FROM kv_entries WHERE key >= ?1 AND key < ?2 RETURNING key, expires_at",
            Self::LogRange => {
                "INSERT INTO kv_changes (key, op, versionstamp)
                 SELECT key, 'delete', ?3 FROM kv_entries WHERE key >= ?1 AND key < ?2 ORDER BY key"
            }
            Self::CountExpired => {
                "SELECT count(*) FROM kv_entries INDEXED BY kv_entries_expiry
                 WHERE expires_at <= ?3 AND key >= ?1 AND key < ?2"
            }
            Self::DropRange => "DELETE FROM kv_entries WHERE key >= ?1 AND key < ?2",
            Self::Log => "INSERT INTO kv_changes (key, op, versionstamp, encoding, value) VALUES (?1, ?2, ?3, ?4, ?5)",
            Self::Sweep => {
                "DELETE FROM kv_entries WHERE rowid IN
                   (SELECT rowid FROM kv_entries WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)
                 RETURNING key, expires_at"
            }
            // By the keys: there may be many more expired entries elsewhere.
            Self::SweepRange => {
                "DELETE FROM kv_entries WHERE key >= ?2 AND key < ?3 AND +expires_at <= ?1 RETURNING key, expires_at"
            }
            Self::HasExpired => "SELECT 1 FROM kv_entries WHERE expires_at <= ?1 LIMIT 1",
            // Sequence order is commit order.
            Self::TrimCut => {
                "SELECT seq, versionstamp FROM (SELECT seq, versionstamp FROM kv_changes ORDER BY seq LIMIT ?3)
                 WHERE versionstamp < ?1 AND seq <= ?2 ORDER BY seq DESC LIMIT 1"
            }
            Self::TrimLog => "DELETE FROM kv_changes WHERE seq <= ?1",
            Self::SetTrimmed => "UPDATE kv_meta SET value = ?1 WHERE key = 'trimmed'",
            Self::OldestPosition => "SELECT min(position) FROM kv_consumers WHERE updated_at > ?1",
            Self::LogState => {
                "SELECT (SELECT value FROM kv_meta WHERE key = 'change_log'),
                   (SELECT seq FROM sqlite_sequence WHERE name = 'kv_changes'),
                   (SELECT min(seq) FROM kv_changes),
                   (SELECT value FROM kv_meta WHERE key = 'clock'),
                   (SELECT value FROM kv_meta WHERE key = 'trimmed'),
                   (SELECT max(seq) FROM kv_changes)"
            }
            Self::ScanLog => {
                "SELECT seq, key, op, versionstamp, encoding, value FROM kv_changes
                 WHERE seq > ?1 ORDER BY seq LIMIT ?2"
            }
            Self::ScanLogKeys => {
                "SELECT seq, key, op, versionstamp, NULL, NULL FROM kv_changes WHERE seq > ?1 ORDER BY seq LIMIT ?2"
            }
            Self::Sequence => "SELECT value FROM kv_meta WHERE key = 'sequence'",
            Self::SetSequence => "UPDATE kv_meta SET value = ?1 WHERE key = 'sequence'",
            Self::Info => {
                "SELECT sqlite_version(),
                   (SELECT value FROM kv_meta WHERE key = 'schema_version'),
                   (SELECT value FROM kv_meta WHERE key = 'database_id'),
                   (SELECT value FROM kv_meta WHERE key = 'change_log'),
                   (SELECT value FROM kv_meta WHERE key = 'retention_ms'),
                   page_count * page_size,
                   (SELECT value FROM kv_meta WHERE key = 'dead_letter_retention_ms')
                 FROM pragma_page_count, pragma_page_size"
            }
            Self::DataVersion => "PRAGMA data_version",
            other => self::live::text(other),
        }
    }
}
