/**
 * Curves, drawn by uPlot. Each has a text beside it, because a picture says nothing to people who cannot see it.
 *
 * @module
 */

import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import { clockTime } from './text.ts'

export interface Curve {
  readonly name: string
  readonly values: readonly (number | null)[]
  /** Name of a colour of the style sheet. */
  readonly colour: string
  readonly isDashed?: boolean
  /** Drawn without a line, as the edge of a band. */
  readonly isEdge?: boolean
}

export interface ChartProps {
  readonly label: string
  /** Seconds since 1970, or of something else where `xText` says how it is written. */
  readonly xs: readonly number[]
  readonly curves: readonly Curve[]
  /** Places of two curves between which the area is filled: the upper one first. */
  readonly band?: readonly [number, number]
  readonly xText?: (value: number) => string
  readonly height?: number
}

/** A chart that is as wide as its place. */
export function Chart(props: ChartProps): JSX.Element {
  const holder = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | undefined>(undefined)
  const latest = useRef(props)
  latest.current = props
  const names = props.curves.map(({ name }) => name).join('\n')
  useEffect(() => {
    const element = holder.current
    if (element === null) return undefined
    const draw = (): void => {
      plot.current?.destroy()
      plot.current = new uPlot(optionsOf(latest.current, element), dataOf(latest.current), element)
    }
    draw()
    const resized = new ResizeObserver(() => plot.current?.setSize(sizeOf(element, props.height)))
    resized.observe(element)
    const scheme = matchMedia('(prefers-color-scheme: dark)')
    scheme.addEventListener('change', draw)
    return () => {
      scheme.removeEventListener('change', draw)
      resized.disconnect()
      plot.current?.destroy()
      plot.current = undefined
    }
  }, [names, props.label])
  useEffect(() => plot.current?.setData(dataOf(props)), [props.xs, props.curves])
  return <div class="chart" ref={holder} role="img" aria-label={props.label} />
}

const HEIGHT = 180
/** The x axis is at least so long, so that it does not jump when the first points come. */
const LEAST_SPAN = 60

const secondText = (seconds: number): string => clockTime(seconds * 1000).slice(0, 8)

function sizeOf(element: HTMLElement, height = HEIGHT): { width: number; height: number } {
  return { width: Math.max(200, element.clientWidth), height }
}

function dataOf({ xs, curves }: ChartProps): uPlot.AlignedData {
  return [[...xs], ...curves.map(({ values }) => [...values])]
}

/** A colour of the style sheet, as a canvas knows it: the browser chooses between light and dark. */
function colourOf(element: HTMLElement, name: string): string {
  const probe = document.createElement('i')
  probe.style.color = `var(--${name})`
  element.append(probe)
  const { color } = getComputedStyle(probe)
  probe.remove()
  return color
}

function optionsOf({ curves, band, xText, height }: ChartProps, element: HTMLElement): uPlot.Options {
  const colour = (name: string): string => colourOf(element, name)
  const axis = {
    stroke: colour('muted'),
    grid: { stroke: colour('line'), width: 1 },
    ticks: { stroke: colour('line'), width: 1 },
    font: '11px system-ui, sans-serif',
  }
  return {
    ...sizeOf(element, height),
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC'),
    scales: {
      x: {
        time: xText === undefined,
        range: (_plot, least, most) => [Math.min(least, most - LEAST_SPAN), most],
      },
      y: { range: (_plot, _least, most) => [0, Math.max(1, most * 1.1)] },
    },
    legend: { show: false },
    cursor: { show: false },
    axes: [
      { ...axis, values: (_plot, ticks) => ticks.map(xText ?? secondText) },
      { ...axis, size: 44 },
    ],
    series: [
      {},
      ...curves.map(({ name, colour: name2, isDashed = false, isEdge = false }) => ({
        label: name,
        stroke: isEdge ? 'transparent' : colour(name2),
        width: 1.6,
        points: { show: false },
        ...(isDashed && { dash: [4, 4] }),
      })),
    ],
    ...(band !== undefined && {
      bands: [{ series: [band[0], band[1]] as [number, number], fill: colour('band') }],
    }),
  }
}
