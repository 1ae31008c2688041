/** The value codec: values of JavaScript to what is stored, and back. */

export { holdsCycle } from "./cycle.js"
export { decodeValue, revive, tooDeep } from "./decode.js"
export { type Encoded, encodeFilterValue, encodeValue, LateValue } from "./encode.js"
