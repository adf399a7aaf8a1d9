/**
 * Takes secrets out of what is shown. Nothing should ever put one in; this is the second wall, for texts of libraries
 * and servers that repeat what they were given.
 */
import { mask, type Secret } from "./secret.ts";

/** Shorter ones are part of ordinary words: masking them would garble every message and tell their length. */
const shortestInTextChars = 4;
/** In data (ids, names, paths) only what cannot be there by chance is masked: a password may be `postgres`. */
const shortestInDataChars = 12;

/** A URL's user and password, up to the last `@` of its authority. */
const userInfo = /([a-z][a-z0-9+.-]*:\/\/)[^\s/?#"'<>]*@/gi;

/** Of a database, without a password and without parameters. A web address may be a secret as a whole. */
const openUrl = /^(?:postgres(?:ql)?|neo4j|bolt|falkordbs?|qdrants?):\/\/(?:[^\s:@/?#]*@)?[^\s@?#]+$/i;

export class Redactor {
  /** Every way in which a secret may be written, longest first, so that no part of a longer one remains. */
  #forms: string[] = [];

  /** From now on the secret is masked; not the URL of a database that holds no password, which tells only where it is. */
  add(secret: Secret): void {
    const value = secret.reveal();
    if (openUrl.test(value)) return;
    const forms = new Set([
      value,
      JSON.stringify(value).slice(1, -1),
      encodeURIComponent(value.toWellFormed()),
      encodeURI(value.toWellFormed()),
    ]);
    for (const form of forms) {
      if (form.length >= shortestInTextChars && !this.#forms.includes(form)) this.#forms.push(form);
    }
    this.#forms.sort((a, b) => b.length - a.length);
  }

  /** A text for people: every secret in it, and the user part of every URL, becomes `***`. */
  text(text: string): string {
    return this.#mask(text, shortestInTextChars);
  }

  /** The same for data: sentences are treated as texts, other strings lose only long secrets and user parts of URLs. */
  data<T>(value: T): T {
    return this.#data(value) as T;
  }

  #data(value: unknown): unknown {
    if (typeof value === "string") {
      return this.#mask(value, /\s/.test(value) ? shortestInTextChars : shortestInDataChars);
    }
    if (Array.isArray(value)) return value.map((item) => this.#data(item));
    if (value === null || typeof value !== "object" || Object.getPrototypeOf(value) !== Object.prototype) {
      return value;
    }
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.#data(item)]));
  }

  #mask(text: string, shortestChars: number): string {
    let masked = text;
    for (const form of this.#forms) {
      if (form.length >= shortestChars) masked = masked.replaceAll(form, mask);
    }
    return masked.replaceAll(userInfo, `$1${mask}@`);
  }
}
