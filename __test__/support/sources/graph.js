import { posix } from "node:path"

/**
 * Groups of files that can be reached from one another, each sorted: the circles of a graph, given as arrows
 * from each file.
 */
export function circles(arrows) {
  const reached = new Map([...arrows.keys()].map((file) => [file, reachedFrom(arrows, file)]))
  const found = new Map()
  for (const [file, others] of reached) {
    if (!others.has(file)) continue
    const circle = [...others].filter((other) => reached.get(other)?.has(file)).sort()
    found.set(circle[0], circle)
  }
  return [...found.values()]
}

function reachedFrom(arrows, file) {
  const seen = new Set()
  const next = [...(arrows.get(file) ?? [])]
  while (next.length > 0) {
    const at = next.pop()
    if (seen.has(at)) continue
    seen.add(at)
    next.push(...(arrows.get(at) ?? []))
  }
  return seen
}

/**
 * The same arrows from folder to folder. A file at the top of the tree, such as `kv.rs` or `transport.ts`,
 * counts as a folder of its own: what lies at the top does not belong together.
 */
export function folderArrows(arrows) {
  const folderOf = (file) => (file.includes("/") ? posix.dirname(file) : file)
  const found = new Map()
  for (const [file, others] of arrows) {
    const folder = folderOf(file)
    if (!found.has(folder)) found.set(folder, new Set())
    for (const other of others) if (folderOf(other) !== folder) found.get(folder).add(folderOf(other))
  }
  return found
}
