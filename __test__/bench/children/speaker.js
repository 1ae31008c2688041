// speaker.js <how>: a program of one measurement that prints a line of JSON, and then ends as it should not.
import { setInterval } from "node:timers"

const [, , how] = process.argv
console.log('{"step":1}')
if (how === "hangs") setInterval(() => {}, 60_000)
if (how === "garbage") console.log("what a library prints")
if (how === "exits") process.exitCode = 3
