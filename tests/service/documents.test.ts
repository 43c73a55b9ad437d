import assert from 'node:assert/strict'
import { glob, readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import configFile from '../../wrangler-like.config.json' with { type: 'json' }
import { createDocumentReader } from '#services/system/documents.ts'
import { loadConfig } from '#services/system/settings.ts'
import { isDocumentPath, type ReadDocument } from '#services/reference/document_page.ts'
import { BASE_URL, startTestSystem } from '../support/system.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const fromDisk = createDocumentReader((path) => readFile(path, 'utf8'))

type Get = (path: string, headers?: Record<string, string>) => Promise<Response>

async function withDocuments(use: (get: Get) => Promise<void>, readDocument: ReadDocument): Promise<void> {
  const config = loadConfig(JSON.stringify(configFile), 'test')
  const system = startTestSystem({ config, services: ['rest'], readDocument })
  try {
    await system.ready
    await use((path, headers = {}) => system.fetch(new Request(BASE_URL + path, { headers })))
  } finally {
    await system.close()
  }
}

async function allDocuments(): Promise<readonly string[]> {
  const paths: string[] = []
  const patterns = ['README.md', '{services,shared,scripts,tests}/**/*.md', '.github/*.md']
  for (const pattern of patterns) for await (const path of glob(pattern, { cwd: ROOT })) paths.push(path)
  return paths
}

const idsIn = (html: string): ReadonlySet<string> =>
  new Set([...html.matchAll(/ id="([^"]*)"/g)].map(([, id = '']) => id))

describe('GET /docs', () => {
  it('shows every document of the repository, and each link between them leads somewhere', async () => {
    await withDocuments(async (get) => {
      const pages = new Map<string, string>()
      for (const path of await allDocuments()) {
        assert.ok(isDocumentPath(path), path)
        const response = await get(`/docs/${path}`)
        assert.equal(response.status, 200, path)
        pages.set(`/docs/${path}`, await response.text())
      }
      for (const [page, html] of pages) {
        for (const [, target = '', anchor] of html.matchAll(/href="(\/docs\/[^"#]*\.md|)(?:#([^"]*))?"/g)) {
          const linked = pages.get(target === '' ? page : target)
          assert.ok(linked !== undefined, `${page}: ${target}`)
          if (anchor !== undefined && anchor !== 'main')
            assert.ok(idsIn(linked).has(decodeURIComponent(anchor)), `${page}: ${target}#${anchor}`)
        }
      }
    }, fromDisk)
  })

  it('begins with the README, loads its style alone, and is answered 304', async () => {
    await withDocuments(async (get) => {
      for (const path of ['/docs', '/docs/']) {
        const response = await get(path)
        const policy = response.headers.get('content-security-policy') ?? ''
        assert.ok(policy.startsWith("default-src 'none'; style-src 'self';"), policy)
        const html = await response.text()
        assert.ok(html.includes('<h1 id="aviso">Aviso</h1>'))
        assert.ok(!/<script|\son\w+=|<iframe| style=/.test(html))
        const etag = response.headers.get('etag') ?? ''
        assert.equal((await get(path, { 'if-none-match': etag })).status, 304)
      }
      const style = await get('/docs/style.css')
      assert.equal(style.headers.get('content-type'), 'text/css; charset=utf-8')
    }, fromDisk)
  })

  it('lets no HTML of a document through, and no address that is none of a page', async () => {
    const text = `# A <b>b</b>

<script>alert(1)</script>

<!-- not shown -->

[a](javascript:alert(1)) [b](JAVASCRIPT:alert(2)) [c](data:text/html,x) [d](//evil.example/) [e](../../etc/passwd)
http://a:2379,http://b:2379 http://host:2379[,…]
[f](https://example.org/"onclick=alert(3)) ![g](https://example.org/x.png) <img src=x onerror=alert(4)>

| a |
|---|
| \`<i>\` <u>x</u> |
`
    await withDocuments(
      async (get) => {
        const html = await (await get('/docs/services/README.md')).text()
        const main = html.slice(html.indexOf('<main'))
        assert.ok(
          !/<(?:script|img|b|i|u)[ >]|javascript:|data:text|evil|passwd|not shown/i.test(
            main.replaceAll(/&lt;[^&]*&gt;/g, ''),
          ),
          main,
        )
        const links = [...main.matchAll(/<a ([^>]*)>/g)].map(([, attributes]) => attributes)
        assert.deepEqual(links, ['href="https://example.org/&quot;onclick=alert(3)"'])
      },
      () => Promise.resolve(text),
    )
  })

  it('has addresses that stand there as examples as text, and links as links', async () => {
    const text = `# Title
Stores: http://a:2379,http://b:2379, http://host:2379[,…] or www.example.org; see <http://127.0.0.1:8080> and
[there](https://example.org/).
`
    await withDocuments(
      async (get) => {
        const html = await (await get('/docs/services/README.md')).text()
        const main = html.slice(html.indexOf('<main'))
        assert.deepEqual(
          [...main.matchAll(/<a href="([^"]*)"/g)].map(([, target]) => target),
          ['http://127.0.0.1:8080', 'https://example.org/'],
        )
        assert.ok(
          main.includes('http://a:2379,http://b:2379, http://host:2379[,…] or www.example.org;'),
          main,
        )
      },
      () => Promise.resolve(text),
    )
  })

  it('says where a document is that cannot be read, and reads nothing else', async () => {
    const asked: string[] = []
    await withDocuments(
      async (get) => {
        for (const path of [
          'LICENSE',
          'package.json',
          'services/none.md',
          'data/x.md',
          'node_modules/a/README.md',
          'services/%2e%2e/%2e%2e/etc/x.md',
          'services//x.md',
          'services/x.md/',
          'services/<script>.md',
        ]) {
          const response = await get(`/docs/${path}`)
          assert.equal(response.status, 404, path)
        }
        const page = await (await get('/docs/services/none.md')).text()
        assert.ok(page.includes('<code>services/none.md</code>') && page.includes('1.2.3'), page)
      },
      (path) => {
        asked.push(path)
        return Promise.resolve(undefined)
      },
    )
    assert.deepEqual([...new Set(asked)], ['services/none.md'])
  })
})
