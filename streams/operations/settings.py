"""The settings of a deployment from the environment: read, checked against each other, and misspelt names found."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from rules.catalogue.assignment_key import SETTING_NAME
from rules.language.validation import closest
from streams.delivery.settings import DeliverySettings
from streams.operations.errors import WrongRequest
from streams.operations.plain import plain
from streams.secret import SecretUnreadable
from streams.settings import Deployment, Settings, assignment_secrets
from streams.store.access import RedisConnection
from streams.store.erasure_keys import ErasureKeys

PREFIX: Final = "SEGUE_"
ALSO_READ: Final = frozenset({"SEGUE_CACHE_DIR"})
"""Variables that are no settings: where the embedded servers' jars are kept."""
FOR_TESTS: Final = PREFIX + "TEST_"
_LINK_NAME: Final = re.compile(r"_SERVICE_(HOST|PORT(_\w+)?)$|_PORT_\d+_")
_LINK_VALUE: Final = re.compile(r"(tcp|udp|sctp)://")
"""Kubernetes sets `<NAME>_SERVICE_HOST`, `<NAME>_PORT=tcp://…` and others in every pod for a Service of that name."""

S = TypeVar("S", bound=BaseSettings)


@dataclass(frozen=True, slots=True)
class Misspelt:
    """A variable that nothing reads. `nearest`: the setting that was probably meant; None: none is near."""

    name: str
    nearest: str | None

    def __str__(self) -> str:
        meant = "" if self.nearest is None else f"; did you mean {self.nearest}?"
        return f"{self.name} is set, but there is no such setting{meant}"


def variables() -> list[str]:
    """Name every variable that is a setting."""
    models: tuple[type[BaseSettings], ...] = (Deployment, Settings, DeliverySettings)
    return [
        f"{model.model_config.get('env_prefix', '')}{name.upper()}" for model in models for name in model.model_fields
    ]


def misspelt(environment: Mapping[str, str] = os.environ) -> list[Misspelt]:
    """Find the `SEGUE_…` variables that nothing reads. Values are looked at for service links only, and never told."""
    known = variables()
    read = {*known, *ALSO_READ}
    return [
        Misspelt(name, _nearest(name.upper(), known))
        for name, value in sorted(environment.items())
        if name.upper().startswith(PREFIX)
        and name.upper() not in read
        and not re.fullmatch(SETTING_NAME, name.upper())
        and not name.upper().startswith(FOR_TESTS)
        and not _LINK_NAME.search(name.upper())
        and not _LINK_VALUE.match(value)
    ]


def _nearest(name: str, known: Iterable[str]) -> str | None:
    """Find the setting most like a name, by what follows the prefix that they all have."""
    found = closest(name.removeprefix(PREFIX), [each.removeprefix(PREFIX) for each in known])
    return None if found is None else PREFIX + found


def read_settings() -> tuple[Deployment, Settings]:
    """Read the settings of a deployment; raises WrongRequest with a line for each that is wrong."""
    deployment, settings = _read(Deployment), _read(Settings)
    if settings.request_timeout_ms >= settings.transaction_timeout_ms:
        raise WrongRequest("SEGUE_REQUEST_TIMEOUT_MS must be below SEGUE_TRANSACTION_TIMEOUT_MS")
    try:
        RedisConnection.of(settings)
        ErasureKeys.of(settings)
    except ValueError as wrong:
        raise WrongRequest(str(wrong)) from None
    _check_tokens(settings)
    _check_assignment_keys()
    return deployment, settings


def _check_assignment_keys() -> None:
    """See that every assignment key that is set can be read, and is set once. Raises WrongRequest."""
    seen: set[str] = set()
    for secret in assignment_secrets():
        if secret.setting in seen:
            raise WrongRequest(f"{secret.setting}: it is set, and {secret.setting}_FILE too; set one of them")
        seen.add(secret.setting)
        try:
            secret.reveal()
        except SecretUnreadable as wrong:
            raise WrongRequest(str(wrong)) from None


def _check_tokens(settings: Settings) -> None:
    """See that the source of tokens can be made. Raises WrongRequest."""
    if settings.kafka_sasl_mechanism not in ("OAUTHBEARER", "AWS_MSK_IAM"):
        return
    # few deployments need it, and no command should wait for it to load
    from streams.log.tokens import token_source

    try:
        token_source(settings)
    except ValueError as wrong:
        raise WrongRequest(str(wrong)) from None


def read_delivery_settings() -> DeliverySettings:
    """Read SEGUE_DELIVER_* and see that the shape has its credentials; raises WrongRequest, never with a value."""
    from streams.delivery.shapes import shape_of  # here, for start-up time: every command reads settings, one delivers

    found = _read(DeliverySettings)
    if not found.url:
        raise WrongRequest("SEGUE_DELIVER_URL is not set: where to deliver, https://…")
    try:
        shape_of(found)
    except ValueError as missing:
        text = str(missing)
        raise WrongRequest(text if text.startswith("SEGUE_") else f"SEGUE_DELIVER_SECRETS: {text}") from None
    return found


def _read(model: type[S]) -> S:
    try:
        return model()
    except ValidationError as wrong:
        prefix = model.model_config.get("env_prefix", "")
        raise WrongRequest(*_told(prefix, wrong.errors(include_input=False, include_context=False))) from None


def _told(prefix: str, errors: Iterable[Any]) -> Iterator[str]:
    """Say each error after the variable it is about; one of a whole model names its field first: `url: …`."""
    for error in errors:
        text = plain(error["msg"])
        name = "_".join(map(str, error["loc"]))
        if not name:
            name, _, text = text.partition(": ")
        yield f"{prefix}{name.upper()}: {text}"
