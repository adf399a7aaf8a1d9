"""Which request does what."""

import time
import urllib.parse

import search
import storage
from wire import Refused, dump, parse

VERSION = {
    "title": "qdrant - vector search engine",
    "version": "1.18.3",
    "commit": "db8fa43fcb6aedec1e739487e17a99731b74590a",
}
HEALTH = {"/healthz": "healthz check passed", "/readyz": "all shards are ready", "/livez": "healthz check passed"}
TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
# POST requests that only read.
READING = ("scroll", "count", "points", "search", "query")


class Front:
    """Answers requests: (status, content type, body). A body that is a path in a tuple is a file to send."""

    def __init__(self, folder, key=None, read_only_key=None, cluster=False, description=None):
        self.storage = storage.Storage(folder)
        self.key = key
        self.read_only_key = read_only_key
        self.cluster = cluster
        self.description = description

    def answer(self, method, target, headers, body):
        started = time.perf_counter()
        path, _, query = target.partition("?")
        if path == "/":
            return 200, JSON, dump(VERSION)
        if path in HEALTH:
            return 200, TEXT, HEALTH[path].encode()
        parts = [urllib.parse.unquote(part) for part in path.split("/")[1:]]
        try:
            refusal = self._authorised(method, parts, headers)
            if refusal:
                return 401, None, refusal
            if path == "/metrics":
                return 200, TEXT, self._metrics()
            wait = urllib.parse.parse_qs(query).get("wait", ["false"])[0] == "true"
            result = self._result(method, parts, body, wait)
        except Refused as error:
            if "snapshots" in parts and method == "GET" and error.status == 404:
                return 404, TEXT, error.message.encode()
            return error.status, JSON, _timed({"status": {"error": error.message}}, started)
        if result is None:
            return 404, None, b""
        if isinstance(result, tuple):
            return 200, "application/octet-stream", result
        answer = _timed({"result": result, "status": "ok"}, started)
        complaint = self.description and self.description.complaint(method, path, body, answer)
        if complaint:
            return 500, JSON, _timed({"status": {"error": f"qdrant-edge front: {complaint}"}}, started)
        return 200, JSON, answer

    def _authorised(self, method, parts, headers):
        """None when the request may be done, or why the key does not do; refuses what a read-only key may not."""
        if self.key is None and self.read_only_key is None:
            return None
        authorization = headers.get("authorization", "")
        given = headers.get("api-key") or authorization.removeprefix("Bearer ") or None
        if given is None:
            return b"Must provide an API key or an Authorization bearer token"
        if given == self.key:
            return None
        if given != self.read_only_key:
            return b"Invalid API key or JWT"
        if method != "GET" and not (method == "POST" and parts[-1] in READING):
            raise Refused(403, "Forbidden: Global manage access is required")
        return None

    def _result(self, method, parts, body, wait):
        match method, parts:
            case "GET", ["collections"]:
                return {"collections": [{"name": name} for name in self.storage.collections]}
            case "GET", ["telemetry"]:
                return {"app": {"name": "qdrant", "version": VERSION["version"]}}
            case "GET", ["cluster"]:
                return self._cluster()
            case "GET", ["aliases"]:
                return self.storage.printed_aliases()
            case "POST", ["collections", "aliases"]:
                return self.storage.change_aliases(parse(body))
            case "PUT", ["collections", name]:
                return self.storage.create(name, parse(body))
            case "DELETE", ["collections", name]:
                return self.storage.delete(name)
            case "GET", ["collections", name, "exists"]:
                return {"exists": self.storage.aliases.get(name, name) in self.storage.collections}
            case _, ["collections", name, *rest]:
                collection = self.storage.find(name)
                with collection.lock:
                    return self._of_collection(method, rest, collection, body, wait)
        return None

    def _of_collection(self, method, rest, collection, body, wait):
        match method, rest:
            case "GET", []:
                return collection.info()
            case "PATCH", []:
                return collection.change(parse(body))
            case "GET", ["aliases"]:
                return self.storage.printed_aliases(collection)
            case "GET", ["optimizations"]:
                idle = {"queued_optimizations": 0, "queued_segments": 0, "queued_points": 0}
                return {"summary": {**idle, "idle_segments": collection.segments()}, "running": []}
            case "GET", ["cluster"]:
                shards = collection.local_shards()
                rest_of_it = {"remote_shards": [], "shard_transfers": []}
                return {"peer_id": storage.PEER, "shard_count": len(shards), "local_shards": shards, **rest_of_it}
            case "GET", ["shards"]:
                return collection.keys()
            case "PUT", ["shards"]:
                return collection.add_key(parse(body))
            case "POST", ["shards", "delete"]:
                return collection.drop_key(parse(body))
            case "POST", ["snapshots"]:
                return self.storage.create_snapshot(collection)
            case "GET", ["snapshots"]:
                return self.storage.snapshots(collection)
            case "GET", ["snapshots", name]:
                return (self.storage.snapshot(collection, name),)
            case "DELETE", ["snapshots", name]:
                storage.os.remove(self.storage.snapshot(collection, name))
                return True
            case "GET", ["points", identifier]:
                return collection.point(identifier)
        written = self._written(method, rest, collection, body)
        if isinstance(written, list):
            return [_acknowledged(one, wait) for one in written]
        if written is not None:
            return _acknowledged(written, wait)
        return self._read(method, rest, collection, body)

    def _written(self, method, rest, collection, body):
        match method, rest:
            case "PUT", ["index"]:
                return collection.create_index(parse(body))
            case "DELETE", ["index", field]:
                return collection.delete_index(field)
            case "PUT", ["points"]:
                return collection.upsert(parse(body))
            case "POST", ["points", "delete"]:
                return collection.delete_points(parse(body))
            case "PUT", ["points", "vectors"]:
                return collection.update_vectors(parse(body))
            case "POST", ["points", "vectors", "delete"]:
                return collection.delete_vectors(parse(body))
            case "POST", ["points", "payload"]:
                return collection.set_payload(parse(body))
            case "PUT", ["points", "payload"]:
                return collection.overwrite_payload(parse(body))
            case "POST", ["points", "payload", "delete"]:
                return collection.delete_payload(parse(body))
            case "POST", ["points", "payload", "clear"]:
                return collection.clear_payload(parse(body))
            case "POST", ["points", "batch"]:
                return collection.batch(parse(body))
        return None

    def _read(self, method, rest, collection, body):
        match method, rest:
            case "POST", ["points", "scroll"]:
                return collection.scroll(parse(body))
            case "POST", ["points", "count"]:
                return collection.count(parse(body))
            case "POST", ["points"]:
                return collection.retrieve(parse(body))
            case "POST", ["points", "query"]:
                return {"points": search.nearest(collection, parse(body), "query")}
            case "POST", ["points", "search"]:
                return search.nearest(collection, parse(body), "vector")
        return None

    def _cluster(self):
        if not self.cluster:
            return {"status": "disabled"}
        peer = {str(storage.PEER): {"uri": "http://127.0.0.1:6335/"}}
        raft = {"term": 1, "commit": 3, "pending_operations": 0, "leader": storage.PEER, "role": "Leader", "is_voter": True}
        consensus = {"consensus_thread_status": "working", "last_update": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        return {
            "status": "enabled",
            "peer_id": storage.PEER,
            "peers": peer,
            "raft_info": raft,
            "consensus_thread_status": consensus,
            "message_send_failures": {},
        }

    def _metrics(self):
        lines = (
            ("app_info", "information about qdrant server", f'{{name="qdrant",version="{VERSION["version"]}"}} 1'),
            ("app_status_recovery_mode", "features enabled in qdrant server", " 0"),
            ("collections_total", "number of collections", f" {len(self.storage.collections)}"),
        )
        return "".join(
            f"# HELP {name} {words}\n# TYPE {name} gauge\n{name}{value}\n" for name, words, value in lines
        ).encode()


def _acknowledged(written, wait):
    """Everything is done at once here; who did not wait is told what the server tells."""
    return written if wait else {**written, "status": "acknowledged"}


def _timed(answer, started):
    return dump({**answer, "time": time.perf_counter() - started})
