"""What a cron expression means: its next ticks."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from tailrace.domain.address import refuse_login
from tailrace.domain.cron import LONGEST, parse_cron, read_zone
from tailrace.domain.errors import Invalid
from tailrace.domain.model import Time
from tailrace.domain.picking import parse_path
from tailrace.domain.triggers import CronSettings, TriggerSettings, UrlSettings
from tailrace.store import Store
from tailrace.store.clock import read_clock

MOST_TICKS = 100
_UNFIT = re.compile(r"[\x00-\x20\x7f\ud800-\udfff]")


class Tick(BaseModel):
    """A moment, and what the clock in the zone shows then, with its distance from UTC."""

    model_config = ConfigDict(frozen=True)
    at: Time
    local: str


class CronPreview(BaseModel):
    """`fixed`: its ticks have times of day of their own, which a change of daylight saving time neither skips nor doubles."""

    model_config = ConfigDict(frozen=True)
    expression: str
    zone: str
    fixed: bool
    ticks: tuple[Tick, ...]


def check_settings(settings: TriggerSettings) -> None:
    """Raises Invalid for a cron expression or a zone that nobody could keep to, for an address or a path that leads nowhere,
    and for an address with a password in it."""
    match settings:
        case CronSettings():
            parse_cron(settings.expression)
            read_zone(settings.zone)
        case UrlSettings(url=url, path=path):
            if _UNFIT.search(url):
                raise Invalid("url: expected an address without spaces and control characters")
            refuse_login(url, "url", "send it as a secret: secret_headers {Authorization: NAME-OF-A-SECRET}")
            if path is not None:
                parse_path(path)
        case _:
            pass


def cron_router(store: Store) -> APIRouter:
    """One route, which looks at nothing but the clock."""
    router = APIRouter(tags=["triggers"])

    @router.get("/api/cron")
    async def preview(
        expression: Annotated[str, Query(max_length=LONGEST)],
        zone: Annotated[str, Query(max_length=100)] = "UTC",
        count: Annotated[int, Query(ge=1, le=MOST_TICKS)] = 10,
    ) -> CronPreview:
        """The next ticks; 400 names the field that is wrong, and what is allowed."""
        cron, info = parse_cron(expression), read_zone(zone)
        ticks = cron.first_ticks(count, await store.read(read_clock), info)
        shown = tuple(
            Tick(at=tick, local=datetime.fromtimestamp(tick / 1000, info).isoformat()) for tick in ticks
        )
        return CronPreview(expression=cron.text, zone=zone, fixed=cron.fixed, ticks=shown)

    return router
