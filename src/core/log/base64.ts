/** Standard Base 64 with padding, as C2SP writes it. One text for some bytes: a second one would be another note of the same meaning. */

/** Undefined when `text` is not the one encoding of some bytes. */
export function decodeBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}
