/**
 * The page at `/`: it says what the service is, and how to publish a first notification.
 *
 * @module
 */

import type { Answer } from '#shared/handler.ts'
const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => ESCAPES[character] ?? '')
}

function page(version: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Aviso</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem}pre{overflow:auto;padding:1rem;background:#8882}</style>
</head>
<body>
<h1>Aviso ${escapeHtml(version)}</h1>
<p>This is the ingest. Providers POST notifications here. Each is stored durably, and sent to every listener that asked for it.</p>
<pre>POST /api/v1/notification
{"specversion":"1.0","id":"1","source":"/host/user","type":"aviso",
 "data":{"event":"flight",
         "request":{"country":"Italy","airport":"FCO","date":"20210101","number":"AZ203"},
         "payload":"Landed"}}</pre>
<p>The health of the service is at <a href="/health">/health</a>.</p>
</body>
</html>
`
}

/** The page. It loads nothing: no scripts, no fonts, no other files. */
export function homePage(version: string, requestId: string): Answer {
  return {
    status: 200,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'x-request-id': requestId,
    },
    body: page(version),
  }
}
