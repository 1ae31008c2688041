/** Keys, on their way in. Rust checks them (`src/binding/convert.rs`). */

/** A copy of a key, so that changing the array or its bytes later changes nothing. What is no key stays as it is. */
export function copyKey<K>(key: K): K {
  if (!Array.isArray(key)) return key
  const copy = key.slice()
  for (let at = 0; at < copy.length; at++)
    if (copy[at] instanceof Uint8Array) copy[at] = new Uint8Array(copy[at])
  return copy as K
}
