"""What starts the web process, and what must not come with it."""

import json
import subprocess
import sys

from app.instruments import PROGRAMS
from app.options import HIGHEST_A4_HZ, HIGHEST_PITCH, LOWEST_A4_HZ, LOWEST_PITCH, Options, OptionsRequest
from model import instruments, note, tuning
from model.note_events import DecodingOptions

PROGRAM = """
import json, sys
from app.settings import Settings
from app.api.application import create_app
create_app(Settings()).openapi()
import app.supervisor.supervisor, app.sweeper
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_the_web_process_loads_neither_torch_nor_model() -> None:
    output = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True, text=True).stdout
    loaded = set(json.loads(output))
    assert "fastapi" in loaded
    assert loaded.isdisjoint({"torch", "model", "numpy", "av", "soxr", "safetensors", "mido", "scipy"})


def test_the_decoding_worker_loads_no_torch() -> None:
    program = "import sys, app.worker.main, app.worker.decode; print('torch' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout
    assert output.strip() == "False"


def test_help_is_quick_because_it_loads_little() -> None:
    program = "import sys, app.cli; print('fastapi' in sys.modules, 'celery' in sys.modules, 'model' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout
    assert output.split() == ["False", "False", "False"]


def test_the_options_are_the_models_own() -> None:
    """The web half repeats the model's ranges as it may not import them: here they are compared."""
    assert (LOWEST_PITCH, HIGHEST_PITCH) == (note.LOWEST_PITCH, note.HIGHEST_PITCH)
    assert (LOWEST_A4_HZ, HIGHEST_A4_HZ) == (tuning.LOWEST_A4_HZ, tuning.HIGHEST_A4_HZ)
    assert list(PROGRAMS.items()) == list(instruments.PROGRAMS.items())
    defaults = Options(onset_threshold=0.5, frame_threshold=0.5, min_note_ms=30.0)
    for name in ("onset_threshold", "frame_threshold", "min_note_ms"):
        field = OptionsRequest.model_json_schema()["properties"][name]["anyOf"][0]
        for bound in (field["minimum"], field["maximum"]):
            DecodingOptions(**(defaults.for_decoding() | {name: bound}))
