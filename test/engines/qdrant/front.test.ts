import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { engine } from "../require.ts";
import type { QdrantServer } from "./index.ts";

const qdrant = await engine("qdrant");

// Bodies are texts: JSON.stringify cannot write 1.0, -0.0 or an id above 2^53.
describe.skipIf(qdrant.missing || qdrant.existing)("the qdrant-edge front", () => {
  let server: QdrantServer;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "memkeep-qdrant-edge-front-"));
    server = await qdrant.start({ folder });
  });

  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function ask(method: string, path: string, body?: string): Promise<string> {
    const answer = await fetch(server.url + path, { method, ...(body === undefined ? {} : { body }) });
    const text = await answer.text();
    return answer.ok ? text.replace(/,"time":[^,}]+\}$/, "}") : `${answer.status} ${text}`;
  }

  const everything = '{"limit":100,"with_vector":true,"with_payload":true}';

  test("gives back what it printed, after a write of its own text and after a restart", async () => {
    const collection = `{"vectors":{"d":{"size":3,"distance":"Dot"},"c":{"size":2,"distance":"Cosine"},
      "m":{"size":2,"distance":"Dot","multivector_config":{"comparator":"max_sim"}}},"sparse_vectors":{"s":{}}}`;
    await ask("PUT", "/collections/a", collection);
    await ask("PUT", "/collections/b", collection);
    await ask(
      "PUT",
      "/collections/a/points?wait=true",
      `{"points":[{"id":18446744073709551615,"vector":{"d":[1e-45,-0.0,3.4028235e+38],"c":[3.0,4.0],
        "m":[[1.0,0.1],[2.0,3.0]],"s":{"indices":[9,4294967295],"values":[0.1,-1.0]}},
        "payload":{"int":9223372036854775807,"float":1.0,"zero":-0.0,"z":1,"a":{"deep":[null,"",{}]}}},
        {"id":0,"vector":{}},{"id":"936da01f-9abd-4d9d-80c7-02af85c822a8","vector":{"d":[0.1,0.2,0.3]},"payload":{}}]}`,
    );
    const first = await ask("POST", "/collections/a/points/scroll", everything);
    expect(first).toContain('"d":[1e-45,-0.0,3.4028235e+38]');
    expect(first).toContain(
      '"payload":{"int":9223372036854775807,"float":1.0,"zero":-0.0,"z":1,"a":{"deep":[null,"",{}]}}',
    );
    const points = /"points":\[.*\](?=,"next_page_offset")/.exec(first)?.[0];
    await ask("PUT", "/collections/b/points?wait=true", `{${points}}`);
    expect(await ask("POST", "/collections/b/points/scroll", everything)).toBe(first);
    await server.stop();
    server = await qdrant.start({ folder });
    expect(await ask("POST", "/collections/b/points/scroll", everything)).toBe(first);
  });

  test("keeps indexes, aliases, metadata and shard keys over a restart", async () => {
    await ask(
      "PUT",
      "/collections/keys",
      '{"vectors":{"size":1,"distance":"Dot"},"sharding_method":"custom","metadata":{"of":"me"}}',
    );
    for (const key of ['"eu"', "7"]) {
      await ask("PUT", "/collections/keys/shards", `{"shard_key":${key}}`);
      await ask(
        "PUT",
        "/collections/keys/points?wait=true",
        `{"points":[{"id":1,"vector":[1.5]}],"shard_key":${key}}`,
      );
    }
    await ask("PUT", "/collections/keys/index?wait=true", '{"field_name":"n","field_schema":"integer"}');
    await ask(
      "POST",
      "/collections/aliases",
      '{"actions":[{"create_alias":{"collection_name":"keys","alias_name":"now"}}]}',
    );
    const before = await ask("GET", "/collections/now");
    expect(before).toContain('"payload_schema":{"n":{"data_type":"integer","points":0}}');
    await server.stop();
    server = await qdrant.start({ folder });
    expect(await ask("GET", "/collections/now")).toBe(before);
    expect(await ask("GET", "/collections/now/shards")).toBe(
      '{"result":{"shard_keys":[{"key":"eu"},{"key":7}]},"status":"ok"}',
    );
    expect(await ask("POST", "/collections/now/points/count", '{"exact":true}')).toContain('"count":2');
    expect(await ask("POST", "/collections/now/points/scroll", '{"shard_key":7}')).toContain('"shard_key":7');
    expect(await ask("POST", "/collections/now/shards/delete", '{"shard_key":7}')).toContain("true");
    expect(await ask("POST", "/collections/now/points/count", '{"exact":true}')).toContain('"count":1');
  });

  test("filters, orders and batches as documented", async () => {
    await ask("PUT", "/collections/f", '{"vectors":{"size":1,"distance":"Dot"},"shard_number":2}');
    await ask("PUT", "/collections/f/index?wait=true", '{"field_name":"n","field_schema":"integer"}');
    const points = Array.from(
      { length: 9 },
      (_, n) => `{"id":${n},"vector":[1.0],"payload":{"n":${9 - n},"t":"x${n % 2}"}}`,
    );
    const batch = `{"operations":[{"upsert":{"points":[${points.join(",")}]}},{"delete":{"points":[0]}},
      {"set_payload":{"payload":{"new":true},"filter":{"must":[{"key":"n","range":{"gte":8}}]}}}]}`;
    expect(await ask("POST", "/collections/f/points/batch?wait=true", batch)).toContain('"completed"');
    const ids = async (body: string): Promise<string[]> =>
      [...(await ask("POST", "/collections/f/points/scroll", body)).matchAll(/"id":(\d+)/g)].map(
        (found) => found[1]!,
      );
    expect(
      await ids('{"filter":{"must":[{"key":"t","match":{"value":"x1"}}],"must_not":[{"has_id":[5]}]}}'),
    ).toEqual(["1", "3", "7"]);
    expect(await ids('{"filter":{"must_not":[{"is_empty":{"key":"new"}}]}}')).toEqual(["1"]);
    expect(await ids('{"order_by":"n","limit":3}')).toEqual(["8", "7", "6"]);
    expect(await ask("POST", "/collections/f/points/scroll", '{"limit":1,"with_payload":["t"]}')).toContain(
      '{"id":1,"payload":{"t":"x1"}}',
    );
  });

  test("refuses a body above 32 MiB", async () => {
    await ask("PUT", "/collections/large", '{"vectors":{"size":1,"distance":"Dot"}}');
    const points = `{"points":[{"id":1,"vector":[1.0],"payload":{"text":"${"x".repeat(32 * 1024 * 1024)}"}}]}`;
    expect(await ask("PUT", "/collections/large/points?wait=true", points)).toMatch(
      /^400 .*Payload error: JSON payload \(\d+ bytes\) is larger than allowed \(limit: 33554432 bytes\)\./,
    );
  });
});
