"""The pages of a process: where they answer, and the one sentence where they cannot."""

import asyncio
import json
import socket
import urllib.error
import urllib.request

import pytest

from streams.web import AddressRefused, address, serving

PAGES = {"/live": lambda: (200, {"live": True}), "/ready": lambda: (503, {"ready": False})}


def get(url: str) -> tuple[int, object]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status), json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"null") if error.code != 404 else None


async def test_pages_answer_on_a_free_port_and_no_other_page_does() -> None:
    async with serving(PAGES, "127.0.0.1", 0) as where:
        assert where.startswith("http://127.0.0.1:")
        assert await asyncio.to_thread(get, f"{where}/live") == (200, {"live": True})
        assert await asyncio.to_thread(get, f"{where}/ready") == (503, {"ready": False})
        for path in ("/", "/router", "/table", "/graph", "/stats"):
            assert (await asyncio.to_thread(get, where + path))[0] == 404


async def test_a_taken_port_is_one_sentence_that_names_the_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AddressRefused) as refused:
            async with serving(PAGES, "127.0.0.1", port):
                pass
    assert str(refused.value) == (
        f"SEGUE_WEB_PORT: another process listens on port {port} of 127.0.0.1 already;"
        " stop it, or give another port (0 takes a free one)"
    )


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70, "192.0.2.1"])
async def test_a_host_that_is_no_address_here_is_one_sentence_that_names_the_setting(host: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        async with serving(PAGES, host, 0, ("SEGUE_METRICS_HOST", "SEGUE_METRICS_PORT")):
            pass
    assert str(refused.value).startswith("SEGUE_METRICS_HOST: ")
    assert host in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_address_of_ip_version_6_stands_in_brackets() -> None:
    assert address("::", 6066) == "http://[::]:6066"
    assert address("127.0.0.1", 6066) == "http://127.0.0.1:6066"
