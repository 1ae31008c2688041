import assert from "node:assert/strict"
import { inspect } from "node:util"
import { STAMP } from "./assert.js"
import { Gate, Inbox, within } from "./waiting.js"

/** A key as text, with the type of each part. */
export function nameOf(key) {
  return inspect(key.map((part) => (part instanceof Uint8Array ? { bytes: [...part] } : part)))
}

/** Entries as `name=value`, sorted; what is gone is `name=gone`. */
export function said(entries) {
  return entries
    .map(
      ({ key, value, versionstamp }) => `${nameOf(key)}=${versionstamp === null ? "gone" : inspect(value)}`,
    )
    .sort()
}

/** A map that is built from batches alone, by the rules that `KvWatchInfo` gives; and the batches. */
export class Reported {
  inbox = new Inbox()
  entries = new Map()
  dropped = 0

  /** The callback to give to `watch`. */
  callback = (entries, info) => {
    try {
      this.apply({ entries, ...info })
    } catch (error) {
      this.inbox.fail(error)
    }
  }

  apply(batch) {
    const { entries, versionstamp, initial, reset, dropped } = batch
    assert.match(versionstamp, STAMP)
    assert.equal(typeof initial, "boolean")
    assert.equal(typeof reset, "boolean")
    const before = this.inbox.all.at(-1)
    // Within the current state a token may say that nothing was reported yet.
    if (before && !initial) assert.ok(versionstamp >= before.versionstamp, "tokens never go back")
    if (reset) this.entries.clear()
    const names = new Set(entries.map(({ key }) => nameOf(key)))
    assert.equal(names.size, entries.length, "each key once a batch")
    for (const entry of entries) {
      if (entry.versionstamp === null) {
        assert.equal(entry.value, null)
        this.entries.delete(nameOf(entry.key))
      } else {
        assert.match(entry.versionstamp, STAMP)
        this.entries.set(nameOf(entry.key), entry)
      }
    }
    this.dropped += dropped
    this.inbox.put(batch)
  }

  get batches() {
    return this.inbox.all
  }

  /** The next batch. */
  next() {
    return this.inbox.next("a batch")
  }

  /** Waits until the map has a state; the batches up to then count as read. */
  until(predicate, what = predicate) {
    return this.inbox.until(() => predicate(this.entries), what)
  }

  /** Waits until a key has a versionstamp (`null`: is gone). */
  reaches(key, versionstamp) {
    const name = nameOf(key)
    return this.until(
      (entries) => (entries.get(name)?.versionstamp ?? null) === versionstamp,
      `${name} at ${versionstamp}`,
    )
  }

  /** Everything that is there, as `said` shows it. */
  said() {
    return said([...this.entries.values()])
  }
}

/** Reads one batch of an iterator. */
export async function nextBatch(iterator) {
  const { done, value } = await within(iterator.next(), "a batch of the iterator")
  assert.equal(done, false, "the watch has ended")
  return value
}

/** An `onError` that collects, and a test that must not meet an error asserts that it is empty. */
export function errorsInto(list) {
  return (error, message) => void list.push(message === undefined ? error : { error, message })
}

/** A watch whose batches and errors are kept. */
export function watchInto(kv, what, options) {
  const reported = new Reported()
  const errors = []
  const subscription = kv.watch(what, reported.callback, { onError: errorsInto(errors), ...options })
  return { reported, errors, subscription }
}

/** A watch whose callbacks, once their batch is kept, wait at a gate. */
export function watchGated(kv, what) {
  const reported = new Reported()
  const gate = new Gate()
  kv.watch(what, async (...batch) => {
    reported.callback(...batch)
    await gate.pass()
  })
  return { reported, gate }
}
