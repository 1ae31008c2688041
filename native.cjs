// The addon for this platform: beside this file if it was built here, else from the package that npm installs
// for the platform. Each path is a literal in its own `try`, so that bundlers and `bun build --compile`
// include the modules that exist and skip the others.
"use strict"

const { readFileSync } = require("node:fs")

const BROUGHT = "linux-x64-gnu, linux-arm64-gnu, linux-x64-musl, linux-arm64-musl, darwin-x64, darwin-arm64, win32-x64"

function load(name) {
  switch (name) {
    case "linux-x64-gnu":
      try {
        return require("./keyval.linux-x64-gnu.node")
      } catch (error) {
        passOver(error)
      }
      try {
        return require("@buntime/keyval-linux-x64-gnu")
      } catch (error) {
        passOver(error)
      }
      break
    case "linux-arm64-gnu":
      try {
        return require("./keyval.linux-arm64-gnu.node")
      } catch (error) {
        passOver(error)
      }
      try {
        return require("@buntime/keyval-linux-arm64-gnu")
      } catch (error) {
        passOver(error)
      }
      break
    case "linux-x64-musl":
      try {
        return require("./keyval.linux-x64-musl.node")
      } catch (error) {
        passOver(error)
      }
      try {
        return require("@buntime/keyval-linux-x64-musl")
      } catch (error) {
        passOver(error)
      }
      break
    case "linux-arm64-musl":
      try {
        return require("./keyval.linux-arm64-musl.node")
      } catch (error) {
        passOver(error)
      }
      try {
        return require("@buntime/keyval-linux-arm64-musl")
      } catch (error) {
        passOver(error)
      }
      break
    case "darwin-x64":
      try {
        return require("./keyval.darwin-x64.node")
      } catch (error) {
        passOver(error)
      }
      try {
        return require("@buntime/keyval-darwin-x64")
      } catch (error) {
        passOver(error)
      }
      break
    case "darwin-arm64":
      try {
        return require("./keyval.darwin-arm64.node")
      } catch (error) {
        passOver(error)
      }
      try {
        return require("@buntime/keyval-darwin-arm64")
      } catch (error) {
        passOver(error)
      }
      break
    case "win32-x64":
      try {
        return require("./keyval.win32-x64.node")
      } catch (error) {
        passOver(error)
      }
      try {
        return require("@buntime/keyval-win32-x64")
      } catch (error) {
        passOver(error)
      }
      break
    default:
      try {
        // Built from source, on a platform that the package has no binary for.
        return require(`./keyval.${name}.node`)
      } catch (error) {
        passOver(error)
      }
      throw missing(`@buntime/keyval has no binary for ${name}. It brings: ${BROUGHT}.`)
  }
  throw missing(
    `@buntime/keyval's binary for ${name} is missing. It comes in the package @buntime/keyval-${name}, an optional dependency: install on the platform that runs it, without --omit=optional.`,
  )
}

/** Ignores a missing module; throws for one that exists and does not load. */
function passOver(error) {
  const code = error?.code
  if (code === "MODULE_NOT_FOUND" || code === "ERR_MODULE_NOT_FOUND") return
  const message = String(error?.message ?? error)
  if (/^(Cannot find|Could not resolve)/.test(message)) return
  const failure = `@buntime/keyval's binary does not load: ${message.replace(/\.$/, "")}.`
  throw new Error(`${failure} ${cure(code, message)}`, { cause: error })
}

/** The remedy, by the message of the runtime or of the dynamic loader. */
function cure(code, message) {
  if (code === "ERR_DLOPEN_DISABLED")
    return "Start Node without --no-addons; under its permission model (--permission) also with --allow-addons."
  if (/--allow-ffi|--allow-read|NotCapable/.test(message)) return "Start Deno with --allow-ffi, and --allow-read for a package that is linked."
  if (/GLIBC_/.test(message)) return "It needs glibc 2.28 or newer: take a newer image or system."
  if (/invalid ELF header|wrong ELF class|ld-musl|libc\.musl|mach-o|valid Win32|incompatible arch/i.test(message))
    return "It is of another platform: install on the platform that runs it, and copy no node_modules from elsewhere."
  if (/failed to map segment|not permitted/i.test(message))
    return "Its folder must allow executable files: no noexec mount."
  if (/too many open files/i.test(message)) return "Close what is not used, or raise the limit (ulimit -n)."
  return BUILD
}

const BUILD = "Install it again, or build it in a checkout with `npm run build`, which needs Rust: see docs/platforms.md."

function missing(message) {
  return new Error(`${message} Or build it in a checkout with \`npm run build\`, which needs Rust: see docs/platforms.md.`)
}

/**
 * By the C library that this process has loaded. `process.report` knows it too, but takes 4 ms. Deno, which
 * would ask for permissions for either, names it directly.
 */
function isMusl() {
  const target = globalThis.Deno?.build?.target
  if (typeof target === "string") return target.endsWith("musl")
  try {
    return readFileSync("/proc/self/maps", "latin1").includes("/ld-musl-")
  } catch {
    const report = process.report?.getReport?.()
    return report !== undefined && report.header.glibcVersionRuntime === undefined
  }
}

function platform() {
  const { platform, arch } = process
  if (platform !== "linux") return `${platform}-${arch}`
  return `linux-${arch}-${isMusl() ? "musl" : "gnu"}`
}

module.exports = load(platform())
