// The addon for this platform. Every path is a literal, so that bundlers and `bun build --compile` find it.
"use strict"

const load = {
  "linux-x64-gnu": () => require("./keyval.linux-x64-gnu.node"),
}

function platform() {
  const { platform, arch, report } = process
  if (platform !== "linux") return `${platform}-${arch}`
  const glibc = report?.getReport?.().header?.glibcVersionRuntime
  return `linux-${arch}-${glibc === undefined ? "musl" : "gnu"}`
}

const name = platform()
if (load[name] === undefined) {
  throw new Error(
    `@buntime/keyval has no binary for ${name} (it has: ${Object.keys(load).join(", ")}). ` +
      "Build one from a checkout with `npm run build`; it needs Rust.",
  )
}

module.exports = load[name]()
