/**
 * The frame of pages: one look, no scripts, and nothing from elsewhere.
 *
 * @module
 */

import type { Answer, HandlerRequest } from '#shared/handler.ts'
import { answerUnlessKnown } from '#shared/http/conditional.ts'
import { STYLE_PATH } from './paths.ts'

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** A text as HTML, also inside quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ESCAPES[character] ?? '')
}

/** Pages load their style alone, run nothing, and stand in no frame. */
const POLICY =
  "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

/** Where pages lead besides the documents. */
export interface PageLinks {
  /** Path of the console; absent: there is none here. */
  readonly console?: string | undefined
}

/** A page. */
export interface PageParts {
  readonly title: string
  /** HTML of the list at the side. */
  readonly aside: string
  /** HTML. */
  readonly main: string
}

/** The text of a page. */
export function pageText({ title, aside, main }: PageParts): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${STYLE_PATH}">
</head>
<body>
<a class="skip" href="#main">Skip to the text</a>
<nav aria-label="Documents">
${aside}
</nav>
<main id="main">
${main}
</main>
</body>
</html>
`
}

/** Answers with a page, or with 304 to a client that has it. */
export function pageAnswer(request: HandlerRequest, body: string, status = 200): Promise<Answer> | Answer {
  const answer: Answer = {
    status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': POLICY,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    },
    body,
  }
  return status === 200 ? answerUnlessKnown(request, answer) : answer
}

/** The style of all pages: light and dark, wide and narrow, with the fonts of the system. */
export const STYLE = `:root { color-scheme: light dark;
  --ink: light-dark(#1c2430, #dfe5ee); --quiet: light-dark(#566173, #9aa6b8); --paper: light-dark(#fff, #12161d);
  --shade: light-dark(#f2f5f9, #1b212b); --line: light-dark(#d5dce6, #303a49); --link: light-dark(#0b57b0, #82b7ff);
  --get: light-dark(#0b6b3a, #6fd39c); --post: light-dark(#0b57b0, #82b7ff); --delete: light-dark(#b3261e, #ff9c92); }
* { box-sizing: border-box }
html { scroll-padding-top: 1rem }
body { margin: 0; display: grid; grid-template-columns: minmax(13rem, 17rem) minmax(0, 1fr);
  font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper) }
nav { position: sticky; top: 0; align-self: start; max-height: 100vh; overflow: auto; padding: 1.5rem 1rem;
  border-right: 1px solid var(--line); font-size: .93rem }
nav ul { list-style: none; margin: 0 0 1rem; padding: 0 } nav li { padding: .12rem 0; overflow-wrap: anywhere }
nav h2 { font-size: .8rem; letter-spacing: .04em; text-transform: uppercase; color: var(--quiet); margin: 1rem 0 .3rem }
nav [aria-current] { font-weight: 600 }
main { max-width: 60rem; padding: 1.5rem 2rem 4rem; min-width: 0 }
h1 { margin-top: 0; line-height: 1.2 } h2 { margin-top: 2.2rem; border-bottom: 1px solid var(--line) }
a { color: var(--link) } a:focus-visible, summary:focus-visible { outline: 2px solid var(--link); outline-offset: 2px }
.skip { position: absolute; left: -99rem } .skip:focus { left: 1rem; top: 1rem; background: var(--paper); padding: .5rem }
code, pre { font: .9em/1.45 ui-monospace, monospace } code { background: var(--shade); padding: .1em .3em; border-radius: 3px }
pre { overflow: auto; padding: .8rem 1rem; background: var(--shade); border: 1px solid var(--line); border-radius: 5px }
pre code { background: none; padding: 0; font-size: 1em }
.table { overflow-x: auto } table { border-collapse: collapse; margin: .8rem 0; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line) }
th { font-size: .88rem; color: var(--quiet) } td code { overflow-wrap: anywhere }
/* Keys stay whole: a table that is too wide for it scrolls. */
td:first-child code { overflow-wrap: break-word }
blockquote { margin: 1rem 0; padding: 0 1rem; border-left: 3px solid var(--line); color: var(--quiet) }
details { border: 1px solid var(--line); border-radius: 5px; margin: .5rem 0; padding: 0 .8rem }
details[open] { padding-bottom: .6rem } summary { cursor: pointer; padding: .5rem 0; overflow-wrap: anywhere }
.method { display: inline-block; min-width: 4.2rem; font: 600 .85rem ui-monospace, monospace }
.get { color: var(--get) } .post, .put { color: var(--post) } .delete { color: var(--delete) }
.quiet { color: var(--quiet) } h3 { margin: 1.1rem 0 .3rem; font-size: 1rem }
@media (max-width: 50rem) { body { display: block } nav { position: static; max-height: 9rem; padding: .5rem 1rem; border-right: 0;
  border-bottom: 1px solid var(--line) } main { padding: 1rem } }
@media print { nav { display: none } body { display: block } }
`
