/** What a row of the conformance cases of aviso 2.x is, and the files with its tests. */

/** A test, by its file and a part of its title. Without a part, the title has the id of the row. */
export interface Evidence {
  readonly file: string
  readonly title?: string
}

/** Without evidence there is no such thing here, and `differences.ts` says why. */
export type Row = readonly [id: string, asks: string, must: string, by: Evidence | undefined]

const parity = (name: string): Evidence => ({ file: `tests/parity/${name}.test.ts` })

/** The files. */
export const by = {
  answers: parity('answers_2x'),
  auth: parity('auth_2x'),
  ecpds: parity('ecpds_2x'),
  geometry: parity('aviso2_geometry'),
  model: parity('aviso2_model'),
  operations: parity('operations_2x'),
  proxy: parity('auth_rows_2x'),
  refused: parity('config_rows_2x'),
  stream: parity('stream'),
  streams: parity('streams_2x'),
  values: parity('values_2x'),
  admin: { file: 'tests/service/admin.test.ts' },
  meets: { file: 'tests/unit/shared/geometry/meets.test.ts' },
  schemaFile: { file: 'tests/unit/shared/notification/aviso2/schema_file.test.ts' },
  faults: {
    file: 'tests/contract/hub_faults.contract.ts',
    title: 'is waited for with heartbeats, and given up after the limit',
  },
  system: {
    file: 'tests/service/auth_system.test.ts',
    title: 'waits for a store that cannot be reached yet, and answers 503 until then',
  },
} as const satisfies Readonly<Record<string, Evidence>>
