/**
 * Sends questions together that come while others are under way: thousands of listeners may come back in one moment, and each question alone
 * would take a connection.
 *
 * @module
 */

/** Questions that go together at most: some 100 KB. */
const MOST_TOGETHER = 500

interface Waiting<Asked, Told> {
  readonly asked: Asked
  readonly told: PromiseWithResolvers<Told>
}

/** @param send Answers in the order of the questions. One call is under way at a time; where it rejects, all of its questions do. */
export function inBatches<Asked, Told>(
  send: (asked: readonly Asked[]) => Promise<readonly Told[]>,
): (asked: Asked) => Promise<Told> {
  const waiting: Waiting<Asked, Told>[] = []
  let isSending = false

  async function sendAll(): Promise<void> {
    isSending = true
    while (waiting.length > 0) {
      const batch = waiting.splice(0, MOST_TOGETHER)
      try {
        const answers = await send(batch.map(({ asked }) => asked))
        if (answers.length !== batch.length) throw new TypeError('Not every question was answered')
        for (const [index, { told }] of batch.entries()) told.resolve(answers[index] as Told)
      } catch (error) {
        for (const { told } of batch) told.reject(error)
      }
    }
    isSending = false
  }

  return (asked) => {
    const told = Promise.withResolvers<Told>()
    waiting.push({ asked, told })
    if (!isSending) void sendAll()
    return told.promise
  }
}
