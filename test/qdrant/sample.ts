/** Collections with every kind of vector, id, payload, index and setting that the server has, for tests. */
import type { Place } from "./testing.ts";

/** Under this name the sample has the same id under two shard keys; where the server has no custom sharding it is missing. */
export const sharded = "by customer";
export const rich = "rich é; .";

const awkwardPayload = `{"a":1,"b":1.0,"c":1e3,"i64":9223372036854775807,"u64":18446744073709551615,"big":1e300,
  "zero":-0.0,"third":0.30000000000000004,"null":null,"empty":"","list":[],"map":{},"mix":[1,"1",1.5,null,true,{"x":[]}],
  "$bytes":"no tag","$$":1,"__proto__":{"constructor":1},"text":"\\u0000 \\ud83d\\ude00 \\"\\\\ ünï"}`;

const points = `
  {"id":0,"vector":[1.0,2.0,3.0,4.0],"payload":${awkwardPayload}},
  {"id":9,"vector":[0.1,0.2,0.3,0.4]},{"id":10,"vector":[-1.0,0.0,0.0,0.0],"payload":{}},
  {"id":9007199254740993,"vector":{},"payload":{"no":"vector"}},
  {"id":18446744073709551615,"vector":[1e-20,2e-20,0.0,0.0]},
  {"id":"00000000-0000-4000-8000-000000000001","vector":[0.0,0.0,0.0,0.0]},
  {"id":"f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4","vector":[3.0,4.0,0.0,1e-8],"payload":{"n":1}}`;

const richCollection = `{"vectors":{
    "text":{"size":3,"distance":"Cosine","on_disk":true,"hnsw_config":{"m":24}},
    "img":{"size":2,"distance":"Dot","datatype":"float16"},
    "colbert":{"size":2,"distance":"Cosine","multivector_config":{"comparator":"max_sim"}},
    "bytes":{"size":4,"distance":"Euclid","datatype":"uint8"}},
  "sparse_vectors":{"bm25":{"modifier":"idf","index":{"on_disk":true,"full_scan_threshold":100}},"plain":{}},
  "shard_number":2,"on_disk_payload":true,"hnsw_config":{"m":20,"ef_construct":110,"full_scan_threshold":5000,"payload_m":8},
  "optimizers_config":{"indexing_threshold":12345,"default_segment_number":2,"deleted_threshold":0.3},
  "wal_config":{"wal_capacity_mb":16},"quantization_config":{"scalar":{"type":"int8","quantile":0.99,"always_ram":true}},
  "metadata":{"owner":"me","one":1.0,"id":18446744073709551615,"deep":{"a":[1]}}}`;

const richPoints = `
  {"id":1,"vector":{"text":[0.1,0.2,0.3],"img":[1.5,0.1],"colbert":[[1.0,0.0],[0.6,0.8]],"bytes":[0.0,1.0,254.0,255.0],
    "bm25":{"indices":[7,3,4294967295],"values":[0.5,0.25,1e-7]}},"payload":{"k":"a","tenant":"t1","i":3,"txt":"Tea"}},
  {"id":2,"vector":{"text":[1.0,0.0,0.0],"plain":{"indices":[],"values":[]}}},
  {"id":3,"vector":{"img":[-0.0,65504.0],"colbert":[[1.0,1.0],[3.0,4.0]]}},
  {"id":4,"vector":{},"payload":{"no":"vectors"}},
  {"id":5,"vector":{"colbert":[[1.0,0.0]]}},{"id":6,"vector":{"colbert":[[1.0,0.0],[2.0,0.0],[0.0,3.0]]}}`;

export const richIndexes = [
  '"k","field_schema":"keyword"',
  '"tenant","field_schema":{"type":"keyword","is_tenant":true,"on_disk":true}',
  '"i","field_schema":{"type":"integer","lookup":true,"range":false}',
  '"f","field_schema":"float"',
  '"g","field_schema":"geo"',
  '"dt","field_schema":{"type":"datetime","is_principal":true}',
  '"u","field_schema":{"type":"uuid","is_tenant":false}',
  `"txt","field_schema":{"type":"text","tokenizer":"multilingual","min_token_len":2,"max_token_len":15,"lowercase":true,
    "ascii_folding":true,"phrase_matching":true,"stopwords":{"languages":["english"],"custom":["memkeep"]},
    "stemmer":{"type":"snowball","language":"english"}}`,
  '"nested.deep[].x","field_schema":"integer"',
];

export const strictMode = `{"enabled":true,"max_query_limit":50,"unindexed_filtering_retrieve":false,
  "upsert_max_batchsize":20,"max_payload_index_count":10}`;

/** Fills a place. Collections: `memories`, `rich`, `none`, and `sharded` where the server can. */
export async function fillSample(place: Place): Promise<void> {
  await place.create("memories", '{"vectors":{"size":4,"distance":"Cosine"}}');
  await place.upsert("memories", points);
  await place.create("none", '{"vectors":{"size":2,"distance":"Manhattan"}}');
  await place.create(rich, richCollection);
  for (const index of richIndexes) {
    await place.ask("PUT", `${place.path(rich)}/index?wait=true`, `{"field_name":${index}}`);
  }
  await place.upsert(rich, richPoints);
  await place.alias("current", rich);
  await place.alias("with space", "memories");
  await place.ask("PATCH", place.path(rich), `{"strict_mode_config":${strictMode}}`);
  if (await canShard(place)) await fillSharded(place);
}

/** Custom sharding needs a cluster, if only of one node; the qdrant-edge front does without. */
export async function canShard(place: Place): Promise<boolean> {
  if (place.server.process !== undefined) return true;
  return (await place.ask("GET", "/cluster")).includes('"enabled"');
}

async function fillSharded(place: Place): Promise<void> {
  await place.create(sharded, '{"vectors":{"size":1,"distance":"Dot"},"sharding_method":"custom"}');
  for (const key of ['"eu"', '"us @ \\"1\\""', "7"]) {
    await place.ask("PUT", `${place.path(sharded)}/shards`, `{"shard_key":${key}}`);
    await place.upsert(
      sharded,
      `{"id":1,"vector":[${key.length}.0]},{"id":${key.length + 1},"vector":[2.5]}`,
      key,
    );
  }
}
