"""Filters of requests to filters of the engine, and the indexes that strict mode wants for them."""

import qdrant_edge as edge

from vectors import point_id
from wire import bad_request, format_error


def engine_filter(value):
    if value is None:
        return None
    if not isinstance(value, dict):
        raise format_error("invalid type for `filter`, expected struct Filter")
    minimum = value.get("min_should")
    return edge.Filter(
        must=_conditions(value.get("must")),
        should=_conditions(value.get("should")),
        must_not=_conditions(value.get("must_not")),
        min_should=minimum and edge.MinShould(_conditions(minimum["conditions"]), minimum["min_count"]),
    )


def _conditions(value):
    if value is None:
        return None
    return [_condition(condition) for condition in (value if isinstance(value, list) else [value])]


def _condition(value):
    if "has_id" in value:
        return edge.HasIdCondition({point_id(one) for one in value["has_id"]})
    if "has_vector" in value:
        return edge.HasVectorCondition(value["has_vector"])
    if "nested" in value:
        return edge.NestedCondition(value["nested"]["key"], engine_filter(value["nested"]["filter"]))
    if "key" in value:
        return _field(value)
    for name, condition in (("is_empty", edge.IsEmptyCondition), ("is_null", edge.IsNullCondition)):
        if name in value:
            return condition(value[name]["key"])
    if not {"must", "should", "must_not", "min_should"}.isdisjoint(value):
        return engine_filter(value)
    raise format_error("data did not match any variant of untagged enum Condition")


def _field(value):
    parts = {}
    if "match" in value:
        parts["match"] = _match(value["match"])
    if "range" in value:
        bounds = {name: bound for name, bound in value["range"].items() if bound is not None}
        dates = any(isinstance(bound, str) for bound in bounds.values())
        parts["range"] = (edge.RangeDateTime if dates else edge.RangeFloat)(**bounds)
    if "values_count" in value:
        parts["values_count"] = edge.ValuesCount(**value["values_count"])
    if "geo_radius" in value:
        center = value["geo_radius"]["center"]
        parts["geo_radius"] = edge.GeoRadius(edge.GeoPoint(center["lon"], center["lat"]), value["geo_radius"]["radius"])
    for name in ("is_empty", "is_null"):
        if name in value:
            parts[name] = value[name]
    if not parts:
        raise format_error("data did not match any variant of untagged enum Condition")
    return edge.FieldCondition(key=value["key"], **parts)


def _match(value):
    kinds = {
        "value": edge.MatchValue,
        "text": edge.MatchText,
        "text_any": edge.MatchTextAny,
        "phrase": edge.MatchPhrase,
        "any": edge.MatchAny,
        "except": edge.MatchExcept,
    }
    for name, kind in kinds.items():
        if name in value:
            return kind(value[name])
    raise format_error("data did not match any variant of untagged enum Match")


def require_indexes(value, indexes):
    """Strict mode's `unindexed_filtering_*: false`: every field of the filter needs an index of a fitting type."""
    for clause in ("must", "should", "must_not"):
        conditions = (value or {}).get(clause) or []
        for condition in conditions if isinstance(conditions, list) else [conditions]:
            if "key" in condition:
                _require_index(condition, indexes)
            else:
                require_indexes(condition, indexes)


def _require_index(condition, indexes):
    types = _index_types(condition)
    if types and indexes.get(condition["key"]) not in types:
        raise bad_request(
            f'Index required but not found for "{condition["key"]}" of one of the following types: '
            f"[{', '.join(types)}]. Help: Create an index for this key or use a different filter."
        )


def _index_types(condition):
    if "range" in condition:
        dates = any(isinstance(bound, str) for bound in condition["range"].values())
        return ["datetime"] if dates else ["float", "integer"]
    match = condition.get("match", {})
    if not {"text", "text_any", "phrase"}.isdisjoint(match):
        return ["text"]
    sample = match.get("value", (match.get("any") or match.get("except") or [None])[0])
    if isinstance(sample, bool):
        return ["bool"]
    if isinstance(sample, int):
        return ["integer"]
    return ["keyword", "uuid"] if isinstance(sample, str) else []
