// The calls of a peer over KeyVal.

export function keyval(kv) {
  return {
    load: (entries) => kv.setMany(entries),
    get: (key) => kv.get(key),
    getMany: (keys) => kv.getMany(keys),
    async list(prefix, visit) {
      for await (const entry of kv.list(prefix)) visit(entry)
    },
    set: (key, value) => kv.set(key, value),
    add: (key, amount) => kv.atomic().sum(key, amount).commit(),
    counter: async (key) => Number((await kv.get(key)).value),
    versions: async (keys) => (await kv.getMany(keys)).map(({ versionstamp }) => versionstamp),
    atomic(checks, sets) {
      const commit = kv.atomic().check(...checks)
      for (const { key, value } of sets) commit.set(key, value)
      return commit.commit()
    },
    delete: (key) => kv.delete(key, { exact: true }),
    deletePrefix: async (prefix) => (await kv.delete({ prefix })).deletedCount,
    close: () => kv.close(),
  }
}
