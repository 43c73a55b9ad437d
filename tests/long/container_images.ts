/**
 * Stand-ins for the images that no registry gives here, made of Debian's packages and of the Node of this clone, with the names, users, folders
 * and commands that the originals have.
 *
 * @module
 */

import { existsSync } from 'node:fs'
import { copyFile, cp, mkdir, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { outputOf } from '../../scripts/run_command.ts'
import { PACKAGES, type ContainerHost } from './container_host.ts'

const DEBIAN = 'docker.io/library/debian:bookworm-slim'
/** As Debian's own slim image: nothing to read, and no packages left in a cache. */
const SLIM = `path-exclude=/usr/share/man/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/doc/*
path-include=/usr/share/doc/*/copyright
path-exclude=/usr/share/info/*
`
const APT_CLEAN = `DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";
`

const TREE = 'localhost/debian-tree'
const SMALLEST = `FROM ${TREE}
COPY docker-clean /etc/apt/apt.conf.d/docker-clean
CMD ["bash"]
`
const NODE = `FROM debian:bookworm-slim
RUN groupadd --gid 1000 node && useradd --uid 1000 --gid node --shell /bin/bash --create-home node
COPY node /usr/local/bin/node
COPY npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \\
 && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx
CMD ["node"]
`
const CADDY = `FROM debian:bookworm-slim
COPY caddy /usr/bin/caddy
RUN mkdir -p /config/caddy /data/caddy /etc/caddy
ENV XDG_CONFIG_HOME=/config XDG_DATA_HOME=/data
WORKDIR /srv
CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
`
const PROMETHEUS = `FROM debian:bookworm-slim
COPY prometheus /bin/prometheus
RUN mkdir -p /prometheus /etc/prometheus && chown 65534:65534 /prometheus /etc/prometheus
USER 65534
WORKDIR /prometheus
VOLUME /prometheus
ENTRYPOINT ["/bin/prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
`

/** Makes them all: `debian:bookworm-slim`, `node:24-slim`, `caddy:2` and `prom/prometheus`. */
export async function makeStandIns(host: ContainerHost): Promise<void> {
  await host.output(['podman', 'import', '--quiet', await debianTree(), TREE])
  await build(host, DEBIAN, SMALLEST, (folder) => writeFile(join(folder, 'docker-clean'), APT_CLEAN))
  const npm = (await outputOf('sh', ['-c', 'command -v npm'])).trim()
  const npmFolder = dirname(dirname(await realpath(npm)))
  await build(host, 'docker.io/library/node:24-slim', NODE, async (folder) => {
    await copyFile(process.execPath, join(folder, 'node'))
    await cp(npmFolder, join(folder, 'npm'), { recursive: true })
  })
  const programs = join(PACKAGES, 'usr', 'bin')
  await build(host, 'docker.io/library/caddy:2', CADDY, (folder) =>
    copyFile(join(programs, 'caddy'), join(folder, 'caddy')),
  )
  await build(host, 'docker.io/prom/prometheus:latest', PROMETHEUS, (folder) =>
    copyFile(join(programs, 'prometheus'), join(folder, 'prometheus')),
  )
}

async function build(
  host: ContainerHost,
  tag: string,
  text: string,
  fill: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = join(host.folder, 'build')
  await mkdir(folder)
  await fill(folder)
  await writeFile(join(folder, 'Containerfile'), text)
  await host.output(['podman', 'build', '--quiet', '--format', 'docker', '-t', tag, folder])
  await rm(folder, { recursive: true })
}

/** Path of an archive with the smallest Debian, which the first use in a clone makes. */
async function debianTree(): Promise<string> {
  const archive = `${PACKAGES}.debian.tar`
  if (existsSync(archive)) return archive
  const [dpkg, made] = [`${archive}.dpkg`, `${archive}.${process.pid}.tar`]
  await writeFile(dpkg, SLIM)
  const programs = join(PACKAGES, 'usr', 'bin')
  const options = ['--quiet', '--mode=root', '--variant=apt', `--dpkgopt=${dpkg}`]
  await outputOf(
    'perl',
    [join(programs, 'mmdebstrap'), ...options, 'bookworm', made],
    // It starts others of its package.
    { environment: { PATH: `${programs}:${process.env['PATH'] ?? ''}` } },
  )
  await rename(made, archive)
  return archive
}
