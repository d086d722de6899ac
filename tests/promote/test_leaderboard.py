import numpy as np
import pytest
from msgspec.structs import replace

from stages.promote.answers import Answers
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


def test_a_trial_that_is_no_member_and_a_part_without_photos_say_nothing():
    search, nobody = trials("abc"), np.empty(0, int)
    one = search.best
    face = replace(one, trial=1, hyperparameters={"block_type": "face"})
    alone = replace(one, trial=0, hyperparameters={"block_type": "edges"})
    search = replace(search, trials=(alone, face), winner=0, members=(Member(0, False, 1.0),))
    empty = Answers(nobody, nobody, nobody, nobody, np.empty((0, 2)))
    parts = {"test": empty, "wild": empty}
    standing = of_network("AutoKeras", "search winner", parts, search, ordered=False)
    assert standing.weights == "from scratch"
    assert standing.test_n is standing.wild_n is standing.test_accuracy is None
