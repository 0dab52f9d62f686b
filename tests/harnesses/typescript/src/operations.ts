// The operations that a harness answers for: what they take, what they give, and who does the work. Names and
// parameters are those of the vectors.

import { accumulate, SUBJECTS } from "./accumulate.js";
import * as certificates from "./certificates.js";
import * as committees from "./committee.js";
import * as cursors from "./cursors.js";
import * as data from "./data.js";
import type { DataType } from "./data.js";
import { digest, string, type Fields, type Form } from "./forms.js";
import { hash } from "./hashing.js";
import * as identifiers from "./identifiers.js";
import * as inbox from "./inbox.js";
import * as orderedInbox from "./ordered-inbox.js";
import * as outbox from "./outbox.js";
import * as owners from "./owners.js";
import { Rejection } from "./reasons.js";
import * as rounds from "./rounds.js";
import * as signatures from "./signatures.js";
import {
  boolean, byteString, decode, enumeration, nothing, nullable, option, pair, sequence, set, structure, triple, u32, u64,
  type Formed, type Of,
} from "./types.js";

export type Answer = { accepted: Form } | { rejected: string; state?: string } | { skipped: string };
type Operation = (given: Fields) => Answer;

// An operation that takes a state names the parameter: a rejection leaves that state as it was.
function operation<P extends Record<string, Formed<any>>, R>(
  parameters: P,
  result: Formed<R>,
  run: (given: { [K in keyof P]: Of<P[K]> }) => R,
  state?: keyof P & string,
): Operation {
  const all = structure(parameters);
  return (given) => {
    const values = all.fromForm(given);
    try {
      return { accepted: result.toForm(run(values)) };
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      const unchanged = state && { state: digest(parameters[state]!.toForm(values[state])) };
      return { rejected: error.reason, ...unchanged };
    }
  };
}

const { chainId, key, Cursor, Message, VotePayload, Certificate } = data;

const SCHEMES = { ed25519: signatures.ed25519, ideal: signatures.ideal };
const scheme = enumeration("ed25519", "ideal");

const dataType = enumeration(...data.DATA_TYPES.keys());
const anyOwner = option(data.owner);
const pending = option(data.ExecutedBlock);
const reason: Formed<string> = { toForm: (name) => name, fromForm: (form) => string(form, /^[A-Z_]+$/) };
const subject = enumeration(...SUBJECTS.keys());

// An operation whose meaning depends on what one of its arguments names.
function by<T>(parameter: string, choices: ReadonlyMap<string, T>, make: (choice: T) => Operation): Operation {
  return (given) => {
    const name = string(given[parameter], /^/);
    const choice = choices.get(name);
    return choice ? make(choice)(given) : { skipped: `no ${parameter} ${name} here` };
  };
}

function onDataType(make: (type: DataType<any>) => Operation): Operation {
  return by("type", data.DATA_TYPES, make);
}

export const OPERATIONS: Record<string, Operation> = {
  // Encoding.
  encode: onDataType((type) =>
    operation({ type: dataType, value: type }, byteString, ({ value }) => type.encode(value))),
  decode: onDataType((type) =>
    operation({ type: dataType, data: byteString }, type, ({ data }) => decode(type, data))),

  // Hashing and signatures.
  hash_value: onDataType((type) =>
    operation({ type: dataType, value: type }, data.hashValue, ({ value }) => hash(type, value))),
  public_key: operation({ scheme, secret: key }, key, ({ scheme, secret }) => SCHEMES[scheme].publicKey(secret)),
  make_signer: operation({ scheme, secret: key }, data.signer, ({ scheme, secret }) =>
    ({ public_key: SCHEMES[scheme].publicKey(secret), secret })),
  sign: onDataType((type) =>
    operation({ scheme, signer: data.signer, type: dataType, value: type }, data.signature, (given) =>
      SCHEMES[given.scheme].sign(given.signer, type, given.value))),
  verify: onDataType((type) =>
    operation(
      { scheme, public_key: key, type: dataType, value: type, signature: data.signature },
      boolean,
      (given) => SCHEMES[given.scheme].verify(given.public_key, type, given.value, given.signature),
    )),
  sign_request: operation(
    { scheme, owner: data.signer, block: data.Block, round: u32, justification: option(Certificate) },
    data.Request,
    ({ scheme, owner, block, round, justification }) =>
      signatures.signRequest(SCHEMES[scheme], owner, block, round, justification),
  ),
  request_is_authentic: operation({ scheme, request: data.Request }, boolean, (given) =>
    signatures.requestIsAuthentic(SCHEMES[given.scheme], given.request)),

  // Identifiers.
  is_identifier: operation({ chain_id: chainId }, boolean, (given) => identifiers.isIdentifier(given.chain_id)),
  child: operation({ parent_id: chainId, index: u64 }, chainId, (given) =>
    identifiers.child(given.parent_id, given.index)),
  parent: operation({ chain_id: chainId }, option(chainId), (given) => identifiers.parent(given.chain_id)),
  is_ancestor: operation({ ancestor: chainId, chain_id: chainId }, boolean, (given) =>
    identifiers.isAncestor(given.ancestor, given.chain_id)),

  // Committee.
  make_committee: operation({ weights: sequence(pair(key, u64)) }, data.committee, (given) =>
    committees.makeCommittee(given.weights)),
  weight: operation({ committee: data.committee, validator: key }, u64, (given) =>
    committees.weight(given.committee, given.validator)),
  combined_weight: operation({ committee: data.committee, validators: set(key) }, u64, (given) =>
    committees.combinedWeight(given.committee, [...given.validators.values()])),
  max_faulty: operation({ total: u64 }, u64, (given) => committees.maxFaulty(given.total)),
  validity_threshold: operation({ total: u64 }, u64, (given) => committees.validityThreshold(given.total)),
  quorum_threshold: operation({ total: u64, quorum: data.quorumRule }, u64, (given) =>
    committees.quorumThreshold(given.total, given.quorum)),
  is_quorum: operation({ committee: data.committee, votes: u64, quorum: data.quorumRule }, boolean, (given) =>
    committees.isQuorum(given.committee, given.votes, given.quorum)),

  // Certificates.
  sign_vote: operation({ scheme, signer: data.signer, payload: VotePayload }, data.Vote, (given) =>
    certificates.signVote(SCHEMES[given.scheme], given.signer, given.payload)),
  vote_is_authentic: operation({ scheme, vote: data.Vote }, boolean, (given) =>
    certificates.voteIsAuthentic(SCHEMES[given.scheme], given.vote)),
  certified_payload: operation({ scheme, certificate: Certificate }, VotePayload, (given) =>
    certificates.certifiedPayload(given.certificate)),
  check_signers: operation(
    { committee: data.committee, signers: sequence(key), quorum: data.quorumRule },
    nothing,
    (given) => certificates.checkSigners(given.committee, given.signers, given.quorum),
  ),
  check_certificate: operation(
    { scheme, committee: data.committee, certificate: Certificate, quorum: data.quorumRule },
    data.hashValue,
    (given) =>
      certificates.checkCertificate(SCHEMES[given.scheme], given.committee, given.certificate, given.quorum),
  ),
  add_vote: operation(
    { scheme, committee: data.committee, aggregate: data.aggregate, vote: data.Vote },
    data.aggregate,
    (given) => certificates.addVote(SCHEMES[given.scheme], given.committee, given.aggregate, given.vote),
    "aggregate",
  ),
  form_certificate: operation(
    { committee: data.committee, aggregate: data.aggregate, executed: data.ExecutedBlock, quorum: data.quorumRule },
    option(Certificate),
    (given) => certificates.formCertificate(given.committee, given.aggregate, given.executed, given.quorum),
  ),

  // Accumulated vectors.
  accumulate: by("subject", SUBJECTS, (run) =>
    operation({ subject, seed: byteString, steps: u64 }, data.hashValue, (given) =>
      accumulate(run, given.subject, given.seed, given.steps))),

  // The two-set inbox.
  add_to_sets: operation(
    { inbox: data.twoSetInbox, message: Message },
    data.twoSetInbox,
    (given) => inbox.addToSets(given.inbox, given.message),
    "inbox",
  ),
  remove_from_sets: operation(
    { inbox: data.twoSetInbox, message: Message },
    data.twoSetInbox,
    (given) => inbox.removeFromSets(given.inbox, given.message),
    "inbox",
  ),

  // The ordered inbox.
  successor: operation({ cursor: Cursor }, Cursor, (given) => cursors.successor(given.cursor)),
  heights_before: operation({ cursor: Cursor }, u64, (given) => cursors.heightsBefore(given.cursor)),
  add: operation(
    { inbox: data.orderedInbox, message: Message },
    data.orderedInbox,
    (given) => orderedInbox.add(given.inbox, given.message),
    "inbox",
  ),
  remove: operation(
    { inbox: data.orderedInbox, message: Message },
    data.orderedInbox,
    (given) => orderedInbox.remove(given.inbox, given.message),
    "inbox",
  ),
  next_height_to_receive: operation({ inbox: data.orderedInbox }, u64, (given) =>
    orderedInbox.nextHeightToReceive(given.inbox)),
  two_sets: operation({ inbox: data.orderedInbox }, data.twoSetInbox, (given) => orderedInbox.twoSets(given.inbox)),

  // The outbox.
  schedule: operation(
    { outbox: data.outbox, height: u64 },
    data.outbox,
    (given) => outbox.schedule(given.outbox, given.height),
    "outbox",
  ),
  confirm: operation(
    { outbox: data.outbox, height: u64 },
    pair(sequence(u64), data.outbox),
    (given) => outbox.confirm(given.outbox, given.height),
    "outbox",
  ),
  count_up: operation({ counters: data.counters, height: u64, recipients: u64 }, data.counters, (given) =>
    outbox.countUp(given.counters, given.height, given.recipients)),
  count_down: operation({ counters: data.counters, height: u64 }, data.counters, (given) =>
    outbox.countDown(given.counters, given.height)),
  delivered_up_to: operation({ counters: data.counters, height: u64 }, boolean, (given) =>
    outbox.deliveredUpTo(given.counters, given.height)),

  // Owners.
  keys_of: operation({ owner: anyOwner }, set(key), (given) => owners.keysOf(given.owner)),
  owns: operation({ owner: anyOwner, key }, boolean, (given) => owners.owns(given.owner, given.key)),
  check_owner: operation({ owner: data.owner }, nothing, (given) => owners.checkOwner(given.owner)),
  add_owner: operation({ owner: anyOwner, key }, data.Owners, (given) => opened(owners.addOwner(given.owner, given.key))),
  remove_owner: operation({ owner: anyOwner, key }, data.Owners, (given) =>
    opened(owners.removeOwner(given.owner, given.key))),
  may_propose: operation({ owner: anyOwner, chosen: nullable(set(key)), key }, boolean, (given) =>
    owners.mayPropose(given.owner, given.chosen, given.key)),
  check_proposer: operation({ owner: anyOwner, chosen: nullable(set(key)), proposer: key }, nothing, (given) =>
    owners.checkProposer(given.owner, given.chosen, given.proposer)),

  // Rounds.
  current_round: operation({ rounds: data.rounds }, u32, (given) => rounds.currentRound(given.rounds)),
  binding_lock: operation({ rounds: data.rounds, justification: option(Certificate) }, option(Certificate), (given) =>
    rounds.bindingLock(given.rounds, given.justification)),
  accepted_before: operation({ pending, rounds: data.rounds, request: data.Request }, pending, (given) =>
    rounds.acceptedBefore(given.pending, given.rounds, given.request)),
  lock_after: operation({ rounds: data.rounds, certificate: Certificate }, Certificate, (given) =>
    rounds.lockAfter(given.rounds, given.certificate)),
  check_proposal: operation({ owner: anyOwner, pending, rounds: data.rounds, request: data.Request }, pending, (given) =>
    rounds.checkProposal(given.owner, given.pending, given.rounds, given.request)),
  proposal_kind: operation({ owner: anyOwner }, data.kind, (given) => rounds.proposalKind(given.owner)),
  check_validated_kind: operation({ owner: anyOwner }, nothing, (given) => rounds.checkValidatedKind(given.owner)),
  check_validated: operation({ context: data.context, certificate: Certificate }, nothing, ({ context, certificate }) =>
    rounds.checkValidated(SCHEMES[context.scheme], context.committee, certificate, context.rules.quorum)),
  standing_ballot: operation(
    { owner: anyOwner, pending, rounds: data.rounds },
    nullable(triple(data.kind, data.ExecutedBlock, u32)),
    (given) => rounds.standingBallot(given.owner, given.pending, given.rounds),
  ),
  first_free: operation({ info: data.roundInfo }, u64, (given) => rounds.firstFree(given.info)),
  first_free_after: operation({ reason, round: option(u64) }, option(u64), (given) =>
    rounds.firstFreeAfter(given.reason, given.round)),
};

function opened(owner: data.Owner): Of<typeof data.Owners> {
  if (typeof owner === "string") throw new Error("several owners were expected");
  return owner.Owners;
}
