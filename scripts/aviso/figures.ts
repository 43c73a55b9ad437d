/**
 * Figures as people read them.
 *
 * @module
 */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

/** A size, such as `12.3 MiB`. */
export function sizeText(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit] ?? ''}`
}

/** A share behind a figure, such as `, 42 %`; nothing where the whole is not known. */
export function percent(part: number, whole: number): string {
  return whole > 0 && Number.isFinite(part) ? `, ${Math.floor((100 * part) / whole)} %` : ''
}
