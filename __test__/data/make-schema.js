// node __test__/data/make-schema.js <version>: writes schema-<version>.db.gz from what schema-<version>.js
// says, by the version of KeyVal that is built here. Once for each schema, before it is released: a file that
// is there stays.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import { Kv } from "@buntime/keyval"
import { setClock } from "../../dist/testing.js"
import { sql } from "../support/runtimes.js"

const version = process.argv[2]
const target = fileURLToPath(new URL(`schema-${version}.db.gz`, import.meta.url))
if (existsSync(target)) throw new Error(`${target} is there; it is never made anew`)
const { commits, MADE_AT, SETTINGS, sets } = await import(`./schema-${version}.js`)

const folder = mkdtempSync(join(tmpdir(), "keyval-schema-"))
const file = join(folder, "schema.db")
const kv = new Kv(file, SETTINGS)
let at = MADE_AT
for (const { key, value, expiresIn } of sets) {
  setClock(kv, at)
  await kv.set(key, value, { expiresIn })
  at += 1000
}
for (const commit of commits) {
  setClock(kv, at)
  await commit(kv)
  at += 1000
}
await kv.close()
const [meta] = await sql(file, "SELECT * FROM kv_meta")
writeFileSync(target, gzipSync(readFileSync(file), { level: 9 }))
rmSync(folder, { recursive: true })
console.log(target, meta)
