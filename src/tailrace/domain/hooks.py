"""How a project's generic webhooks are read: who may send them, and where in them is what."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tailrace.domain.errors import Invalid
from tailrace.domain.picking import parse_path
from tailrace.domain.text import Text

MAX_VALUES = 100


def _path(text: str) -> str:
    try:
        parse_path(text)
    except Invalid as error:
        raise ValueError(str(error)) from None
    return text


def _variable(name: str) -> str:
    if name.startswith("TAILRACE_"):
        raise ValueError("names that begin with TAILRACE_ are Tailrace's own")
    return name


PathText = Annotated[Text, Field(min_length=1, max_length=1000), AfterValidator(_path)]
VariableName = Annotated[
    str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=200), AfterValidator(_variable)
]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,100}$")]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TokenProof(_Value):
    """The sender puts the secret itself into `header`, after `prefix`."""

    kind: Literal["token"]
    header: HeaderName
    prefix: Annotated[Text, Field(max_length=50)] = ""


class HmacProof(_Value):
    """The sender puts the HMAC of the raw body under the secret into `header`, after `prefix`."""

    kind: Literal["hmac"]
    header: HeaderName
    prefix: Annotated[Text, Field(max_length=50)] = ""
    digest: Literal["sha1", "sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"


Proof = Annotated[TokenProof | HmacProof, Field(discriminator="kind")]


class Picks(_Value):
    """Where in the payload the parts of the event are, each as a path.

    A part without a path is what the payload has under the part's own name, if it has it. A path must find something:
    one that may find nothing ends with `|| ''`.
    """

    ref: PathText | None = None
    branch: PathText | None = None
    tag: PathText | None = None
    revision: PathText | None = None
    before: PathText | None = None
    title: PathText | None = None
    message: PathText | None = None
    author: PathText | None = None
    url: PathText | None = None
    action: PathText | None = None
    changed: PathText | None = None
    default_branch: PathText | None = None


class GenericHook(_Value):
    """How a project's generic webhooks are read.

    `proof` None takes each of the usual proofs. `values` become variables of the run. `only` names paths and which texts
    are wanted there: a delivery that has another one starts nothing. `key` is the header that is the same when the sender
    tries again.
    """

    proof: Proof | None = None
    key: HeaderName | None = None
    picks: Picks = Picks()
    values: Annotated[dict[VariableName, PathText], Field(max_length=MAX_VALUES)] = {}
    only: Annotated[dict[PathText, tuple[Text, ...]], Field(max_length=MAX_VALUES)] = {}
