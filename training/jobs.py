"""Make many recordings at once, go on after a kill, and name whatever failed."""

import errno
import fcntl
import json
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import soundfile
from tqdm import tqdm

from model.errors import ModelError
from training.errors import DataError
from training.prepared import Json, Recording, labels_fault, read_manifest, write_manifest


@dataclass(frozen=True, slots=True)
class Job:
    """One recording to make.

    Parameters
    ----------
    id : str
        Of the recording.
    make : callable
        Picklable; writes the files into the folder that it is given and returns the record.
    settings : dict
        What the recording depends on besides its id. A finished recording made with other settings is made again.
    """

    id: str
    make: Callable[[Path], Recording]
    settings: dict[str, Json]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run of jobs came to: ids made now, ids found finished, what could not be used with its cause, and what was
    in the set and is asked for no more.
    """

    made: list[str]
    found: list[str]
    failed: dict[str, str]
    gone: list[str]

    def summary(self) -> str:
        """Say it in lines for a person."""
        lines = [f"{len(self.made)} made, {len(self.found)} were there, {len(self.failed)} left out"]
        lines += [f"  left out {name}: {why}" for name, why in sorted(self.failed.items())]
        lines += [f"  {name} is no longer in the source, nor in the set; its files stay" for name in self.gone]
        return "\n".join(map(on_one_line, lines))


def on_one_line(text: str) -> str:
    """Text as it is, but for what a terminal would not show as a sign: a file's name may hold line breaks."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def run_jobs(folder: Path, jobs: Sequence[Job], *, workers: int) -> Outcome:
    """Make what is not there yet, the manifest growing with each recording. In the end the set is what `jobs` name.

    A recording that was renamed, removed or given to another set would else be trained on here and tested there.

    Parameters
    ----------
    folder : Path
        ``PREPARED/<set>``; made if missing.
    jobs : sequence of Job
        In the order in which they should be begun.
    workers : int
        Processes; 1 runs in this one.

    Returns
    -------
    Outcome

    Raises
    ------
    DataError
        If the disk is full, a process was killed or another run is at work in the folder; what was made until then
        stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder):
        return run_jobs_alone(folder, jobs, workers)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold a set for this process: two that make the same files would take them from each other.

    The lock leaves no file and goes with the process, however that ends.

    Raises
    ------
    DataError
        If another process holds it.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataError(f"another prepare is at work in {folder}; wait until it has ended") from error
        except OSError:
            pass  # some network disks know no locks of folders, and many people work alone
        yield
    finally:
        os.close(handle)


def run_jobs_alone(folder: Path, jobs: Sequence[Job], workers: int) -> Outcome:
    """`run_jobs` in a folder that nobody else writes into."""
    wanted = {job.id for job in jobs}
    known = {recording.id: recording for recording in read_manifest(folder)}
    done = {name: recording for name, recording in known.items() if name in wanted}
    waiting = [job for job in jobs if not is_finished(folder, job, done.get(job.id))]
    found = sorted(wanted - {job.id for job in waiting})
    outcome = Outcome([], found, {}, sorted(known.keys() - wanted))
    progress = tqdm(total=len(waiting), desc=folder.name, unit="recording", mininterval=5)

    def keep(job_id: str, result: Recording | str) -> None:
        progress.update()
        if isinstance(result, str):
            outcome.failed[job_id] = result
            return
        done[job_id] = result
        outcome.made.append(job_id)
        write_manifest(folder, done.values(), outcome.failed)

    try:
        run_all(folder, waiting, workers, keep)
    finally:
        progress.close()
    for job_id in outcome.failed:
        done.pop(job_id, None)  # made from files that have changed since and cannot be used any more
    write_manifest(folder, done.values(), outcome.failed)
    return outcome


def run_all(folder: Path, jobs: Sequence[Job], workers: int, keep: Callable[[str, Recording | str], None]) -> None:
    """Run jobs here or in a pool and hand each result to `keep` as it comes."""
    workers = min(workers, len(jobs))
    if workers <= 1:
        for job in jobs:
            keep(job.id, attempt(job, folder))
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=end_with_parent) as pool:
        try:  # a process may be killed before all jobs were handed over
            futures: dict[Future[Recording | str], str] = {pool.submit(attempt, job, folder): job.id for job in jobs}
            for future in as_completed(futures):
                keep(futures[future], future.result())
        except BrokenExecutor as error:
            raise DataError(
                "a process was killed, perhaps for want of memory; what is finished stays: run it again, "
                "with fewer --workers"
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def end_with_parent() -> None:
    """Let a process of a pool end when the one that started it is killed; by itself it would wait for ever."""
    threading.Thread(target=wait_for_parent, daemon=True).start()


def wait_for_parent() -> None:
    """End this process when its parent does."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def attempt(job: Job, folder: Path) -> Recording | str:
    """Run one job; a fault of the data comes back as its sentence, so that one bad file does not end the run.

    Raises
    ------
    DataError
        If nothing can be written, as when the disk is full: then all others would fail too.
    """
    try:
        return job.make(folder)
    except ModelError as error:
        return error.message
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DataError(
                f"{folder}: the disk is full; make room and run it again, what is finished stays"
            ) from error
        return f"{type(error).__name__}: {error}"
    except soundfile.LibsndfileError as error:  # audio is read by those who name the file, so this was writing
        raise DataError(
            f"{folder}: audio cannot be written ({error}), as when the disk is full; what is finished stays"
        ) from error
    except ValueError as error:
        return f"{type(error).__name__}: {error}"


def is_finished(folder: Path, job: Job, recording: Recording | None) -> bool:
    """Whether a recording is there whole and was made with the settings asked for."""
    if recording is None:
        return False
    same = json.dumps(recording.made.get("settings"), sort_keys=True) == json.dumps(job.settings, sort_keys=True)
    return same and (folder / f"{job.id}.wav").exists() and not labels_fault(folder, recording)
