// A transport whose requests and answers are text, on top of the addon's: what a carrier over HTTP will be to
// the classes of `lib/api/`. Answers come late and out of order, nothing is answered at once, and the time is
// that of the last answer.
import { nativeCarrier } from "../../../dist/testing.js"
import { Random } from "../random.js"
import { answerText, errorFromText, errorText, fromText, NoData, requestText } from "./text.js"

/** At most so many turns of the event loop does an answer come late. */
const MOST_TURNS = 3

/** Delivers what it is given turns of the event loop later, each in a turn of its own drawing. */
class Mail {
  #random
  #letters = 0
  #onEmpty = []

  constructor(seed) {
    this.#random = new Random(seed)
  }

  post(deliver) {
    this.#letters++
    this.#wait(1 + this.#random.int(MOST_TURNS), deliver)
  }

  #wait(turns, deliver) {
    setImmediate(() => {
      if (turns > 1) return this.#wait(turns - 1, deliver)
      deliver()
      if (--this.#letters === 0) for (const resolve of this.#onEmpty.splice(0)) resolve()
    })
  }

  async empty() {
    if (this.#letters > 0) await new Promise((resolve) => this.#onEmpty.push(resolve))
  }
}

export class TextTransport {
  #native
  #mail
  #nowMs
  /** The number of the newest answer that has come, whose time `now` gives. */
  #newest = 0
  #answers = 0

  constructor(settings, seed) {
    this.#native = nativeCarrier(settings)
    this.#mail = new Mail(seed)
    this.#nowMs = this.#native.now()
  }

  get core() {
    return this.#native.core
  }

  get capabilities() {
    return { ...fromText(answerText(this.#native.capabilities)), syncReads: false }
  }

  get closed() {
    return this.#native.closed
  }

  checkOpen() {
    this.#native.checkOpen()
  }

  now() {
    this.checkOpen()
    return this.#nowMs
  }

  get testControls() {
    const controls = this.#native.testControls
    return { ...controls, sweep: () => this.#late(controls.sweep()) }
  }

  get(key, consistency) {
    return this.#ask([key, consistency], ([key, consistency]) => this.#native.get(key, consistency))
  }

  getMany(...request) {
    return this.#ask(request, (request) => this.#native.getMany(...request))
  }

  query(request) {
    return this.#ask(request, (request) => this.#native.query(request))
  }

  write(request) {
    return this.#ask(request, (request) => this.#native.write(request))
  }

  open(request) {
    const reader = crossing(request, (request) => this.#native.open(request))
    return READERS[request.kind](reader, (answer) => this.#late(answer), this.#mail)
  }

  subscribe(request, subscriber) {
    const late = request.kind === "queue" ? subscriber : lateWaiter(subscriber, this.#mail)
    return crossing(request, (request) => this.#native.subscribe(request, late))
  }

  stopRenewing(message, lease) {
    this.#native.stopRenewing(...fromText(requestText([message, lease])))
  }

  attach(running) {
    this.#native.attach(running)
  }

  unref(running) {
    this.#native.unref(running)
  }

  detach(running) {
    this.#native.detach(running)
  }

  async close() {
    await this.#native.close()
    await this.#mail.empty()
  }

  #ask(request, ask) {
    return this.#late(crossing(request, ask))
  }

  /** An answer, or a refusal, as text, late. */
  async #late(answer) {
    let letter
    try {
      const text = answerText(await answer)
      letter = (resolve) => resolve(fromText(text))
    } catch (error) {
      const text = errorText(error)
      letter = (_, reject) => reject(errorFromText(text))
    }
    const number = ++this.#answers
    const nowMs = this.closed ? this.#nowMs : this.#native.now()
    return new Promise((resolve, reject) =>
      this.#mail.post(() => {
        if (number > this.#newest) [this.#newest, this.#nowMs] = [number, nowMs]
        letter(resolve, reject)
      }),
    )
  }
}

/**
 * Hands a request over as text. An argument that a user gave may be no data, where the store checks it: then
 * the request is there to be refused, and one that is not has carried something live.
 */
function crossing(request, ask) {
  let text
  try {
    text = requestText(request)
  } catch (error) {
    if (!(error instanceof NoData)) throw error
    return refusalOf(request, ask, error)
  }
  return ask(fromText(text))
}

function refusalOf(request, ask, noData) {
  const answer = ask(request)
  const accepted = () => {
    throw noData
  }
  return answer instanceof Promise ? answer.then(accepted) : accepted()
}

function lateWaiter(waiter, mail) {
  return { notice: () => mail.post(() => waiter.notice()) }
}

const pages = (reader, late) => ({ page: (count) => late(settled(() => reader.page(count))) })

/** What is thrown at once rejects, as all errors of an answer do. */
async function settled(call) {
  return call()
}

const READERS = {
  list: pages,
  search: pages,
  changes(reader, late, mail) {
    const own = {
      position: reader.position,
      get isSubscribed() {
        return reader.isSubscribed
      },
      async page(limit) {
        const read = async () => ({ page: await reader.page(limit), position: reader.position })
        const { page, position } = await late(read())
        own.position = position
        return page
      },
      subscribe: (waiter) => reader.subscribe(lateWaiter(waiter, mail)),
      unsubscribe: () => reader.unsubscribe(),
    }
    return own
  },
  watch(reader, late) {
    let isStopped = false
    return {
      async next() {
        const batch = await late(reader.next())
        return isStopped ? undefined : batch
      },
      stop() {
        isStopped = true
        reader.stop()
      },
    }
  },
  backup: (reader, late) => ({ next: () => late(reader.next()), stop: () => reader.stop() }),
}
