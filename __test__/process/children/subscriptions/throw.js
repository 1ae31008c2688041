// throw.js <scenario> <file>: handlers and callbacks that throw whatever can be thrown; what it prints last
// is JSON.
import { setTimeout as wait } from "node:timers/promises"
import { printJson } from "../lines.js"
import { open } from "./shared.js"

/** What a handler may throw. */
const THROWN = {
  error: () => new Error("an error"),
  undefined: () => undefined,
  null: () => null,
  text: () => "text",
  symbol: () => Symbol("odd"),
  bigint: () => 5n,
  frozen: () => Object.freeze(new Error("frozen")),
  "frozen object": () => Object.freeze({ message: "as an error" }),
  "no prototype": () => Object.create(null),
  "throws when read": () => ({
    get message() {
      throw new Error("message")
    },
    toString() {
      throw new Error("toString")
    },
  }),
  proxy: () =>
    new Proxy(
      {},
      {
        get() {
          throw new Error("get")
        },
        has() {
          throw new Error("has")
        },
        getPrototypeOf() {
          throw new Error("getPrototypeOf")
        },
      },
    ),
  long: () => new Error("x".repeat(100_000)),
  "message is no text": () => Object.assign(new Error(), { message: { odd: true } }),
  function: () => () => {},
}

const scenarios = {
  async "handlers that throw anything"() {
    const kv = open()
    const handled = new Map()
    const fail = {
      now: (thrown) => {
        throw thrown
      },
      later: async (thrown) => {
        await null
        throw thrown
      },
    }
    const cases = Object.keys(fail).flatMap((how) => Object.keys(THROWN).map((what) => ({ how, what })))
    for (const one of cases) await kv.enqueue(one, { backoffSchedule: [1] })
    const thrown = new Map()
    const listener = kv.listenQueue(
      ({ id, value: { how, what } }) => {
        thrown.set(id, THROWN[what]())
        return fail[how](thrown.get(id))
      },
      {
        concurrency: 4,
        onError(error, message) {
          if (!message) return console.error("not of a handler:", error)
          const same = error === thrown.get(message.id)
          handled.set(message.id, (handled.get(message.id) ?? 0) + (same ? 1 : 1000))
        },
      },
    )
    let stats
    do {
      await wait(20)
      stats = await kv.queueStats()
    } while (stats.dlq < cases.length)
    listener.stop()
    await listener.finished
    const letters = await kv.dlq.list({ limit: 1000 })
    const message = (what) =>
      letters.find(({ value }) => value.how === "later" && value.what === what)?.errorMessage
    printJson({
      dead: letters.length === cases.length,
      texts: letters.every(({ errorMessage }) => typeof errorMessage === "string"),
      error: message("error"),
      text: message("text"),
      cut: message("long")?.length <= 8192,
      times: [...new Set(handled.values())],
    })
  },

  async "callbacks that throw anything"() {
    const kv = open()
    const errors = []
    let turn = 0
    const names = Object.keys(THROWN)
    const watch = kv.watch(
      ["a"],
      () => {
        const thrown = THROWN[names[turn++ % names.length]]()
        if (turn <= names.length) throw thrown
        return Promise.reject(thrown)
      },
      { onError: (error) => errors.push(error) },
    )
    while (turn < names.length * 2) await kv.set(["a"], turn)
    watch.stop()
    await watch.finished
    printJson({ all: errors.length >= names.length * 2 })
  },

  async "onError that throws"() {
    const kv = open()
    await kv.enqueue(1, { backoffSchedule: [1, 1] })
    let attempts = 0
    const onError = () => {
      throw new Error("in onError")
    }
    const listener = kv.listenQueue(
      ({ attempts: at }) => {
        attempts = at
        throw new Error("on purpose")
      },
      { onError },
    )
    let calls = 0
    const watch = kv.watch(
      ["a"],
      () => {
        calls++
        throw new Error("on purpose")
      },
      { onError: async () => onError() },
    )
    while (attempts < 3 || calls < 3) {
      await wait(5)
      await kv.set(["a"], calls)
    }
    for (const one of [watch, listener]) one.stop()
    await Promise.all([watch.finished, listener.finished])
    printJson("went on")
  },
}

await scenarios[process.argv[2]]()
