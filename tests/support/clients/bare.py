"""Plain HTTP clients that ask a model by its address: requests, httpx, httpx2, aiohttp, urllib3.

Each takes a shape and gives back status and bytes. None raises for a status, and none asks again by itself but in `retry`.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from typing import Any

from .scenario import Got, Prompt, drives
from .shapes import SHAPES, Shape

HEADERS = {"Authorization": "Bearer k"}
Answer = tuple[int, bytes]


def with_requests(prompt: Prompt, shape: Shape) -> Answer:
    import requests

    url, body = prompt.url + shape.path, shape.body(prompt)
    if not shape.streamed:
        answer = requests.post(url, json=body, headers=HEADERS, timeout=prompt.timeout)
        return answer.status_code, answer.content
    with requests.Session() as session:
        answer = session.post(url, data=json.dumps(body), headers=HEADERS, timeout=prompt.timeout, stream=True)
        return answer.status_code, b"\n".join(answer.iter_lines())


def with_httpx(prompt: Prompt, shape: Shape, name: str = "httpx") -> Answer:
    httpx = importlib.import_module(name)
    url, body = prompt.url + shape.path, shape.body(prompt)
    if not shape.streamed:
        answer = httpx.post(url, json=body, headers=HEADERS, timeout=prompt.timeout)
        return answer.status_code, answer.content
    with httpx.Client(timeout=prompt.timeout) as client, client.stream("POST", url, json=body, headers=HEADERS) as answer:
        return answer.status_code, "\n".join(answer.iter_lines()).encode()


async def with_httpx_async(prompt: Prompt, shape: Shape, name: str = "httpx") -> Answer:
    httpx = importlib.import_module(name)
    url, body = prompt.url + shape.path, shape.body(prompt)
    async with httpx.AsyncClient(timeout=prompt.timeout) as client:
        if not shape.streamed:
            answer = await client.post(url, json=body, headers=HEADERS)
            return answer.status_code, answer.content
        async with client.stream("POST", url, json=body, headers=HEADERS) as answer:
            return answer.status_code, b"".join([piece async for piece in answer.aiter_bytes()])


async def with_aiohttp(prompt: Prompt, shape: Shape) -> Answer:
    import aiohttp

    url, body = prompt.url + shape.path, shape.body(prompt)
    patience = aiohttp.ClientTimeout(total=prompt.timeout)
    async with (
        aiohttp.ClientSession(timeout=patience) as session,
        session.post(url, json=body, headers=HEADERS) as answer,
    ):
        if not shape.streamed:
            return answer.status, await answer.read()
        return answer.status, b"".join([line async for line in answer.content])


def with_urllib3(prompt: Prompt, shape: Shape) -> Answer:
    import urllib3

    url, body = prompt.url + shape.path, json.dumps(shape.body(prompt)).encode()
    headers = {**HEADERS, "Content-Type": "application/json", "Accept-Encoding": "gzip"}
    with urllib3.PoolManager(retries=False, timeout=prompt.timeout) as pool:
        answer = pool.request("POST", url, body=body, headers=headers, preload_content=not shape.streamed)
        return answer.status, b"".join(answer.stream(64)) if shape.streamed else answer.data


def with_urlopen(prompt: Prompt, shape: Shape) -> Answer:
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    data = json.dumps(shape.body(prompt)).encode()
    request = Request(prompt.url + shape.path, data, {**HEADERS, "Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=prompt.timeout) as answer:
            return answer.status, b"".join(answer) if shape.streamed else answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()


def with_http_client(prompt: Prompt, shape: Shape) -> Answer:
    from http.client import HTTPConnection

    connection = HTTPConnection(prompt.url.removeprefix("http://"), timeout=prompt.timeout)
    headers = {**HEADERS, "Content-Type": "application/json", "Accept-Encoding": "gzip"}
    connection.request("POST", shape.path, json.dumps(shape.body(prompt)), headers)
    answer = connection.getresponse()
    pieces = iter(lambda: answer.read(50), b"") if shape.streamed else (answer.read(),)
    body = b"".join(pieces)
    connection.close()
    return answer.status, body


def got(answer: Answer) -> Got:
    return Got(objects=[answer[0], answer[1]])


def again(ask: Callable[[Prompt, Shape], Answer], shape: Shape) -> Callable[[Prompt], Got]:
    """A driver that asks, and asks once more where it is refused, as an app would."""

    def run(prompt: Prompt) -> Got:
        answer = ask(prompt, shape)
        return got(ask(prompt, shape) if answer[0] in (429, 503) else answer)

    return run


def again_async(ask: Callable[[Prompt, Shape], Any], shape: Shape) -> Callable[[Prompt], Any]:
    async def run(prompt: Prompt) -> Got:
        answer = await ask(prompt, shape)
        return got(await ask(prompt, shape) if answer[0] in (429, 503) else answer)

    return run


def enter(client: str, shape: Shape, driver: Callable[[Prompt], Any]) -> None:
    for mode in shape.modes:
        calls = 2 if mode == "refused" else 1
        drives(client, shape.name, modes=(f"{mode}",), streamed=shape.streamed, retries=False, calls=calls, raises=False)(
            driver
        )


CLIENTS: dict[str, Callable[[Shape], Callable[[Prompt], Any]]] = {
    "requests": lambda shape: again(with_requests, shape),
    "urllib3": lambda shape: again(with_urllib3, shape),
    "httpx": lambda shape: again(with_httpx, shape),
    "httpx2": lambda shape: again(lambda prompt, shape: with_httpx(prompt, shape, "httpx2"), shape),
    "httpx_async": lambda shape: again_async(with_httpx_async, shape),
    "httpx2_async": lambda shape: again_async(lambda prompt, shape: with_httpx_async(prompt, shape, "httpx2"), shape),
    "aiohttp": lambda shape: again_async(with_aiohttp, shape),
    "urlopen": lambda shape: again(with_urlopen, shape),
    "http_client": lambda shape: again(with_http_client, shape),
}
"""By name: what makes a driver of a shape."""

for one in SHAPES:
    for name, make in CLIENTS.items():
        enter(name, one, make(one))

RETRIED = ("plain", "refused", "unavailable", "fails")


@drives("requests", "retry", modes=RETRIED)
def requests_retry(prompt: Prompt) -> Got:
    """An adapter that tries again: one call of the app."""
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util.retry import Retry

    policy = Retry(total=prompt.retries, status_forcelist=[429, 500, 503], allowed_methods=None, backoff_factor=0.01)
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=policy))
        answer = session.post(prompt.url + SHAPES[0].path, json=SHAPES[0].body(prompt), headers=HEADERS, timeout=prompt.timeout)
        return got((answer.status_code, answer.content))


@drives("urllib3", "retry", modes=RETRIED)
def urllib3_retry(prompt: Prompt) -> Got:
    import urllib3

    policy = urllib3.Retry(total=prompt.retries, status_forcelist=[429, 500, 503], allowed_methods=None, backoff_factor=0.01)
    with urllib3.PoolManager(retries=policy, timeout=prompt.timeout) as pool:
        answer = pool.request("POST", prompt.url + SHAPES[0].path, json=SHAPES[0].body(prompt), headers=HEADERS)
        return got((answer.status, answer.data))
