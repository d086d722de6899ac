"""How likely is it that luck alone does as well? And how much luck may a candidate have?

Two exact tests, at any number of photos. Their unit is the group (a person, or the copies of one
shot), because photos of one group are answered alike. The paired bootstrap draws the intervals in
the report, but decides nothing: on few photos it takes luck for merit too often, the more so the
surer it has to be (measured by `benchmarks/promotion.py`).
"""

import math

import numpy as np

SCALE = 100_000  # at most, of recalls in `of_gain`: 1 is so many points
DEALS = (10_000, 1_000_000)  # at least and at most, in `of_guessing`
SURE = 20  # so many deals are as good as a network at the limit
CHUNK = 1 << 20  # numbers in memory at a time


def allowed(level: float, candidate: int, first: int) -> float:
    """How likely luck alone may promote the `candidate`-th network (from 1) of a test part.

    Among many networks that one test part judges, some are lucky there. So all of them together
    share 1 - level, however many come: the k-th gets 1 / (k (k + 1)) of it, a half, a sixth, a
    twelfth, ..., which adds up to 1. By Bonferroni's inequality, the chance that even one of them
    takes the champion's place by luck is at most 1 - level, whatever the networks have in common.
    A candidate that is promoted hands its whole share to the next one: merit has spent no luck.
    `first` is the first of the candidates before this one that were all promoted, or this one.
    This is the fallback procedure, see Tian and Ramdas 2021 (https://arxiv.org/abs/1910.04900) and
    Robertson, Wason and Ramdas 2023 (https://doi.org/10.1214/23-STS901).

    It holds even if people choose the next candidate by what became of the last one: while none is
    promoted, the answer is always the same "no", which tells them nothing (Blum and Hardt 2015,
    "The Ladder", https://proceedings.mlr.press/v37/blum15.html). It does not hold for people who
    study the test photos and mend a network for these. The Ladder itself, and Thresholdout (Dwork
    et al. 2015, https://doi.org/10.1126/science.aaa9375), promise little for a few hundred photos.
    """
    return (1 - level) * (1 / first - 1 / (candidate + 1))  # the sum of the shares from `first` on


def of_guessing(
    labels: np.ndarray, predicted: np.ndarray, groups: np.ndarray, limit: float
) -> float:
    """How likely a network that guesses has the balanced accuracy of `predicted`, or a better one.

    Answers that have nothing to do with the photos do as well when the labels are dealt to the
    groups anew. That is done at random, and the share of the deals that are as good is the result
    (Ojala and Garriga 2010, https://jmlr.org/papers/v11/ojala10a.html). The truth counts as one of
    them, so it is never 0 (Phipson and Smyth 2010, https://doi.org/10.2202/1544-6115.1585).
    Always naming one class, such as the most frequent one, has the result 1.

    `labels`, `predicted`: int (N,) in 0..K-1. `groups`: (N,) of anything that sorts; what a group
    shows of each class is dealt alone. `limit`: what the result will be compared with; the smaller,
    the more deals.
    """
    classes = int(max(labels.max(), predicted.max())) + 1
    member = np.unique(groups, return_inverse=True)[1]
    unit, of_photo = np.unique(member * classes + labels, return_inverse=True)
    answers = np.zeros((len(unit), classes), int)  # of each unit, how often each class
    np.add.at(answers, (of_photo, predicted), 1)
    kinds, counts = np.unique(answers, axis=0, return_counts=True)  # units that are alike
    truth = unit % classes
    own = np.mean([(predicted == labels)[labels == k].mean() for k in np.unique(labels)])
    least, most = DEALS
    deals = min(max(least, math.ceil(SURE / limit)), most) - 1
    rng, as_good, step = np.random.default_rng(0), 1, max(1, CHUNK // len(kinds))
    for start in range(0, deals, step):
        left = np.tile(counts, (min(step, deals - start), 1))  # units without a label, of each kind
        recall = [_dealt(rng, left, kinds, k, (truth == k).sum()) for k in np.unique(truth)]
        as_good += int((np.mean(recall, axis=0) >= own - 1e-9).sum())
    return as_good / (deals + 1)


def _dealt(
    rng: np.random.Generator, left: np.ndarray, kinds: np.ndarray, label: int, units: int
) -> np.ndarray:
    """float (n,): the recall of `label` if `units` random units have it, in each of n deals.

    They are taken out of `left`, int (n, M): units of the M `kinds`, whose answers are (M, K).
    """
    wanted, others = np.full(len(left), units), left.sum(1)
    right, photos = np.zeros(len(left)), np.zeros(len(left))
    for kind, here in zip(kinds, left.T, strict=True):  # `here` is a view of `left`
        others -= here
        taken = rng.hypergeometric(here, others, wanted)
        here -= taken
        wanted -= taken
        right += taken * kind[label]
        photos += taken * kind.sum()
    return right / photos


def of_gain(labels: np.ndarray, a: np.ndarray, b: np.ndarray, groups: np.ndarray) -> float:
    """How likely `a` is so far ahead of `b`, or further, in balanced accuracy if both are as good.

    Two systems that are equally good might as well have given each other's answers to any group.
    Of all ways to swap them, the share that puts `a` as far ahead is the result, 1 where both are
    right on the same photos (the randomisation test of Fisher and Pitman; Yeh 2000,
    https://aclanthology.org/C00-2137/). All ways are counted, none is drawn at random.

    `labels`, `a`, `b`: int (N,), the truth and two systems' answers. `groups`: (N,) of anything
    that sorts.
    """
    member = np.unique(groups, return_inverse=True)[1]
    photos = np.bincount(labels)
    right = (a == labels).astype(float) - (b == labels)
    ahead = np.bincount(member, right / photos[labels])  # of each group in the sum of the recalls
    # Whole numbers of points have few sums, and all can be counted. `a` is as far ahead in those
    # ways in which the groups where it leads have at least the points that they have now.
    scale = min(math.lcm(*photos[photos > 0].tolist()), SCALE)
    points = np.rint(ahead * scale).astype(int)
    share = np.zeros(np.abs(points).sum() + 1)  # of all ways, those with so many points
    share[0] = 1
    for each in np.abs(points[points != 0]):
        share[each:] = (share[each:] + share[: len(share) - each]) / 2
        share[:each] /= 2
    return float(share[points[points > 0].sum() :].sum())
