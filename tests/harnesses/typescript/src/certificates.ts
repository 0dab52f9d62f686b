// Votes, certificates, and how the former make the latter.

import { combinedWeight, isQuorum, weight } from "./committee.js";
import {
  ExecutedBlock, VotePayload,
  type Aggregate, type Certificate, type Committee, type QuorumRule, type Signer, type Vote,
} from "./data.js";
import type { Hex } from "./encoding.js";
import { hash } from "./hashing.js";
import { require } from "./reasons.js";
import type { Scheme } from "./signatures.js";
import { byFirst, equal } from "./types.js";

// WP-2.8-VOTE.
export function signVote(scheme: Scheme, signer: Signer, payload: VotePayload): Vote {
  return { payload, validator: signer.public_key, signature: scheme.sign(signer, VotePayload, payload) };
}

export function voteIsAuthentic(scheme: Scheme, { payload, validator, signature }: Vote): boolean {
  return scheme.verify(validator, VotePayload, payload, signature);
}

// What the signatures of a certificate are on.
export function certifiedPayload({ executed, kind, round }: Certificate): VotePayload {
  return { kind, block_hash: hash(ExecutedBlock, executed), round };
}

// WP-2.2-CERTIFICATE, steps 1 and 2.
export function checkSigners(committee: Committee, signers: readonly Hex[], rule: QuorumRule): void {
  signers.forEach((signer, place) => {
    require(signers.indexOf(signer) === place, "CERTIFICATE_VALIDATOR_REUSE");
    require(weight(committee, signer) > 0n, "INVALID_CERTIFICATE_SIGNER");
  });
  require(isQuorum(committee, combinedWeight(committee, signers), rule), "CERTIFICATE_REQUIRES_QUORUM");
}

// WP-2.2-CERTIFICATE: yields the hash of the executed block.
export function checkCertificate(
  scheme: Scheme, committee: Committee, certificate: Certificate, rule: QuorumRule,
): Hex {
  checkSigners(committee, certificate.signatures.map(([signer]) => signer), rule);
  const payload = certifiedPayload(certificate);
  for (const [signer, signature] of certificate.signatures)
    require(scheme.verify(signer, VotePayload, payload, signature), "INVALID_SIGNATURE");
  return payload.block_hash;
}

// WP-2.8-STOP-AT-QUORUM: a vote that does not count is rejected.
export function addVote(scheme: Scheme, committee: Committee, aggregate: Aggregate, vote: Vote): Aggregate {
  const { payload, signatures } = aggregate;
  require(equal(VotePayload, vote.payload, payload) && voteIsAuthentic(scheme, vote), "INVALID_SIGNATURE");
  require(!signatures.some(([validator]) => validator === vote.validator), "CERTIFICATE_VALIDATOR_REUSE");
  require(weight(committee, vote.validator) > 0n, "INVALID_CERTIFICATE_SIGNER");
  return { payload, signatures: [...signatures, [vote.validator, vote.signature]] };
}

// WP-2.8-STOP-AT-QUORUM: nothing (⊥) before the counted votes form a quorum.
export function formCertificate(
  committee: Committee, { payload, signatures }: Aggregate, executed: ExecutedBlock, rule: QuorumRule,
): Certificate | null {
  const votes = combinedWeight(committee, signatures.map(([validator]) => validator));
  if (!isQuorum(committee, votes, rule)) return null;
  return { executed, kind: payload.kind, round: payload.round, signatures: [...signatures].sort(byFirst) };
}
