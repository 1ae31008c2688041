/** The interface of a carrier for the dispatcher of notices. */

/** Names and numbers, alternating. */
export type Pairs = readonly (string | number)[]

/** Reasons to look, and the names that they concern. Queues: each with its number of reasons. */
export type Notice = [reasons: number, queues: Pairs, consumers: readonly string[]]

/** When each awaited queue and lease has something to do, and when to ask again. */
export type Dues = [queues: Pairs, consumers: Pairs, againMs: number | null]

export interface NoticeStore {
  readonly closed: boolean
  /** The awaited reasons may have changed. */
  updateReasons(): void
  /** The store's time, or an estimate of it, as the transport gives it. */
  now(): number
  /** The same while running operations are being ended; `undefined` after that. */
  timeWhileOpen(): number | undefined
  /** Asks for a notice when `now()` has come to a time; of several calls the earliest counts. */
  wakeAt(atMs: number): void
  /** Adds a queue whose messages are awaited (`WAIT_QUEUE`), or an awaited lease (`WAIT_LEASE`). */
  waitFor(kind: number, name: string): void
  stopWaitingFor(kind: number, name: string): void
  dues(): Dues | Promise<Dues>
  /**
   * The numbers of the watches and feeds that new changes concern, after whether the log was not read to its
   * end (1).
   */
  changedSubscribers(): number[] | Promise<number[]>
}
