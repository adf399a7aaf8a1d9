"""The vendor's OpenAPI description, as a check on the front and on whoever talks to it.

What the front is about to answer with success is checked: the request's body and the answer. A request that the
description does not allow must not pass here, since a real server need not take it.
"""

import json
import re

import jsonschema_rs
import orjson


class Description:
    def __init__(self, file):
        with open(file, encoding="utf-8") as text:
            document = json.load(text)
        self._components = document["components"]
        self._operations = []
        for path, operations in document["paths"].items():
            pattern = re.compile(re.sub(r"\{[^}]*\}", "[^/]+", re.escape(path).replace(r"\{", "{").replace(r"\}", "}")))
            for method, operation in operations.items():
                self._operations.append((method.upper(), pattern, operation))
        # Fixed paths before those with parameters.
        self._operations.sort(key=lambda one: one[1].pattern.count("[^/]+"))
        self._validators = {}

    def complaint(self, method, path, request, answer):
        """What is wrong with a request (bytes) and its answer (bytes) according to the description, or None."""
        operation = next((one for kind, pattern, one in self._operations if kind == method and pattern.fullmatch(path)), None)
        if operation is None:
            return f"{method} {path} is not in the description"
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        success = operation["responses"].get("200", {}).get("content", {}).get("application/json", {}).get("schema")
        return self._check("request", body, request) or self._check("answer", success, answer)

    def _check(self, what, schema, text):
        if schema is None or not text:
            return None
        error = next(self._validator(schema, what == "answer").iter_errors(orjson.loads(text)), None)
        if error is None:
            return None
        place = "/".join(map(str, error.instance_path))
        return f"the {what} is not as described: {error.message[:300]} at /{place}"

    def _validator(self, schema, of_answer):
        key = (json.dumps(schema), of_answer)
        if key not in self._validators:
            whole = _plain({**schema, "components": self._components}, of_answer)
            self._validators[key] = jsonschema_rs.Draft7Validator(whole)
        return self._validators[key]


def _plain(schema, of_answer):
    """OpenAPI 3.0's `nullable` in the words of JSON Schema. In an answer floats may be null, since that is how the server
    prints an infinity, though it does not say so. In a request only members that are described are allowed: a server passes
    over any other, and what was meant by it is lost without a word."""
    if isinstance(schema, list):
        return [_plain(part, of_answer) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if of_answer and schema == {"type": "number", "format": "float"}:
        return {"type": ["number", "null"]}
    kept = (part for part in schema.items() if part[0] not in ("nullable", "example", "format"))
    plain = {name: _plain(part, of_answer) for name, part in kept}
    if not of_answer and schema.get("type") == "object" and "properties" in schema:
        plain.setdefault("additionalProperties", False)
    if schema.get("nullable") is not True:
        return plain
    return {"anyOf": [plain, {"type": "null"}]} if plain else {"type": "null"}
