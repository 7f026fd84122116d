"""What a failure of aiokafka means: a refusal (a typed error with a sentence that says what to do), or a broker away.

This is the one place that knows how wrong passwords, certificates and rights look in aiokafka 0.14 and OpenSSL.
"""

import asyncio
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from aiokafka import errors

from streams.errors import NotReachable, RefusalCode, Refused
from streams.log.tokens import TokenUnavailable

if TYPE_CHECKING:
    from streams.log.connection import KafkaConnection

EXPIRED, NOT_YET, OTHER_HOST, OTHER_ADDRESS = 10, 9, 62, 64
"""Verification codes of OpenSSL (x509_vfy.h)."""
OUR_CERTIFICATE: Final = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants a client certificate: set SEGUE_KAFKA_SSL_CERTFILE",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the certificate in SEGUE_KAFKA_SSL_CERTFILE has expired: renew it",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not know the authority of the certificate in SEGUE_KAFKA_SSL_CERTFILE",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it wants a client certificate that it trusts: see SEGUE_KAFKA_SSL_CERTFILE",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it does not take the certificate in SEGUE_KAFKA_SSL_CERTFILE",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "the certificate in SEGUE_KAFKA_SSL_CERTFILE is revoked",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "it does not take certificates like that in SEGUE_KAFKA_SSL_CERTFILE",
}
"""What a broker's TLS alert means (RFC 8446, section 6.2), by OpenSSL's name for it."""
NO_TLS: Final = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG")
RIGHTS: Final[Mapping[type[BaseException], tuple[str, str]]] = {
    errors.TopicAuthorizationFailedError: ("topic", "use"),
    errors.GroupAuthorizationFailedError: ("group", "Read"),
    errors.ClusterAuthorizationFailedError: ("cluster", "use"),
    errors.TransactionalIdAuthorizationFailed: ("transactional id", "Write"),
}
"""What each error is about, and the right that it lacks where nobody knows better."""


def not_reachable(
    what: str, error: BaseException, connection: "KafkaConnection", detail: str = "", needs: str = ""
) -> NotReachable:
    """Return what a failed call to Kafka comes out as: a Refused where Kafka refuses, else a NotReachable.

    `what` was asked of Kafka; `detail` is what it waited for; `needs` is the right that it takes.
    """
    refused = right_refused(error, connection, needs)
    if refused is not None:
        return refused
    if connection.access.refusal is not None:
        return connection.access.refusal
    if hint := connection.access.hint():
        return NotReachable(hint)
    return NotReachable(f"{what}: {type(error).__name__}{detail and f', {detail}'}")


def right_refused(error: BaseException, connection: "KafkaConnection", needs: str) -> Refused | None:
    """Return the refusal if a right is missing: what the error names, else what the call `needs`."""
    for each in _causes(error):
        if type(each) in RIGHTS:
            kind, operation = RIGHTS[type(each)]
            if needs:
                operation = needs.partition(f" {kind}")[0]
            named = _named(each)
            what = f"{operation} {kind} {named}" if named else needs or f"{operation} {kind}"
            refused = right_missing(connection, what)
            connection.access.lacked(refused)
            return refused
    return None


def right_missing(connection: "KafkaConnection", right: str) -> Refused:
    """Say in one sentence which right is missing, such as `Read topic segue.owners`."""
    what = f"Kafka does not let {connection.who} {right}: add that ACL; `segue acls` lists what a role needs"
    return Refused(RefusalCode.RIGHT, what)


def _named(error: BaseException) -> str:
    """Return what an error of aiokafka names: topics, a group or a transactional id; "" for nothing."""
    [found] = error.args if len(error.args) == 1 else [""]
    if isinstance(found, set | frozenset | list | tuple):
        return ", ".join(sorted(str(each) for each in found))
    return found if isinstance(found, str) else ""


def hung_up(error: BaseException) -> bool:
    """Tell whether the other side ended a connection without a word."""
    silent = (asyncio.IncompleteReadError, ConnectionResetError, ConnectionAbortedError, ssl.SSLEOFError)
    return any(isinstance(each, silent) for each in _causes(error))


def of_file(error: Exception) -> Refused:
    """Return the refusal for a file that cannot be used; the error's text is the sentence."""
    return Refused(RefusalCode.FILE, str(error))


def of_connection(error: BaseException, address: tuple[str, int], connection: "KafkaConnection") -> Refused | None:
    """Say which refusal a failed connection was; None: none, the broker is away or slow."""
    where = f"Kafka at {address[0]}:{address[1]}"
    for each in _causes(error):
        if isinstance(each, TokenUnavailable):
            if not each.refused:
                return None
            return Refused(RefusalCode.TOKEN, f"{where} wants a token: {each}")
        if isinstance(each, errors.SaslAuthenticationFailed | errors.IllegalSaslStateError):
            return _not_let_in(where, connection)
        if isinstance(each, errors.UnsupportedSaslMechanismError):
            mechanism = "none" if connection.sasl is None else connection.sasl.spoken
            what = f"{where} does not take {mechanism} here: choose another SEGUE_KAFKA_SASL_MECHANISM"
            return Refused(RefusalCode.MECHANISM, what)
        if isinstance(each, ssl.SSLCertVerificationError):
            return Refused(RefusalCode.BROKER_CERTIFICATE, _broker_certificate(each, where, address[0]))
        if isinstance(each, ssl.SSLError):
            return _of_tls(each, where, connection)
    return None


def _not_let_in(where: str, connection: "KafkaConnection") -> Refused:
    sasl = connection.sasl
    if sasl is None:
        what = "it wants this process to log in: see SEGUE_KAFKA_SECURITY_PROTOCOL"
        return Refused(RefusalCode.PROTOCOL, f"{where} refuses: {what}")
    if sasl.tokens is not None:
        what = "it does not take the token: look at its issuer, audience, scope and time, and at the broker's log"
        return Refused(RefusalCode.TOKEN, f"{where} refuses: {what}")
    setting = "SEGUE_KAFKA_SASL_PASSWORD" + ("" if sasl.password.file is None else "_FILE")
    what = f"user {sasl.username!r} or the password is wrong: see SEGUE_KAFKA_SASL_USERNAME and {setting}"
    return Refused(RefusalCode.CREDENTIALS, f"{where} refuses: {what}")


def _broker_certificate(error: ssl.SSLCertVerificationError, where: str, host: str) -> str:
    if error.verify_code == EXPIRED:
        return f"the certificate of {where} has expired: renew it on the broker"
    if error.verify_code == NOT_YET:
        return f"the certificate of {where} is not valid yet: look at the clocks of both machines"
    if error.verify_code in (OTHER_HOST, OTHER_ADDRESS):
        return f"the certificate of {where} is for another host: it must name {host}"
    return f"the authority of the certificate of {where} is not known here: name its file in SEGUE_KAFKA_SSL_CAFILE"


def _of_tls(error: ssl.SSLError, where: str, connection: "KafkaConnection") -> Refused | None:
    reason = error.reason or ""
    if reason in OUR_CERTIFICATE and connection.tls.expired():
        # Java says "certificate unknown" of every certificate that it does not take
        reason = "SSLV3_ALERT_CERTIFICATE_EXPIRED"
    if reason in OUR_CERTIFICATE:
        return Refused(RefusalCode.CLIENT_CERTIFICATE, f"{where} refuses: {OUR_CERTIFICATE[reason]}")
    if reason in NO_TLS:
        what = f"{where} does not speak TLS: see its port and SEGUE_KAFKA_SECURITY_PROTOCOL"
        return Refused(RefusalCode.PROTOCOL, what)
    return None


def _causes(error: BaseException | None) -> list[BaseException]:
    """List an error and what caused it, the outermost first."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
