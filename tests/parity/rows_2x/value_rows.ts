/**
 * Rows of the conformance cases of aviso 2.x that are about values: what a provider gives, and what is stored, delivered and found by the
 * same text. Rows A and B, and the bad input that is about a value.
 */

/** A value of a field with a rule. */
export interface ValueRow {
  readonly row: string
  /** Rule of the field, as a schema has it. */
  readonly rule: Readonly<Record<string, unknown>>
  readonly given: unknown
  /** What must be delivered. */
  readonly delivered?: unknown
  /** What the refusal says, where it must be refused. */
  readonly refused?: RegExp
}

const DATE = { type: 'DateHandler', canonical_format: '%Y%m%d' }
const DASHED = { type: 'DateHandler', canonical_format: '%Y-%m-%d' }
const TIME = { type: 'TimeHandler' }
const ENUM = { type: 'EnumHandler', values: ['od', 'rd'] }
const INT = { type: 'IntHandler' }
const RANGE = { type: 'IntHandler', range: [1, 7] }
const FLOAT = { type: 'FloatHandler' }
const FLOAT_RANGE = { type: 'FloatHandler', range: [0, 200] }
const EXPVER = { type: 'ExpverHandler' }
const EXPVER_DEFAULT = { type: 'ExpverHandler', default: '0001' }
const STRING = { type: 'StringHandler' }
const SHORT = { type: 'StringHandler', max_length: 4 }
const POLYGON = { type: 'PolygonHandler' }
const CLOUD = { type: 'PointCloudHandler' }

const TEXT_A = '52.5,13.4,52.6,13.5,52.5,13.6,52.4,13.5,52.5,13.4'
const PAIRS_A = [
  [52.5, 13.4],
  [52.6, 13.5],
  [52.5, 13.6],
  [52.4, 13.5],
  [52.5, 13.4],
]

type Rule = ValueRow['rule']

function taken(row: string, rule: Rule, pairs: readonly (readonly [given: unknown, delivered: unknown])[]) {
  return pairs.map(([given, delivered]): ValueRow => ({ row, rule, given, delivered }))
}

function refused(row: string, rule: Rule, message: RegExp, values: readonly unknown[]) {
  return values.map((given): ValueRow => ({ row, rule, given, refused: message }))
}

/** As many points as asked for, as short as they can be written. */
function points(count: number): readonly (readonly number[])[] {
  return Array.from({ length: count }, () => [1, 1])
}

/** All rows about values. */
export const VALUE_ROWS: readonly ValueRow[] = [
  ...taken('A1', DATE, [['2025-07-06', '20250706']]),
  ...taken('A2', DASHED, [['20250706', '2025-07-06']]),
  ...taken('A3', DATE, [
    ['2025-187', '20250706'],
    ['2024-366', '20241231'],
  ]),
  ...refused('A4', DATE, /^Field 'x' contains invalid date/, [
    '2025-13-01',
    '20250230',
    '2025-366',
    'today',
    '',
    '2025-7-6',
  ]),
  ...taken('A5', TIME, [
    ['9', '0900'],
    ['09', '0900'],
    ['9:05', '0905'],
    ['09:05', '0905'],
    ['0905', '0905'],
    ['23:59', '2359'],
  ]),
  ...refused('A6', TIME, /^Field 'x' contains invalid time/, [
    '24',
    '2400',
    '24:00',
    '12:60',
    '12:5',
    '1:2',
    '123',
    'ab',
    '',
  ]),
  ...taken('A7', ENUM, [
    ['OD', 'od'],
    ['Rd', 'rd'],
  ]),
  ...refused('A8', ENUM, /^Field 'x' .*od.*rd/, ['xx', '', 'o']),
  ...taken('A9', INT, [
    ['0042', '42'],
    [42, '42'],
    ['-7', '-7'],
    ['9223372036854775807', '9223372036854775807'],
  ]),
  ...refused('A10', INT, /^Field 'x'/, ['42.5', 'abc', '9223372036854775808', '', ' 1', '1e3']),
  ...refused('A10', RANGE, /^Field 'x' must be within the range 1 to 7/, ['0', 8]),
  ...taken('A11', FLOAT, [
    ['42.50', '42.5'],
    ['4', '4'],
    [0.1, '0.1'],
    ['1e2', '100'],
  ]),
  ...refused('A11', FLOAT, /^Field 'x'/, ['NaN', 'inf', '-Infinity', 'x', '']),
  ...refused('A11', FLOAT_RANGE, /^Field 'x' must be within the range 0 to 200/, ['-0.1', 250]),
  ...taken('A12', EXPVER, [
    ['1', '0001'],
    ['ABCD', 'abcd'],
    [7, '0007'],
  ]),
  ...taken('A12', EXPVER_DEFAULT, [['', '0001']]),
  ...refused('A12', EXPVER, /^Field 'x'/, ['']),
  ...taken('A13', SHORT, [
    ['abcd', 'abcd'],
    ['é€', undefined],
  ]).filter(({ delivered }) => delivered !== undefined),
  ...refused('A13', SHORT, /^Field 'x'/, ['abcde', 'é€', '']),
  ...taken('A14', POLYGON, [
    [TEXT_A, PAIRS_A],
    [`(${TEXT_A})`, PAIRS_A],
  ]),
  ...refused('A15', POLYGON, /polygon must be closed/, ['1,1,1,2,2,2,2,1']),
  ...refused('A16', POLYGON, /nested|is missing the/, [
    '((1,1,1,2,2,2,1,1))',
    '(1,1,1,2,2,2,1,1',
    '1,1,1,2,2,2,1,1)',
  ]),
  ...refused('A17', POLYGON, /^field 'x' must be a valid polygon|^field 'polygon'/, ['1,1,1,2,2,2,1']),
  ...refused('A17', POLYGON, /at least 4 coordinate pairs/, ['1,1,2,2,1,1']),
  ...refused('A17', POLYGON, /91/, ['91,1,1,2,2,2,91,1']),
  ...refused('A17', POLYGON, /181/, ['1,181,1,2,2,2,1,181']),
  ...refused('A19', STRING, /^Field 'x'/, [null, ['a'], { a: 1 }]),
  // What a subject of JetStream could not hold, keys here hold as it is.
  ...taken('B1', STRING, [['1.45*foo>bar%baz', '1.45*foo>bar%baz']]),
  ...taken('B3', STRING, [
    ['FOO', 'FOO'],
    ['1.59342', '1.59342'],
    ['a*b', 'a*b'],
    ['p%q', 'p%q'],
    ['diss.FOO', 'diss.FOO'],
  ]),
  ...taken('B10', STRING, [
    ['a b', 'a b'],
    ['a\nb', 'a\nb'],
    ['a/b', 'a/b'],
    ['\u0000', '\u0000'],
    ['🌧', '🌧'],
  ]),
  ...taken('G11', CLOUD, [[points(10_000), points(10_000)]]),
  ...refused('G11', CLOUD, /^field 'point_cloud' point cloud contains 10001 points, maximum is 10000/, [
    points(10_001),
  ]),
  ...taken('K3', POLYGON, [[PAIRS_A, PAIRS_A]]),
  ...refused('K15', CLOUD, /maximum is 61440 bytes/, [points(3_000).map(() => [12.123456789, 12.123456789])]),
  ...refused('K15', CLOUD, /must be a JSON array/, ['1,1', 5]),
  ...refused('K15', CLOUD, /at least one point/, [[]]),
  // Bad input: a polygon with two points, that crosses itself, with a hundred thousand points, or that is none.
  ...refused('bad input', POLYGON, /polygon/i, [
    '1,1,2,2',
    'NaN,1,1,2,2,2,NaN,1',
    [
      [0, 0],
      [2, 2],
      [2, 0],
      [0, 2],
      [0, 0],
    ],
    points(10_001),
    [[null, 1]],
    {},
    true,
  ]),
]
