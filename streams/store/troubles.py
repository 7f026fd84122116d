"""What went wrong between this process and a server of Redis, in one sentence that says what to do.

`trouble` looks at an error that was caught, and at the reply behind it. No sentence quotes a key, a subject, a
password, or an address with a password in it.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from redis.exceptions import AuthenticationError, RedisError, ResponseError

from streams.errors import StoreCode, StoreRefused, Unanswered
from streams.secret import SecretUnreadable
from streams.store.access import Entry, Node

EXPIRED, NOT_YET = 10, 9
UNTRUSTED: Final = frozenset({2, 18, 19, 20, 21})
OTHER_HOST: Final = frozenset({62, 64})
"""Numbers of OpenSSL's checks of a certificate (X509_V_ERR_…)."""
CLIENT_ALERTS: Final = ("CERTIFICATE_REQUIRED", "UNKNOWN_CA", "CERTIFICATE_EXPIRED", "BAD_CERTIFICATE", "DECRYPT_ERROR")
"""Ends of the names of alerts with which a server turns a client's certificate down, or misses it."""
NO_TLS: Final = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG")
"""What OpenSSL calls an answer that is no TLS."""
_COMMAND: Final = re.compile(r"run the '([a-z|_-]+)' command")


class NoSuchPrimary(Exception):
    """The sentinels know no primary of that name."""


def code_of(error: RedisError) -> str:
    """Return the code of an error reply: READONLY, OOM, ERR …"""
    return getattr(error, "status_code", None) or str(error).partition(" ")[0]


def first_error(replies: Iterable[Any]) -> ResponseError | None:
    """Return the first error among replies: EXECABORT comes after the error that caused it. None: there is none."""
    return next((reply for reply in replies if isinstance(reply, ResponseError)), None)


def lacks_right(error: BaseException) -> bool:
    """Return whether an error reply says that the user may not do this; EXEC says it inside another error."""
    code = code_of(error) if isinstance(error, RedisError) else ""
    return code == "NOPERM" or (code == "EXECABORT" and _COMMAND.search(str(error)) is not None)


def is_of_keys(error: BaseException) -> bool:
    """Return whether the right that is lacking is one to keys, not one to a command."""
    return _COMMAND.search(str(error)) is None


def trouble(error: BaseException, entry: Entry, node: Node | None) -> Unanswered:
    """Return the error for the caller: StoreRefused if a person must change something, else Unanswered."""
    where = f"{entry.kind} at {node}" if node is not None else entry.kind
    for one in _chain(error):
        for judge in _JUDGES:
            found = judge(one, entry, where)
            if found is not None:
                return found
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return Unanswered(f"{where} did not answer in time")
    return Unanswered(f"lost the connection to {where} ({type(error).__name__})")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Return an error and those behind it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _of_reply(error: BaseException, entry: Entry, where: str) -> Unanswered | None:
    """Judge an error reply: a login, a right, a role."""
    if not isinstance(error, AuthenticationError | ResponseError):
        return None
    code, text = code_of(error), str(error)
    if code == "NOAUTH":
        what = f"{where} asks for a login: set {entry.setting}_PASSWORD, and {entry.setting}_USERNAME for an ACL user"
        return StoreRefused(StoreCode.CREDENTIALS, what)
    if code == "WRONGPASS" or "invalid password" in text:
        way = f"is {entry.password.setting} right, and is the user switched on?"
        if entry.password.file is not None:
            way = f"is the content of {entry.password.file} ({entry.password.setting}_FILE) right?"
        return StoreRefused(StoreCode.CREDENTIALS, f"{where} refuses the password of user {entry.user}: {way}")
    if "without any password configured" in text:
        way = (
            f"take {entry.password.setting} away, or out of the address, or set {entry.setting}_USERNAME to an ACL user"
        )
        return StoreRefused(StoreCode.CREDENTIALS, f"{where} has no password for user 'default': {way}")
    if lacks_right(error):
        return no_right(entry, where, [found[1]] if (found := _COMMAND.search(text)) else [])
    if code == "READONLY":
        way = "name the primary, all nodes of the cluster, or its sentinels"
        what = f"{where} is a replica and takes no writes (READONLY): {way}"
        return StoreRefused(StoreCode.REPLICA, what)
    if "unknown command" in text and entry.kind != "Redis":
        way = "name the sentinels, which usually listen on port 26379, or begin the address with redis:// or rediss://"
        return StoreRefused(StoreCode.SENTINEL, f"{where.removeprefix('the sentinel at ')} is no sentinel: {way}")
    if "SELECT is not allowed in cluster mode" in text:
        what = f"{where} is a node of a cluster, which has database 0 only: end the address with /0"
        return StoreRefused(StoreCode.CLUSTER, what)
    if "DB index is out of range" in text:
        return StoreRefused(StoreCode.PROTOCOL, f"{where} has no database of that number: end the address with /0")
    return None


def no_right(entry: Entry, where: str, commands: list[str]) -> StoreRefused:
    """Return the error for rights that are missing: of these commands, or of the keys where none is named."""
    if commands:
        what = f"may not run {', '.join(one.upper() for one in commands)}"
    else:
        what = "may not use the keys that begin with SEGUE_REDIS_PREFIX and a colon"
    give = "give it the rights in deploy/redis/segue.acl"
    if entry.kind != "Redis":
        give = "give it +sentinel|get-master-addr-by-name"
    return StoreRefused(StoreCode.RIGHT, f"user {entry.user} of {where} {what} (NOPERM): {give}")


def _of_certificate(error: BaseException, entry: Entry, where: str) -> Unanswered | None:
    """Judge OpenSSL's verdict on the server's certificate."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return None
    number, cafile = error.verify_code, None if entry.tls is None else entry.tls.cafile
    if number == EXPIRED:
        what = "has expired: renew it on the server"
    elif number == NOT_YET:
        what = "is not valid yet: is the clock of this machine right?"
    elif number in UNTRUSTED:
        authority = "no authority that this system trusts" if cafile is None else f"no authority in {cafile}"
        what = f"is signed by {authority}: name its authority in SEGUE_REDIS_SSL_CAFILE"
    elif number in OTHER_HOST:
        what = "names another host: use a name that it has; a cluster must announce names (cluster-announce-hostname)"
    else:
        what = f"does not hold ({error.verify_message})"
    return StoreRefused(StoreCode.SERVER_CERTIFICATE, f"the certificate of {where} {what}")


def _of_tls(error: BaseException, entry: Entry, where: str) -> Unanswered | None:
    """Judge what else ends TLS: an alert of the server, or an answer that is no TLS."""
    if not isinstance(error, ssl.SSLError):
        return None
    reason = error.reason or ""
    if reason.endswith(CLIENT_ALERTS) and "ALERT" in reason:
        shown = None if entry.tls is None else entry.tls.certfile
        if shown is None:
            what = f"{where} asks for a certificate of this process: set SEGUE_REDIS_SSL_CERTFILE and …_KEYFILE"
        elif reason.endswith("EXPIRED"):
            what = f"{where} refuses the certificate in {shown} (SEGUE_REDIS_SSL_CERTFILE): it has expired, renew it"
        else:
            way = "is its authority one that the server trusts?"
            what = f"{where} refuses the certificate in {shown} (SEGUE_REDIS_SSL_CERTFILE): {way}"
        return StoreRefused(StoreCode.CLIENT_CERTIFICATE, what)
    if reason.endswith(NO_TLS):
        return takes_no_tls(entry, where)
    return Unanswered(f"TLS with {where} ended ({reason or type(error).__name__})")


def takes_no_tls(entry: Entry, where: str) -> StoreRefused:
    """Return the error for TLS against a plain port."""
    way = "name its TLS port, or begin the address with redis:// instead of rediss://"
    if entry.kind != "Redis":
        way = "set SEGUE_REDIS_SENTINEL_SSL to false, or name its TLS port"
    return StoreRefused(StoreCode.PROTOCOL, f"{where} does not speak TLS on this port: {way}")


def takes_tls_only(entry: Entry, where: str) -> StoreRefused:
    """Return the error for plain text against a TLS port."""
    way = "begin the address with rediss:// instead of redis://"
    if entry.kind != "Redis":
        way = "set SEGUE_REDIS_SENTINEL_SSL to true"
    return StoreRefused(StoreCode.PROTOCOL, f"{where} speaks TLS only on this port: {way}")


def _of_file(error: BaseException, _entry: Entry, _where: str) -> Unanswered | None:
    """Judge a secret that cannot be read."""
    return StoreRefused(StoreCode.FILE, str(error)) if isinstance(error, SecretUnreadable) else None


def _of_sentinel(error: BaseException, _entry: Entry, where: str) -> Unanswered | None:
    """Judge sentinels that know no such primary."""
    if not isinstance(error, NoSuchPrimary):
        return None
    what = (
        f"{where} knows no primary of the name {str(error)!r}: is SEGUE_REDIS_SENTINEL_MASTER, or the address, right?"
    )
    return StoreRefused(StoreCode.SENTINEL, what)


def _of_network(error: BaseException, entry: Entry, where: str) -> Unanswered | None:
    """Judge a server that is not there."""
    setting = f"{entry.setting}_URL" if entry.kind == "Redis" else "SEGUE_REDIS_SENTINELS"
    if isinstance(error, socket.gaierror):
        return Unanswered(f"{where} cannot be found: there is no host of that name; is {setting} right?")
    if isinstance(error, ConnectionRefusedError | FileNotFoundError):
        return Unanswered(f"{where} refuses the connection: is it up, and is {setting} right?")
    return None


Judge = Callable[[BaseException, Entry, str], Unanswered | None]
_JUDGES: Final[tuple[Judge, ...]] = (_of_reply, _of_certificate, _of_tls, _of_file, _of_sentinel, _of_network)

FILE_SETTINGS: Final[Mapping[str, str]] = {
    "cafile": "SEGUE_REDIS_SSL_CAFILE",
    "certfile": "SEGUE_REDIS_SSL_CERTFILE",
    "keyfile": "SEGUE_REDIS_SSL_KEYFILE",
}


def wrong_file(entry: Entry, error: OSError) -> StoreRefused:
    """Return the error for files of certificates that cannot be read or used."""
    tls = entry.tls
    assert tls is not None
    named = str(error.filename or "")
    for field, setting in FILE_SETTINGS.items():
        if named and named == str(getattr(tls, field)):
            return StoreRefused(StoreCode.FILE, f"{setting}: {named}: {error.strerror}")
    if isinstance(error, ssl.SSLError) and (error.reason or "").endswith("KEY_VALUES_MISMATCH"):
        what = "SEGUE_REDIS_SSL_KEYFILE is not the key of the certificate in SEGUE_REDIS_SSL_CERTFILE"
    elif tls.certfile is None:
        what = f"SEGUE_REDIS_SSL_CAFILE: {tls.cafile} holds no certificate in PEM"
    else:
        files = f"{tls.certfile} and {tls.keyfile or tls.certfile}"
        lack = "no certificate with its key in PEM, or the password of the key is wrong"
        what = f"SEGUE_REDIS_SSL_CERTFILE: {files} hold {lack}"
    return StoreRefused(StoreCode.FILE, what)
