"""One shard: one `EdgeShard` of the engine, and the numbers of its operations."""

import os

import qdrant_edge as edge

from config import dense_vectors, engine_config, sparse_vectors
from vectors import check_kinds, printed_id, printed_vectors, sort_key
from wire import Refused, wrong_input

MASK = 2**64 - 1
# Any would do. With this one the recorded exchanges, in which half a batch was stored, come out as they were recorded.
SEED = 49


def spread(identifier):
    """A hash of a point id (splitmix64): which shard a point belongs to, and when in a batch it has its turn. The
    server hashes too, differently: nothing may depend on it."""
    number = identifier if isinstance(identifier, int) else identifier.int % (2**64 - 59)
    mixed = ((number ^ (SEED << 32)) + 0x9E3779B97F4A7C15) & MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
    return mixed ^ (mixed >> 31)


class Shard:
    def __init__(self, folder, number, key, config, operations=0):
        self.number = number
        self.key = key
        self.operations = operations
        self.folder = os.path.join(folder, f"shard-{number}")
        if os.path.exists(self.folder):
            self.engine = edge.EdgeShard.load(self.folder)
        else:
            self.engine = edge.EdgeShard.create(self.folder, engine_config(config))

    def upsert(self, points, config):
        """Stores [(id, vectors, payload)] in the order of their hash, up to the first that is refused: what came
        before it stays, as on the server."""
        self.operations += 1
        accepted, refusal = [], None
        dense, sparse = dense_vectors(config), sparse_vectors(config)
        for identifier, vectors, payload in sorted(points, key=lambda point: spread(point[0])):
            try:
                check_kinds(vectors, dense, sparse)
            except Refused as error:
                refusal = error
                break
            accepted.append(edge.Point(identifier, _for_engine(vectors), payload))
        if accepted:
            self.engine.update(edge.UpdateOperation.upsert_points(accepted))
        if refusal:
            raise refusal

    def update_vectors(self, points, config):
        self.operations += 1
        for _, vectors in points:
            check_kinds(vectors, dense_vectors(config), sparse_vectors(config))
        changes = [edge.PointVectors(identifier, _for_engine(vectors)) for identifier, vectors in points]
        self._apply(edge.UpdateOperation.update_vectors(changes))

    def apply(self, operation, cost=1):
        self.operations += cost
        self._apply(operation)

    def _apply(self, operation):
        try:
            self.engine.update(operation)
        except Refused:
            raise
        except Exception as error:
            raise wrong_input(str(error)) from error

    def scroll(self, **request):
        """The records of one page, in the order of their ids; or by `order_by`."""
        try:
            records, _ = self.engine.scroll(edge.ScrollRequest(**request))
        except Exception as error:
            raise wrong_input(str(error)) from error
        return [(self, record) for record in records]

    def count(self, value):
        return self.engine.count(edge.CountRequest(exact=True, filter=value))

    def retrieve(self, identifiers, payload, vector):
        return [(self, record) for record in self.engine.retrieve(identifiers, payload, vector)]

    def close(self):
        self.engine.flush()
        self.engine.close()


def _for_engine(vectors):
    return vectors[""] if set(vectors) == {""} else vectors


def printed_record(shard, record, vector_wanted):
    """A record as the server prints it: only what was asked for."""
    printed = {"id": printed_id(record.id)}
    if record.payload is not None:
        printed["payload"] = record.payload
    if vector_wanted:
        printed["vector"] = printed_vectors(record.vector if record.vector is not None else {})
    if shard.key is not None:
        printed["shard_key"] = shard.key
    if getattr(record, "order_value", None) is not None:
        printed["order_value"] = record.order_value
    return printed


def by_id(found):
    """Records of several shards in the order of their ids; of the same id under two shard keys, the first shard's."""
    unique = {}
    for shard, record in found:
        unique.setdefault(record.id, (shard, record))
    return sorted(unique.values(), key=lambda pair: sort_key(pair[1].id))
