"""Instruments: which may play, what the files say, and what people make of it."""

import io
import json
from typing import Any

import httpx
import mido
import pytest

from app.instruments import INSTRUMENTS
from app.options import Decoding, Options
from tests.app.service import Service, finished, read, upload
from tests.app.test_notes import NOTES, PIANO, etag_of, put, save

ALL = ", ".join(INSTRUMENTS)


@pytest.fixture
def job(client: httpx.Client, tune: bytes) -> dict[str, Any]:
    return finished(client, upload(client, tune))


def notes_of(client: httpx.Client, address: str) -> list[dict[str, Any]]:
    notes: list[dict[str, Any]] = client.get(address).json()["notes"]
    return notes


def players(notes: list[dict[str, Any]]) -> set[tuple[int, str, float]]:
    return {(note["program"], note["instrument"], note["instrument_confidence"]) for note in notes}


def track_names(client: httpx.Client, address: str) -> list[str]:
    file = mido.MidiFile(file=io.BytesIO(client.get(address).content), charset="utf-8")
    return [track.name for track in file.tracks[1:]]


def test_the_only_instrument_that_may_play_plays_everything(client: httpx.Client, tune: bytes) -> None:
    job = finished(client, upload(client, tune, instruments="violin"))
    assert job["options"]["instruments"] == ["violin"]
    assert players(notes_of(client, job["links"]["piano_roll"])) == {(40, "violin", 1.0)}
    assert track_names(client, job["links"]["midi"]) == ["Violin"]

    again = client.post(job["links"]["decode"], json={"instruments": ["oboe"]}).json()
    assert again["options"]["instruments"] == ["oboe"]
    assert players(notes_of(client, job["links"]["piano_roll"])) == {(68, "oboe", 1.0)}
    assert ",68,oboe,1.0000" in client.get(job["links"]["notes_csv"]).text


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("auto", "auto"),
        ("piano", ["piano"]),
        ("cello, piano,cello", ["piano", "cello"]),
        (["horn", "flute"], ["flute", "horn"]),
        (None, "auto"),
    ],
)
def test_instruments_are_kept_in_one_order(idle: httpx.Client, tune: bytes, sent: Any, kept: Any) -> None:
    data = {} if sent is None else {"instruments": sent}  # a list becomes a field for each
    answer = idle.post("/v1/transcriptions", files={"file": ("a.wav", tune[:1000])}, data=data)
    assert answer.status_code == 202, answer.text
    assert answer.json()["options"]["instruments"] == kept


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ("guitar", f"instruments: 'guitar' is none of auto, {ALL}"),
        (["piano", "Viola"], f"instruments: 'Viola' is none of auto, {ALL}"),
        (["auto", "piano"], "instruments: auto means any instrument; send it alone, or only the names"),
        ([], "instruments: the list is empty; name at least one instrument, or send auto"),
        (40, "instruments: must be auto, a name, or a list of names"),
    ],
)
def test_what_is_no_choice_is_refused(client: httpx.Client, tune_job: dict[str, Any], sent: Any, words: str) -> None:
    answer = client.post(tune_job["links"]["decode"], json={"instruments": sent})
    assert (answer.status_code, answer.json()["detail"]) == (422, words)


def test_options_from_before_there_were_instruments_mean_any() -> None:
    old = Decoding(onset_threshold=0.5, frame_threshold=0.5, min_note_ms=30.0).model_dump()
    assert Options.model_validate(old).instruments == "auto"


def test_edits_name_the_instrument_or_its_program(client: httpx.Client, job: dict[str, Any]) -> None:
    named = [
        NOTES[0] | {"instrument": "cello", "instrument_confidence": 0.5},
        NOTES[1] | {"program": 71},
        NOTES[2] | {"program": 70, "instrument": "bassoon"},
    ]
    version = save(client, job, named)
    written = notes_of(client, version["links"]["piano_roll"])
    assert [(note["program"], note["instrument"], note["instrument_confidence"]) for note in written] == [
        (42, "cello", 0.5),
        (71, "clarinet", 1.0),
        (70, "bassoon", 1.0),
    ]
    assert track_names(client, version["links"]["midi"]) == ["Cello", "Bassoon", "Clarinet"]

    # As they were read they can be sent, and whoever knows of no instruments changes none.
    assert notes_of(client, save(client, job, written)["links"]["piano_roll"]) == written
    bare = [{**NOTES[1], "velocity": 1}, NOTES[0], {**NOTES[2], "pitch": 72}]
    kept = notes_of(client, save(client, job, bare)["links"]["piano_roll"])
    assert [(note["pitch"], note["instrument"], note["instrument_confidence"]) for note in kept] == [
        (60, "cello", 0.5),
        (64, "clarinet", 1.0),
        (72, "piano", 1.0),
    ]


def test_tracks_are_called_what_people_call_them(client: httpx.Client, job: dict[str, Any]) -> None:
    def saved(**names: Any) -> tuple[Any, list[str]]:
        body = {"notes": [note | {"instrument": "horn"} for note in NOTES], **names}
        answer = client.put(job["links"]["notes"], json=body, headers={"If-Match": etag_of(client, job)})
        assert answer.status_code == 200, answer.text
        links = answer.json()["links"]
        return client.get(links["piano_roll"]).json().get("track_names"), track_names(client, links["midi"])

    assert saved() == (None, ["Horn"])
    assert saved(track_names={"horn": "Waldhorn (Änne)"}) == ({"horn": "Waldhorn (Änne)"}, ["Waldhorn (Änne)"])
    assert saved() == ({"horn": "Waldhorn (Änne)"}, ["Waldhorn (Änne)"])
    assert saved(track_names={}) == (None, ["Horn"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"program": 24}, "notes.0.program: 24 is none of 0 (piano), 6 (harpsichord), 40 (violin)"),
        ({"instrument": "guitar"}, "notes.0.instrument: Input should be 'piano', 'harpsichord', 'violin'"),
        ({"instrument": "violin", "program": 41}, "notes.0: program 41 is not violin, which is 40; send one of the"),
        ({"instrument_confidence": 2}, "notes.0.instrument_confidence: Input should be less than or equal to 1"),
    ],
)
def test_no_such_instrument(client: httpx.Client, tune_job: dict[str, Any], change: dict[str, Any], words: str) -> None:
    answer = put(client, tune_job, [NOTES[0] | change, *NOTES[1:]], "*")
    assert answer.status_code == 422
    assert words in answer.json()["detail"]


@pytest.mark.parametrize("names", [{"guitar": "Strat"}, {"piano": ""}, {"piano": "a\tb"}, {"piano": "x" * 61}])
def test_no_such_name(client: httpx.Client, tune_job: dict[str, Any], names: dict[str, str]) -> None:
    body = {"notes": NOTES, "track_names": names}
    answer = client.put(tune_job["links"]["notes"], json=body, headers={"If-Match": "*"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].startswith("track_names.")
    assert read(client, tune_job)["result"]["version"] == 0


def make_old(service: Service, job: dict[str, Any]) -> list[dict[str, Any]]:
    """The stored notes as they were written before there were instruments; gives them."""
    (path,) = (service.var / "storage" / "jobs" / job["id"] / "results").glob("*/piano-roll.json")
    roll = json.loads(path.read_text())
    roll["schema_version"] = 1
    for note in roll["notes"]:
        del note["program"], note["instrument"], note["instrument_confidence"]
    path.write_text(json.dumps(roll).ljust(path.stat().st_size))
    notes: list[dict[str, Any]] = roll["notes"]
    return notes


def test_old_results_can_be_read_and_edited(client: httpx.Client, service: Service, job: dict[str, Any]) -> None:
    old = make_old(service, job)
    assert notes_of(client, job["links"]["piano_roll"]) == old
    version = save(client, job, old[1:])
    assert notes_of(client, version["links"]["piano_roll"]) == [note | PIANO for note in old[1:]]
