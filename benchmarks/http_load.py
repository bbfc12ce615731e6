"""Clients of `blockspan serve` for benchmarks/serve.py: those that measure, and those that misbehave. Loopback only."""

import json
import os
import random
import resource
import selectors
import socket
import time


def allow_many_sockets() -> None:
    """Raises the limit on open files as far as that goes without being root."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def request(path: str, value: dict) -> bytes:
    """The bytes of a POST with JSON."""
    body = json.dumps(value).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def connect(port: int) -> socket.socket:
    """A connection to this machine, and to no other."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def response_in(buffer: bytes) -> tuple[int, bytes, int] | None:
    """Status, body and length of the first response in a buffer, once it is whole."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = buffer[:end].lower()
    at = head.find(b"content-length: ")
    length = int(head[at + 16 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
    total = end + 4 + length
    if len(buffer) < total:
        return None
    return int(head[9:12]), buffer[end + 4 : total], total


class Client:
    """One connection that stays open, with one request at a time."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connection = connect(port)

    def ask(self, message: bytes) -> tuple[int, bytes]:
        """Sends a request and waits for its response."""
        self.connection.sendall(message)
        buffer = b""
        while (found := response_in(buffer)) is None:
            data = self.connection.recv(65536)
            if not data:
                raise ConnectionError("the server closed the connection before its response")
            buffer += data
        return found[:2]


def get(port: int, path: str) -> bytes:
    """The body of a GET."""
    client = Client(port)
    status, body = client.ask(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert status == 200, (path, status, body)
    return body


class Tally:
    """What came of many requests."""

    def __init__(self) -> None:
        self.right = self.wrong = self.refused = 0
        self.other: dict[int, int] = {}
        self.began = self.ended = 0.0

    @property
    def per_second(self) -> float:
        """Right answers a second."""
        return self.right / max(self.ended - self.began, 1e-9)


def closed_loop(
    port: int, pairs: list[tuple[bytes, bytes]], connections: int, count: int, seconds: float, stop=None
) -> Tally:
    """Asks on so many connections, each a next question as soon as it has an answer, until `count` were asked, the time
    is over or `stop` is set. Every answer is compared with the one that belongs to its question."""
    tally = Tally()
    selector = selectors.DefaultSelector()
    dice = random.Random(connections)
    asked = 0

    def ask(connection: socket.socket) -> tuple[int, bytes]:
        nonlocal asked
        asked += 1
        which = dice.randrange(len(pairs))
        connection.sendall(pairs[which][0])
        return which, b""

    tally.began = time.perf_counter()
    end = tally.began + seconds
    for _ in range(min(connections, count)):
        connection = connect(port)
        selector.register(connection, selectors.EVENT_READ, ask(connection))
    while selector.get_map():
        for key, _ in selector.select(timeout=60):
            connection = key.fileobj
            which, buffer = key.data
            data = connection.recv(65536)
            if not data:
                raise ConnectionError("the server closed a connection with a question on it")
            buffer += data
            found = response_in(buffer)
            if found is None:
                selector.modify(connection, selectors.EVENT_READ, (which, buffer))
                continue
            status, body, _ = found
            if status == 429:
                tally.refused += 1
            elif status != 200:
                tally.other[status] = tally.other.get(status, 0) + 1
            elif body == pairs[which][1]:
                tally.right += 1
            else:
                tally.wrong += 1
            if asked < count and time.perf_counter() < end and not (stop and stop.is_set()):
                selector.modify(connection, selectors.EVENT_READ, ask(connection))
            else:
                selector.unregister(connection)
                connection.close()
    tally.ended = time.perf_counter()
    return tally


def open_loop(port: int, pairs: list[tuple[bytes, bytes]], rate: float, seconds: float, seed: int = 1) -> list[float]:
    """Asks at a steady rate, at moments that no answer delays and that `seed` alone decides; returns the seconds from each
    such moment to its answer. A question whose moment comes while all connections wait gets another connection, at most
    256."""
    selector = selectors.DefaultSelector()
    dice = random.Random(seed)
    free: list[socket.socket] = []
    times: list[float] = []
    opened = 0
    begin = time.perf_counter()
    due = begin
    end = begin + seconds
    while True:
        now = time.perf_counter()
        while due <= now and due < end and (free or opened < 256):
            if free:
                connection = free.pop()
            else:
                connection, opened = connect(port), opened + 1
            which = dice.randrange(len(pairs))
            connection.sendall(pairs[which][0])
            selector.register(connection, selectors.EVENT_READ, (which, b"", due))
            # Moments as those of many people are: the gaps are exponential.
            due += dice.expovariate(rate)
        if due >= end and not selector.get_map():
            break
        wait = max(0.0, min(due - time.perf_counter(), 1.0)) if due < end and (free or opened < 256) else 1.0
        for key, _ in selector.select(timeout=wait) if selector.get_map() else (time.sleep(wait) or []):
            which, buffer, since = key.data
            buffer += key.fileobj.recv(65536)
            found = response_in(buffer)
            if found is None:
                selector.modify(key.fileobj, selectors.EVENT_READ, (which, buffer, since))
                continue
            assert found[:2] == (200, pairs[which][1]), found
            times.append(time.perf_counter() - since)
            selector.unregister(key.fileobj)
            free.append(key.fileobj)
    for connection in free:
        connection.close()
    return times


HEAD = b"POST /v1/answer HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
HUGE = 8 << 20
KINDS = ["slow", "half-open", "garbage", "huge"]


def misbehave(port: int, kind: str, count: int, seconds: float, stop=None) -> int:
    """`count` clients of a kind, spread over `seconds`; more of them until `stop` is set. Returns how many there were.

    `slow` sends a byte a second, `half-open` begins a request and says no more, `garbage` sends what is no HTTP, `huge`
    sends 8 MiB, which is more than is taken. They come in groups of 50. The slow and the half-open stay as long as they are
    let. All yield the processor to the server, as if they came from other machines."""
    os.nice(19)
    dice = random.Random(kind)
    group = min(50, count)
    begin = time.monotonic()
    open_: list[socket.socket] = []
    done = 0
    while done < count or (stop and not stop.is_set()):
        due = begin + seconds * done / count
        while time.monotonic() < due:
            open_ = [connection for connection in open_ if nudge(connection, kind)]
            time.sleep(max(0.0, min(1.0, due - time.monotonic())))
        clients = []
        for _ in range(group):
            try:
                clients.append(connect(port))
            except OSError:
                continue
        for client in clients:
            client.setblocking(False)
            if kind == "garbage":
                send(client, dice.randbytes(dice.randrange(1, 4096)) + b"\r\n\r\n")
            elif kind == "huge":
                send(client, HEAD + f"Content-Length: {HUGE}\r\n\r\n".encode())
            else:
                send(client, HEAD[: dice.randrange(1, len(HEAD))])
        if kind == "huge":
            pour(clients)
        if kind in ("slow", "half-open"):
            open_ += clients
        else:
            for client in clients:
                client.close()
        done += len(clients)
    for connection in open_:
        connection.close()
    return done


def send(connection: socket.socket, data: bytes) -> bool:
    """Sends what the connection takes at once; whether it is still there."""
    try:
        connection.send(data)
    except BlockingIOError:
        pass
    except OSError:
        return False  # The server had enough, which is its right.
    return True


def nudge(connection: socket.socket, kind: str) -> bool:
    """Another byte from a slow client; closes a connection that the server has closed."""
    if kind == "half-open" or send(connection, b"x"):
        try:
            if connection.recv(4096):
                return True
        except BlockingIOError:
            return True
        except OSError:
            pass
    connection.close()
    return False


def pour(clients: list[socket.socket]) -> None:
    """Sends the bodies at the same time, as fast as the server takes them; each client has two seconds."""
    left = {client: HUGE for client in clients}
    piece = b" " * 65536
    end = time.monotonic() + 2
    while left and time.monotonic() < end:
        moved = False
        for client, bytes_ in list(left.items()):
            try:
                sent = client.send(piece[: min(bytes_, len(piece))])
            except BlockingIOError:
                continue
            except OSError:
                sent = bytes_
            moved = True
            left[client] -= sent
            if left[client] <= 0:
                del left[client]
        if not moved:
            time.sleep(0.002)
