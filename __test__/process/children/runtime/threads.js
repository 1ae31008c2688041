// Shared by workers.js here and in subscriptions/, whose file is the program of the main thread and of its
// workers.
import { isMainThread, Worker, workerData } from "node:worker_threads"
import { printJson } from "../lines.js"

// Loaded late, so that a main thread can stay without the addon.
export const open = async (file) => new (await import("@buntime/keyval")).Kv(file, { sweepInterval: 0 })

/** Begins a task in a worker thread; `said` is its first message, or its exit. */
export function begin(task, file) {
  const worker = new Worker(process.argv[1], { workerData: { task, file } })
  const exited = new Promise((resolve, reject) => {
    worker.on("error", reject)
    worker.on("exit", resolve)
  })
  const said = new Promise((resolve) => worker.once("message", resolve))
  return { worker, exited, said: Promise.race([said, exited]) }
}

/**
 * Plays the scenario that the program was started with, and prints what it gives; in a worker, does its task.
 */
export async function play({ tasks, scenarios }) {
  if (!isMainThread) return tasks[workerData.task](workerData.file)
  const [scenario, file] = process.argv.slice(2)
  printJson((await scenarios[scenario](file)) ?? null)
}
