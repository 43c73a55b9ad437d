/**
 * Expectations that come with the system, for the event types of the schema `ecmwf`.
 *
 * @module
 */

/** Event type → what `true` stands for. */
export const SHIPPED: ReadonlyMap<string, unknown> = new Map([
  [
    'mars',
    {
      run: ['class', 'stream', 'expver', 'date', 'time'],
      product: ['step', 'domain'],
      nominal: { date: 'date', time: 'time' },
    },
  ],
  [
    'dissemination',
    {
      run: ['destination', 'class', 'stream', 'expver', 'date', 'time'],
      product: ['step', 'target', 'domain'],
      nominal: { date: 'date', time: 'time' },
    },
  ],
])
