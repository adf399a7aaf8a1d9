/** Hides the secrets of an adaptor's configuration, and gives them back to the adaptor alone. */
import { Secret } from "../util/redact/secret.ts";
import type { Shape } from "./shape.ts";
import { mapLeaves } from "./walk.ts";

/** The same tree with a `Secret` wherever the shape says that a value is one. `found` is told of each. */
export function sealSecrets(
  value: unknown,
  shape: Shape | undefined,
  found: (secret: Secret) => void,
): unknown {
  return mapLeaves(value, shape, (leaf, _path, here) => {
    if (here?.secret !== true || typeof leaf !== "string") return leaf;
    const secret = new Secret(leaf);
    found(secret);
    return secret;
  });
}

/** The only place where a configuration's secrets are unwrapped for the adaptors. */
export function openSecrets(value: unknown): unknown {
  return mapLeaves(value, undefined, (leaf) => (leaf instanceof Secret ? leaf.reveal() : leaf));
}
