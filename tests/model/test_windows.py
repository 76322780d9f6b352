"""Windows cover a stream without gap or overlap, whatever the sizes."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from model.windows import WindowConfig, windows

HOP = 4


@settings(max_examples=200, deadline=None)
@given(
    n_samples=st.integers(0, 400),
    block=st.integers(1, 90),
    context=st.integers(0, 6),
    extra=st.integers(1, 12),
)
def test_kept_frames_are_each_frame_once_in_order(n_samples: int, block: int, context: int, extra: int) -> None:
    wave = np.arange(n_samples, dtype=np.float32)
    config = WindowConfig(window_frames=2 * context + extra, context_frames=context)
    blocks = [wave[i : i + block] for i in range(0, n_samples, block)]
    found = list(windows(blocks, config, hop_length=HOP))
    starts = [window.samples[::HOP][window.keep] for window in found]
    expected = wave[::HOP]
    np.testing.assert_array_equal(np.concatenate([*starts, wave[:0]]), expected)
    assert [window.last for window in found] == [False] * (len(found) - 1) + [True] * bool(found)


def test_inner_windows_carry_context_on_both_sides() -> None:
    config = WindowConfig(window_frames=10, context_frames=3)
    found = list(windows([np.zeros(100, dtype=np.float32)], config, hop_length=HOP))
    assert [window.keep for window in found[:2]] == [slice(0, 7), slice(3, 7)]
    assert all(len(window.samples) == 10 * HOP for window in found[:-1])
