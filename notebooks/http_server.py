"""A bundle behind HTTP, with the standard library: python notebooks/http_server.py outputs/retrieval/shop/<time>/bundle 8000

curl localhost:8000 -d '{"rows": [{"user_id": 101565, "history": [5004, 5120]}], "k": 3, "exclude": [[5004, 5120]]}'
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from recsys.serve import Retriever


def server(bundle: str, port: int) -> ThreadingHTTPServer:
    """A server that answers a POST of {"rows": [...], "k": 10, "exclude": [...]}; a bad request with 400 and what is wrong."""
    retriever = Retriever(bundle)

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            try:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                found = retriever.recommend(asked["rows"], asked.get("k", 10), asked.get("exclude"))
                code, body = 200, [answer._asdict() for answer in found]
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                code, body = 400, {"error": str(error)}
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

    return ThreadingHTTPServer(("localhost", port), Answers)


if __name__ == "__main__":
    server(sys.argv[1], int(sys.argv[2])).serve_forever()
