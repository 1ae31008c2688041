/**
 * Defines a member that can be changed and deleted. The descriptor has no prototype: a `get` or `set` that a
 * program has put on `Object.prototype` would make it a descriptor of both kinds, which is a TypeError.
 */
export function define(object: object, name: string, value: unknown, enumerable = false): void {
  const descriptor = { __proto__: null, value, configurable: true, enumerable, writable: true }
  Object.defineProperty(object, name, descriptor)
}
