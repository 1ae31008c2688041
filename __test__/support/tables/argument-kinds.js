// Of every argument and option of the contract: what kind of value it takes. What is of no such kind is
// refused in every call.

const manyKeys = Array.from({ length: 1001 }, (_, at) => ["d", at])
const longName = "x".repeat(1025)
class Custom {}
const aVersionstamp = "01890a5d-ac96-7000-8000-000000000000"

/** Values of no kind at all: each kind refuses those that it does not take. */
const ODD = [null, true, 5n, Symbol("s"), () => {}, {}, [], new Date(0), new Map(), new Custom(), "\ud800"]
const oddBut = (...types) => ODD.filter((value) => !types.some((type) => type(value)))
const isOf = (type) => (value) => typeof value === type
const isA = (Class) => (value) => value instanceof Class

const KEYS_OF_NONE = [...oddBut(isA(Array)), "a", 5, [null], [["a"]], [{}], ["\ud800"]]
const LONG_KEYS = [["x".repeat(1025)], Array.from({ length: 21 }, () => 1)]
const NUMBERS = [...oddBut(), "5", -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]
const TIMES = [...oddBut(), "", "soon", "-5s", "1h30m", -1, Number.NaN, "101y"]

/**
 * Values that an argument of a kind refuses: `INVALID_ARGUMENT` or, if it is only too much, `LIMIT_EXCEEDED`.
 */
export const KINDS = {
  key: [...KEYS_OF_NONE, [], ...LONG_KEYS],
  /** A key, or several. */
  keyOrKeys: [...oddBut(isA(Array)), "a", 5, [null], [["a"], "b"], ...LONG_KEYS],
  prefix: [...KEYS_OF_NONE, ...LONG_KEYS],
  /** A prefix, or bytes. */
  bound: [...KEYS_OF_NONE, ...LONG_KEYS],
  part: [...oddBut(isOf("bigint"), isOf("boolean")), ["a"], "x".repeat(1025)],
  counts: [...oddBut(isOf("boolean")), 0, 1, "some", "1000+"],
  keys: [...oddBut(isA(Array)), "a", 5, ["a"], [["a"], "b"], [["a"], [null]], manyKeys],
  /** One key, several, or a selector. */
  target: [
    ...oddBut(isA(Array)),
    "a",
    5,
    [],
    [null],
    [["a"], "b"],
    { prefix: "a" },
    { start: 5 },
    { prfix: [] },
  ],
  selector: [...oddBut(isA(Array)), "a", 5, [null], { prefix: "a" }, { end: "z" }, { prfix: ["a"] }],
  value: [() => {}, Symbol("s"), new Custom(), new WeakMap(), { a: [() => {}] }, "x".repeat(2 ** 24)],
  operand: [...oddBut(isOf("bigint")), "5", 1.5, Number.NaN],
  values: [...oddBut(isA(Array)), "ab", 5, [() => {}], [Symbol("s")]],
  count: [...NUMBERS, 2 ** 53],
  /** More than 0. */
  positive: [...NUMBERS, 0, 2 ** 53],
  positiveOrNull: [...NUMBERS.filter((value) => value !== null), 0, 10_001],
  seq: [...oddBut(), "5", 1.5, Number.NaN, 2 ** 53],
  time: TIMES,
  lasting: [...TIMES, 0],
  /** A time between two limits, of at least 100 ms. */
  lease: [...TIMES, 0, 99, "25h"],
  waits: [...oddBut(isA(Array)), 5, "5s", ["soon"], [null], [-1], Array.from({ length: 101 }, () => 1)],
  flag: [...oddBut(isOf("boolean")), 0, 1, "true", "yes"],
  name: [...oddBut(), 5, "", longName, "a\0b"],
  id: [...oddBut(isOf("string")), 5],
  text: [...oddBut(isOf("string")), 5],
  choice: [...oddBut(), 5, "", "odd", "STRONG"],
  callback: [...oddBut(isOf("function")), "f", 5],
  callbackOrOptions: [null, true, 5n, Symbol("s"), [], new Date(0), "f", 5],
  filter: [...oddBut(), 5, "a", { $odd: 1 }, { a: { $gt: true } }, { a: undefined }, { "a..b": 1 }],
  fields: [
    ...oddBut(isA(Array)),
    [],
    5,
    "a",
    [5],
    [""],
    ["a..b"],
    [null],
    Array.from({ length: 17 }, (_, at) => `f${at}`),
  ],
  stamp: [...oddBut(), 5, "", "odd"],
  /** A versionstamp that is compared: `null` stands for an absent key. */
  compared: [...oddBut((value) => value === null), 5, "", "odd", `${aVersionstamp}0`],
  cursor: [...oddBut(), 5, "odd", "AAAA"],
  /** `null` is the first page. */
  pageCursor: [...oddBut((value) => value === null), 5, "odd", "AAAA"],
  entries: [
    ...oddBut(isA(Array), isA(Map)),
    5,
    "a",
    [5],
    [{ key: [] }],
    [{ key: ["a"] }],
    [{ key: ["a"], value: () => {} }],
  ],
  signal: [...oddBut(), 5, "abort", new AbortController()],
  schema: [...oddBut(), 5, "a", { "~standard": {} }],
  path: [...oddBut(), 5, "", ":memory:", "/"],
}

const ttl = { expiresIn: "lasting", expireIn: "lasting" }
const page = { limit: "positive", reverse: "flag", where: "filter" }
const range = { start: "bound", end: "bound" }

/** Of each interface of options: the kind of each member. `null`: it takes anything. */
export const OPTIONS = {
  KvGetOptions: { consistency: "choice" },
  KvGetManyOptions: { consistency: "choice", keysOnly: "flag" },
  KvChildrenOptions: { after: "part", counts: "counts", limit: "positive" },
  KvCountOptions: { where: "filter" },
  KvListOptions: {
    ...page,
    ...range,
    after: "bound",
    cursor: "cursor",
    batchSize: "positive",
    consistency: "choice",
    keysOnly: "flag",
    signal: "signal",
  },
  KvPaginateOptions: { ...page, after: "bound", cursor: "pageCursor", keysOnly: "flag" },
  KvExpireOptions: ttl,
  KvSetManyOptions: { onProgress: "callback" },
  KvDeleteOptions: { exact: "flag", where: "filter" },
  KvPatchOptions: { ...ttl, versionstamp: "compared" },
  KvTransactionOptions: { maxRetries: "count", retryDelay: "time", signal: "signal" },
  KvStopOptions: { timeout: "time" },
  KvWatchOptions: {
    bufferSize: "positiveOrNull",
    emitInitial: "flag",
    exact: "flag",
    from: "stamp",
    onError: "callback",
    overflowStrategy: "choice",
    signal: "signal",
  },
  KvChangesOptions: { from: "count", limit: "positive", live: "flag", onError: "callback", prefix: "prefix" },
  KvConsumerOptions: { lease: "lease", onError: "callback", prefix: "prefix" },
  KvEnqueueOptions: {
    backoffSchedule: "waits",
    deadLetter: "flag",
    deduplicationKey: "name",
    delay: "time",
    keysIfUndelivered: "keys",
    orderingKey: "name",
    queue: "name",
  },
  KvListenOptions: {
    autoAck: "flag",
    concurrency: "positive",
    lockDuration: "lease",
    onError: "callback",
    queue: "name",
    signal: "signal",
  },
  KvLockOptions: { duration: "lasting", owner: "name", signal: "signal" },
  KvSearchIndexOptions: { fields: "fields", tokenize: "choice" },
  KvOrderedIndexOptions: { on: "fields", unique: "flag" },
  KvSearchOptions: { limit: "positive", where: "filter" },
  KvBackupOptions: { onProgress: "callback", overwrite: "flag" },
  KvOptions: {
    busyTimeout: "time",
    changeLog: "choice",
    deadLetterRetention: null,
    durability: "choice",
    retention: "time",
    sweepInterval: "time",
    tracer: null,
  },
}

const set = { key: "key", value: "value" }
const count = { key: "key", value: "operand" }
const concat = { key: "key", values: "values" }
const writes = {
  set: [set, "KvExpireOptions"],
  sum: [count, "KvExpireOptions"],
  max: [count, "KvExpireOptions"],
  min: [count, "KvExpireOptions"],
  append: [concat, "KvExpireOptions"],
  prepend: [concat, "KvExpireOptions"],
  patch: [{ key: "key", patch: "value" }, "KvPatchOptions"],
  enqueue: [{ value: "value" }, "KvEnqueueOptions"],
}
const named = (type, calls) => Object.entries(calls).map(([name, row]) => [`${type}.${name}`, row])

/**
 * Of each call: the kinds of its arguments, in their order, and the interface of its options. `null`: it
 * takes anything.
 */
export const ARGUMENTS = Object.fromEntries([
  ...named("Kv", {
    get: [{ key: "keyOrKeys" }, "KvGetOptions"],
    getMany: [{ keys: "keys" }, "KvGetManyOptions"],
    children: [{ prefix: "prefix" }, "KvChildrenOptions"],
    getSync: [{ key: "key" }],
    getManySync: [{ keys: "keys" }, { keysOnly: "flag" }],
    list: [{ selector: "selector" }, "KvListOptions"],
    paginate: [{ selector: "selector" }, "KvPaginateOptions"],
    count: [{ selector: "selector" }, "KvCountOptions"],
    set: writes.set,
    setMany: [{ entries: "entries" }, "KvSetManyOptions"],
    delete: [{ target: "target" }, "KvDeleteOptions"],
    touch: [{ key: "key" }, "KvExpireOptions"],
    search: [{ prefix: "prefix", query: "text" }, "KvSearchOptions"],
    createIndex: [{ prefix: "prefix" }, "KvOrderedIndexOptions"],
    listIndexes: [{}],
    removeIndex: [{ prefix: "prefix", name: "text" }],
    explain: [{ selector: "selector", where: "filter" }],
    patch: writes.patch,
    collection: [{ prefix: "key", schema: "schema" }],
    atomic: [{}],
    transaction: [{ fn: "callback" }, "KvTransactionOptions"],
    watch: [{ target: "target", callback: "callbackOrOptions" }, "KvWatchOptions"],
    consumer: [{ name: "name" }, "KvConsumerOptions"],
    enqueue: writes.enqueue,
    listenQueue: [{ handler: "callback" }, "KvListenOptions"],
    ackMessage: [{ id: "id" }],
    nackMessage: [{ id: "id" }, null],
    queueStats: [{ queue: "name" }],
    commitVersionstamp: [{}],
    uuidv7: [{}],
    now: [{}],
    backup: [{ path: "path" }, "KvBackupOptions"],
    metrics: [{ format: "choice" }],
    info: [{}],
  }),
  ...named("KvAtomic", {
    ...writes,
    patch: [writes.patch[0], "KvExpireOptions"],
    delete: [{ key: "target" }],
    commit: [{}],
  }),
  ...named("KvTransaction", {
    ...writes,
    patch: [writes.patch[0], "KvExpireOptions"],
    get: [{ key: "keyOrKeys" }],
    getMany: [{ keys: "keys" }],
    delete: [{ key: "key" }],
  }),
  ...named("KvChanges", { changes: [{}, "KvChangesOptions"], head: [{}], trim: [{ seq: "seq" }] }),
  ...named("KvConsumer", {
    read: [{ limit: "positive" }],
    commit: [{ seq: "seq" }],
    status: [{}],
    release: [{}],
    delete: [{}],
  }),
  ...named("KvDeadLetters", {
    list: [{}, { limit: "positive", offset: "count", queue: "name" }],
    get: [{ id: "id" }],
    requeue: [{ id: "id" }],
    delete: [{ id: "id" }],
    purge: [{}, { queue: "name" }],
  }),
  ...named("KvLocks", { lock: [{ name: "name" }, "KvLockOptions"], status: [{ name: "name" }] }),
  ...named("KvLock", { release: [{}] }),
  ...named("KvCollection", {
    key: [{ id: null }],
    get: [{ id: null }],
    getMany: [{ ids: null }],
    getSync: [{ id: null }],
    getManySync: [{ ids: null }],
    set: [{ id: null, value: "value" }, "KvExpireOptions"],
    delete: [{ id: null }],
    list: [{}, "KvListOptions"],
    where: [{ filter: "filter" }, "KvListOptions"],
    count: [{ filter: "filter" }],
    parse: [{ value: null }],
  }),
  ...named("KvNow", { add: [{ duration: "time" }], sub: [{ duration: "time" }] }),
])
