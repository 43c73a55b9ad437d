/**
 * The service of runs where none are configured. What follows runs is not loaded then.
 *
 * @module
 */

import { AvisoError } from '#shared/errors.ts'
import { createRouter, OFFERS_JSON, type Route, type RoutedHandler } from '#shared/http/route.ts'
import type { Logger } from '#shared/logger.ts'

/** Answers that no runs are followed. */
export function createIdleRunsHandler(options: {
  readonly random: () => string
  readonly logger: Logger
}): RoutedHandler {
  const handle = (): never => {
    throw new AvisoError(
      'ERR_NOT_FOUND',
      'No runs are followed here: the operator configures them in vars.runs, where the store is no other Aviso',
    )
  }
  const route = (path: string, doc: string): Route => ({
    method: 'GET',
    path,
    doc,
    generation: 2,
    offers: OFFERS_JSON,
    handle,
  })
  return createRouter([route('/api/v1/runs', 'runs'), route('/api/v1/runs/:id', 'run')], options)
}
