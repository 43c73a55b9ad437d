/**
 * The text of a file that a person wrote. Decoding never invents characters: a listener for "It\uFFFDly" would wait for ever.
 *
 * @module
 */

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Decodes UTF-8.
 *
 * @throws {Error} for other bytes. It says which encoding they may be of.
 */
export function decodeFile(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch (cause) {
    throw new Error(`it is ${encodingOf(bytes)}: save it as UTF-8`, { cause })
  }
}

function encodingOf([first, second]: Uint8Array): string {
  const isUtf16 = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)
  return isUtf16 ? 'UTF-16, as PowerShell writes files' : 'not UTF-8'
}
