"""The HTTP face, asked as viewers, sims and strangers ask."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from assets.client import AssetClient, AssetError
from assets.openapi import DOCUMENT
from assets.types import PRIVATE, VIEWER_NAMES
from protocol.wellknown import DEFAULT_WEARABLES, AssetType, Texture, Wearable
from tests.assets.conftest import CAP, SECRET, Running, start, stop

BEARER = {"Authorization": f"Bearer {SECRET}"}


@pytest.fixture
async def http(running: Running) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(running.url, timeout=aiohttp.ClientTimeout(20)) as session:
        yield session


@pytest.fixture
async def client(running: Running) -> AsyncIterator[AssetClient]:
    async with aiohttp.ClientSession() as session:
        yield AssetClient(running.url, SECRET, session)


async def metric(http: aiohttp.ClientSession, name: str, **labels: str) -> float:
    async with http.get("/metrics") as answer:
        families = text_string_to_metric_families(await answer.text())
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


# -- the client ----------------------------------------------------------------------------------------------------


async def test_put_and_get(client: AssetClient) -> None:
    asset_id, data = uuid4(), os.urandom(100_000)
    assert await client.get(asset_id) is None and not await client.exists(asset_id)
    assert await client.put(asset_id, data, AssetType.NOTECARD) is True
    assert await client.put(asset_id, data, AssetType.NOTECARD) is False
    assert await client.get(asset_id) == data and await client.exists(asset_id)
    asset = await client.fetch(asset_id)
    assert asset is not None and (asset.data, asset.type) == (data, AssetType.NOTECARD)


async def test_other_bytes_conflict(client: AssetClient) -> None:
    asset_id = uuid4()
    await client.put(asset_id, b"one", 0)
    with pytest.raises(AssetError) as refused:
        await client.put(asset_id, b"two", 0)
    assert refused.value.status == 409
    assert await client.get(asset_id) == b"one"


async def test_an_asset_of_no_bytes(client: AssetClient) -> None:
    asset_id = uuid4()
    await client.put(asset_id, b"", 7)
    assert await client.get(asset_id) == b""


async def test_service_out_of_reach() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        async with aiohttp.ClientSession() as session:
            client = AssetClient(f"http://127.0.0.1:{reserved.getsockname()[1]}", SECRET, session)
            with pytest.raises(AssetError) as error:
                await client.get(uuid4())
    assert error.value.status == 0


async def test_wrong_secret(running: Running) -> None:
    async with aiohttp.ClientSession() as session:
        for secret in ("", "guess", "a grid's secre", "\u00e4"):
            with pytest.raises(AssetError) as error:
                await AssetClient(running.url, secret, session).put(uuid4(), b"x", 0)
            assert error.value.status == 401


# -- reading ---------------------------------------------------------------------------------------------------------


@pytest.fixture
async def texture(client: AssetClient) -> tuple[UUID, bytes]:
    asset_id, data = uuid4(), os.urandom(300_000)
    await client.put(asset_id, data, AssetType.TEXTURE)
    return asset_id, data


async def test_headers_of_a_whole_asset(http: aiohttp.ClientSession, texture: tuple[UUID, bytes]) -> None:
    asset_id, data = texture
    async with http.get(f"/assets/{asset_id}") as answer:
        assert answer.status == 200 and await answer.read() == data
        assert answer.headers["ETag"] == f'"{hashlib.sha256(data).hexdigest()}"'
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["Content-Type"] == "image/x-j2c"
        assert answer.headers["Accept-Ranges"] == "bytes"
    async with http.head(f"/assets/{asset_id}") as answer:
        assert answer.status == 200 and answer.content_length == len(data)
        assert answer.headers["Content-Type"] == "image/x-j2c"


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [
        ("bytes=0-599", 0, 600),
        ("bytes=600-", 600, 300_000),
        ("bytes=-100", 299_900, 300_000),
        ("bytes=200000-999999", 200_000, 300_000),
        ("bytes=0-299999", 0, 300_000),
    ],
)
@pytest.mark.parametrize("path", ["/assets/{}", "/viewer?texture_id={}", "/viewer/?texture_id={}"])
async def test_ranges(
    http: aiohttp.ClientSession, texture: tuple[UUID, bytes], path: str, wanted: str, start: int, stop: int
) -> None:
    asset_id, data = texture
    async with http.get(path.format(asset_id), headers={"Range": wanted}) as answer:
        assert answer.status == 206
        assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(data)}"
        assert await answer.read() == data[start:stop]


async def test_range_beyond_the_end(http: aiohttp.ClientSession, texture: tuple[UUID, bytes]) -> None:
    async with http.get(f"/assets/{texture[0]}", headers={"Range": "bytes=300000-"}) as answer:
        assert answer.status == 416
        assert answer.headers["Content-Range"] == "bytes */300000"
        assert "immutable" not in answer.headers["Cache-Control"]
        assert set(await answer.json()) == {"title", "description"}


@pytest.mark.parametrize("wanted", ["bytes=5-1", "bytes=0-1,4-5", "lines=1-2", "nonsense"])
async def test_ranges_that_are_none_get_everything(
    http: aiohttp.ClientSession, texture: tuple[UUID, bytes], wanted: str
) -> None:
    async with http.get(f"/assets/{texture[0]}", headers={"Range": wanted}) as answer:
        assert answer.status == 200 and await answer.read() == texture[1]


async def test_if_range(http: aiohttp.ClientSession, texture: tuple[UUID, bytes]) -> None:
    tag = f'"{hashlib.sha256(texture[1]).hexdigest()}"'
    for given, status in ((tag, 206), ('"other"', 200)):
        async with http.get(
            f"/assets/{texture[0]}", headers={"Range": "bytes=0-9", "If-Range": given}
        ) as answer:
            assert answer.status == status


async def test_not_modified(http: aiohttp.ClientSession, texture: tuple[UUID, bytes]) -> None:
    tag = f'"{hashlib.sha256(texture[1]).hexdigest()}"'
    for given in (tag, f'"x", W/{tag}', "*"):
        async with http.get(f"/assets/{texture[0]}", headers={"If-None-Match": given}) as answer:
            assert answer.status == 304 and answer.headers["ETag"] == tag and await answer.read() == b""
    async with http.get(f"/assets/{texture[0]}", headers={"If-None-Match": '"x"'}) as answer:
        assert answer.status == 200


async def test_that_nothing_is_there_is_known_to_caches_for_a_moment(http: aiohttp.ClientSession) -> None:
    async with http.get(f"/assets/{uuid4()}") as answer:
        assert answer.status == 404 and answer.headers["Cache-Control"] == "public, max-age=2"


async def test_an_id_has_one_spelling(http: aiohttp.ClientSession, texture: tuple[UUID, bytes]) -> None:
    """Each other spelling would be a copy of its own in every cache, and a way past them."""
    for spelling in (str(texture[0]).upper(), texture[0].hex, f"{{{texture[0]}}}", f"urn:uuid:{texture[0]}"):
        async with http.get(f"/assets/{spelling}") as answer:
            assert answer.status == 404, spelling
        async with http.get("/viewer", params={"texture_id": spelling}) as answer:
            assert answer.status == 400, spelling


async def test_a_person_s_quota(tmp_path: Path, secret_file: Path) -> None:
    service = start(tmp_path / "store", secret_file, "--quota-megabytes", "1")
    try:
        async with aiohttp.ClientSession() as session:
            client, person = AssetClient(service.url, SECRET, session), uuid4()
            data = os.urandom(600_000)
            assert await client.put(uuid4(), data, 0, person)
            with pytest.raises(AssetError, match="1 MB a person and day") as refused:
                await client.put(uuid4(), data[1:], 0, person)
            assert refused.value.status == 429
            assert await client.put(uuid4(), data[2:], 0, uuid4()) and await client.put(uuid4(), data[3:], 0)
    finally:
        assert stop(service) == 0


async def test_the_last_of_the_disk_is_left_to_the_grid(tmp_path: Path, secret_file: Path) -> None:
    service = start(tmp_path / "store", secret_file, "--reserve-megabytes", str(1 << 30))
    try:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(AssetError, match="nearly full") as refused:
                await AssetClient(service.url, SECRET, session).put(uuid4(), b"x", 0)
            assert refused.value.status == 507
            async with session.get(service.url + "/health/ready") as answer:
                assert answer.status == 503 and (await answer.json())["status"] == "disk nearly full"
            async with session.get(service.url + "/health/live") as answer:
                assert answer.status == 200
    finally:
        assert stop(service) == 0


async def test_a_partition_that_went_is_503_and_said(tmp_path: Path, secret_file: Path) -> None:
    service = start(tmp_path / "store", secret_file)
    try:
        async with aiohttp.ClientSession(service.url) as http:
            (tmp_path / "store" / "p2").rename(tmp_path / "away")
            seen = set()
            for _ in range(200):
                async with http.get(f"/assets/{uuid4()}") as answer:
                    seen.add(answer.status)
                    if answer.status == 503:
                        assert answer.headers["Retry-After"] and answer.headers["Cache-Control"] == "no-store"
            assert seen == {404, 503}
            async with http.get("/health/ready") as answer:
                assert answer.status == 503 and (await answer.json())["lost"] == ["p2"]
            async with http.get("/metrics") as answer:
                text = await answer.text()
            assert 'assets_partition_up{partition="p2"} 0.0' in text and 'assets_partition_up{partition="p1"} 1.0' in text
            (tmp_path / "away").rename(tmp_path / "store" / "p2")
            async with http.get("/health/ready") as answer:
                assert answer.status == 200
    finally:
        assert stop(service) == 0


async def test_nothing_there(http: aiohttp.ClientSession) -> None:
    for path in (f"/assets/{uuid4()}", f"/viewer/?texture_id={uuid4()}", f"/assets/{UUID(int=0)}"):
        async with http.get(path) as answer:
            assert answer.status == 404 and "immutable" not in answer.headers.get("Cache-Control", "")
            assert set(await answer.json()) == {"title", "description"}


@pytest.mark.parametrize("path", ["/assets/not-a-uuid", "/assets/", "/", "/assets/../secret", "/assets/%2e%2e%2fstore"])
async def test_no_such_place(http: aiohttp.ClientSession, path: str) -> None:
    async with http.get(path) as answer:
        assert answer.status == 404


@pytest.mark.parametrize("query", ["", "?", "?texture_id=", "?texture_id=zzz", f"?house_id={UUID(int=1)}", "?mesh_id"])
async def test_viewer_questions_that_make_no_sense(http: aiohttp.ClientSession, query: str) -> None:
    async with http.get("/viewer/" + query) as answer:
        assert answer.status == 400 and set(await answer.json()) == {"title", "description"}


async def test_viewer_face_knows_types(http: aiohttp.ClientSession, client: AssetClient) -> None:
    for name, kind in VIEWER_NAMES.items():
        asset_id = uuid4()
        await client.put(asset_id, name.encode(), kind)
        async with http.get(f"/viewer/?{name}={asset_id}") as answer:
            if kind in PRIVATE:
                assert answer.status == 403
            else:
                assert answer.status == 200 and await answer.read() == name.encode()
        if kind != AssetType.SOUND:
            async with http.get(f"/viewer/?sound_id={asset_id}") as answer:
                assert answer.status == 404, "a sound is asked for, and there is none by that id"


@pytest.mark.parametrize("kind", sorted(PRIVATE))
async def test_private_types_need_the_bearer(http: aiohttp.ClientSession, client: AssetClient, kind: int) -> None:
    asset_id = uuid4()
    await client.put(asset_id, b"my secret notes", kind)
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": SECRET}, {"If-None-Match": "*"}):
        async with http.get(f"/assets/{asset_id}", headers=headers) as answer:
            assert answer.status == 401 and b"notes" not in await answer.read()
            assert "ETag" not in answer.headers
        async with http.head(f"/assets/{asset_id}", headers=headers) as answer:
            assert answer.status == 401
    async with http.get(f"/assets/{asset_id}", headers=BEARER) as answer:
        assert answer.status == 200 and answer.headers["Cache-Control"].startswith("private")


async def test_damage_is_an_error_counted_and_never_served(
    http: aiohttp.ClientSession, client: AssetClient, running: Running
) -> None:
    asset_id, data = uuid4(), os.urandom(1000)
    await client.put(asset_id, data, 0)
    [blob] = running.data.glob(f"p*/{str(asset_id)[:3]}/{asset_id}.*")
    blob.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    before = await metric(http, "assets_corrupt_total")
    for headers in ({}, {"Range": "bytes=0-9"}):
        async with http.get(f"/assets/{asset_id}", headers=headers) as answer:
            assert answer.status == 500 and set(await answer.json()) == {"title", "description"}
            assert "ETag" not in answer.headers and "immutable" not in answer.headers["Cache-Control"]
    assert await metric(http, "assets_corrupt_total") == before + 2
    await client.put(asset_id, data, 0)
    assert await client.get(asset_id) == data


async def test_many_ask_for_the_same_cold_asset_and_it_is_read_once(
    http: aiohttp.ClientSession, client: AssetClient
) -> None:
    asset_id, data = uuid4(), os.urandom(CAP)
    await client.put(asset_id, data, 0)
    before = await metric(http, "assets_reads_total", source="disk")
    answers = await asyncio.gather(*(client.get(asset_id) for _ in range(30)))
    assert all(answer == data for answer in answers)
    assert await metric(http, "assets_reads_total", source="disk") == before + 1


async def test_a_slow_reader_stalls_nobody(running: Running, http: aiohttp.ClientSession, client: AssetClient) -> None:
    asset_id = uuid4()
    await client.put(asset_id, os.urandom(CAP), 0)
    host = urlsplit(running.url)
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect((host.hostname or "", host.port or 0))
        slow.sendall(f"GET /assets/{asset_id} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert slow.recv(10) == b"HTTP/1.1 2"
        async with http.get("/health") as answer:
            assert answer.status == 200


# -- storing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["", "-1", "128", "1.0", "x", "\u0663", "0" * 50])
async def test_bad_types(http: aiohttp.ClientSession, kind: str) -> None:
    async with http.put(f"/assets/{uuid4()}", data=b"x", headers={**BEARER, "X-Asset-Type": kind}) as answer:
        assert answer.status == 400


async def test_the_null_id(client: AssetClient) -> None:
    with pytest.raises(AssetError) as error:
        await client.put(UUID(int=0), b"x", 0)
    assert error.value.status == 400


async def test_the_cap(client: AssetClient, http: aiohttp.ClientSession) -> None:
    asset_id = uuid4()
    await client.put(asset_id, bytes(CAP), 0)
    with pytest.raises(AssetError) as error:
        await client.put(uuid4(), bytes(CAP + 1), 0)
    assert error.value.status == 413
    assert await metric(http, "assets_refused_total", reason="too large") >= 1


def talk(running: Running, request: bytes) -> bytes:
    """What the service answers to raw bytes, until it closes."""
    host = urlsplit(running.url)
    with socket.create_connection((host.hostname or "", host.port or 0), timeout=20) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


def put_request(body: bytes, *headers: str) -> bytes:
    lines = [f"PUT /assets/{uuid4()} HTTP/1.1", "Host: x", f"Authorization: Bearer {SECRET}", "X-Asset-Type: 0"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


def test_a_body_that_ends_early_stores_nothing(running: Running) -> None:
    assert b" 400 " in talk(running, put_request(b"half", "Content-Length: 8")).split(b"\r\n")[0]


def test_a_body_without_length_or_with_a_huge_one(running: Running) -> None:
    assert b" 411 " in talk(running, put_request(b"4\r\nbody\r\n0\r\n\r\n", "Transfer-Encoding: chunked"))
    assert b" 413 " in talk(running, put_request(b"", f"Content-Length: {1 << 60}")).split(b"\r\n")[0]
    assert b" 400 " in talk(running, put_request(b"", "Content-Length: -5")).split(b"\r\n")[0]


@pytest.mark.parametrize(
    "request_",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET /assets/" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
        b"PUT /assets/x HTTP/9.9\r\n\r\n",
        struct.pack("<40I", *range(40)),
    ],
    ids=["nul", "long path", "long header", "version", "binary"],
)
def test_noise_harms_nobody(running: Running, request_: bytes) -> None:
    try:
        talk(running, request_)
    except OSError:
        pass  # hung up on, as it may be
    assert b" 200 " in talk(running, b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")


# -- the service -------------------------------------------------------------------------------------------------------


async def test_the_library_is_there(http: aiohttp.ClientSession) -> None:
    for texture in (Texture.PLYWOOD, Texture.TERRAIN_GRASS, Texture.BLANK):
        async with http.get(f"/viewer/?texture_id={texture}") as answer:
            assert answer.status == 200 and (await answer.read()).startswith(b"\xff\x4f\xff\x51")
    async with http.get(f"/viewer/?bodypart_id={DEFAULT_WEARABLES[Wearable.SHAPE]}") as answer:
        assert (await answer.read()).startswith(b"LLWearable version 22\n")
    async with http.get(f"/viewer/?clothing_id={DEFAULT_WEARABLES[Wearable.SHIRT]}") as answer:
        assert answer.status == 200


async def test_health_metrics_and_description(http: aiohttp.ClientSession) -> None:
    async with http.get("/health") as answer:
        assert (await answer.json())["status"] == "ok"
    async with http.get("/openapi.json") as answer:
        assert await answer.json() == json.loads(json.dumps(DOCUMENT))
    assert await metric(http, "assets_requests_total", method="GET", status="200") > 0


async def test_everything_described_is_answered(http: aiohttp.ClientSession) -> None:
    for path, methods in DOCUMENT["paths"].items():
        for method, said in methods.items():
            async with http.request(method, path.format(asset_id=uuid4())) as answer:
                assert str(answer.status) in said["responses"], (method, path, answer.status)


async def test_methods_not_described_are_refused(http: aiohttp.ClientSession) -> None:
    for method in ("POST", "DELETE", "PATCH"):
        async with http.request(method, f"/assets/{uuid4()}") as answer:
            assert answer.status == 405


async def test_restart_keeps_everything_and_port_in_use_is_said(
    tmp_path: Path, secret_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    asset_id = uuid4()
    first = start(tmp_path / "data", secret_file)
    async with aiohttp.ClientSession() as session:
        await AssetClient(first.url, SECRET, session).put(asset_id, b"kept", 0)
    port = str(urlsplit(first.url).port)
    with pytest.raises(RuntimeError, match="2"):
        start(tmp_path / "other", secret_file, "--port", port)
    with pytest.raises(RuntimeError, match="2"):
        start(tmp_path / "data", secret_file)
    assert "another process" in capfd.readouterr().err
    assert stop(first) == 0
    second = start(tmp_path / "data", secret_file)
    async with aiohttp.ClientSession() as session:
        assert await AssetClient(second.url, "", session).get(asset_id) == b"kept"
    assert stop(second) == 0
