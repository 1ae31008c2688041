// recovered.js <file> <call> <new|used>: opens a file and, when it is told to, does one thing with it; prints "begins", and what came
// of it. All connections of one that is used are open.
import { Kv } from "@buntime/keyval"
import { hear, print } from "../lines.js"

const [file, call, age] = process.argv.slice(2)
const open = () => new Kv(file, { busyTimeout: "1m", sweepInterval: 0 })
const kv = open()

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
}
print("ready")

hear({
  async line() {
    print("begins")
    try {
      await calls[call]()
      print("ended well")
    } catch ({ code, message }) {
      print(`ended with ${code}: ${message}`)
    }
  },
  end: () => kv.close(),
})
