"""What a working process holds: connections made after the fork, and the loaded network."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from celery import Celery
from redis import Redis

from app.catalogue import Catalogue, ModelEntry, load_catalogue
from app.connections import open_redis
from app.database import open_database, session_factory
from app.jobs.repository import JobRepository
from app.settings import Settings
from app.storage import open_storage
from app.storage.interface import Storage
from app.worker.stopping import StopFlag

if TYPE_CHECKING:
    from model.transcriber import Transcriber


@dataclass
class Runtime:
    """The parts that tasks work with."""

    settings: Settings
    catalogue: Catalogue
    jobs: JobRepository
    storage: Storage
    redis: Redis
    celery: Celery
    stop: StopFlag
    _loaded: "dict[str, Transcriber]" = field(default_factory=dict)

    def transcriber(self, entry: ModelEntry) -> "Transcriber":
        """The network of a checkpoint, loaded once.

        torch is imported here, in the child: a CUDA device that was opened before a fork cannot be used after it, and
        the workers that only decode need none.
        """
        from model.transcriber import Transcriber

        if entry.sha256 not in self._loaded:
            self._loaded[entry.sha256] = Transcriber.load(
                self.settings.checkpoints / entry.file,
                sha256=entry.sha256,
                device=self.settings.device,
                threads=self.settings.threads,
            )
        return self._loaded[entry.sha256]

    def load_default(self) -> None:
        """Load the network that most jobs ask for."""
        self.transcriber(self.catalogue.get_or_default(self.catalogue.default))


def build_runtime(settings: Settings, celery: Celery, stop: StopFlag) -> Runtime:
    """Open what a working process needs. To be called in the process that works."""
    settings.temporary.mkdir(parents=True, exist_ok=True)
    return Runtime(
        settings=settings,
        catalogue=load_catalogue(settings.checkpoints),
        jobs=JobRepository(session_factory(open_database(settings.database))),
        storage=open_storage(settings.storage),
        redis=open_redis(settings),
        celery=celery,
        stop=stop,
    )
