// Shared by writer.js, watcher.js and their tests: which keys there are, and how a key is named in a map.

export const GROUPS = 10
export const MEMBERS = 70

/** Keys as text, for a map. */
export const nameOf = (key) => JSON.stringify(key)

const startsWith = (key, prefix) => prefix.every((part, at) => key[at] === part)

/** Whether a watch of `{ target, exact }` tells of a key. Keys here hold strings and numbers only. */
export function isWatched({ target, exact }, key) {
  if (!Array.isArray(target)) return key.length > target.prefix.length && startsWith(key, target.prefix)
  const keys = Array.isArray(target[0]) ? target : [target]
  return keys.some((one) => startsWith(key, one) && (!exact || one.length === key.length))
}
