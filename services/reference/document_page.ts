/**
 * Documents of the repository as pages. Markdown becomes HTML here; HTML in it does not get through.
 *
 * @module
 */

import { escapeHtml, pageText, type PageLinks } from './html.ts'

/** Finds the text of a document by its path below the top folder; `undefined` where there is none. */
export type ReadDocument = (path: string) => Promise<string | undefined>

/** A document of the list at the side. */
type Entry = readonly [path: string, name: string]

/** What a reader looks for first. */
const SHELF: readonly (readonly [title: string, entries: readonly Entry[]])[] = [
  [
    'Begin',
    [
      ['README.md', 'Aviso'],
      ['services/README.md', 'Running it'],
      ['services/rest/README.md', 'Publishing'],
      ['services/auth/README.md', 'Listening'],
      ['scripts/aviso/README.md', 'The client'],
      ['services/runs/README.md', 'Runs'],
      ['scripts/aviso/RUNS.md', 'Waiting for runs'],
      ['services/console/README.md', 'The console'],
    ],
  ],
  [
    'Operate',
    [
      ['services/admin/README.md', 'Retention and jobs'],
      ['services/admin/BACKUP.md', 'Backup'],
      ['services/UPGRADES.md', 'Upgrades'],
      ['services/monitoring/README.md', 'Monitoring'],
      ['shared/access/README.md', 'Who may do what'],
    ],
  ],
  [
    'Look up',
    [
      ['services/CONFIGURATION.md', 'Settings'],
      ['scripts/COMMANDS.md', 'Commands'],
      ['scripts/aviso/RUNS.md', 'Commands of runs'],
      ['shared/ERRORS.md', 'Error codes'],
      ['services/monitoring/METRICS.md', 'Metrics'],
      ['scripts/aviso/CONFIGURATION.md', 'Settings of the client'],
      ['shared/notification/README.md', 'Event types'],
      ['shared/client/README.md', 'The client as a library'],
      ['shared/README.md', 'Architecture'],
    ],
  ],
]

/** The start page. */
export const FIRST_DOCUMENT = 'README.md'

/** Folders with documents: others have files of packages, or of users. */
const DOCUMENT =
  /^(?:README\.md|(?:services|shared|scripts|tests|\.github)\/(?:[A-Za-z0-9_]+\/)*[A-Za-z0-9_]+\.md)$/

/** Whether a path can be that of a document. */
export function isDocumentPath(path: string): boolean {
  return DOCUMENT.test(path)
}

/** The page of a document. @param path Below the top folder. */
export async function documentPage(path: string, text: string, links: PageLinks = {}): Promise<string> {
  const { Marked } = await import('marked')
  const ids = new Map<string, number>()
  const marked = new Marked({
    gfm: true,
    async: false,
    renderer: {
      html: ({ text: html }) => (html.trimStart().startsWith('<!--') ? '' : escapeHtml(html)),
      heading({ tokens, depth, text: title }) {
        const name = `h${depth}`
        return `<${name} id="${escapeHtml(anchorOf(title, ids))}">${this.parser.parseInline(tokens)}</${name}>\n`
      },
      link({ href, tokens, raw }) {
        const words = this.parser.parseInline(tokens)
        // A bare address in a document is an example, such as http://a:2379,http://b:2379, and leads nowhere.
        const target = /^[[<]/.test(raw) ? addressOf(href, path) : undefined
        return target === undefined ? words : `<a href="${escapeHtml(target)}">${words}</a>`
      },
      image: ({ text: alt }) => escapeHtml(alt),
      code: ({ text: code }) => `<pre><code>${escapeHtml(code)}</code></pre>\n`,
      codespan: ({ text: code }) => `<code>${escapeHtml(code)}</code>`,
    },
  })
  const main = marked.parse(text, { async: false })
  const [, title = path] = /^# (.+)$/m.exec(text) ?? []
  return pageText({
    title: `${title.replaceAll('`', '')} – Aviso`,
    aside: asideHtml(path, links),
    main: main.replaceAll('<table>', '<div class="table"><table>').replaceAll('</table>', '</table></div>'),
  })
}

/** The page that says where a document is that this process cannot read. @param version That of Aviso. */
export function missingPage(path: string, version: string, links: PageLinks = {}): string {
  return pageText({
    title: 'Not here – Aviso',
    aside: asideHtml(path, links),
    main: `<h1>Not here</h1>
<p>There is no document <code>${escapeHtml(path)}</code>, or this runtime cannot read it. The documents are in the
repository and in the npm package <code>aviso</code>, version ${escapeHtml(version)}, under the same path.</p>`,
  })
}

function asideHtml(current: string, { console }: PageLinks): string {
  const lists = SHELF.map(([title, entries]) => {
    const items = entries.map(([path, name]) => {
      const mark = path === current ? ' aria-current="page"' : ''
      return `<li><a href="/docs/${path}"${mark}>${escapeHtml(name)}</a></li>`
    })
    return `<h2>${title}</h2>\n<ul>${items.join('\n')}</ul>`
  })
  const page =
    console === undefined ? '' : `<h2>Look</h2>\n<ul><li><a href="${console}">Console</a></li></ul>\n`
  return `${page}${lists.join('\n')}\n<h2>API</h2>\n<ul><li><a href="/swagger-ui/">Every route</a></li></ul>`
}

/** As the places that show Markdown name headings, so that links into documents are right here, too. */
function anchorOf(title: string, ids: Map<string, number>): string {
  const name = title
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-')
  const before = ids.get(name) ?? 0
  ids.set(name, before + 1)
  return before === 0 ? name : `${name}-${before}`
}

/** Where a link of a document leads: elsewhere by https, within the document, or to another document; `undefined`: to what is not shown. */
function addressOf(href: string, from: string): string | undefined {
  // A list such as http://a:2379,http://b:2379 looks like an address to Markdown, and is none.
  if (/^https?:\/\//i.test(href)) return URL.canParse(href) ? href : undefined
  if (href.startsWith('#')) return href
  if (!URL.canParse(href, `doc:/${from}`)) return undefined
  const { protocol, pathname, hash } = new URL(href, `doc:/${from}`)
  const path = pathname.slice(1)
  return protocol === 'doc:' && isDocumentPath(path) ? `/docs/${path}${hash}` : undefined
}
