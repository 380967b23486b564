"""Bodies: JSON as it is, or JSON in the field `payload` of a form, as forges offer both."""

from __future__ import annotations

from urllib.parse import parse_qs

from tailrace.domain.errors import Invalid
from tailrace.sources.payload import shown

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 100


def media_type(content_type: str | None) -> str:
    """The type without its parameters, in lower case; without a header it is JSON's."""
    return (content_type or JSON).partition(";")[0].strip().lower()


def json_text(content_type: str | None, body: bytes) -> bytes:
    """The JSON that a forge sent; raises Invalid for other types, and for a form without it."""
    media = media_type(content_type)
    if media == JSON:
        return body
    if media != FORM:
        raise Invalid(f"Content-Type: expected {JSON} or {FORM}, found {shown(content_type)}")
    fields = form_fields(body)
    if "payload" not in fields:
        raise Invalid("the form has no field `payload`; with Content-Type application/json the body is JSON")
    return fields["payload"].encode()


def form_fields(body: bytes) -> dict[str, str]:
    """The fields of a form, of a repeated one the first; raises Invalid."""
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError as wrong:  # not UTF-8, or too many fields
        raise Invalid(f"the form cannot be read: {wrong}") from None
    return {name: values[0] for name, values in fields.items()}
