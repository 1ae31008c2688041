import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { CUTS, File } from "./blocks.js"

const SHM_BYTES = 32 * 1024
const FOLDER = Symbol("folder")

/**
 * A disk, as the operations of a log make it, and what a power cut may leave of it at any moment.
 *
 * What is in a file is there when a sync of the file has passed. When a name is there depends on the mode:
 * - `ordered`: names change in the order of their operations (ext4 with its journal). A sync of a file that
 *   has a new name, or of any folder, takes all before it along.
 * - `strict`: a name is there when its folder was synced, and only then.
 * What is not surely there may be there in part: `CUTS` are the ways.
 */
export class Disk {
  #root
  #mode
  #random
  #byInode = new Map()
  /** Path → File or FOLDER: what processes see, and what is surely on disk. */
  #seen
  #named
  /** Operations on names since: `{ type, path, to?, what }`. */
  #pending = []
  failedSyncs = 0

  /** `before` is a copy of the folder `root` as it was when the recording began. */
  constructor({ root, before, mode, random }) {
    this.#root = root
    this.#mode = mode
    this.#random = random
    this.#seen = new Map([[root, FOLDER]])
    for (const entry of readdirSync(before))
      this.#seen.set(join(root, entry), new File(readFileSync(join(before, entry))))
    this.#named = new Map(this.#seen)
  }

  /** Takes the next event of the log. */
  feed(event) {
    const { type, path, to, inode, offset } = event
    const file = this.#byInode.get(inode)
    if (type === "create") this.#create(event)
    else if (type === "found") this.#find(event)
    else if (type === "write") file?.write(offset, event.data)
    else if (type === "truncate") file?.truncate(offset)
    else if (type === "sync") this.#sync(event, file)
    else if (type === "mkdir") this.#name({ type, path, what: FOLDER })
    else if (type === "unlink" || type === "rmdir")
      this.#name({ type: "unlink", path, what: this.#seen.get(path) })
    else if (type === "rename" || type === "link") this.#name({ type, path, to, what: this.#seen.get(path) })
  }

  /** Writes a state that a power cut may leave now into an empty folder; gives the name of the cut. */
  cut(target) {
    const name = this.#random.pick(Object.keys(CUTS))
    const names = this.#namesAfterCut(name)
    const choose = CUTS[name](this.#random)
    const isLost = this.#lostFiles()
    for (const [path, what] of [...names].sort(([one], [other]) => (one < other ? -1 : 1))) {
      const place = join(target, path.slice(this.#root.length))
      if (what === FOLDER) mkdirSync(place, { recursive: true })
      else writeFileSync(place, what.afterCut(isLost(path) ? CUTS.nothing() : choose))
      if (path.endsWith(".db") && this.#random.chance(0.5)) writeFileSync(`${place}-shm`, this.#noise())
    }
    return name
  }

  #create({ path, kind, inode }) {
    this.#byInode.delete(inode)
    if (kind === "shm" || kind === "folder") return
    const what = new File()
    this.#byInode.set(inode, what)
    this.#name({ type: "create", path, what })
  }

  /** A file that was there: it has its inode from now on. */
  #find({ path, inode }) {
    const what = this.#seen.get(path)
    if (what instanceof File) this.#byInode.set(inode, what)
  }

  #sync({ kind, path, result }, file) {
    if (kind === "folder") return result === 0 && this.#syncFolder(path)
    if (!file) return
    if (result !== 0) {
      this.failedSyncs++
      file.failSync(this.#random)
      return
    }
    file.sync()
    const newest = this.#pending.findLastIndex(({ what }) => what === file)
    if (this.#mode === "ordered" && newest >= 0) this.#settle((_, at) => at <= newest)
  }

  #syncFolder(path) {
    const isIn = (name) => name !== undefined && dirname(name) === path
    this.#settle((one) => this.#mode === "ordered" || isIn(one.path) || isIn(one.to))
  }

  #name(operation) {
    if (operation.path.endsWith("-shm")) return
    applyName(this.#seen, operation)
    this.#pending.push(operation)
  }

  /** Operations on names that are surely on disk now. */
  #settle(isSure) {
    const all = this.#pending
    this.#pending = []
    all.forEach((one, at) => {
      if (isSure(one, at)) applyName(this.#named, one)
      else this.#pending.push(one)
    })
  }

  #namesAfterCut(name) {
    const names = new Map(this.#named)
    const first = this.#random.int(this.#pending.length + 1)
    const isThere = (at) => {
      if (name === "nothing" || name === "everything") return name === "everything"
      return this.#mode === "ordered" ? at < first : this.#random.chance(0.5)
    }
    this.#pending.forEach((one, at) => {
      if (isThere(at)) applyName(names, one)
    })
    // A file in a folder that is not there is not there.
    const isReachable = (path) =>
      path === this.#root || (names.get(dirname(path)) === FOLDER && isReachable(dirname(path)))
    return new Map([...names].filter(([path]) => isReachable(path)))
  }

  /** Now and then only the log, or only the rest, has what was pending. */
  #lostFiles() {
    const draw = this.#random.int(4)
    if (draw > 1) return () => false
    return (path) => path.endsWith("-wal") === (draw === 0)
  }

  /** The content of the shared index, which is never synced. */
  #noise() {
    if (this.#random.chance(0.3)) return Buffer.alloc(SHM_BYTES)
    return Buffer.from(Array.from({ length: SHM_BYTES }, () => this.#random.int(256)))
  }
}

function applyName(names, { type, path, to, what }) {
  if (type === "unlink" || type === "rename") names.delete(path)
  if (what === undefined) return
  if (type === "create" || type === "mkdir") names.set(path, what)
  if (type === "rename" || type === "link") names.set(to, what)
}
