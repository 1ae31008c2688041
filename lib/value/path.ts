/** The path to something within a value, as an expression: `value.items[3]["a b"].values()[0]`. */

const MAX_STEPS = 12
const KEPT_STEPS = MAX_STEPS / 2
const MAX_NAME_CHARS = 60

/** A member's name, an index, or a step that is already written. */
export type Step = string | number | { text: string }

export function renderPath(name: string, steps: readonly Step[]): string {
  if (steps.length <= MAX_STEPS) return name + steps.map(renderStep).join("")
  const [head, tail] = [steps.slice(0, KEPT_STEPS), steps.slice(-KEPT_STEPS)]
  return `${name}${head.map(renderStep).join("")}…${tail.map(renderStep).join("")}`
}

/** The beginning of a path that is too long. */
export function renderPathStart(name: string, steps: readonly Step[]): string {
  return `${name}${steps.slice(0, KEPT_STEPS).map(renderStep).join("")}…`
}

export function symbolStep(symbol: symbol): Step {
  return { text: `[${cut(String(symbol))}]` }
}

/** A map's value, named by its key where that is a string; like a member's name it is part of the path. */
export function mapStep(key: unknown, at: number): Step {
  return { text: typeof key === "string" ? `.get(${quote(key)})` : `.values()[${at}]` }
}

function renderStep(step: Step): string {
  if (typeof step === "number") return `[${step}]`
  if (typeof step === "object") return step.text
  return /^[A-Za-z_$][\w$]{0,59}$/.test(step) ? `.${step}` : `[${quote(step)}]`
}

function quote(text: string): string {
  return JSON.stringify(cut(text))
}

function cut(text: string): string {
  return text.length > MAX_NAME_CHARS ? `${text.slice(0, MAX_NAME_CHARS - 1)}…` : text
}
