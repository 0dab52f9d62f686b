// Chapter 2.9 without its handlers: what speaks for and against proposals and validated certificates in rounds.

import { checkCertificate } from "./certificates.js";
import {
  Block, ExecutedBlock,
  type Certificate, type Committee, type Owner, type QuorumRule, type Request, type RoundInfo, type Rounds,
} from "./data.js";
import { several } from "./owners.js";
import { require } from "./reasons.js";
import type { Scheme } from "./signatures.js";
import { equal } from "./types.js";

export type Kind = Certificate["kind"];
export type Ballot = [Kind, ExecutedBlock, bigint];

const LAST_ROUND = 2n ** 32n - 1n;

// WP-2.9-ROUND.
export function currentRound({ last, locked }: Rounds): bigint {
  return locked !== null && locked.round > last ? locked.round : last;
}

// WP-2.9-JUSTIFICATION: the later one, the lock on ties.
export function bindingLock({ locked }: Rounds, justification: Certificate | null): Certificate | null {
  if (locked === null) return justification;
  return justification !== null && justification.round > locked.round ? justification : locked;
}

// WP-2.9-PROPOSAL: yields the executed block if the last proposal is repeated.
export function acceptedBefore(
  pending: ExecutedBlock | null, rounds: Rounds, { block, round, justification }: Request,
): ExecutedBlock | null {
  if (pending !== null) {
    if (round === rounds.last && equal(Block, pending.block, block)) return pending;
    require(round > rounds.last, "INSUFFICIENT_ROUND");
  }
  const lock = bindingLock(rounds, justification);
  const free = lock === null || (lock.round < round && equal(Block, lock.executed.block, block));
  require(free, "HAS_LOCKED_BLOCK");
  return null;
}

// WP-2.9-LOCK.
export function lockAfter(rounds: Rounds, certificate: Certificate): Certificate {
  const { locked } = rounds;
  require(certificate.round >= currentRound(rounds), "INSUFFICIENT_ROUND");
  if (locked === null || certificate.round > locked.round) return certificate;
  require(equal(ExecutedBlock, locked.executed, certificate.executed), "HAS_LOCKED_BLOCK");
  return locked;
}

// WP-2.8-PENDING: a single owner has round 0 only.
function alreadyVoted(pending: ExecutedBlock | null, { block, round, justification }: Request): ExecutedBlock | null {
  require(round === 0n && justification === null, "INVALID_BLOCK_PROPOSAL");
  const free = pending === null || equal(Block, pending.block, block);
  require(free, "PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST");
  return pending;
}

export function checkProposal(
  owner: Owner | null, pending: ExecutedBlock | null, rounds: Rounds, request: Request,
): ExecutedBlock | null {
  return several(owner) ? acceptedBefore(pending, rounds, request) : alreadyVoted(pending, request);
}

export function proposalKind(owner: Owner | null): Kind {
  return several(owner) ? "VALIDATED" : "CONFIRMED";
}

// WP-2.9-VALIDATED.
export function checkValidatedKind(owner: Owner | null): void {
  require(several(owner), "UNEXPECTED_CERTIFICATE_KIND");
}

export function checkValidated(
  scheme: Scheme, committee: Committee, certificate: Certificate, rule: QuorumRule,
): void {
  require(certificate.kind === "VALIDATED", "UNEXPECTED_CERTIFICATE_KIND");
  checkCertificate(scheme, committee, certificate, rule);
}

// WP-2.9-FINAL-VOTE.
export function standingBallot(owner: Owner | null, pending: ExecutedBlock | null, rounds: Rounds): Ballot | null {
  const { last, locked } = rounds;
  if (locked !== null && locked.round >= last) return ["CONFIRMED", locked.executed, locked.round];
  return pending === null || owner === null ? null : [proposalKind(owner), pending, last];
}

// WP-2.9-CHOOSE-ROUND.
export function firstFree({ pending, rounds }: RoundInfo): bigint {
  return pending === null && rounds.locked === null ? 0n : currentRound(rounds) + 1n;
}

export function firstFreeAfter(reason: string, round: bigint | null): bigint | null {
  const ofRounds = reason === "INSUFFICIENT_ROUND" || reason === "HAS_LOCKED_BLOCK";
  return ofRounds && round !== null && round >= 0n && round <= LAST_ROUND ? round + 1n : null;
}
