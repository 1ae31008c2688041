// The other process of the demo's last questions: `live.js` starts it.
import { Kv } from "@buntime/keyval"

const CITIES = ["Reykjavík", "Kyiv", "Lagos", "Lima", "Osaka", "Perth", "Quito", "Tunis"]
const [path, task] = process.argv.slice(2)
const kv = new Kv(path)

if (task === "report") await report()
else await work()
await kv.close()

/** Visitors come and go; now and then a city has none. */
async function report() {
  for (let number = 1; number <= 200; number++) {
    const city = CITIES[number % CITIES.length]
    if (number % 23 === 0) await kv.delete(["visitors", city])
    else await kv.set(["visitors", city], { visitors: number, at: Date.now() })
    if (number % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 15))
  }
}

/** Handles jobs until the parent closes its end. */
async function work() {
  const listener = kv.listenQueue(
    async ({ value }) => {
      await kv.set(["done", Object(value).job, "there"], true)
    },
    { queue: "jobs", concurrency: 8 },
  )
  console.log("ready")
  for await (const _ of process.stdin);
  listener.stop()
  await listener.finished
}
