/** A worker thread: takes jobs one after another and answers each. It does no I/O and keeps no state but running file digests. */
import { createHash, type Hash, hash } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import type { MasterKey } from "../crypto/master-key.ts";
import { createSealer, type Sealer } from "../crypto/seal.ts";
import type { Answers, DigestJob, HashJob, Job } from "./jobs.ts";
import { withBuffers } from "./known-buffers.ts";
import { openBlobs, verifyPack } from "./open-blobs.ts";
import { sealChunks } from "./seal-chunks.ts";
import type { WorkerMessage, WorkerReply } from "./worker-pool.ts";

const { key } = workerData as { key: MasterKey };
const sealers: Sealer[] = [createSealer(key)];
const known: SharedArrayBuffer[] = [];
const digests = new Map<number, Hash>();

parentPort!.on("message", (message: WorkerMessage) => {
  if ("key" in message) {
    sealers.push(createSealer(message.key));
    return;
  }
  if ("buffer" in message) {
    known.push(message.buffer);
    return;
  }
  const { ticket, job } = message;
  let reply: WorkerReply;
  try {
    reply = { ticket, answer: answer(withBuffers(job, known)) };
  } catch (error) {
    reply = { ticket, failure: error instanceof Error ? error : new Error(String(error)) };
  }
  parentPort!.postMessage(reply);
});

function answer(job: Job): Answers[Job["op"]] {
  switch (job.op) {
    case "hash":
      return hashChunks(job);
    case "digest":
      return addToDigest(job);
    case "seal":
      return sealChunks(job, sealers);
    case "open":
      return openBlobs(
        job,
        sealers[job.key]!,
        job.sealWith === undefined ? undefined : sealers[job.sealWith]!,
      );
    case "verify-pack":
      return verifyPack(job, sealers[job.key]!);
  }
}

function hashChunks({ input, ends, ids }: HashJob): undefined {
  const bytes = Buffer.from(input);
  const out = Buffer.from(ids);
  let from = 0;
  for (let chunk = 0; chunk < ends.length; chunk++) {
    const to = ends[chunk]!;
    // A string of bytes: a buffer for each of millions of digests costs more to make and to collect.
    out.write(hash("sha256", bytes.subarray(from, to), "binary"), chunk * 32, "binary");
    from = to;
  }
}

function addToDigest({ stream, input, length, final }: DigestJob): string | undefined {
  let digest = digests.get(stream);
  if (!digest) {
    digest = createHash("sha256");
    digests.set(stream, digest);
  }
  digest.update(Buffer.from(input, 0, length));
  if (!final) return undefined;
  digests.delete(stream);
  return digest.digest("hex");
}
