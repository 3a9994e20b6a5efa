"""Attributes, resources and scopes as OTLP bytes, redacted; those that come again are kept as bytes.

Fed by `logs.redaction` (the policy); feeds `encoding.traces`, `encoding.logs` and `encoding.metrics`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, Final, Generic, Protocol, TypeVar

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from ....logs.errors import encodable
from ....logs.redaction import Redactor
from ....semconv import attributes as a
from ..otlp_values import fit
from .wire import DOUBLE, field, key_value, text_field

_MOST_KEPT: Final = 8192
_LONGEST_KEPT: Final = 256
"""Characters. Longer texts are not kept: they hardly come again."""
_BY_CONTEXT: Final = frozenset({a.EXCEPTION_MESSAGE, a.EXCEPTION_STACKTRACE})
"""Their redaction depends on the attribute beside them."""
_PLAIN: Final = frozenset({str, bool, int})
_TEXTS: Final = frozenset({str})

_logger = logging.getLogger("otel_chatbot")
_K = TypeVar("_K")


class BytesCache(Generic[_K]):
    """Encoded bytes by their source value, a limited number of entries."""

    def __init__(self, most: int = _MOST_KEPT) -> None:
        self.found: dict[_K, bytes] = {}
        self.before_number: dict[str, bytes] = {}
        """All but the last eight bytes of a field with a number such as 0.5, by the attribute's name: they do not depend on the number."""
        self._most = most

    def keep(self, key: _K, made: bytes) -> bytes:
        """Remember these bytes and return them."""
        if len(self.found) >= self._most:
            self.found.clear()
        self.found[key] = made
        return made


def _keep(kept: BytesCache[tuple[str, Any, type]], key: str, value: Any, kind: type, pair: bytes) -> None:
    """Keep the field of an attribute if it may come again. What the policy has masked is kept masked."""
    if kind is float:
        if pair.endswith(key_value(key, value)) and len(kept.before_number) < _MOST_KEPT:  # not masked
            kept.before_number[key] = pair[: -DOUBLE.size]
    elif kind is tuple:
        if _TEXTS.issuperset(map(type, value)) and sum(map(len, value)) <= _LONGEST_KEPT:
            kept.keep((key, value, kind), pair)
    elif kind in _PLAIN and (kind is not str or len(value) <= _LONGEST_KEPT):
        kept.keep((key, value, kind), pair)


class Attributes:
    """Encodes attributes. `redactor`: the policy; None sends everything as it is."""

    def __init__(self, redactor: Redactor | None) -> None:
        self._redactor = redactor
        self._pairs: dict[bytes, BytesCache[tuple[str, Any, type]]] = {}
        """Whole fields, by the tag of the message that holds them."""
        self._texts: BytesCache[str] = BytesCache()
        self._resources: dict[int, tuple[Resource, bytes]] = {}
        self._scopes: dict[int, tuple[InstrumentationScope | None, bytes]] = {}

    def encode(self, tag: bytes, attributes: Mapping[str, Any] | None, out: list[bytes]) -> None:
        """Append one field per attribute to `out`. `tag` is the field of the message that holds the attributes."""
        if not attributes:
            return
        # Iterating over the SDK's attributes takes calls and a lock, so they are copied, unless they are a dictionary.
        plain = attributes if type(attributes) is dict else getattr(attributes, "copy", lambda: attributes)()
        kept = self._pairs.get(tag)
        if kept is None:
            kept = self._pairs[tag] = BytesCache()
        found, before_number = kept.found, kept.before_number
        for key, value in plain.items():
            kind = type(value)
            if kind is str or kind is int or kind is bool or (kind is tuple and _TEXTS.issuperset(map(type, value))):
                pair = found.get((key, value, kind))
            elif kind is float and key in before_number and isfinite(value):  # the policy makes text of others
                pair = before_number[key] + DOUBLE.pack(value)
            else:
                pair = None
            if pair is None:
                made = self._pair(key, value, plain)
                if made is None:
                    continue
                pair = field(tag, made)
                if key not in _BY_CONTEXT:
                    _keep(kept, key, value, kind, pair)
            out.append(pair)

    def _pair(self, key: str, value: Any, beside: Mapping[str, Any]) -> bytes | None:
        try:
            return key_value(*self._clean(key, value, beside))
        except Exception as error:
            # As upstream does: one attribute that cannot be sent is left out.
            _logger.debug("attribute %s is not sent: %s", key, type(error).__name__)
            return None

    def _clean(self, key: str, value: Any, beside: Mapping[str, Any]) -> tuple[str, Any]:
        if self._redactor is None:
            return key, value
        exception_type = beside.get(a.EXCEPTION_TYPE) if key in _BY_CONTEXT else None
        return encodable(key), fit(self._redactor.attribute(key, value, exception_type))

    def body(self, value: Any) -> Any:
        """The body of a log record, redacted: any value, nested ones too."""
        return value if self._redactor is None else fit(self._redactor.value("body", value))

    def text(self, tag: bytes, text: str | None) -> bytes:
        """A field with a text (a name, a description), redacted; nothing when it is empty."""
        if not text:
            return b""
        found = self._texts.found.get(text)
        if found is None:
            clean = text if self._redactor is None else encodable(self._redactor.text(text))
            found = clean.encode()
            if len(text) <= _LONGEST_KEPT:
                self._texts.keep(text, found)
        return field(tag, found)

    def resource(self, resource: Resource) -> bytes:
        """The field `resource` (number 1) of a group."""
        return _kept_by_identity(
            self._resources, resource, lambda: field(b"\x0a", self._unredacted(b"\x0a", resource.attributes))
        )

    def scope(self, scope: InstrumentationScope | None) -> bytes:
        """The field `scope` (number 1) of a group within a resource."""
        return _kept_by_identity(self._scopes, scope, lambda: field(b"\x0a", self._scope(scope)))

    def _scope(self, scope: InstrumentationScope | None) -> bytes:
        if scope is None:
            return b""
        head = text_field(b"\x0a", scope.name) + text_field(b"\x12", scope.version)
        return head + self._unredacted(b"\x1a", scope.attributes)

    @staticmethod
    def _unredacted(tag: bytes, attributes: Mapping[str, Any] | None) -> bytes:
        """Attributes that say who sends: the operator wrote them, and they are fit already."""
        out: list[bytes] = []
        Attributes(None).encode(tag, attributes, out)
        return b"".join(out)


_T = TypeVar("_T")


def _kept_by_identity(kept: dict[int, tuple[_T, bytes]], value: _T, make: Callable[[], bytes]) -> bytes:
    """Bytes of an object that never changes, found by its id: a hash would read all of it. A reference keeps the id taken."""
    found = kept.get(id(value))
    if found is None:
        if len(kept) >= _LONGEST_KEPT:
            kept.clear()
        found = kept[id(value)] = value, make()
    return found[1]


class ScopeGroups:
    """The items of one request, by resource and by scope. Equal resources or scopes form one group, even as two objects."""

    def __init__(self, attributes: Attributes) -> None:
        self._attributes = attributes
        self._places: dict[tuple[int, int], list[bytes]] = {}
        self._resources: dict[tuple[bytes, bytes], dict[tuple[bytes, bytes], list[bytes]]] = {}

    def of(self, resource: Resource, scope: InstrumentationScope | None) -> list[bytes]:
        """Where to append an item of this resource and scope. Both must live until `request` is called."""
        place = id(resource), id(scope)
        items = self._places.get(place)
        if items is None:
            group = self._attributes.resource(resource), text_field(b"\x1a", resource.schema_url)
            inner = self._attributes.scope(scope), text_field(b"\x1a", None if scope is None else scope.schema_url)
            items = self._places[place] = self._resources.setdefault(group, {}).setdefault(inner, [])
        return items

    def request(self) -> bytes:
        """The whole request."""
        out = []
        for (resource, resource_url), scopes in self._resources.items():
            inner = [field(b"\x12", b"".join((scope, *items, scope_url))) for (scope, scope_url), items in scopes.items()]
            out.append(field(b"\x0a", b"".join((resource, *inner, resource_url))))
        return b"".join(out)


class _Scoped(Protocol):
    """An item of a batch: a span or a log record."""

    @property
    def resource(self) -> Resource: ...

    @property
    def instrumentation_scope(self) -> InstrumentationScope | None: ...


_Item = TypeVar("_Item", bound=_Scoped)


def encode_batch(batch: Sequence[_Item], attributes: Attributes, encode: Callable[[_Item, Attributes], bytes]) -> bytes:
    """The request of a batch, grouped by resource and scope as upstream does. `encode` writes one item."""
    groups = ScopeGroups(attributes)
    for item in batch:
        groups.of(item.resource, item.instrumentation_scope).append(field(b"\x12", encode(item, attributes)))
    return groups.request()
