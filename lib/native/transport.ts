/** The transport whose carrier is the addon. */

import type { KvConsistency, KvEntryMaybe, KvKey } from "../../index.js"
import { NoticeDispatcher } from "../notices/dispatcher.js"
import type { Dues, NoticeStore } from "../notices/store.js"
import type { KvSettings } from "../shared/options.js"
import { beneath } from "../shared/stacks.js"
import type {
  Capabilities,
  Queries,
  Readers,
  Request,
  Running,
  Subscriptions,
  TestControls,
  Transport,
  Writes,
} from "../transport.js"
import { fromNative } from "./addon.js"
import { Bridge } from "./bridge.js"
import { core } from "./core.js"
import { QUERIES, type QueryEntry } from "./queries.js"
import { ReadBatcher } from "./read-batcher.js"
import { NativeBackupReader, NativeChangesReader, NativeListReader, NativeSearchReader } from "./readers.js"
import { SyncReads } from "./sync-reads.js"
import { TurnSnapshot } from "./turn-snapshot.js"
import { NativeWatchReader } from "./watch-reader.js"
import { WRITES, type WriteEntry } from "./writes.js"

export class NativeTransport implements Transport {
  readonly core = core
  readonly capabilities: Capabilities
  readonly #bridge: Bridge
  readonly #reads: ReadBatcher
  readonly #keyReads: ReadBatcher
  readonly #syncReads: SyncReads
  readonly #notices: NoticeDispatcher

  constructor(settings: KvSettings) {
    const reads = () => [this.#reads, this.#keyReads]
    const notices = () => this.#notices
    this.#bridge = new Bridge(settings, {
      get reasons() {
        return notices().reasons
      },
      dispatch: (notice) => notices().dispatch(notice),
      onClosing: () => {
        for (const batcher of reads()) batcher.flush()
      },
    })
    const store = this.#bridge.callSync((handle) => handle.capabilities())
    this.capabilities = Object.freeze({ ...store, backend: store.persistent ? "file" : "memory" })
    const snapshot = new TurnSnapshot(this.#bridge)
    this.#reads = new ReadBatcher(this.#bridge, snapshot, false)
    this.#keyReads = new ReadBatcher(this.#bridge, snapshot, true)
    this.#syncReads = new SyncReads(this.#bridge, snapshot)
    this.#notices = new NoticeDispatcher(noticeStoreOf(this.#bridge))
  }

  get closed(): boolean {
    return this.#bridge.closed
  }

  checkOpen(): void {
    void this.#bridge.handle
  }

  now(): number {
    return this.#bridge.callSync((handle) => handle.now())
  }

  // Reads leave `consistency` out, here and in lists: a store of this machine is always strong.
  get<T>(key: KvKey): Promise<KvEntryMaybe<T>> {
    return this.#reads.get(key)
  }

  getMany<T>(
    keys: readonly KvKey[],
    _consistency: KvConsistency,
    keysOnly: boolean,
  ): Promise<KvEntryMaybe<T>[]> {
    return (keysOnly ? this.#keyReads : this.#reads).getMany(keys)
  }

  getSync<T>(key: KvKey): KvEntryMaybe<T> {
    return this.#syncReads.get(key)
  }

  getManySync<T>(keys: readonly KvKey[], keysOnly: boolean): KvEntryMaybe<T>[] {
    return this.#syncReads.getMany(keys, keysOnly)
  }

  open<K extends keyof Readers>(request: Request<Readers, K>): Readers[K]["gives"]
  open(request: AnyRequest<Readers>): Readers[keyof Readers]["gives"] {
    const [bridge, { changes }] = [this.#bridge, this.#notices]
    switch (request.kind) {
      case "list":
        return new NativeListReader(bridge, request)
      case "search":
        return new NativeSearchReader(bridge, request)
      case "changes":
        return new NativeChangesReader(bridge, changes, request)
      case "watch":
        return new NativeWatchReader(bridge, changes, request)
      case "backup":
        return new NativeBackupReader(bridge, request)
    }
  }

  query<K extends keyof Queries>(
    request: Request<Queries, K>,
  ): Queries[K]["gives"] | Promise<Queries[K]["gives"]>
  query(request: AnyRequest<Queries>): unknown {
    if (request.kind === "metrics")
      return this.#bridge.callSync((handle) => handle.metrics(request.format === "prometheus"))
    const entry = QUERIES[request.kind] as QueryEntry<unknown, unknown>
    if (entry.isInline) {
      this.#bridge.budget.consume(1)
      const turn = this.#bridge.budget.yieldIfDue()
      if (turn !== undefined) return turn.then(() => this.#bridge.ask(entry.start, request, entry))
    }
    return this.#bridge.ask(entry.start, request, entry)
  }

  /** No deeper than this: the ten frames that an error shows must reach the caller. */
  write<K extends keyof Writes>(request: Request<Writes, K>): Promise<Writes[K]["gives"]> {
    const entry = WRITES[request.kind] as WriteEntry<Request<Writes, K>, Writes[K]["gives"]>
    const bridge = this.#bridge
    const id = bridge.nextId()
    try {
      entry.stage(entry.whileClosing ? bridge.handleWhileClosing : bridge.handle, id, request)
    } catch (error) {
      return Promise.reject(beneath(fromNative(error), this.write))
    }
    bridge.scheduleFlush()
    return bridge.expect(id, request, entry)
  }

  subscribe<K extends keyof Subscriptions>(
    request: Request<Subscriptions, K>,
    subscriber: Subscriptions[K]["calls"],
  ): Subscriptions[K]["gives"]
  subscribe(
    request: AnyRequest<Subscriptions>,
    subscriber: never,
  ): Subscriptions[keyof Subscriptions]["gives"] {
    switch (request.kind) {
      case "queue":
        return this.#notices.queues.subscribe(request.queue, subscriber)
      case "lease":
        return this.#notices.leases.subscribe(request.name, subscriber)
      case "time":
        return this.#notices.timers.subscribe(subscriber)
    }
  }

  stopRenewing(message: string, lease: number): void {
    this.#bridge.callWhileClosing((handle) => handle.queueStopRenewing(message, lease))
  }

  attach(running: Running): void {
    this.#bridge.attach(running)
  }

  unref(running: Running): void {
    this.#bridge.unref(running)
  }

  detach(running: Running): void {
    this.#bridge.detach(running)
  }

  close(): Promise<void> {
    return this.#bridge.close()
  }

  get testControls(): TestControls {
    const bridge = this.#bridge
    return {
      freezeClock: (atMs) => bridge.callSync((handle) => handle.freezeClock(atMs)),
      shiftClock: (byMs) => bridge.callSync((handle) => handle.shiftClock(byMs)),
      async sweep() {
        await bridge.ask((handle, id) => handle.sweep(id), undefined, { body: () => undefined })
      },
    }
  }
}

type AnyRequest<Family> = { [K in keyof Family]: Request<Family, K> }[keyof Family]

const DUES = { body: (dues: Dues) => dues }
const CHANGED = { body: (numbers: number[]) => numbers }

function noticeStoreOf(bridge: Bridge): NoticeStore {
  return {
    get closed() {
      return bridge.closed
    },
    updateReasons: () => bridge.updateReasons(),
    now: () => bridge.callSync((handle) => handle.now()),
    timeWhileOpen: () => bridge.callWhileClosing((handle) => handle.now()),
    wakeAt: (atMs) => bridge.callWhileClosing((handle) => handle.wakeAt(atMs)),
    waitFor: (kind, name) => bridge.callSync((handle) => handle.waitForNotice(kind, name)),
    stopWaitingFor: (kind, name) =>
      bridge.callWhileClosing((handle) => handle.stopWaitingForNotice(kind, name)),
    dues: () => bridge.ask((handle, id) => handle.noticeDues(id), undefined, DUES),
    changedSubscribers: () => bridge.ask((handle, id) => handle.changedSubscribers(id), undefined, CHANGED),
  }
}
