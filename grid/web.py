"""One small HTTP request: enough to ask our own services for health and JSON, without loading an HTTP library.

The supervisor lives beside the sims for months and `mainland status` should answer at once, so both do without.
HTTP/1.0, so that the answer ends with the connection and is never chunked.
"""

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

_LARGEST = 8 << 20


class NoAnswer(Exception):
    """Nobody there, too slow, or not HTTP."""


async def request(
    method: str, url: str, body: Any = None, bearer: str = "", timeout: float = 5.0
) -> tuple[int, bytes]:
    """(status, body). `body` is sent as JSON. Raises NoAnswer."""
    try:
        return await asyncio.wait_for(_exchange(method, url, body, bearer), timeout)
    except TimeoutError as error:
        raise NoAnswer(f"{url} did not answer within {timeout:g} s") from error
    except (OSError, ValueError, IndexError, EOFError) as error:
        raise NoAnswer(f"{url}: {error}") from error


async def _exchange(method: str, url: str, body: Any, bearer: str) -> tuple[int, bytes]:
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.0", f"Host: {host}:{port}", f"Content-Length: {len(content)}"]
    if body is not None:
        lines.append("Content-Type: application/json")
    if bearer:
        lines.append(f"Authorization: Bearer {bearer}")
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write("\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + content)
        await writer.drain()
        status = int((await reader.readline()).split()[1])
        length = _LARGEST
        while (line := await reader.readline()) not in (b"\r\n", b"\n", b""):
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"content-length":
                length = int(value)
        if not 0 <= length <= _LARGEST:
            raise ValueError(f"an answer of {length} bytes")
        return status, await _body(reader, length)
    finally:
        writer.close()


async def _body(reader: asyncio.StreamReader, length: int) -> bytes:
    parts, left = [], length
    while left > 0 and (part := await reader.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


async def get_json(url: str, bearer: str = "", timeout: float = 5.0) -> Any:
    """The JSON of a 2xx answer; NoAnswer for anything else."""
    status, body = await request("GET", url, bearer=bearer, timeout=timeout)
    if not 200 <= status < 300:
        raise NoAnswer(f"{url} answered {status}")
    try:
        return json.loads(body)
    except ValueError as error:
        raise NoAnswer(f"{url} did not answer JSON") from error
