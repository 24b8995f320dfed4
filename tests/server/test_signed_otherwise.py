"""Webhooks signed with a shared key, bodies of JSON, and whose account a call is of."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from multidict import MultiDict
from pydantic import SecretStr
from server_office import AUTH_TOKEN, Office, post
from twilio.request_validator import RequestValidator, get_signature_algorithm

from voicebridge.rehearsal.raw_stream import RawStream
from voicebridge.settings import Security

OpenOffice = Callable[..., Awaitable[Office]]
Form = tuple[tuple[str, str], ...]

JUDGE = RequestValidator(AUTH_TOKEN)
SHARED_KEY = "the-secret-of-a-shared-key"
SETTINGS_HEADER = "X-Twilio-Webhooks-Signature-Settings"
VOICE, PUBLIC = "/twilio/voice", "https://bridge.example.com"
CALL: Form = (("CallSid", "CA1"), ("From", "+15550100001"), ("To", "+15550100002"))


def hash_of(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class SharedKey:
    """A webhook signed with a shared key: what its header says of the signature."""

    good: bool
    settings: str = "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"
    algorithm: str | None = "HMAC_SHA256"
    secret: str = SHARED_KEY
    form: Form = CALL


SHARED_KEYS = {
    "as it should be": SharedKey(good=True),
    "in another order, with blanks": SharedKey(
        good=True, settings=" algorithm = HMAC_SHA256 , key=k"
    ),
    "in small letters": SharedKey(good=True, settings="algorithm=hmac_sha256"),
    "the older algorithm, named": SharedKey(
        good=True, settings="algorithm=HMAC_SHA1", algorithm="HMAC_SHA1"
    ),
    "the older algorithm, not named": SharedKey(
        good=True, settings="key=webhooks_sharedkey_1", algorithm=None
    ),
    "another algorithm than it says": SharedKey(good=False, algorithm="HMAC_SHA1"),
    "the newer algorithm, not named": SharedKey(good=False, settings=""),
    "an algorithm that nobody knows": SharedKey(good=False, settings="algorithm=HMAC_SHA512"),
    "another secret": SharedKey(good=False, secret="another-secret"),
    "no secret": SharedKey(good=False, secret=""),
    "without fields": SharedKey(good=True, form=(("CallSid", "CA1"),)),
}


@pytest.mark.parametrize("name", SHARED_KEYS)
async def test_a_shared_key_signs_exactly_as_the_carriers_package_says(
    open_office: OpenOffice, name: str
) -> None:
    case = SHARED_KEYS[name]
    office = await open_office(public_url=PUBLIC, twilio_shared_key=SecretStr(SHARED_KEY))
    url, fields = PUBLIC + VOICE, MultiDict(case.form)
    signature = RequestValidator(case.secret).compute_signature(url, fields, case.algorithm)
    named = get_signature_algorithm(case.settings)
    assert RequestValidator(SHARED_KEY).validate(url, fields, signature, named) == case.good
    headers = {"X-Twilio-Signature": signature, SETTINGS_HEADER: case.settings}
    status, _ = await post(office.bridge.url + VOICE, case.form, headers)
    assert status == (200 if case.good else 403)


BODY = '{"CallSid": "CA1", "From": "+15550100001", "To": "+15550100002", "n": 1}'
BODIES = {
    "as it should be": (BODY, hash_of(BODY), True),
    "an altered body": (BODY, hash_of(BODY + " "), False),
    "a hash in capitals": (BODY, hash_of(BODY).upper(), False),
    "half a hash": (BODY, hash_of(BODY)[:32], False),
    "no call in it": ("[]", hash_of("[]"), True),
    "umlauts": ('{"CallSid": "CÄ1"}', hash_of('{"CallSid": "CÄ1"}'), True),
}
"""A body of JSON, the hash that stands in the signed URL, and whether it is taken."""


@pytest.mark.parametrize("name", BODIES)
async def test_a_body_of_json_is_taken_exactly_where_the_carriers_package_takes_it(
    open_office: OpenOffice, name: str
) -> None:
    body, hashed, good = BODIES[name]
    office = await open_office(public_url=PUBLIC)
    path = f"{VOICE}?bodySHA256={hashed}"
    signature = JUDGE.compute_signature(PUBLIC + path, {})
    judged = JUDGE.validate(PUBLIC + path, body, signature)
    assert judged == good
    headers = {"X-Twilio-Signature": signature, "Content-Type": "application/json"}
    status, text = await post(office.bridge.url + path, body.encode(), headers)
    assert status == (403 if not good else 400 if body == "[]" else 200)
    assert ("<Connect>" in text) == (good and body != "[]")


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data"])
@pytest.mark.parametrize("query", ["", "?bodySHA256=", "?a=1"])
async def test_a_body_that_is_no_form_is_refused_without_its_hash_however_its_url_is_signed(
    open_office: OpenOffice, kind: str, query: str
) -> None:
    office = await open_office(public_url=PUBLIC)
    signature = JUDGE.compute_signature(PUBLIC + VOICE + query, {})
    headers = {"X-Twilio-Signature": signature, "Content-Type": kind}
    assert (await post(office.bridge.url + VOICE + query, BODY.encode(), headers))[0] == 403


OURS, SUB, OTHERS = "AC" + "0" * 32, "AC" + "1" * 32, "AC" + "2" * 32


async def test_only_calls_of_our_own_accounts_are_taken_even_if_they_are_signed(
    open_office: OpenOffice,
) -> None:
    office = await open_office(twilio_account_sid=OURS, security=Security(accounts=[SUB]))
    for account_id, status in ((OURS, 200), (SUB, 200), (OTHERS, 403), ("", 403)):
        assert (await office.post(VOICE, CallSid="CA1", AccountSid=account_id))[0] == status
    for account_id, let_in in ((OTHERS, False), (SUB, True)):
        async with RawStream(
            office.media_url, auth_token=AUTH_TOKEN, account_sid=account_id
        ) as raw:
            token, _ = await office.answer(raw.writer.call_sid)
            await raw.begin(token=token)
            assert (await raw.read() is not None) == let_in
    assert len(office.model.served) == 1
