/** The SQL script that pg_restore writes. */

const newSetting = "SET transaction_timeout = 0;\n";
/** Comes after the settings and before the first object, in every version. */
const behindIt = "SET client_encoding";
const headBytes = 64 * 1024;

/** Leaves out the setting that servers before 17 do not know. Only the script's head is looked at: never a value. */
export async function* withoutNewSettings(script: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let head: Buffer | undefined = Buffer.alloc(0);
  for await (const bytes of script) {
    if (!head) {
      yield bytes;
      continue;
    }
    head = Buffer.concat([head, bytes]);
    const end = head.indexOf(behindIt);
    if (end < 0 && head.length < headBytes) continue;
    const at = head.indexOf(newSetting);
    if (at >= 0 && at < end) {
      yield head.subarray(0, at);
      yield head.subarray(at + newSetting.length);
    } else {
      yield head;
    }
    head = undefined;
  }
  if (head) yield head;
}

const commit = "COMMIT;\n";
const tailBytes = 4096;

/** Leaves out the last statement of a script that pg_restore wrote with `--single-transaction`: the caller commits. */
export async function* withoutCommit(script: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let tail: Buffer = Buffer.alloc(0);
  for await (const bytes of script) {
    tail = Buffer.concat([tail, bytes]);
    if (tail.length <= tailBytes) continue;
    yield tail.subarray(0, tail.length - tailBytes);
    tail = tail.subarray(tail.length - tailBytes);
  }
  // Behind it are only comments, and a line for psql.
  const at = tail.lastIndexOf(commit);
  yield at < 0 ? tail : tail.subarray(0, at);
  if (at >= 0) yield tail.subarray(at + commit.length);
}
