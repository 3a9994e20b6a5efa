"""The certificates of an endpoint: what OTEL_EXPORTER_OTLP_* names goes before REQUESTS_CA_BUNDLE; proxies hold as ever."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from support.process import free_port

from otel_chatbot.distro.delivery.otlp import Target, Verdict
from otel_chatbot.distro.delivery.spool import Payload
from otel_chatbot.semconv.attributes import Signal

EMPTY = Payload(Signal.TRACES, b"")


def openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=60)


def certificate(folder: Path, name: str, authority: str = "") -> None:
    """A key and a certificate for 127.0.0.1, signed by an authority or, without one, an authority itself."""
    openssl(
        folder, "req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}"
    )
    of_an_authority = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n"
    identifiers = "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid:always\n"  # asked for since Python 3.13
    extensions = "subjectAltName=IP:127.0.0.1\n" + identifiers if authority else of_an_authority + identifiers
    (folder / f"{name}.ext").write_text(extensions)
    signed = (
        ["-CA", f"{authority}.pem", "-CAkey", f"{authority}.key", "-CAcreateserial"]
        if authority
        else ["-signkey", f"{name}.key"]
    )
    openssl(
        folder, "x509", "-req", "-in", f"{name}.csr", "-extfile", f"{name}.ext", "-days", "1", "-out", f"{name}.pem", *signed
    )


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    for name, authority in (("ca", ""), ("other", ""), ("server", "ca"), ("client", "ca")):
        certificate(folder, name, authority)
    return folder


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that does not trust us hangs up."""


@dataclass
class Endpoint:
    url: str


def serve(certificates: Path, *, asks_for_client: bool) -> Iterator[Endpoint]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    if asks_for_client:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificates / "ca.pem")
    with Quiet(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield Endpoint(f"https://127.0.0.1:{server.server_port}")
        server.shutdown()


@pytest.fixture
def endpoint(certificates: Path) -> Iterator[Endpoint]:
    yield from serve(certificates, asks_for_client=False)


@pytest.fixture
def strict_endpoint(certificates: Path) -> Iterator[Endpoint]:
    yield from serve(certificates, asks_for_client=True)


def post(monkeypatch: pytest.MonkeyPatch, url: str, **variables: str | Path) -> Verdict:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    for name, value in variables.items():
        monkeypatch.setenv(name, str(value))
    target = Target(Signal.TRACES)
    try:
        return target.post(EMPTY, 10).verdict
    finally:
        target.close()


@pytest.mark.parametrize("bundle", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_CERTIFICATE", "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE"])
def test_the_endpoints_own_authority_goes_before_that_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, certificates: Path, endpoint: Endpoint, name: str, bundle: str
) -> None:
    own, other = certificates / "ca.pem", certificates / "other.pem"
    assert post(monkeypatch, endpoint.url, **{name: own, bundle: other}) is Verdict.TAKEN
    assert post(monkeypatch, endpoint.url, **{name: other, bundle: own}) is Verdict.LATER


def test_a_signals_own_certificate_goes_before_the_general_one(
    monkeypatch: pytest.MonkeyPatch, certificates: Path, endpoint: Endpoint
) -> None:
    both = {
        "OTEL_EXPORTER_OTLP_CERTIFICATE": certificates / "other.pem",
        "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE": certificates / "ca.pem",
    }
    assert post(monkeypatch, endpoint.url, **both, REQUESTS_CA_BUNDLE=certificates / "other.pem") is Verdict.TAKEN


def test_without_one_the_environments_authority_holds(
    monkeypatch: pytest.MonkeyPatch, certificates: Path, endpoint: Endpoint
) -> None:
    assert post(monkeypatch, endpoint.url) is Verdict.LATER
    assert post(monkeypatch, endpoint.url, REQUESTS_CA_BUNDLE=certificates / "ca.pem") is Verdict.TAKEN


def test_a_client_certificate_is_shown_beside_both(
    monkeypatch: pytest.MonkeyPatch, certificates: Path, strict_endpoint: Endpoint
) -> None:
    trusted = {"OTEL_EXPORTER_OTLP_CERTIFICATE": certificates / "ca.pem", "REQUESTS_CA_BUNDLE": certificates / "other.pem"}
    assert post(monkeypatch, strict_endpoint.url, **trusted) is Verdict.LATER
    client = {
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": certificates / "client.pem",
        "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY": certificates / "client.key",
    }
    assert post(monkeypatch, strict_endpoint.url, **trusted, **client) is Verdict.TAKEN


def test_proxies_hold_as_ever(monkeypatch: pytest.MonkeyPatch, certificates: Path, endpoint: Endpoint) -> None:
    trusted = {"OTEL_EXPORTER_OTLP_CERTIFICATE": certificates / "ca.pem", "REQUESTS_CA_BUNDLE": certificates / "other.pem"}
    proxy = f"http://127.0.0.1:{free_port()}"
    assert post(monkeypatch, endpoint.url, **trusted, HTTPS_PROXY=proxy) is Verdict.LATER
    assert post(monkeypatch, endpoint.url, **trusted, HTTPS_PROXY=proxy, NO_PROXY="127.0.0.1") is Verdict.TAKEN
