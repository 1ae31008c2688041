// DynamoDB programs, written with KeyVal: a table of customers and orders, an index of open orders.
import assert from "node:assert/strict"
import { Kv, type KvPage, type KvPaginateOptions, type KvTransaction } from "@buntime/keyval"

interface Customer {
  name: string
}
interface Order {
  sku: string
  quantity: bigint
  date: string
  state: "open" | "shipped"
}

const kv = new Kv(":memory:")

/** PutItem with ConditionExpression attribute_not_exists(PK) */
async function createCustomer(id: string, customer: Customer) {
  const key = ["customers", id]
  const { ok } = await kv.atomic().check({ key, versionstamp: null }).set(key, customer).commit()
  return ok // false is ConditionalCheckFailedException
}

/**
 * TransactWriteItems: the customer must exist, stock must suffice, the order must be new; then three writes
 */
async function placeOrder(
  customerId: string,
  orderId: string,
  { sku, quantity, date }: Omit<Order, "state">,
) {
  const order = ["orders", customerId, orderId]
  const run = async (tx: KvTransaction) => {
    const [customer, stock, before] = await tx.getMany<[Customer, bigint, Order]>([
      ["customers", customerId],
      ["stock", sku],
      order,
    ])
    if (customer.versionstamp === null) return "no such customer"
    if (before.versionstamp !== null) return "already placed"
    if ((stock.value ?? 0n) < quantity) return "out of stock"
    tx.sum(["stock", sku], -quantity)
    tx.set(order, { sku, quantity, date, state: "open" })
    tx.set(["open-orders", date, customerId, orderId], null) // the sparse index
    return "placed"
  }
  const { ok, value } = await kv.transaction(run, { maxRetries: 100, retryDelay: 1 })
  return ok ? value : "too many conflicts"
}

/** UpdateItem with ConditionExpression #state = :open; the order leaves the index in the same commit */
async function ship(customerId: string, orderId: string) {
  const order = await kv.get<Order>(["orders", customerId, orderId])
  if (order.value?.state !== "open") return false
  const { ok } = await kv
    .atomic()
    .check(order)
    .set(order.key, { ...order.value, state: "shipped" })
    .delete(["open-orders", order.value.date, customerId, orderId])
    .commit()
  return ok
}

/** Query: PK = customer AND SK BETWEEN from AND to, Limit, ExclusiveStartKey. The end is exclusive here. */
const orders = (customerId: string, from: string, to: string, page: KvPaginateOptions = {}) =>
  kv.paginate<Order>(
    { prefix: ["orders", customerId], start: ["orders", customerId, from], end: ["orders", customerId, to] },
    page,
  )

assert.equal(await createCustomer("c1", { name: "Ada" }), true)
assert.equal(await createCustomer("c1", { name: "Eve" }), false)
await kv.atomic().sum(["stock", "book"], 10).commit() // UpdateItem ADD stock 10

// Fifteen customers want ten books; one of them sends the order twice.
const wanted = Array.from({ length: 15 }, (_, n) => `2026-0${1 + (n % 2)}-${String(10 + n)}`)
const place = (orderId: string) =>
  placeOrder("c1", orderId, { sku: "book", quantity: 1n, date: orderId.slice(0, 7) })
const placed = await Promise.all(wanted.map(place))
assert.equal(placed.filter((outcome) => outcome === "placed").length, 10)
assert.equal(placed.filter((outcome) => outcome === "out of stock").length, 5)
assert.equal((await kv.get(["stock", "book"])).value, 0n)
assert.equal(await place(wanted[placed.indexOf("placed")] ?? ""), "already placed")
assert.equal(await placeOrder("c2", "x", { sku: "book", quantity: 1n, date: "2026-01" }), "no such customer")

// begins_with(SK, "2026-01") is a range: a prefix is whole parts.
const january = []
let cursor: string | null = null
do {
  const page: KvPage<Order> = await orders("c1", "2026-01", "2026-02", { limit: 2, cursor })
  january.push(...page.entries)
  cursor = page.cursor // LastEvaluatedKey
} while (cursor !== null)
assert.ok(january.length > 0 && january.every(({ key }) => String(key[2]).startsWith("2026-01")))

// Two workers ship the same order: one does.
const [, customerId, orderId] = (january[0]?.key ?? []).map(String) as [string, string, string]
const shipped = await Promise.all([ship(customerId, orderId), ship(customerId, orderId)])
assert.deepEqual(shipped.toSorted(), [false, true])
assert.equal(await kv.count(["open-orders"]), 9)

await kv.close()
console.log("from-dynamodb: ok")
