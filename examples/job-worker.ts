// Jobs in a queue, done by workers in processes of their own. One worker is killed in the middle and another
// one goes on: every job is done, and the one that always fails lies in the dead letter queue.
import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { Kv, type KvMessage } from "@buntime/keyval"

interface Job {
  to: string
}
interface Sent extends Job {
  attempts: number
}

const JOBS = 60
/** Of these, so many come when the first worker is dead. */
const LATER = 20
const [, program = "", role, path] = process.argv

/** A worker: handles jobs until it is asked to end, then finishes what it has begun. */
async function work() {
  const kv = new Kv(path)
  const worker = kv.listenQueue<Job>((job) => send(kv, job), {
    queue: "mail",
    concurrency: 4,
    lockDuration: "3s", // if the worker dies, its jobs are free again after this time; the default is 30 s
    onError: (error, job) => console.log(`worker ${process.pid}: attempt ${job?.attempts} failed: ${error}`),
  })
  process.once("SIGTERM", () => worker.stop())
  await worker.finished
  await kv.close()
}

/**
 * A job may run twice: if the worker dies after the work and before the message is gone. So its result has
 * the job's id.
 */
async function send(kv: Kv, { id, value, attempts }: KvMessage<Job>) {
  await sleep(20) // the work
  if (value.to === "nobody") throw new Error("no such address")
  await kv.set(["sent", id], { to: value.to, attempts })
}

/** Starts this program as a worker, in the same runtime. */
const startWorker = (file: string) => spawn(process.execPath, [program, "work", file], { stdio: "inherit" })

async function main() {
  const folder = mkdtempSync(join(tmpdir(), "keyval-jobs-"))
  const file = join(folder, "jobs.db")
  const kv = new Kv(file)

  const enqueue = (from: number, to: number) => {
    const jobs = Array.from({ length: to - from }, (_, n) => ({ to: `user${from + n}` }))
    return Promise.all(jobs.map((job) => kv.enqueue(job, { queue: "mail" })))
  }
  await enqueue(0, JOBS - LATER)
  console.log(await kv.queueStats("mail"))

  let worker = startWorker(file)
  try {
    for await (const _ of kv.watch({ prefix: ["sent"] })) if ((await kv.count(["sent"])) >= 5) break
    worker.kill("SIGKILL")
    await once(worker, "exit")
    const done = await kv.count(["sent"])
    console.log(`killed after ${done} of ${JOBS} jobs`, await kv.queueStats("mail"))
    assert.ok(done < JOBS)

    await enqueue(JOBS - LATER, JOBS)
    await kv.enqueue(
      { to: "nobody" },
      { queue: "mail", backoffSchedule: [20, 40], keysIfUndelivered: [["undelivered", "nobody"]] },
    )
    worker = startWorker(file)
    for (;;) {
      const { pending, processing } = await kv.queueStats("mail")
      if (pending + processing === 0) break
      await sleep(20)
    }
    worker.kill("SIGTERM")
    await once(worker, "exit")
  } finally {
    worker.kill("SIGKILL") // for a worker that outlived an error
  }

  // Every job is done; what the dead worker had in its hands was delivered again.
  const sent: Sent[] = []
  for await (const { value } of kv.list<Sent>(["sent"])) sent.push(value)
  assert.equal(new Set(sent.map(({ to }) => to)).size, JOBS)
  console.log(
    `done: ${sent.length}, at the second attempt: ${sent.filter(({ attempts }) => attempts > 1).length}`,
  )

  // The one that fails has had three attempts: the first, and one for each wait of its schedule.
  const [dead, ...others] = await kv.dlq.list({ queue: "mail" })
  assert.equal(others.length, 0)
  assert.ok(dead)
  assert.deepEqual([dead.value, dead.errorMessage, dead.attempts], [{ to: "nobody" }, "no such address", 3])
  assert.deepEqual((await kv.get(["undelivered", "nobody"])).value, { to: "nobody" })

  // When the cause is repaired: back into the queue, with all of its attempts.
  assert.equal((await kv.dlq.requeue(dead.id)).ok, true)
  assert.deepEqual(await kv.queueStats("mail"), { pending: 1, processing: 0, dlq: 0, total: 1 })

  await kv.close()
  rmSync(folder, { recursive: true })
  console.log("job-worker: ok")
}

await (role === "work" ? work() : main())
