"""One collection: its configuration, indexes and shards, kept in one folder."""

import json
import os
import shutil
import threading

import qdrant_edge as edge

import config as settings
import limits
from filters import engine_filter
from search import engine_order, ordered
from shard import Shard, by_id, printed_record, spread
from vectors import check_sizes, point_id, printed_id, read_struct, with_payload
from wire import Refused, expect, format_error, invalid, not_found, wrong_input


class Collection:
    def __init__(self, name, folder, state):
        self.name = name
        self.folder = folder
        self.config = state["config"]
        self.indexes = state["indexes"]
        self.shards = [Shard(folder, one["number"], one["key"], self.config, one["operations"]) for one in state["shards"]]
        self.limits = limits.Limits()
        self.lock = threading.RLock()

    @staticmethod
    def create(name, folder, body):
        config = settings.created(body)
        numbers = [] if config["params"].get("sharding_method") == "custom" else range(config["params"]["shard_number"])
        os.makedirs(folder)
        shards = [{"number": number, "key": None, "operations": 0} for number in numbers]
        collection = Collection(name, folder, {"config": config, "indexes": {}, "shards": shards})
        collection.save()
        return collection

    @staticmethod
    def load(folder):
        with open(os.path.join(folder, "collection.json"), encoding="utf-8") as file:
            state = json.load(file)
        return Collection(state["name"], folder, state)

    def save(self):
        """Writes everything but the points, which the engine keeps."""
        state = {
            "name": self.name,
            "config": self.config,
            "indexes": self.indexes,
            "shards": [{"number": one.number, "key": one.key, "operations": one.operations} for one in self.shards],
        }
        path = os.path.join(self.folder, "collection.json")
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            json.dump(state, file)
        os.replace(f"{path}.new", path)

    def close(self):
        self.save()
        for shard in self.shards:
            shard.close()

    def remove(self):
        for shard in self.shards:
            shard.engine.close()
        shutil.rmtree(self.folder)

    @property
    def strict(self):
        return self.config.get("strict_mode_config")

    @property
    def custom(self):
        return self.config["params"].get("sharding_method") == "custom"

    # What it is

    def info(self):
        infos = [shard.engine.info() for shard in self.shards]
        indexed = {
            field: sum(info.payload_schema[field].points for info in infos if field in info.payload_schema)
            for field in self.indexes
        }
        return {
            "status": "green",
            "optimizer_status": "ok",
            "indexed_vectors_count": 0,
            "points_count": self._count(None, None),
            "segments_count": self.segments(),
            "config": self.config,
            "payload_schema": {
                field: settings.printed_index(schema, indexed[field]) for field, schema in self.indexes.items()
            },
            "update_queue": {"length": 0},
        }

    def segments(self):
        """As many as the server would start with on two cores; the engine here has its own, which nobody sees."""
        return 2 * len(self.shards)

    def change(self, body):
        self.config = settings.changed(self.config, body)
        self.save()
        return True

    def add_key(self, body):
        key = body.get("shard_key")
        if not self.custom:
            raise Refused(400, "Bad request: Shard Key cannot be created with Auto sharding method")
        if any(shard.key == key for shard in self.shards):
            raise Refused(400, f"Bad request: Sharding key {key} already exists")
        for _ in range(body.get("shards_number") or self.config["params"]["shard_number"]):
            number = 1 + max((shard.number for shard in self.shards), default=0)
            shard = Shard(self.folder, number, key, self.config)
            for field, schema in self.indexes.items():
                shard.apply(edge.UpdateOperation.create_field_index(field, settings.engine_index(schema)), 0)
            self.shards.append(shard)
        self.save()
        return True

    def drop_key(self, body):
        dropped = self._of_key(body.get("shard_key"))
        self.shards = [shard for shard in self.shards if shard not in dropped]
        self.save()
        for shard in dropped:
            shard.engine.close()
            shutil.rmtree(shard.folder)
        return True

    def keys(self):
        if not self.custom:
            return {}
        return {"shard_keys": [{"key": key} for key in dict.fromkeys(shard.key for shard in self.shards)]}

    def local_shards(self):
        return [
            {
                "shard_id": shard.number,
                **({} if shard.key is None else {"shard_key": shard.key}),
                "points_count": shard.count(None),
                "state": "Active",
            }
            for shard in self.shards
        ]

    # Indexes

    def create_index(self, body):
        field, schema = body.get("field_name"), body.get("field_schema")
        if not isinstance(field, str):
            raise format_error("missing field `field_name`")
        if field not in self.indexes:
            limits.check_index(self.strict, len(self.indexes))
        index = settings.engine_index(schema)
        for shard in self.shards:
            shard.apply(edge.UpdateOperation.create_field_index(field, index), 2)
        self.indexes[field] = schema
        self.save()
        return self._number(self.shards)

    def delete_index(self, field):
        for shard in self.shards:
            shard.apply(edge.UpdateOperation.delete_field_index(field), 2)
        self.indexes.pop(field, None)
        self.save()
        return self._number(self.shards)

    # Writing

    def upsert(self, body):
        if "points" not in body:
            raise format_error("data did not match any variant of untagged enum PointInsertOperations")
        points = [self._read_point(point, index) for index, point in enumerate(body["points"])]
        if not points:
            raise Refused(400, "Bad request: Empty update request")
        limits.check_upsert(self.strict, len(points))
        limits.check_points(self.strict, self._count(None, None) if limits.enabled(self.strict, "max_points_count") else 0)
        self.limits.write(self.strict, len(points))
        for _, vectors, _ in points:
            check_sizes(vectors, settings.dense_vectors(self.config))
        # Of the same id twice in one request, the last one counts.
        latest = {point[0]: point for point in points}
        return self._on_shards(body, latest, lambda shard, part: shard.upsert(part, self.config))

    def _read_point(self, point, index):
        identifier = point_id(point.get("id"))
        if "vector" not in point:
            raise format_error("missing field `vector`")
        payload = point.get("payload")
        if payload is not None and not isinstance(payload, dict):
            raise format_error("invalid type for `payload`, expected a map")
        return identifier, read_struct(point["vector"], f"points[{index}].vector"), payload

    def update_vectors(self, body):
        points = {}
        for index, point in enumerate(body.get("points", [])):
            identifier = point_id(point.get("id"))
            points[identifier] = (identifier, read_struct(point["vector"], f"points[{index}].vector"))
        self.limits.write(self.strict, len(points))
        for _, vectors in points.values():
            check_sizes(vectors, settings.dense_vectors(self.config))
        return self._on_shards(body, points, lambda shard, part: shard.update_vectors(part, self.config))

    def delete_vectors(self, body):
        return self._on_selected(body, "delete_vectors", body.get("vector", []))

    def delete_points(self, body):
        return self._on_selected(body, "delete_points")

    def set_payload(self, body):
        return self._on_selected(body, "set_payload", body.get("payload", {}), body.get("key"))

    def overwrite_payload(self, body):
        return self._on_selected(body, "overwrite_payload", body.get("payload", {}), body.get("key"))

    def delete_payload(self, body):
        return self._on_selected(body, "delete_payload", body.get("keys", []))

    def clear_payload(self, body):
        return self._on_selected(body, "clear_payload")

    def batch(self, body):
        """Operations one after the other; the first that is refused ends it, what came before stays."""
        writes = {
            "upsert": self.upsert,
            "delete": self.delete_points,
            "set_payload": self.set_payload,
            "overwrite_payload": self.overwrite_payload,
            "delete_payload": self.delete_payload,
            "clear_payload": self.clear_payload,
            "update_vectors": self.update_vectors,
            "delete_vectors": self.delete_vectors,
        }
        results = []
        for operation in body.get("operations", []):
            ((kind, part),) = operation.items()
            if kind not in writes:
                raise format_error("data did not match any variant of untagged enum UpdateOperation")
            results.append(writes[kind](part))
        return results

    def _on_selected(self, body, operation, *arguments):
        """An operation of the engine on the points that `points` or `filter` selects."""
        self.limits.write(self.strict)
        if "points" in body:
            of_ids = getattr(edge.UpdateOperation, operation)
            ids = {one: one for one in map(point_id, body["points"])}
            return self._on_shards(body, ids, lambda shard, part: shard.apply(of_ids(part, *arguments)))
        if "filter" not in body:
            raise format_error("data did not match any variant of untagged enum PointsSelector")
        limits.check_filter(self.strict, "unindexed_filtering_update", body["filter"], self._index_types())
        of_filter = getattr(edge.UpdateOperation, f"{operation}_by_filter")
        shards = self._of_key(body["shard_key"]) if body.get("shard_key") is not None else self.shards
        for shard in shards:
            shard.apply(of_filter(engine_filter(body["filter"]), *arguments))
        return self._number(shards)

    def _on_shards(self, body, points, apply):
        """Applies to {id: point} on the shard of each id; an error in one shard does not undo the others."""
        key = body.get("shard_key")
        if self.custom and key is None:
            raise wrong_input("Shard key not specified")
        shards = self._of_key(key) if key is not None else self.shards
        parts = {}
        for identifier, point in points.items():
            parts.setdefault(spread(identifier) % len(shards), []).append(point)
        refusals = []
        for number in sorted(parts):
            try:
                apply(shards[number], parts[number])
            except Refused as error:
                refusals.append(error)
        if refusals and len(parts) > 1:
            first = refusals[0].message
            raise wrong_input(
                f"{len(refusals)} out of {len(parts)} shards failed to apply operation. First error captured: {first}"
            )
        if refusals:
            raise refusals[0]
        return self._number([shards[number] for number in parts])

    def _number(self, shards):
        self.save()
        return {"operation_id": max((shard.operations for shard in shards), default=0), "status": "completed"}

    # Reading

    def scroll(self, body):
        limit = expect(body, "limit", int, "usize", 10)
        if limit < 1:
            raise invalid("scroll_request.limit", f"value {limit} invalid, must be 1 or larger")
        offset = None if body.get("offset") is None else point_id(body["offset"])
        vector = body.get("with_vector", False)
        limits.check_query(self.strict, limit)
        limits.check_filter(self.strict, "unindexed_filtering_retrieve", body.get("filter"), self._index_types())
        self.limits.read(self.strict)
        order = body.get("order_by")
        request = {
            "offset": offset,
            "limit": limit if order else limit + 1,
            "filter": engine_filter(body.get("filter")),
            "with_payload": with_payload(body.get("with_payload"), True),
            "with_vector": vector,
            "order_by": engine_order(order),
        }
        found = [pair for shard in self.reading(body) for pair in shard.scroll(**request)]
        if order:
            return {"points": self._printed(ordered(found, order)[:limit], vector), "next_page_offset": None}
        page = by_id(found)
        following = printed_id(page[limit][1].id) if len(page) > limit else None
        return {"points": self._printed(page[:limit], vector), "next_page_offset": following}

    def count(self, body):
        limits.check_filter(self.strict, "unindexed_filtering_retrieve", body.get("filter"), self._index_types())
        if body.get("exact", True):
            self.limits.read(self.strict)
        return {"count": self._count(body.get("filter"), body)}

    def _count(self, value, body):
        return sum(shard.count(engine_filter(value)) for shard in self.reading(body or {}))

    def retrieve(self, body):
        if "ids" not in body:
            raise format_error("missing field `ids`")
        identifiers = [point_id(one) for one in body["ids"]]
        vector = body.get("with_vector", False)
        self.limits.read(self.strict, len(identifiers))
        return self._printed(self._find(identifiers, body, with_payload(body.get("with_payload"), True), vector), vector)

    def point(self, text):
        try:
            identifier = point_id(int(text) if text.isdigit() else text)
        except Refused as error:
            raise wrong_input(f'Can not recognize "{text}" as point id') from error
        found = self._find([identifier], {}, True, True)
        if not found:
            raise not_found(f"Point with id {text} does not exists!")
        return self._printed(found, True)[0]

    def _find(self, identifiers, body, payload, vector):
        found = {}
        for shard in self.reading(body):
            for pair in shard.retrieve(identifiers, payload, vector):
                found.setdefault(pair[1].id, pair)
        return [found[one] for one in identifiers if one in found]

    def reading(self, body):
        """The shards that a reading request asks for."""
        key = body.get("shard_key")
        if key is None:
            return self.shards
        return [shard for one in (key if isinstance(key, list) else [key]) for shard in self._of_key(one)]

    def _of_key(self, key):
        shards = [shard for shard in self.shards if shard.key == key and type(shard.key) is type(key)]
        if not shards:
            shown = f'"{key}"' if isinstance(key, str) else key
            raise wrong_input(f"Shard key {shown} not found")
        return shards

    def _printed(self, found, vector):
        return [printed_record(shard, record, vector) for shard, record in found]

    def _index_types(self):
        return {field: schema if isinstance(schema, str) else schema["type"] for field, schema in self.indexes.items()}
