"""Parameters of a plan: what people are asked when they start a run, and whether the answers are of the kind asked for."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from tailrace.domain.errors import Invalid
from tailrace.domain.secrets import SHORTEST, check_value

ParameterKind = Literal["string", "choice", "boolean", "number", "secret"]
KINDS: tuple[ParameterKind, ...] = ("boolean", "choice", "number", "secret", "string")
MAX_PARAMETERS = 100
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")


class Parameter(BaseModel):
    """One question; `default` is what is taken when it is not answered (None: it must be, unless it is secret).

    `choices` are those of a choice; `least` and `most` bound a number.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: ParameterKind = "string"
    description: str = ""
    default: str | None = None
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None


class Values(NamedTuple):
    """Answers: `texts` become variables of the run, `secrets` are names of those that are handed on sealed."""

    texts: dict[str, str]
    secrets: tuple[str, ...]


NO_VALUES = Values({}, ())


def as_text(value: str | float | bool) -> str:
    """A value of JSON as the text that a variable holds: `true`, `3`, `1.5`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def fault_of(parameter: Parameter, text: str) -> str | None:
    """Why this text is no answer, in words that follow the parameter's name; None when it is. A secret is never quoted."""
    found = f"found {text[:100]!r}"
    match parameter.kind:
        case "choice":
            return None if text in parameter.choices else f"must be {_either(parameter.choices)}; {found}"
        case "boolean":
            return None if text in ("true", "false") else f"must be true or false; {found}"
        case "number":
            if not _NUMBER.fullmatch(text):
                return f"must be a number such as 3 or 1.5; {found}"
            least = -math.inf if parameter.least is None else parameter.least
            most = math.inf if parameter.most is None else parameter.most
            return None if least <= float(text) <= most else f"must be {_bounds(parameter)}; {found}"
        case "secret":
            try:
                check_value(text)
            except Invalid as error:
                return f"cannot be taken: {error}"
            short = len(text.strip()) < SHORTEST
            return f"must have {SHORTEST} characters or more: a shorter one is not masked" if short else None
        case "string":
            return None


def resolve(parameters: Mapping[str, Parameter], given: Mapping[str, str], *, asked: bool) -> Values:
    """The answers, defaults filled in; `asked`: a person was, and one without a default must be answered.

    Names that are no parameters are left alone. Raises Invalid with all that is wrong.
    """
    texts: dict[str, str] = {}
    secrets: list[str] = []
    faults: dict[str, str] = {}
    for name, parameter in parameters.items():
        text = given.get(name, parameter.default)
        if text is None:
            if asked and parameter.kind != "secret":
                faults[name] = "is missing, and has no default"
        elif (fault := fault_of(parameter, text)) is not None:
            faults[name] = fault
        elif parameter.kind == "secret":
            secrets.append(name)
        else:
            texts[name] = text
    if faults:
        said = (f"parameter {name} {fault}{_about(parameters[name])}" for name, fault in faults.items())
        raise Invalid("; ".join(said), tuple(_at(name, fault) for name, fault in faults.items()))
    return Values(texts, tuple(secrets))


def defaults(parameters: Mapping[str, Parameter]) -> dict[str, str]:
    """What a run gets that nobody was asked about."""
    return {name: one.default for name, one in parameters.items() if one.default is not None}


def unasked(parameters: Mapping[str, Parameter], given: Mapping[str, str]) -> Values:
    """The values of a run that nobody was asked about: what the event gave, and defaults.

    Raises Invalid for what is no answer, and for a secret one: what an event gives is not kept as one.
    """
    for name, parameter in parameters.items():
        if parameter.kind == "secret" and name in given:
            raise Invalid(
                f"parameter {name} is secret, and what an event gives is not: pick it under another name"
            )
    texts = resolve(parameters, given, asked=False).texts
    return Values({**given, **texts}, tuple(parameters))


def check_names(parameters: Mapping[str, Parameter], names: Mapping[str, object]) -> None:
    """Raises Invalid for names that are no parameters of the plan."""
    unknown = [name for name in names if name not in parameters]
    if unknown:
        known = f"it has {', '.join(parameters)}" if parameters else "it has none"
        raise Invalid(f"the plan has no parameter {unknown[0]}; {known}")


def _at(name: str, fault: str) -> dict[str, object]:
    return {"place": f"parameters.{name}", "message": fault}


def _about(parameter: Parameter) -> str:
    return f" ({parameter.description})" if parameter.description else ""


def _either(choices: tuple[str, ...]) -> str:
    return choices[0] if len(choices) == 1 else f"{', '.join(choices[:-1])} or {choices[-1]}"


def _bounds(parameter: Parameter) -> str:
    if parameter.least is None:
        return f"{as_text(parameter.most or 0.0)} or less"
    if parameter.most is None:
        return f"{as_text(parameter.least)} or more"
    return f"from {as_text(parameter.least)} to {as_text(parameter.most)}"
