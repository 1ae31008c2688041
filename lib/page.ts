/** Pages of entries, from the text that Rust writes (`src/engine/page.rs`). */

import type { KvEntryMaybe, KvKey, KvKeyPart } from "../index.js"
import { corrupt } from "./errors.js"
import type { Packet } from "./native.js"
import { decodeValue, revive } from "./value/index.js"

/** Set in the flags of an entry whose key has tagged parts; the lower bits are the value's encoding. */
const KEY_IS_TAGGED = 16
const TAGGED_JSON = 1

type Entry = KvEntryMaybe & { key: KvKey }

/** The parsed text. */
export interface Page {
  entries: Entry[]
  /** `index, flags` of the entries that `JSON.parse` alone does not make. */
  odd: number[]
  more: boolean
}

/** Parses a page's text. The engine's own message is not passed on: it quotes the text, which holds stored values. */
export function parsePage(text: string): Page {
  try {
    return JSON.parse(text) as Page
  } catch {
    throw corrupt(
      "a stored value is not the JSON that it should be; the file is damaged, restore it from a backup",
    )
  }
}

/** A page with every value and key as the user knows them. */
export function readPacket(packet: Exclude<Packet, undefined>): Page {
  if (typeof packet === "string") return finish(parsePage(packet), undefined, 0)
  return finish(parsePage(packet[0]), packet[1], 0)
}

/** Finishes a parsed page whose bytes begin at `base`. */
export function finish(page: Page, bytes: Uint8Array | undefined, base: number): Page {
  const { entries, odd } = page
  for (let at = 0; at < odd.length; at += 2) {
    const entry = entries[odd[at] as number] as Entry
    const flags = odd[at + 1] as number
    if (flags & KEY_IS_TAGGED) entry.key = reviveKey(entry.key)
    const encoding = flags & ~KEY_IS_TAGGED
    if (encoding === 0) continue
    entry.value = (
      encoding === TAGGED_JSON ? revive(entry.value) : decodeValue(encoding, slice(entry.value, bytes, base))
    ) as never
  }
  return page
}

/** A copy, so that a user who changes one value changes no other. */
function slice(place: unknown, bytes: Uint8Array | undefined, base: number): Uint8Array {
  const [offset, length] = place as [number, number]
  return bytes === undefined ? new Uint8Array(0) : bytes.slice(base + offset, base + offset + length)
}

/** A key whose parts may be `{ b }`, `{ i }` or `{ n }` (`src/codec/key_json.rs`). */
export function reviveKey(parts: readonly unknown[]): KvKey {
  return parts.map((part) =>
    typeof part === "object" ? revivePart(part as TaggedPart) : (part as KvKeyPart),
  )
}

type TaggedPart = { b?: string; i?: string; n?: string }

function revivePart({ b, i, n }: TaggedPart): KvKeyPart {
  if (b !== undefined) return new Uint8Array(Buffer.from(b, "base64"))
  return i === undefined ? Number(n) : BigInt(i)
}
