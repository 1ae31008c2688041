// Shared by exit.js, close.js and throw.js.
import { Kv } from "@buntime/keyval"

// One that nobody catches would end either runtime with a code of its own.
process.on("unhandledRejection", (reason) => {
  console.error("unhandled rejection:", reason)
  process.exit(70)
})

export const open = (options) => new Kv(process.argv[3], { busyTimeout: "1m", sweepInterval: 0, ...options })

/** Resolves at the first call of `send`; gives its argument. */
export function signal() {
  let send
  const received = new Promise((resolve) => {
    send = resolve
  })
  return { send, received }
}

/** Later, without keeping the process alive. */
export function unheld(work, ms = 300) {
  setTimeout(work, ms).unref()
}

export async function enqueueMany(kv, count, options) {
  await Promise.all(Array.from({ length: count }, (_, at) => kv.enqueue(at, options)))
}

export const codeOf = (work) =>
  work.then(
    () => "ok",
    (error) => error?.code ?? String(error),
  )

export function collectGarbage() {
  for (let at = 0; at < 3; at++) (globalThis.gc ?? globalThis.Bun?.gc)?.(true)
}

/** Says that it was called, and never ends. */
export function endless({ send }) {
  send()
  return new Promise(() => {})
}
