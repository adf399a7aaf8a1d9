"""Points on the wire to points of the engine, and back; with the server's own confusions, which clients have to survive."""

import uuid

import numpy
import qdrant_edge as edge

from wire import Refused, format_error, invalid, wrong_input

U64 = 2**64


def point_id(value):
    """An id as the server reads it: u64, or a UUID in any of its spellings."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < U64:
        return value
    if isinstance(value, str):
        try:
            return uuid.UUID(value)
        except ValueError:
            pass
    raise format_error(
        f"value {_displayed(value)} is not a valid point ID, valid values are either an unsigned integer or a UUID"
    )


def _displayed(value):
    # A number above u64 was read as a double, and is shown with its shortest digits, without an exponent.
    if isinstance(value, float) and value.is_integer():
        digits, _, exponent = f"{value!r}".partition("e+")
        whole, _, fraction = digits.partition(".")
        return whole if not exponent else (whole + fraction).ljust(int(exponent) + 1, "0")
    return value


def sort_key(identifier):
    """The server's order: numbers first, then UUIDs."""
    return (1, identifier.int) if isinstance(identifier, uuid.UUID) else (0, identifier)


def printed_id(identifier):
    return str(identifier) if isinstance(identifier, uuid.UUID) else identifier


def read_struct(value, path):
    """The `vector` of a point: {name: list | list of lists | SparseVector}; the name of the only vector is ""."""
    if _is_dense(value) or _is_multi(value):
        _check_not_empty(value, path)
        return {"": value}
    if isinstance(value, dict):
        return {name: read_vector(part, f"{path}.?") for name, part in value.items()}
    raise format_error("data did not match any variant of untagged enum VectorStruct")


def read_vector(value, path):
    """One named vector. Two lists of which the first holds integers are a sparse vector: the server's reader tries
    {indices, values} before rows, and takes a list for an object's fields in order."""
    sparse = _as_sparse(value)
    if sparse is not None:
        return _checked_sparse(*sparse, path)
    if _is_dense(value) or _is_multi(value):
        _check_not_empty(value, f"{path}.vector")
        return value
    raise format_error("data did not match any variant of untagged enum VectorStruct")


def _as_sparse(value):
    if isinstance(value, dict) and set(value) == {"indices", "values"}:
        value = [value["indices"], value["values"]]
    if not (isinstance(value, list) and len(value) == 2 and _is_dense(value[0]) and _is_dense(value[1])):
        return None
    return value if all(isinstance(index, int) and 0 <= index < 2**32 for index in value[0]) else None


def _checked_sparse(indices, values, path):
    if len(set(indices)) != len(indices):
        raise invalid(f"{path}.indices", "Validation error: must be unique [{}]")
    if len(indices) != len(values):
        raise invalid(f"{path}.values", "Validation error: must be the same length as indices [{}]")
    return edge.SparseVector(indices, values)


def _check_not_empty(value, path):
    if len(value) == 0 or any(isinstance(row, list) and len(row) == 0 for row in value):
        raise invalid(path, "dense vector must not be empty")


def _is_dense(value):
    return isinstance(value, list) and all(type(number) in (int, float) for number in value)


def _is_multi(value):
    return isinstance(value, list) and len(value) > 0 and all(_is_dense(row) for row in value)


def check_sizes(vectors, dense):
    """Refuses a vector whose length is not that of its configuration; before the operation gets a number."""
    for name, vector in vectors.items():
        params = dense.get(name)
        if params is None or isinstance(vector, edge.SparseVector):
            continue
        for row in vector if isinstance(vector[0], list) else [vector]:
            if len(row) != params["size"]:
                raise wrong_input(f"Vector dimension error: expected dim: {params['size']}, got {len(row)}")


def check_kinds(vectors, dense, sparse):
    """Refuses unknown names and a sparse vector where a dense one belongs, or the reverse."""
    for name, vector in vectors.items():
        if name not in dense and name not in sparse:
            raise wrong_input(f"Not existing vector name error: {name}")
        if isinstance(vector, edge.SparseVector) != (name in sparse):
            raise wrong_input("Conversion between sparse and regular vectors failed")
        if name in dense and isinstance(vector[0], list) and "multivector_config" not in dense[name]:
            raise wrong_input("Conversion between multi and regular vectors failed")


def printed_vectors(vector):
    """What the engine gives for a record's vectors, as it is printed."""
    if isinstance(vector, dict):
        return {name: _printed_vector(part) for name, part in sorted(vector.items())}
    return _printed_vector(vector)


def _printed_vector(vector):
    if isinstance(vector, edge.SparseVector):
        return {"indices": vector.indices, "values": numpy.array(vector.values, dtype=numpy.float32)}
    return numpy.array(vector, dtype=numpy.float32)


def with_payload(value, default):
    """`with_payload` of a request, for the engine."""
    if value is None:
        return default
    if isinstance(value, dict):
        kind = edge.PayloadSelector.Include if "include" in value else edge.PayloadSelector.Exclude
        return kind(value.get("include", value.get("exclude", [])))
    if isinstance(value, (bool, list)):
        return value
    raise Refused(400, "Format error in JSON body: data did not match any variant of untagged enum WithPayloadInterface")
