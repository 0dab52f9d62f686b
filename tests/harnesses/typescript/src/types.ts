// What data types are made of. A `Type` describes a set of values once and for both purposes: their canonical
// encoding (WP-2.3-DATA-TYPE) and their form.

import { integerBytes, lengthBytes, Reader, type Hex } from "./encoding.js";
import { fields, items, MalformedForm, string, text, type Form } from "./forms.js";
import { require } from "./reasons.js";

export interface Type<T> extends Formed<T> {
  encode(value: T): Hex;
  read(bytes: Reader): T;
}

// What is only ever exchanged as a form.
export interface Formed<T> {
  toForm(value: T): Form;
  fromForm(form: Form | undefined): T;
}

export type Of<X> = X extends Formed<infer T> ? T : never;

export function decode<T>(type: Type<T>, bytes: Hex): T {
  const reader = new Reader(bytes);
  const value = type.read(reader);
  reader.end();
  return value;
}

// Values are compared as full records, values outside their ranges included, which have no encoding.
export function textOf<T>(type: Formed<T>, value: T): string {
  return text(type.toForm(value));
}

export function equal<T>(type: Formed<T>, a: T, b: T): boolean {
  return textOf(type, a) === textOf(type, b);
}

function unsigned(width: number): Type<bigint> {
  return {
    encode: (value) => integerBytes(value, width),
    read: (bytes) => bytes.integer(width),
    toForm: String,
    fromForm: (form) => BigInt(string(form, /^(0|-?[1-9][0-9]*)$/)),
  };
}

export const u32 = unsigned(4);
export const u64 = unsigned(8);
export const u128 = unsigned(16);

export const boolean: Type<boolean> = {
  encode: (value) => (value ? "01" : "00"),
  read: (bytes) => readTag(bytes, 2) === 1,
  toForm: (value) => value,
  fromForm(form) {
    if (typeof form === "boolean") return form;
    throw new MalformedForm(`a boolean was expected, not ${JSON.stringify(form)}`);
  },
};

// ⊥ as a result, where there is nothing to tell.
export const nothing: Formed<void> = {
  toForm: () => null,
  fromForm: () => undefined,
};

// A boolean or option byte.
function readTag(bytes: Reader, variants: number): number {
  const tag = bytes.byte();
  require(tag < variants, "INVALID_TAG");
  return tag;
}

const hexadecimal = {
  toForm: (value: Hex): Form => value,
  fromForm: (form: Form | undefined): Hex => string(form, /^([0-9a-f]{2})*$/),
};

export function fixed(size: number): Type<Hex> {
  return {
    ...hexadecimal,
    encode(value) {
      require(value.length === 2 * size, "OUT_OF_RANGE");
      return value;
    },
    read: (bytes) => bytes.take(size),
  };
}

export const byteString: Type<Hex> = {
  ...hexadecimal,
  encode: (value) => lengthBytes(BigInt(value.length / 2)) + value,
  read: (bytes) => bytes.take(bytes.length()),
};

export function sequence<T>(item: Type<T>): Type<T[]> {
  return {
    encode: (value) => lengthBytes(BigInt(value.length)) + value.map(item.encode).join(""),
    read: (bytes) => Array.from({ length: bytes.length() }, () => item.read(bytes)),
    toForm: (value) => value.map(item.toForm),
    fromForm: (form) => items(form).map(item.fromForm),
  };
}

// A set: its members by their text, which also orders them in the form.
export type Members<T> = ReadonlyMap<string, T>;

export function members<T>(type: Formed<T>, values: readonly T[]): Members<T> {
  return new Map(values.map((value) => [textOf(type, value), value]));
}

export function set<T>(member: Type<T>): Type<Members<T>> {
  return {
    encode: (value) => lengthBytes(BigInt(value.size)) + [...value.values()].map(member.encode).sort().join(""),
    read(bytes) {
      const next = increasing(member);
      return members(member, Array.from({ length: bytes.length() }, () => next(bytes)));
    },
    toForm: (value) => sortedByText([...value.values()].map(member.toForm), (form) => form),
    fromForm: (form) => members(member, items(form).map(member.fromForm)),
  };
}

// Reads keys or members one after the other, each larger than the one before.
function increasing<T>(type: Type<T>): (bytes: Reader) => T {
  let last: Hex | undefined;
  return (bytes) => {
    const value = type.read(bytes);
    const encoded = type.encode(value);
    require(last === undefined || last < encoded, "UNSORTED_MAP");
    last = encoded;
    return value;
  };
}

function sortedByText(forms: Form[], sortKey: (form: Form) => Form): Form[] {
  return forms.map((form): [string, Form] => [text(sortKey(form)), form]).sort(byFirst).map(([, form]) => form);
}

export function pair<A, B>(first: Type<A>, second: Type<B>): Type<[A, B]> {
  return {
    encode: ([a, b]) => first.encode(a) + second.encode(b),
    read: (bytes) => [first.read(bytes), second.read(bytes)],
    toForm: ([a, b]) => [first.toForm(a), second.toForm(b)],
    fromForm(form) {
      const [a, b, ...rest] = items(form);
      if (rest.length > 0) throw new MalformedForm("two components were expected");
      return [first.fromForm(a), second.fromForm(b)];
    },
  };
}

export function triple<A, B, C>(first: Formed<A>, second: Formed<B>, third: Formed<C>): Formed<[A, B, C]> {
  return {
    toForm: ([a, b, c]) => [first.toForm(a), second.toForm(b), third.toForm(c)],
    fromForm(form) {
      const [a, b, c] = items(form);
      return [first.fromForm(a), second.fromForm(b), third.fromForm(c)];
    },
  };
}

export function nullable<T>(type: Formed<T>): Formed<T | null> {
  return {
    toForm: (value) => (value === null ? null : type.toForm(value)),
    fromForm: (form) => (form === null ? null : type.fromForm(form)),
  };
}

export function option<T>(type: Type<T>): Type<T | null> {
  return {
    encode: (value) => (value === null ? "00" : "01" + type.encode(value)),
    read: (bytes) => (readTag(bytes, 2) === 0 ? null : type.read(bytes)),
    ...nullable(type),
  };
}

// Entries in any order: the encoding orders them by encoded key, the form by the text of the key.
export function map<K, V>(key: Type<K>, value: Type<V>): Type<[K, V][]> {
  const entry = pair(key, value);
  return {
    encode(entries) {
      const encoded = entries.map(([k, v]): [Hex, Hex] => [key.encode(k), value.encode(v)]).sort(byFirst);
      return lengthBytes(BigInt(entries.length)) + encoded.flat().join("");
    },
    read(bytes) {
      const next = increasing(key);
      return Array.from({ length: bytes.length() }, () => [next(bytes), value.read(bytes)]);
    },
    toForm: (entries) => sortedByText(entries.map(entry.toForm), (form) => items(form)[0]!),
    fromForm: (form) => items(form).map(entry.fromForm),
  };
}

export function byFirst([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

type Values<T> = { [K in keyof T]: Of<T[K]> };

function eachField<T extends object>(shape: T, make: (type: T[keyof T], name: string) => unknown): any {
  return Object.fromEntries(Object.entries(shape).map(([name, type]) => [name, make(type, name)]));
}

export function structure<T extends Record<string, Formed<any>>>(shape: T): Formed<Values<T>> {
  return {
    toForm: (value) => eachField(shape, (type, name) => type.toForm(value[name])),
    fromForm(form) {
      const given = fields(form);
      const unknown = Object.keys(given).find((name) => !Object.hasOwn(shape, name));
      if (unknown !== undefined) throw new MalformedForm(`unknown field ${unknown}`);
      return eachField(shape, (type, name) => type.fromForm(given[name]));
    },
  };
}

// A structure with an encoding: the arguments in the order in which they are named.
export function record<T extends Record<string, Type<any>>>(shape: T): Type<Values<T>> {
  return {
    ...structure(shape),
    encode: (value) => Object.entries(shape).map(([name, type]) => type.encode(value[name])).join(""),
    read: (bytes) => eachField(shape, (type) => type.read(bytes)),
  };
}

// One of several data types, by number in the encoding and by name in the form: {"Create": {…}}.
export type Choice<T extends Record<string, Type<any>>> = { [K in keyof T]: { [X in K]: Of<T[K]> } }[keyof T];

export function union<T extends Record<string, Type<any>>>(variants: T): Type<Choice<T>> {
  const names = Object.keys(variants);
  const opened = (choice: object): [string, Type<any>, any] => {
    const [[name, value] = ["", null], ...rest] = Object.entries(choice);
    const type = Object.hasOwn(variants, name) && variants[name];
    if (!type || rest.length > 0) throw new MalformedForm(`one of ${names.join(", ")} was expected`);
    return [name, type, value];
  };
  const closed = (name: string, value: unknown): any => ({ [name]: value });
  return {
    encode(choice) {
      const [name, type, value] = opened(choice);
      return variantBytes(names, name) + type.encode(value);
    },
    read(bytes) {
      const name = readVariant(bytes, names);
      return closed(name, variants[name]!.read(bytes));
    },
    toForm(choice) {
      const [name, type, value] = opened(choice);
      return closed(name, type.toForm(value));
    },
    fromForm(form) {
      const [name, type, value] = opened(fields(form));
      return closed(name, type.fromForm(value));
    },
  };
}

// A union whose first variant is a byte string: it stays as it is in the form.
export function bytesOr<T extends Record<string, Type<any>>>(bytes: Type<Hex>, variants: T): Type<Hex | Choice<T>> {
  const all = union({ bytes, ...variants });
  const wrapped = (value: any) => (typeof value === "string" ? { bytes: value } : value);
  const bare = (value: any) => ("bytes" in value ? value.bytes : value);
  return {
    encode: (value) => all.encode(wrapped(value)),
    read: (reader) => bare(all.read(reader)),
    toForm: (value) => bare(all.toForm(wrapped(value))),
    fromForm: (form) => bare(all.fromForm(wrapped(form))),
  };
}

export function enumeration<N extends string>(...names: N[]): Type<N> {
  return {
    encode: (value) => variantBytes(names, value),
    read: (bytes) => readVariant(bytes, names),
    toForm: (value) => value,
    fromForm: (form) => string(form, new RegExp(`^(${names.join("|")})$`)) as N,
  };
}

function variantBytes<N extends string>(names: readonly N[], name: N): Hex {
  return lengthBytes(BigInt(names.indexOf(name)));
}

function readVariant<N extends string>(bytes: Reader, names: readonly N[]): N {
  const number = bytes.uleb();
  require(number < BigInt(names.length), "INVALID_TAG");
  return names[Number(number)]!;
}
