"""Who is in a conversation of several people."""

from __future__ import annotations

import pytest

from backbone.client import BackboneClient, BackboneError
from backbone.conferences import MOST_OF_ONE, MOST_PEOPLE, Conferences
from backbone.errors import Forbidden, NotFound, TooMany
from tests.backbone.kit import PASSWORD, unique


def test_people_are_asked_come_speak_and_go() -> None:
    all = Conferences()
    assert all.invite("s", "ann", ["ben", "cy", "ben", "ann"]) == {"members": ["ann"], "asked": ["ben", "cy"]}
    assert all.speak("s", "ann") == {"hear": ["ann"], "invite": ["ben", "cy"]}
    assert all.speak("s", "ann") == {"hear": ["ann", "ben", "cy"], "invite": []}
    assert all.join("s", "ben") == all.join("s", "ben") == {"members": ["ann", "ben"], "asked": ["cy"]}
    for stranger in (lambda: all.speak("s", "cy"), lambda: all.join("s", "dan"), lambda: all.join("other", "ann")):
        with pytest.raises(NotFound):
            stranger()
    with pytest.raises(Forbidden):
        all.invite("s", "dan", ["eve"])
    assert all.leave("s", "cy") == {"members": ["ann", "ben"], "asked": []}
    all.gone("ann")
    assert all.speak("s", "ben")["hear"] == ["ben"]
    assert all.leave("s", "ben") == all.leave("s", "ben") == {"members": [], "asked": []}
    assert not all._open and not all._of


def test_nothing_grows_without_end() -> None:
    all = Conferences()
    with pytest.raises(TooMany):
        all.invite("s", "ann", [f"p{n}" for n in range(MOST_PEOPLE)])
    for n in range(MOST_OF_ONE):
        all.invite(f"s{n}", "ann", ["ben"])
    with pytest.raises(TooMany):
        all.invite("one more", "ann", ["ben"])
    assert all.invite("cy's", "cy", ["ben", "dan"])["asked"] == ["dan"]  # ben has enough
    all.gone("ann")
    all.gone("cy")
    assert not all._open and not all._of


async def test_conferences_by_http(backbone: BackboneClient) -> None:
    ann, ben = [(await backbone.create_user(unique("Conf"), "Tester", PASSWORD))["agent_id"] for _ in range(2)]
    session, nobody = "6f1d5a52-0c5c-4e7e-9d0e-3e1f0f6b7a10", "6f1d5a52-0c5c-4e7e-9d0e-3e1f0f6b7a11"
    assert await backbone.invite_to_conference(session, ann, [ben, nobody]) == {"members": [ann], "asked": [ben]}
    assert await backbone.speak_in_conference(session, ann) == {"hear": [ann], "invite": [ben]}
    assert (await backbone.join_conference(session, ben))["members"] == [ann, ben]
    assert (await backbone.leave_conference(session, ann))["members"] == [ben]
    with pytest.raises(BackboneError) as refused:
        await backbone.speak_in_conference(session, ann)
    assert refused.value.status == 404
