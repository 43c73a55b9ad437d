/**
 * Reads the shell blocks of a document, and what each should print. Marks say how a block is run; a reader of the page does not see them.
 *
 * | in the document | means |
 * |---|---|
 * | a block `sh` | is run to its end, which must be a success |
 * | a block `sh server=NAME` | goes on running until the document ends; ready when it has printed its `text` block |
 * | a block `text` directly after a shell block | lines that it prints, in this order; `…` stands for any text |
 * | a block `text from=NAME` | lines that the server NAME has printed by then, or prints soon |
 * | `<!-- not run: REASON -->` directly before a shell block | it is not run |
 *
 * @module
 */

/** Something that a document has a reader do or see. */
export type Step = { readonly line: number } & (
  | { readonly kind: 'run'; readonly script: string; readonly prints: readonly string[] }
  | {
      readonly kind: 'server'
      readonly name: string
      readonly script: string
      readonly prints: readonly string[]
    }
  | { readonly kind: 'prints'; readonly from: string; readonly prints: readonly string[] }
)

/** A fenced block. */
interface Block {
  /** Line of its opening fence, from 1. */
  readonly line: number
  readonly language: string
  /** What stands behind the language. */
  readonly mark: string
  readonly lines: readonly string[]
  /** The last line before it that is not empty. */
  readonly before: string
}

/** Every language that a shell block could hide behind. */
const OTHER_SHELLS = ['bash', 'shell', 'console', 'zsh', 'terminal']
const NOT_RUN = /^<!-- not run: (.+) -->$/

/**
 * The steps of a document.
 *
 * @throws {Error} naming the line where a mark is wrong or a block has none.
 */
export function readSteps(text: string): readonly Step[] {
  const blocks = readBlocks(text)
  const steps: Step[] = []
  blocks.forEach((block, index) => {
    const { line, language, mark, lines } = block
    if (OTHER_SHELLS.includes(language)) throw wrong(line, `write "sh", not "${language}"`)
    const from = /^from=([\w-]+)$/.exec(mark)?.[1]
    if (language === 'text' && from !== undefined) steps.push({ kind: 'prints', line, from, prints: lines })
    if (language === 'text' && from === undefined) requireShellBefore(block, blocks[index - 1])
    if (language === 'sh' && !isLeftOut(block)) steps.push(shellStep(block, blocks[index + 1]))
  })
  return steps
}

function readBlocks(text: string): readonly Block[] {
  const blocks: Block[] = []
  let open: { readonly start: Omit<Block, 'lines'>; readonly lines: string[] } | undefined
  let before = ''
  text.split('\n').forEach((content, index) => {
    const fence = /^```(\w*) ?(.*)$/.exec(content)
    if (open !== undefined) {
      if (content !== '```') return void open.lines.push(content)
      blocks.push({ ...open.start, lines: open.lines })
      before = content
      open = undefined
    } else if (fence !== null) {
      const [, language = '', mark = ''] = fence
      open = { start: { line: index + 1, language, mark, before }, lines: [] }
    } else if (content.trim() !== '') before = content
  })
  if (open !== undefined) throw wrong(open.start.line, 'the block has no end')
  return blocks
}

function shellStep({ line, mark, lines }: Block, next: Block | undefined): Step {
  const isNextText = next !== undefined && next.language === 'text' && next.mark === '' && isBehind(next)
  const prints = isNextText ? next.lines : []
  const script = lines.join('\n')
  if (mark === '') return { kind: 'run', line, script, prints }
  const name = /^server=([\w-]+)$/.exec(mark)?.[1]
  if (name === undefined) throw wrong(line, `"${mark}" is not a mark of a shell block`)
  if (prints.length === 0) throw wrong(line, 'a server needs a text block, which shows when it is ready')
  return { kind: 'server', line, name, script, prints }
}

function isLeftOut({ line, before }: Block): boolean {
  if (!before.startsWith('<!-- not run')) return false
  if (NOT_RUN.test(before)) return true
  throw wrong(line, 'write <!-- not run: REASON --> in the line before')
}

function requireShellBefore(block: Block, before: Block | undefined): void {
  if (before?.language === 'sh' && isBehind(block)) return
  throw wrong(block.line, 'a text block stands directly after a shell block, or says from=NAME')
}

/** Whether nothing stands between a block and the one before. */
function isBehind({ before }: Block): boolean {
  return before === '```'
}

function wrong(line: number, reason: string): Error {
  return new Error(`line ${line}: ${reason}`)
}

/** The first of `lines` that `output` does not have, in this order; `undefined` where it has them all. `…` stands for any text. */
export function missingLine(output: string, lines: readonly string[]): string | undefined {
  const printed = output.split('\n')
  let from = 0
  for (const line of lines) {
    const pattern = new RegExp(`^${line.trim().split('…').map(literal).join('.*')}$`)
    const at = printed.findIndex((text, index) => index >= from && pattern.test(text.trim()))
    if (at === -1) return line
    from = at + 1
  }
  return undefined
}

function literal(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}
