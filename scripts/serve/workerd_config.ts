/**
 * Makes workerd's configuration (Cap'n Proto text) from ours.
 *
 * @module
 */

/** The values of the generated configuration. */
export interface WorkerdConfig {
  readonly address: string
  /** Absolute path of the bundled module. */
  readonly modulePath: string
  /** Absolute path of an existing folder for the embedded store; `undefined`: the store is elsewhere. */
  readonly dataFolder: string | undefined
  readonly compatibilityDate: string
  readonly compatibilityFlags: readonly string[]
  /** JSON values by binding name. */
  readonly bindings: Readonly<Record<string, unknown>>
  /** Environment variables of the workerd process that are bindings of the same names. */
  readonly secrets: readonly string[]
}

/** The text of workerd's configuration file. */
export function toWorkerdConfig(config: WorkerdConfig): string {
  const bindings = [
    '(name = "AVISO_HOST", durableObjectNamespace = "AvisoHost")',
    ...Object.entries(config.bindings).map(
      ([name, value]) => `(name = ${quote(name)}, json = ${quote(JSON.stringify(value))})`,
    ),
    ...config.secrets.map((name) => `(name = ${quote(name)}, fromEnvironment = ${quote(name)})`),
  ]
  const storage = config.dataFolder === undefined ? '(inMemory = void)' : '(localDisk = "disk")'
  const disk =
    config.dataFolder === undefined
      ? ''
      : `\n    (name = "disk", disk = (path = ${quote(config.dataFolder)}, writable = true)),`
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [${disk}
    (name = "aviso", worker = .aviso),
    (name = "internet", network = (allow = ["public", "private", "local"])),
  ],
  sockets = [ (name = "http", address = ${quote(config.address)}, http = (), service = "aviso") ],
);

const aviso :Workerd.Worker = (
  modules = [ (name = "aviso.mjs", esModule = embed ${quote(config.modulePath)}) ],
  compatibilityDate = ${quote(config.compatibilityDate)},
  compatibilityFlags = [${config.compatibilityFlags.map(quote).join(', ')}],
  globalOutbound = "internet",
  bindings = [
    ${bindings.join(',\n    ')},
  ],
  durableObjectNamespaces = [ (className = "AvisoHost", uniqueKey = "aviso-host", preventEviction = true, enableSql = true) ],
  durableObjectStorage = ${storage},
);
`
}

/** A text literal of Cap'n Proto, with the escapes of a C string. */
function quote(text: string): string {
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
  return `"${escaped}"`
}
