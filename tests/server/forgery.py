"""Requests as the carrier sends them, and a forger who changes them in one way or another."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from urllib.parse import quote, urlencode

from multidict import MultiDict
from twilio.request_validator import RequestValidator, get_signature_algorithm

Fields = tuple[tuple[str, str], ...]

HOST = "127.0.0.1"
SIGNATURE, SETTINGS = "X-Twilio-Signature", "X-Twilio-Webhooks-Signature-Settings"
FORM = "application/x-www-form-urlencoded"
MEDIA = "/twilio/media"
WEBHOOKS = (
    "/twilio/voice",
    "/twilio/after-stream?bridge.persona=front-desk",
    "/twilio/dial-done?bridge.persona=front-desk&bridge.why=transfer",
    "/twilio/status",
    "/twilio/stream-status",
    "/twilio/amd",
    "/twilio/colleague?bridge.call=CA1&bridge.attempt=1",
    "/twilio/colleague-status?bridge.call=CA1&bridge.attempt=1",
)
_WORDS = ("Ann", "Jürgen Öd & Söhne", "+=%", "☎ 📞", "", "  x ", "anonymous", "1\r\n2")


@dataclass(frozen=True)
class Request:
    """A request on the wire; ``form`` is None for a handshake."""

    path: str
    form: Fields | None
    signatures: tuple[str, ...]
    method: str = "POST"
    kind: str | None = FORM
    body: bytes | None = None
    headers: Fields = field(default=())

    @property
    def sent_body(self) -> bytes:
        """The body: the form, where there is no other."""
        return urlencode(self.form or ()).encode() if self.body is None else self.body

    def wire(self) -> bytes:
        """Write the request."""
        body = self.sent_body
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: {HOST}"]
        if self.form is None:
            lines += ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
            lines += ["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="]
        else:
            lines += [f"Content-Length: {len(body)}"]
            lines += [f"Content-Type: {self.kind}"] if self.kind else []
        lines += [f"{SIGNATURE}: {signature}" for signature in self.signatures]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join([*lines, "", ""]).encode() + body


class Forger:
    """Makes requests that were never sent, out of such as were."""

    def __init__(self, seed: int, auth_token: str, public: str) -> None:
        self._chance, self._public = Random(seed), public
        self._judge = RequestValidator(auth_token)

    def true(self, path: str | None = None) -> Request:
        """Write a request as the carrier does."""
        path = path or self._chance.choice((*WEBHOOKS, MEDIA))
        if path == MEDIA:
            return Request(path, None, (self.sign("ws" + self._public[4:] + path),), method="GET")
        names = ["AccountSid", "ApiVersion", "CallerName", "FromCity", "CallStatus", "Direction"]
        told = {
            "CallSid": f"CA{self._chance.getrandbits(128):032x}",
            "From": f"+1555{self._chance.randrange(10**7):07d}",
            "To": "+15550100002",
            **{name: self._chance.choice(_WORDS) for name in names},
            "SequenceNumber": str(self._chance.randrange(4)),
        }
        form = tuple(told.items())
        return Request(path, form, (self.sign(self._public + path, form),))

    def forged(self) -> Request:
        """Write a request that the carrier's own package refuses."""
        while True:
            request = self.true()
            forge = self._chance.choice(_OF_ALL if request.form is None else _OF_ALL + _OF_FORMS)
            forgery = forge(self, request)
            if not self.is_true(forgery):
                return forgery

    def is_true(self, request: Request) -> bool:
        """Ask the carrier's package; what it is not made for is told by the request's own kind."""
        if len(request.signatures) != 1:
            return False
        settings = ",".join(value for name, value in request.headers if name == SETTINGS)
        algorithm, claimed = get_signature_algorithm(settings), request.signatures[0]
        if request.form is None:
            urls = ("ws" + self._public[4:] + request.path, self._public + request.path)
            return any(self._judge.validate(url, {}, claimed, algorithm) for url in urls)
        if request.kind != FORM or request.method != "POST":
            return False
        url = self._public + request.path
        fields = MultiDict(request.form) if request.body is None else None
        return fields is not None and bool(self._judge.validate(url, fields, claimed, algorithm))

    def sign(self, url: str, form: Fields = (), token: str | None = None) -> str:
        """Sign as the carrier does."""
        judge = self._judge if token is None else RequestValidator(token)
        return str(judge.compute_signature(url, MultiDict(form)))

    # --- what can be forged of all requests ---------------------------------------------------

    def spoil_signature(self, request: Request) -> Request:
        one, chance = request.signatures[0], self._chance
        at = chance.randrange(len(one))
        other = self.sign(
            self._public + request.path, request.form or (), chance.choice(("", "other"))
        )
        spoilt: tuple[tuple[str, ...], ...] = (
            (),
            ("",),
            (one[:at],),
            (one + "=",),
            (one[:at] + chance.choice("AbC9+/=") + one[at + 1 :],),
            (one.lower(),),
            (one.swapcase(),),
            (one[::-1],),
            (f'"{one}"',),
            (f"{one}, {other}",),
            (f"{other}, {one}",),
            (one, one),
            (other, one),
            (one, other),
            (other,),
            (urlsafe_b64encode(one.encode()).decode(),),
            (quote(one, safe=""),),
            (one.encode().hex(),),
            ("é" * 28,),
            ("A" * 27 + "=",),
        )
        return replace(request, signatures=chance.choice(spoilt))

    def name_algorithm(self, request: Request) -> Request:
        algorithm = self._chance.choice(("HMAC_SHA256", "NONE", "HMAC_MD5", "none", "HMAC_SHA256 "))
        return replace(request, headers=((SETTINGS, f"key=k,algorithm={algorithm}"),))

    def sign_other_url(self, request: Request) -> Request:
        path, chance = request.path, self._chance
        secure, _, host = self._public.partition("://")
        plain = {"https": "http", "http": "https"}[secure]
        url = chance.choice(
            (
                f"{plain}://{host}{path}",
                f"ws{plain[4:]}://{host}{path}",
                f"{secure}://{host}:8443{path}",
                f"{secure}://{host}:80{path}",
                f"{secure}://{host.upper()}{path}",
                f"https://evil.example{path}",
                f"https://{host}.evil.example{path}",
                f"https://{host}@evil.example{path}",
                f"https://127.0.0.1{path}",
                f"https://bridge.example.com{path}",
                path,
                "",
            )
        )
        signed = replace(request, signatures=(self.sign(url, request.form or ()),))
        if chance.random() < 0.5:
            return signed
        scheme, _, rest = url.partition("://")
        lied = (
            ("X-Forwarded-Host", rest.partition("/")[0] or "evil.example"),
            ("X-Forwarded-Proto", scheme or "http"),
            ("X-Forwarded-For", "127.0.0.1"),
            ("Forwarded", f"host={rest.partition('/')[0]};proto={scheme}"),
            ("X-Original-URL", path),
        )
        return replace(signed, headers=lied)

    def change_path(self, request: Request) -> Request:
        path, chance = request.path, self._chance
        bare = path.partition("?")[0]
        other = chance.choice(
            (
                chance.choice((*WEBHOOKS, MEDIA)),
                path + ("&" if "?" in path else "?") + f"x={chance.randrange(10)}",
                bare + "?bridge.persona=night-line",
                bare + "?",
                bare + "/",
                bare.replace("twilio", "Twilio"),
                bare.replace("/twilio", "//twilio"),
                bare.replace("twilio", "%74wilio"),
                bare.replace("/twilio", "/./twilio"),
                bare + ";x=1",
                "/calls",
            )
        )
        return replace(request, path=other)

    # --- what can be forged of forms ----------------------------------------------------------

    def change_fields(self, request: Request) -> Request:
        form, chance = list(request.form or ()), self._chance
        at, other = chance.randrange(len(form)), chance.randrange(len(form))
        name, value = form[at]
        match chance.randrange(9):
            case 0:
                form[at] = name, value + chance.choice(("x", " ", "\0", "é"))
            case 1:
                del form[at]
            case 2:
                form.insert(at, ("Digits", str(chance.randrange(100))))
            case 3:
                form[at] = name.swapcase(), value
            case 4:
                form.append((name, value + "2"))
            case 5:
                form[at], form[other] = (name, form[other][1]), (form[other][0], value)
            case 6:
                form[at] = name + " ", value
            case 7:
                form = [("CallSid", "CA" + "0" * 32)]
            case 8:
                form = []
        return replace(request, form=tuple(form))

    def sign_less(self, request: Request) -> Request:
        """Sign a part of the request, or all of it in another way, with the true key."""
        form, chance, url = request.form or (), self._chance, self._public + request.path
        signed = chance.choice(
            (
                self.sign(url),
                self.sign(url, form[: chance.randrange(len(form))]),
                self.sign(url + urlencode(form)),
                self.sign(url + "".join(name for name, _ in sorted(form))),
                self.sign(url + "".join(value for _, value in sorted(form))),
                self.sign(url + "".join(name + value for name, value in reversed(form))),
                self.sign(url.partition("?")[0], form),
                self.sign(f"{url}?", form),
            )
        )
        return replace(request, signatures=(signed,))

    def change_body(self, request: Request) -> Request:
        body, chance = request.sent_body, self._chance
        at = chance.randrange(len(body))
        changed = chance.choice(
            (
                body[:at],
                body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :],
                body + b"&x=1",
                body + b"\0",
                quote(body, safe="").encode(),
                b"&".join(b"a%d=" % number for number in range(300)),
                b"x" * 70_000,
                b"\xff\xfe" + body,
            )
        )
        return replace(request, body=changed if changed != body else b"")

    def change_kind(self, request: Request) -> Request:
        told, chance = dict(request.form or ()), self._chance
        kind = chance.choice(
            (
                None,
                "text/plain",
                "application/json",
                "multipart/form-data; boundary=x",
                FORM + "; charset=utf-16",
                FORM + "; charset=utf-7",
                FORM + "; charset=klingon",
                "application/xml",
            )
        )
        body = request.sent_body
        if kind == "application/json":
            body = json.dumps(told).encode()
        elif kind is not None and kind.startswith("multipart"):
            head = 'Content-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
            parts = "".join("--x\r\n" + head.format(*pair) for pair in told.items())
            body = f"{parts}--x--\r\n".encode()
        signed = replace(request, kind=kind, body=body)
        if chance.random() < 0.5:  # the URL alone is signed, as for a body that is no form
            url = self._public + request.path
            signed = replace(signed, signatures=(self.sign(url),))
        return signed

    def change_method(self, request: Request) -> Request:
        method = self._chance.choice(("GET", "PUT", "HEAD", "DELETE", "PATCH", "OPTIONS"))
        if self._chance.random() < 0.5:
            return replace(request, method=method)
        told = urlencode(request.form or ())
        return replace(request, method=method, path=f"{request.path}?{told}", body=b"")


_Forge = Callable[[Forger, Request], Request]
_OF_ALL: tuple[_Forge, ...] = (
    Forger.spoil_signature,
    Forger.spoil_signature,
    Forger.name_algorithm,
    Forger.sign_other_url,
    Forger.change_path,
)
_OF_FORMS: tuple[_Forge, ...] = (
    Forger.change_fields,
    Forger.change_fields,
    Forger.sign_less,
    Forger.change_body,
    Forger.change_kind,
    Forger.change_method,
)
