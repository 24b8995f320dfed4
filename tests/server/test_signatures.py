"""The server lets in exactly the requests that the carrier's own package accepts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlencode

import aiohttp
import pytest
from multidict import CIMultiDict, MultiDict
from server_office import AUTH_TOKEN, WITHIN_S, Office, post
from twilio.request_validator import RequestValidator
from yarl import URL

OpenOffice = Callable[..., Awaitable[Office]]
Form = tuple[tuple[str, str], ...]

JUDGE = RequestValidator(AUTH_TOKEN)
SETTINGS_HEADER = "X-Twilio-Webhooks-Signature-Settings"
A_SIGNATURE = "A" * 27 + "="
VOICE, MEDIA = "/twilio/voice", "/twilio/media"
PUBLIC = "https://bridge.example.com"
CALL: Form = (("CallSid", "CA1"), ("From", "+15550100001"), ("To", "+15550100002"))


@dataclass(frozen=True, kw_only=True)
class Post:
    """A webhook: what the carrier signed, and what arrives. By default both are the same.

    ``signed_url`` and ``url`` may contain ``{here}``, the address at which the bridge listens.
    """

    good: bool
    public: str | None = PUBLIC
    path: str = VOICE
    form: Form = CALL
    signed_url: str | None = None
    signed_form: Form | None = None
    token: str = AUTH_TOKEN
    header: str | None = "X-Twilio-Signature"
    spoil: Callable[[str], str] = str


def swapped(form: Form) -> Form:
    return tuple(reversed(form))


POSTS = {
    "as it should be": Post(good=True),
    "fields in another order": Post(good=True, form=swapped(CALL), signed_form=CALL),
    "signed by another account": Post(good=False, token="another-token"),
    "signed with an empty token": Post(good=False, token=""),
    "a field altered": Post(good=False, signed_form=(("CallSid", "CA2"), *CALL[1:])),
    "a field added": Post(good=False, signed_form=CALL[:-1]),
    "a field taken away": Post(good=False, signed_form=(*CALL, ("Digits", "1"))),
    "a field renamed": Post(good=False, signed_form=(("callsid", "CA1"), *CALL[1:])),
    "a blank moved between name and value": Post(
        good=True, form=(*CALL, ("Ab", "c")), signed_form=(*CALL, ("A", "bc"))
    ),
    "unsigned": Post(good=False, header=None),
    "an empty signature": Post(good=False, spoil=lambda _: ""),
    "half a signature": Post(good=False, spoil=lambda signature: signature[:14]),
    "a signature and more": Post(good=False, spoil=lambda signature: signature + "="),
    "a signature in small letters": Post(good=False, spoil=str.lower),
    "a signature beyond ASCII": Post(good=False, spoil=lambda signature: signature[:-1] + "é"),
    "its header in small letters": Post(good=True, header="x-twilio-signature"),
    "an unknown new field": Post(good=True, form=(*CALL, ("BrandNew", "42"))),
    "empty values": Post(good=True, form=(*CALL, ("FromCity", ""), ("ToCity", ""))),
    "an empty value that was not signed": Post(
        good=False, form=(*CALL, ("X", "")), signed_form=CALL
    ),
    "values with blanks around them": Post(good=True, form=(*CALL, ("CallerName", "  Ann  "))),
    "values trimmed on the way": Post(
        good=False, form=(*CALL, ("A", "x")), signed_form=(*CALL, ("A", " x"))
    ),
    "umlauts, signs and emoji": Post(
        good=True, form=(*CALL, ("CallerName", "Jürgen Ödön & Söhne ☎ 📞 +=%"))
    ),
    "letters composed differently": Post(
        good=False, form=(*CALL, ("A", "\u00e9")), signed_form=(*CALL, ("A", "e\u0301"))
    ),
    "a line break in a value": Post(good=True, form=(*CALL, ("SpeechResult", "one\r\ntwo\n"))),
    "names that differ in case only": Post(good=True, form=(*CALL, ("a", "1"), ("A", "2"))),
    "a field twice with the same value": Post(
        good=True, form=(*CALL, ("A", "1"), ("A", "1")), signed_form=(*CALL, ("A", "1"))
    ),
    "a field twice with two values": Post(good=True, form=(*CALL, ("A", "2"), ("A", "1"))),
    "a field twice, one value signed": Post(
        good=False, form=(*CALL, ("A", "1"), ("A", "2")), signed_form=(*CALL, ("A", "1"))
    ),
    "a query string": Post(good=True, path=VOICE + "?persona=night&empty="),
    "a query string altered": Post(
        good=False, path=VOICE + "?a=1", signed_url=PUBLIC + VOICE + "?a=2"
    ),
    "a query string that was not signed": Post(
        good=False, path=VOICE + "?a=1", signed_url=PUBLIC + VOICE
    ),
    "a query string with escapes": Post(good=True, path=VOICE + "?name=J%C3%BCrgen%20%2B+x%2fy"),
    "escapes spelled otherwise": Post(
        good=False, path=VOICE + "?x=%2f", signed_url=PUBLIC + VOICE + "?x=%2F"
    ),
    "its port written out": Post(good=True, signed_url=PUBLIC + ":443" + VOICE),
    "a port that is not its own": Post(good=False, signed_url=PUBLIC + ":8443" + VOICE),
    "a public URL with its own port": Post(good=True, public=PUBLIC + ":443"),
    "a public URL with its own port, left out": Post(
        good=True, public=PUBLIC + ":443", signed_url=PUBLIC + VOICE
    ),
    "a public URL with another port": Post(good=True, public=PUBLIC + ":8443"),
    "a public URL with another port, left out": Post(
        good=True, public=PUBLIC + ":8443", signed_url=PUBLIC + VOICE
    ),
    "a public URL with another port, exchanged": Post(
        good=False, public=PUBLIC + ":8443", signed_url=PUBLIC + ":443" + VOICE
    ),
    "http for https": Post(good=False, signed_url="http://bridge.example.com" + VOICE),
    "https for http": Post(
        good=False, public="http://bridge.example.com", signed_url=PUBLIC + VOICE
    ),
    "http as configured": Post(good=True, public="http://bridge.example.com"),
    "http with its port written out": Post(
        good=True,
        public="http://bridge.example.com",
        signed_url="http://bridge.example.com:80" + VOICE,
    ),
    "another host": Post(good=False, signed_url="https://evil.example.com" + VOICE),
    "a host in capitals": Post(good=False, signed_url="https://BRIDGE.example.com" + VOICE),
    "another path": Post(good=False, signed_url=PUBLIC + "/twilio/after-stream"),
    "a slash at the end": Post(good=False, signed_url=PUBLIC + VOICE + "/"),
    "the address behind the proxy": Post(good=False, signed_url="{here}" + VOICE),
    "no public URL, the host as asked for": Post(
        good=True, public=None, signed_url="{here}" + VOICE
    ),
    "no public URL, another host": Post(good=False, public=None, signed_url=PUBLIC + VOICE),
    "the other webhook": Post(good=True, path="/twilio/after-stream"),
    "the other webhook, unsigned": Post(good=False, path="/twilio/after-stream", header=None),
}


@pytest.mark.parametrize("name", POSTS)
async def test_a_webhook_is_taken_exactly_where_the_carriers_package_takes_it(
    open_office: OpenOffice, name: str
) -> None:
    case = POSTS[name]
    office = await open_office(public_url=case.public)
    here = office.bridge.url
    url = (case.public or here) + case.path
    signed = (case.signed_url or url).replace("{here}", here)
    fields = MultiDict(case.form if case.signed_form is None else case.signed_form)
    signature = case.spoil(RequestValidator(case.token).compute_signature(signed, fields))
    judged = case.header is not None and JUDGE.validate(url, MultiDict(case.form), signature)
    assert judged == case.good
    header = {} if case.header is None else {case.header: signature}
    status, _ = await post(here + case.path, case.form, header)
    assert status == (200 if case.good else 403)


@dataclass(frozen=True, kw_only=True)
class Handshake:
    """A websocket's handshake: the URL that was signed, under the bridge's public one."""

    good: bool
    signed: str
    public: str | None = PUBLIC
    path: str = MEDIA
    token: str = AUTH_TOKEN


WSS = "wss://bridge.example.com"
HANDSHAKES = {
    "as the TwiML has it": Handshake(good=True, signed=WSS + MEDIA),
    "spelled https": Handshake(good=True, signed=PUBLIC + MEDIA),
    "spelled ws": Handshake(good=False, signed="ws://bridge.example.com" + MEDIA),
    "spelled http": Handshake(good=False, signed="http://bridge.example.com" + MEDIA),
    "its port written out": Handshake(good=True, signed=WSS + ":443" + MEDIA),
    "https with its port written out": Handshake(good=True, signed=PUBLIC + ":443" + MEDIA),
    "another port": Handshake(good=False, signed=WSS + ":8443" + MEDIA),
    "a public URL with its own port": Handshake(
        good=True, public=PUBLIC + ":443", signed=WSS + ":443" + MEDIA
    ),
    "a public URL with its own port, left out": Handshake(
        good=True, public=PUBLIC + ":443", signed=WSS + MEDIA
    ),
    "a public URL with another port": Handshake(
        good=True, public=PUBLIC + ":8443", signed=WSS + ":8443" + MEDIA
    ),
    "a public URL with another port, left out": Handshake(
        good=True, public=PUBLIC + ":8443", signed=WSS + MEDIA
    ),
    "an http public URL": Handshake(
        good=True, public="http://bridge.example.com", signed="ws://bridge.example.com" + MEDIA
    ),
    "an http public URL with its port written out": Handshake(
        good=True, public="http://bridge.example.com", signed="ws://bridge.example.com:80" + MEDIA
    ),
    "an http public URL, spelled wss": Handshake(
        good=False, public="http://bridge.example.com", signed=WSS + MEDIA
    ),
    "no public URL": Handshake(good=True, public=None, signed="{here}" + MEDIA),
    "a query string": Handshake(good=True, path=MEDIA + "?a=%20b", signed=WSS + MEDIA + "?a=%20b"),
    "a query string that was not signed": Handshake(
        good=False, path=MEDIA + "?a=1", signed=WSS + MEDIA
    ),
    "another path": Handshake(good=False, signed=WSS + VOICE),
    "signed by another account": Handshake(good=False, signed=WSS + MEDIA, token="another-token"),
}


def is_judged_good(url: str, signature: str) -> bool:
    """Ask the carrier's package about a websocket's URL or its https spelling.

    The port is written out, since the package takes 80 for the default one of wss (Twilio Media
    Streams, section 6); with a port it tries the URL as it is and without.
    """
    scheme, _, host, *_ = url.split("/")
    if ":" not in host:
        url = url.replace(host, f"{host}:{443 if scheme == 'wss:' else 80}")
    http = "http" + url.removeprefix("ws")
    return bool(JUDGE.validate(url, {}, signature) or JUDGE.validate(http, {}, signature))


@pytest.mark.parametrize("name", HANDSHAKES)
async def test_a_handshake_is_taken_exactly_where_the_carriers_package_takes_it(
    open_office: OpenOffice, name: str
) -> None:
    case = HANDSHAKES[name]
    office = await open_office(public_url=case.public)
    here = office.media_url.removesuffix(MEDIA)
    url = "ws" + case.public.removeprefix("http") if case.public else here
    signed = case.signed.replace("{here}", here)
    signature = RequestValidator(case.token).compute_signature(signed, {})
    assert is_judged_good(url + case.path, signature) == case.good
    status = await shake_hands(here + case.path, {"X-Twilio-Signature": signature})
    assert status == (101 if case.good else 403)


async def test_a_handshake_without_a_signature_is_refused(open_office: OpenOffice) -> None:
    office = await open_office()
    assert await shake_hands(office.media_url, {}) == 403
    assert office.model.sessions == []


async def shake_hands(url: str, headers: dict[str, str]) -> int:
    async with asyncio.timeout(WITHIN_S), aiohttp.ClientSession() as http:
        try:
            async with http.ws_connect(URL(url, encoded=True), headers=headers):
                return 101
        except aiohttp.WSServerHandshakeError as error:
            return error.status


async def test_a_signed_request_that_is_no_websocket_is_told_to_become_one(
    open_office: OpenOffice,
) -> None:
    office = await open_office()
    url = office.bridge.url + MEDIA
    signature = JUDGE.compute_signature(url, {})
    async with (
        asyncio.timeout(WITHIN_S),
        aiohttp.ClientSession() as http,
        http.get(url, headers={"X-Twilio-Signature": signature}) as response,
    ):
        assert response.status == 426


RAW = {
    "a field of invalid UTF-8": (VOICE, b"CallSid=\xff\xfe", {}, 400),
    "a field of escaped invalid UTF-8": (VOICE, b"CallSid=%FF%FE", {}, 403),
    "a form in no known charset": (
        VOICE,
        b"CallSid=CA1",
        {"Content-Type": "application/x-www-form-urlencoded; charset=klingon"},
        400,
    ),
    "a form of very many fields": (VOICE, b"&".join([b"a=1"] * 201), {}, 400),
    "a form that is too large": (VOICE, b"CallSid=CA1&A=" + b"x" * 70_000, {}, 413),
    "a host that is no host": (VOICE, b"CallSid=CA1", {"Host": "x:notaport"}, 403),
    "a host with half a bracket": (VOICE, b"CallSid=CA1", {"Host": "[::1"}, 403),
    "JSON": (VOICE, b'{"CallSid":"CA1"}', {"Content-Type": "application/json"}, 403),
    "a form of parts": (
        VOICE,
        b'--x\r\nContent-Disposition: form-data; name="CallSid"\r\n\r\nCA1\r\n--x--\r\n',
        {"Content-Type": "multipart/form-data; boundary=x"},
        403,
    ),
    "a form of parts without a boundary": (
        VOICE,
        b"CallSid=CA1",
        {"Content-Type": "multipart/form-data"},
        403,
    ),
    "an algorithm that is none": (
        VOICE,
        b"CallSid=CA1",
        {SETTINGS_HEADER: "key=webhooks_sharedkey_1,algorithm=NONE"},
        403,
    ),
    "a signature twice": (VOICE, b"CallSid=CA1", {"x-twilio-signature": A_SIGNATURE}, 403),
    "nothing": (VOICE, b"", {}, 403),
}
"""Bodies and headers that no carrier sends, with what could be a signature; the status they get."""


@pytest.mark.parametrize("name", RAW)
async def test_a_request_that_makes_no_sense_is_refused_without_a_stumble(
    open_office: OpenOffice, name: str
) -> None:
    path, body, headers, expected = RAW[name]
    office = await open_office()
    signed = [("X-Twilio-Signature", A_SIGNATURE), *headers.items()]
    status, _ = await post(office.bridge.url + path, body, CIMultiDict(signed))
    assert status == expected


async def test_a_path_that_is_not_unicode_is_refused_without_a_stumble(
    open_office: OpenOffice,
) -> None:
    office = await open_office()
    host, port = office.bridge.url.removeprefix("http://").split(":")
    async with asyncio.timeout(WITHIN_S):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            b"POST /twilio/voice?x=\xff\xfe HTTP/1.1\r\nHost: bridge\r\nConnection: close\r\n"
            b"X-Twilio-Signature: " + A_SIGNATURE.encode() + b"\r\nContent-Length: 0\r\n\r\n"
        )
        status = (await reader.readline()).split()[1]
        writer.close()
        await writer.wait_closed()
    assert status in {b"400", b"403"}


async def test_a_signed_webhook_without_a_call_is_a_bad_request(open_office: OpenOffice) -> None:
    office = await open_office()
    status, _ = await office.post(VOICE, From="+15550100001")
    assert status == 400


async def test_without_a_token_of_the_carrier_anybody_is_let_in(open_office: OpenOffice) -> None:
    office = await open_office(auth_token=None)
    status, _ = await post(office.bridge.url + VOICE, urlencode(CALL).encode(), {})
    assert status == 200
    assert await shake_hands(office.media_url, {}) == 101
