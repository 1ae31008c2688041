// The content of a file after a power cut: the synced data, and some of the other.
const SECTOR_BYTES = 512

/** Bytes that grow, with zeros where nothing was written. */
class Image {
  #bytes
  length = 0

  constructor(bytes = Buffer.alloc(0)) {
    this.#bytes = Buffer.from(bytes)
    this.length = bytes.length
  }

  put({ at, data }) {
    const end = at + data.length
    this.#extend(end)
    data.copy(this.#bytes, at)
  }

  resize(length) {
    if (length > this.length) this.#extend(length)
    else this.#bytes.fill(0, length, this.length)
    this.length = length
  }

  /** A view; what is beyond the end is not in it. */
  read(from, to) {
    return this.#bytes.subarray(from, Math.min(to, this.length))
  }

  #extend(end) {
    if (end > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(end, 2 * this.#bytes.length))
      this.#bytes.copy(larger, 0, 0, this.length)
      this.#bytes = larger
    }
    this.length = Math.max(this.length, end)
  }
}

/**
 * One file: the content that processes see (the page cache), the content that is surely on disk, and the
 * operations since the last sync, in order. `pending` has writes, `{ at, data }`, and new lengths,
 * `{ length }`.
 */
export class File {
  #cache
  #disk
  #pending = []
  /** Blocks that a failed sync dropped: only the cache has them. */
  #dropped = new Set()
  #blockBytes = 0

  constructor(bytes) {
    this.#cache = new Image(bytes)
    this.#disk = new Image(bytes)
  }

  write(at, data) {
    this.#cache.put({ at, data })
    this.#pending.push(this.#withDropped(at, data))
  }

  truncate(length) {
    this.#cache.resize(length)
    this.#pending.push({ length })
  }

  sync() {
    for (const one of this.#pending) apply(this.#disk, one)
    this.#pending = []
  }

  /**
   * A sync that failed. Each block that it covered reached the disk or did not; a lost block counts as clean
   * from then on, and no later sync writes it, unless the block is written to again: then the sync writes all
   * of it, as the cache has it. Lengths are metadata, which the journal of the file system keeps.
   */
  failSync(random) {
    this.#blockBytes ||= random.pick([SECTOR_BYTES, 4096])
    for (const one of this.#pending) {
      if (one.length !== undefined) this.#disk.resize(one.length)
      else
        for (const part of pieces(one, this.#blockBytes)) {
          const isKept = random.chance(0.5)
          if (isKept) this.#disk.put(part)
          else this.#dropped.add(Math.floor(part.at / this.#blockBytes))
          if (!isKept && part.at + part.data.length > this.#disk.length)
            this.#disk.resize(part.at + part.data.length)
        }
    }
    this.#pending = []
  }

  /** The content after a power cut: `choose` decides which pending operations are there. */
  afterCut(choose) {
    const image = new Image(this.#disk.read(0, this.#disk.length))
    for (const one of choose(this.#pending)) apply(image, one)
    return image.read(0, image.length)
  }

  /** A write, larger by the dropped blocks that it touches. */
  #withDropped(at, data) {
    if (this.#dropped.size === 0) return { at, data }
    const size = this.#blockBytes
    let [from, to] = [at, at + data.length]
    const [first, last] = [Math.floor(from / size), Math.floor((to - 1) / size)]
    if (this.#dropped.delete(first)) from = Math.min(from, first * size)
    if (this.#dropped.delete(last)) to = Math.max(to, (last + 1) * size)
    for (let block = first; block <= last; block++) this.#dropped.delete(block)
    return { at: from, data: Buffer.from(this.#cache.read(from, to)) }
  }
}

function apply(image, one) {
  if (one.leastLength !== undefined) image.resize(Math.max(image.length, one.leastLength))
  else if (one.length === undefined) image.put(one)
  else image.resize(one.length)
}

/** A write in pieces that end where blocks end. */
function pieces({ at, data }, blockBytes) {
  const parts = []
  for (let from = 0; from < data.length; ) {
    const to = Math.min(data.length, from + blockBytes - ((at + from) % blockBytes))
    parts.push({ at: at + from, data: data.subarray(from, to) })
    from = to
  }
  return parts
}

/** Possible moments of a power cut: each takes the pending operations and gives those that are there. */
export const CUTS = {
  nothing: () => () => [],
  everything: () => (pending) => pending,
  beginning: (random) => (pending) => {
    const kept = pending.slice(0, random.int(pending.length + 1))
    const next = pending[kept.length]
    if (next?.data) kept.push({ at: next.at, data: next.data.subarray(0, random.int(next.data.length + 1)) })
    return kept
  },
  some: (random) => (pending) => pending.filter(() => random.chance(0.5)),
  torn: (random) => (pending) =>
    pending.flatMap((one) => {
      if (one.length !== undefined) return random.chance(0.5) ? [one] : []
      return pieces(one, SECTOR_BYTES).filter(() => random.chance(0.5))
    }),
  reordered: (random) => (pending) => {
    const writes = random.shuffle(pending.filter(({ data }) => data))
    return [...pending.filter(({ data }) => !data), ...writes.slice(0, random.int(writes.length + 1))]
  },
  /** The length is there, the data is not. */
  zeros: (random) => (pending) =>
    pending.flatMap((one) => {
      const draw = random.int(3)
      if (draw === 0 || one.length !== undefined) return [one]
      return draw === 1 ? [{ leastLength: one.at + one.data.length }] : []
    }),
}
