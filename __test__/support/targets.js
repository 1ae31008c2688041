import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Kv } from "@buntime/keyval"
import { useCarrier } from "../../dist/testing.js"
import { TextTransport } from "./transport/text-transport.js"

/**
 * A place where a store can be: its url, and how to clean up.
 *
 * @typedef {{ url: string, dispose(): void }} Place
 *
 * A kind of store on which every suite runs. Another kind is another entry: what it can do is data, and a
 * suite asks for the capability, never for the name.
 *
 * @typedef {object} Target
 * @property {string} name
 * @property {boolean} persistent what was written outlives `close`
 * @property {boolean} shared two `Kv` on one url see each other
 * @property {boolean} syncReads the data is on this machine, so that it can be read without a promise
 * @property {number} maxValueBytes the largest encoded value
 * @property {() => Place} place
 * @property {(place: Place, options?: object) => Kv} open
 */

export function tempFolder() {
  const path = mkdtempSync(join(tmpdir(), "keyval-test-"))
  return { path, dispose: () => rmSync(path, { recursive: true, force: true }) }
}

// Sweeps run only when a test asks for one.
const QUIET = { sweepInterval: 0 }
const MIB = 1024 * 1024

/** @type {Record<string, Target>} */
export const targets = {
  memory: {
    name: "memory",
    persistent: false,
    shared: false,
    syncReads: true,
    maxValueBytes: 16 * MIB,
    place: () => ({ url: ":memory:", dispose() {} }),
    open: (place, options) => new Kv(place.url, { ...QUIET, ...options }),
  },
  /** In memory, behind a transport whose requests and answers are text, late and out of order. */
  text: {
    name: "text",
    persistent: false,
    shared: false,
    syncReads: false,
    maxValueBytes: 16 * MIB,
    place: () => ({ url: ":memory:", dispose() {} }),
    open(place, options) {
      useCarrier((settings) => new TextTransport(settings, 1))
      try {
        return new Kv(place.url, { ...QUIET, ...options })
      } finally {
        useCarrier(undefined)
      }
    },
  },
  file: {
    name: "file",
    persistent: true,
    shared: true,
    syncReads: true,
    maxValueBytes: 16 * MIB,
    place() {
      const folder = tempFolder()
      return { url: `file:${join(folder.path, "store.db")}`, dispose: folder.dispose }
    },
    open: (place, options) => new Kv(place.url, { ...QUIET, ...options }),
  },
}
