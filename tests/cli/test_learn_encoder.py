"""A sentence encoder from its folder to a label: loading, the head that `learn encoder` writes, asking it."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from lanewise import app
from lanewise.classify.encoder import HEAD_FILE, MAX_TOKENS, Encoder, SkillEncoder
from lanewise.classify.student import SKILLS
from lanewise.config import ClassifySettings, HostedSettings, Settings
from lanewise.errors import InputError
from lanewise.journey import Opinion, SkillLabel
from lanewise.router import Threaded
from lanewise.upstream import Hosted

# Test folders are no packages: helpers of other folders are found by their paths.
sys.path.insert(0, str(Path(__file__).parents[1] / "learn"))
sys.path.insert(0, str(Path(__file__).parents[1] / "router"))
from learn_kit import ASKS, THINGS, write_files
from opinion_kit import answer, body, house_of

WORDS = sorted(
    {word for asks in ASKS.values() for ask in asks for word in re.findall(r"\w+", ask)} | {*THINGS, "a", "b"}
)
"""The vocabulary of the tiny encoder; a word's vector has a 1 at its place in it."""


def write_encoder(
    folder: Path, *, inputs=("input_ids", "attention_mask", "token_type_ids"), pooled=False, at="model.onnx"
):
    """A sentence transformer of one table, with a padding fixed in its tokenizer as many have."""
    import onnx
    from onnx import TensorProto, helper
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    vocabulary = {word: number for number, word in enumerate(["[UNK]", *WORDS])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.enable_padding(length=256)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    size = len(vocabulary)
    table = helper.make_tensor("table", TensorProto.FLOAT, [size, size], np.eye(size, dtype=np.float32).ravel())
    shape = ["batch", "tokens", size]
    graph = [helper.make_node("Gather", ["table", "input_ids"], ["words"])]
    if pooled:
        graph.append(helper.make_node("ReduceMax", ["words"], ["out"], axes=[1], keepdims=0))
        shape = ["batch", size]
    else:
        graph.append(helper.make_node("Identity", ["words"], ["out"]))
    model = helper.make_model(
        helper.make_graph(
            graph,
            "tiny",
            [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"]) for name in inputs],
            [helper.make_tensor_value_info("out", TensorProto.FLOAT, shape)],
            [table],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    (folder / at).parent.mkdir(exist_ok=True)
    onnx.save(model, str(folder / at))
    return folder


@pytest.fixture
def learnt(run, home):
    """A folder with a head, made by the command."""
    write_files(home, {"one": 520, "two": 60})
    folder = write_encoder(home / "tiny")
    files = ("--pool", "pool.jsonl.gz", "--labels", "labels.jsonl", "--written", "written.jsonl")
    result = run("learn", "encoder", folder, *files)
    assert result.exit_code == 0, result.stderr
    return folder, result


# -- the encoder -------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("at", ["model.onnx", "onnx/model.onnx"])
@pytest.mark.parametrize("inputs", [("input_ids",), ("input_ids", "attention_mask", "token_type_ids")], ids=len)
def test_a_vector_is_the_mean_over_the_tokens_with_length_1(tmp_path, at, inputs):
    vector = Encoder.load(write_encoder(tmp_path, at=at, inputs=inputs)).embed("a b a a")
    first, second = (1 + WORDS.index(word) for word in ("a", "b"))
    expected = np.zeros(1 + len(WORDS))
    expected[[first, second]] = np.asarray([3, 1]) / np.sqrt(10)
    assert vector == pytest.approx(expected)


@pytest.mark.slow
def test_a_fixed_padding_is_taken_off_and_a_long_text_cut(tmp_path):
    encoder = Encoder.load(write_encoder(tmp_path))
    assert len(encoder._tokenizer.encode("a b").ids) == 2
    assert len(encoder._tokenizer.encode("a " * 500).ids) == MAX_TOKENS
    assert encoder.embed("a " * 128 + "b " * 500) == pytest.approx(encoder.embed("a"))


@pytest.mark.slow
def test_a_text_without_a_token_has_the_zero_vector(tmp_path):
    assert not Encoder.load(write_encoder(tmp_path)).embed("").any()


# -- what cannot be used -----------------------------------------------------------------------------------


@pytest.mark.parametrize("package", ["onnxruntime", "tokenizers"])
def test_without_the_extra_the_command_to_install_it_is_told(tmp_path, monkeypatch, package):
    if package == "tokenizers":
        monkeypatch.setitem(sys.modules, "onnxruntime", sys)  # any module: it is not reached
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=f"an encoder needs the package '{package}', which is not installed") as caught:
        Encoder.load(tmp_path)
    assert caught.value.hint == "pip install 'lanewise[onnx]'"


def broken(folder: Path, name: str, content: bytes | None) -> None:
    (folder / name).unlink() if content is None else (folder / name).write_bytes(content)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("tokenizer.json", None, "tokenizer.json is not there"),
        ("model.onnx", None, "model.onnx is not there"),
        ("tokenizer.json", b"{}", "cannot be loaded: "),
        ("model.onnx", b"no model", "cannot be loaded: "),
    ],
)
def test_a_folder_that_is_no_encoder_is_told(tmp_path, name, content, message):
    broken(write_encoder(tmp_path), name, content)
    with pytest.raises(InputError, match=message) as caught:
        Encoder.load(tmp_path)
    assert "tokenizer.json and model.onnx or onnx/model.onnx" in caught.value.hint


@pytest.mark.slow
def test_a_model_that_asks_for_more_or_gives_less_is_told(tmp_path):
    write_encoder(tmp_path / "one", inputs=("input_ids", "position_ids"))
    with pytest.raises(InputError, match="asks for position_ids, which is not given"):
        Encoder.load(tmp_path / "one")
    write_encoder(tmp_path / "two", pooled=True)
    with pytest.raises(InputError, match="gives 2 axes, not one vector per token"):
        Encoder.load(tmp_path / "two")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is not there: the encoder knows no skills yet"),
        (b"no archive", "cannot be read: "),
        ("others", "was learnt for other skills"),
        ("smaller", "was learnt for another encoder"),
    ],
)
def test_a_folder_without_a_head_of_its_own_comes_with_the_command_that_makes_one(learnt, content, message):
    folder, _ = learnt
    path = folder / HEAD_FILE
    if content in {"others", "smaller"}:
        arrays = dict(np.load(path))
        arrays |= {"skills": arrays["skills"][1:]} if content == "others" else {"weights": arrays["weights"][1:]}
        np.savez(path, **arrays)
    else:
        broken(folder, HEAD_FILE, content)
    with pytest.raises(InputError, match=message) as caught:
        SkillEncoder.load(folder)
    assert caught.value.hint == f"lanewise learn encoder {folder} --pool FILE"


# -- with its head -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_command_prints_the_score_on_what_was_left_out(learnt):
    folder, result = learnt
    first, second = result.stdout.splitlines()
    assert first == f"{folder / HEAD_FILE}: from 640 rows"  # 520 + 60 real ones and 60 written
    score = re.fullmatch(r"left out: accuracy (0\.\d{3}) of 580 turns", second)
    assert score
    assert 0.8 < float(score[1]) < 0.95


@pytest.mark.slow
def test_a_learnt_encoder_names_skills(learnt):
    label = SkillEncoder.load(learnt[0]).read("why does the parser crash")
    assert (label.skill, label.source, label.abstained) == ("debugging", "encoder", False)
    assert 0.5 < label.confidence <= 1
    assert label.second in SKILLS


@pytest.mark.slow
def test_an_encoder_is_asked_before_a_hosted_classifier(learnt):
    folder, _ = learnt
    hosted = HostedSettings(shape="cohere", url="http://127.0.0.1:9")
    settings = Settings(classify=ClassifySettings(encoder=str(folder), hosted=hosted))
    found = app.second_opinions(settings, {}, None)
    assert [type(each) for each in found] == [Threaded, Hosted]
    assert app.second_opinions(settings, {}, None)[0] is found[0]  # not loaded again
    (folder / HEAD_FILE).touch()
    assert app.second_opinions(settings, {}, None)[0] is not found[0]


@pytest.mark.slow
def test_an_encoder_decides_where_the_student_is_unsure_and_costs_nothing(learnt):
    house = house_of(Threaded(SkillEncoder.load(learnt[0]).read), sure_from=0.99)
    student = house.classifier._student
    student.facts = msgspec.structs.replace(student.facts, temperature=100.0, abstain_below=0.3)
    house.ask(body("why does the parser crash"), answer())
    label = house.last.reading.label
    assert (label.skill, label.source, label.asked_pusd) == ("debugging", "encoder", 0)
    assert house.books.questions == [("encoder", "labelled")]


# -- beside the event loop ---------------------------------------------------------------------------------


def test_a_model_is_asked_beside_the_event_loop():
    label = SkillLabel(skill="debugging", confidence=0.9, source="encoder")
    opinion = asyncio.run(Threaded(lambda _: label).label("x"))
    assert opinion == Opinion(source="encoder", label=label)


def test_a_model_that_fails_has_no_opinion_and_quotes_nobody(caplog):
    def fail(words: str) -> SkillLabel:
        raise ZeroDivisionError(words)

    opinion = asyncio.run(Threaded(fail).label("canary"))
    assert opinion == Opinion(source="encoder", fault="failed")
    assert caplog.messages == ["the encoder failed with ZeroDivisionError"]
