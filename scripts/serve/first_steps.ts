/**
 * What a start tells its user to try first. Each line works with the services that were started: their event types, their addresses, and a
 * token where they want one.
 *
 * @module
 */

import { isConsoleOn } from '#services/system/console.ts'
import { createConfiguredSchemas } from '#services/system/runs.ts'
import { DEV_DEFAULTS, type Config, type ServiceName } from '#services/system/settings.ts'
import type { EventSchema, SchemaFile } from '#shared/notification/schema.ts'
import { CALL, IS_RELEASE } from '../released.ts'

/** The event type of the examples. */
const USUAL = 'flight'
const USUAL_FIELDS = 'country=Italy,airport=FCO,date=20260810,number=AZ203,payload=Landed'
/** What to listen to first. A release is not in the folder of its examples. */
const USUAL_LISTENER = IS_RELEASE ? `--event ${USUAL}` : 'scripts/examples/flight.yaml'

/** What was started. */
export interface Started {
  /** The first address that it listens on, such as `http://127.0.0.1:8080` or `unix:PATH`. */
  readonly url: string
  readonly config: Config
  readonly services: readonly ServiceName[]
  readonly schemaFiles: readonly SchemaFile[]
}

/** What is told to be tried. */
interface Example {
  readonly event: string
  /** Words of `aviso listen`. */
  readonly listener: string
  /** Query of a watch. */
  readonly query: string
  /** Fields of `aviso notify`. */
  readonly fields: string
}

/** @returns lines for the terminal; none where no event type is known */
export function firstSteps(started: Started): readonly string[] {
  const { url, config, services } = started
  const example = exampleOf(started)
  if (example === undefined) return []
  const hasTokens = config.vars.identity !== 'none'
  const curl = `curl -N ${hasTokens ? `-H "Authorization: Bearer $AVISO_TOKEN" ` : ''}`
  const token = hasTokens ? ['Token:    put yours into AVISO_TOKEN, or into a file for --token-file'] : []
  const isListening = services.includes('auth')
  if (!url.startsWith('http:')) {
    const path = url.replace('unix:', '') || 'PATH'
    const watch = `'http://localhost/api/v1/watch?${example.query}'`
    return isListening ? [...token, `Listen:   ${curl}--unix-socket ${path} ${watch}`] : []
  }
  const server = url === `http://${DEV_DEFAULTS.host}:${DEV_DEFAULTS.port}` ? '' : `AVISO_BASE_URL=${url} `
  const call = `${server}${CALL}`
  const watch = `${curl}'${url}/api/v1/watch?${example.query}'`
  return [
    ...token,
    ...(isListening ? [`Listen:   ${call} listen ${example.listener}   (or: ${watch})`] : []),
    ...(services.includes('rest')
      ? [`Publish:  ${call} notify event=${example.event},${example.fields}`]
      : []),
    ...(isListening && isConsoleOn(config, config.vars.baseUrl ?? url)
      ? [`Look:     ${url}/ in a browser`]
      : []),
  ]
}

function exampleOf({ config: { vars }, schemaFiles }: Started): Example | undefined {
  // The usual one needs no schemas, which take a moment to make.
  if (vars.schemas.includes(USUAL))
    return { event: USUAL, listener: USUAL_LISTENER, query: `event=${USUAL}`, fields: USUAL_FIELDS }
  const schemas = createConfiguredSchemas(schemaFiles, vars)
  const schema = schemas.events.map((event) => schemas.get(event)).find((one) => one !== undefined)
  return schema && ofSchema(schema)
}

/** Fields that must be given, each with a hole for its value. */
function ofSchema({ event, requiredForListen, requiredForNotify }: EventSchema): Example {
  const holes = (names: readonly string[]): readonly string[] => names.map((name) => `${name}=…`)
  return {
    event,
    listener: ['--event', event, ...holes(requiredForListen)].join(' '),
    query: [`event=${event}`, ...holes(requiredForListen)].join('&'),
    fields: holes(requiredForNotify).join(','),
  }
}
