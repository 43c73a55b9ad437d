/** A rotation with as many listeners as the gate has time for; `tests/long/rotation.test.ts` has the whole figure. */

import { rotationCases } from './rotation.ts'

await rotationCases({ listeners: 100, perSecond: 25, drainSeconds: 3, groups: 5 })
