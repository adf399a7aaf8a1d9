"""JSON as the server reads and writes it, and the errors it answers with.

orjson does both: it prints floats in the shortest form with the server's own layout (1.0, -0.0, 1e-7, 3.4028235e+38),
float32 arrays with the digits of float32, NaN and infinities as null, integers up to u64, and keeps the order of keys.
"""

import re

import orjson


# The server's default, `service.max_request_size_mb: 32`; its words are in qdrant/qdrant-client#463.
LARGEST_BODY = 32 * 1024 * 1024


class Refused(Exception):
    """A request that gets an error answer: HTTP status and message."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status
        self.message = message


def wrong_input(message):
    return Refused(400, f"Wrong input: {message}")


def bad_request(message):
    return Refused(400, f"Bad request: {message}")


def format_error(message):
    return Refused(400, f"Format error in JSON body: {message}")


def invalid(path, message):
    return Refused(422, f"Validation error in JSON body: [{path}: {message}]")


def not_found(what):
    return Refused(404, f"Not found: {what}")


def parse(body):
    """The value of a JSON body; an empty body is an empty object."""
    if not body:
        return {}
    if len(body) > LARGEST_BODY:
        raise Refused(
            400,
            f"Payload error: JSON payload ({len(body)} bytes) is larger than allowed (limit: {LARGEST_BODY} bytes).",
        )
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise format_error(_in_words_of_the_server(body, error)) from error


def _in_words_of_the_server(body, error):
    line, column = error.lineno, error.colno
    if "infinity" in error.msg:
        # The server's reader has consumed the number, and part of it is reported: the column of its exponent's last digit.
        number = re.match(r"[-+0-9.eE]+", error.doc[error.pos :])
        column += len(number.group()) - 1 if number else 0
        return f"number out of range at line {line} column {column}"
    if "string key" in error.msg:
        return f"key must be a string at line {line} column {column}"
    if "expected a JSON value" in error.msg:
        return f"expected value at line {line} column {column}"
    return f"{error.msg} at line {line} column {column}"


def expect(body, name, kind, words, default=None):
    """The field `name` of an object, or the server's complaint that it is of the wrong type."""
    value = body.get(name, default)
    if value is default or (isinstance(value, kind) and not (kind is int and isinstance(value, bool))):
        return value
    shown = f'string "{value}"' if isinstance(value, str) else f"type `{value}`"
    raise format_error(f"invalid type: {shown}, expected {words} at line 1 column {len(orjson.dumps(body))}")


def dump(value):
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
