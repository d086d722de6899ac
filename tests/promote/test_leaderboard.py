import pytest
from msgspec.structs import replace

from stages.promote.leaderboard import of_network
from stages.records.trials import Member
from tests.promote.mini import trials


@pytest.mark.parametrize(
    ("settings", "starts_from"),
    [
        ([{"block_type": "vanilla", "pretrained": False}], "from scratch"),
        ([{"block_type": "edges"}, {"block_type": "face"}], "SFace"),
        (
            [{"block_type": "face"}, {"block_type": "squeezenet", "pretrained": True}],
            "SFace and ImageNet",
        ),
    ],
)
def test_the_weights_of_all_members_are_named(settings, starts_from):
    search = trials("abc")
    one = search.best
    search = replace(
        search,
        trials=tuple(
            replace(one, trial=number, hyperparameters=each) for number, each in enumerate(settings)
        ),
        winner=0,
        members=tuple(Member(number, False, 1.0) for number in range(len(settings))),
    )
    standing = of_network("AutoKeras", "search winner", {}, search, ordered=False)
    assert standing.weights == starts_from
