"""Do the tests notice a wrong program? python -m benchmarks.mutants [stages/split app ...]

Each mutant is one change that makes a room wrong. It is made in a copy of the checkout, in which
the room's tests then run: they must fail. A mutant whose tests pass has survived, and the exit
status is 1. Arguments are the beginnings of the files to change; without any, it is all of them.
"""

import argparse
import importlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from benchmarks.checkout import copy_checkout
from stages.common.backend import import_keras

PROCESSES = 2
TOO_LONG = 120  # seconds; a mutant that never ends is caught
OURS = ("app", "benchmarks", "stages", "tests")
# What takes long to import is imported once, and Keras.
LIBRARIES = ("cv2", "faiss", "fastapi", "hypothesis", "mlflow", "pandas", "scipy.stats", "sklearn")
FAST, ALL = ("-m", "not slow"), ()

# Room -> its tests, the quick files first, as the first failure ends a run.
TESTS = {
    "stages/split": [
        "tests/split/test_split.py",
        "tests/split/test_people.py",
        "tests/split/test_identities.py",
        "tests/split/test_duplicates.py",
        *FAST,
    ],
    "stages/augment": ["tests/augment", *FAST],
    "stages/evaluate": [
        "tests/evaluate/test_slices.py",
        "tests/networks/test_calibrate.py",
        "tests/evaluate/test_occlusion.py",
        "tests/evaluate/test_evaluate.py",
        "tests/evaluate/test_evaluate_door.py",
        *FAST,
    ],
    "stages/promote": [
        "tests/promote/test_gates.py",
        "tests/promote/test_luck.py",
        "tests/promote/test_answers.py",
        "tests/promote/test_judged.py",
        "tests/promote/test_history.py",
        "tests/promote/test_leaderboard.py",
        "tests/promote/test_model_card.py",
        "tests/promote/test_chain_folder.py",
        "tests/promote/test_promote.py",
        *FAST,
    ],
    "stages/baseline": ["tests/baseline", *FAST],
    "stages/collect/web": ["tests/collect/web", *FAST],
    "app/server": ["tests/app/test_site.py", *ALL],
    "app": ["tests/app/test_chain.py", "tests/app/test_numbers.py", *FAST],
}

# File -> what is there once, and what the mutant has instead.
MUTANTS = {
    "stages/split/split.py": [
        ("unit.isin(unit[pool])", 'unit.isin(unit[table.part == "wild"])'),
        ('table.loc[known, "part"] = ""', 'table.loc[known, "part"] = "wild"'),
        ('table.loc[conflict, "part"] = ""', 'table.loc[conflict, "part"] = "pool"'),
        ('conflict = others != ""', 'conflict = others == "?"'),
        ("shown = faces[order][~conflict]", "shown = faces[~conflict]"),
        ("unit = table[kept_together(params.keep_together)]", 'unit = table["group"]'),
        ("(counts[name] > 0).sum()) < len(PARTS)", "(counts[name] > 0).sum()) <= len(PARTS)"),
        (
            "[1 - params.val - params.test, params.val, params.test]",
            "[1 - params.val - params.test, params.test, params.val]",
        ),
        ("if 0 in size:", "if False:"),
        ("argsort(-counts.sum(1)[shuffled]", "argsort(counts.sum(1)[shuffled]"),
        ("part[group] = np.argmin(_cost", "part[group] = np.argmax(_cost"),
        ("filled[part[group]] += counts[group]\n", "pass\n"),
        ("(present[part[g]][has[g]] > 1).all()", "(present[part[g]][has[g]] > 0).all()"),
        ('found = [duplicates[["a", "b"]]', 'found = [duplicates[["a", "b"]][:0]'),
        ('if together == "person":\n        found', 'if together == "shot":\n        found'),
        ("b.notna() & (a != b)", "b.notna() & (a == b)"),
        ("if len(found := leaks(table, duplicates, together)):", "if False:"),
        ("again = firsts[column] == firsts[column].shift()", 'again = firsts[column] == ""'),
    ],
    "stages/split/groups.py": [
        ('np.where(table.person == "", place, first)', "first"),
        (
            "links = np.vstack([persons, duplicates[(duplicates >= 0).all(1)]])",
            "links = np.vstack([persons, duplicates[:0]])",
        ),
        ('transform("nunique") > 1', 'transform("nunique") > 2'),
        ('(table.person != "").groupby(number)', '(table.person == "").groupby(number)'),
    ],
    "stages/split/people.py": [
        ("if mean >= least and not (known[a] and known[b]):", "if mean >= least:"),
        ("not (known[a] and known[b])", "not (known[a] or known[b])"),
        ("known.append(known[a] or known[b])", "known.append(known[a] and known[b])"),
        ("size.append(size[a] + size[b])", "size.append(size[a])"),
    ],
    "stages/split/duplicates.py": [
        ('(("photo", photos), ("face", faces))', '(("photo", photos),)'),
        ("mirrored=pairs[:, 2] == 1", "mirrored=pairs[:, 2] == 0"),
        ('sort_values("similarity", ascending=False', 'sort_values("similarity", ascending=True'),
    ],
    "stages/split/alignment.py": [
        ("np.ascontiguousarray(b[:, ::-1]) if mirrored else b", "b"),
        ("if found >= HOPELESS:", "if found >= 0.99:"),
        ("if both.mean() < OVERLAP:", "if both.mean() < 0.01:"),
    ],
    "stages/split/neighbours.py": [
        ("(mirrored, 1)):", "(mirrored, 0)):"),
    ],
    "stages/split/identities.py": [
        ("return numbers / np.linalg.norm(numbers)", "return numbers"),
        ("cv2.COLOR_RGB2BGR))[0]", "cv2.COLOR_RGB2GRAY))[0]"),
    ],
    "stages/augment/augment.py": [
        ('params.copies if part == "train" else 1', "params.copies"),
        ("if photo.part == part]", "]"),
        ("done[block.name] != digest(load(block, mattes, look))", "False"),
        ("if block.name not in done or", "if"),
        ("if len(values) == len(photos):", "if values:"),
        ("np.tile(labels, copies)", "np.repeat(labels, copies)"),
        ("np.tile(known, copies)", "np.repeat(known, copies)"),
        ('| {"": -1}', '| {"": 0}'),
        ("if (known >= 0).any():", "if (known >= 0).all():"),
        ('if part == "wild" else [name', 'if part == "test" else [name'),
        ("if unknown:", "if False:"),
        ("if need > free:", "if need > 2 * free:"),
        ("shift=params.shift", "shift=params.zoom"),
        ("flip=params.flip", "flip=True"),
        ("seed=params.seed", "seed=1"),
    ],
    "stages/augment/transform.py": [
        ("transforms[0] = [0, 0, 0, 0, 1, 1, 0]", "pass"),
        ("spread.flip & (uniform[:, 6] < 0.5)", "spread.flip & (uniform[:, 6] < 0.25)"),
        ("(2 * uniform[:, :6] - 1) * most", "uniform[:, :6] * most"),
        ("zoom_x * (1 - 2 * flip)", "zoom_x"),
        ("np.deg2rad(rotation + shear)", "np.deg2rad(rotation - shear)"),
        ("middle = (size - 1) / 2", "middle = size / 2"),
        ("int(photo_id, 16)", "0"),
    ],
    "stages/augment/render.py": [
        (
            "cv2.INTER_AREA if look.size <= len(picture)",
            "cv2.INTER_NEAREST if look.size <= len(picture)",
        ),
        ('if look.background == "keep":', 'if look.background != "keep":'),
        ("np.arange(255, -1, -1)", "np.arange(256)"),
        ("start = block.first + copy * block.stride", "start = block.first + copy"),
        ("borderMode=cv2.BORDER_REPLICATE", "borderMode=cv2.BORDER_CONSTANT"),
        ("[[0, 0, edge]] * 2", "[[0, 0, 0]] * 2"),
        ('if look.channels == "gray":', 'if look.channels == "grey":'),
    ],
    "stages/augment/half_done.py": [
        ("if lines[:1] != [key]:", "if not lines:"),
        ('(folder / "done").unlink()', "pass"),
        ("classes=classes,", "classes=sorted(classes),"),
    ],
    "stages/networks/calibrate.py": [
        ("if temperature < COLDEST * 1.01:", "if temperature < 0:"),
        ("np.nanmean(errors**2)", "np.nanmean(np.abs(errors))"),
        ("(len(errors) + 1), 6)", "len(errors), 6)"),
        ("errors[rank - 1]", "errors[rank - 2]"),
        ("if rank <= len(errors) else None", "if rank else None"),
        ("errors = np.abs(values - predicted)", "errors = values - predicted"),
    ],
    "stages/evaluate/evaluate.py": [
        (
            "answered = confidence >= threshold\n    interval",
            "answered = confidence < threshold\n    interval",
        ),
        (
            "answered = confidence >= threshold\n    low",
            "answered = confidence > threshold\n    low",
        ),
        (
            "np.add.at(confusion, (labels, predicted), 1)",
            "np.add.at(confusion, (predicted, labels), 1)",
        ),
        ("not np.isnan(values).any()", "not np.isnan(values).all()"),
        ("<= within\n", "<= 2 * within\n"),
        ("baseline_accuracy=int(support.max()) / n", "baseline_accuracy=1 / len(classes)"),
        (
            "zip(confusion.diagonal(), confusion.sum(0), confusion.sum(1)",
            "zip(confusion.diagonal(), confusion.sum(1), confusion.sum(0)",
        ),
        ("accuracy=float(right[number == bin].mean())", "accuracy=float(right.mean())"),
        (
            "unsure(confidence, right, groups, unsure_below)",
            "unsure(confidence, right, groups, 0.0)",
        ),
        (
            'mae_low, mae_high = exam.intervals.get("mae"',
            'mae_low, mae_high = exam.intervals.get("accuracy"',
        ),
        ("balanced_accuracy_low=_short(low)", "balanced_accuracy_low=_short(exam.accuracy_low)"),
    ],
    "stages/evaluate/examine.py": [
        (
            "class_probabilities(raw, calibration)\n        answers",
            "class_probabilities(raw, calibration if part is val else type(calibration)(1.0))\n"
            "        answers",
        ),
        (
            'on_val = val_outputs or answered["val"]',
            "on_val = answered.get('val') or answered['test']",
        ),
        ("parts = parts[1:]", "pass"),
        ("fit(on_val, val.labels, val.values", "fit(on_val, val.labels, -val.values"),
        ("within=calibration.within,", "within=None,"),
        ("before, after = effect(", "after, before = effect("),
    ],
    "stages/evaluate/slices.py": [
        ("if FEWEST <= inside.sum()", "if FEWEST < inside.sum()"),
        ("<= len(ids) - FEWEST:", "<= len(ids):"),
        (
            "gap - np.hypot(here - low, rest_high - rest)",
            "gap - np.hypot(here - low, rest - rest_low)",
        ),
        (
            "share_interval(right[inside], groups[inside])",
            "share_interval(right[inside], np.arange(inside.sum()))",
        ),
        ('tables["faces.csv"]["flags"], mattes', 'tables["faces.csv"]["flags"][:0], mattes'),
        ("reversed(tables.values())", "tables.values()"),
    ],
    "stages/evaluate/tables.py": [
        (
            "if confidence >= unsure_below else UNSURE",
            "if confidence > 2 * unsure_below else UNSURE",
        ),
        ("if each.part == part]", "]"),
        ("None if np.isnan(value) else value", "value"),
    ],
    "stages/evaluate/occlusion.py": [
        ("np.abs(answers[1:, 0] - answers[0, 0])", "answers[1:, 0] - answers[0, 0]"),
        ("answers = np.hstack([1 - answers, answers])", "answers = np.hstack([answers, answers])"),
    ],
    "stages/evaluate/explain.py": [
        ("falling[~sorted_right][:few]", "falling[~sorted_right]"),
        (
            'kind="right" if answer.label == answer.predicted',
            'kind="right" if answer.label != answer.predicted',
        ),
        ("measured = np.isin(rows, sample) &", "measured ="),
    ],
    "stages/promote/answers.py": [
        ('splits["part"].isin(["train", "val"])', 'splits["part"].isin(["train"])'),
        ('splits["part"].isin(["train", "val"])', 'splits["part"].isin(["train", "val", "test"])'),
        ("return ~unit.isin(unit[known]).to_numpy()", "return ~known.to_numpy()"),
        ('if together == "person":', 'if together == "shot":'),
        ('own["person"].ne("") & ', ""),
        ("elif _picture_settings(champion) == _picture_settings(candidate):", "elif True:"),
        ("(label + 1) % len(wrong)", "label"),
        ("chain.augment,\n", ""),
    ],
    "stages/promote/gates.py": [
        ("passed=p <= luck", "passed=p <= 2 * luck"),
        ("passed=gain.value > params.margin", "passed=gain.value >= params.margin"),
        ("passed=change.value >= -margin", "passed=change.value >= margin"),
        ("key=lambda each: each[1].gap_high)", "key=lambda each: each[1].gap)"),
        ("held = worst.gap_high >= limit", "held = worst.gap >= limit"),
        ("Gate(name, p > limit, p,", "Gate(name, p > 1 - limit, p,"),
        ("if answers is None and baseline in params.excuse:", "if answers is None:"),
        ('Gate("beats chance", p <= luck', 'Gate("beats chance", True'),
        (
            "for part in EXAMS for each in exams[part].slices",
            "for part in EXAMS[:1] for each in exams[part].slices",
        ),
    ],
    "stages/promote/decide.py": [
        ('decision="challenger" if failed else "champion"', 'decision="champion"'),
        (
            "np.isin(candidate[part].ids, answers.ids)",
            "np.isin(candidate[part].ids, candidate[part].ids)",
        ),
        ("+ by_itself(exams, params)", ""),
        ("gates += not_rolled_back(rolled_back)", "pass"),
        (
            'against_chance(candidate["test"], judged.luck)',
            'against_chance(compared["wild"], judged.luck)',
        ),
    ],
    "stages/promote/luck.py": [
        ("(1 / first - 1 / (candidate + 1))", "(1 / first)"),
        (
            "rng, as_good, step = np.random.default_rng(0), 1,",
            "rng, as_good, step = np.random.default_rng(0), 0,",
        ),
        (">= own - 1e-9", "> own + 1e-9"),
        ("share[points[points > 0].sum() :]", "share[points[points > 0].sum() + 1 :]"),
    ],
    "stages/promote/judged.py": [
        ('splits[splits["part"] == "test"]', 'splits[splits["part"] != "train"]'),
        ("if network in networks else len(networks) + 1", "if network in networks else 1"),
        ("while first > 1 and candidates[first - 2].promoted:", "while first > 1:"),
        ("promoted=new.promoted)", "promoted=each.promoted)"),
    ],
    "stages/promote/history.py": [
        ('each.event == "rollback" and', ""),
        ("if history and _what(history[-1]) == _what(new):", "if False:"),
    ],
    "stages/promote/exams.py": [
        ("if _classes(champion) != _classes(candidate):", "if False:"),
        ('if not len(exam["test"]):', "if False:"),
        ("answers.where(unseen(answers, splits, seen, together))", "answers"),
        ("if (order < 0).any():", "if False:"),
        ("return answers.where(order)", "return answers"),
        ("reigns = champion is not None and", "reigns = False and"),
    ],
    "stages/promote/chain_folder.py": [
        (
            "unsure_below=params.evaluate.unsure_below",
            "unsure_below=2 * params.evaluate.unsure_below",
        ),
        ('if champion and (out / "champion").is_dir():', "if champion:"),
        ("if former.is_dir():", "if False:"),
        (
            "shutil.copy(CALIBRATION.path(at.evaluate), out)",
            "shutil.copy(EVALUATION.path(at.evaluate), CALIBRATION.path(out))",
        ),
    ],
    "stages/promote/promote.py": [
        ("champion = None  # the candidate is this network", "pass"),
        ('promoted=decision.decision == "champion"', "promoted=True"),
    ],
    "stages/promote/leaderboard.py": [
        ("return len(exam[part]) or None", "return len(exam[part])"),
        (
            "settings = [each.hyperparameters for each in trials.trials if each.trial in members]",
            "settings = [each.hyperparameters for each in trials.trials]",
        ),
    ],
    "stages/promote/model_card.py": [
        ('line = SPECIAL.sub(r"\\\\\\1", line)', "pass"),
        ("key=lambda each: each.gap)[:SLICES]", "key=lambda each: -each.gap)[:SLICES]"),
    ],
    "stages/baseline/linear.py": [
        ("best = int(np.argmin(losses))", "best = int(np.argmax(losses))"),
        ('job.parts["val"].labels, range', 'job.parts["test"].labels, range'),
        ('features["val"], job.n_classes) for model', 'features["test"], job.n_classes) for model'),
        ('["copy"].to_numpy() == 0', '["copy"].to_numpy() >= 0'),
    ],
    "stages/collect/web/guard.py": [
        ("return ip.is_global and not ip.is_multicast", "return ip.is_global"),
        ("all(map(is_public, addresses))", "any(map(is_public, addresses))"),
        ("if ip.ipv4_mapped or ip in NAT64:", "if ip in NAT64:"),
        ("if ip.ipv4_mapped or ip in NAT64:", "if ip.ipv4_mapped:"),
        ("if ip not in UNICAST or tunnel or", "if tunnel or"),
        ("if ip not in UNICAST or tunnel or", "if ip not in UNICAST or"),
        ('not in ("http", "https")', 'not in ("http", "https", "ftp")'),
    ],
    "stages/collect/web/fetch.py": [
        ("for _ in range(REDIRECTS + 1):", "for _ in range(REDIRECTS + 9):"),
        ("if obey_robots:", "if False:"),
        ("_check_type(response, types)\n", "pass\n"),
        ("_check_length(response, max_bytes)\n", "pass\n"),
        ("out.truncate()", "pass"),
        ("if status in (429, 500, 502, 503, 504):", "if status in (500, 502, 503, 504):"),
        ("if late.is_set():  #", "if False:  #"),
        ("server_hostname=where.host,", "server_hostname=None, assert_hostname=False,"),
        ("if status != 200:", "if status >= 400:"),
        ("host.succeeded()", "pass"),
    ],
    "stages/collect/web/turns.py": [
        ("self._delay = max(self._delay, delay)", "self._delay = 0"),
        ("if self._failures >= DEAD:", "if False:"),
        ("self._failures = 0\n\n    def failed", "pass\n\n    def failed"),
        ("if wait > MAX_WAIT:", "if False:"),
        ("BACKOFF * 2 ** (tries - 1)", "BACKOFF"),
        ("if tries >= TRIES:", "if tries > TRIES:"),
        ("with self._slots:", "if True:"),
    ],
    "stages/collect/web/robots.py": [
        ("not 400 <= error.status < 500", "not 400 <= error.status < 600"),
        ("if not rules.can_fetch(where.url, AGENT):", 'if not rules.can_fetch(where.url, "*"):'),
        ("rules.crawl_delay(AGENT) or 0", "0"),
    ],
    "app/chain.py": [
        (
            "if confidence >= self.settings.unsure_below else",
            "if confidence >= 2 * self.settings.unsure_below else",
        ),
        ("confidence >= self.settings.unsure_below", "confidence > self.settings.unsure_below"),
        ("if view.covered < NOTHING_LEFT:", "if False:"),
        ("if len(photo) > MAX_BYTES:", "if False:"),
        ("value - within, value + within)", "value + within, value - within)"),
        (
            "class_probabilities(raw, self._calibration)[0]",
            "class_probabilities(raw, type(self._calibration)(1.0))[0]",
        ),
        ("if face.faces > 1:", "if face.faces > 2:"),
        ('if flag != "several"]', "]"),
        ("if self._session is not None:\n", "if False:\n"),
        ("if how not in self._found:", "if not self._found:"),
    ],
    "app/server/answers.py": [
        ("sorted(faces, key=lambda face: face.box[0])", "faces"),
        ("if not 0 <= number < len(faces):", "if number >= len(faces):"),
        ("if len(faces) == 1:\n        return image", "if True:\n        return image"),
        ("< face.box[2] / 2]", "< 1e9]"),
    ],
    "app/server/inbox.py": [
        ("not first <= int(text) <= last", "not first <= int(text)"),
        ("if label not in network.chain.titles or", "if"),
        ('(folder / ".gitignore").write_text("*\\n")', "pass"),
        ("other.unlink(missing_ok=True)", "pass"),
    ],
    "app/server/site.py": [
        ('if sent.fields.get("consent") != "yes":', "if False:"),
        ("if self._room == 0:", "if self._room < 0:"),
        ("self._room += 1", "pass"),
        ("if not self._known(host):", "if False:"),
        ('if origin is not None and origin.partition("://")[2] != host:', "if False:"),
        ("if app.inbox is None:", "if False:"),
    ],
    "app/server/upload.py": [
        ("if size > limit:", "if size > 100 * limit:"),
        ("if len(photo) > limit:", "if False:"),
        ("app.max_megapixels * 1_000_000)", "app.max_megapixels * 10_000_000)"),
        ('"error.too_small", pixels=MIN_SIDE', '"error.damaged"'),
    ],
    "app/server/words.py": [
        ("preferred = sorted(accepted, key=_weight, reverse=True)", "preferred = accepted"),
        ('return float(item.partition("q=")[2] or 1)', "return 1"),
    ],
    "app/server/worth.py": [
        ("right=round(100 * right)", "right=round(100 * low)"),
        (
            '"other photos of people it may know": "known"',
            '"other photos of people it may know": "new"',
        ),
    ],
}


class Mutant(NamedTuple):
    file: str
    old: str
    new: str

    def __str__(self) -> str:
        old, new = (" ".join(text.split()) for text in (self.old, self.new))
        return f"{self.file}: {old}  ->  {new or '(nothing)'}"

    @property
    def tests(self) -> list[str]:
        room = max((room for room in TESTS if self.file.startswith(room + "/")), key=len)
        return TESTS[room]


def mutants() -> list[Mutant]:
    return [Mutant(file, *texts) for file, each in MUTANTS.items() for texts in each]


def main(beginnings: list[str]) -> int:
    chosen = [each for each in mutants() if each.file.startswith(tuple(beginnings or [""]))]
    import_keras()
    for library in LIBRARIES:
        importlib.import_module(library)
    began, survived = time.monotonic(), 0
    with tempfile.TemporaryDirectory() as folder:
        copies = [copy_checkout(Path(folder) / str(number)) for number in range(PROCESSES)]
        rooms = [tests for tests in TESTS.values() if any(each.tests is tests for each in chosen)]
        for tests, failed in _outcomes([(tests, None) for tests in rooms], copies):
            if failed:
                print("They fail without any mutant; mend that first: pytest", *tests)
                return 2
        for mutant, caught in _outcomes([(each.tests, each) for each in chosen], copies):
            print("caught  " if caught else "SURVIVED", mutant, flush=True)
            survived += not caught
    minutes = (time.monotonic() - began) / 60
    print(f"{len(chosen) - survived} of {len(chosen)} mutants caught in {minutes:.0f} minutes")
    return 1 if survived else 0


def _outcomes(
    jobs: list[tuple[list[str], Mutant | None]], copies: list[Path]
) -> Iterator[tuple[Any, bool]]:
    """The mutant of each job (its tests, where it has none), and whether the tests fail."""
    todo, free = list(reversed(jobs)), list(copies)
    running: dict[int, tuple[list[str], Mutant | None, Path, str, float]] = {}  # by process
    while todo or running:
        while todo and free:
            tests, mutant = todo.pop()
            copy, text = free.pop(), ""
            if mutant:
                text = (copy / mutant.file).read_text("utf-8")
                _write(copy / mutant.file, text.replace(mutant.old, mutant.new))
            running[_start(copy, tests)] = (tests, mutant, copy, text, time.monotonic())
        time.sleep(0.1)
        for process, (tests, mutant, copy, text, since) in list(running.items()):
            ended, status = os.waitpid(process, os.WNOHANG)
            if not ended and time.monotonic() - since < TOO_LONG:
                continue
            if not ended:
                os.killpg(process, signal.SIGKILL)
                _, status = os.waitpid(process, 0)
            del running[process]
            if mutant:
                _write(copy / mutant.file, text)
            free.append(copy)
            yield mutant or tests, status != 0


def _start(copy: Path, tests: list[str]) -> int:
    """Runs `tests` in `copy` in a process that has the libraries already, but no module of ours."""
    process = os.fork()
    if process:
        return process
    os.setsid()
    os.chdir(copy)
    sys.path[0] = str(copy)
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    options = ["-x", "-q", "-p", "no:cacheprovider", "--hypothesis-profile", "first_failure"]
    os._exit(int(pytest.main([*options, *tests])))


def _write(file: Path, text: str) -> None:
    """Each time a second later: Python tells by it that what it has compiled is out of date."""
    later = file.stat().st_mtime + 1
    file.write_text(text, "utf-8")
    os.utime(file, (later, later))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("beginnings", nargs="*", help="of the files to change")
    sys.exit(main(parser.parse_args().beginnings))
