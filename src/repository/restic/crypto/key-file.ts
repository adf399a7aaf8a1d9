/**
 * Key files: the master key, sealed with a key that scrypt makes from the password. A key file is plain JSON in
 * exactly restic's shape, and its name is the SHA-256 of its bytes. Source: restic's doc/design.rst, "Keys".
 */
import { hash, randomBytes, scrypt } from "node:crypto";
import { z } from "zod";
import { isMemkeepError, MemkeepError } from "../../../domain/errors.ts";
import { decodeMasterKey, encodeMasterKey, type MasterKey, masterKeyOf } from "./master-key.ts";
import { createSealer } from "./seal.ts";

/** The cost of scrypt: memory is 128·N·r bytes, time grows with N·r·p. */
export interface ScryptCost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

/**
 * What new key files use. Fixed rather than measured as restic does, so that a repository made on a weak or busy
 * machine is not weaker. N=2^15, r=8 is restic's own and needs 32 MiB, which every process that opens the
 * repository needs too; p=3 brings it to the strength that OWASP's password storage cheat sheet asks of scrypt.
 */
export const defaultScryptCost: ScryptCost = { N: 32_768, r: 8, p: 3 };

/**
 * Limits for key files from outside: they are read before anything is authenticated, so a planted one must not
 * exhaust the machine. restic calibrates to at most 60 MB and about half a second (p=9 was seen); the limits
 * allow four times that memory, and 250 times the work of its defaults.
 */
const maxScryptMemoryBytes = 256 * 1024 * 1024;
const maxScryptWork = 250 * 32_768 * 8;
const saltBytes = 64;

const keyFileSchema = z.object({
  kdf: z.literal("scrypt"),
  N: z.int().min(2),
  r: z.int().min(1),
  p: z.int().min(1),
  salt: z.base64(),
  data: z.base64(),
});

/** Who made a key file, for people who list them; nothing depends on it. */
export interface KeyFileLabel {
  /** RFC 3339, UTC, no trailing zeros in the fraction. */
  readonly created: string;
  readonly username: string;
  readonly hostname: string;
}

const labelSchema = z.object({ created: z.string(), username: z.string(), hostname: z.string() });

/** The label of a key file; undefined when it is none. It is not authenticated: whoever writes to the storage can change it. */
export function readKeyFileLabel(bytes: Uint8Array): KeyFileLabel | undefined {
  try {
    return labelSchema.parse(JSON.parse(Buffer.from(bytes).toString("utf8")));
  } catch {
    return undefined;
  }
}

/** A key file to be written: `name` is the SHA-256 of `bytes`, lower-case hex. */
export interface KeyFile {
  readonly name: string;
  readonly bytes: Buffer;
}

/** Makes a key file that opens `key` with `password`. Takes about 0.15 s, on another thread. */
export async function buildKeyFile(
  key: MasterKey,
  password: string,
  label: KeyFileLabel,
  cost: ScryptCost = defaultScryptCost,
): Promise<KeyFile> {
  const { created, username, hostname } = label;
  const { N, r, p } = cost;
  const salt = randomBytes(saltBytes);
  const passwordKey = await derive(password, salt, cost);
  const data = createSealer(passwordKey).seal(encodeMasterKey(key)).toString("base64");
  const fields = { created, username, hostname, kdf: "scrypt", N, r, p, salt: salt.toString("base64"), data };
  const bytes = Buffer.from(JSON.stringify(fields));
  return { name: hash("sha256", bytes), bytes };
}

/**
 * The master key of a key file. Throws `PASSWORD_WRONG` when the password does not open it, and
 * `REPOSITORY_DAMAGED` when it is not a key file, or asks for more memory or time than any real one. That the
 * bytes match the file's name is checked where files are read.
 */
export async function openKeyFile(bytes: Uint8Array, password: string): Promise<MasterKey> {
  const { N, r, p, salt, data } = parseKeyFile(bytes);
  const passwordKey = await derive(password, salt, { N, r, p });
  return decodeMasterKey(openWith(passwordKey, data));
}

function parseKeyFile(bytes: Uint8Array): ScryptCost & { salt: Buffer; data: Buffer } {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (cause) {
    throw unusable("it is not JSON", cause);
  }
  const parsed = keyFileSchema.safeParse(json);
  if (!parsed.success) {
    const fields = parsed.error.issues.map((issue) => issue.path.join(".") || "(all)").join(", ");
    throw unusable(`fields are missing or wrong: ${fields}`);
  }
  const { N, r, p } = parsed.data;
  const salt = Buffer.from(parsed.data.salt, "base64");
  const data = Buffer.from(parsed.data.data, "base64");
  if (salt.length !== saltBytes) throw unusable(`its salt has ${salt.length} bytes, not ${saltBytes}`);
  return { N, r, p, salt, data };
}

function openWith(passwordKey: MasterKey, data: Uint8Array): Buffer {
  try {
    return createSealer(passwordKey).open(data);
  } catch (cause) {
    if (!isMemkeepError(cause, "REPOSITORY_DAMAGED")) throw cause;
    throw new MemkeepError("PASSWORD_WRONG", {
      tried: "open the repository",
      happened: "the password does not open its key file",
      next: "Check the password, and that the repository is the one you mean.",
      cause,
    });
  }
}

async function derive(password: string, salt: Uint8Array, cost: ScryptCost): Promise<MasterKey> {
  const { N, r, p } = cost;
  // Node counts the block of each lane too; twice the formula is above what it can ask for.
  const memoryBytes = 128 * r * (N + p);
  if (memoryBytes > maxScryptMemoryBytes || N * r * p > maxScryptWork) {
    throw unusable(`its scrypt cost N=${N} r=${r} p=${p} is more than any real key file asks for`);
  }
  if (!Number.isInteger(Math.log2(N))) throw unusable(`its scrypt cost N=${N} is not a power of two`);
  const options = { N, r, p, maxmem: memoryBytes * 2 };
  const bytes = await new Promise<Buffer>((resolve, reject) => {
    scrypt(password, salt, 64, options, (error, derived) =>
      error === null ? resolve(derived) : reject(error),
    );
  });
  return masterKeyOf(bytes);
}

function unusable(happened: string, cause?: unknown): MemkeepError {
  return new MemkeepError("REPOSITORY_DAMAGED", {
    tried: "use the key file of the repository",
    happened,
    cause,
  });
}
