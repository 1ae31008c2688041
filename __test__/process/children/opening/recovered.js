// recovered.js <file> <call> <new|used>: opens a file and, on request, does one thing with it; prints
// "begins", "goes on" when the event loop has had some turns, and what came of it. All connections of one
// that is used are open.
import { Kv } from "@buntime/keyval"
import { hear, print } from "../lines.js"

const TURNS = 100

const [file, call, age] = process.argv.slice(2)
// Nothing here ends because a patience does.
const open = () => new Kv(file, { busyTimeout: "10m", sweepInterval: 0 })
const kv = open()
const beside = open()
const turn = () => new Promise((resolve) => setTimeout(resolve, 2))

/** What is set after the call of `watch` is what it reports. */
async function reports(watch, setting) {
  await setting
  const { entries } = (await watch.next()).value
  if (entries[0].value !== 2) throw new Error(`reported ${JSON.stringify(entries)}`)
}

const calls = {
  get: () => kv.get(["a"]),
  getMany: () => kv.getMany([["a"], ["b"]]),
  count: () => kv.count([]),
  list: () => kv.list([]).next(),
  paginate: () => kv.paginate([]),
  set: () => kv.set(["a"], 2),
  changes: () => kv.changes().next(),
  open: async () => open().close(),
  watch: () => kv.watch(["a"]).next(),
  "watch and set": () => reports(kv.watch(["a"], { emitInitial: false }), kv.set(["a"], 2)),
  "watch and set beside": () => reports(kv.watch(["a"], { emitInitial: false }), beside.set(["a"], 2)),
  // While a look for the other watch is under way: the commit monitor has had the time to ask for one.
  "watch and stop": async () => {
    for (let count = 0; count < TURNS; count++) {
      await turn()
      if (count > TURNS / 2) kv.watch(["c"], { emitInitial: false }).stop()
    }
  },
  listen: () =>
    new Promise((resolve, reject) => {
      kv.listenQueue(resolve, { onError: reject })
    }),
  lock: () => kv.lock("a"),
}

await kv.set(["a"], 1)
await kv.enqueue(1)
if (age === "used") {
  await calls.get()
  await calls.count()
  await calls.list()
  await calls.changes()
  for await (const _ of kv.list([], { batchSize: 1 }));
  // It has reported all that there is, so that it is looked at with each commit elsewhere.
  const other = kv.watch(["b"])
  await other.next()
  other.next()
  await turn()
}
print("ready")

hear({
  async line() {
    print("begins")
    goOn()
    try {
      await calls[call]()
      print("ended well")
    } catch ({ code, message }) {
      print(`ended with ${code}: ${message}`)
    }
  },
  async end() {
    await beside.close()
    await kv.close()
  },
})

async function goOn() {
  for (let count = 0; count < TURNS; count++) await turn()
  print("goes on")
}
