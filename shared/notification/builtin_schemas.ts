/**
 * Schemas that come with the system: 1.x's default and the ECMWF one with MARS values.
 *
 * @module
 */

import ecmwf from './schemas/ecmwf.json' with { type: 'json' }
import flight from './schemas/flight.json' with { type: 'json' }

/** Name → content of a schema file. */
export const BUILTIN_SCHEMAS: ReadonlyMap<'flight' | 'ecmwf', unknown> = new Map<'flight' | 'ecmwf', unknown>(
  [
    ['flight', flight],
    ['ecmwf', ecmwf],
  ],
)
