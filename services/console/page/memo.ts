/**
 * Components that are drawn again only when what they show has changed.
 *
 * @module
 */

import { Component, createElement, type FunctionComponent, type VNode } from 'preact'

/** @returns a component that compares each of its properties with `Object.is` */
export function memo<Props extends object>(draw: (props: Props) => VNode): FunctionComponent<Props> {
  class Kept extends Component<Props> {
    override shouldComponentUpdate(next: Readonly<Props>): boolean {
      return !isSame(this.props, next)
    }

    render(): VNode {
      return draw(this.props)
    }
  }
  return (props) => createElement(Kept, props)
}

function isSame(before: object, after: object): boolean {
  const known = new Map(Object.entries(before))
  return Object.entries(after).every(([name, value]) => Object.is(known.get(name), value))
}
