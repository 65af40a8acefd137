/** C2SP tlog-cosignature, Ed25519 (0x04): a witness's statement that it saw a checkpoint at a time. */
import { SIGNATURE_BYTES, verifyEd25519 } from './ed25519.ts';

const TIMESTAMP_BYTES = 8;

/** Seconds since 1970 of a cosignature's bytes; undefined when they cannot be one. */
export function cosignatureTime(signature: Uint8Array): bigint | undefined {
  if (signature.length !== TIMESTAMP_BYTES + SIGNATURE_BYTES) return undefined;
  const time = Buffer.from(signature.buffer, signature.byteOffset, TIMESTAMP_BYTES).readBigUInt64BE();
  return time <= 2n ** 63n - 1n ? time : undefined;
}

/** What is signed: a header, the time and the whole text of the checkpoint. */
export function cosignedMessage(text: Uint8Array, time: bigint): Uint8Array {
  return Buffer.concat([Buffer.from(`cosignature/v1\ntime ${time}\n`), text]);
}

export function verifyCosignature(publicKey: Uint8Array, text: Uint8Array, signature: Uint8Array): boolean {
  const time = cosignatureTime(signature);
  return (
    time !== undefined &&
    verifyEd25519(publicKey, cosignedMessage(text, time), signature.subarray(TIMESTAMP_BYTES))
  );
}
