from msgspec.structs import replace

from stages.promote.history import added, event, was_rolled_back
from stages.records.promotion import reign
from tests.promote.mini import trials

TRIALS = trials("abc")


def at(time, kind, network):
    return replace(event(kind, network * 12, TRIALS, ""), time=time)


def test_when_each_network_was_champion():
    history = [
        at("1", "champion", "a"),
        at("2", "challenger", "b"),
        at("3", "champion", "c"),
        at("4", "rollback", "c"),
        at("4", "champion", "a"),
        at("5", "champion", "d"),
    ]
    assert reign(history, "a" * 64) == ("4", "5")
    assert reign(history, "b" * 64) == (None, None)
    assert reign(history, "c" * 64) == ("3", "4")
    assert reign(history, "d" * 64) == ("5", None)
    assert was_rolled_back(history, "c" * 64)
    assert not was_rolled_back(history, "a" * 64)


def test_the_same_decision_is_told_once():
    first = event("challenger", "a" * 64, TRIALS, "")
    assert first.data == {"data/shards/tone/train": "abc.dir"}
    assert first.network == "a" * 12
    assert first.time.endswith("+00:00")
    history = added([], first)
    assert added(history, event("challenger", "a" * 64, TRIALS, "another reason")) == history
    assert len(added(history, event("champion", "a" * 64, TRIALS, ""))) == 2
