"""Orders other than that of the ids: by a payload field, and by nearness to a vector."""

import numpy
import qdrant_edge as edge

import limits
from filters import engine_filter
from shard import printed_record
from vectors import sort_key, with_payload


def engine_order(order):
    """`order_by` of a request, for the engine."""
    if order is None:
        return None
    if isinstance(order, str):
        return edge.OrderBy(order)
    direction = edge.Direction.Desc if order.get("direction") == "desc" else edge.Direction.Asc
    return edge.OrderBy(order["key"], direction, order.get("start_from"))


def ordered(found, order):
    """The records of several shards in the order that `order_by` asks for."""
    descending = isinstance(order, dict) and order.get("direction") == "desc"
    return sorted(found, key=lambda pair: pair[1].order_value, reverse=descending)


def nearest(collection, body, field):
    """The neighbours of one vector, enough to see that searching works after a restore."""
    limit, vector = body.get("limit", 10), body.get("with_vector", False)
    limits.check_query(collection.strict, limit)
    collection.limits.read(collection.strict)
    query, name = _target(body, field)
    request = edge.QueryRequest(
        limit=limit,
        query=edge.Query.Nearest(query, name or None),
        filter=engine_filter(body.get("filter")),
        with_payload=with_payload(body.get("with_payload"), False),
        with_vector=vector,
    )
    found = [(shard, point) for shard in collection.reading(body) for point in shard.engine.query(request)]
    found.sort(key=lambda pair: (-pair[1].score, sort_key(pair[1].id)))
    return [_scored(shard, point, vector) for shard, point in found[:limit]]


def _target(body, field):
    """The vector and its name; older clients send them together."""
    query, name = body.get(field), body.get("using", "")
    if isinstance(query, dict) and "nearest" in query:
        query = query["nearest"]
    if isinstance(query, dict) and "name" in query:
        query, name = query["vector"], query["name"]
    if isinstance(query, dict):
        query = edge.SparseVector(query["indices"], query["values"])
    return query, name


def _scored(shard, point, vector):
    record = printed_record(shard, point, vector)
    # The engine counts its operations from 0, the server from 1.
    return {"id": record.pop("id"), "version": point.version + 1, "score": numpy.float32(point.score), **record}
