import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { compileFunction, createContext, runInContext } from "node:vm"

const outside = createRequire(import.meta.url)

/**
 * A program in a context of its own, as the test runners that isolate files run it (Jest): its modules are
 * CommonJS, read and compiled by a loader of JavaScript, which knows nothing of `require` of ES modules; its
 * built-in classes are other ones. Addons and Node's own modules come from outside. Gives what the program, a
 * function's body with `require`, returns.
 */
export function inSandbox(program, packages) {
  const shared = {
    console,
    process,
    Buffer,
    URL,
    TextDecoder,
    TextEncoder,
    performance,
    setTimeout,
    clearTimeout,
    setImmediate,
    queueMicrotask,
  }
  const context = createContext(shared)
  runInContext("globalThis.global = globalThis", context)
  const loaded = new Map()

  const load = (path) => {
    const known = loaded.get(path)
    if (known !== undefined) return known.exports
    const module = { exports: {} }
    loaded.set(path, module)
    const parameters = ["module", "exports", "require", "__filename", "__dirname"]
    const body = compileFunction(readFileSync(path, "utf8"), parameters, {
      parsingContext: context,
      filename: path,
    })
    body(module, module.exports, requireFrom(path), path, dirname(path))
    return module.exports
  }

  const requireFrom = (from) => (name) => {
    if (Object.hasOwn(packages, name)) return load(packages[name])
    const isSource = name.startsWith(".") && !name.endsWith(".node")
    return isSource ? load(join(dirname(from), name)) : createRequire(from)(name)
  }

  const run = compileFunction(program, ["require", "outside"], { parsingContext: context })
  return run(requireFrom(import.meta.filename ?? outside.resolve("./sandbox.js")), outside)
}
