import { readFileSync } from "node:fs"

const FORMS = {
  s: (text) => text,
  n: (text) => Number(text),
  i: (text) => BigInt(text),
  b: (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)),
  t: (flag) => flag,
}

function readPart(part) {
  const [form] = Object.keys(part)
  return FORMS[form](part[form])
}

const data = JSON.parse(readFileSync(new URL("../../../testdata/key-vectors.json", import.meta.url), "utf8"))

/** Keys and their encodings, as `storage.md` gives them and as its rules make them. */
export const vectors = data.vectors.map(({ key, hex }) => ({ key: key.map(readPart), hex }))

/** Keys in strictly ascending order. */
export const ordered = data.ordered.map((key) => key.map(readPart))

export function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
}

export function fromHex(hex) {
  return FORMS.b(hex)
}
