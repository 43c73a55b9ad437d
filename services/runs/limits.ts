/**
 * Bounds of the service of runs.
 *
 * @module
 */

/** Times and numbers. */
export const RUNS_LIMITS = {
  /** The publisher of runs renews its claim in this time: a small write. */
  renewMs: 5_000,
  /** Another instance takes over a claim that it has not seen renewed for this long. Three renewals may fail. */
  abandonedMs: 15_000,
  /** Time between two looks at the clock. A due time is told to a second. */
  tickMs: 1_000,
  /** The clock of runs is this far behind: a product that was committed before is surely read by then. */
  lagMs: 2_000,
  /** What arrives within this time is looked at together. */
  gatherMs: 20,
  /** Finished runs are stored this long after they are, so that many need one write. */
  storeMs: 5_000,
  /** Open runs are stored, too, when a start would have to read more products again: half a second, where each has a commit of its own. */
  mostAgain: 20_000,
  /** Parts of open runs that are stored in that time: a hundredth of a processor, however many runs with however many products are open. */
  openParts: 5,
  /** Wait before everything is read again, after reading could not go on. */
  restartMs: 1_000,
  /** Products that are counted without a break: some milliseconds. */
  productsPerTurn: 500,
  /** Most transitions that wait to be published, each with up to 50 missing products. More do not come in a day of hundreds of runs. */
  waiting: 10_000,
  /** Runs whose start is told in an hour: some times those of thousands of destinations. A provider that makes runs up gets no more. */
  startsPerHour: 100_000,
  /** Transitions that are published together. */
  perPublish: 50,
  /** Notifications of runs that are remembered as published: those of a week of hundreds of runs a day. */
  announced: 20_000,
  /** Runs that are written together, and bytes of their texts: fewer than a transaction may have. */
  perWrite: 100,
  writeBytes: 700_000,
  /** Keys that are read at once. */
  perRead: 500,
} as const
