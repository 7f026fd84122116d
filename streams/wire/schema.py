"""What the models of payloads and headers are built of: two base models, and types with their JSON schema."""

from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field


def _not_null(schema: dict[str, Any]) -> None:
    """Let the schema say that a field may be absent, not that it may be null."""
    schema.pop("default", None)
    schema.pop("anyOf", None)
    schema["type"] = "string"


def no_default(schema: dict[str, Any]) -> None:
    """Let the schema say that a field may be absent."""
    schema.pop("default", None)


Instant: TypeAlias = Annotated[str, Field(pattern=r"\.\d{3}Z$", json_schema_extra={"format": "date-time"})]
"""RFC 3339 in UTC, to the millisecond."""
Offset: TypeAlias = Annotated[int, Field(ge=0)]
Optional: TypeAlias = Annotated[str | None, Field(default=None, json_schema_extra=_not_null)]
"""A text that may be absent, and is never null."""


class Closed(BaseModel):
    """For what Segue writes: strict, and the schema names every field that there is."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


class Open(BaseModel):
    """For what others write, and for what a later version may add to."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, use_attribute_docstrings=True)
