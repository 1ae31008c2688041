/** The sections of the report, in its order. Each has a file here, with `title`, `measure` and `markdown`. */
export const SECTIONS = [
  "comparison",
  "subscriptions",
  "sizes",
  "growth",
  "loop",
  "beside",
  "waiters",
  "memory",
  "start",
  "syncs",
]

export const sectionOf = (name) => import(`./${name}.js`)
