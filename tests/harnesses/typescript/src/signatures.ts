// WP-2.3-SIGN: Ed25519, and the ideal scheme that models use.

import { createHash, createPrivateKey, createPublicKey, sign, verify, type KeyObject } from "node:crypto";
import {
  BlockAndRound, type Block, type Certificate, type DataType, type Request, type Signer,
} from "./data.js";
import type { Hex } from "./encoding.js";
import { hash, markedBytes } from "./hashing.js";

export interface Scheme {
  publicKey(secret: Hex): Hex;
  sign<T>(signer: Signer, type: DataType<T>, value: T): Hex;
  verify<T>(owner: Hex, type: DataType<T>, value: T, signature: Hex): boolean;
}

// What DER puts before the 32 bytes of a secret (PKCS #8) and of a public key (SubjectPublicKeyInfo).
const SECRET_FRAME = "302e020100300506032b657004220420";
const PUBLIC_FRAME = "302a300506032b6570032100";

function secretKey(secret: Hex): KeyObject {
  return createPrivateKey({ key: Buffer.from(SECRET_FRAME + secret, "hex"), format: "der", type: "pkcs8" });
}

function publicKey(owner: Hex): KeyObject {
  return createPublicKey({ key: Buffer.from(PUBLIC_FRAME + owner, "hex"), format: "der", type: "spki" });
}

function isWellFormed(owner: Hex, signature: Hex): boolean {
  return owner.length === 2 * 32 && signature.length === 2 * 64;
}

export const ed25519: Scheme = {
  publicKey(secret) {
    const der = createPublicKey(secretKey(secret)).export({ format: "der", type: "spki" });
    return der.toString("hex").slice(PUBLIC_FRAME.length);
  },
  sign: ({ secret }, type, value) => sign(null, markedBytes(type, value), secretKey(secret)).toString("hex"),
  verify(owner, type, value, signature) {
    const bytes = markedBytes(type, value);
    return isWellFormed(owner, signature) && verify(null, bytes, publicKey(owner), Buffer.from(signature, "hex"));
  },
};

export const ideal: Scheme = {
  publicKey: (secret) => createHash("sha3-256").update("IdealKey::").update(secret, "hex").digest("hex"),
  sign: ({ public_key }, type, value) => public_key + hash(type, value),
  verify(owner, type, value, signature) {
    const expected = owner + hash(type, value);
    return isWellFormed(owner, signature) && signature === expected;
  },
};

// WP-2.4-BLOCK: how an owner authenticates a block for a round; a justification speaks for itself.
export function signRequest(
  scheme: Scheme, owner: Signer, block: Block, round: bigint, justification: Certificate | null,
): Request {
  const signature = scheme.sign(owner, BlockAndRound, { block, round });
  return { block, round, owner: owner.public_key, signature, justification };
}

export function requestIsAuthentic(scheme: Scheme, { block, round, owner, signature }: Request): boolean {
  return scheme.verify(owner, BlockAndRound, { block, round }, signature);
}
