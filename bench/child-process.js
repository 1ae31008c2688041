// Runs a program of children/ in a process of its own, and reads the JSON that it prints, a line at a time.
import { spawn } from "node:child_process"
import { join } from "node:path"
import { createInterface } from "node:readline"

/** Every line that the program prints, as it comes. */
export async function* linesOf(program, args, flags = ["--expose-gc"]) {
  const path = join(import.meta.dirname, "children", program)
  const child = spawn(process.execPath, [...flags, path, ...args.map(String)], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  const ended = new Promise((resolve) => child.on("close", resolve))
  for await (const line of createInterface({ input: child.stdout })) yield JSON.parse(line)
  const code = await ended
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${code}`)
}

/** The one line that it prints. */
export async function answerOf(program, args, flags) {
  for await (const line of linesOf(program, args, flags)) return line
  throw new Error(`${program} printed nothing`)
}
