/**
 * What users of the npm package write.
 *
 * @module
 */

/** A program of a user. It ends by itself. */
export const PROGRAM = [
  "import { listen } from 'aviso/listen'",
  "import { publish } from 'aviso/publish'",
  'const url = process.env.AVISO_BASE_URL',
  "const request = { country: 'Italy', airport: 'FCO', date: '20260810', number: 'AZ203' }",
  "const published = await publish({ url, event: 'flight', request, payload: { on: 'time' } })",
  "for await (const { id, request, payload } of listen({ url, event: 'flight', request: { country: 'Italy' }, from: 'oldest' })) {",
  '  console.log(id, request.airport, JSON.stringify(payload))',
  '  if (id === published.id) break',
  '}',
  '',
].join('\n')
/** TypeScript's settings of a user. */
export const CONSUMER_CONFIG = {
  compilerOptions: {
    strict: true,
    noEmit: true,
    module: 'nodenext',
    target: 'es2022',
    lib: ['es2022', 'dom'],
    types: [],
    skipLibCheck: false,
  },
}
/** What a user's compiler checks. */
export const CONSUMER = [
  "import { listen, publish, ClientError, type Notification } from 'aviso'",
  "import { listen as listenOnly } from 'aviso/listen'",
  "import { publish as publishOnly, type Published } from 'aviso/publish'",
  "const notifications: AsyncGenerator<Notification, void, undefined> = listen({ url: '', event: 'flight', from: { cursor: '' } })",
  "const published: Promise<Published> = publish({ url: '', event: 'flight', request: { country: 'Italy' }, payload: [1, { a: null }] })",
  'export const same: readonly [typeof listen, typeof publish] = [listenOnly, publishOnly]',
  "export const all = [notifications, published, new ClientError('').exitCode satisfies number]",
  '',
].join('\n')
