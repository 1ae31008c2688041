/** The objects of a value in the order in which they are met. */

/** Up to so many, looking at each costs less than a table. */
const FEW = 16

export class Visited {
  readonly #few: object[] = []
  #many: Map<object, number> | undefined

  /** The number of an object that was met before, counted from 0; undefined the first time. */
  meet(object: object): number | undefined {
    const many = this.#many
    if (many !== undefined) {
      const number = many.get(object)
      if (number === undefined) many.set(object, many.size)
      return number
    }
    const few = this.#few
    for (let at = 0; at < few.length; at++) if (few[at] === object) return at
    if (few.push(object) > FEW) this.#many = new Map(few.map((one, at) => [one, at]))
    return undefined
  }
}
