"""What is wrong with a request is told with what was found and what is allowed, and never with a secret."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from tailrace.api.environments import EnvironmentWish
from tailrace.api.faults import Fault, tell_fault
from tailrace.api.labels import Label
from tailrace.api.projects import ProjectWish
from tailrace.api.triggers import TriggerWish
from tailrace.domain.channels import ChannelKind


class Mail(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal[ChannelKind.EMAIL] = ChannelKind.EMAIL
    to: Annotated[tuple[str, ...], Field(min_length=1, max_length=2)]
    port: Annotated[int, Field(gt=0, le=65535)] = 25

    @field_validator("to")
    @classmethod
    def _addresses(cls, to: tuple[str, ...]) -> tuple[str, ...]:
        if any("@" not in one for one in to):
            raise ValueError("expected addresses such as a@example.org")
        return to


class Chat(BaseModel):
    kind: Literal[ChannelKind.SLACK] = ChannelKind.SLACK


class Wish(BaseModel):
    model_config = ConfigDict(extra="forbid")
    settings: Annotated[Mail | Chat, Field(discriminator="kind")]
    secrets: dict[str, Annotated[str, Field(max_length=5)]] = {}
    many: list[Mail] = []
    when: Literal["now", "later"] = "now"
    sure: bool = True


def faults(body: Any, given: Any) -> list[Fault]:
    with pytest.raises(ValidationError) as found:
        TypeAdapter(body).validate_python(given)
    return [tell_fault({**one, "loc": ("body", *one["loc"])}, body) for one in found.value.errors()]


MAIL = {"kind": "email", "to": ["a@b"]}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "body.settings: this is needed, and is not there"),
        (
            {"settings": MAIL, "sett": 1},
            "body.sett: this is not known here; allowed are many, secrets, settings, sure, when",
        ),
        (
            {"settings": {**MAIL, "x": 1}},
            "body.settings.email.x: this is not known here; allowed are kind, port, to",
        ),
        (
            {"settings": MAIL, "many": [{**MAIL, "x": 1}]},
            "body.many.0.x: this is not known here; allowed are kind, port, to",
        ),
        ({"settings": {"kind": "nope"}}, "body.settings: 'kind': found 'nope'; allowed are email, slack"),
        ({"settings": {}}, "body.settings: 'kind' is needed, which says what kind it is of"),
        ({"settings": []}, "body.settings: found a list of 0; expected an object, as JSON"),
        (
            {"settings": {**MAIL, "to": []}},
            "body.settings.email.to: found a list of 0; expected 1 or more of them",
        ),
        (
            {"settings": {**MAIL, "to": ["a@b"] * 3}},
            "body.settings.email.to: found a list of 3; expected 2 of them at most",
        ),
        (
            {"settings": {**MAIL, "to": ["a"]}},
            "body.settings.email.to: expected addresses such as a@example.org",
        ),
        ({"settings": {**MAIL, "port": 0}}, "body.settings.email.port: found 0; expected more than 0"),
        (
            {"settings": {**MAIL, "port": "x" * 200}},
            f"body.settings.email.port: found '{'x' * 79}…'; expected a whole number",
        ),
        ({"settings": MAIL, "when": None}, "body.when: found null; allowed are now, later"),
        ({"settings": MAIL, "sure": "maybe"}, "body.sure: found 'maybe'; expected true or false"),
        (
            {"settings": MAIL, "secrets": {"url": "hush-hush"}},
            "body.secrets.url: expected 5 characters at most",
        ),
    ],
)
def test_each_fault_says_what_was_found_and_what_is_allowed(given: object, told: str) -> None:
    assert [f"{one.place}: {one.message}" for one in faults(Wish, given)] == [told]


@pytest.mark.parametrize(
    ("body", "given", "told"),
    [
        (
            ProjectWish,
            {"name": "a b", "repository": "r"},
            "body.name: found 'a b'; expected a name: letters, digits",
        ),
        (
            ProjectWish,
            {"name": "a", "repository": "r", "webhook_secret": "hush"},
            "body.webhook_secret: expected 8 or more",
        ),
        (
            TriggerWish,
            {"plan": 1, "name": "a", "settings": {"kind": "git", "intervall": 3}},
            "body.settings.git.intervall: this is not known here; allowed are branches, interval_s",
        ),
        (
            EnvironmentWish,
            {"project": 1, "name": "a", "branch": "b"},
            "allowed are approval, approvers, branches, name, project",
        ),
    ],
)
def test_the_real_ones_do(body: type[BaseModel], given: object, told: str) -> None:
    (found,) = faults(body, given)
    assert told in f"{found.place}: {found.message}"
    assert "hush" not in found.message


def test_what_we_say_ourselves_stays_as_it_is() -> None:
    """It has what was found in it already."""
    (found,) = faults(list[Label], ["!"])
    assert found.message.startswith("'!' cannot be a label; allowed: 1 to 100 letters")


def test_a_body_that_is_no_json_says_where() -> None:
    fault = {
        "type": "json_invalid",
        "loc": ("body", 7),
        "msg": "JSON decode error",
        "ctx": {"error": "Expecting value"},
    }
    assert tell_fault(fault, None) == Fault("body", "it is no JSON: Expecting value at character 7")
