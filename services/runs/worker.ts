/**
 * The service of runs as a worker module, which every runtime loads (`services/README.md`). Importing it starts nothing.
 *
 * @module
 */

import { createWorker } from '#services/system/worker.ts'

export { AvisoHost } from '#services/system/durable_host.ts'
export default createWorker('runs')
