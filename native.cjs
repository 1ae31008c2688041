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

/** One that was built from source for a platform that the package does not bring. */
function own(name) {
  try {
    return require(`./keyval.${name}.node`)
  } catch (cause) {
    const brought = Object.keys(load).join(", ")
    const message = `@buntime/keyval has no binary for ${name} (it brings: ${brought}). Build one in a checkout with \`npm run build\`; it needs Rust.`
    throw new Error(message, { cause })
  }
}

const name = platform()
module.exports = load[name] === undefined ? own(name) : load[name]()
