/** A task that runs once at a time: asked for while it runs, it runs once more afterwards. */
export class CoalescedTask {
  /** Gives whether it is to run again. It does not reject. */
  readonly #run: () => Promise<boolean>
  readonly #isWanted: () => boolean
  #running = false
  #again = false

  constructor(run: () => Promise<boolean>, isWanted: () => boolean) {
    this.#run = run
    this.#isWanted = isWanted
  }

  request(): void {
    if (this.#running) this.#again = true
    else void this.#loop()
  }

  async #loop(): Promise<void> {
    this.#running = true
    do {
      this.#again = false
      if (await this.#run()) this.#again = true
    } while (this.#again && this.#isWanted())
    this.#running = false
  }
}
