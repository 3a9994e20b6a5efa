"""The session of an endpoint whose certificate authority is given by OTEL_EXPORTER_OTLP_CERTIFICATE.

Fed by `distro.delivery.otlp`; feeds the exporters' transport. requests lets REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE overrule what
a session trusts (https://github.com/psf/requests/issues/3829); here the endpoint's own certificate setting wins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import requests


def trusting_its_own(session: requests.Session | None) -> requests.Session:
    """This session, or a new one, changed: its own trust wins over the environment, which still names the proxies."""
    import requests

    found = session or requests.Session()
    merge = found.merge_environment_settings

    def merge_environment_settings(url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        return merge(url, proxies, stream, found.verify if verify is None else verify, cert)

    found.merge_environment_settings = merge_environment_settings  # type: ignore[method-assign]
    return found
