import { join } from "node:path"

export const children = join(import.meta.dirname, "children")

/** A peer as `availablePeers` gives it, whose process is `children/stand-in.js`. */
export function standIn(name, behaviour, more = {}) {
  return {
    name,
    label: name,
    settings: "",
    runtime: "node",
    module: behaviour,
    program: join(children, "stand-in.js"),
    ...more,
  }
}
