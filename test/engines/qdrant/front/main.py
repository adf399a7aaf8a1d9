"""The qdrant-edge front: `python3 main.py --data FOLDER --port PORT [--cluster] [--description OPENAPI]`.

The REST interface of a Qdrant server over Qdrant's own segment engine (PyPI `qdrant-edge-py`), for tests on machines that
can have no server. It is no server: see the readme. Keys come from the server's own environment variables.
"""

import argparse
import http.server
import os
import signal
import sys
import threading

from description import Description
from routes import Front


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body go out as two writes; without this the second waits for the first one's acknowledgement.
    disable_nagle_algorithm = True

    def _handle(self):
        body = self._body()
        headers = {name.lower(): value for name, value in self.headers.items()}
        status, kind, content = self.server.front.answer(self.command, self.path, headers, body)
        if isinstance(content, tuple):
            with open(content[0], "rb") as file:
                content = file.read()
        self.send_response(status)
        if kind:
            self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _body(self):
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        chunks = []
        while length := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(length))
            self.rfile.readline()
        while self.rfile.readline().strip():
            continue
        return b"".join(chunks)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle

    def log_message(self, *_):
        """Nothing: only what goes wrong belongs on stderr."""


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--data", required=True)
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--cluster", action="store_true")
    arguments.add_argument("--description")
    given = arguments.parse_args()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", given.port), Handler, bind_and_activate=False)
    server.daemon_threads = True
    server.request_queue_size = 128
    server.front = Front(
        given.data,
        os.environ.get("QDRANT__SERVICE__API_KEY"),
        os.environ.get("QDRANT__SERVICE__READ_ONLY_API_KEY"),
        given.cluster,
        Description(given.description) if given.description else None,
    )
    server.server_bind()
    server.server_activate()
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(poll_interval=0.05)
    server.front.storage.close()
    sys.exit(0)


if __name__ == "__main__":
    main()
