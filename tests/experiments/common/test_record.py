"""The JSON file of an experiment, and which files are published."""

import json
from pathlib import Path

from experiments.common import record


def test_the_folders_of_a_machine_are_not_recorded(tmp_path):
    record.save(tmp_path / "a.json", "m", ["--out=/here", "--seed=1", "--data_dir=/there"], {})
    assert json.loads((tmp_path / "a.json").read_text())["command"] == "python -m m --seed=1"


def test_a_record_says_what_made_it(tmp_path):
    record.save(tmp_path / "a.json", "m", [], {"number": 1})
    numbers = json.loads((tmp_path / "a.json").read_text())
    assert set(numbers) == {"command", "device", "cores", "versions", "number"}


def test_files_are_published_under_their_own_names_and_only_where_that_is_asked_for(monkeypatch):
    monkeypatch.setattr(record, "PUBLISHED", Path("published"))
    Path("a.json").write_text("1")
    record.publish(record.Output(), Path("a.json"))
    assert not record.PUBLISHED.exists()
    record.publish(record.Output(publish=True), Path("a.json"))
    record.publish(record.Output(publish=True), Path("a.json"), prefix="base_")
    assert sorted(path.name for path in record.PUBLISHED.iterdir()) == ["a.json", "base_a.json"]
