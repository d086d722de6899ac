"""One download by a `Web` that may reach this machine."""

import io

import pytest

from stages.collect.web import Refused, Web


@pytest.fixture
def fetch():
    """(address, client) -> the bytes that `Web.fetch` writes."""

    def fetch(url, client=None, types=("image/",), **options):
        out = io.BytesIO()
        client = client or Web("me@example.org", allow_private=True)
        client.fetch(url, out, types=types, **options)
        return out.getvalue()

    return fetch


@pytest.fixture
def refusal(fetch):
    """(address, client) -> the `Refused` that `Web.fetch` raises."""

    def refusal(*args, **options):
        with pytest.raises(Refused) as error:
            fetch(*args, **options)
        return error.value

    return refusal
