// Forms: JSON without numbers, the shape in which vectors and harnesses exchange values.

import { createHash } from "node:crypto";
import type { Hex } from "./encoding.js";

export type Form = null | boolean | string | Form[] | { [key: string]: Form };
export type Fields = { [key: string]: Form };

// The JSON text that digests and orders refer to: keys sorted, no space, nothing beyond ASCII.
export function text(form: Form): string {
  return json(form).replace(/[\u0080-\uffff]/g, (unit) => "\\u" + unit.charCodeAt(0).toString(16).padStart(4, "0"));
}

function json(form: Form): string {
  if (Array.isArray(form)) return `[${form.map(json).join(",")}]`;
  if (form === null || typeof form !== "object") return JSON.stringify(form);
  const keys = Object.keys(form).sort();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${json(form[key]!)}`).join(",")}}`;
}

export function digest(form: Form): Hex {
  return createHash("sha3-256").update(text(form)).digest("hex");
}

// Readers of single elements. A form that is not what the protocol says is an error of whoever sent it.
export class MalformedForm extends Error {}

export function fields(form: Form | undefined): Fields {
  if (form && typeof form === "object" && !Array.isArray(form)) return form;
  throw new MalformedForm(`an object was expected, not ${JSON.stringify(form)}`);
}

export function items(form: Form | undefined): Form[] {
  if (Array.isArray(form)) return form;
  throw new MalformedForm(`an array was expected, not ${JSON.stringify(form)}`);
}

export function string(form: Form | undefined, pattern: RegExp): string {
  if (typeof form === "string" && pattern.test(form)) return form;
  throw new MalformedForm(`a string like ${pattern} was expected, not ${JSON.stringify(form)}`);
}
