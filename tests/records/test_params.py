import pytest

from stages.common.errors import UserError
from stages.params.merge import load
from stages.records.params import FOLDER, read
from tests.params_yaml import REPO, shipped, write_params


@pytest.fixture
def project(tmp_path):
    write_params(shipped(), tmp_path)
    return tmp_path


def test_each_task_has_its_parameters_and_the_weights(project):
    content = shipped()
    for name, task in load(REPO / "params.yaml").tasks.items():
        found = read(name, project)
        assert found == task
        assert found.title == content["tasks"][name]["title"]["en"]
        assert found.weights.model_dump() == content["weights"]


def test_a_task_that_is_gone_has_no_file(project):
    content = shipped()
    del content["tasks"]["idol"]
    write_params(content, project)
    assert {path.name for path in (project / FOLDER).iterdir()} == {
        f"{name}.yaml" for name in content["tasks"]
    }


def test_an_unknown_task_lists_the_known_ones(project):
    with pytest.raises(UserError, match=r"no task 'agee'.*age, harry, idol, tone.*stages\.params"):
        read("agee", project)


def test_a_missing_file_says_what_to_run(tmp_path):
    with pytest.raises(UserError, match=r"data/params/age\.yaml is missing; run `dvc repro`"):
        read("age", tmp_path)


@pytest.mark.parametrize("text", ["", "title: [", "title: 1", "\0"])
def test_a_damaged_file_is_named(project, text):
    (project / FOLDER / "age.yaml").write_text(text)
    with pytest.raises(UserError, match=r"data/params/age\.yaml .*version.*run `dvc repro`"):
        read("age", project)
