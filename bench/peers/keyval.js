export const title = "KeyVal"
export const runtimes = ["node", "bun"]
export const settings = 'durability "full" (the default): fsync a commit, shared by all that commit together'

export async function open(path) {
  const { Kv, version } = await import("../../dist/index.js")
  const kv = new Kv(`file:${path}`)
  return {
    version,
    load: (entries) => kv.setMany(entries),
    get: (key) => kv.get(key),
    getMany: (keys) => kv.getMany(keys),
    async list(prefix, visit) {
      for await (const entry of kv.list(prefix)) visit(entry)
    },
    set: (key, value) => kv.set(key, value),
    add: (key, amount) => kv.atomic().sum(key, amount).commit(),
    counter: async (key) => Number((await kv.get(key)).value),
    delete: (key) => kv.delete(key, { exact: true }),
    close: () => kv.close(),
  }
}
