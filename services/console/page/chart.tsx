/**
 * Curves over a band. d3-shape makes the paths; the rest is a few lines of SVG, so that the style sheet colours all of it. Each chart has a
 * text beside it, because a picture says nothing to people who cannot see it.
 *
 * @module
 */

import { area, line } from 'd3-shape'
import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { clockTime } from './text.ts'
import { SECONDS, ticks } from './ticks.ts'

export interface Curve {
  readonly name: string
  /** `null`: not known, so that the curve has a hole. */
  readonly values: readonly (number | null)[]
  /** Class that says its colour. */
  readonly colour: string
  readonly isDashed?: boolean
}

export interface ChartProps {
  readonly label: string
  /** Seconds since 1970, or of something else where `xText` says how it is written. */
  readonly xs: readonly number[]
  readonly curves: readonly Curve[]
  /** The area between two limits. */
  readonly band?: { readonly low: Curve['values']; readonly high: Curve['values'] }
  readonly xText?: (value: number, step: number) => string
}

const HEIGHT = 170
/** Room for the names of the axes. */
const EDGE = { left: 44, right: 30, top: 8, bottom: 22 }
/** The x axis is at least so long, so that it does not jump when the first points come. */
const LEAST_SPAN = 60
/** Pixels between two names of the x axis. */
const X_STEP = 90
const Y_STEP = 40

const secondText = (seconds: number): string => clockTime(seconds * 1000).slice(0, 8)

/** A chart that is as wide as its place. */
export function Chart({ label, xs, curves, band, xText = secondText }: ChartProps): JSX.Element {
  const holder = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(0)
  useEffect(() => {
    const element = holder.current
    if (element === null) return undefined
    const resized = new ResizeObserver(() => setWidth(element.clientWidth))
    resized.observe(element)
    return () => resized.disconnect()
  }, [])
  const last = xs.at(-1) ?? 0
  const first = Math.min(xs[0] ?? 0, last - LEAST_SPAN)
  const most = Math.max(1, ...[...curves.map(({ values }) => values), band?.high ?? []].flat().map(Number))
  const x = scale([first, last], [EDGE.left, width - EDGE.right])
  const names = ticks(first, last, width / X_STEP, SECONDS)
  const step = (names[1] ?? 0) - (names[0] ?? 0)
  const y = scale([0, most * 1.05], [HEIGHT - EDGE.bottom, EDGE.top])
  return (
    <div class="chart" ref={holder}>
      <svg width={width} height={HEIGHT} role="img" aria-label={label}>
        <g class="axes">
          {ticks(0, most, (HEIGHT - EDGE.top - EDGE.bottom) / Y_STEP).map((value) => (
            <g key={`y${value}`}>
              <path d={`M${EDGE.left} ${y(value)}H${width - EDGE.right}`} />
              <text x={EDGE.left - 6} y={y(value) + 4} text-anchor="end">
                {value}
              </text>
            </g>
          ))}
          {names.map((value) => (
            <g key={`x${value}`}>
              <path d={`M${x(value)} ${EDGE.top}V${HEIGHT - EDGE.bottom}`} />
              <text x={x(value)} y={HEIGHT - 6} text-anchor="middle">
                {xText(value, step)}
              </text>
            </g>
          ))}
        </g>
        {band === undefined ? null : <path class="band" d={bandOf(xs, band, { x, y })} />}
        {curves.map(({ name, values, colour, isDashed = false }) => (
          <path
            key={name}
            class={`curve ${colour}`}
            d={curveOf(xs, values, { x, y })}
            stroke-dasharray={isDashed ? '4 4' : undefined}
          />
        ))}
      </svg>
    </div>
  )
}

type Scale = (value: number) => number
interface Scales {
  readonly x: Scale
  readonly y: Scale
}

function scale([from, to]: readonly [number, number], [start, end]: readonly [number, number]): Scale {
  return (value) => Math.round((start + ((value - from) / (to - from || 1)) * (end - start)) * 10) / 10
}

function curveOf(xs: readonly number[], values: Curve['values'], { x, y }: Scales): string {
  const path = line<number>(
    (_at, index) => x(xs[index] ?? 0),
    (_at, index) => y(values[index] ?? 0),
  )
  return path.defined((_at, index) => isKnown(values[index]))(xs) ?? ''
}

function bandOf(
  xs: readonly number[],
  { low, high }: NonNullable<ChartProps['band']>,
  { x, y }: Scales,
): string {
  const path = area<number>(
    (_at, index) => x(xs[index] ?? 0),
    (_at, index) => y(low[index] ?? 0),
    (_at, index) => y(high[index] ?? 0),
  )
  return path.defined((_at, index) => isKnown(low[index]) && isKnown(high[index]))(xs) ?? ''
}

function isKnown(value: number | null | undefined): boolean {
  return value !== null && value !== undefined
}
