"""The plan file as a JSON Schema, for editors: what it refuses is wrong; what only a whole plan tells, it does not know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from tailrace.domain.parameters import KINDS, MAX_PARAMETERS
from tailrace.domain.plan.jobs import MAX_OUTPUTS, MAX_SECRETS
from tailrace.domain.plan.keys import (
    ARTIFACTS_KEYS,
    CHECKOUT_KEYS,
    CONCURRENCY_KEYS,
    DEFAULTS_KEYS,
    EVENT_KEYS,
    FINALLY_KEYS,
    JOB_KEYS,
    LIMITS_KEYS,
    LOG_KEYS,
    ON_KEYS,
    PARAMETER_KEYS,
    PLAN_KEYS,
    RETRY_KEYS,
    SCHEDULE_KEYS,
    STEP_KEYS,
    Keys,
)
from tailrace.domain.plan.matrix import MAX_COMBINATIONS
from tailrace.domain.plan.on import ACTIONS
from tailrace.domain.plan.reader import MAX_JOBS, MAX_PRIORITY
from tailrace.domain.plan.steps import MAX_STEPS
from tailrace.domain.plan.turns import MAX_GROUP, MAX_PARALLEL, RETRIED
from tailrace.domain.plan.values import MAX_VARIABLES

PATH = "/api/plan-schema.json"

Schema = dict[str, Any]
_OF_MATRIX: Schema = {"type": "string", "pattern": "\\$\\{\\s*matrix\\."}
_NAME = "^[A-Za-z_][A-Za-z0-9_]*$"
_TEXT: Schema = {"type": ["string", "number", "boolean"]}
_TEXTS: Schema = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]}
_DURATION: Schema = {
    "type": ["string", "integer"],
    "description": "Whole seconds, or hours, minutes and seconds such as 90s, 20m, 1h30m.",
    "pattern": "^([0-9]{1,9}|([0-9]{1,9}h)?([0-9]{1,9}m)?([0-9]{1,9}s)?)$",
}
_VARIABLES: Schema = {
    "type": "object",
    "propertyNames": {"pattern": _NAME},
    "additionalProperties": _TEXT,
    "maxProperties": MAX_VARIABLES,
}
_CONDITION: Schema = {
    "type": ["string", "boolean"],
    "description": 'Such as branch == "main", failure, always.',
}


def plan_schema() -> Schema:
    """The schema, in JSON Schema's draft 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tailrace plan file",
        **_object(PLAN_KEYS, _OF_PLAN, "jobs"),
        "$defs": {
            "job": _or_of_matrix(_object(JOB_KEYS, _OF_JOB, "steps")),
            "step": _or_of_matrix(_object(STEP_KEYS, _OF_STEP)),
            "defaults": _object(DEFAULTS_KEYS, _OF_DEFAULTS),
            "log": _or_of_matrix(_object(LOG_KEYS, _OF_LOG)),
            "limits": _or_of_matrix(_object(LIMITS_KEYS, _OF_LIMITS)),
            "filters": {kind: _object(keys, _filters(kind)) for kind, keys in EVENT_KEYS.items()},
        },
    }


def _object(keys: Keys, known: Mapping[str, Schema], *required: str) -> Schema:
    """A mapping with these keys; of one that is not `known` here, only the name is."""
    properties: dict[str, Schema | bool] = {key: known.get(key, True) for key in keys.allowed}
    made: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**made, "required": list(required)} if required else made


def _or_of_matrix(schema: Schema) -> Schema:
    """The schema with `${matrix.NAME}` allowed wherever a value is: it stands for one that only each job knows."""

    def inner(value: Any) -> Any:
        return _or_of_matrix(cast(Schema, value)) if isinstance(value, dict) else value

    said = dict(schema)
    if "properties" in said:
        said["properties"] = {name: inner(one) for name, one in schema["properties"].items()}
    if "anyOf" in said:
        said["anyOf"] = [inner(one) for one in schema["anyOf"]]
    for key in ("items", "additionalProperties"):
        if key in said:
            said[key] = inner(said[key])
    types = said.get("type", ())
    limited = "enum" in said or "pattern" in said or types in ("boolean", "integer", "number")
    return _either(said, _OF_MATRIX) if limited else said


def _words(*words: str) -> Schema:
    return {"enum": list(words)}


def _whole(least: int, most: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most}


def _either(*schemas: Schema) -> Schema:
    return {"anyOf": list(schemas)}


def _filters(kind: str) -> dict[str, Schema]:
    return {
        "actions": {"description": f"Of {', '.join(ACTIONS.get(kind, ()))}.", **_TEXTS},
        **dict.fromkeys(("branches", "conclusions", "names", "paths", "tags"), _TEXTS),
    }


_MATRIX_ROW: Schema = {"type": "object", "additionalProperties": _TEXT, "minProperties": 1}
_STEPS: Schema = {"type": "array", "items": {"$ref": "#/$defs/step"}, "minItems": 1, "maxItems": MAX_STEPS}
_SCHEDULE = _either(
    {"type": "string"},
    _object(SCHEDULE_KEYS, {"cron": {"type": "string"}, "zone": _TEXT, "branch": _TEXT}, "cron"),
)
_ON = _either(
    {"type": "string", **_words(*(kind for kind in ON_KEYS.allowed if kind != "schedule"))},
    {
        "type": "array",
        "items": _words(*(kind for kind in ON_KEYS.allowed if kind != "schedule")),
        "minItems": 1,
    },
    _object(
        ON_KEYS,
        {
            **{kind: _either({"type": "null"}, {"$ref": f"#/$defs/filters/{kind}"}) for kind in EVENT_KEYS},
            "schedule": _either(_SCHEDULE, {"type": "array", "items": _SCHEDULE, "minItems": 1}),
            "manual": {"type": ["object", "null"], "maxProperties": 0},
        },
    ),
)
_PARAMETER = _object(
    PARAMETER_KEYS,
    {
        "type": _words(*KINDS),
        "default": _TEXT,
        "description": _TEXT,
        "choices": _TEXTS,
        "min": {"type": ["number", "string"]},
        "max": {"type": ["number", "string"]},
    },
)
_GROUP = _either(
    _TEXT,
    _object(
        CONCURRENCY_KEYS,
        {"group": {**_TEXT, "maxLength": MAX_GROUP}, "cancel_superseded": {"type": "boolean"}},
        "group",
    ),
)
_SHARED: dict[str, Schema] = {
    "variables": _VARIABLES,
    "log": {"$ref": "#/$defs/log"},
    "limits": {"$ref": "#/$defs/limits"},
    "shell": _TEXT,
    "workspace": _words("clean", "keep"),
}
_OF_PLAN: dict[str, Schema] = {
    **_SHARED,
    "defaults": {"description": "What jobs have that say nothing else.", "$ref": "#/$defs/defaults"},
    "on": {"description": "Which events start runs.", **_ON},
    "parameters": {
        "description": "What people are asked when they start a run.",
        "type": "object",
        "maxProperties": MAX_PARAMETERS,
        "propertyNames": {"pattern": _NAME},
        "additionalProperties": _either({"type": "null"}, _TEXT, _PARAMETER),
    },
    "concurrency": {"description": "The group in which runs take turns.", **_GROUP},
    "priority": _whole(-MAX_PRIORITY, MAX_PRIORITY),
    "max_parallel": _whole(1, MAX_PARALLEL),
    "jobs": {
        "type": "object",
        "minProperties": 1,
        "maxProperties": MAX_JOBS,
        "propertyNames": {"pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"},
        "additionalProperties": {"$ref": "#/$defs/job"},
    },
}
_OF_JOB: dict[str, Schema] = {
    **_SHARED,
    "needs": {"description": "The jobs that must pass before this one begins.", **_TEXTS},
    "labels": {"description": "What an agent must have to execute the job.", **_TEXTS},
    "secrets": {"description": f"Up to {MAX_SECRETS} names of secrets that the steps get.", **_TEXTS},
    "if": _CONDITION,
    "timeout": _DURATION,
    "start_timeout": _DURATION,
    "idle_timeout": _DURATION,
    "working_directory": _TEXT,
    "checkout": _either(
        {"type": "boolean"},
        _object(
            CHECKOUT_KEYS,
            {
                "depth": _either(_whole(1, 1_000_000), {"type": "string"}),
                "submodules": _either({"type": "boolean"}, _words("recursive", "true", "false")),
            },
        ),
    ),
    "retry": _either(
        _whole(1, 10),
        _object(
            RETRY_KEYS,
            {
                "max": _whole(1, 10),
                "on": _either(_words(*RETRIED), {"type": "array", "items": _words(*RETRIED)}),
                "delay": _DURATION,
            },
        ),
    ),
    "allow_failure": {"type": "boolean"},
    "environment": {
        "description": "The environment that the job changes; it may have to be approved.",
        **_TEXT,
    },
    "matrix": {
        "description": "Names to lists of values: a job for each combination.",
        "type": "object",
        "properties": {
            key: _either({"type": "array", "items": _MATRIX_ROW}, {"type": "null"})
            for key in ("include", "exclude")
        },
        "additionalProperties": _TEXTS,
        "minProperties": 1,
    },
    "max_parallel": {
        "description": "How many jobs of the matrix may be under way at once.",
        **_whole(1, MAX_COMBINATIONS),
    },
    "fail_fast": {"description": "A job of the matrix that fails ends the others.", "type": "boolean"},
    "concurrency": {
        "description": "The group in which it takes turns with jobs of its project.",
        **_GROUP,
    },
    "outputs": {"type": "object", "additionalProperties": _TEXT, "maxProperties": MAX_OUTPUTS},
    "steps": _STEPS,
    "finally": _either(_STEPS, _object(FINALLY_KEYS, {"steps": _STEPS, "timeout": _DURATION}, "steps")),
}
_OF_DEFAULTS = {key: _OF_JOB[key] for key in DEFAULTS_KEYS.allowed}
_OF_LOG: dict[str, Schema] = {"limit": {"type": ["string", "integer"]}, "when_full": _words("fail", "drop")}
_OF_LIMITS: dict[str, Schema] = {
    "memory": {"type": ["string", "integer"]},
    "processes": {"type": "integer"},
    "cpu": {"type": "number"},
}
_OF_STEP: dict[str, Schema] = {
    "run": {"description": "A script, handed to a shell.", **_TEXT},
    "artifacts": _either(
        _TEXTS,
        _object(
            ARTIFACTS_KEYS,
            {
                "paths": _TEXTS,
                "from": _TEXT,
                "to": _TEXT,
                "keep": {"type": ["string", "integer"]},
                "optional": {"type": "boolean"},
            },
        ),
    ),
    "name": _TEXT,
    "id": _TEXT,
    "if": _CONDITION,
    "env": _VARIABLES,
    "shell": _TEXT,
    "working_directory": _TEXT,
    "timeout": _DURATION,
    "continue_on_error": {"type": "boolean"},
    "pty": {"type": "boolean"},
}
