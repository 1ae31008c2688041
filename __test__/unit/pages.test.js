import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { KvError } from "../../dist/modules/shared/errors.js"
import { reviveKey } from "../../dist/modules/wire/key-json.js"
import { readKnown, readListed } from "../../dist/modules/wire/page.js"

const isCorrupt = (error) => error instanceof KvError && error.code === "CORRUPT"

/**
 * What `npm run fuzz -- 10 javascript` looks for. Seen to fail: as TypeErrors, without the looks at what is
 * there.
 */
describe("pages of damaged values", () => {
  /**
   * Two values that are no JSON by themselves, `1,[2` and `3],4,5,"x"`, move the bytes between them out of
   * place.
   */
  test("bytes that are not in their place are refused", () => {
    const text = `[1,[2,"s1",[0,1],"s2",3],4,5,"x","s3",1,2,0,1,3,0]`
    const parcel = { text, bytes: Uint8Array.of(7), base: 0 }
    assert.throws(() => readKnown(parcel, [["a"], ["b"], ["c"]]), isCorrupt)
  })

  test("bytes beyond those of the page are refused", () => {
    const known = (place, bytes, base = 0) =>
      readKnown({ text: `[${place},"s",0,2,0,1,1,0]`, bytes, base }, [["a"]])
    const bytes = Uint8Array.of(1, 2, 3)
    assert.deepEqual(known("[1,2]", bytes)[0].value, Uint8Array.of(2, 3))
    assert.deepEqual(known("[0,0]", undefined)[0].value, new Uint8Array())
    assert.deepEqual(known("[0,0]", undefined, 9)[0].value, new Uint8Array())
    for (const place of ["[1,3]", "[-1,2]", "[0,-1]", "[0.5,1]", '["0",1]', "[]", "null", "{}"])
      assert.throws(() => known(place, bytes), isCorrupt, place)
    assert.throws(() => known("[0,3]", bytes, 1), isCorrupt)
    assert.throws(() => known("[0,1]", undefined), isCorrupt)
  })

  test("parts of a key that are none are refused", () => {
    const parts = [{ b: "AP8=" }, { i: "-7" }, { n: "-Infinity" }, "a"]
    assert.deepEqual(reviveKey(parts), [Uint8Array.of(0, 255), -7n, Number.NEGATIVE_INFINITY, "a"])
    for (const part of [null, {}, [], { b: 1 }, { i: "x" }, { i: "1n" }, { i: 1.5 }, { n: {} }])
      assert.throws(() => reviveKey([part]), isCorrupt)
    assert.throws(
      () => readListed({ text: `[null,1,"s",0,16,0,1,1,0]`, bytes: undefined, base: 0 }, ["t"], false),
      isCorrupt,
    )
  })
})
