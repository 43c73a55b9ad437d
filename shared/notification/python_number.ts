/**
 * Python's reading and writing of numbers: 1.x keys contain them as Python wrote them.
 *
 * @module
 */

const INTEGER = /^[+-]?\d+(?:_\d+)*$/
const DECIMAL = /^[+-]?(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?|\.\d+(?:_\d+)*)(?:[eE][+-]?\d+(?:_\d+)*)?$/
const NOT_FINITE = /^([+-]?)(inf|infinity|nan)$/i
/** Python's shortest form uses an exponent from here on. */
const EXPONENT_FROM = 16
const EXPONENT_BELOW = -4
/** `Number.prototype.toFixed` writes plain digits only below this. */
const TO_FIXED_LIMIT = 1e21
/** Decimal digits beyond the last one kept that tell an exact half from its neighbours: a double has 17 significant ones. */
const TIE_DIGITS = 25

/** `int(text)`: white space around, underscores between digits. `undefined` for anything Python refuses. */
export function parsePythonInt(text: string): bigint | undefined {
  const trimmed = text.trim()
  if (!INTEGER.test(trimmed)) return undefined
  const digits = trimmed.replaceAll('_', '')
  return digits.startsWith('-') ? -BigInt(digits.slice(1)) : BigInt(digits.replace('+', ''))
}

/** `float(text)`, including `nan`, `inf` and `1e3`. `undefined` for anything Python refuses. */
export function parsePythonFloat(text: string): number | undefined {
  const trimmed = text.trim()
  if (DECIMAL.test(trimmed)) return Number(trimmed.replaceAll('_', ''))
  const special = NOT_FINITE.exec(trimmed)
  if (special === null) return undefined
  if (special[2]?.toLowerCase() === 'nan') return Number.NaN
  return special[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
}

/** `str(float)`: the shortest digits that read back the same, always with a point or an exponent. */
export function pythonFloat(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf'
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0'
  const [digits = '', exponentText = '0'] = value.toExponential().split('e')
  const exponent = Number(exponentText)
  if (exponent < EXPONENT_BELOW || exponent >= EXPONENT_FROM) {
    return `${digits}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`
  }
  const plain = String(value)
  return plain.includes('.') ? plain : `${plain}.0`
}

/** `format(value, '.<decimals>f')` of a value ≥ 0: exact halves go to the even digit, where JavaScript rounds them up. */
export function pythonFixed(value: number, decimals: number): string {
  if (!Number.isFinite(value)) return pythonFloat(value)
  if (value >= TO_FIXED_LIMIT) {
    return BigInt(value).toString() + (decimals === 0 ? '' : `.${'0'.repeat(decimals)}`)
  }
  const rounded = value.toFixed(decimals)
  const exact = value.toFixed(decimals + TIE_DIGITS)
  const isTie = /^50*$/.test(exact.slice(-TIE_DIGITS))
  if (!isTie) return rounded
  const kept = exact.slice(0, -TIE_DIGITS).replace(/\.$/, '')
  return Number(kept.at(-1)) % 2 === 0 ? kept : rounded
}
