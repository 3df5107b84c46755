"""h2client.py: HTTP/2 by hand: when a frame goes out, and how a stream ends, is the test's to say."""
import socket
import ssl

import h2.config
import h2.connection
import h2.events

from exchange import Answer
from processes import PATIENCE


def tls(context_alpn=("h2", "http/1.1")):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # self-signed, by the test
    context.set_alpn_protocols(list(context_alpn))
    return context


class H2:
    """One connection; one stream at a time."""

    def __init__(self, port, secure=False):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.secure, self.port = secure, port
        if secure:
            self.socket = tls(("h2",)).wrap_socket(self.socket)
            assert self.socket.selected_alpn_protocol() == "h2"
        self.state = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.state.initiate_connection()
        self.flush()
        self.status, self.headers, self.body, self.ended = None, [], b"", False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def flush(self):
        out = self.state.data_to_send()
        if out:
            self.socket.sendall(out)

    def begin(self, method, path, headers=None, length=None, end=False):
        self.status, self.headers, self.body, self.ended = None, [], b"", False
        self.stream = self.state.get_next_available_stream_id()
        lines = [(":method", method), (":path", path), (":scheme", "https" if self.secure else "http"),
                 (":authority", f"127.0.0.1:{self.port}")]
        lines += [("content-length", str(length))] if length is not None else []
        lines += [(name.lower(), value) for name, value in (headers or {}).items()]
        self.state.send_headers(self.stream, lines, end_stream=end)
        self.flush()

    def receive(self):
        """Take in what comes next; False when the server has hung up."""
        data = self.socket.recv(65536)
        if not data:
            self.ended = True
            return False
        for event in self.state.receive_data(data):
            if getattr(event, "stream_id", None) not in (None, 0, self.stream):
                continue
            if isinstance(event, h2.events.ResponseReceived):
                self.headers = [h for h in event.headers if not h[0].startswith(":")]
                self.status = int(dict(event.headers)[":status"])
            elif isinstance(event, h2.events.DataReceived):
                self.body += event.data
                self.state.acknowledge_received_data(event.flow_controlled_length, self.stream)
            elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset, h2.events.ConnectionTerminated)):
                self.ended = True
        self.flush()
        return True

    def send(self, body, end=True):
        """As the windows allow; stops where the server answers meanwhile."""
        at = 0
        while at < len(body) and not self.ended:
            room = min(self.state.local_flow_control_window(self.stream), self.state.max_outbound_frame_size)
            if room == 0:
                self.receive()
                continue
            self.state.send_data(self.stream, body[at:at + room])
            at += room
            self.flush()
        if end and not self.ended:
            self.state.end_stream(self.stream)
            self.flush()

    def answer(self):
        while not self.ended:
            self.receive()
        assert self.status, "the stream ended without an answer"
        return Answer(self.status, self.headers, self.body)

    def request(self, method, path, headers=None, body=None, length=True):
        self.begin(method, path, headers, len(body) if body is not None and length else None, end=body is None)
        if body is not None:
            self.send(body)
        return self.answer()

    def reset(self):
        self.state.reset_stream(self.stream, 8)  # CANCEL
        self.flush()
