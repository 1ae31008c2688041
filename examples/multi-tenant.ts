// Tenants in one file, each under its own prefix: what one holds, no other can reach; export to a file, and
// deletion.
import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Kv, type KvExpireOptions, type KvKey, type KvKeyPart, type KvListOptions } from "@buntime/keyval"

/**
 * All that a request may touch: it adds the tenant to every key. Take the id from the session, never from the
 * request.
 */
function tenantOf(kv: Kv, id: KvKeyPart) {
  const under = (key: KvKey): KvKey => ["tenants", id, ...key]
  return {
    get<T>(key: KvKey) {
      return kv.get<T>(under(key))
    },
    set: (key: KvKey, value: unknown, options?: KvExpireOptions) => kv.set(under(key), value, options),
    delete: (key: KvKey) => kv.delete(under(key), { exact: true }),
    list<T>(prefix: KvKey, options?: KvListOptions) {
      return kv.list<T>({ prefix: under(prefix) }, options)
    },
    count: (prefix: KvKey) => kv.count({ prefix: under(prefix) }),
  }
}

/**
 * A tenant's entries, to be loaded elsewhere. Stop the tenant's writes first: a long list is not one
 * snapshot.
 */
async function* entriesOf(kv: Kv, id: KvKeyPart) {
  for await (const { key, value, expiresAt } of kv.list(["tenants", id])) {
    const expiresIn = expiresAt === undefined ? undefined : expiresAt - Date.now()
    if (expiresIn === undefined) yield { key, value }
    else if (expiresIn > 0) yield { key, value, expiresIn }
  }
}

async function exportTenant(kv: Kv, id: KvKeyPart, path: string) {
  const target = new Kv(path)
  try {
    return (await target.setMany(entriesOf(kv, id))).count
  } finally {
    await target.close()
  }
}

/** One commit, and the number of entries that are gone. */
const deleteTenant = async (kv: Kv, id: KvKeyPart) => (await kv.delete(["tenants", id])).deletedCount

const folder = mkdtempSync(join(tmpdir(), "keyval-tenants-"))
const kv = new Kv(join(folder, "app.db"))

// Ids that begin alike, and an id that looks like a path.
for (const id of ["1", "10", "1/users", 1]) {
  const tenant = tenantOf(kv, id)
  for (let n = 0; n < 20; n++) await tenant.set(["users", n], { tenant: id, joined: new Date(0), bytes: 10n })
  await tenant.set(["draft"], "soon gone", { expiresIn: "1h" })
}
const one = tenantOf(kv, "1")
for await (const { value } of one.list<{ tenant: KvKeyPart }>(["users"])) assert.equal(value.tenant, "1")
assert.equal(await one.count([]), 21)

const path = join(folder, "tenant-1.db")
assert.equal(await exportTenant(kv, "1", path), 21)
const copy = new Kv(path)
assert.equal(await copy.count({ prefix: [] }), 21)
const { value } = await tenantOf(copy, "1").get(["users", 3])
assert.deepEqual(value, { tenant: "1", joined: new Date(0), bytes: 10n })
const [draft, original] = await Promise.all([tenantOf(copy, "1").get(["draft"]), one.get(["draft"])])
assert.ok(Math.abs(Number(draft.expiresAt) - Number(original.expiresAt)) < 60_000)
await copy.close()

assert.equal(await deleteTenant(kv, "1"), 21)
assert.equal(await one.count([]), 0)
for (const id of ["10", "1/users", 1]) assert.equal(await tenantOf(kv, id).count([]), 21)

await kv.close()
rmSync(folder, { recursive: true })
console.log("multi-tenant: ok")
