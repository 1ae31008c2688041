//! The SQL that every store runs: the schema, the statements (a file for each table), and the objects of
//! indexes.

mod changes;
mod consumers;
mod dead_letters;
mod entries;
pub mod indexes;
mod locks;
mod meta;
pub mod object;
pub mod ordered_index;
mod queue;
pub mod schema;
pub mod search_index;

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
    /// The same, by the row that an index names.
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
    /// Writes an absent key.
    Insert,
    /// Another expiry for a live entry.
    SetExpiry,
    /// One key.
    Delete,
    /// A range, naming what goes.
    DeleteRangeReturning,
    /// Notes a range as deleted.
    LogDeletedRange,
    /// Expired entries of a range.
    CountExpired,
    /// A range.
    DeleteRange,
    /// One change.
    LogChange,
    /// Expired entries.
    Sweep,
    /// Removes the expired entries of a range.
    SweepRange,
    /// Whether something has expired.
    HasExpired,
    /// The number of the last change, and the commit, that goes when the log is trimmed.
    TrimCut,
    /// Changes up to a number.
    TrimChanges,
    /// Notes the newest commit whose changes may be missing.
    SetTrimmed,
    /// The position that the log is kept for.
    OldestPosition,
    /// The state of the log.
    ChangeLogState,
    /// Changes in order.
    ScanChanges,
    /// The same, without values.
    ScanChangeKeys,
    /// The last number that was given out.
    Sequence,
    /// Notes it.
    SetSequence,
    /// Of what the last commits have released something.
    Released,
    /// Notes it.
    SetReleased,
    /// Whether a claim would ever look at messages, of some.
    CheckMessages,
    MessageAt,
    SetAside,
    DeleteMessageAt,
    /// When a queue has something to do.
    QueueDue,
    NextQueue,
    /// The messages that were added last.
    NewestMessages,
    /// Counts of all queues.
    AllQueueStats,
    /// Counts of one queue.
    QueueStats,
    /// The message with a deduplication key.
    DuplicateMessage,
    /// Adds a message.
    InsertMessage,
    /// Messages whose lease ran out.
    LapsedMessages,
    /// Messages that are ready.
    ReadyMessages,
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
    LeasedRow,
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
    DeleteDeadLetter,
    DeleteDeadLetterAt,
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
    DeleteLock,
    /// Removes expired ones.
    SweepLocks,
    /// A consumer.
    Consumer,
    /// Leases of consumers in the order of their names.
    ScanLeases,
    /// Writes a consumer.
    PutConsumer,
    /// Removes a consumer.
    DeleteConsumer,
    /// All indexes.
    Indexes,
    /// Notes an index.
    InsertIndex,
    /// Forgets an index.
    RemoveIndex,
    /// The description of the store.
    Info,
    /// Changes when another connection commits.
    DataVersion,
}

/// How many there are.
pub const STATEMENTS: usize = Sql::DataVersion as usize + 1;

impl Sql {
    /// The text.
    pub fn text(self) -> &'static str {
        match self {
            Self::Begin => meta::BEGIN,
            Self::BeginImmediate => meta::BEGIN_IMMEDIATE,
            Self::Commit => meta::COMMIT,
            Self::Rollback => meta::ROLLBACK,
            Self::Savepoint => meta::SAVEPOINT,
            Self::Release => meta::RELEASE,
            Self::RollbackTo => meta::ROLLBACK_TO,
            Self::Settings => meta::SETTINGS,
            Self::SetTime => meta::SET_TIME,
            Self::SetClock => meta::SET_CLOCK,
            Self::Get => entries::GET,
            Self::GetAt => entries::GET_AT,
            Self::Scan => entries::SCAN,
            Self::ScanReverse => entries::SCAN_REVERSE,
            Self::ScanKeys => entries::SCAN_KEYS,
            Self::ScanKeysReverse => entries::SCAN_KEYS_REVERSE,
            Self::Count => entries::COUNT,
            Self::Update => entries::UPDATE,
            Self::UpdateKeeping => entries::UPDATE_KEEPING,
            Self::Insert => entries::INSERT,
            Self::SetExpiry => entries::SET_EXPIRY,
            Self::Delete => entries::DELETE,
            Self::DeleteRangeReturning => entries::DELETE_RANGE_RETURNING,
            Self::LogDeletedRange => changes::LOG_DELETED_RANGE,
            Self::CountExpired => entries::COUNT_EXPIRED,
            Self::DeleteRange => entries::DELETE_RANGE,
            Self::LogChange => changes::LOG_CHANGE,
            Self::Sweep => entries::SWEEP,
            Self::SweepRange => entries::SWEEP_RANGE,
            Self::HasExpired => entries::HAS_EXPIRED,
            Self::TrimCut => changes::TRIM_CUT,
            Self::TrimChanges => changes::TRIM_CHANGES,
            Self::SetTrimmed => meta::SET_TRIMMED,
            Self::OldestPosition => consumers::OLDEST_POSITION,
            Self::ChangeLogState => changes::CHANGE_LOG_STATE,
            Self::ScanChanges => changes::SCAN_CHANGES,
            Self::ScanChangeKeys => changes::SCAN_CHANGE_KEYS,
            Self::Sequence => meta::SEQUENCE,
            Self::SetSequence => meta::SET_SEQUENCE,
            Self::Released => meta::RELEASED,
            Self::SetReleased => meta::SET_RELEASED,
            Self::Info => meta::INFO,
            Self::DataVersion => meta::DATA_VERSION,
            Self::QueueDue => queue::QUEUE_DUE,
            Self::NextQueue => queue::NEXT_QUEUE,
            Self::NewestMessages => queue::NEWEST_MESSAGES,
            Self::AllQueueStats => queue::ALL_QUEUE_STATS,
            Self::QueueStats => queue::QUEUE_STATS,
            Self::DuplicateMessage => queue::DUPLICATE_MESSAGE,
            Self::InsertMessage => queue::INSERT_MESSAGE,
            Self::LapsedMessages => queue::LAPSED_MESSAGES,
            Self::ReadyMessages => queue::READY_MESSAGES,
            Self::LeasedMessage => queue::LEASED_MESSAGE,
            Self::IsBehindKey => queue::IS_BEHIND_KEY,
            Self::BlockLater => queue::BLOCK_LATER,
            Self::Claim => queue::CLAIM,
            Self::Block => queue::BLOCK,
            Self::Return => queue::RETURN,
            Self::LeasedRow => queue::LEASED_ROW,
            Self::ExtendLease => queue::EXTEND_LEASE,
            Self::Unblock => queue::UNBLOCK,
            Self::Bury => dead_letters::BURY,
            Self::CheckMessages => queue::CHECK_MESSAGES,
            Self::MessageAt => queue::MESSAGE_AT,
            Self::SetAside => dead_letters::SET_ASIDE,
            Self::DeleteMessageAt => queue::DELETE_MESSAGE_AT,
            Self::ScanAllDeadLetters => dead_letters::SCAN_ALL_DEAD_LETTERS,
            Self::ScanDeadLetters => dead_letters::SCAN_DEAD_LETTERS,
            Self::DeadLetter => dead_letters::DEAD_LETTER,
            Self::DeadLetterAt => dead_letters::DEAD_LETTER_AT,
            Self::DeadLetterIds => dead_letters::DEAD_LETTER_IDS,
            Self::DeleteDeadLetter => dead_letters::DELETE_DEAD_LETTER,
            Self::DeleteDeadLetterAt => dead_letters::DELETE_DEAD_LETTER_AT,
            Self::PurgeAllDeadLetters => dead_letters::PURGE_ALL_DEAD_LETTERS,
            Self::PurgeDeadLetters => dead_letters::PURGE_DEAD_LETTERS,
            Self::OldDeadLetters => dead_letters::OLD_DEAD_LETTERS,
            Self::Lock => locks::LOCK,
            Self::PutLock => locks::PUT_LOCK,
            Self::DeleteLock => locks::DELETE_LOCK,
            Self::SweepLocks => locks::SWEEP_LOCKS,
            Self::Consumer => consumers::CONSUMER,
            Self::ScanLeases => consumers::SCAN_LEASES,
            Self::PutConsumer => consumers::PUT_CONSUMER,
            Self::DeleteConsumer => consumers::DELETE_CONSUMER,
            Self::Indexes => indexes::INDEXES,
            Self::InsertIndex => indexes::INSERT_INDEX,
            Self::RemoveIndex => indexes::REMOVE_INDEX,
        }
    }
}
