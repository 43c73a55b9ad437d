/**
 * Notifications that tests publish.
 *
 * @module
 */

/** A flight as providers write it. */
export function flight(number: string, country = 'Italy'): Record<string, string> {
  return { country, airport: 'fco', date: '20260810', number }
}

/** A dissemination as providers write it. */
export function dissemination(destination: string, step: number): Record<string, string> {
  return { ...DISSEMINATION, date: '20260810', destination, step: String(step) }
}

/** The dissemination of 1.x's own documents and tests. */
export const DISSEMINATION = {
  target: 'E1',
  class: 'od',
  date: '20190810',
  destination: 'MACI',
  domain: 'g',
  expver: '1',
  step: '1',
  stream: 'enfo',
  time: '0',
} as const

/** Where 1.x stores {@link DISSEMINATION}. */
export const DISSEMINATION_KEY =
  '/ec/diss/MACI/date=20190810,target=E1,class=od,expver=0001,domain=g,time=00,stream=enfo,step=1'

const { target: _target, destination: _destination, ...mars } = DISSEMINATION

/** The same fields as an event of MARS. */
export const MARS = mars
