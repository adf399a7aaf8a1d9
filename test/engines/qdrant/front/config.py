"""A collection's configuration: as a request creates it, as the server prints it, and as the engine takes it.

Only what changes stored values reaches the engine (sizes, distances, datatypes, multivectors, sparse vectors). What
tunes searching and memory is kept and printed: nothing here is large enough to be optimised.
"""

import copy

import qdrant_edge as edge

from wire import format_error

HNSW = {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000, "max_indexing_threads": 0, "on_disk": False}
OPTIMIZER = {
    "deleted_threshold": 0.2,
    "vacuum_min_vector_number": 1000,
    "default_segment_number": 0,
    "max_segment_size": None,
    "memmap_threshold": None,
    "indexing_threshold": 10000,
    "flush_interval_sec": 5,
    "max_optimization_threads": None,
    "prevent_unoptimized": None,
}
WAL = {"wal_capacity_mb": 32, "wal_segments_ahead": 0, "wal_retain_closed": 1}
VECTOR_FIELDS = ("size", "distance", "hnsw_config", "quantization_config", "on_disk", "datatype", "multivector_config")
STRICT_FIELDS = (
    "enabled max_query_limit max_timeout unindexed_filtering_retrieve unindexed_filtering_update search_max_hnsw_ef "
    "search_allow_exact search_max_oversampling upsert_max_batchsize search_max_batchsize "
    "max_collection_vector_size_bytes read_rate_limit write_rate_limit max_collection_payload_size_bytes "
    "max_points_count filter_max_conditions condition_max_size multivector_config sparse_config max_payload_index_count "
    "max_resident_memory_percent max_disk_usage_percent"
).split()
INDEX_FIELDS = (
    "type is_tenant lookup range is_principal prefix tokenizer min_token_len max_token_len lowercase ascii_folding "
    "phrase_matching stopwords on_disk stemmer enable_hnsw"
).split()
DATATYPES = {
    "float32": edge.VectorStorageDatatype.Float32,
    "float16": edge.VectorStorageDatatype.Float16,
    "uint8": edge.VectorStorageDatatype.Uint8,
}
DISTANCES = {name: getattr(edge.Distance, name) for name in ("Cosine", "Euclid", "Dot", "Manhattan")}


def created(body):
    """The configuration that `PUT /collections/NAME` makes, in the order in which the server prints it."""
    vectors = body.get("vectors", {})
    params = {
        "vectors": _vector_params(vectors)
        if "size" in vectors
        else {name: _vector_params(vectors[name]) for name in sorted(vectors)},
        "shard_number": body.get("shard_number", 1),
        **_given(body, ("sharding_method",)),
        "replication_factor": body.get("replication_factor", 1),
        "write_consistency_factor": body.get("write_consistency_factor", 1),
        "on_disk_payload": body.get("on_disk_payload", True),
    }
    if body.get("sparse_vectors"):
        sparse = body["sparse_vectors"]
        params["sparse_vectors"] = {name: _sparse_params(sparse[name]) for name in sorted(sparse)}
    config = {
        "params": params,
        "hnsw_config": {**HNSW, **_without_nulls(body.get("hnsw_config"))},
        "optimizer_config": {**OPTIMIZER, **_without_nulls(body.get("optimizers_config"))},
        "wal_config": {**WAL, **_without_nulls(body.get("wal_config"))},
        "quantization_config": body.get("quantization_config"),
    }
    if body.get("strict_mode_config"):
        config["strict_mode_config"] = _given(body["strict_mode_config"], STRICT_FIELDS)
    if body.get("metadata"):
        config["metadata"] = body["metadata"]
    return config


def changed(config, body):
    """The configuration after `PATCH /collections/NAME`."""
    config = copy.deepcopy(config)
    for given, kept in (("optimizers_config", "optimizer_config"), ("hnsw_config", "hnsw_config"), ("params", "params")):
        config[kept] |= _without_nulls(body.get(given))
    if config["optimizer_config"]["max_optimization_threads"] == "auto":
        config["optimizer_config"]["max_optimization_threads"] = None
    if "quantization_config" in body:
        quantization = body["quantization_config"]
        config["quantization_config"] = None if quantization == "Disabled" else quantization
    if body.get("strict_mode_config"):
        merged = config.get("strict_mode_config", {}) | _without_nulls(body["strict_mode_config"])
        config["strict_mode_config"] = _given(merged, STRICT_FIELDS)
    if body.get("metadata"):
        merged = config.pop("metadata", {}) | body["metadata"]
        config["metadata"] = {name: value for name, value in merged.items() if value is not None}
    dense = dense_vectors(config)
    for name, change in (body.get("vectors") or {}).items():
        if name in dense:
            hnsw = {**dense[name].get("hnsw_config", {}), **(change.get("hnsw_config") or {})}
            merged = _given({**dense[name], **_without_nulls(change), "hnsw_config": hnsw or None}, VECTOR_FIELDS)
            if merged.get("quantization_config") == "Disabled":
                del merged["quantization_config"]
            dense[name].clear()
            dense[name].update(merged)
    sparse = sparse_vectors(config)
    for name, change in (body.get("sparse_vectors") or {}).items():
        if name in sparse:
            index = {**sparse[name].get("index", {}), **(change.get("index") or {})}
            sparse[name].update(_sparse_params({**sparse[name], **_without_nulls(change), "index": index or None}))
    return config


def dense_vectors(config):
    """{name: parameters}; the name of the only vector is ""."""
    vectors = config["params"]["vectors"]
    return {"": vectors} if "size" in vectors else vectors


def sparse_vectors(config):
    return config["params"].get("sparse_vectors", {})


def engine_config(config):
    dense = {name: _engine_vector(params) for name, params in dense_vectors(config).items()}
    sparse = {
        name: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf if params.get("modifier") == "idf" else None)
        for name, params in sparse_vectors(config).items()
    }
    return edge.EdgeConfig(vectors=dense, sparse_vectors=sparse)


def engine_index(schema):
    """A payload index for the engine; the parameters that select nothing are left to its defaults."""
    kind = schema if isinstance(schema, str) else schema.get("type")
    if kind not in ("keyword", "integer", "float", "geo", "text", "bool", "datetime", "uuid"):
        raise format_error("data did not match any variant of untagged enum PayloadFieldSchema")
    if isinstance(schema, dict) and kind == "integer":
        return edge.IntegerIndexParams(lookup=schema.get("lookup", True), range=schema.get("range", True))
    if isinstance(schema, dict) and kind == "text":
        tokenizer = getattr(edge.TokenizerType, schema.get("tokenizer", "word").capitalize())
        lengths = _given(schema, ("min_token_len", "max_token_len", "lowercase", "phrase_matching"))
        return edge.TextIndexParams(tokenizer=tokenizer, **lengths)
    return getattr(edge.PayloadSchemaType, kind.capitalize())


def printed_index(schema, points):
    if isinstance(schema, str):
        return {"data_type": schema, "points": points}
    params = _given(schema, INDEX_FIELDS)
    if schema["type"] == "integer":
        # The only index whose absent parameters are printed.
        params = {"type": "integer", "lookup": None, "range": None, "is_principal": None} | params
    return {"data_type": schema["type"], "params": params, "points": points}


def _engine_vector(params):
    multi = edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim) if "multivector_config" in params else None
    return edge.EdgeVectorParams(
        size=params["size"],
        distance=DISTANCES[params["distance"]],
        datatype=DATATYPES[params.get("datatype", "float32")],
        multivector_config=multi,
    )


def _vector_params(params):
    if params.get("distance") not in DISTANCES:
        raise format_error(f"unknown variant `{params.get('distance')}`, expected one of `Cosine`, `Euclid`, `Dot`, `Manhattan`")
    if params.get("datatype", "float32") not in DATATYPES:
        raise format_error(f"unknown variant `{params['datatype']}`, expected one of `float32`, `uint8`, `float16`")
    return _given(params, VECTOR_FIELDS)


def _sparse_params(params):
    index = params.get("index")
    printed = {"index": _given(index, ("full_scan_threshold", "on_disk", "datatype"))} if index else {}
    return printed | _given(params, ("modifier",))


def _given(value, fields):
    return {name: value[name] for name in fields if value.get(name) is not None}


def _without_nulls(value):
    return {name: part for name, part in (value or {}).items() if part is not None}
