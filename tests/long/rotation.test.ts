/** The whole figure of promise 10: a rotation under 1,000 listeners and 100/s. Too much for the gate: `npm run test:long`. */

import { rotationCases } from '../proxies/rotation.ts'

await rotationCases({ listeners: 1000, perSecond: 100, drainSeconds: 10, groups: 100 })
