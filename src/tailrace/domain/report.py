"""What an agent says of its machine: what it is, once a connection, and how busy it is, with each beat."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from tailrace.domain.text import Text

Bytes = Annotated[int, Field(ge=0, lt=2**63)]
Word = Annotated[Text, Field(max_length=200)]


class MachineReport(BaseModel):
    """A machine; sizes in bytes, `disk` of the file system that holds the agent's folder. `tools`: name to version."""

    model_config = ConfigDict(frozen=True)
    hostname: Word
    system: Word
    architecture: Word
    processors: int = Field(ge=0, lt=2**31)
    memory: Bytes
    disk: Bytes
    tools: Annotated[dict[Word, Word], Field(max_length=200)] = {}


class Load(BaseModel):
    """How busy a machine is: processes that want to run (mean of a minute), and bytes that are free."""

    model_config = ConfigDict(frozen=True)
    waiting: float = Field(ge=0, lt=1e9)
    memory_free: Bytes
    disk_free: Bytes
