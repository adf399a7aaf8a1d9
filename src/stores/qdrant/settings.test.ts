/** Every setting, index and kind of request, each held against the vendor's description where that is (test/engines/qdrant). */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { QdrantServer } from "../../../test/engines/qdrant/index.ts";
import { engine } from "../../../test/engines/require.ts";
import { canShard, richIndexes } from "../../../test/qdrant/sample.ts";
import { tamperWith } from "../../../test/qdrant/tampering.ts";
import type { Tamper } from "../../../test/qdrant/tampering.ts";
import { Place } from "../../../test/qdrant/testing.ts";
import { readPlainJson } from "../format/json-read.ts";
import { takeDump } from "../contract/dump-folder.ts";
import type { ValueMap } from "../format/value.ts";
import type { DumpSource, RestoreOptions, Store, SwitchOutcome } from "../store.ts";
import { Server } from "./server.ts";
import { changeBody, creationBody, settingsLeft } from "./settings.ts";
import { vectorTypes } from "./schema.ts";
import type { CollectionSchema } from "./schema.ts";

const testEngine = await engine("qdrant");
const inPlace: RestoreOptions = { target: { kind: "in-place" }, force: false };

const everySetting = `{"vectors":{
    "dense":{"size":4,"distance":"Euclid","on_disk":true,"datatype":"float32",
      "hnsw_config":{"m":8,"ef_construct":64,"full_scan_threshold":500,"max_indexing_threads":1,"on_disk":true,"payload_m":4,"inline_storage":false},
      "quantization_config":{"scalar":{"type":"int8","quantile":0.95,"always_ram":false}}},
    "halves":{"size":2,"distance":"Dot","datatype":"float16","quantization_config":{"product":{"compression":"x16","always_ram":true}}},
    "bytes":{"size":2,"distance":"Manhattan","datatype":"uint8","quantization_config":{"turbo":{"always_ram":true,"bits":"bits1_5"}}},
    "late":{"size":2,"distance":"Cosine","multivector_config":{"comparator":"max_sim"}}},
  "sparse_vectors":{"words":{"index":{"full_scan_threshold":77,"on_disk":true,"datatype":"float16"},"modifier":"idf"}},
  "shard_number":2,"replication_factor":1,"write_consistency_factor":1,"on_disk_payload":false,
  "hnsw_config":{"m":12,"ef_construct":90,"full_scan_threshold":2000,"max_indexing_threads":2,"on_disk":true,"payload_m":6,"inline_storage":false},
  "optimizers_config":{"deleted_threshold":0.4,"vacuum_min_vector_number":500,"default_segment_number":3,"max_segment_size":100000,
    "memmap_threshold":4000,"indexing_threshold":3000,"flush_interval_sec":7,"max_optimization_threads":2,"prevent_unoptimized":true},
  "wal_config":{"wal_capacity_mb":8,"wal_segments_ahead":1,"wal_retain_closed":2},
  "quantization_config":{"binary":{"always_ram":true,"encoding":"two_bits","query_encoding":"scalar4bits"}},
  "metadata":{"owner":"me","null":null,"deep":{"a":[1,1.0,18446744073709551615]}}}`;

const everyLimit = `{"enabled":true,"max_query_limit":40,"max_timeout":60,"unindexed_filtering_retrieve":false,
  "unindexed_filtering_update":false,"search_max_hnsw_ef":100,"search_allow_exact":false,"search_max_oversampling":2.5,
  "upsert_max_batchsize":10,"search_max_batchsize":3,"max_collection_vector_size_bytes":100000000,
  "max_collection_payload_size_bytes":100000000,"max_points_count":100000,"filter_max_conditions":5,"condition_max_size":6,
  "multivector_config":{"late":{"max_vectors":9}},"sparse_config":{"words":{"max_length":50}},"max_payload_index_count":20,
  "max_resident_memory_percent":99,"max_disk_usage_percent":98}`;

/** Each type of index with all that it can be told. */
const everyIndex = [
  ...richIndexes,
  '"keyword","field_schema":{"type":"keyword","is_tenant":false,"on_disk":true,"enable_hnsw":false}',
  '"integer","field_schema":{"type":"integer","lookup":false,"range":true,"is_principal":true,"on_disk":true,"enable_hnsw":true}',
  '"float","field_schema":{"type":"float","is_principal":false,"on_disk":true,"enable_hnsw":true}',
  '"geo","field_schema":{"type":"geo","on_disk":false,"enable_hnsw":true}',
  '"bool","field_schema":{"type":"bool","on_disk":true,"enable_hnsw":false}',
  '"when","field_schema":{"type":"datetime","is_principal":false,"on_disk":false,"enable_hnsw":true}',
  '"uuid","field_schema":{"type":"uuid","is_tenant":true,"on_disk":true,"enable_hnsw":true}',
];

/** Each kind of quantisation in the vendor's description of its interface, with all that it can be told. */
const quantisations = [
  '{"scalar":{"type":"int8","quantile":0.5,"always_ram":true}}',
  '{"product":{"compression":"x64","always_ram":false}}',
  '{"binary":{"always_ram":true,"encoding":"one_and_half_bits","query_encoding":"scalar8bits"}}',
  ...["bits1", "bits1_5", "bits2", "bits4"].map((bits) => `{"turbo":{"always_ram":true,"bits":"${bits}"}}`),
  '{"of a later version":{"with":[1,1.0,{}]}}',
];

test.each(quantisations)("the quantisation %s and vectors of turbo4 are carried word for word", (text) => {
  const vectors = `{"a":{"size":4,"distance":"Dot","datatype":"turbo4","quantization_config":${text}}}`;
  const schemaOf = (config: string): CollectionSchema => ({
    config: readPlainJson(config) as ValueMap,
    payloadIndexes: {},
    shardKeys: undefined,
    aliases: [],
    isAlias: false,
  });
  const schema = schemaOf(`{"params":{"vectors":${vectors}},"quantization_config":${text}}`);
  expect(creationBody(schema)).toContain(`"vectors":${vectors}`);
  expect(creationBody(schema)).toContain(`"quantization_config":${text}`);
  // The server prints them as the floats that they stand for.
  expect([...vectorTypes(schema)]).toEqual([["a", "f4"]]);
  const plain = schemaOf(`{"params":{"vectors":${vectors}}}`);
  expect(changeBody(plain, schema)).toBe(`{"quantization_config":${text}}`);
});

describe.skipIf(testEngine.missing)("settings of a collection", () => {
  let server: QdrantServer;
  let place: Place;
  let connection: Server;
  beforeAll(async () => {
    server = await testEngine.start();
    place = new Place(server);
    await place.create("all", everySetting);
    for (const index of everyIndex)
      await place.ask("PUT", `${place.path("all")}/index?wait=true`, `{"field_name":${index}}`);
    await place.upsert(
      "all",
      `{"id":1,"vector":{"dense":[1.0,2.0,3.0,4.0],"words":{"indices":[1],"values":[0.5]},"late":[[1.0,0.0],[0.0,1.0]]}},
       {"id":"f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4","vector":{},"payload":{"a":1.0}}`,
    );
    await place.ask(
      "PATCH",
      place.path("all"),
      '{"params":{"read_fan_out_factor":1,"read_fan_out_delay_ms":20}}',
    );
    await place.ask("PATCH", place.path("all"), `{"strict_mode_config":${everyLimit}}`);
    connection = new Server(place.config(), place.context());
  });
  afterAll(async () => {
    connection?.[Symbol.dispose]();
    await place?.[Symbol.asyncDispose]();
    await server?.stop();
  });

  async function dumped(of: Place = place, config: Parameters<Place["store"]>[0] = {}): Promise<DumpSource> {
    const { dump, manifest } = await takeDump(of.store(config), join(of.folder(), "memory"));
    return dump.source(manifest);
  }
  async function restored(store: Store, source: DumpSource, options: RestoreOptions): Promise<SwitchOutcome> {
    const plan = await store.planRestore(source, options);
    await using restoration = await store.stage(plan, source, options);
    const outcome = await restoration.switch();
    expect(await restoration.facts()).toEqual(source.manifest.collections);
    await restoration.keep();
    return outcome;
  }
  const schemaOf = (of: Place, name: string): Promise<CollectionSchema> =>
    connection.schema(of.prefix + name, [], false);

  test("trap 4: all settings and all parameters of all indexes come back in a new collection", async () => {
    const { target, place: other } = place.beside();
    const outcome = await restored(place.store(), await dumped(), {
      target: { kind: "into", target },
      force: false,
    });
    expect(outcome.warnings).toEqual([]);
    expect(await schemaOf(other, "all")).toEqual(await schemaOf(place, "all"));
    await other[Symbol.asyncDispose]();
  });

  test("a collection in use gets back every setting that a server can be told, and the rest is named", async () => {
    await using other = new Place(server);
    const plain =
      '{"vectors":{"a":{"size":2,"distance":"Dot"}},"sparse_vectors":{"s":{}},"metadata":{"keep":1}}';
    await other.create("c", plain);
    await other.upsert("c", '{"id":1,"vector":{"a":[1.0,2.0]}}');
    const before = await schemaOf(other, "c");
    const source = await dumped(other);
    await other.ask(
      "PATCH",
      other.path("c"),
      `{"vectors":{"a":{"hnsw_config":{"m":5},"on_disk":true,"quantization_config":{"scalar":{"type":"int8"}}}},
        "sparse_vectors":{"s":{"index":{"full_scan_threshold":9}}},"hnsw_config":{"m":7},"params":{"on_disk_payload":false},
        "optimizers_config":{"indexing_threshold":1,"max_optimization_threads":1,"max_segment_size":5000,"prevent_unoptimized":true},
        "quantization_config":{"scalar":{"type":"int8"}},"metadata":{"extra":2,"keep":3},
        "strict_mode_config":{"enabled":true,"upsert_max_batchsize":50}}`,
    );
    const { warnings } = await restored(other.store(), source, inPlace);
    const left = settingsLeft(await schemaOf(other, "c"), before);
    // What the server merges and has no word for unsetting.
    expect(left.sort()).toEqual([
      "optimizer_config.max_segment_size",
      "optimizer_config.prevent_unoptimized",
      "params.sparse_vectors.s.index.full_scan_threshold",
      "params.vectors.a.hnsw_config.m",
      "params.vectors.a.on_disk",
      "strict_mode_config.enabled",
      "strict_mode_config.upsert_max_batchsize",
    ]);
    expect(warnings.join()).toContain("optimizer_config.max_segment_size");
    // The other way: everything that a plain collection can be told.
    const rich = await schemaOf(place, "all");
    expect(changeBody(rich, rich)).toBeUndefined();
  });

  test("law 3: an index that the server does not make fails the restore", async () => {
    const source = await dumped();
    const { target, place: other } = place.beside();
    const forgetting: Tamper = (exchange, pass) =>
      exchange.path.includes("/index") && exchange.body.includes('"geo"')
        ? Promise.resolve({
            status: 200,
            text: '{"result":{"operation_id":1,"status":"completed"},"status":"ok"}',
          })
        : pass();
    await using between = await tamperWith(server.url, forgetting);
    const options: RestoreOptions = {
      target: { kind: "into", target: target.replace(new URL(server.url).host, new URL(between.url).host) },
      force: false,
    };
    await expect(restored(place.store({ url: between.url }), source, options)).rejects.toMatchObject({
      code: "COMPARE_FAILED",
      message: expect.stringContaining('"geo"') as string,
    });
    expect((await other.names()).collections).toEqual([]);
  });

  test("these are all the kinds of request that are ever sent, and the description knows each of them", async () => {
    const kinds = new Map<string, Set<string>>();
    const noting: Tamper = ({ method, path, body }, pass) => {
      const [route, query = ""] = path.split("?");
      const shape = route!
        .replace(/^\/collections\/(?!aliases$)[^/]+/, "/collections/{name}")
        .replace(/\/index\/.*/, "/index/{field}");
      const kind = `${method} ${shape}${query === "" ? "" : `?${query}`}`;
      const members = kinds.get(kind) ?? new Set();
      kinds.set(kind, members);
      if (body !== "") for (const name of Object.keys(readPlainJson(body) as object)) members.add(name);
      return pass();
    };
    await using between = await tamperWith(server.url, noting);
    await using other = new Place({ ...server, url: between.url });
    await other.create("c", '{"vectors":{"size":1,"distance":"Dot"},"sparse_vectors":{"s":{}}}');
    await other.alias("live", "c");
    await other.upsert("c", '{"id":1,"vector":[1.0]},{"id":3,"vector":[1.0]}');
    await other.ask("PATCH", other.path("c"), '{"strict_mode_config":{"enabled":true,"max_query_limit":1}}');
    if (await canShard(other)) {
      await other.create("sharded", '{"vectors":{"size":1,"distance":"Dot"},"sharding_method":"custom"}');
      await other.ask("PUT", `${other.path("sharded")}/shards`, '{"shard_key":"eu"}');
      await other.upsert("sharded", '{"id":1,"vector":[1.0]}', '"eu"');
    }
    kinds.clear();
    const source = await dumped(other);
    const whole = await dumped(place, { url: between.url });
    await other.store().probe();
    await other.store().describe();
    await other.ask(
      "PUT",
      `${other.path("c")}/index?wait=true`,
      '{"field_name":"f","field_schema":"keyword"}',
    );
    await other.upsert("c", '{"id":1,"vector":[2.0]},{"id":2,"vector":[2.0]}');
    await other.ask("PATCH", other.path("c"), '{"hnsw_config":{"m":9},"metadata":{"x":1}}');
    if (await canShard(other)) await other.upsert("sharded", '{"id":2,"vector":[1.0]}', '"eu"');
    kinds.delete("PATCH /collections/{name}");
    await restored(other.store(), source, inPlace);
    const beside = other.beside();
    for (const one of [source, whole])
      await restored(other.store(), one, { target: { kind: "into", target: beside.target }, force: false });
    const view = await other.store().open();
    await beside.place.store().write("c", view.records("c", [Buffer.from("1")]));
    if (await canShard(other)) {
      for await (const { key } of view.records("sharded", [Buffer.from('1@"eu"')]))
        expect(Buffer.from(key).toString()).toBe('1@"eu"');
    }
    await view[Symbol.asyncDispose]();
    for (const task of await other.store().maintenance()) await task.run();
    await beside.place[Symbol.asyncDispose]();
    const sent = [...kinds].map(([kind, members]) => `${kind} ${[...members].sort().join(",")}`.trim());
    expect(sent.sort()).toEqual([
      "DELETE /collections/{name}",
      "DELETE /collections/{name}/index/{field}?wait=true",
      "GET /",
      "GET /aliases",
      "GET /collections",
      "GET /collections/{name}",
      "GET /collections/{name}/cluster",
      "GET /collections/{name}/shards",
      "PATCH /collections/{name} hnsw_config,metadata,optimizers_config,params,strict_mode_config",
      "POST /collections/aliases actions",
      "POST /collections/{name}/points ids,shard_key,with_payload,with_vector",
      "POST /collections/{name}/points/count exact,shard_key",
      "POST /collections/{name}/points/delete?wait=true points,shard_key",
      "POST /collections/{name}/points/scroll limit,offset,shard_key,with_payload,with_vector",
      "PUT /collections/{name} hnsw_config,metadata,on_disk_payload,optimizers_config,quantization_config,replication_factor,shard_number,sharding_method,sparse_vectors,vectors,wal_config,write_consistency_factor",
      "PUT /collections/{name}/index?wait=true field_name,field_schema",
      "PUT /collections/{name}/points?wait=true points,shard_key",
      "PUT /collections/{name}/shards shard_key,shards_number",
    ]);
  });
});
