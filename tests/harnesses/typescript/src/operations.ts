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
import { Rejection } from "./reasons.js";
import * as signatures from "./signatures.js";
import {
  boolean, byteString, decode, enumeration, nothing, option, pair, sequence, set, structure, u32, u64,
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
    { scheme, owner: data.signer, block: data.Block, round: u32 },
    data.Request,
    (given) => signatures.signRequest(SCHEMES[given.scheme], given.owner, given.block, given.round),
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
};
