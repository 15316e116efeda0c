"""A bundle behind HTTP, with the standard library: python notebooks/http_server.py outputs/retrieval/shop/<time>/bundle 8000

curl localhost:8000 -d '{"rows": [{"user_id": 101565, "history": [5004, 5120]}], "k": 3, "exclude": [[5004, 5120]]}'
"""

import json
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from recsys.serve import Retriever

LARGEST_BODY = 1_000_000
"""Bytes of a request, at most."""
TIMEOUT_S, DEADLINE_S = 5.0, 20.0
"""Seconds that a client may be silent, and in which it has to have sent all and read the answer."""


def server(bundle: str, port: int) -> ThreadingHTTPServer:
    """A server that answers a POST of {"rows": [...], "k": 10, "exclude": [...]}; a bad request with 400 and what is wrong.

    Further codes: 408 the body does not come, 411 it has no length, 413 it is too long.
    """
    retriever = Retriever(bundle)

    class Answers(BaseHTTPRequestHandler):
        timeout = TIMEOUT_S

        def handle(self) -> None:
            deadline = threading.Timer(DEADLINE_S, self.connection.shutdown, [socket.SHUT_RDWR])
            deadline.daemon = True
            deadline.start()
            try:
                super().handle()
            finally:
                deadline.cancel()

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if "Transfer-Encoding" in self.headers or not (length.isascii() and length.isdigit()):
                self.answer(411, {"error": "want a Content-Length"})
            elif len(length) > 9 or int(length) > LARGEST_BODY:
                self.answer(413, {"error": f"got {length:.20} bytes; want at most {LARGEST_BODY}"})
            else:
                self.answer(*self.recommended(int(length)))

        def recommended(self, length: int) -> tuple[int, object]:
            try:
                request = json.loads(self.rfile.read(length))
                answers = retriever.recommend(request["rows"], request.get("k", 10), request.get("exclude"))
                return 200, [answer._asdict() for answer in answers if answer is not None]
            except TimeoutError:
                return 408, {"error": f"got fewer than {length} bytes in {TIMEOUT_S:g} s"}
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                return 400, {"error": str(error)}

        def answer(self, code: int, document: object) -> None:
            content = json.dumps(document).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return ThreadingHTTPServer(("localhost", port), Answers)


if __name__ == "__main__":
    server(sys.argv[1], int(sys.argv[2])).serve_forever()
