"""What a working process holds: connections made after the fork, and the loaded network."""

import logging
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from celery import Celery
from redis import Redis

from app.catalogue import ModelEntry, file_of
from app.connections import open_redis
from app.database import open_database, session_factory
from app.jobs.lanes import Lanes
from app.jobs.repository import JobRepository
from app.jobs.sharing import SharingRepository
from app.served.folder import CheckpointFolder
from app.served.models import ServedModels
from app.served.repository import ModelRepository
from app.settings import Settings
from app.storage import open_storage
from app.storage.interface import Storage
from app.tracing import Tracing
from app.worker.finishing import Finisher
from app.worker.stopping import StopFlag

if TYPE_CHECKING:
    from app.worker.confined.decoder import AudioDecoder
    from model.listening import Listener

log = logging.getLogger(__name__)


@dataclass
class Runtime:
    """The parts that tasks work with."""

    settings: Settings
    queue: str
    models: ServedModels
    jobs: JobRepository
    sharing: SharingRepository
    storage: Storage
    redis: Redis
    celery: Celery
    stop: StopFlag
    tracing: Tracing
    shared: Path | None = None  # where the process listens that hears for all of this worker
    finisher: Finisher = field(default_factory=Finisher)
    _audio: "AudioDecoder | None" = None
    _loaded: "dict[str, Loaded]" = field(default_factory=dict)

    @property
    def worker(self) -> str:
        """Name that leases are held under: that of the worker of this queue, whichever process works for it."""
        return worker_name(self.settings, self.queue)

    def listener(self, name: str, *, alone: bool = False) -> "Loaded":
        """The network of this name as of now (of the default one where it is not served any more), loaded once.

        One that was published anew is loaded between two jobs; where that fails, its predecessor goes on. `alone` asks
        for one that no other recording shares, for this job only: what ends it then ends nobody else.
        """
        catalogue = self.models.catalogue()
        entry = catalogue.get_or_default(name)
        if alone and self.shared is not None:
            log.info("model %s is loaded for one recording alone", entry.name)
            return Loaded(entry, self.load(entry, alone=True))
        former = self._loaded.get(entry.name)
        if former is not None and former.entry.sha256 == entry.sha256:
            return former
        try:
            loaded = self._keep(entry)
        except Exception:
            if former is None:
                raise
            log.exception("model %s %s cannot be loaded; its predecessor goes on", entry.name, entry.sha256[:8])
            return former
        served = {one.name for one in catalogue.models}
        self._loaded = {one: kept for one, kept in self._loaded.items() if one in served}
        return loaded

    def load(self, entry: ModelEntry, *, alone: bool = False) -> "Listener":
        """Load a checkpoint, into this process where it is to be `alone` or nothing is shared.

        torch is imported here, in the child: a CUDA device that was opened before a fork cannot be used after it, and
        the workers that only decode need none.
        """
        with self._file(entry) as path:
            if self.shared is not None and not alone:
                from app.worker.shared.client import SharedListener

                return SharedListener(self.shared, path, entry.sha256)
            from model.transcriber import Transcriber

            threads = self.settings.threads_each(self.settings.concurrency)
            return Transcriber.load(path, sha256=entry.sha256, device=self.settings.device, threads=threads)

    @property
    def audio(self) -> "AudioDecoder":
        """What decodes recordings; its server is started at the first use."""
        from app.worker.confined.decoder import build_audio_decoder

        if self._audio is None:
            self._audio = build_audio_decoder(self.settings)
        return self._audio

    def load_default(self) -> None:
        """Load the network that most jobs ask for, as it was published; the database may be away."""
        published = self.models.folder.current()
        self._keep(published.get_or_default(published.default))

    def _keep(self, entry: ModelEntry) -> "Loaded":
        loaded = self._loaded[entry.name] = Loaded(entry, self.load(entry))
        log.info("model %s %s is loaded", entry.name, entry.sha256[:8])
        return loaded

    def _file(self, entry: ModelEntry) -> AbstractContextManager[Path]:
        if entry.stored is not None:
            return self.storage.local_copy(entry.stored)
        return nullcontext(file_of(self.models.folder.checkpoint, entry))


@dataclass(frozen=True)
class Loaded:
    """A checkpoint that is in memory."""

    entry: ModelEntry
    transcriber: "Listener"


def worker_name(settings: Settings, queue: str) -> str:
    """A machine may have a worker of each queue: what one of them holds, another must not take for lost."""
    return f"{queue}@{settings.worker}"


def build_runtime(
    settings: Settings, queue: str, celery: Celery, stop: StopFlag, tracing: Tracing, *, shared: Path | None = None
) -> Runtime:
    """Open what a working process needs. To be called in the process that works."""
    settings.temporary.mkdir(parents=True, exist_ok=True)
    sessions = session_factory(open_database(settings.database))
    return Runtime(
        settings=settings,
        queue=queue,
        models=ServedModels(CheckpointFolder(settings.checkpoint), ModelRepository(sessions)),
        jobs=JobRepository(sessions),
        sharing=SharingRepository(sessions, Lanes(settings.long_seconds)),
        storage=open_storage(settings),
        redis=open_redis(settings),
        celery=celery,
        stop=stop,
        tracing=tracing,
        shared=shared,
    )
