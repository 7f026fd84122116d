"""Tokens: a real HTTPS issuer on loopback, a real broker that takes them, and tokens that are renewed in time."""

import asyncio
import base64
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from streams.embedded.security import AUDIENCE
from streams.errors import NotReachable, RefusalCode, Refused
from streams.log import tokens
from streams.log.admin import connected
from streams.log.token_endpoint import TokenEndpoint
from streams.log.tokens import KeptToken, OwnTokens, Token, TokenUnavailable, load_provider
from streams.secret import Secret
from tests.certificates import Authority
from tests.contract.log.test_secured import connection
from tests.secured import Secured

CLIENT, CANARY = "segue client", "CANARY/+%"


@asynccontextmanager
async def issuing(authority: Authority, folder: Path, answer: Any) -> AsyncIterator[str]:
    """Serve HTTPS with a certificate of the authority; give the address. `answer`: makes (status, body) of a form."""

    async def handle(request: web.Request) -> web.Response:
        status, body = answer(request.headers.get("Authorization", ""), dict(await request.post()))
        return web.json_response(body, status=status)

    application = web.Application()
    application.router.add_post("/token", handle)
    runner = web.AppRunner(application)
    await runner.setup()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.write(folder / "issuer.pem", "issuer", "localhost"))
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield f"https://localhost:{runner.addresses[0][1]}/token"
    finally:
        await runner.cleanup()


def variables(secured: Secured, url: str) -> dict[str, str]:
    return {
        "SEGUE_KAFKA_BOOTSTRAP_SERVERS": secured.server.bootstrap_of("TOKEN"),
        "SEGUE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "SEGUE_KAFKA_SSL_CAFILE": str(secured.authority.file),
        "SEGUE_KAFKA_SASL_MECHANISM": "OAUTHBEARER",
        "SEGUE_KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL": url,
        "SEGUE_KAFKA_SASL_OAUTHBEARER_CLIENT_ID": CLIENT,
        "SEGUE_KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET": CANARY,
        "SEGUE_KAFKA_SASL_OAUTHBEARER_SCOPE": "kafka",
        "SEGUE_KAFKA_SASL_OAUTHBEARER_CAFILE": str(secured.authority.file),
    }


async def test_client_credentials_bring_a_token_that_the_broker_takes(secured: Secured, tmp_path: Path) -> None:
    asked: list[tuple[str, dict[str, str]]] = []

    def answer(authorization: str, form: dict[str, str]) -> tuple[int, Any]:
        asked.append((authorization, form))
        return 200, {
            "access_token": secured.issuer.token("worker", AUDIENCE),
            "token_type": "Bearer",
            "expires_in": 3600,
        }

    async with issuing(secured.authority, tmp_path, answer) as url:
        to = connection(variables(secured, url))
        for _ in range(2):
            async with connected(to) as cluster:
                assert await cluster.existing([]) == {}
    login = base64.b64encode(b"segue%20client:CANARY%2F%2B%25").decode()
    assert asked == [(f"Basic {login}", {"grant_type": "client_credentials", "scope": "kafka"})]


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (
            401,
            {"error": "invalid_client", "error_description": "CANARY"},
            "refuses this client (status 401, invalid_client): see SEGUE_KAFKA_SASL_OAUTHBEARER_CLIENT_ID and"
            " SEGUE_KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET",
        ),
        (400, {"error": "CANARY 1"}, "refuses this client (status 400): see"),
        (200, {"token": "CANARY"}, "answered without an access_token: see the address in its setting"),
    ],
)
async def test_an_issuer_that_refuses_is_told(
    secured: Secured, tmp_path: Path, status: int, body: Any, told: str
) -> None:
    async with issuing(secured.authority, tmp_path, lambda *_: (status, body)) as url:
        with pytest.raises(Refused) as refused:
            async with connected(connection(variables(secured, url))):
                pass
    assert refused.value.code == RefusalCode.TOKEN
    assert told in str(refused.value)
    assert "CANARY" not in str(refused.value)


async def test_an_issuer_that_is_away_is_no_refusal(secured: Secured, tmp_path: Path) -> None:
    async with issuing(secured.authority, tmp_path, lambda *_: (503, {})) as url:
        for address in (url, "https://localhost:1/token"):
            with pytest.raises(NotReachable) as away:
                async with connected(connection(variables(secured, address))):
                    pass
            assert not isinstance(away.value, Refused)


async def test_an_issuer_whose_authority_is_not_known_is_told(secured: Secured, tmp_path: Path) -> None:
    async with issuing(Authority(tmp_path, "other"), tmp_path, lambda *_: (200, {})) as url:
        endpoint = TokenEndpoint(url, CLIENT, Secret("X", CANARY), cafile=secured.authority.file)
        with pytest.raises(TokenUnavailable, match="is not trusted: see SEGUE_KAFKA_SASL_OAUTHBEARER_CAFILE"):
            await endpoint.ask()


async def test_a_token_is_renewed_in_time_and_shared() -> None:
    now, made = [0.0], list[str]()
    away = False

    async def get() -> Token:
        await asyncio.sleep(0)
        if away:
            raise TokenUnavailable("away", refused=False)
        made.append(f"token-{len(made)}")
        return Token(made[-1], 100)

    source = KeptToken(get, lambda: now[0])
    assert await asyncio.gather(*(source.token() for _ in range(3))) == ["token-0"] * 3
    now[0] = 79
    assert await source.token() == "token-0"
    away, now[0] = True, 81
    assert await source.token() == "token-0"
    now[0] = 101
    with pytest.raises(TokenUnavailable):
        await source.token()
    away = False
    assert await source.token() == "token-1"
    assert "token" not in repr(Token("token-1", 1)).lower().replace("token(", "")


def own_tokens() -> str:
    """Stand for a company's own source of tokens."""
    return os.environ["SEGUE_TEST_TOKEN"]


async def test_a_token_of_ones_own_code_lets_one_in(secured: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_TEST_TOKEN", secured.issuer.token("worker", AUDIENCE))
    given = {
        "SEGUE_KAFKA_BOOTSTRAP_SERVERS": secured.server.bootstrap_of("TOKEN"),
        "SEGUE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "SEGUE_KAFKA_SSL_CAFILE": str(secured.authority.file),
        "SEGUE_KAFKA_SASL_MECHANISM": "OAUTHBEARER",
        "SEGUE_KAFKA_SASL_OAUTHBEARER_PROVIDER": f"{__name__}:own_tokens",
    }
    async with connected(connection(given)) as cluster:
        assert await cluster.existing([]) == {}


async def test_code_that_never_answers_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never() -> str:
        await asyncio.Event().wait()
        return ""

    monkeypatch.setattr("streams.log.tokens.TOKEN_S", 0.05)
    with pytest.raises(TokenUnavailable, match="it failed with TimeoutError") as late:
        await OwnTokens(never).token()
    assert not late.value.refused


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nowhere.at_all:token", r"nowhere.at_all:token cannot be imported: No module named 'nowhere'"),
        (f"{__name__}:nothing", f"{__name__} has no nothing"),
        (f"{__name__}:CLIENT", f"{__name__}:CLIENT is no function"),
        ("nothing", "there is no entry point 'nothing' in the group segue.kafka_tokens"),
    ],
)
def test_a_source_of_tokens_that_is_not_there_is_told(name: str, told: str) -> None:
    with pytest.raises(ValueError, match=f"SEGUE_KAFKA_SASL_OAUTHBEARER_PROVIDER: {told}"):
        load_provider(name)


async def test_amazons_signer_makes_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(tokens.SIGNER, reason="the extra msk is not installed")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASYNTHETIC")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "synthetic")
    token = await tokens.msk_signer("eu-central-1")()
    assert "kafka.eu-central-1.amazonaws.com" in base64.urlsafe_b64decode(token.value + "==").decode()
    assert 600 < token.seconds < 1000
