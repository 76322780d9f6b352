"""Run inside the environment that benchmarks/basic_pitch.py makes: recordings in, MIDI files out.

Reads lines of ``WAV<tab>MIDI`` from standard input and transcribes each with basic-pitch's ONNX model and its own
default thresholds; prints the seconds that all of it took, the model loaded beforehand.
"""

import sys
import time

from basic_pitch import FilenameSuffix, build_icassp_2022_model_path
from basic_pitch.inference import Model, predict


def main() -> None:
    """Transcribe what standard input names."""
    model = Model(build_icassp_2022_model_path(FilenameSuffix.onnx))
    pairs = [line.rstrip("\n").split("\t") for line in sys.stdin]
    # The first call compiles librosa's loops, which is no part of the speed of any later one.
    predict(pairs[0][0], model)
    begun = time.perf_counter()
    for wav, midi in pairs:
        predict(wav, model)[1].write(midi)
    print(f"SECONDS {time.perf_counter() - begun:.3f}")


if __name__ == "__main__":
    main()
